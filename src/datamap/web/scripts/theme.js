// The page's colors, light or dark, for what is drawn on canvases: those of web/theme.css.

import { rgb } from "./numbers.js";

const NAMES = ["ink", "muted", "card", "accent", "faint", "grid", "edge"];
const MIN_CONTRAST = 3; // of a point to the paper, as WCAG 2 requires for graphics
const TINT = 1.1; // how much stronger a region's tint is on dark paper

/**
 * Return {name: color} of the page's present theme.
 *
 * @returns {any}
 */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** Call `changed` whenever people switch between light and dark. */
export const onTheme = (changed) =>
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);

/** Return the luminance of a color [r, g, b], 0 to 1, as WCAG 2 defines it. */
function luminance(color) {
  const [r, g, b] = color.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Lighten a color [r, g, b] until it is visible on dark paper; on light paper, return it unchanged. */
export function seenOn(paper, color) {
  const ground = luminance(paper);
  if (!(ground <= 0.5)) return color; // also if a page has no theme
  const most = 255 / Math.max(...color, 1);
  for (let step = 0; ; step++) {
    const times = Math.min(most, 1 + 0.1 * step); // first brighter in its own hue, then paler
    const white = Math.max(0, (1 + 0.1 * step - most) / 10);
    const lighter = color.map((value) => Math.round(value * times + (255 - value * times) * white));
    if ((luminance(lighter) + 0.05) / (ground + 0.05) >= MIN_CONTRAST) return lighter;
  }
}

/** Return a pale color, meant for white paper, as the same tint of this paper. */
export function tinted(paper, color) {
  if (!(luminance(paper) <= 0.5)) return color;
  const least = Math.min(...color);
  return paper.map((value, k) => Math.min(255, Math.round(value + TINT * (color[k] - least))));
}

/** Return a color "#rrggbb" adapted to the page's paper. */
export const shownColor = (color) => `rgb(${seenOn(rgb(palette().card), rgb(color)).join(" ")})`;
