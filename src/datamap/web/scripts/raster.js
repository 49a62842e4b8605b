// Paint points and densities into the pixels of an ImageData, on the CPU.
//
// Counting a million points into cells takes hundredths of a second, while drawing them with a software WebGL
// takes seconds (docs/benchmarks.md). Few points are drawn as discs, many as a density that is colored group
// by group, as on the static maps.

export const MAX_POINTS = 50_000; // in view; with more, a large layer is drawn as a density
export const MIN_DENSITY = 2_000; // points of a layer; a smaller one is drawn as points, on top of densities
export const HIDDEN = 255; // layer of a point that is not drawn
const STEPS = 4; // positions of a disc within a pixel, along each axis
const MAX_TABLE = 128; // counts whose alpha is looked up in a table

/**
 * Return the rows of the points in view, sorted by layer, as {rows, starts}: layer k has the rows from index
 * starts[k] up to, but not including, starts[k + 1].
 *
 * `scratch`: a Uint32Array with an element per point, reused so that panning allocates no memory.
 */
export function pointsInView({ x, y, layer }, count, view, scratch) {
  const x1 = view.x + view.width;
  const y1 = view.y + view.height;
  const found = new Uint32Array(count + 1);
  let total = 0;
  for (let i = 0; i < x.length; i++) {
    if (layer[i] !== HIDDEN && x[i] >= view.x && x[i] <= x1 && y[i] >= view.y && y[i] <= y1) {
      scratch[total++] = i;
      found[layer[i] + 1] += 1;
    }
  }
  for (let k = 0; k < count; k++) found[k + 1] += found[k];
  const starts = found.slice();
  const rows = new Uint32Array(total);
  for (let j = 0; j < total; j++) rows[found[layer[scratch[j]]]++] = scratch[j];
  return { rows, starts };
}

/**
 * Paint the paper [r, g, b], then the regions (`regionsInView` of axes.js); a pixel of the page has `ratio`
 * pixels of the picture.
 */
export function paintBackground({ data, width, height }, paper, regions, ratio) {
  const pixels = new Uint32Array(data.buffer);
  const packed = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  pixels.fill(packed(paper));
  for (const region of regions) {
    const [left, right, top, bottom] = [region.left, region.right, region.top, region.bottom].map((v) =>
      Math.round(v * ratio),
    );
    const color = packed(region.color);
    for (let row = Math.max(0, top); row < Math.min(height, bottom); row++) {
      pixels.fill(color, row * width + Math.max(0, left), row * width + Math.min(width, right));
    }
  }
}

/** Return the diameter of a point in CSS pixels, which falls with the number of points. */
export const pointSize = (count) => Math.min(9, Math.max(3, 9 * (500 / Math.max(count, 1)) ** 0.25));

/**
 * Paint the points in view onto an opaque picture of the plotted rectangle.
 *
 * `layers`: [{color: [r, g, b], alpha: 0 to 1}], the last one on top. `size`: in pixels of the picture.
 * `paper`: [r, g, b] of the points' rims.
 */
export function paint(image, { x, y }, layers, inView, view, size, paper) {
  const { rows, starts } = inView;
  const scale = { x: image.width / view.width, y: image.height / view.height };
  const counts = layers.map((_, k) => starts[k + 1] - starts[k]);
  const isMany = (k) => rows.length > MAX_POINTS && counts[k] > MIN_DENSITY;
  const cell = Math.max(1, Math.round(size / 2));
  for (let k = 0; k < layers.length; k++) {
    if (isMany(k))
      paintDensity(image, x, y, rows.subarray(starts[k], starts[k + 1]), layers[k], view, scale, cell);
  }
  const discs = makeDiscs(size);
  for (let k = 0; k < layers.length; k++) {
    if (isMany(k)) continue;
    for (let j = starts[k]; j < starts[k + 1]; j++) {
      const i = rows[j];
      paintDisc(
        image,
        discs,
        (x[i] - view.x) * scale.x,
        image.height - (y[i] - view.y) * scale.y,
        layers[k],
        paper,
      );
    }
  }
}

/** Paint a density; logarithm and minimum keep a cell with one sample visible beside one with a thousand. */
function paintDensity(image, x, y, rows, layer, view, scale, cell) {
  const columns = Math.ceil(image.width / cell);
  const lines = Math.ceil(image.height / cell);
  const counts = new Uint32Array(columns * lines);
  const sx = scale.x / cell;
  const sy = scale.y / cell;
  const top = view.y + view.height;
  for (let j = 0; j < rows.length; j++) {
    const i = rows[j];
    const cx = Math.min(columns - 1, ((x[i] - view.x) * sx) | 0);
    const cy = Math.min(lines - 1, ((top - y[i]) * sy) | 0);
    counts[cy * columns + cx] += 1;
  }
  let highest = 1;
  for (let c = 0; c < counts.length; c++) if (counts[c] > highest) highest = counts[c];
  const alphas = Uint16Array.from({ length: Math.min(highest, MAX_TABLE) + 1 }, (_, n) =>
    alphaOf(n, highest, layer.alpha),
  );
  for (let c = 0; c < counts.length; c++) {
    const n = counts[c];
    if (n)
      fillCell(
        image,
        (c % columns) * cell,
        ((c / columns) | 0) * cell,
        cell,
        layer.color,
        n < alphas.length ? alphas[n] : alphaOf(n, highest, layer.alpha),
      );
  }
}

const alphaOf = (n, highest, alpha) =>
  Math.round(256 * alpha * (0.35 + (0.65 * Math.log1p(n)) / Math.log1p(highest)));

function fillCell({ data, width, height }, left, top, cell, [r, g, b], alpha) {
  const right = Math.min(width, left + cell);
  const bottom = Math.min(height, top + cell);
  for (let py = top; py < bottom; py++) {
    for (let at = 4 * (py * width + left), end = 4 * (py * width + right); at < end; at += 4)
      blend(data, at, r, g, b, alpha);
  }
}

function blend(data, at, r, g, b, alpha) {
  // alpha in 256ths
  data[at] += ((r - data[at]) * alpha) >> 8;
  data[at + 1] += ((g - data[at + 1]) * alpha) >> 8;
  data[at + 2] += ((b - data[at + 2]) * alpha) >> 8;
}

/**
 * Make discs of this diameter at each position within a pixel: coverage and share of the rim per pixel, in
 * 256ths.
 */
function makeDiscs(size) {
  const reach = Math.ceil(size / 2) + 1;
  const width = 2 * reach;
  const rim = size >= 5 ? Math.max(0.7, 0.08 * size) : 0;
  const masks = [];
  for (let sub = 0; sub < STEPS * STEPS; sub++) {
    const dx = ((sub % STEPS) + 0.5) / STEPS;
    const dy = (((sub / STEPS) | 0) + 0.5) / STEPS;
    const cover = new Uint16Array(width * width);
    const rims = new Uint16Array(width * width);
    for (let p = 0; p < width * width; p++) {
      const distance = Math.hypot((p % width) + 0.5 - reach - dx, ((p / width) | 0) + 0.5 - reach - dy);
      cover[p] = 256 * Math.min(1, Math.max(0, size / 2 - distance + 0.5));
      rims[p] = rim ? 256 * Math.min(1, Math.max(0, distance - (size / 2 - rim) + 0.5)) : 0;
    }
    masks.push({ cover, rims });
  }
  return { reach, width, masks };
}

function paintDisc({ data, width, height }, discs, px, py, { color: [r, g, b], alpha }, paper) {
  const left = Math.floor(px);
  const top = Math.floor(py);
  const { cover, rims } = discs.masks[(((py - top) * STEPS) | 0) * STEPS + (((px - left) * STEPS) | 0)];
  for (let row = 0, at = 0; row < discs.width; row++) {
    const y = top - discs.reach + row;
    for (let column = 0; column < discs.width; column++, at++) {
      const x = left - discs.reach + column;
      if (!cover[at] || x < 0 || y < 0 || x >= width || y >= height) continue;
      const w = rims[at];
      blend(
        data,
        4 * (y * width + x),
        r + (((paper[0] - r) * w) >> 8),
        g + (((paper[1] - g) * w) >> 8),
        b + (((paper[2] - b) * w) >> 8),
        (cover[at] * alpha) | 0,
      );
    }
  }
}
