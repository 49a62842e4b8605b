// Create and fill elements. Texts are always set as textContent, never as markup.

/**
 * Return the element with this id, whatever its type.
 *
 * @param {string} id
 * @returns {any}
 */
export const $ = (id) => document.getElementById(id);

/**
 * Add an element `tag` with a text and a class to `parent`, and return it.
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
 * Create an SVG element with attributes.
 *
 * @param {string} tag
 * @param {Record<string, unknown>} attributes
 */
export function shape(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}
