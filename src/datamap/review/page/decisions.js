// The reviewer's decisions on this page, whether or not the server has them already.

import { reviewer } from "./reviewer.js";
import { tr } from "./words.js";

const made = new Map(); // row → {action, label} of this reviewer, null where undone
const steps = []; // {rows, index, shown} in the order of the keys, for undo

export const decisions = {
  steps,
  note(row, action, label) {
    made.set(row, action === "undo" ? null : { action, label, who: reviewer.name });
  },
  revert(row) {
    made.delete(row);
  },
  clear() {
    made.clear();
    steps.length = 0;
  },

  /**
   * The decision to show for a sample: {action, new_label, who, mine} or null. `said` is what the server
   * has.
   */
  of(row, said, classes) {
    if (made.has(row)) {
      const now = made.get(row);
      if (now)
        return {
          action: now.action,
          new_label: now.action === "label" ? classes[now.label] : null,
          who: now.who,
          mine: true,
        };
      return said && said.who !== reviewer.name ? { ...named(said, classes), mine: false } : null;
    }
    return said ? { ...named(said, classes), mine: said.who === reviewer.name } : null;
  },
};

/** Return a decision of the server, with the page's name for its new class. */
export const named = (decision, classes) => ({
  ...decision,
  new_label: classes[decision.new ?? -1] ?? decision.new_label,
});

export const SIGNS = { keep: "✓", label: "✎", drop: "✕", unsure: "?" };

/** Return a decision as a word, or as the name of the new class. */
export const said = (decision) =>
  ({
    keep: () => tr("kept"),
    label: () => decision.new_label,
    drop: () => tr("dropped"),
    unsure: () => tr("unsure"),
  })[decision.action]();
