// Translate texts into the page's language, and format numbers.

import { translator } from "../../web/scripts/words.js";

const { words } = JSON.parse(document.getElementById("data").textContent);

/** Return a text in the page's language, its {fields} filled in. */
export const tr = translator(words);

/**
 * Return the elements that have a data attribute.
 *
 * @param {string} name
 * @returns {NodeListOf<HTMLInputElement>}
 */
const marked = (name) => document.querySelectorAll(`[data-${name}]`);

/** Translate the page's HTML: texts by data-word, names by data-label, hints by data-hint. */
export function translatePage() {
  for (const one of marked("word")) one.textContent = tr(one.dataset.word);
  for (const one of marked("label")) one.setAttribute("aria-label", tr(one.dataset.label));
  for (const one of marked("hint")) one.placeholder = tr(one.dataset.hint);
}

/** Return a sample's score if it is a probability, else its rank, which holds the same information. */
export const scored = (run, { score, rank }) =>
  run.probable ? (score < 0.995 ? score.toFixed(2) : "> 0.99") : tr("rank {n}", { n: count(rank) });

/** Return what `scored` means, as a hint. */
export const scoreHint = (run) =>
  tr(run.probable ? "probability that the label is wrong" : "rank in the diagnosis");

export const count = (n) => n.toLocaleString("en");
export const percent = (share) => `${Math.round(100 * share)}%`;
