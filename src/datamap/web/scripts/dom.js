// Elements made and filled. Texts are only ever set as textContent, never as markup.

/**
 * The element of this id, of whatever kind the page has it.
 *
 * @param {string} id
 * @returns {any}
 */
export const $ = (id) => document.getElementById(id);

/**
 * Add an element of kind `tag` with a text and a class to `parent`; returns it.
 *
 * @param {Element} parent
 * @param {string} tag
 * @returns {any}
 */
export function add(parent, tag, text = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  parent.append(made);
  return made;
}

/**
 * Make an SVG element with attributes.
 *
 * @param {string} tag
 * @param {Record<string, unknown>} attributes
 */
export function shape(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}
