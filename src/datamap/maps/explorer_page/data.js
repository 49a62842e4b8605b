"use strict";
// One page, no library: data → columns at an epoch → visible samples → points, legend, table.
// Texts are only ever set as textContent, never as markup.

const DATA = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const tr = (text) => DATA.words[text] ?? text;
const N = DATA.count;
const T = DATA.numbers.length;
const MISSING = 65535;

function decode(text, Type) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Type(bytes.buffer);
}

const final = Object.fromEntries(Object.entries(DATA.columns).map(([k, v]) => [k, decode(v, Float32Array)]));
const probs = decode(DATA.probs, Uint16Array); // T × N, in 65534ths
const correct = decode(DATA.correct, Uint8Array); // T × N
const predicted = DATA.predicted ? decode(DATA.predicted, Uint16Array) : null; // T × N
const texts = Object.entries(DATA.texts);
const names = Object.keys(final);

// ---------------------------------------------------------------- the summary after `t` observations

let cached = { t: 0 };

/** Columns as they were after the first `t` observations; what cannot be replayed stays as at the end. */
function columnsAt(t) {
  if (cached.t === t) return cached.columns;
  const c = t === T ? { ...final } : { ...final, ...replayed(t) };
  if (predicted) c.pred_label = Float32Array.from({ length: N }, (_, i) => predictedAt(i, t));
  cached = { t, columns: c };
  return c;
}

const REPLAYED = ["correct_times", "correct_ratio", "avg_probs", "label_var", "max_label_probs", "min_label_probs",
  "forgetting_times", "learnt_times", "first_forget", "first_learn"];

function replayed(t) {
  const r = Object.fromEntries(REPLAYED.map((name) => [name, new Float32Array(N)]));
  for (let i = 0; i < N; i++) {
    let n = 0, mean = 0, m2 = 0, right = 0, before = -1, high = 0, low = 1;
    for (let s = 0; s < t; s++) {
      const at = s * N + i;
      if (probs[at] === MISSING) continue;
      const p = probs[at] / 65534;
      n += 1;
      const d = p - mean;
      mean += d / n;
      m2 += d * (p - mean);
      high = Math.max(high, p);
      low = Math.min(low, p);
      const now = correct[at];
      right += now;
      if (before === 1 && !now) { r.forgetting_times[i] += 1; r.first_forget[i] ||= n - 1; }
      if (before === 0 && now) { r.learnt_times[i] += 1; r.first_learn[i] ||= n - 1; }
      before = now;
    }
    r.correct_times[i] = right;
    r.correct_ratio[i] = n ? right / n : NaN;
    r.avg_probs[i] = n ? mean : NaN;
    r.label_var[i] = n ? m2 / n : NaN;
    r.max_label_probs[i] = high;
    r.min_label_probs[i] = low;
  }
  return r;
}

function predictedAt(i, t) {
  for (let s = t - 1; s >= 0; s--) if (predicted[s * N + i] !== MISSING) return predicted[s * N + i];
  return NaN;
}

// A column may be called like what every object has, such as `constructor`.
const isText = (name) => Object.hasOwn(DATA.texts, name);
const meaning = (name) => (Object.hasOwn(DATA.meanings, name) ? DATA.meanings[name] : "");
const className = (k) => DATA.classes[k] ?? String(k);
