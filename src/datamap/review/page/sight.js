// Compute which rows of a long list are visible: pure arithmetic.

const MAX_HEIGHT = 15_000_000; // pixels; browsers stop at 17 to 33 million

/**
 * Return the height of a list on the page; beyond `MAX_HEIGHT` one pixel of the scroll bar stands for several
 * of the list.
 */
export const listHeight = (total, rowHeight) => Math.min(MAX_HEIGHT, total * rowHeight);

/**
 * {first, last, top}: rows first to last (exclusive) are in sight, the first one `top` pixels below the
 * list's begin.
 */
export function inSight(scroll, height, total, rowHeight) {
  const tall = listHeight(total, rowHeight);
  const real = total * rowHeight;
  const position = tall < real ? (scroll / Math.max(1, tall - height)) * (real - height) : scroll;
  const first = Math.max(0, Math.min(Math.floor(position / rowHeight), total - 1));
  const last = Math.min(total, Math.ceil((position + height) / rowHeight));
  return { first, last, top: scroll - position + first * rowHeight };
}

/** Return the scroll position at which a row is visible, closest to the current one. */
export function scrolledTo(index, scroll, height, total, rowHeight) {
  const tall = listHeight(total, rowHeight);
  const real = total * rowHeight;
  const scale = tall < real ? (tall - height) / (real - height) : 1;
  const position = scroll / scale;
  const [top, bottom] = [index * rowHeight, (index + 1) * rowHeight];
  if (top < position) return top * scale;
  return bottom > position + height ? (bottom - height) * scale : scroll;
}
