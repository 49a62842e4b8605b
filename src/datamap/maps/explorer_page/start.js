// Run the explorer. Data flow in one direction: data → columns at an epoch → groups and visible samples →
// map, legend and table.

import { $ } from "../../web/scripts/dom.js";
import { createScatter } from "../../web/scripts/scatter.js";
import { onTheme } from "../../web/scripts/theme.js";
import { addChoice, addFilter, addLayouts, addModes, drawLegend } from "./controls.js";
import { countsOf, groupsOf, visibleOf } from "./groups.js";
import { load } from "./load.js";
import { createReplay } from "./replay.js";
import { copy, copyIds, download, idsOfSamples, say } from "./share.js";
import { drawTable, tsv } from "./table.js";
import { fillTip, placeTip } from "./tip.js";

const FIRST = [
  "correct_ratio",
  "score",
  "forgetting_times",
  "learnt_times",
  "label",
  "pred_label",
  "proposed",
  "s_label",
];

const LAYOUTS = {
  map: { x: "label_var", y: "avg_probs" },
  embeddings: { x: "embedding_1", y: "embedding_2" },
};

function begin(samples) {
  const { tr } = samples;
  const last = samples.numbers.length;
  const columnsAt = createReplay(samples);
  const all = Object.keys(columnsAt(last)).filter((name) => samples.labeled || !samples.isClass(name));
  const sort = ["rank", "score", "avg_probs"].find((name) => all.includes(name));
  const state = {
    ...LAYOUTS.map,
    color: "correct_ratio",
    t: last,
    query: "",
    filters: [],
    hidden: new Set(),
    sort,
    down: sort === "score",
    selected: null,
    hovered: -1,
  };
  let group;
  let visible;
  let markLayout;
  const scatter = createScatter($("stage"), { onHover: hover, onSelect: select });

  function update(limits = null) {
    const columns = columnsAt(state.t);
    const rules = samples.groupings[state.color];
    group = groupsOf(rules, columns, samples.count);
    visible = visibleOf(samples, columns, group, state);
    const counts = countsOf(group, visible, rules.length);
    scatter.set({
      x: columns[state.x],
      y: columns[state.y],
      group,
      colors: rules.map((rule) => rule.color),
      visible,
      selected: state.selected,
      labels: { x: state.x, y: state.y },
      regions: regionsOf(samples, state),
      ...(limits && { limits }),
    });
    drawLegend(rules, counts, state.hidden, (k) => {
      state.hidden.has(k) ? state.hidden.delete(k) : state.hidden.add(k);
      update();
    });
    markLayout(state);
    $("meanings").textContent = [...new Set([state.x, state.y, state.color])]
      .filter(samples.meaning)
      .map((name) => samples.tr("{name}: {note}", { name, note: samples.meaning(name) }))
      .join("\n");
    list();
  }

  const shown = () => {
    const rows = new Uint32Array(samples.count);
    const { selected } = state;
    let count = 0;
    for (let i = 0; i < samples.count; i++) if (visible[i] && (!selected || selected[i])) rows[count++] = i;
    return rows.subarray(0, count);
  };
  const table = () => ({ rows: shown(), columns: columnsAt(state.t), sort: state.sort, down: state.down });

  function list() {
    hover(-1);
    $("clear").hidden = !state.selected;
    drawTable(samples, {
      ...table(),
      selected: Boolean(state.selected),
      hover: (row) => scatter.highlight(row < 0 ? [] : [row]),
      sortBy(name) {
        state.down = name === state.sort ? !state.down : name === "score";
        state.sort = name;
        list();
      },
    });
  }

  function hover(row, px = 0, py = 0) {
    if (row !== state.hovered) {
      state.hovered = row;
      const axes = [state.x, state.y].filter((name) => !Object.values(LAYOUTS.embeddings).includes(name));
      fillTip(samples, columnsAt(state.t), row, state.t, axes);
    }
    scatter.highlight(row < 0 ? [] : [row]);
    if (row >= 0) placeTip(px, py);
  }

  function select(rows) {
    state.selected = rows.length ? new Uint8Array(samples.count) : null;
    for (const row of rows) state.selected[row] = 1;
    update();
  }

  const fullLimits = () => ({ x: samples.limits[state.x], y: samples.limits[state.y] });

  function setEpoch(t, limits = null) {
    state.t = t;
    $("epoch").value = t;
    $("epoch-name").textContent = tr("{unit} {number} / {last}", {
      unit: tr(samples.unit),
      number: samples.numbers[t - 1],
      last: samples.numbers.at(-1),
    });
    update(limits);
  }

  /** Show other axes; selection, search, ranges and colors stay. */
  function setAxes(axes) {
    Object.assign(state, axes);
    for (const axis of ["x", "y"]) $(`choose-${axis}`).value = state[axis];
    update(fullLimits());
  }

  let timer = null;
  function play() {
    if (timer) {
      clearInterval(timer);
      timer = null;
    } else {
      if (state.t === last) setEpoch(1);
      timer = setInterval(() => (state.t < last ? setEpoch(state.t + 1) : play()), 700);
    }
    $("play").ariaPressed = String(Boolean(timer));
  }

  function fill() {
    $("title").textContent = samples.title;
    $("note").textContent = samples.note;
    for (const axis of ["x", "y"])
      addChoice(samples, axis, all, state[axis], (name) => setAxes({ [axis]: name }));
    const layouts = Object.entries(LAYOUTS).filter(([, { x, y }]) => all.includes(x) && all.includes(y));
    markLayout = addLayouts(samples, Object.fromEntries(layouts), setAxes);
    const first = FIRST.filter((name) => all.includes(name));
    addChoice(
      samples,
      "color",
      [...first, ...all.filter((name) => !first.includes(name))],
      state.color,
      (name) => {
        state.color = name;
        state.hidden.clear();
        update();
      },
    );
    addModes(samples, scatter.mode, scatter.setMode);
    $("search").placeholder = tr(samples.textNames.length ? "search texts and ids" : "search ids");
    $("search").setAttribute("aria-label", $("search").placeholder);
    $("add-filter").textContent = `+ ${tr("filter by range")}`;
    for (const [id, text] of [
      ["copy", "copy TSV"],
      ["download", "download TSV"],
      ["clear", "clear selection"],
      ["copy-train", "copy as data.ids="],
      ["copy-curate", "copy as curate ids="],
    ])
      $(id).textContent = tr(text);
    $("copy-train").hidden = !samples.labeled; // `datamap train` learns classes
    $("copy-curate").hidden = !samples.curate;
    $("play").ariaPressed = "false";
    $("play").setAttribute("aria-label", tr("replay"));
    $("epoch").setAttribute("aria-label", tr(samples.unit));
    $("epoch").max = last;
    fillNext();
  }

  function fillNext() {
    if (!samples.next) return;
    $("next").hidden = false;
    $("next-says").textContent = samples.next.says;
    $("next-command").textContent = samples.next.command;
    $("next-copy").textContent = tr("copy");
    $("next-copy").addEventListener("click", () => copy(samples, samples.next.command));
  }

  function listen() {
    $("search").addEventListener("input", () => {
      state.query = $("search").value;
      update();
    });
    $("add-filter").addEventListener("click", () =>
      addFilter(samples, state.filters, all, all.includes("score") ? "score" : state.x, update),
    );
    $("copy").addEventListener("click", () => copy(samples, tsv(samples, table())));
    $("download").addEventListener("click", () => download(samples, tsv(samples, table())));
    const ids = () => idsOfSamples(Array.from(shown(), samples.idOf), samples.inUnits);
    $("copy-train").addEventListener("click", () => copyIds(samples, ids(), "data.ids"));
    $("copy-curate").addEventListener("click", () => copyIds(samples, ids(), "ids", samples.curate));
    $("clear").addEventListener("click", () => {
      $("plain").hidden = true;
      say("");
      select([]);
    });
    $("play").addEventListener("click", play);
    $("epoch").addEventListener("input", () => setEpoch(Number($("epoch").value)));
  }

  fill();
  listen();
  onTheme(() => update()); // the legend's colors
  setEpoch(last, fullLimits());

  // Scripts and tests ask here where a sample is on the page, and what is shown.
  globalThis.dataMap = {
    scatter,
    samples,
    select,
    positionOf(id) {
      const area = $("stage").getBoundingClientRect();
      const [x, y] = scatter.positionOf(samples.rowOf(id));
      return [area.left + x, area.top + y];
    },
    colorOf: (id) => scatter.colorAt(...scatter.positionOf(samples.rowOf(id))),
    shown: () =>
      Array.from(visible.keys())
        .filter((i) => visible[i])
        .map(samples.idOf),
    selected: () => (state.selected ? Array.from(shown(), samples.idOf) : []),
    groups: () => Array.from(group, (k) => samples.groupings[state.color][k].name),
    tsv: () => tsv(samples, table()),
  };
}

/** Return the regions if the axes are the map's usual ones; variability is the square root of label_var. */
function regionsOf(samples, { x, y }) {
  if (y !== "avg_probs" || (x !== "label_var" && x !== "variability")) return [];
  const root = (end) => (end === null ? null : Math.sqrt(end));
  return x === "label_var"
    ? samples.regions
    : samples.regions.map((region) => ({ ...region, x: region.x.map(root) }));
}

load()
  .then(begin)
  .catch((error) => {
    $("note").textContent = `${error} (this page needs a browser of 2023 or later)`;
    throw error;
  });
