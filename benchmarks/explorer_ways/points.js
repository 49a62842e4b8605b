// Generated points, and how frames are counted. Each way says prepared(points) → {made, all, near}:
// the ms until the map is drawn, and draw(shift) of all points and of a part.

const COLORS = ["#a50026", "#e34a33", "#f9a03f", "#8fb8d8", "#4a8cc2", "#1f3b73"];
const LIMITS = { x: [-0.01, 0.26], y: [-0.03, 1.03] };
const CLOSER = 20; // times nearer, at the dense end of the map

function generated(count) {
  let seed = 12345;
  const random = () => { seed = (seed * 1664525 + 1013904223) >>> 0; return seed / 4294967296; };
  const x = new Float32Array(count), y = new Float32Array(count), group = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const a = random(), b = random();
    y[i] = Math.max(0, 1 - a * a * (0.5 + b / 2));
    x[i] = Math.min(0.25, y[i] * (1 - y[i]) * random() * (0.3 + 0.7 * b));
    group[i] = Math.min(5, Math.floor(y[i] * 6));
  }
  return { x, y, group };
}

/** {count, seconds} of calls of `draw(shift)`, a frame each, shift in shares of the view's width; for three seconds. */
async function frames(draw) {
  const begin = performance.now();
  let count = 0;
  while (performance.now() - begin < 3000) {
    await new Promise(requestAnimationFrame);
    await draw(0.08 * Math.sin(count / 5));
    count += 1;
  }
  return { count, seconds: (performance.now() - begin) / 1000 };
}

/** draw(shift) of a scatter of ours: of all points, and of what lies near. */
function pannedBy(scatter) {
  const { view } = scatter, whole = { x: view.x, y: view.y, width: view.width, height: view.height };
  const near = { x: 0.02, y: 0.8, width: view.width / CLOSER, height: view.height / CLOSER };
  const drawn = (part) => (shift) => {
    Object.assign(view, part, { x: part.x + shift * part.width });
    scatter.draw();
  };
  return { all: drawn(whole), near: drawn(near) };
}
