// ---------------------------------------------------------------- points

const back = $("back").getContext("2d");
const front = $("front").getContext("2d", { willReadFrequently: true }); // by the CPU: Chromium showed it late
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
    in vec2 position; in vec4 color; out vec4 tint; uniform vec4 view; uniform vec4 inner; uniform float size;
    void main() {
      vec2 share = (position - view.xy) / view.zw;
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
  buffers = { position: gl.createBuffer(), color: gl.createBuffer(), order: gl.createBuffer() };
}

// While some samples are selected, the others are light grey: many of them add up to that, not to a colour.
const FAINT = 200;
const isFaint = (i) => chosen && !selected[i];

/** Positions, colours and drawing order of the visible samples: rare groups last, so on top; then the selected ones. */
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
  if (chosen) order = Uint32Array.from([...order.filter((i) => !selected[i]), ...order.filter((i) => selected[i])]);
  if (!gl) return;
  const position = new Float32Array(2 * N), color = new Uint8Array(4 * N);
  const rgb = groups.colors.map((hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16)));
  for (let i = 0; i < N; i++) {
    position[2 * i] = xs[i];
    position[2 * i + 1] = ys[i];
    color.set(isFaint(i) ? [FAINT, FAINT, FAINT] : rgb[group[i]], 4 * i);
    color[4 * i + 3] = isFaint(i) ? 90 : 215;
  }
  const fill = (name, width, kind, values, normal) => {
    gl.bindBuffer(gl.ARRAY_BUFFER, buffers[name]);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
    const at = gl.getAttribLocation(shader, name);
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(at, width, kind, normal, 0, 0);
  };
  fill("position", 2, gl.FLOAT, position, false);
  fill("color", 4, gl.UNSIGNED_BYTE, color, true);
  gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffers.order);
  gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, order, gl.DYNAMIC_DRAW);
}

/** The complete map, the same at every observation, so that the replay does not jump. */
function fullView() {
  const [[left, right], [bottom, top]] = [DATA.limits[state.x], DATA.limits[state.y]];
  return { x: left, y: bottom, width: right - left, height: top - bottom };
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
      flat.globalAlpha = isFaint(i) ? 0.35 : 0.85;
      flat.fillStyle = isFaint(i) ? `rgb(${FAINT}, ${FAINT}, ${FAINT})` : groups.colors[group[i]];
      flat.fillRect(px - size / 2, py - size / 2, size, size);
    }
    flat.clearRect(0, 0, MARGIN.left, box.height);
    flat.clearRect(0, box.height - MARGIN.bottom, box.width, MARGIN.bottom);
  }
  drawFront();
}
