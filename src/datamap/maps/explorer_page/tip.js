// Show a sample's facts beside the pointer.

import { $, add } from "../../web/scripts/dom.js";
import { beginning } from "../../web/scripts/fold.js";
import { drawHistory } from "../../web/scripts/history.js";
import { short } from "../../web/scripts/numbers.js";

/** Fill the tip with sample `i` after `t` observations; −1 hides it. */
export function fillTip(samples, columns, i, t, axes) {
  const tip = $("tip");
  const { tr } = samples;
  tip.hidden = i < 0;
  tip.replaceChildren();
  if (i < 0) return;
  for (const name of samples.textNames)
    if (name !== "why") add(tip, "p", beginning(samples.textOf(name, i)), "text");
  const guess = columns.pred_label ? columns.pred_label[i] : NaN;
  const wrong = Number.isFinite(guess) && guess !== columns.label[i];
  const said = Number.isFinite(guess) ? ` · ${tr("predicted")} ${samples.className(guess)}` : "";
  if (samples.labeled)
    add(tip, "p", `${tr("label")} ${samples.className(columns.label[i])}${said}`, wrong ? "wrong" : "");
  if (columns.score) fillDiagnosis(samples, columns, i, tip);
  const facts = [...new Set(["avg_probs", "variability", "correct_ratio", "forgetting_times", ...axes])];
  add(
    tip,
    "p",
    `id ${samples.idOf(i)} · ${facts.map((name) => `${name} ${short(columns[name][i])}`).join(" · ")}`,
    "facts",
  );
  const range = { unit: tr(samples.unit), first: samples.numbers[0], last: samples.numbers.at(-1) };
  const what = samples.labeled
    ? "probability of the given label, {unit} {first}–{last}"
    : "confidence, {unit} {first}–{last}";
  const caption = tr(what, range);
  tip.append(drawHistory(historyOf(samples, i, t), caption));
}

function fillDiagnosis(samples, columns, i, tip) {
  const proposed = samples.className(columns.proposed[i]);
  const score = columns.rank
    ? samples.tr("rank {n}", { n: columns.rank[i].toLocaleString("en") })
    : `${samples.tr("score")} ${short(columns.score[i])}`;
  add(tip, "p", proposed ? `${score} · ${samples.tr("proposed")} ${proposed}` : score);
  if (samples.isText("why")) add(tip, "p", samples.textOf("why", i), "facts");
}

/** Return a sample's history for `drawHistory`; observations after the slider's are faint. */
export function historyOf({ probs, levels, correct, count, numbers }, i, t) {
  return numbers.map((_, s) => ({
    probability: probs[s * count + i] > levels ? null : probs[s * count + i] / levels,
    correct: correct[s * count + i] === 1,
    faint: s >= t,
  }));
}

/** Put the tip beside the pointer, inside the stage. */
export function placeTip(px, py) {
  const tip = $("tip");
  const { width, height } = $("stage").getBoundingClientRect();
  const fits = px + 16 + tip.offsetWidth <= width;
  tip.style.left = `${fits ? px + 16 : Math.max(0, px - tip.offsetWidth - 12)}px`;
  tip.style.top = `${Math.max(0, Math.min(py + 12, height - tip.offsetHeight))}px`;
}
