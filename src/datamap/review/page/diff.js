// Compare two texts: pure functions.

// A word of letters and digits; of a script without spaces a character; white space; any other sign with what
// is joined to it.
const UNSPACED =
  "\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Thai}\\p{sc=Lao}\\p{sc=Khmer}\\p{sc=Myanmar}";
const JOINED = "(?:\\p{M}|[\\u{1f3fb}-\\u{1f3ff}]|\\u200d.)*";
const TOKEN = new RegExp(`(?:(?![${UNSPACED}])[\\p{L}\\p{N}\\p{M}])+|\\s+|.${JOINED}`, "gsu");
const MAX_CELLS = 1_000_000; // of the table below; longer texts are compared at both ends only
const FAR = 3; // differing tokens on both sides that make a common character between them meaningless
const MIN_SHARED = 0.2; // below, everything would be marked

export const tokensOf = (text) => text.match(TOKEN) ?? [];

/** Pairs [index in a, index in b] of a longest common subsequence. */
function matches(a, b) {
  const wide = b.length + 1;
  const length = new Uint16Array((a.length + 1) * wide);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const at = i * wide + j;
      length[at] = a[i] === b[j] ? length[at + wide + 1] + 1 : Math.max(length[at + wide], length[at + 1]);
    }
  }
  const pairs = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) pairs.push([i++, j++]);
    else length[(i + 1) * wide + j] >= length[i * wide + j + 1] ? i++ : j++;
  }
  return pairs;
}

/**
 * Tell which tokens of a and b are common: [bool of a's, bool of b's]. A single common character among
 * differences counts as chance.
 */
function common(a, b) {
  const [ofA, ofB] = [new Array(a.length).fill(false), new Array(b.length).fill(false)];
  const pairs = matches(a, b);
  const ends = [[-1, -1], ...pairs, [a.length, b.length]];
  pairs.forEach(([i, j], k) => {
    const gap = ([i0, j0], [i1, j1]) => i1 - i0 - 1 + (j1 - j0 - 1);
    const isChance = a[i].length === 1 && Math.min(gap(ends[k], [i, j]), gap([i, j], ends[k + 2])) >= FAR;
    ofA[i] = ofB[j] = !isChance;
  });
  return [ofA, ofB];
}

/** Group tokens into runs {text, same}; white space between two differences belongs to them. */
function runs(tokens, same) {
  const found = [];
  tokens.forEach((token, k) => {
    const gap = same[k] && !token.trim() && k > 0 && k < tokens.length - 1 && !same[k - 1] && !same[k + 1];
    const now = same[k] && !gap;
    if (found.length && found.at(-1).same === now) found.at(-1).text += token;
    else found.push({ text: token, same: now });
  });
  return found;
}

function sharedEnds(a, b) {
  const most = Math.min(a.length, b.length);
  let head = 0;
  let tail = 0;
  while (head < most && a[head] === b[head]) head++;
  while (tail < most - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  return [head, tail];
}

/**
 * Return [runs of a, runs of b], each {text, same}. Texts with almost nothing in common are left unmarked.
 */
export function difference(textA, textB) {
  const [a, b] = [tokensOf(textA), tokensOf(textB)];
  const [head, tail] = sharedEnds(a, b);
  const middle = (tokens) => tokens.slice(head, tokens.length - tail);
  const [midA, midB] = [middle(a), middle(b)];
  const [ofA, ofB] =
    midA.length * midB.length > MAX_CELLS ? [midA, midB].map((m) => m.map(() => false)) : common(midA, midB);
  const ends = (kept) => [...new Array(head).fill(true), ...kept, ...new Array(tail).fill(true)];
  const all = [
    [a, ends(ofA)],
    [b, ends(ofB)],
  ];
  const said = (tokens, same) => tokens.filter((token, k) => same[k] && token.trim()).join("").length;
  const shared = said(a, all[0][1]) / Math.max(1, Math.min(textA.length, textB.length));
  return all.map(([tokens, same]) =>
    shared < MIN_SHARED ? [{ text: tokens.join(""), same: true }] : runs(tokens, same),
  );
}
