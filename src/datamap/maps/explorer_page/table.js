// ---------------------------------------------------------------- legend, filters, table

function drawLegend() {
  const legend = $("legend");
  legend.replaceChildren();
  for (let k = groups.names.length - 1; k >= 0; k--) {
    if (!groups.counts[k] && !state.hidden.has(k)) continue;
    const button = add(legend, "button");
    button.type = "button";
    button.setAttribute("aria-pressed", state.hidden.has(k));
    const dot = shape("svg", { width: 12, height: 12 });
    dot.append(shape("circle", { cx: 6, cy: 6, r: 5, fill: groups.colors[k] }));
    button.append(dot);
    add(button, "span", `${groups.names[k]} (${groups.counts[k].toLocaleString("en")})`);
    button.addEventListener("click", () => {
      state.hidden.has(k) ? state.hidden.delete(k) : state.hidden.add(k);
      update();
    });
  }
}

function addFilter(column = state.x) {
  const filter = { column, low: -Infinity, high: Infinity };
  state.filters.push(filter);
  const row = add($("filters"), "div", "", "filter");
  const list = chooser(row, Object.keys(columnsAt(T)), column);
  list.addEventListener("change", () => { filter.column = list.value; update(); });
  for (const [key, open, hint] of [["low", -Infinity, "min"], ["high", Infinity, "max"]]) {
    const input = add(row, "input");
    input.placeholder = hint;
    input.inputMode = "decimal";
    input.setAttribute("aria-label", hint);
    input.addEventListener("input", () => {
      const value = input.value.trim() === "" ? open : Number(input.value);
      input.classList.toggle("wrong", Number.isNaN(value));
      if (!Number.isNaN(value)) { filter[key] = value; update(); }
    });
  }
  const remove = add(row, "button", "×");
  remove.type = "button";
  remove.setAttribute("aria-label", tr("remove"));
  remove.addEventListener("click", () => {
    state.filters.splice(state.filters.indexOf(filter), 1);
    row.remove();
    update();
  });
}

function chooser(parent, options, value) {
  const list = add(parent, "select");
  for (const name of options) Object.assign(add(list, "option", name), { value: name, title: meaning(name) });
  list.value = value;
  return list;
}

const SHOWN_ROWS = 200;
const COLLATOR = new Intl.Collator("en", { numeric: true });
const TABLE = ["avg_probs", "label_var", "correct_ratio", "forgetting_times", "learnt_times"];

/** Rows of the table: the selected samples, or all that are visible while none is; sorted. */
function rowsOf(c) {
  const rows = Array.from(order).filter((i) => !chosen || selected[i]);
  const values = state.sort === "id" ? null : c[state.sort], way = state.down ? -1 : 1;
  rows.sort((a, b) => {
    if (!values) return way * COLLATOR.compare(cell(c, state.sort, a), cell(c, state.sort, b)) || a - b;
    const va = values[a], vb = values[b];
    if (Number.isNaN(va) || Number.isNaN(vb)) return Number.isNaN(va) - Number.isNaN(vb) || a - b; // last, up and down
    return way * (va - vb || 0) || a - b;
  });
  return rows;
}

function cell(c, name, i) {
  if (name === "id") return DATA.ids[i];
  if (isText(name)) return DATA.texts[name][i];
  if (name === "label") return className(c.label[i]);
  if (name === "pred_label") return Number.isFinite(c.pred_label[i]) ? className(c.pred_label[i]) : "";
  return Number.isFinite(c[name][i]) ? Number(c[name][i].toPrecision(6)) : "";
}

const tableColumns = () => ["id", ...texts.map(([name]) => name), "label", ...(predicted ? ["pred_label"] : []), ...TABLE];

function drawTable(c) {
  const rows = rowsOf(c), body = document.querySelector("tbody"), head = document.querySelector("thead");
  const shown = rows.slice(0, SHOWN_ROWS);
  const what = chosen ? tr("selected") : tr("shown");
  $("count").textContent = `${rows.length.toLocaleString("en")} ${what}` +
    (rows.length > SHOWN_ROWS ? ` (${tr("the first")} ${SHOWN_ROWS} ${tr("listed")})` : "");
  $("clear").hidden = !chosen;
  head.replaceChildren();
  const top = add(head, "tr");
  for (const name of tableColumns()) {
    const th = add(top, "th", name + (name === state.sort ? (state.down ? " ▼" : " ▲") : ""));
    th.title = meaning(name);
    th.addEventListener("click", () => {
      state.down = name === state.sort && !state.down;
      state.sort = name;
      drawTable(columnsAt(state.t));
    });
  }
  body.replaceChildren();
  for (const i of shown) {
    const row = add(body, "tr");
    for (const name of tableColumns()) {
      const value = cell(c, name, i);
      const isNumber = typeof value === "number";
      add(row, "td", isNumber ? short(value) : value, isText(name) ? "text" : isNumber ? "number" : "");
    }
    row.addEventListener("mouseenter", () => { hovered = i; drawFront(); });
    row.addEventListener("mouseleave", () => { hovered = -1; drawFront(); });
  }
}

/** The rows of the table, all of them and with every column, as TSV that spreadsheets and pandas read. */
function tsv() {
  const c = columnsAt(state.t);
  const columns = ["id", ...texts.map(([name]) => name), "label", ...(predicted ? ["pred_label"] : []),
    ...names.filter((name) => name !== "label")];
  const quoted = (value) => (/[\t\n\r"]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
  const lines = rowsOf(c).map((i) => columns.map((name) => quoted(cell(c, name, i))).join("\t"));
  return [columns.join("\t"), ...lines].join("\n") + "\n";
}

function say(text) {
  $("said").textContent = text;
}

$("copy").addEventListener("click", () => {
  const area = $("plain");
  area.value = tsv();
  area.hidden = false;
  area.select();
  const done = document.execCommand("copy"); // the one way that MLflow's frame lets through
  area.hidden = done;
  say(tr(done ? "copied" : "press Ctrl-C to copy"));
});

$("download").addEventListener("click", () => {
  if (window.origin === "null" && window.parent !== window) {
    const area = $("plain");
    area.value = tsv();
    area.hidden = false;
    area.select();
    say(tr("MLflow's viewer forbids downloads: copy this text, or download explorer.html and open it"));
    return;
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([tsv()], { type: "text/tab-separated-values" }));
  link.download = "samples.tsv";
  link.click();
  URL.revokeObjectURL(link.href);
  say("samples.tsv");
});

$("clear").addEventListener("click", () => {
  selected = new Uint8Array(N);
  chosen = 0;
  $("plain").hidden = true;
  say("");
  update();
});
