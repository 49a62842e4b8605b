// Compute the summary after some observations, as datamap.summaries.dynamics does.

const REPLAYED = [
  "correct_times",
  "correct_ratio",
  "avg_probs",
  "label_var",
  "max_label_probs",
  "min_label_probs",
  "forgetting_times",
  "learnt_times",
  "first_forget",
  "first_learn",
];

/**
 * Return a function t → columns after the first t observations; columns that cannot be replayed keep their
 * final values.
 */
export function createReplay(samples) {
  let cached = { t: 0 };
  return (t) => {
    if (cached.t === t) return cached.columns;
    const columns =
      t === samples.numbers.length ? { ...samples.columns } : { ...samples.columns, ...replayed(samples, t) };
    columns.variability = columns.label_var.map(Math.sqrt);
    if (samples.predicted) columns.pred_label = lastPredicted(samples, t);
    cached = { t, columns };
    return columns;
  };
}

/** Compute the columns `REPLAYED` over the first t observations. */
export function replayed({ count, probs, levels, correct }, t) {
  const r = Object.fromEntries(REPLAYED.map((name) => [name, new Float32Array(count)]));
  for (let i = 0; i < count; i++) {
    let n = 0;
    let mean = 0;
    let m2 = 0;
    let right = 0;
    let before = -1;
    let high = 0;
    let low = 1;
    for (let s = 0; s < t; s++) {
      const at = s * count + i;
      if (probs[at] > levels) continue; // missing
      const p = probs[at] / levels;
      n += 1;
      const d = p - mean;
      mean += d / n;
      m2 += d * (p - mean);
      high = Math.max(high, p);
      low = Math.min(low, p);
      const now = correct[at];
      right += now;
      if (before === 1 && !now) {
        r.forgetting_times[i] += 1;
        r.first_forget[i] ||= n - 1;
      }
      if (before === 0 && now) {
        r.learnt_times[i] += 1;
        r.first_learn[i] ||= n - 1;
      }
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

/** Return the latest prediction of each sample within the first t observations; NaN if there is none. */
function lastPredicted({ count, predicted }, t) {
  const found = new Float32Array(count).fill(NaN);
  for (let s = 0; s < t; s++) {
    for (let i = 0; i < count; i++) if (predicted[s * count + i] >= 0) found[i] = predicted[s * count + i];
  }
  return found;
}
