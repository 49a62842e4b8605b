// Decide the color of each sample, and whether it is shown.

/**
 * Return the index of the first rule that each sample meets, as on the static maps: Uint8Array. Every sample
 * meets the last rule.
 */
export function groupsOf(rules, columns, count) {
  const group = new Uint8Array(count).fill(rules.length - 1);
  for (let k = rules.length - 2; k >= 0; k--) {
    // an earlier rule overwrites a later one
    const tests = Object.entries(rules[k].ranges).map(([column, [low, high]]) => ({
      values: columns[column],
      low: low ?? -Infinity,
      high: high ?? Infinity,
    }));
    if (tests.length === 1) {
      const [{ values, low, high }] = tests;
      for (let i = 0; i < count; i++) if (values[i] >= low && values[i] < high) group[i] = k;
    } else {
      for (let i = 0; i < count; i++)
        if (tests.every(({ values, low, high }) => values[i] >= low && values[i] < high)) group[i] = k;
    }
  }
  return group;
}

/** Mark each sample that legend, search and ranges admit with 1: Uint8Array. */
export function visibleOf(samples, columns, group, { hidden, query, filters }) {
  const visible = new Uint8Array(samples.count);
  const wanted = query.trim().toLowerCase();
  for (let i = 0; i < visible.length; i++) visible[i] = hidden.has(group[i]) ? 0 : 1;
  for (const { column, low, high } of filters) {
    const values = columns[column];
    for (let i = 0; i < visible.length; i++) if (!(values[i] >= low && values[i] <= high)) visible[i] = 0;
  }
  if (wanted)
    for (let i = 0; i < visible.length; i++) if (visible[i] && !matches(samples, i, wanted)) visible[i] = 0;
  return visible;
}

function matches({ idOf, textNames, textOf }, i, wanted) {
  return (
    idOf(i).toLowerCase().includes(wanted) ||
    textNames.some((name) => textOf(name, i).toLowerCase().includes(wanted))
  );
}

/** Count the visible samples of each group: array by group. */
export function countsOf(group, visible, groups) {
  const counts = new Array(groups).fill(0);
  for (let i = 0; i < group.length; i++) counts[group[i]] += visible[i];
  return counts;
}
