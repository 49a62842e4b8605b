// One draw call over all points, round and blended, in an order of their own: as the explorer did it before.
async function prepared(points) {
  const { x, y, group } = generated(points), begin = performance.now();
  const canvas = Object.assign(document.createElement("canvas"), { width: 1034, height: 486 });
  document.getElementById("stage").append(canvas);
  const gl = canvas.getContext("webgl2", { antialias: true, premultipliedAlpha: false, preserveDrawingBuffer: true });
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  gl.useProgram(program);
  const position = new Float32Array(2 * points), color = new Uint8Array(4 * points);
  const rgb = COLORS.map((hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16)));
  for (let i = 0; i < points; i++) {
    position[2 * i] = x[i];
    position[2 * i + 1] = y[i];
    color.set(rgb[group[i]], 4 * i);
    color[4 * i + 3] = 215;
  }
  for (const [name, width, kind, values] of [["position", 2, gl.FLOAT, position], ["color", 4, gl.UNSIGNED_BYTE, color]]) {
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
    gl.enableVertexAttribArray(gl.getAttribLocation(program, name));
    gl.vertexAttribPointer(gl.getAttribLocation(program, name), width, kind, kind !== gl.FLOAT, 0, 0);
  }
  gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, Uint32Array.from(x.keys()).sort((a, b) => group[b] - group[a]), gl.DYNAMIC_DRAW);
  gl.enable(gl.BLEND);
  gl.blendFuncSeparate(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA, gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  const pixel = new Uint8Array(4), size = Math.max(3, 9 * (500 / points) ** 0.25);
  const draw = (left, bottom, width, height) => {
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniform4f(gl.getUniformLocation(program, "view"), left, bottom, width, height);
    gl.uniform1f(gl.getUniformLocation(program, "size"), size);
    gl.drawElements(gl.POINTS, points, gl.UNSIGNED_INT, 0);
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
  };
  const { x: [left, right], y: [bottom, top] } = LIMITS, width = right - left, height = top - bottom;
  draw(left, bottom, width, height);
  const made = performance.now() - begin;
  const all = (shift) => draw(left + shift * width, bottom, width, height);
  const near = (shift) => draw(0.02 + (shift * width) / CLOSER, 0.8, width / CLOSER, height / CLOSER);
  return { made, all, near };
}

const VERTEX = `#version 300 es
in vec2 position; in vec4 color; out vec4 tint; uniform vec4 view; uniform float size;
void main() {
  gl_Position = vec4(2.0 * (position - view.xy) / view.zw - 1.0, 0.0, 1.0);
  gl_PointSize = size;
  tint = color;
}`;
const FRAGMENT = `#version 300 es
precision mediump float; in vec4 tint; out vec4 shown;
void main() {
  float r = length(gl_PointCoord - 0.5);
  if (r > 0.5) discard;
  shown = r > 0.42 ? vec4(1.0, 1.0, 1.0, tint.a * 0.8) : tint;
}`;
