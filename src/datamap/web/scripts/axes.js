// Draw what surrounds the points: axes and their names, the grid, regions and their names.

import { rgb, ticks } from "./numbers.js";
import { tinted } from "./theme.js";

/**
 * Draw axes and grid on a 2D context, in CSS pixels, over the points. `labels` {x, y}: names of the axes;
 * `colors`: the page's `palette()`.
 */
export function drawAxes(context, view, labels, colors) {
  const { left, top, right, bottom } = view.plot();
  context.strokeStyle = colors.grid;
  context.fillStyle = colors.ink;
  context.font = "11px system-ui, sans-serif";
  context.textAlign = "center";
  for (const value of ticks(view.x, view.width)) {
    const [px] = view.toScreen(value, 0);
    line(context, px, top, px, bottom);
    context.fillText(String(value), px, bottom + 15);
  }
  context.textAlign = "right";
  for (const value of ticks(view.y, view.height)) {
    const [, py] = view.toScreen(0, value);
    line(context, left, py, right, py);
    context.fillText(String(value), left - 6, py + 4);
  }
  context.strokeStyle = colors.edge;
  line(context, left, top, left, bottom);
  line(context, left, bottom, right, bottom);
  drawNames(context, view, labels);
}

function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

function drawNames(context, view, labels) {
  const { left, top, right, bottom } = view.plot();
  context.font = "12px system-ui, sans-serif";
  context.textAlign = "center";
  context.fillText(labels.x, (left + right) / 2, view.box.height - 6);
  context.save();
  context.translate(13, (top + bottom) / 2);
  context.rotate(-Math.PI / 2);
  context.fillText(labels.y, 0, 0);
  context.restore();
}

/**
 * Return the visible parts of regions, in pixels from the top left corner of the plotted rectangle:
 * [{color: [r, g, b], left, right, top, bottom}].
 *
 * `regions`: [{name, color, x: [low, high], y: [low, high]}], null = open. `paper`: [r, g, b] of the ground.
 */
export function regionsInView(view, regions, paper) {
  const plot = view.plot();
  return regions.flatMap(({ color, x, y }) => {
    const part = shownPart(view, x, y);
    return part
      ? [
          {
            color: tinted(paper, rgb(color)),
            left: part.left - plot.left,
            right: part.right - plot.left,
            top: part.top - plot.top,
            bottom: part.bottom - plot.top,
          },
        ]
      : [];
  });
}

/** Write the regions' names over the points. */
export function drawRegionNames(context, view, regions, colors) {
  context.font = "italic 11px system-ui, sans-serif";
  for (const { name, x, y } of regions) {
    const part = shownPart(view, x, y);
    // A name that does not fit into the visible part of its region would seem to name the region beside it.
    if (!part || part.right - part.left < context.measureText(name).width + 10 || part.bottom - part.top < 20)
      continue;
    const atRight = x[1] === null;
    const atBottom = y[0] === null && y[1] !== null;
    context.textAlign = atRight ? "right" : "left";
    context.lineWidth = 3;
    context.strokeStyle = `${colors.card}d0`;
    context.fillStyle = colors.muted;
    for (const write of ["strokeText", "fillText"]) {
      context[write](
        name,
        atRight ? part.right - 5 : part.left + 5,
        atBottom ? part.bottom - 6 : part.top + 14,
      );
    }
    context.lineWidth = 1;
  }
}

/** Return the visible part of a region in pixels; null if no part is visible. */
export function shownPart(view, [x0, x1], [y0, y1]) {
  const { left, top, right, bottom } = view.plot();
  const part = {
    left: x0 === null ? left : Math.max(left, view.toScreen(x0, 0)[0]),
    right: x1 === null ? right : Math.min(right, view.toScreen(x1, 0)[0]),
    top: y1 === null ? top : Math.max(top, view.toScreen(0, y1)[1]),
    bottom: y0 === null ? bottom : Math.min(bottom, view.toScreen(0, y0)[1]),
  };
  return part.left < part.right && part.top < part.bottom ? part : null;
}
