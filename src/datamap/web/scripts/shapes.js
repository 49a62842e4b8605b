// Test which points a box or a lasso encloses: pure geometry, with corners as [x, y].

/** Return a function that tells whether a point lies in the rectangle between two corners. */
export const inBox =
  ([x0, y0], [x1, y1]) =>
  (x, y) =>
    x >= Math.min(x0, x1) && x <= Math.max(x0, x1) && y >= Math.min(y0, y1) && y <= Math.max(y0, y1);

/**
 * Return a function that tells whether a point lies in a polygon, by the parity of the edges to its right.
 */
export function inPolygon(corners) {
  const xs = corners.map(([x]) => x);
  const ys = corners.map(([, y]) => y);
  const inBounds = inBox([Math.min(...xs), Math.min(...ys)], [Math.max(...xs), Math.max(...ys)]);
  return (x, y) => {
    if (!inBounds(x, y)) return false;
    let inside = false;
    for (let a = 0, b = corners.length - 1; a < corners.length; b = a++) {
      const [ax, ay] = corners[a];
      const [bx, by] = corners[b];
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
    }
    return inside;
  };
}

/** Return the four corners of the rectangle between two opposite ones. */
export const corners = ([x0, y0], [x1, y1]) => [
  [x0, y0],
  [x1, y0],
  [x1, y1],
  [x0, y1],
];
