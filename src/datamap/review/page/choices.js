// Assign classes to the keys 1 to 9: pure functions.

const MAX_CHOICES = 9;

/**
 * [{key, label}] of the classes that have a digit as their key; `label` is a class index. Classes that are
 * named by digits have their name as key. Otherwise up to nine classes all have a fixed key; of
 * more classes, those predicted for this sample do, the most frequent first, without the given and the
 * proposed one, which have their own keys.
 */
export function choicesOf(sample, classes) {
  if (classes.every((name) => /^[0-9]$/.test(name))) return classes.map((key, label) => ({ key, label }));
  const found = classes.length <= MAX_CHOICES ? classes.map((_, k) => k) : saidOf(sample);
  return found.map((label, place) => ({ key: String(place + 1), label }));
}

function saidOf(sample) {
  const times = new Map();
  for (const k of sample.history?.predicted ?? []) {
    if (k !== null && k !== sample.label && k !== sample.proposed) times.set(k, (times.get(k) ?? 0) + 1);
  }
  return [...times.keys()].sort((a, b) => times.get(b) - times.get(a) || a - b).slice(0, MAX_CHOICES);
}

/**
 * Return the indices of classes whose names contain the typed text: those that begin with it first, then in
 * the order of the classes.
 */
export function classesLike(typed, classes) {
  const wanted = typed.trim().toLowerCase();
  const found = classes.map((name, k) => [k, name.toLowerCase().indexOf(wanted)]).filter(([, at]) => at >= 0);
  return found.sort(([a, atA], [b, atB]) => Math.min(atA, 1) - Math.min(atB, 1) || a - b).map(([k]) => k);
}
