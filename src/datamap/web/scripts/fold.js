// Show the beginning of a long text, and the rest of it on request.

import { add } from "./dom.js";

export const FOLDED = 400; // characters of a long text that are shown at first

/** Return the beginning of a long text, and other texts as they are. */
export function beginning(text) {
  if (text.length <= FOLDED * 1.25) return text;
  return `${text.slice(0, FOLDED).replace(/[\ud800-\udbff]$/, "")}…`; // never end within a surrogate pair
}

/**
 * Add a text to an element, and a button that shows all of a long one, or its beginning again.
 *
 * @param {Element} parent
 * @param {string} text
 * @param {(text: string, fields?: Record<string, unknown>) => string} tr
 */
export function addFolded(parent, text, tr) {
  const words = add(parent, "span", beginning(text));
  if (words.textContent === text) return;
  const more = add(parent, "button", "", "more");
  more.type = "button";
  const draw = (whole) => {
    words.textContent = whole ? text : beginning(text);
    more.textContent = whole ? tr("show less") : tr("show all {n} characters", { n: text.length });
    more.ariaExpanded = String(whole);
  };
  more.addEventListener("click", (event) => {
    event.stopPropagation();
    draw(more.ariaExpanded !== "true");
  });
  draw(false);
}
