// The order and the colors of a sample's tags and labels: pure.

// The colors of Okabe and Ito, for the types of tags.
const TAG_COLORS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"];
const OUTSIDE = "O";

/** Return the type of a tag without its place in the entity: PER of B-PER. */
export const typeOf = (tag) => tag.replace(/^[BILUSEM]-/, "");

/** Return {type: color} of all tags but O. */
export function colorsOf(classes) {
  const types = [...new Set(classes.filter((name) => name !== OUTSIDE).map(typeOf))];
  return Object.fromEntries(types.map((type, k) => [type, TAG_COLORS[k % TAG_COLORS.length]]));
}

/** Return the labels of a text: suspect ones, then those that it has, then the others, each by rank. */
export function sortedLabels(parts) {
  const order = ({ label, proposed }) => (proposed !== null ? 0 : label ? 1 : 2);
  return [...parts].sort((a, b) => order(a) - order(b) || a.rank - b.rank);
}

/** Return the parts of a sample whose proposals nobody has decided on. */
export const openProposals = (parts, isDecided) =>
  parts.filter((part) => part.row !== null && part.proposed !== null && !isDecided(part));

/** Return the place of a tag in its entity: B of B-PER; "" where tags do not say it. */
const placeOf = (tag) => /^([BILUSEM])-/.exec(tag)?.[1] ?? "";

const isInside = (tag) => Boolean(tag) && tag !== OUTSIDE;

/** Tell whether an entity begins at a token that is in one. */
function begins(tags, at) {
  const [before, tag] = [tags[at - 1], tags[at]];
  return (
    !isInside(before) ||
    typeOf(before) !== typeOf(tag) ||
    "BUS".includes(placeOf(tag) || "I") ||
    "ELUS".includes(placeOf(before) || "I")
  );
}

/** Return [first, last] of the tokens of the entity that a token is in. */
function spanOf(tags, at) {
  let [first, last] = [at, at];
  while (!begins(tags, first)) first--;
  while (isInside(tags[last + 1]) && !begins(tags, last + 1)) last++;
  return [first, last];
}

/** Return the tags of an entity of `length` tokens, in the scheme of `classes`: BIO, BIOES, BILOU or BMES. */
function spelled(type, length, classes, start) {
  const used = new Set(classes.map(placeOf));
  const one = (...places) => places.find((place) => used.has(place));
  const inside = one("M", "I");
  if (!inside) return Array(length).fill(type);
  const single = one("S", "U");
  const first = start === "I" && !single ? "I" : "B";
  if (length === 1) return [`${single ?? first}-${type}`];
  const last = one("E", "L") ?? inside;
  return [first, ...Array(length - 2).fill(inside), last].map((place) => `${place}-${type}`);
}

/**
 * Return the decisions [{at, tag}] that move a border of an entity by a token, or null where it cannot move.
 *
 * `tags`: of each token of the sentence, null for one without a tag. `at`: index of a token of the entity.
 * `isStart`: move its beginning, not its end. What is left of an entity that loses a token stays one.
 */
export function movedBorder(tags, at, isStart, isWider, classes) {
  if (!isInside(tags[at])) return null;
  const wanted = [...tags];
  const spell = (entity, first, last) => {
    const start = tags[spanOf(tags, entity)[0]];
    const found = spelled(typeOf(start), last - first + 1, classes, placeOf(start));
    wanted.splice(first, found.length, ...found);
  };
  const [first, last] = spanOf(tags, at);
  const step = isStart ? -1 : 1;
  const border = isStart ? first : last;
  if (isWider) {
    const gained = border + step;
    if (!tags[gained]) return null;
    if (isInside(tags[gained])) {
      const [from, to] = spanOf(tags, gained);
      if (from < to) spell(gained, isStart ? from : from + 1, isStart ? to - 1 : to);
    }
    spell(at, Math.min(first, gained), Math.max(last, gained));
  } else {
    if (first === last) return null;
    wanted[border] = OUTSIDE;
    spell(at, isStart ? first + 1 : first, isStart ? last : last - 1);
  }
  const moved = wanted.flatMap((tag, k) => (tag === tags[k] ? [] : [{ at: k, tag }]));
  return moved.every(({ tag }) => classes.includes(tag)) ? moved : null;
}
