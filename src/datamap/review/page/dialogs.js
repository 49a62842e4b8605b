// Dialogs: the choice among many classes, the jump to an id, and the list of keys.

import { $, add } from "../../web/scripts/dom.js";
import { classesLike } from "./choices.js";
import { count, tr } from "./words.js";

const MAX_LISTED = 100;

/** Open the search among classes; `take(index)` is called with the chosen one. */
export function createClassDialog(classes, take) {
  const dialog = $("classes");
  const typed = $("class-typed");
  const list = $("class-list");
  let found = [];
  let at = 0;

  function draw() {
    found = classesLike(typed.value, classes).slice(0, MAX_LISTED);
    at = Math.max(0, Math.min(at, found.length - 1));
    list.replaceChildren();
    found.forEach((k, place) => {
      const option = add(list, "div", "", "option");
      add(option, "bdi", classes[k]);
      Object.assign(option, { id: `class-${k}`, role: "option", ariaSelected: String(place === at) });
      option.addEventListener("click", () => choose(k));
    });
    if (!found.length) add(list, "div", tr("no class has such a name"), "muted").role = "option";
    typed.setAttribute("aria-activedescendant", found.length ? `class-${found[at]}` : "");
    list.children[at]?.scrollIntoView({ block: "nearest" });
  }

  function choose(k) {
    dialog.close();
    take(k);
  }

  typed.addEventListener("input", () => {
    at = 0;
    draw();
  });
  typed.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      at += step;
      draw();
    } else if (event.key === "Enter" && !event.isComposing && found.length) choose(found[at]);
    else return;
    event.preventDefault();
  });
  return {
    open() {
      typed.value = "";
      at = 0;
      dialog.showModal();
      draw();
      typed.focus();
    },
  };
}

/** Open the jump to an id; `go(id)` throws if there is no such sample. */
export function createJumpDialog(go) {
  const dialog = $("jumper");
  const said = $("jump-said");
  $("jump-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await go($("jump-id").value.trim());
      dialog.close();
    } catch (error) {
      said.textContent = error.message;
    }
  });
  return {
    open() {
      said.textContent = "";
      dialog.showModal();
      $("jump-id").select();
    },
  };
}

const HELP = [
  ["K", "keep the given label"],
  ["Enter P", "accept the proposed label"],
  ["⇧Enter", "accept all proposals in the sentence", "token"],
  ["⇧Enter", "accept all proposals for the text", "label"],
  ["1 – 9", "choose a class by its number"],
  ["/ L", "search among all classes"],
  ["D", "drop the sample"],
  ["U", "unsure: leave it to another reviewer"],
  ["⇧→ ⇧←", "move the end of the entity", "token"],
  ["Ctrl⇧→ Ctrl⇧←", "move the beginning of the entity", "token"],
  ["Z", "undo the last decision"],
  ["→ J", "skip"],
  ["←", "back"],
  ["G", "jump to an id"],
  ["S", "search texts and ids"],
  ["?", "show this list"],
];

/** Fill the list of keys and open it with `open()`. */
export function createHelp(run) {
  for (const [keys, meaning, part] of HELP) {
    if (part && part !== run.part) continue;
    const term = add($("help-keys"), "dt");
    for (const key of keys === "1 – 9" ? [keys] : keys.split(" ")) add(term, "kbd", key);
    add($("help-keys"), "dd", tr(meaning));
  }
  $("close-help").addEventListener("click", () => $("help").close());
  // Focus must not return to the button "?", where Enter would open the list again instead of accepting the
  // proposal.
  $("help").addEventListener("close", () => $("card").focus({ preventScroll: true }));
  return { open: () => $("help").showModal() };
}

/** Show why the server is unreachable or fails, and how many decisions wait for it. */
export function drawTrouble({ state, reason, waiting: { length } }, runId) {
  const box = $("trouble");
  box.hidden = state === "idle";
  if (box.hidden) return;
  const what = {
    forbidden: () => tr("The server was restarted at another address: open the one that it printed."),
    failing: () => tr("The server could not complete the request ({reason}); trying again.", { reason }),
    lost: () =>
      tr("The server does not answer. If it has stopped, start it again: {command}", {
        command: `datamap review run_id=${runId}`,
      }),
  }[state]();
  const kept =
    length === 1
      ? tr("1 decision is kept in this browser and will be sent.")
      : tr("{n} decisions are kept in this browser and will be sent.", { n: count(length) });
  const text = length ? `${what} ${kept}` : what;
  if (box.textContent !== text) box.textContent = text;
}
