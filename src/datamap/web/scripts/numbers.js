// Format numbers for people.

/** Format a number with at most three significant digits; whole numbers keep all digits. */
export function short(value) {
  if (Number.isInteger(value)) return String(value);
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : "";
}

/** Return about six round numbers along an axis that starts at `low` and spans `length`. */
export function ticks(low, length) {
  const rough = length / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= rough);
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= low + length; k++)
    found.push(Number((k * step).toPrecision(10)));
  return found;
}

/** Convert "#rrggbb" to [r, g, b]. */
export const rgb = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
