// Compute the visible part of the map and positions on the screen: pure arithmetic without elements.

export const MARGIN = { left: 56, right: 10, top: 34, bottom: 40 }; // pixels around the plotted rectangle

/**
 * Create a view: the part of the map from (x, y) over `width` and `height`, drawn into a box of pixels.
 *
 * `limits`: those of the complete map, {x: [low, high], y: [low, high]}.
 */
export function createView(limits) {
  const view = {
    limits,
    x: 0,
    y: 0,
    width: 1,
    height: 1,
    box: { width: 1, height: 1 },
    plot: () => ({
      left: MARGIN.left,
      top: MARGIN.top,
      right: view.box.width - MARGIN.right,
      bottom: view.box.height - MARGIN.bottom,
    }),
    scale() {
      // pixels per unit
      const { left, right, top, bottom } = view.plot();
      return { x: (right - left) / view.width, y: (bottom - top) / view.height };
    },
    toScreen(x, y) {
      const { left, bottom } = view.plot();
      const scale = view.scale();
      return [left + (x - view.x) * scale.x, bottom - (y - view.y) * scale.y];
    },
    toMap(px, py) {
      const { left, bottom } = view.plot();
      const scale = view.scale();
      return [view.x + (px - left) / scale.x, view.y + (bottom - py) / scale.y];
    },
    showAll() {
      const [[left, right], [bottom, top]] = [view.limits.x, view.limits.y];
      Object.assign(view, { x: left, y: bottom, width: right - left, height: top - bottom });
    },
    /** Zoom out by `factor`, and keep the point at the pixel (px, py) where it is. */
    zoom(px, py, factor) {
      const [left, right] = view.limits.x;
      const widest = 4 * (right - left);
      const tightest = 1e-5 * (right - left);
      const kept = Math.min(widest / view.width, Math.max(tightest / view.width, factor));
      const [x, y] = view.toMap(px, py);
      Object.assign(view, {
        x: x - (x - view.x) * kept,
        y: y - (y - view.y) * kept,
        width: view.width * kept,
        height: view.height * kept,
      });
    },
    /** Shift the map by pixels: the point at (0, 0) moves to (dx, dy). */
    pan(dx, dy) {
      const scale = view.scale();
      view.x -= dx / scale.x;
      view.y += dy / scale.y;
    },
    /** Bring a position of the map into the center, unless it is visible already. */
    reach(x, y) {
      const inX = x >= view.x && x <= view.x + view.width;
      const inY = y >= view.y && y <= view.y + view.height;
      if (!inX) view.x = x - view.width / 2;
      if (!inY) view.y = y - view.height / 2;
    },
  };
  view.showAll();
  return view;
}
