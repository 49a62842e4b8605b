// The queue on the data map: its samples are colored by score, and the current one has a ring.

import { $, add, shape } from "../../web/scripts/dom.js";
import { createScatter } from "../../web/scripts/scatter.js";
import { onTheme, shownColor } from "../../web/scripts/theme.js";
import { queue } from "./queue.js";
import { askBytes } from "./server.js";
import { count, tr } from "./words.js";

const SCORES = [0.25, 0.5, 0.75]; // where the colors change, if scores are probabilities
const SHARES = [0.5, 0.8, 0.95]; // quantiles where they change, if scores are not probabilities
const COLORS = ["#8fa3bf", "#c9a54b", "#d9742b", "#a50026"];
const MAX_CORNERS = 500; // of a lasso
const REST = 400; // milliseconds after the last turn of the wheel

/** Return the answer of /api/map as arrays. */
export function parseMap(buffer) {
  const n = new DataView(buffer).getUint32(4, true);
  let at = 8;
  const take = (Type) => {
    const part = new Type(buffer.slice(at, at + n * Type.BYTES_PER_ELEMENT));
    at += n * Type.BYTES_PER_ELEMENT;
    return part;
  };
  return {
    x: take(Float32Array),
    y: take(Float32Array),
    score: take(Float32Array),
    region: take(Uint8Array),
    label: take(Uint16Array),
    proposed: take(Uint16Array),
  };
}

function limitsOf(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const space = 0.025 * (high - low) || 0.01;
  return [low - space, high + space];
}

/** Return the scores from which on the colors change. */
export function bordersOf(score, isProbable) {
  if (isProbable) return SCORES;
  const sorted = score.slice().sort();
  return SHARES.map((share) => sorted[Math.floor(share * sorted.length)]);
}

/** Return the meaning of each color, the most suspicious first: [{color, text}]. */
export function legendOf(group, isProbable) {
  const ends = [0, ...SCORES, 1];
  const found = [];
  let before = 0;
  for (let k = COLORS.length - 1; k >= 0; k--) {
    const size = group.reduce((sum, one) => sum + (one === k ? 1 : 0), 0);
    const ranks = tr("rank {n}", { n: `${count(before + 1)}–${count(before + size)}` });
    if (size) found.push({ color: COLORS[k], text: isProbable ? `${ends[k]}–${ends[k + 1]}` : ranks });
    before += size;
  }
  return found;
}

function drawLegend(entries, isProbable) {
  const legend = $("map-legend");
  legend.replaceChildren();
  if (isProbable) add(legend, "li", tr("score"), "muted");
  for (const { color, text } of entries) {
    const item = add(legend, "li");
    const dot = shape("svg", { width: 10, height: 10, "aria-hidden": true });
    dot.append(shape("circle", { cx: 5, cy: 5, r: 5, fill: shownColor(color) }));
    item.append(dot, text);
  }
}

/**
 * Draw the map of a run. `open(row)` shows a sample; `enclose(polygon)` filters the queue, null = no longer.
 */
export async function createMap(run, { open, enclose }) {
  const { x, y, score } = parseMap(await askBytes("map"));
  const borders = bordersOf(score, run.probable);
  const group = Uint8Array.from(score, (value) => borders.filter((border) => value >= border).length);
  const draw = () => drawLegend(legendOf(group, run.probable), run.probable);
  draw();
  onTheme(draw);
  let hovered = -1;
  let timer = 0;
  let ringed = -1;
  let drawn = null;
  let isLasso = false;
  const scatter = createScatter($("map"), {
    onHover: (row) => {
      hovered = row;
    },
    onSelect: (_, polygon) => {
      isLasso = true;
      enclose(thinned(polygon));
    },
    onView: () => {
      // the samples in view are the queue, unless a line encloses some
      clearTimeout(timer);
      timer = setTimeout(
        () => isLasso || enclose(isZoomed(scatter.view) ? cornersOf(scatter.view) : null),
        REST,
      );
    },
  });
  scatter.set({
    x,
    y,
    group,
    colors: COLORS,
    limits: { x: limitsOf(x), y: limitsOf(y) },
    labels: { x: "label_var", y: "avg_probs" },
    regions: run.borders,
    visible: null,
    selected: null,
  });
  Object.assign($("map").lastElementChild, { role: "img", ariaLabel: tr("data map") });
  $("map").addEventListener("click", () => hovered >= 0 && open(hovered));
  drawTools(scatter, enclose);

  return {
    /** Points outside of the queue are faint. */
    drawQueue() {
      if (drawn === queue.rows) return;
      drawn = queue.rows;
      isLasso &&= queue.filter.polygon !== null;
      if (queue.length === x.length) return scatter.set({ selected: null });
      const selected = new Uint8Array(x.length);
      for (const row of queue.rows) selected[row] = 1;
      scatter.set({ selected });
    },
    ring(row) {
      if (row === ringed) return;
      ringed = row;
      scatter.highlight(row < 0 ? [] : [row]);
    },
    scatter,
  };
}

const cornersOf = ({ x, y, width, height }) => [
  [x, y],
  [x + width, y],
  [x + width, y + height],
  [x, y + height],
];

const thinned = (polygon) => polygon.filter((_, k) => k % Math.ceil(polygon.length / MAX_CORNERS) === 0);

/** Tell whether a part of the map is out of view. */
function isZoomed({ x, y, width, height, limits }) {
  const slack = 1e-6;
  return (
    x > limits.x[0] + slack ||
    y > limits.y[0] + slack ||
    x + width < limits.x[1] - slack ||
    y + height < limits.y[1] - slack
  );
}

function drawTools(scatter, enclose) {
  const tools = $("map-tools");
  for (const mode of ["lasso", "box", "pan"]) {
    const button = add(tools, "button", tr(mode));
    button.type = "button";
    button.ariaPressed = String(mode === scatter.mode);
    button.addEventListener("click", () => {
      scatter.setMode(mode);
      for (const other of tools.querySelectorAll("[aria-pressed]"))
        other.ariaPressed = String(other === button);
    });
  }
  const all = add(tools, "button", tr("all"));
  all.type = "button";
  all.addEventListener("click", () => {
    scatter.showAll();
    enclose(null);
  });
  $("map-note").textContent = tr("Draw a line around points to review them; scroll to zoom.");
}
