// ---------------------------------------------------------------- groups: which colour a sample has

/** The rules of a column as the static maps have them: a sample is in the group of the first rule that it fits. */
function grouping(name, c) {
  const rules = DATA.groupings[name];
  const tests = rules.map(({ ranges }) =>
    Object.entries(ranges).map(([column, [low, high]]) => [c[column], low ?? -Infinity, high ?? Infinity]));
  const fits = (i) => (test) => test.every(([values, low, high]) => values[i] >= low && values[i] < high);
  return {
    names: rules.map((rule) => rule.name),
    colors: rules.map((rule) => rule.color),
    of: (i) => tests.findIndex(fits(i)),
  };
}

const short = (v) => (Number.isInteger(v) ? String(v) : String(Number(v.toPrecision(4))));

// ---------------------------------------------------------------- what the user chose

const state = {
  x: "label_var", y: "avg_probs", color: "correct_ratio", t: T, mode: "lasso",
  query: "", filters: [], hidden: new Set(), view: null, sort: "avg_probs", down: false,
};
let groups; // {names, colors, of}
let group = new Uint8Array(N);
let visible = new Uint8Array(N);
let selected = new Uint8Array(N);
let chosen = 0; // how many are selected
let hovered = -1;

/** Work everything out again after a choice. */
function update() {
  const c = columnsAt(state.t);
  groups = grouping(state.color, c);
  const query = state.query.trim().toLowerCase();
  for (let i = 0; i < N; i++) {
    group[i] = groups.of(i);
    visible[i] = state.hidden.has(group[i]) ? 0 : 1;
    if (visible[i] && query && !matches(i, query)) visible[i] = 0;
  }
  for (const { column, low, high } of state.filters) {
    const values = c[column];
    for (let i = 0; i < N; i++) if (!(values[i] >= low && values[i] <= high)) visible[i] = 0;
  }
  upload(c);
  drawLegend();
  drawTable(c);
  draw();
}

function matches(i, query) {
  if (DATA.ids[i].toLowerCase().includes(query)) return true;
  return texts.some(([, values]) => values[i].toLowerCase().includes(query));
}
