// What two texts differ in: pure.

// A word of letters and digits; of a script without spaces a character; white space; any other sign with what is joined to it.
const UNSPACED = "\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Thai}\\p{sc=Lao}\\p{sc=Khmer}\\p{sc=Myanmar}";
const JOINED = "(?:\\p{M}|[\\u{1f3fb}-\\u{1f3ff}]|\\u200d.)*";
const TOKEN = new RegExp(`(?:(?![${UNSPACED}])[\\p{L}\\p{N}\\p{M}])+|\\s+|.${JOINED}`, "gsu");
const MOST_CELLS = 1_000_000; // of the table below; longer texts are compared at both ends only
const LEAST_SHARED = 0.2; // below, everything would be marked

export const tokensOf = (text) => text.match(TOKEN) ?? [];

/** Which tokens of a and b belong to a longest common subsequence: [bool of a's, bool of b's]. */
function common(a, b) {
  const wide = b.length + 1, length = new Uint16Array((a.length + 1) * wide);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const at = i * wide + j;
      length[at] = a[i] === b[j] ? length[at + wide + 1] + 1 : Math.max(length[at + wide], length[at + 1]);
    }
  }
  const [ofA, ofB] = [new Array(a.length).fill(false), new Array(b.length).fill(false)];
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i] === b[j]) ofA[i++] = ofB[j++] = true;
    else length[(i + 1) * wide + j] >= length[i * wide + j + 1] ? i++ : j++;
  }
  return [ofA, ofB];
}

/** Tokens as runs {text, same}; white space between two differences is part of them. */
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
  let head = 0, tail = 0;
  while (head < most && a[head] === b[head]) head++;
  while (tail < most - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  return [head, tail];
}

/** [runs of a, runs of b], each {text, same}. Texts that share next to nothing come back unmarked. */
export function difference(textA, textB) {
  const [a, b] = [tokensOf(textA), tokensOf(textB)], [head, tail] = sharedEnds(a, b);
  const middle = (tokens) => tokens.slice(head, tokens.length - tail);
  const [midA, midB] = [middle(a), middle(b)];
  const [ofA, ofB] = midA.length * midB.length > MOST_CELLS ? [midA, midB].map((m) => m.map(() => false)) : common(midA, midB);
  const ends = (kept) => [...new Array(head).fill(true), ...kept, ...new Array(tail).fill(true)];
  const all = [[a, ends(ofA)], [b, ends(ofB)]];
  const said = ([tokens, same]) => tokens.filter((token, k) => same[k] && token.trim()).join("").length;
  const shared = said(all[0]) / Math.max(1, Math.min(textA.length, textB.length));
  return all.map(([tokens, same]) => (shared < LEAST_SHARED ? [{ text: tokens.join(""), same: true }] : runs(tokens, same)));
}
