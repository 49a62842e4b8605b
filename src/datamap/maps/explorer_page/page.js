"use strict";
// One page, no library: data → columns at an epoch → visible samples → points, legend, table.
// Texts are only ever set as textContent, never as markup.

const DATA = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const tr = (text) => DATA.words[text] ?? text;
const N = DATA.count;
const T = DATA.numbers.length;
const MISSING = 65535;

function decode(text, Type) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Type(bytes.buffer);
}

const final = Object.fromEntries(Object.entries(DATA.columns).map(([k, v]) => [k, decode(v, Float32Array)]));
const probs = decode(DATA.probs, Uint16Array); // T × N, in 65534ths
const correct = decode(DATA.correct, Uint8Array); // T × N
const predicted = DATA.predicted ? decode(DATA.predicted, Uint16Array) : null; // T × N
const texts = Object.entries(DATA.texts);
const names = Object.keys(final);

// ---------------------------------------------------------------- the summary after `t` observations

let cached = { t: 0 };

/** Columns as they were after the first `t` observations; what cannot be replayed stays as at the end. */
function columnsAt(t) {
  if (cached.t === t) return cached.columns;
  const c = t === T ? { ...final } : { ...final, ...replayed(t) };
  if (predicted) c.pred_label = Float32Array.from({ length: N }, (_, i) => predictedAt(i, t));
  cached = { t, columns: c };
  return c;
}

const REPLAYED = ["correct_times", "correct_ratio", "avg_probs", "label_var", "max_label_probs", "min_label_probs",
  "forgetting_times", "learnt_times", "first_forget", "first_learn"];

function replayed(t) {
  const r = Object.fromEntries(REPLAYED.map((name) => [name, new Float32Array(N)]));
  for (let i = 0; i < N; i++) {
    let n = 0, mean = 0, m2 = 0, right = 0, before = -1, high = 0, low = 1;
    for (let s = 0; s < t; s++) {
      const at = s * N + i;
      if (probs[at] === MISSING) continue;
      const p = probs[at] / 65534;
      n += 1;
      const d = p - mean;
      mean += d / n;
      m2 += d * (p - mean);
      high = Math.max(high, p);
      low = Math.min(low, p);
      const now = correct[at];
      right += now;
      if (before === 1 && !now) { r.forgetting_times[i] += 1; r.first_forget[i] ||= n - 1; }
      if (before === 0 && now) { r.learnt_times[i] += 1; r.first_learn[i] ||= n - 1; }
      before = now;
    }
    r.correct_times[i] = right;
    r.correct_ratio[i] = n ? right / n : NaN;
    r.avg_probs[i] = n ? mean : NaN;
    r.label_var[i] = n ? m2 / n : NaN;
    r.max_label_probs[i] = high;
    r.min_label_probs[i] = low;
  }
  return r;
}

function predictedAt(i, t) {
  for (let s = t - 1; s >= 0; s--) if (predicted[s * N + i] !== MISSING) return predicted[s * N + i];
  return NaN;
}

const className = (k) => DATA.classes[k] ?? String(k);

// ---------------------------------------------------------------- groups: which colour a sample has

function grouping(name, c) {
  const byTimes = (column) => (i) => {
    const times = c[column][i], ratio = c.correct_ratio[i];
    if (times >= 1) return 4 - Math.min(times, 3);
    return ratio <= 1e-6 ? 0 : ratio >= 1 - 1e-6 ? 5 : 4;
  };
  const known = DATA.groupings[name];
  if (name === "correct_ratio") {
    return { ...known, of: (i) => Math.min(Math.floor(c.correct_ratio[i] * 5 + 1e-4), 4) + (c.correct_ratio[i] >= 1 - 1e-6) };
  }
  if (name === "forgetting_times" || name === "learnt_times") return { ...known, of: byTimes(name) };
  if (name === "s_label") return { ...known, of: (i) => 2 - c.s_label[i] };
  const values = c[name];
  if (name === "label" || name === "pred_label") {
    const colors = DATA.categories;
    const few = Math.min(DATA.classes.length, colors.length);
    const shown = Array.from({ length: few }, (_, k) => (k === colors.length - 1 && DATA.classes.length > few ? tr("other") : className(k)));
    return { names: shown, colors, of: (i) => Math.min(values[i], few - 1) };
  }
  let low = Infinity, high = -Infinity;
  for (const v of values) if (Number.isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
  const step = (high - low) / 6 || 1;
  const shown = Array.from({ length: 6 }, (_, k) => `${short(low + k * step)} – ${short(low + (k + 1) * step)}`);
  return { names: shown, colors: DATA.low_to_high, of: (i) => Math.max(0, Math.min(5, Math.floor((values[i] - low) / step))) };
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
  if (String(DATA.ids[i]).toLowerCase().includes(query)) return true;
  return texts.some(([, values]) => values[i].toLowerCase().includes(query));
}

// ---------------------------------------------------------------- points

const back = $("back").getContext("2d");
const front = $("front").getContext("2d");
const gl = $("points").getContext("webgl2", { antialias: true, premultipliedAlpha: false, preserveDrawingBuffer: true });
const flat = gl ? null : $("points").getContext("2d"); // a browser without WebGL: slower, the same picture
const MARGIN = { left: 56, right: 10, top: 34, bottom: 40 };
let box = { width: 0, height: 0 };
let xs, ys, order = new Uint32Array(0), shader, buffers;

function start() {
  if (!gl) return;
  const make = (kind, source) => {
    const part = gl.createShader(kind);
    gl.shaderSource(part, source);
    gl.compileShader(part);
    return part;
  };
  shader = gl.createProgram();
  gl.attachShader(shader, make(gl.VERTEX_SHADER, `#version 300 es
    in vec2 place; in vec4 color; out vec4 tint; uniform vec4 view; uniform vec4 inner; uniform float size;
    void main() {
      vec2 share = (place - view.xy) / view.zw;
      gl_Position = vec4(inner.xy + share * inner.zw, 0.0, 1.0);
      gl_PointSize = size;
      tint = color;
    }`));
  gl.attachShader(shader, make(gl.FRAGMENT_SHADER, `#version 300 es
    precision mediump float; in vec4 tint; out vec4 shown;
    void main() {
      float r = length(gl_PointCoord - 0.5);
      if (r > 0.5) discard;
      shown = r > 0.42 ? vec4(1.0, 1.0, 1.0, tint.a * 0.8) : tint;
    }`));
  gl.linkProgram(shader);
  buffers = { place: gl.createBuffer(), color: gl.createBuffer(), order: gl.createBuffer() };
}

/** Positions, colours and drawing order of the visible samples: rare groups last, so on top. */
function upload(c) {
  xs = c[state.x];
  ys = c[state.y];
  const counts = new Array(groups.names.length).fill(0);
  let shown = 0;
  for (let i = 0; i < N; i++) if (visible[i]) { counts[group[i]] += 1; shown += 1; }
  groups.counts = counts;
  const rank = counts.map((_, k) => k).sort((a, b) => counts[b] - counts[a]);
  const next = new Array(counts.length);
  let sum = 0;
  for (const k of rank) { next[k] = sum; sum += counts[k]; }
  order = new Uint32Array(shown);
  for (let i = 0; i < N; i++) if (visible[i]) order[next[group[i]]++] = i;
  if (!gl) return;
  const place = new Float32Array(2 * N), color = new Uint8Array(4 * N);
  const rgb = groups.colors.map((hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16)));
  for (let i = 0; i < N; i++) {
    place[2 * i] = xs[i];
    place[2 * i + 1] = ys[i];
    color.set(rgb[group[i]] ?? [0, 0, 0], 4 * i);
    color[4 * i + 3] = chosen && !selected[i] ? 40 : 215;
  }
  const fill = (name, width, kind, values, normal) => {
    gl.bindBuffer(gl.ARRAY_BUFFER, buffers[name]);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
    const at = gl.getAttribLocation(shader, name);
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(at, width, kind, normal, 0, 0);
  };
  fill("place", 2, gl.FLOAT, place, false);
  fill("color", 4, gl.UNSIGNED_BYTE, color, true);
  gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffers.order);
  gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, order, gl.DYNAMIC_DRAW);
}

const UNIT = new Set(["avg_probs", "max_label_probs", "min_label_probs", "correct_ratio"]);

/** The whole map: fixed for probabilities, so that the replay does not jump. */
function wholeView() {
  const range = (name) => {
    let low = Infinity, high = -Infinity;
    for (const v of final[name] ?? columnsAt(state.t)[name]) {
      if (Number.isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
    }
    if (UNIT.has(name)) [low, high] = [0, 1];
    if (name === "label_var") [low, high] = [0, Math.min(0.25, 0.05 * Math.max(1, Math.ceil(high / 0.05)))];
    if (!(low <= high)) [low, high] = [0, 1];
    const room = 0.025 * (high - low || 1);
    return [low - room, high - low + 2 * room];
  };
  const [x, width] = range(state.x), [y, height] = range(state.y);
  return { x, y, width, height };
}

const toScreen = (x, y) => [
  MARGIN.left + ((x - state.view.x) / state.view.width) * (box.width - MARGIN.left - MARGIN.right),
  box.height - MARGIN.bottom - ((y - state.view.y) / state.view.height) * (box.height - MARGIN.top - MARGIN.bottom),
];
const toData = (px, py) => [
  state.view.x + ((px - MARGIN.left) / (box.width - MARGIN.left - MARGIN.right)) * state.view.width,
  state.view.y + ((box.height - MARGIN.bottom - py) / (box.height - MARGIN.top - MARGIN.bottom)) * state.view.height,
];
const pointSize = () => Math.min(9, Math.max(3, 9 * (500 / Math.max(order.length, 1)) ** 0.25));

function draw() {
  drawBack();
  const ratio = devicePixelRatio, inner = box.width - MARGIN.left - MARGIN.right, tall = box.height - MARGIN.top - MARGIN.bottom;
  if (gl) {
    gl.viewport(0, 0, gl.canvas.width, gl.canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.disable(gl.SCISSOR_TEST);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(MARGIN.left * ratio, MARGIN.bottom * ratio, inner * ratio, tall * ratio);
    gl.enable(gl.BLEND);
    gl.blendFuncSeparate(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA, gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.useProgram(shader);
    const { x, y, width, height } = state.view;
    gl.uniform4f(gl.getUniformLocation(shader, "view"), x, y, width, height);
    gl.uniform4f(gl.getUniformLocation(shader, "inner"), (2 * MARGIN.left) / box.width - 1, (2 * MARGIN.bottom) / box.height - 1,
      (2 * inner) / box.width, (2 * tall) / box.height);
    gl.uniform1f(gl.getUniformLocation(shader, "size"), pointSize() * ratio);
    gl.drawElements(gl.POINTS, order.length, gl.UNSIGNED_INT, 0);
  } else {
    flat.setTransform(ratio, 0, 0, ratio, 0, 0);
    flat.clearRect(0, 0, box.width, box.height);
    const size = pointSize();
    for (const i of order) {
      const [px, py] = toScreen(xs[i], ys[i]);
      flat.globalAlpha = chosen && !selected[i] ? 0.15 : 0.85;
      flat.fillStyle = groups.colors[group[i]];
      flat.fillRect(px - size / 2, py - size / 2, size, size);
    }
    flat.clearRect(0, 0, MARGIN.left, box.height);
    flat.clearRect(0, box.height - MARGIN.bottom, box.width, MARGIN.bottom);
  }
  drawFront();
}

function ticks(low, length) {
  const rough = length / 6, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= rough);
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= low + length; k++) found.push(Number((k * step).toPrecision(10)));
  return found;
}

function drawBack() {
  const ratio = devicePixelRatio;
  back.setTransform(ratio, 0, 0, ratio, 0, 0);
  back.clearRect(0, 0, box.width, box.height);
  const right = box.width - MARGIN.right, bottom = box.height - MARGIN.bottom;
  back.save();
  back.beginPath();
  back.rect(MARGIN.left, MARGIN.top, right - MARGIN.left, bottom - MARGIN.top);
  back.clip();
  const plain = state.x === "label_var" && state.y === "avg_probs";
  if (plain) drawRegions();
  back.restore();
  back.font = "11px system-ui, sans-serif";
  back.textAlign = "center";
  for (const v of ticks(state.view.x, state.view.width)) {
    const [px] = toScreen(v, 0);
    back.strokeStyle = plain ? "#00000012" : "#e6e6e6";
    line(px, MARGIN.top, px, bottom);
    back.fillStyle = "#333";
    back.fillText(short(v), px, bottom + 15);
  }
  back.textAlign = "right";
  for (const v of ticks(state.view.y, state.view.height)) {
    const [, py] = toScreen(0, v);
    back.strokeStyle = plain ? "#00000012" : "#e6e6e6";
    line(MARGIN.left, py, right, py);
    back.fillStyle = "#333";
    back.fillText(short(v), MARGIN.left - 6, py + 4);
  }
  back.strokeStyle = "#555";
  line(MARGIN.left, MARGIN.top, MARGIN.left, bottom);
  line(MARGIN.left, bottom, right, bottom);
  back.font = "12px system-ui, sans-serif";
  back.textAlign = "center";
  back.fillText(state.x, (MARGIN.left + right) / 2, box.height - 6);
  back.save();
  back.translate(13, (MARGIN.top + bottom) / 2);
  back.rotate(-Math.PI / 2);
  back.fillText(state.y, 0, 0);
  back.restore();
}

function line(x0, y0, x1, y1) {
  back.beginPath();
  back.moveTo(x0, y0);
  back.lineTo(x1, y1);
  back.stroke();
}

function drawRegions() {
  const { variance, confidence, noisy } = DATA.regions;
  const far = 10;
  const boxes = [
    ["easy to learn", -far, variance, confidence, far, "#e8f1f8"], ["hard to learn", -far, variance, noisy, confidence, "#fbeee6"],
    ["noisy?", -far, variance, -far, noisy, "#f8dcdc"], ["ambiguous", variance, far, -far, far, "#f5f3e7"],
  ];
  back.font = "italic 11px system-ui, sans-serif";
  for (const [name, x0, x1, y0, y1, color] of boxes) {
    const [left, bottom] = toScreen(x0, y0), [right, top] = toScreen(x1, y1);
    back.fillStyle = color;
    back.fillRect(left, top, right - left, bottom - top);
    back.fillStyle = "#555";
    const atRight = name === "ambiguous";
    back.textAlign = atRight ? "right" : "left";
    const x = atRight ? box.width - MARGIN.right - 5 : Math.max(left, MARGIN.left) + 5;
    back.fillText(tr(name), x, name === "noisy?" ? Math.min(bottom, box.height - MARGIN.bottom) - 6 : Math.max(top, MARGIN.top) + 14);
  }
}

let path = []; // of the lasso or box that is being drawn, in pixels

function drawFront() {
  const ratio = devicePixelRatio;
  front.setTransform(ratio, 0, 0, ratio, 0, 0);
  front.clearRect(0, 0, box.width, box.height);
  if (path.length > 1) {
    front.beginPath();
    if (state.mode === "box") front.rect(path[0][0], path[0][1], path.at(-1)[0] - path[0][0], path.at(-1)[1] - path[0][1]);
    else path.forEach(([x, y], k) => (k ? front.lineTo(x, y) : front.moveTo(x, y)));
    front.fillStyle = "#1f3b7322";
    front.strokeStyle = "#1f3b73";
    front.fill();
    front.stroke();
  }
  if (hovered >= 0 && visible[hovered]) {
    const [px, py] = toScreen(xs[hovered], ys[hovered]);
    front.beginPath();
    front.arc(px, py, pointSize() / 2 + 3, 0, 7);
    front.strokeStyle = "#000";
    front.lineWidth = 2;
    front.stroke();
    front.lineWidth = 1;
  }
}

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

const place = (event) => {
  const area = $("front").getBoundingClientRect();
  return [event.clientX - area.left, event.clientY - area.top];
};

let held = null;

$("front").addEventListener("pointerdown", (event) => {
  held = { at: place(event), view: { ...state.view } };
  path = [held.at];
  $("front").setPointerCapture(event.pointerId);
});

$("front").addEventListener("pointermove", (event) => {
  const [px, py] = place(event);
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
$("front").addEventListener("dblclick", () => { state.view = wholeView(); draw(); });
$("front").addEventListener("wheel", (event) => {
  event.preventDefault();
  const [px, py] = place(event), [x, y] = toData(px, py), factor = 1.0015 ** event.deltaY;
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

/** Select the visible samples whose place on the screen passes. */
function select(passes) {
  selected = new Uint8Array(N);
  for (const i of order) selected[i] = passes(...toScreen(xs[i], ys[i])) ? 1 : 0;
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
  for (const name of options) add(list, "option", name).value = name;
  list.value = value;
  return list;
}

const SHOWN_ROWS = 200;
const TABLE = ["avg_probs", "label_var", "correct_ratio", "forgetting_times", "learnt_times"];

/** Rows of the table: the selected samples, or all that are visible while none is; sorted. */
function rowsOf(c) {
  const rows = Array.from(order).filter((i) => !chosen || selected[i]);
  const value = (i) => (state.sort === "id" ? DATA.ids[i] : c[state.sort] ? c[state.sort][i] : cell(c, state.sort, i));
  rows.sort((a, b) => {
    const va = value(a), vb = value(b), way = state.down ? -1 : 1;
    return way * (va < vb ? -1 : va > vb ? 1 : a - b);
  });
  return rows;
}

function cell(c, name, i) {
  if (name === "id") return DATA.ids[i];
  if (name in DATA.texts) return DATA.texts[name][i];
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
      add(row, "td", String(value), name in DATA.texts ? "text" : typeof value === "number" ? "number" : "");
    }
    row.addEventListener("mouseenter", () => { hovered = i; drawFront(); });
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
  const axis = () => { state.view = wholeView(); };
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
  state.view = wholeView();
  setEpoch(T);
  new ResizeObserver(resize).observe($("stage"));
}

begin();

// For scripts and tests: where a sample is on the page, and what is shown.
window.dataMap = {
  webgl: Boolean(gl),
  placeOf(id) {
    const area = $("front").getBoundingClientRect(), i = DATA.ids.indexOf(id), [x, y] = toScreen(xs[i], ys[i]);
    return [area.left + x, area.top + y];
  },
  shown: () => Array.from(order, (i) => DATA.ids[i]),
  selected: () => Array.from(order).filter((i) => selected[i]).map((i) => DATA.ids[i]),
  tsv,
};
