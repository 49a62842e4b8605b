// A sample of several parts: a sentence with its tags, a text with its labels; one of them is under review.

import { add } from "../../web/scripts/dom.js";
import { shownColor } from "../../web/scripts/theme.js";
import { decisions, SIGNS, said } from "./decisions.js";
import { colorsOf, openProposals, sortedLabels, typeOf } from "./tags.js";
import { count, tr } from "./words.js";

const SHOWN_LABELS = 12;

/** Return the present label of a part, by the decision on it or else as given, and that decision. */
function nowOf(run, part) {
  const decision = decisions.of(part.row, part.decision, run.classes);
  const name = decision?.action === "label" ? decision.new_label : run.classes[part.label];
  return { name, decision };
}

/** Return the tag that each token of a sentence has now; null for one without a tag. */
export const tagsOf = (run, { parts }) =>
  parts.map((part) => (part.row === null ? null : nowOf(run, part).name));

/** Return the parts of a sample whose proposals can be accepted; [] for a sample without parts. */
export const proposedParts = (run, { parts }) =>
  openProposals(parts ?? [], (part) => nowOf(run, part).decision);

/** Draw the sentence of a token. `open(row)` shows another token. */
export function drawSentence(box, run, sample, open) {
  const words = add(box, "p", "", "sentence");
  words.dir = "auto";
  const colors = colorsOf(run.classes);
  for (const part of sample.parts) {
    if (part.space) words.append(" ");
    if (part.row === null) words.append(part.text);
    else words.append(tokenOf(run, part, part.row === sample.row, colors, open));
  }
}

function tokenOf(run, part, isHere, colors, open) {
  const { name, decision } = nowOf(run, part);
  const isDoubtful = !isHere && part.proposed !== null && !decision;
  const token = document.createElement(isHere ? "mark" : isDoubtful ? "button" : "span");
  token.className = "token";
  add(token, "bdi", part.text);
  const color = colors[typeOf(name)];
  if (color) {
    token.classList.add("tagged");
    token.style.setProperty("--hue", shownColor(color));
  }
  if (color || isHere) add(token, "small", name);
  if (isDoubtful) {
    token.title = tr("proposed: {name}", { name: run.classes[part.proposed] });
    token.addEventListener("click", () => open(part.row));
  }
  return token;
}

/** Draw all labels of a text, suspect ones first. `open(row)` shows another label. */
export function drawLabels(box, run, sample, open) {
  const list = add(box, "ul", "", "labels");
  const parts = sortedLabels(sample.parts);
  const draw = (shown) => {
    list.replaceChildren();
    for (const part of shown) drawLabel(list, run, part, part.row === sample.row, open);
  };
  const first = parts.filter((part, k) => k < SHOWN_LABELS || part.row === sample.row);
  draw(first);
  if (first.length === parts.length) return;
  const more = add(box, "button", tr("show all {n} labels", { n: count(parts.length) }), "more");
  more.type = "button";
  more.addEventListener("click", () => {
    draw(parts);
    more.remove();
  });
}

function drawLabel(list, run, part, isHere, open) {
  const { decision } = nowOf(run, part);
  const button = add(add(list, "li"), "button");
  button.type = "button";
  if (isHere) button.setAttribute("aria-current", "true");
  button.addEventListener("click", () => open(part.row));
  add(button, "bdi", part.text, "label-name");
  add(button, "bdi", run.classes[part.label], part.label ? "chip given" : "muted");
  if (part.proposed !== null) add(button, "bdi", `→ ${run.classes[part.proposed]}`, "chip proposed");
  if (decision) add(button, "bdi", `${SIGNS[decision.action]} ${said(decision)}`, `mark ${decision.action}`);
}
