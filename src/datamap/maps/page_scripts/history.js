// A sample's learning history as a small line.

import { shape } from "./dom.js";

export const RIGHT = "#1f3b73", WRONG = "#a50026";

/**
 * An SVG of the probability of the given label over the observations; a dot each, filled by right and wrong.
 *
 * `history` [{probability: 0 to 1 or null where the sample is missing, correct, faint}], oldest first; `caption` below.
 */
export function drawHistory(history, caption, width = 220, height = 48) {
  const svg = shape("svg", { width, height: height + 14, class: "history", role: "img", "aria-label": caption });
  svg.append(shape("rect", { x: 0, y: 0, width, height, fill: "#f6f6f6" }));
  svg.append(shape("line", { x1: 0, x2: width, y1: height / 2, y2: height / 2, stroke: "#ddd" }));
  const last = Math.max(1, history.length - 1);
  const dots = history.flatMap(({ probability, correct, faint }, k) => probability === null ? [] : [{
    cx: history.length === 1 ? width / 2 : 5 + (k / last) * (width - 10),
    cy: 4 + (1 - probability) * (height - 8),
    r: history.length > 40 ? 1.5 : 3, fill: correct ? RIGHT : WRONG, opacity: faint ? 0.25 : 1,
  }]);
  svg.append(shape("polyline", { points: dots.map(({ cx, cy }) => `${cx},${cy}`).join(" "), fill: "none", stroke: "#888" }));
  for (const dot of dots) svg.append(shape("circle", dot));
  const words = shape("text", { x: 0, y: height + 11, "font-size": 10, fill: "#555" });
  words.textContent = caption;
  svg.append(words);
  return svg;
}
