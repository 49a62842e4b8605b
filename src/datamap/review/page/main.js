// The review page. Data flow one way: queue (rows in order) → the sample at `here.index` → card, buttons,
// map.
// A key becomes a decision at once: noted, put into the outbox, and the next sample is shown without waiting
// for the server.

import { $ } from "../../web/scripts/dom.js";
import { beginActions, drawActions } from "./actions.js";
import { clearCard, drawCard, fillNeighbors } from "./card.js";
import { choicesOf } from "./choices.js";
import { decisions, SIGNS, said } from "./decisions.js";
import { createClassDialog, createHelp, createJumpDialog, drawTrouble } from "./dialogs.js";
import { createFilters } from "./filters.js";
import { actionOf, isTaken } from "./keys.js";
import { createList } from "./list.js";
import { createMap } from "./map.js";
import { Outbox } from "./outbox.js";
import { drawProgress } from "./progress.js";
import { NOTHING, queue } from "./queue.js";
import { reviewer } from "./reviewer.js";
import { neighbors, prefetch, samples } from "./samples.js";
import { ask, askJson, asText } from "./server.js";
import { movedBorder } from "./tags.js";
import { proposedParts, tagsOf } from "./units.js";
import { count, tr, translatePage } from "./words.js";

const AHEAD = 4; // samples fetched before they are shown
const READING = 2000; // milliseconds between checks whether the server has finished reading
const MAX_SAID = 500; // characters of a text that are read out
const LOOK = 5000; // milliseconds between checks for others' decisions

const here = { index: -1, row: -1, sample: null }; // index −1: a sample outside of the queue
let run;
let list;
let map;
let filters;
let outbox;
let dialogs;
let seen = "";
let wasAway = false;
let waiting = 0;

const failed = (error) => {
  if (error.status && error.status !== 403 && error.status < 500) return tell(error.message);
  outbox.again(error);
  return trouble();
};
const tell = (text) => {
  $("said").textContent = text;
};

/** Show whether the server is unreachable; once it is back, fetch again what failed. */
function trouble() {
  drawTrouble(outbox, run.run_id);
  const isBack = wasAway && outbox.state === "idle";
  wasAway = outbox.state !== "idle";
  return isBack ? refresh() : undefined;
}

// ---------------------------------------------------------------- showing a sample

async function open(index, { focus = true } = {}) {
  if (index < 0 || index >= queue.length) return showEnd();
  here.index = index;
  return show(queue.rows[index], focus);
}

async function show(row, focus = true) {
  const isNew = row !== here.row;
  Object.assign(here, {
    row,
    sample: samples.at(row) ?? (isNew ? queue.briefs.get(row) : here.sample) ?? null,
  });
  list.follow();
  map?.ring(row);
  here.sample ? draw() : clearCard();
  if (focus) {
    $("card").focus({ preventScroll: true });
    reachCard();
  }
  prefetchAround();
  try {
    const sample = await samples.get(row);
    if (here.row !== row) return;
    const news = here.sample !== sample;
    here.sample = sample;
    if (news) draw();
    if (isNew && focus) reachCard(); // the page may have moved as it became longer
    if (isNew) announce();
    const near = await neighbors.get(row);
    if (here.row !== row) return;
    fillNeighbors(run, sample, near, openRow);
    if (!sample.history || !near.ready) wait(row);
  } catch (error) {
    failed(error);
  }
}

/** Ask again for data that the server is still reading after its start: histories, similar texts. */
function wait(row) {
  clearTimeout(waiting);
  waiting = setTimeout(async () => {
    if (here.row !== row) return;
    const answers = await Promise.all([askJson(`sample/${row}`), askJson(`neighbors/${row}`)]).catch(
      () => null,
    );
    if (here.row !== row) return;
    if (!answers) return wait(row);
    const [sample, near] = answers;
    const hasHistory = sample.history && !here.sample.history;
    if (hasHistory || near.ready) for (const cache of [samples, neighbors]) cache.clear();
    if (hasHistory) {
      here.sample = sample;
      draw();
    }
    fillNeighbors(run, here.sample, near, openRow);
    if (!here.sample.history || !near.ready) wait(row);
  }, READING);
}

/** Bring the beginning of the sample into view where the page itself scrolls, as on a phone. */
function reachCard() {
  if ($("card").getBoundingClientRect().top < 0) $("card").scrollIntoView();
}

const openRow = (row) => {
  const index = queue.indexOf(row);
  if (index >= 0) return open(index);
  here.index = -1;
  return show(row);
};

function draw() {
  const { sample } = here;
  drawCard(run, sample, {
    index: here.index,
    total: queue.length,
    open: openRow,
    near: neighbors.at(sample.row),
  });
  $("verdicts").hidden = false;
  drawActions(run, sample, mine(sample), act);
}

const mine = (sample) => {
  const decision = decisions.of(sample.row, sample.decision, run.classes);
  return decision?.mine ? decision : null;
};

function announce() {
  const { sample, index } = here;
  const { classes } = run;
  const place =
    index >= 0
      ? tr("{at} of {total}", { at: count(index + 1), total: count(queue.length) })
      : tr("not in this list");
  const proposed = sample.proposed === null ? "" : `${tr(", ")}${tr("proposed")} ${classes[sample.proposed]}`;
  const labels = run.labeled ? `${tr("given")} ${classes[sample.label]}${proposed}` : tr("Prompt");
  const texts = [sample.text_a, sample.text_b].map((text) => text.slice(0, MAX_SAID)).join(" ");
  $("announced").textContent = tr("id {id}, {place}: {labels}. {texts}", {
    id: sample.id,
    place,
    labels,
    texts,
  });
}

function showEnd() {
  if (queue.length && here.row >= 0) return tell(tr("This is the end of the list."));
  Object.assign(here, { index: -1, row: -1, sample: null });
  clearCard();
  const text = document.createElement("p");
  text.className = "empty";
  text.textContent = tr("No samples match. Change the filters, or show all.");
  $("card").append(text);
  for (const id of ["verdicts", "choices"]) $(id).hidden = true;
  map?.ring(-1);
  return list.draw();
}

function prefetchAround() {
  const at = here.index;
  if (at >= 0) prefetch([...queue.rows.subarray(at + 1, at + 1 + AHEAD)]);
}

// ---------------------------------------------------------------- deciding

function decide(action, label = null) {
  const { sample } = here;
  if (!sample) return tell(tr("Nothing is shown yet, so the key had no effect."));
  const kept = action === "label" && label === sample.label;
  const item = {
    row: sample.row,
    action: kept ? "keep" : action,
    ...(action === "label" && !kept ? { label } : {}),
  };
  decisions.note(item.row, item.action, item.label);
  decisions.steps.push({ rows: [item.row], index: here.index, shown: item.row });
  tellDecision(sample, item.action, item.label);
  outbox.add({ ...item, who: reviewer.name });
  return next();
}

const nameAndText = (name, note) => tr("{name}: {note}", { name, note });

function tellDecision(sample, action, label) {
  const decision = { action, new_label: run.classes[label] };
  tell(nameAndText(`id ${sample.id}`, `${SIGNS[action]} ${said(decision)}`));
}

/** The next sample that this reviewer has not decided. */
function next() {
  if (here.index < 0) return draw();
  let index = here.index + 1;
  while (index < queue.length && decidedByMe(queue.rows[index])) index++;
  if (index < queue.length) return open(index);
  draw();
  list.draw();
  return tell(tr("This is the end of the list."));
}

/** Move a border of the entity that the token is in: decisions on the tokens whose tags change. */
function moveBorder(isStart, isWider) {
  const { sample } = here;
  if (run.part !== "token" || !sample?.parts) return undefined;
  const at = sample.parts.findIndex(({ row }) => row === sample.row);
  const moved = movedBorder(tagsOf(run, sample), at, isStart, isWider, run.classes);
  if (!moved) return tell(tr("The token is not in an entity, or the entity's border cannot move there."));
  decideTogether(moved.map((one) => changed(sample.parts[one.at], run.classes.indexOf(one.tag))));
  return draw();
}

/** Accept the proposals for all undecided parts of the sample, once these parts are loaded. */
async function acceptAll() {
  const { row } = here;
  if (!run.part || !here.sample) return accept();
  const sample = await samples.get(row).catch(failed);
  if (!sample || here.row !== row) return undefined;
  if (!sample.parts) return accept();
  const parts = proposedParts(run, sample);
  if (!parts.length) return tell(tr("There are no proposals left here."));
  decideTogether(parts.map((part) => changed(part, part.proposed)));
  return next();
}

const changed = ({ row, text, label: given }, label) => ({ row, text, given, label });

/** Decide on several parts of the sample in one step, which one key undoes: [{row, text, given, label}]. */
function decideTogether(parts) {
  for (const { row, given, label } of parts) {
    const item = label === given ? { row, action: "keep" } : { row, action: "label", label };
    decisions.note(row, item.action, item.label);
    outbox.add({ ...item, who: reviewer.name });
  }
  decisions.steps.push({ rows: parts.map(({ row }) => row), index: here.index, shown: here.row });
  tell(parts.map(({ text, label }) => nameAndText(text, run.classes[label])).join("  "));
}

const decidedByMe = (row) => Boolean(decisions.of(row, queue.briefs.get(row)?.decision, run.classes)?.mine);

function undo() {
  const step =
    decisions.steps.pop() ??
    (here.sample && mine(here.sample) ? { rows: [here.row], index: here.index, shown: here.row } : null);
  if (!step) return tell(tr("There is nothing to undo."));
  for (const row of step.rows) {
    decisions.note(row, "undo");
    outbox.add({ row, action: "undo", who: reviewer.name });
  }
  tell(tr("undone"));
  const row = step.shown; // the border of an entity is undone where it was moved
  return queue.rows[step.index] === row ? open(step.index) : openRow(row);
}

function choose(key) {
  const choice = here.sample && choicesOf(here.sample, run.classes).find((one) => one.key === key);
  return choice
    ? decide("label", choice.label)
    : tell(tr("The key {key} is not assigned to a class here.", { key }));
}

function accept() {
  if (here.sample && here.sample.proposed === null)
    return tell(tr("No other label is proposed here: choose a class."));
  return decide("label", here.sample?.proposed);
}

const ACTIONS = {
  keep: () => decide("keep"),
  accept,
  acceptAll,
  drop: () => decide("drop"),
  unsure: () => decide("unsure"),
  undo,
  widenEnd: () => moveBorder(false, true),
  narrowEnd: () => moveBorder(false, false),
  widenStart: () => moveBorder(true, true),
  narrowStart: () => moveBorder(true, false),
  choice: choose,
  skip: () => open(here.index + 1),
  back: () => (here.index > 0 ? open(here.index - 1) : tell(tr("This is the first one."))),
  classes: () => dialogs.classes.open(),
  jump: () => dialogs.jump.open(),
  help: () => dialogs.help.open(),
  search: () => $("search").focus(),
};

function act(name, key) {
  return ACTIONS[name](key);
}

addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target === $("search")) {
    event.preventDefault(); // the browser would empty the box, and the list would stay as it is
    filters.search("");
    return $("card").focus();
  }
  const asked = isTaken(event) ? null : actionOf(event);
  if (!asked) return undefined;
  event.preventDefault();
  return act(asked.name, asked.key);
});

// ---------------------------------------------------------------- the queue and the progress

async function loadQueue() {
  try {
    if (!(await queue.load())) return;
    list.say();
    map?.drawQueue();
    $("list").scrollTop = 0;
    await queue.fetch(0, 30);
    await open(0, { focus: false });
  } catch (error) {
    failed(error);
  }
}

/** Save the ids of the list in the run, and show the command that makes a training file of them. */
async function saveSelection() {
  try {
    const { command, samples: many } = await askJson("selection", {
      filter: queue.filter,
      order: queue.order,
    });
    const said =
      many === 1 ? "1 id is saved in the run: {command}" : "{n} ids are saved in the run: {command}";
    tell(tr(said, { n: count(many), command }));
  } catch (error) {
    failed(error);
  }
}

function drawNews(progress) {
  const text = JSON.stringify(progress);
  if (text === seen) return false;
  seen = text;
  drawProgress(progress, () => {
    filters.set({ ...NOTHING, decided: "conflict" });
    $("card").focus();
  });
  return true;
}

/** Check for others' decisions, and whether the server is still reachable. */
async function look() {
  if (document.hidden || outbox.waiting.length) return;
  try {
    const news = drawNews(await askJson("progress"));
    outbox.state = "idle";
    trouble();
    if (news) await refresh();
  } catch (error) {
    failed(error);
  }
}

async function refresh() {
  queue.forget();
  samples.clear();
  neighbors.clear();
  list.draw();
  if (here.row >= 0) await show(here.row, false);
}

// ---------------------------------------------------------------- beginning

async function send(item) {
  const { row, action, label, who } = item;
  return (await ask("decisions", label === undefined ? { row, action } : { row, action, label }, who)).json();
}

function createOutbox() {
  outbox = new Outbox(`datamap.review.${run.run_id}`, send, {
    taken: ({ row }, { progress }) => {
      samples.forget(row); // the server has newer data now
      drawNews(progress);
    },
    refused: ({ row }, error) => {
      decisions.revert(row);
      tell(error.message);
      if (here.sample) draw();
      list.draw();
    },
    changed: trouble,
  });
  for (const { row, action, label, who } of outbox.waiting)
    if (who === reviewer.name) decisions.note(row, action, label);
}

function beginHeader() {
  const link = $("run");
  link.textContent = run.run_name || run.run_id;
  document.title = `${link.textContent} · ${tr("Review")}`;
  if (/^https?:/.test(run.run_address ?? ""))
    Object.assign(link, { href: run.run_address, target: "_blank", rel: "noreferrer" });
  $("reviewer").value = reviewer.name;
  $("reviewer").addEventListener("change", () => {
    reviewer.rename(asText($("reviewer").value.trim()) || run.reviewer);
    $("reviewer").value = reviewer.name;
    decisions.clear();
    loadQueue();
  });
}

async function jumpTo(id) {
  openRow((await askJson(`find?id=${encodeURIComponent(id)}`)).row);
}

async function begin() {
  translatePage();
  reviewer.begin("");
  run = await askJson("run");
  reviewer.begin(run.reviewer);
  if (run.part === "label") run.classes = run.classes.map((name) => tr(name)); // absent, present
  createOutbox();
  beginHeader();
  beginActions(act);
  $("save-selection").addEventListener("click", saveSelection);
  list = createList(run, { open, current: () => here.index, failed });
  filters = createFilters(run, loadQueue);
  dialogs = {
    classes: createClassDialog(run.classes, (k) => decide("label", k)),
    jump: createJumpDialog(jumpTo),
    help: createHelp(run),
  };
  await look();
  await loadQueue();
  outbox.flush();
  setInterval(look, LOOK);
  map = await createMap(run, {
    open: openRow,
    enclose: (polygon) => polygon !== queue.filter.polygon && filters.apply({ polygon }),
  });
  map.drawQueue();
  map.ring(here.row);
}

begin().catch((error) => {
  $("trouble").hidden = false;
  $("trouble").textContent =
    error.status === 403
      ? tr("The server refuses this address: open the one that it printed.")
      : error.message;
});

// For scripts and tests: the current state.
globalThis.datamapReview = {
  here,
  queue,
  decisions,
  get outbox() {
    return outbox;
  },
  get map() {
    return map;
  },
};
