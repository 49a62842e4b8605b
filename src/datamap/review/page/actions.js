// The buttons below the sample: what each key does for this sample.

import { $, add } from "../../web/scripts/dom.js";
import { choicesOf } from "./choices.js";
import { proposedParts } from "./units.js";
import { count, tr } from "./words.js";

/** Fill a button with its key, its action, and the class that it assigns. */
function fillButton(button, key, text, name = null) {
  button.replaceChildren();
  add(button, "kbd", key);
  if (text) add(button, "span", text);
  if (name !== null) {
    const words = add(button, "bdi", name, "class-name");
    words.title = name;
  }
}

/**
 * Label the buttons with their effect on this sample; `decided` is the reviewer's decision on it, or null.
 */
export function drawActions(run, sample, decided, act) {
  const { classes } = run;
  if (run.labeled) fillButton($("keep"), "K", tr("Keep the given label"), classes[sample.label]);
  else fillButton($("keep"), "K", tr("Keep it"));
  const proposes = sample.proposed !== null;
  fillButton(
    $("accept"),
    "↵",
    tr(proposes ? "Accept the proposed label" : "No other label is proposed"),
    proposes ? classes[sample.proposed] : "–",
  );
  $("accept").disabled = !proposes;
  $("keep").ariaPressed = String(decided?.action === "keep");
  $("accept").ariaPressed = String(
    proposes && decided?.action === "label" && decided.new_label === classes[sample.proposed],
  );
  $("accept").hidden = $("choices").hidden = !run.labeled;
  for (const name of ["drop", "unsure"]) $(name).ariaPressed = String(decided?.action === name);
  drawChoices(run, sample, decided, act);
}

function drawChoices(run, sample, decided, act) {
  const { classes } = run;
  const box = $("choices");
  box.replaceChildren();
  const choices = choicesOf(sample, classes);
  for (const { key, label: k } of choices) {
    const button = add(
      box,
      "button",
      "",
      k === sample.label ? "given" : k === sample.proposed ? "proposed" : "",
    );
    button.type = "button";
    fillButton(button, key, "", classes[k] === key ? null : classes[k]);
    button.ariaPressed = String(decided?.action === "label" && decided.new_label === classes[k]);
    button.addEventListener("click", () => act("choice", key));
  }
  drawAcceptAll(box, proposedParts(run, sample), sample, act);
  if (choices.length === classes.length) return; // all of them are buttons
  const search = add(box, "button");
  search.type = "button";
  search.id = "search-classes";
  fillButton(search, "/", tr("another of {n} classes", { n: classes.length }));
  search.addEventListener("click", () => act("classes"));
}

/** Offer to accept all proposals for the sample if there are others besides the one that is shown. */
function drawAcceptAll(box, parts, sample, act) {
  if (parts.every(({ row }) => row === sample.row)) return;
  const button = add(box, "button", "", "proposed");
  button.type = "button";
  button.id = "accept-all";
  fillButton(button, "⇧↵", tr("Accept all proposals ({n})", { n: count(parts.length) }));
  button.addEventListener("click", () => act("acceptAll"));
}

/** Set up the fixed parts of the buttons, and their clicks. */
export function beginActions(act) {
  const fixed = {
    drop: ["D", "Drop"],
    unsure: ["U", "Unsure"],
    undo: ["Z", "Undo"],
    back: ["←", "Back"],
    skip: ["→", "Skip"],
    jump: ["G", "Jump"],
  };
  for (const [name, [key, text]] of Object.entries(fixed)) {
    fillButton($(name), key, tr(text));
    $(name).title = tr(text);
    $(name).ariaLabel = `${tr(text)} (${key})`;
  }
  for (const name of [...Object.keys(fixed), "keep", "accept"])
    $(name).addEventListener("click", () => act(name));
  $("show-help").addEventListener("click", () => act("help"));
}
