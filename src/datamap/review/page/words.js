// Our words in the page's language, and how numbers are written.

const { words } = JSON.parse(document.getElementById("data").textContent);

/** A text in the page's language, its {fields} filled in. */
export function tr(text, fields = {}) {
  const translated = Object.hasOwn(words, text) ? words[text] : text;
  return translated.replace(/\{(\w+)\}/g, (field, name) =>
    Object.hasOwn(fields, name) ? String(fields[name]) : field,
  );
}

/**
 * Elements that have a data attribute.
 *
 * @param {string} name
 * @returns {NodeListOf<HTMLInputElement>}
 */
const marked = (name) => document.querySelectorAll(`[data-${name}]`);

/** Translate what stands in the HTML: texts by data-word, names by data-label, hints by data-hint. */
export function translatePage() {
  for (const one of marked("word")) one.textContent = tr(one.dataset.word);
  for (const one of marked("label")) one.setAttribute("aria-label", tr(one.dataset.label));
  for (const one of marked("hint")) one.placeholder = tr(one.dataset.hint);
}

export const count = (n) => n.toLocaleString("en");
export const percent = (share) => `${Math.round(100 * share)}%`;
