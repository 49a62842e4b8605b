// Translate texts into the page's language.

/** Return a function (text, fields) → its translation in `words`, or itself, with {fields} filled in. */
export const translator =
  (words) =>
  (text, fields = {}) =>
    (Object.hasOwn(words, text) ? words[text] : text).replace(/\{(\w+)\}/g, (field, name) =>
      Object.hasOwn(fields, name) ? String(fields[name]) : field,
    );
