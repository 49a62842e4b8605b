// ---------------------------------------------------------------- hover, zoom, select

function nearest(px, py) {
  let best = -1, least = 100; // within 10 pixels
  for (const i of order) {
    const [x, y] = toScreen(xs[i], ys[i]);
    const d = (x - px) ** 2 + (y - py) ** 2;
    if (d <= least) { least = d; best = i; }
  }
  return best;
}

const pointerAt = (event) => {
  const area = $("front").getBoundingClientRect();
  return [event.clientX - area.left, event.clientY - area.top];
};

let held = null;

$("front").addEventListener("pointerdown", (event) => {
  held = { at: pointerAt(event), view: { ...state.view } };
  path = [held.at];
  $("front").setPointerCapture(event.pointerId);
});

$("front").addEventListener("pointermove", (event) => {
  const [px, py] = pointerAt(event);
  if (!held) return hover(nearest(px, py), px, py);
  hover(-1);
  if (state.mode === "pan") {
    const { x, y, width, height } = held.view;
    state.view.x = x - ((px - held.at[0]) / (box.width - MARGIN.left - MARGIN.right)) * width;
    state.view.y = y + ((py - held.at[1]) / (box.height - MARGIN.top - MARGIN.bottom)) * height;
    draw();
  } else {
    path.push([px, py]);
    drawFront();
  }
});

$("front").addEventListener("pointerup", () => {
  if (held && state.mode !== "pan" && path.length > 2) select(state.mode === "box" ? inBox(path[0], path.at(-1)) : inLasso(path));
  held = null;
  path = [];
  drawFront();
});

$("front").addEventListener("pointerleave", () => held || hover(-1));
$("front").addEventListener("dblclick", () => { state.view = fullView(); draw(); });
$("front").addEventListener("wheel", (event) => {
  event.preventDefault();
  const [px, py] = pointerAt(event), [x, y] = toData(px, py), factor = 1.0015 ** event.deltaY;
  const v = state.view;
  Object.assign(v, { x: x - (x - v.x) * factor, y: y - (y - v.y) * factor, width: v.width * factor, height: v.height * factor });
  draw();
}, { passive: false });

const inBox = ([x0, y0], [x1, y1]) => (x, y) =>
  x >= Math.min(x0, x1) && x <= Math.max(x0, x1) && y >= Math.min(y0, y1) && y <= Math.max(y0, y1);

const inLasso = (corners) => (x, y) => {
  let inside = false;
  for (let a = 0, b = corners.length - 1; a < corners.length; b = a++) {
    const [ax, ay] = corners[a], [bx, by] = corners[b];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
};

/** Select the visible samples whose position on the screen `inside` accepts. */
function select(inside) {
  selected = new Uint8Array(N);
  for (const i of order) selected[i] = inside(...toScreen(xs[i], ys[i])) ? 1 : 0;
  chosen = selected.reduce((sum, one) => sum + one, 0);
  update();
}

function hover(i, px = 0, py = 0) {
  if (i !== hovered) {
    hovered = i;
    drawFront();
    fillTip(i);
  }
  if (i < 0) return;
  const tip = $("tip");
  tip.style.left = `${px + 16 + tip.offsetWidth > box.width ? Math.max(0, px - tip.offsetWidth - 12) : px + 16}px`;
  tip.style.top = `${Math.max(0, Math.min(py + 12, box.height - tip.offsetHeight))}px`;
}

function add(parent, tag, text = "", kind = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (kind) made.className = kind;
  parent.append(made);
  return made;
}

function fillTip(i) {
  const tip = $("tip");
  tip.hidden = i < 0;
  tip.replaceChildren();
  if (i < 0) return;
  const c = columnsAt(state.t);
  for (const [, values] of texts) add(tip, "p", values[i], "text");
  const guess = predicted ? predictedAt(i, state.t) : NaN;
  const wrong = Number.isFinite(guess) && guess !== c.label[i];
  const said = Number.isFinite(guess) ? ` · ${tr("predicted")} ${className(guess)}` : "";
  add(tip, "p", `${tr("label")} ${className(c.label[i])}${said}`, wrong ? "wrong" : "");
  const facts = [...new Set(["avg_probs", "label_var", "correct_ratio", "forgetting_times", state.x, state.y])];
  add(tip, "p", `id ${DATA.ids[i]} · ${facts.map((name) => `${name} ${short(c[name][i])}`).join(" · ")}`, "facts");
  tip.append(trajectory(i));
}

const SVG = "http://www.w3.org/2000/svg";

function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** The probability of the given label over the observations; a dot each, filled where the prediction was right. */
function trajectory(i) {
  const width = 220, height = 48, points = [];
  const svg = shape("svg", { width, height: height + 14, class: "trajectory" });
  svg.append(shape("rect", { x: 0, y: 0, width, height, fill: "#f6f6f6" }));
  svg.append(shape("line", { x1: 0, x2: width, y1: height / 2, y2: height / 2, stroke: "#ddd" }));
  for (let s = 0; s < T; s++) {
    if (probs[s * N + i] === MISSING) continue;
    points.push([T === 1 ? width / 2 : 5 + (s / (T - 1)) * (width - 10), 4 + (1 - probs[s * N + i] / 65534) * (height - 8), s]);
  }
  svg.append(shape("polyline", { points: points.map(([x, y]) => `${x},${y}`).join(" "), fill: "none", stroke: "#888" }));
  for (const [cx, cy, s] of points) {
    const fill = correct[s * N + i] ? "#1f3b73" : "#a50026";
    svg.append(shape("circle", { cx, cy, r: T > 40 ? 1.5 : 3, fill, opacity: s < state.t ? 1 : 0.25 }));
  }
  const words = shape("text", { x: 0, y: height + 11, "font-size": 10, fill: "#666" });
  words.textContent = `${tr("probability of the given label")}, ${DATA.unit} ${DATA.numbers[0]}–${DATA.numbers.at(-1)}`;
  svg.append(words);
  return svg;
}
