// Draw a sample's learning history as a small line.

import { add, shape } from "./dom.js";

const MANY = 40; // with more observations, dots are small
const AXIS = 26; // pixels for the numbers of the axis
const SMALL = { "font-size": 10, fill: "var(--muted)" };

/**
 * Draw the probability of the given label over the observations as a figure: a dot per observation, filled if
 * the model was right, else a ring.
 *
 * `history`: [{probability: 0 to 1, or null if the sample is missing, correct, faint, title}], oldest first.
 * `caption`: text below the line.
 * `ends`: [first, last], labels at the ends of the time axis; without it, no axes are drawn.
 */
export function drawHistory(history, caption, { width = 220, height = 48, ends = null } = {}) {
  const left = ends ? AXIS : 0;
  const foot = ends ? 16 : 0;
  const svg = shape("svg", {
    width,
    height: height + foot,
    viewBox: `0 0 ${width} ${height + foot}`,
    class: "history",
    role: "img",
    "aria-label": caption,
  });
  svg.append(shape("rect", { x: left, y: 0, width: width - left, height, fill: "var(--ground)" }));
  svg.append(shape("line", { x1: left, x2: width, y1: height / 2, y2: height / 2, stroke: "var(--line)" }));
  const dots = dotsOf(history, left, width, height);
  svg.append(
    shape("polyline", {
      points: dots.map(({ cx, cy }) => `${cx},${cy}`).join(" "),
      fill: "none",
      stroke: "var(--curve)",
    }),
  );
  for (const { title, ...dot } of dots) {
    const circle = shape("circle", dot);
    if (title) circle.append(svgText("title", title));
    svg.append(circle);
  }
  if (ends) drawEnds(svg, ends, left, width, height);
  const figure = document.createElement("figure");
  figure.append(svg);
  add(figure, "figcaption", caption);
  return figure;
}

function dotsOf(history, left, width, height) {
  const last = Math.max(1, history.length - 1);
  const r = history.length > MANY ? 1.5 : 3.5;
  return history.flatMap(({ probability, correct, faint, title }, k) =>
    probability === null
      ? []
      : [
          {
            cx: history.length === 1 ? (left + width) / 2 : left + 6 + (k / last) * (width - left - 12),
            cy: 5 + (1 - probability) * (height - 10),
            r,
            fill: correct ? "var(--right)" : "var(--card)",
            stroke: correct ? "var(--right)" : "var(--wrong)",
            "stroke-width": history.length > MANY ? 1 : 2,
            opacity: faint ? 0.25 : 1,
            title,
          },
        ],
  );
}

function drawEnds(svg, [first, last], left, width, height) {
  for (const [text, y] of [
    ["1", 9],
    ["0.5", height / 2 + 4],
    ["0", height - 1],
  ])
    svg.append(svgText("text", text, { x: left - 5, y, "text-anchor": "end", ...SMALL }));
  svg.append(svgText("text", String(first), { x: left + 2, y: height + 12, ...SMALL }));
  if (last !== first)
    svg.append(
      svgText("text", String(last), { x: width - 2, y: height + 12, "text-anchor": "end", ...SMALL }),
    );
}

function svgText(tag, text, attributes = {}) {
  const made = shape(tag, attributes);
  made.textContent = text;
  return made;
}
