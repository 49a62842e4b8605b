// All data of single samples, fetched in advance.

import { askJson } from "./server.js";

const MAX_KEPT = 60; // samples in memory
const SOON = 2; // samples whose neighbors are fetched before they are shown

/** A cache of /api/<path>/<row>: the newest `MAX_KEPT` answers. */
function createCache(path) {
  const promises = new Map();
  const values = new Map();
  return {
    /** The answer, where it is here. */
    at: (row) => values.get(row),
    /** A promise of the answer. */
    get(row) {
      if (!promises.has(row)) {
        const promise = askJson(`${path}/${row}`).then((value) => {
          if (promises.get(row) === promise) values.set(row, value);
          return value;
        });
        promise.catch(() => promises.get(row) === promise && promises.delete(row)); // the next one asks again
        promises.set(row, promise);
        for (const [old] of promises)
          if (promises.size > MAX_KEPT) {
            promises.delete(old);
            values.delete(old);
          }
      }
      return promises.get(row);
    },
    forget(row) {
      promises.delete(row);
      values.delete(row);
    },
    clear() {
      promises.clear();
      values.clear();
    },
  };
}

export const samples = createCache("sample");
export const neighbors = createCache("neighbors");

/** Ask for samples that may be shown next, the nearest first; what fails is asked again when it is shown. */
export function prefetch(rows) {
  for (const row of rows) samples.get(row).catch(() => {});
  for (const row of rows.slice(0, SOON)) neighbors.get(row).catch(() => {});
}
