// Draw a map whose points can be hovered over and selected by box or lasso, with zoom and pan.
//
//   const scatter = createScatter(element, { onHover, onSelect });
//   scatter.set({ x, y, group, colors, limits, labels, regions, visible, selected });
//                                                  any of these, at any time
//   scatter.setMode("lasso");                      or "box", "pan"
//   scatter.highlight([row, …]);                   draw rings; [] removes them
//   scatter.reach(row);                            bring a point into view
//
// `element` must be positioned and have a size. Rows are indices into the arrays.

import { drawAxes, drawRegionNames, regionsInView } from "./axes.js";
import { rgb } from "./numbers.js";
import { followPointer } from "./pointer.js";
import { HIDDEN, paint, paintBackground, pointSize, pointsInView } from "./raster.js";
import { corners, inBox, inPolygon } from "./shapes.js";
import { onTheme, palette, seenOn } from "./theme.js";
import { createView } from "./view.js";

const FAINT = 0.45; // alpha of points outside of the selection, if there is one

/**
 * Create a map in `element`. It calls:
 *
 * - `onHover` with the point under the pointer, −1 for none, and the pointer's position in the element;
 * - `onSelect` with the points inside a box or lasso, and its corners on the map;
 * - `onView` when the visible part of the map has changed.
 *
 * @param {HTMLElement} element
 * @param {{
 *   onHover?: (row: number, px: number, py: number) => void,
 *   onSelect?: (rows: Uint32Array, polygon: number[][]) => void,
 *   onView?: () => void,
 * }} [listeners]
 */
export function createScatter(element, { onHover = () => {}, onSelect = () => {}, onView = () => {} } = {}) {
  const picture = canvas(element);
  const front = canvas(element);
  const data = {
    x: new Float32Array(0),
    y: new Float32Array(0),
    group: new Uint8Array(0),
    colors: [],
    visible: null,
    selected: null,
    limits: { x: [0, 1], y: [0, 1] },
    labels: { x: "x", y: "y" },
    regions: [],
  };
  const view = createView(data.limits);
  const state = {
    mode: "lasso",
    rings: [],
    path: [],
    inView: { rows: new Uint32Array(0), starts: new Uint32Array(1) },
    waiting: 0,
  };
  let colors = palette();
  let layers = [];
  let layer = new Uint8Array(0);
  let scratch = new Uint32Array(0);
  let image = null;

  function set(changes) {
    Object.assign(data, changes);
    view.limits = data.limits;
    if (changes.limits) view.showAll();
    ({ layers, layer } = layersOf(data, colors));
    if (scratch.length !== data.x.length) scratch = new Uint32Array(data.x.length);
    draw();
  }

  function draw() {
    cancelAnimationFrame(state.waiting);
    const ratio = devicePixelRatio;
    const { left, top, right, bottom } = view.plot();
    state.inView = pointsInView({ x: data.x, y: data.y, layer }, layers.length, view, scratch);
    picture.setTransform(ratio, 0, 0, ratio, 0, 0);
    picture.clearRect(0, 0, view.box.width, view.box.height);
    const [width, height] = [right - left, bottom - top].map((length) => Math.round(length * ratio));
    if (width > 0 && height > 0) {
      if (image?.width !== width || image.height !== height) image = new ImageData(width, height);
      const paper = rgb(colors.card);
      paintBackground(image, paper, regionsInView(view, data.regions, paper), ratio);
      paint(image, data, layers, state.inView, view, pointSize(shownCount()) * ratio, paper);
      picture.putImageData(image, Math.round(left * ratio), Math.round(top * ratio));
    }
    drawAxes(picture, view, data.labels, colors);
    drawRegionNames(picture, view, data.regions, colors);
    drawFront();
  }

  const shownCount = () => layers.reduce((sum, { count }) => sum + count, 0);

  function drawLater() {
    cancelAnimationFrame(state.waiting);
    state.waiting = requestAnimationFrame(draw);
  }

  function moved() {
    drawLater();
    onView();
  }

  function drawFront() {
    const ratio = devicePixelRatio;
    front.setTransform(ratio, 0, 0, ratio, 0, 0);
    front.clearRect(0, 0, view.box.width, view.box.height);
    if (state.path.length > 1) outline(front, state.path, colors.accent);
    for (const row of state.rings) {
      if (layer[row] !== HIDDEN)
        ring(front, view.toScreen(data.x[row], data.y[row]), pointSize(shownCount()) / 2 + 3, colors);
    }
  }

  function resize() {
    const { width, height } = element.getBoundingClientRect();
    view.box = { width, height };
    for (const { canvas } of [picture, front]) {
      canvas.width = Math.round(width * devicePixelRatio);
      canvas.height = Math.round(height * devicePixelRatio);
    }
    draw();
  }

  /**
   * Return the nearest point in view within 10 pixels, the topmost of equally near ones; −1 if there is none.
   */
  function nearest(px, py) {
    const [x, y] = view.toMap(px, py);
    const scale = view.scale();
    const { rows } = state.inView;
    let best = -1;
    let least = 100;
    for (let j = 0; j < rows.length; j++) {
      const distance = ((data.x[rows[j]] - x) * scale.x) ** 2 + ((data.y[rows[j]] - y) * scale.y) ** 2;
      if (distance <= least) {
        least = distance;
        best = rows[j];
      }
    }
    return best;
  }

  function select(path) {
    const ends = (state.mode === "box" ? corners(path[0], path.at(-1)) : path).map(([px, py]) =>
      view.toMap(px, py),
    );
    const inside = state.mode === "box" ? inBox(ends[0], ends[2]) : inPolygon(ends);
    onSelect(
      state.inView.rows.filter((i) => inside(data.x[i], data.y[i])),
      ends,
    );
  }

  followPointer(front.canvas, {
    mode: () => state.mode,
    hover: (px, py) => onHover(nearest(px, py), px, py),
    leave: () => onHover(-1, 0, 0),
    pan: (dx, dy) => {
      view.pan(dx, dy);
      moved();
    },
    zoom: (px, py, factor) => {
      view.zoom(px, py, factor);
      moved();
    },
    showAll: () => {
      view.showAll();
      moved();
    },
    trace: (path) => {
      state.path = path;
      drawFront();
    },
    enclose: select,
  });
  new ResizeObserver(resize).observe(element);
  onTheme(() => {
    colors = palette();
    set({});
  });
  resize();

  return {
    set,
    draw,
    view,
    data,
    get mode() {
      return state.mode;
    },
    setMode(mode) {
      state.mode = mode;
      front.canvas.style.cursor = mode === "pan" ? "grab" : "crosshair";
    },
    highlight(rows) {
      state.rings = rows;
      drawFront();
    },
    reach(row) {
      view.reach(data.x[row], data.y[row]);
      draw();
    },
    showAll() {
      view.showAll();
      draw();
    },
    /** Return the position of a point, in pixels of the element. */
    positionOf: (row) => view.toScreen(data.x[row], data.y[row]),
    /** Return the color [r, g, b] of the pixel at a position in the element. */
    colorAt: (px, py) =>
      [
        ...picture.getImageData(Math.round(px * devicePixelRatio), Math.round(py * devicePixelRatio), 1, 1)
          .data,
      ].slice(0, 3),
    /** Return the rows of the points in view. */
    get inView() {
      return state.inView.rows;
    },
  };
}

/**
 * Return the layers from bottom to top, and the layer of each point: points outside of the selection first,
 * rare groups last.
 */
function layersOf({ x, group, colors, visible, selected }, { card, faint: dim }) {
  const count = x.length;
  const groups = colors.length;
  const counts = new Uint32Array(2 * groups);
  const key = (i) => (selected && !selected[i] ? groups : 0) + group[i];
  for (let i = 0; i < count; i++) if (!visible || visible[i]) counts[key(i)] += 1;
  const faint = counts.subarray(groups).reduce((sum, n) => sum + n, 0);
  const ranked = colors.map((_, k) => k).sort((a, b) => counts[b] - counts[a]);
  const layers = ranked.map((k) => ({
    color: seenOn(rgb(card), rgb(colors[k])),
    alpha: 0.84,
    count: counts[k],
  }));
  if (selected) layers.unshift({ color: rgb(dim), alpha: FAINT, count: faint });
  const place = new Uint8Array(2 * groups);
  ranked.forEach((k, rank) => {
    place[k] = rank + (selected ? 1 : 0);
  }); // the upper half is the faint layer, 0
  const layer = new Uint8Array(count);
  for (let i = 0; i < count; i++) layer[i] = !visible || visible[i] ? place[key(i)] : HIDDEN;
  return { layers, layer };
}

function canvas(element) {
  const made = document.createElement("canvas");
  Object.assign(made.style, { position: "absolute", inset: "0", width: "100%", height: "100%" });
  element.append(made);
  // The CPU paints the pixels, so they stay in its memory.
  return made.getContext("2d", { willReadFrequently: true });
}

function outline(context, path, color) {
  context.beginPath();
  for (const [x, y] of path) context.lineTo(x, y); // the first point begins the line
  context.closePath();
  context.fillStyle = `${color}22`;
  context.strokeStyle = color;
  context.fill();
  context.stroke();
}

/**
 * Draw a ring around a place.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {number[]} place
 * @param {number} radius
 * @param {Record<string, string>} colors
 */
function ring(context, [px, py], radius, { card, ink }) {
  for (const { width, color } of [
    { width: 4, color: card },
    { width: 2, color: ink },
  ]) {
    context.beginPath();
    context.arc(px, py, radius, 0, 7);
    context.strokeStyle = color;
    context.lineWidth = width;
    context.stroke();
  }
  context.lineWidth = 1;
}
