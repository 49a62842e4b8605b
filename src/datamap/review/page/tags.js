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

/** Return the labels of a text: those that are doubted, then those that it has, then the others, each by rank. */
export function sortedLabels(parts) {
  const order = ({ label, proposed }) => (proposed !== null ? 0 : label ? 1 : 2);
  return [...parts].sort((a, b) => order(a) - order(b) || a.rank - b.rank);
}

/** Return the place of a tag in its entity: B of B-PER; "" where tags do not say it. */
const placeOf = (tag) => /^([BILUSEM])-/.exec(tag)?.[1] ?? "";

/**
 * Return the decision {row, tag} that moves the end of an entity by a token, or null where it cannot move.
 *
 * `tags`: of each token of the sentence, null for one without a tag. `at`: index of a token of the entity.
 */
export function movedEnd(tags, at, isWider) {
  const type = tags[at] === OUTSIDE ? null : tags[at] && typeOf(tags[at]);
  if (!type) return null;
  const goesOn = (tag) =>
    tag && tag !== OUTSIDE && typeOf(tag) === type && !"BUS".includes(placeOf(tag) || "I");
  let end = at;
  while (goesOn(tags[end + 1])) end++;
  if (!isWider) return end > at ? { at: end, tag: OUTSIDE } : null;
  const inside = placeOf(tags[at]) ? `I-${type}` : type;
  return tags[end + 1] ? { at: end + 1, tag: inside } : null;
}
