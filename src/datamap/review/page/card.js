// The sample in the middle: texts, reasons, history, neighbors, and other reviewers' decisions.

import { $, add } from "../../web/scripts/dom.js";
import { addFolded } from "../../web/scripts/fold.js";
import { decisions, named, SIGNS, said } from "./decisions.js";
import { difference } from "./diff.js";
import { historyFigure } from "./history.js";
import { reviewer } from "./reviewer.js";
import { drawLabels, drawSentence } from "./units.js";
import { count, scored, scoreHint, tr } from "./words.js";

/**
 * Draw a sample; `sample` may be the list's data until everything is loaded. `open(row)` shows another one.
 */
export function drawCard(run, sample, { index, total, open, near }) {
  const card = $("card");
  const scrolled = card.dataset.row === String(sample.row) ? $("reading").scrollTop : 0;
  clearCard();
  card.dataset.row = sample.row;
  drawHead(card, run, sample, index, total);
  drawTexts(card, run, sample, open);
  if (sample.why) add(card, "p", sample.why, "why").dir = "auto";
  if (sample.history) {
    drawDecisions(card, run, sample);
    const evidence = add($("more"), "section", "", "evidence");
    add(evidence, "h3", tr("Learning history"));
    evidence.append(historyFigure(run, sample));
  }
  const section = add($("more"), "section", "", "neighbors");
  if (near) drawNeighbors(section, run, sample, near, open);
  $("reading").scrollTop = scrolled;
}

/** Clear the card. */
export function clearCard() {
  for (const part of ["card", "more"]) $(part).replaceChildren();
}

function drawHead(card, run, sample, index, total) {
  const head = add(card, "header");
  add(head, "h2", `id ${sample.id}`).id = "card-name";
  if (index >= 0)
    add(head, "span", tr("{at} of {total}", { at: count(index + 1), total: count(total) }), "muted");
  else add(head, "span", tr("not in this list"), "muted");
  add(head, "span", "", "gap");
  const [region, name] = run.regions[sample.region];
  add(head, "span", tr(name), `chip region-${region}`);
  const score = add(head, "span", run.probable ? `${tr("score")} ` : "", "muted");
  score.title = scoreHint(run);
  add(score, "strong", scored(run, sample));
  const decision = decisions.of(sample.row, sample.decision, run.classes);
  if (decision?.mine)
    add(head, "bdi", `${SIGNS[decision.action]} ${said(decision)}`, `mark ${decision.action}`);
}

function drawTexts(card, run, sample, open) {
  const texts = add(card, "div", "", run.pairs && run.labeled ? "texts pair" : "texts");
  if (!run.texts) {
    add(texts, "p", tr("This run has no texts; look up the sample by its id."), "muted");
    return;
  }
  if (!run.labeled) return drawExample(texts, run, sample);
  if (run.part === "token" && sample.parts?.length)
    return drawSentence(add(texts, "div", "", "text"), run, sample, open);
  const both = run.pairs ? difference(sample.text_a, sample.text_b) : [[{ text: sample.text_a, same: true }]];
  both.forEach((parts, k) => {
    const box = add(texts, "div", "", "text");
    if (run.pairs) add(box, "h3", k ? "B" : "A");
    const words = add(box, "p");
    words.dir = "auto";
    for (const { text, same } of parts) same ? words.append(text) : add(words, "mark", text);
  });
  if (run.part === "label" && sample.parts) drawLabels(card, run, sample, open);
}

/** Show a prompt above its completion, each folded if it is long. */
function drawExample(texts, run, sample) {
  const named = run.pairs ? ["Prompt", "Completion"] : [""];
  named.forEach((name, k) => {
    const box = add(texts, "div", "", "text");
    if (name) add(box, "h3", tr(name));
    const words = add(box, "p");
    words.dir = "auto";
    addFolded(words, k ? sample.text_b : sample.text_a, tr);
  });
}

function drawDecisions(card, run, sample) {
  const others = sample.decisions
    .filter(({ who, action }) => who !== reviewer.name && action !== "undo")
    .map((decision) => named(decision, run.classes));
  if (!others.length) return;
  const list = add(card, "ul", "", "decided");
  if (sample.conflict) add(list, "li", tr("Reviewers disagree"), "conflict");
  for (const decision of others) {
    const item = add(list, "li");
    add(item, "bdi", decision.who, "name");
    add(item, "bdi", `${SIGNS[decision.action]} ${said(decision)}`, `mark ${decision.action}`);
    add(item, "time", when(decision.when), "muted").dateTime = decision.when;
  }
}

function when(text) {
  const date = new Date(text);
  return Number.isNaN(date.getTime())
    ? text
    : date.toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
}

function drawNeighbors(section, run, sample, { rows }, open) {
  section.replaceChildren();
  if (!rows.length) return;
  add(section, "h3", tr("Similar samples"));
  const list = add(section, "ul");
  for (const near of rows) {
    const button = add(add(list, "li"), "button");
    button.type = "button";
    button.addEventListener("click", () => open(near.row));
    if (!run.labeled) button.className = "unlabeled";
    const kind = near.label === sample.label ? "given" : near.label === sample.proposed ? "proposed" : "";
    if (run.labeled) add(button, "bdi", run.classes[near.label], `chip ${kind}`);
    const words = add(button, "span", "", "near-text");
    add(words, "bdi", near.text_a);
    if (run.pairs) add(words, "bdi", near.text_b);
    add(button, "span", near.similarity.toFixed(2), "muted");
  }
}

/** Draw the neighbors of the current sample when they arrive after it. */
export function fillNeighbors(run, sample, near, open) {
  const section = document.querySelector("#more .neighbors");
  if (section) drawNeighbors(section, run, sample, near, open);
}
