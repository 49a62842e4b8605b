// Map keys to actions: pure functions.

const REVIEW_KEYS = {
  k: "keep",
  p: "accept",
  Enter: "accept",
  d: "drop",
  u: "unsure",
  z: "undo",
  j: "skip",
  ArrowRight: "skip",
  ArrowLeft: "back",
  g: "jump",
  l: "classes",
  "/": "classes",
  "?": "help",
  s: "search",
};
// The borders of an entity: with Shift its end, with Ctrl and Shift its beginning.
const ENDS = { ArrowRight: "widenEnd", ArrowLeft: "narrowEnd" };
const STARTS = { ArrowRight: "narrowStart", ArrowLeft: "widenStart" };
const ALL = { Enter: "acceptAll" }; // with Shift: the proposals of all parts of the sample
const REPEATING = new Set(["skip", "back"]); // what a key that is held down may do again

/** Return the letter of a key on any layout, even while an input method is active. */
function letterOf({ key, code }) {
  if (/^[a-z]$/i.test(key)) return key.toLowerCase();
  if (key.length === 1 && key.charCodeAt(0) < 128) return key;
  const [, letter] = /^(?:Key|Digit)([A-Z0-9])$/.exec(code ?? "") ?? [];
  return letter ? letter.toLowerCase() : key;
}

/** Return {name, key} of the action that a keydown event requests, or null. */
export function actionOf(event) {
  const key = letterOf(event);
  if (event.shiftKey && !event.altKey && Object.hasOwn(ENDS, key))
    return { name: (event.ctrlKey || event.metaKey ? STARTS : ENDS)[key], key };
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const known = event.shiftKey && Object.hasOwn(ALL, key) ? ALL : REVIEW_KEYS;
  const name = /^[0-9]$/.test(key) ? "choice" : Object.hasOwn(known, key) ? known[key] : null;
  if (!name || (event.repeat && !REPEATING.has(name))) return null;
  return { name, key };
}

/** Tell whether the focused element handles this key itself: a field every key, a button Enter. */
export function isTaken(event) {
  const at = event.target;
  if (at.closest?.("dialog[open], textarea, select, input:not([type=checkbox])")) return true;
  return event.key === "Enter" && Boolean(at.closest?.("button, a, summary, [role=option]"));
}
