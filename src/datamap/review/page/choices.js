// Which classes the keys 1 to 9 stand for: pure.

export const MOST_CHOICES = 9;

/**
 * Class indices, at most nine. Of up to nine classes all, each always under its own key; of more those that a model said of
 * this sample, most often first, without the given and the proposed one, which have keys of their own.
 */
export function choicesOf(sample, classCount) {
  if (classCount <= MOST_CHOICES) return Array.from({ length: classCount }, (_, k) => k);
  const times = new Map();
  for (const k of sample.history?.predicted ?? []) {
    if (k !== null && k !== sample.label && k !== sample.proposed) times.set(k, (times.get(k) ?? 0) + 1);
  }
  return [...times.keys()].sort((a, b) => times.get(b) - times.get(a) || a - b).slice(0, MOST_CHOICES);
}

/** Class indices whose names hold the typed words: those that begin so first, then in the order of the classes. */
export function classesLike(typed, classes) {
  const wanted = typed.trim().toLowerCase();
  const found = classes.map((name, k) => [k, name.toLowerCase().indexOf(wanted)]).filter(([, at]) => at >= 0);
  return found.sort(([a, atA], [b, atB]) => Math.min(atA, 1) - Math.min(atB, 1) || a - b).map(([k]) => k);
}
