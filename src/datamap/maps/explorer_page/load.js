// Load the page's samples from the data inside it.

import { $ } from "../../web/scripts/dom.js";
import { unpack, unpackJson } from "../../web/scripts/unpack.js";
import { translator } from "../../web/scripts/words.js";

const MISSING = 65535; // stands for no class

/**
 * Return the samples: numbers as typed arrays, probabilities and predictions as observations × samples.
 *
 * `textOf(name, row)` returns a sample's text, "" if the page has none. `explorer.py` defines the rest.
 */
export async function load() {
  const data = JSON.parse($("data").textContent);
  const named = async (packed, open) =>
    Object.fromEntries(
      await Promise.all(Object.entries(packed).map(async ([name, value]) => [name, await open(value)])),
    );
  const [ids, texts, columns, probs, correct, predicted, proposed, textRows] = await Promise.all([
    unpackIds(data.ids),
    named(data.texts, unpackJson),
    named(data.columns, (text) => unpack(text, Float32Array)),
    unpack(data.probs, data.levels > 255 ? Uint16Array : Uint8Array),
    unpack(data.correct, Uint8Array),
    data.predicted && unpack(data.predicted, Uint16Array),
    data.proposed && unpack(data.proposed, Uint16Array),
    data.textRows && unpack(data.textRows, Uint32Array),
  ]);
  if (proposed) columns.proposed = withoutMissing(proposed);
  return {
    ...data,
    ...ids,
    columns,
    probs,
    correct,
    predicted: predicted && withoutMissing(predicted),
    textNames: Object.keys(texts),
    textOf: reader(texts, textRows, data.count),
    // A column may have the name of a property of every object, such as `constructor`.
    isText: (name) => Object.hasOwn(texts, name),
    isClass: (name) => ["label", "pred_label", "proposed"].includes(name),
    meaning: (name) => (Object.hasOwn(data.meanings, name) ? data.meanings[name] : ""),
    className: (k) => (Number.isFinite(k) ? (data.classes[k] ?? String(k)) : ""),
    tr: translator(data.words),
  };
}

/** Return {idOf: row → id as text, rowOf: id → row}. */
async function unpackIds({ numbers, texts }) {
  const ids = numbers ? await unpack(numbers, Int32Array) : await unpackJson(texts);
  return { idOf: (i) => String(ids[i]), rowOf: (id) => ids.indexOf(numbers ? Number(id) : String(id)) };
}

function withoutMissing(classes) {
  const found = new Float32Array(classes);
  for (let i = 0; i < found.length; i++) if (found[i] === MISSING) found[i] = NaN;
  return found;
}

function reader(texts, rows, count) {
  if (!rows) return (name, i) => texts[name][i];
  const at = new Int32Array(count).fill(-1);
  rows.forEach((row, k) => {
    at[row] = k;
  });
  return (name, i) => (at[i] < 0 ? "" : texts[name][at[i]]);
}
