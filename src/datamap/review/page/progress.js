// The progress of the review, and estimates for the labels that nobody has reviewed.

import { $, add } from "../../web/scripts/dom.js";
import { count, percent, tr } from "./words.js";

/** Draw the answer of /api/progress. `showConflicts()` filters the queue. */
export function drawProgress(progress, showConflicts) {
  const goal = Math.max(1, progress.suggested || progress.samples);
  const share = Math.min(1, progress.reviewed / goal);
  $("bar").ariaValueNow = String(Math.round(100 * share));
  $("bar-done").style.width = `${100 * share}%`;
  $("tally").textContent = tr("{reviewed} of {goal} reviewed, {wrong} wrong", {
    reviewed: count(progress.reviewed),
    goal: count(goal),
    wrong: count(progress.wrong),
  });
  drawFacts($("facts"), progress);
  $("advice").textContent = progress.advice ?? "";
  drawConflicts($("conflicts"), progress.conflicts, showConflicts);
}

function drawFacts(list, { precision, remaining, kappa, mine, reviewed, suggested, samples }) {
  list.replaceChildren();
  const rangeOf = (low, high) => tr("({low} to {high})", { low, high });
  const fact = (name, value, note = "") => {
    add(list, "dt", tr(name));
    const said = add(list, "dd", value);
    if (note) said.append(" ");
    if (note) add(said, "span", note, "muted range-of");
  };
  // If the score does not tell how many, all are suggested: that is not useful advice.
  if (suggested && suggested < samples) fact("worth reviewing (estimate)", count(suggested));
  if (mine !== reviewed) fact("by me", count(mine));
  if (precision)
    fact(
      "wrong among reviewed",
      percent(precision.value),
      rangeOf(percent(precision.low), percent(precision.high)),
    );
  if (remaining) {
    const [low, high, estimate] = [remaining.low, remaining.high, remaining.estimate].map((n) =>
      count(Math.round(n)),
    );
    fact("still wrong (estimate)", estimate, rangeOf(low, high));
  }
  if (kappa) {
    fact(
      "agreement (kappa)",
      kappa.kappa === null ? "–" : kappa.kappa.toFixed(2),
      tr("{a} and {b}, on {both}", {
        a: kappa.reviewers[0],
        b: kappa.reviewers[1],
        both: count(kappa.both),
      }),
    );
  }
  if (!list.childElementCount) fact("reviewed", count(reviewed));
}

function drawConflicts(box, conflicts, show) {
  box.replaceChildren();
  if (!conflicts.length) return;
  const n = conflicts.length;
  const button = add(
    box,
    "button",
    tr(n === 1 ? "reviewers disagree on 1: show it" : "reviewers disagree on {n}: show them", {
      n: count(n),
    }),
  );
  button.type = "button";
  button.addEventListener("click", show);
}
