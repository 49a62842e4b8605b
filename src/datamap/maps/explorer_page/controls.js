// ---------------------------------------------------------------- controls

function control(name, options, changed) {
  const label = add($("choices"), "label", tr(name));
  const list = chooser($("choices"), options, state[name]);
  list.id = `choose-${name}`;
  label.htmlFor = list.id;
  list.addEventListener("change", () => { state[name] = list.value; changed(); update(); });
}

function setEpoch(t) {
  state.t = t;
  $("epoch").value = t;
  $("epoch-name").textContent = `${DATA.unit} ${DATA.numbers[t - 1]} / ${DATA.numbers.at(-1)}`;
  update();
}

let timer = null;

function play() {
  if (timer) {
    clearInterval(timer);
    timer = null;
  } else {
    if (state.t === T) setEpoch(1);
    timer = setInterval(() => (state.t < T ? setEpoch(state.t + 1) : play()), 700);
  }
  $("play").textContent = timer ? "⏸" : "▶";
}

function resize() {
  const area = $("stage").getBoundingClientRect();
  box = { width: area.width, height: area.height };
  for (const id of ["back", "points", "front"]) {
    $(id).width = Math.round(area.width * devicePixelRatio);
    $(id).height = Math.round(area.height * devicePixelRatio);
  }
  if (groups) draw();
}

function begin() {
  $("title").textContent = DATA.title;
  $("note").textContent = DATA.note;
  const axis = () => { state.view = fullView(); };
  const all = Object.keys(columnsAt(T));
  control("x", all, axis);
  control("y", all, axis);
  const first = ["correct_ratio", "forgetting_times", "learnt_times", "label", "pred_label", "s_label"].filter((name) => all.includes(name));
  control("color", [...first, ...all.filter((name) => !first.includes(name))], () => state.hidden.clear());
  for (const mode of ["lasso", "box", "pan"]) {
    const button = add($("tools"), "button", tr(mode));
    button.type = "button";
    button.setAttribute("aria-pressed", mode === state.mode);
    button.addEventListener("click", () => {
      state.mode = mode;
      $("front").classList.toggle("pan", mode === "pan");
      for (const other of $("tools").children) other.setAttribute("aria-pressed", other === button);
    });
  }
  $("search").placeholder = texts.length ? tr("search texts and ids") : tr("search ids");
  $("search").addEventListener("input", () => { state.query = $("search").value; update(); });
  $("add-filter").textContent = `+ ${tr("filter by range")}`;
  $("add-filter").addEventListener("click", () => addFilter());
  $("copy").textContent = tr("copy TSV");
  $("download").textContent = tr("download TSV");
  $("clear").textContent = tr("clear selection");
  $("play").textContent = "▶";
  $("play").setAttribute("aria-label", tr("replay"));
  $("play").addEventListener("click", play);
  $("epoch").max = T;
  $("epoch").addEventListener("input", () => setEpoch(Number($("epoch").value)));
  start();
  resize();
  state.view = fullView();
  setEpoch(T);
  new ResizeObserver(resize).observe($("stage"));
}

begin();

// For scripts and tests: where a sample is on the page, and what is shown.
window.dataMap = {
  webgl: Boolean(gl),
  positionOf(id) {
    const area = $("front").getBoundingClientRect(), i = DATA.ids.indexOf(String(id)), [x, y] = toScreen(xs[i], ys[i]);
    return [area.left + x, area.top + y];
  },
  shown: () => Array.from(order, (i) => DATA.ids[i]),
  selected: () => Array.from(order).filter((i) => selected[i]).map((i) => DATA.ids[i]),
  groups: () => Array.from(group, (k) => groups.names[k]),
  tsv,
};
