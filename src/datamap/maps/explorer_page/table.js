// Show the samples as a table, and write them as TSV.

import { $, add } from "../../web/scripts/dom.js";
import { addFolded } from "../../web/scripts/fold.js";
import { short } from "../../web/scripts/numbers.js";

export const SHOWN_ROWS = 200;
const COLLATOR = new Intl.Collator("en", { numeric: true });
const NUMBERS = ["avg_probs", "variability", "correct_ratio", "forgetting_times", "learnt_times"];

/** Return the content of a cell: a number in numeric columns, else a text. */
export function cell(samples, columns, name, i) {
  if (name === "id") return samples.idOf(i);
  if (samples.isText(name)) return samples.textOf(name, i);
  if (samples.isClass(name)) return samples.className(columns[name][i]);
  return Number.isFinite(columns[name][i]) ? Number(columns[name][i].toPrecision(6)) : "";
}

/**
 * Return a function that compares two rows by a column, descending if `down`. Rows without a number come
 * last, equal rows keep their order.
 */
export function comparison(samples, columns, name, down) {
  const way = down ? -1 : 1;
  if (name === "id" || samples.isText(name) || samples.isClass(name)) {
    return (a, b) =>
      way * COLLATOR.compare(cell(samples, columns, name, a), cell(samples, columns, name, b)) || a - b;
  }
  const values = columns[name];
  return (a, b) => {
    const va = values[a];
    const vb = values[b];
    if (Number.isNaN(va) || Number.isNaN(vb))
      return Number(Number.isNaN(va)) - Number(Number.isNaN(vb)) || a - b;
    return way * (va < vb ? -1 : va > vb ? 1 : 0) || a - b;
  };
}

/** Return the first `count` rows in order, without sorting the others. */
export function firstRows(rows, count, compare) {
  let kept = [];
  let last = -1;
  for (const row of rows) {
    if (last >= 0 && compare(row, last) >= 0) continue;
    kept.push(row);
    if (kept.length >= 4 * count) {
      kept = kept.sort(compare).slice(0, count);
      last = kept[count - 1];
    }
  }
  return kept.sort(compare).slice(0, count);
}

/** Return the names of the columns that people read first. */
function firstColumns({ textNames, labeled }, columns) {
  const texts = textNames.filter((name) => name !== "why");
  const why = textNames.filter((name) => name === "why");
  return [
    "id",
    // the rank if scores are not probabilities
    ...["rank", "score"].filter((name) => name in columns).slice(0, 1),
    ...(labeled ? ["label", "proposed", "pred_label"] : []).filter((name) => name in columns),
    ...texts,
    ...why,
  ];
}

/**
 * Draw the table of `rows`, sorted by the column `sort`, descending if `down`; `selected` tells whether they
 * are a selection. It calls `sortBy(name)`, and `hover(row)` with −1 for no row.
 */
export function drawTable(samples, { rows, columns, sort, down, selected, sortBy, hover }) {
  const { tr } = samples;
  const head = document.querySelector("thead");
  const body = document.querySelector("tbody");
  const names = [...firstColumns(samples, columns), ...NUMBERS];
  const shown = selected ? "{count} selected" : "{count} shown";
  const rest = rows.length > SHOWN_ROWS ? tr(" (the first {count} listed)", { count: SHOWN_ROWS }) : "";
  $("count").textContent = tr(shown, { count: rows.length.toLocaleString("en") }) + rest;
  head.replaceChildren();
  body.replaceChildren();
  const top = add(head, "tr");
  for (const name of names) {
    const button = add(add(top, "th"), "button", name + (name === sort ? (down ? " ▼" : " ▲") : ""));
    button.title = samples.meaning(name);
    button.addEventListener("click", () => sortBy(name));
  }
  for (const i of firstRows(rows, SHOWN_ROWS, comparison(samples, columns, sort, down))) {
    const row = add(body, "tr");
    for (const name of names) {
      const value = cell(samples, columns, name, i);
      if (samples.isText(name)) {
        addFolded(add(row, "td", "", "text"), value, tr);
        continue;
      }
      const isNumber = typeof value === "number";
      add(row, "td", isNumber ? short(value) : value, isNumber ? "number" : "");
    }
    row.addEventListener("mouseenter", () => hover(i));
  }
  body.onmouseleave = () => hover(-1);
}

/** Write rows as TSV for spreadsheets and pandas, with every column, in the table's order. */
export function tsv(samples, { rows, columns, sort, down }) {
  const first = firstColumns(samples, columns);
  const names = [...first, ...Object.keys(columns).filter((name) => !first.includes(name))];
  const quoted = (value) =>
    /[\t\n\r"]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
  const ordered = Array.from(rows).sort(comparison(samples, columns, sort, down));
  const lines = ordered.map((i) => names.map((name) => quoted(cell(samples, columns, name, i))).join("\t"));
  return `${[names.join("\t"), ...lines].join("\n")}\n`;
}
