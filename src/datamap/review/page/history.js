// The learning history of the sample that is shown.

import { $ } from "../../web/scripts/dom.js";
import { drawHistory } from "../../web/scripts/history.js";
import { tr } from "./words.js";

const PADDING = 44; // pixels at both sides of the sample

/** An SVG of the given label's probability over the observations. */
export function historyFigure(run, { history }) {
  const { numbers, label_probs: probs, correct, predicted } = history;
  const points = probs.map((probability, k) => ({
    probability,
    correct: Boolean(correct[k]),
    faint: false,
    title: tr(
      (predicted?.[k] ?? null) === null ? "{unit} {number}: {p}" : "{unit} {number}: {p}, predicted {name}",
      {
        unit: tr(run.unit),
        number: numbers[k],
        p: probability === null ? "–" : probability.toFixed(2),
        name: run.classes[predicted?.[k]],
      },
    ),
  }));
  const what = run.labeled
    ? "probability of the given label by {unit}; dot: right, ring: wrong"
    : "confidence by {unit}; dot: right, ring: wrong";
  const caption = tr(what, { unit: tr(run.unit) });
  return drawHistory(points, caption, {
    width: Math.min(640, $("middle").clientWidth - PADDING),
    height: 84,
    ends: [numbers[0], numbers.at(-1)],
  });
}
