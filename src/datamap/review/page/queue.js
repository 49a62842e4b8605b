// The samples to review, in order: a snapshot of their rows; their contents are loaded on demand.

import { askBytes, askJson } from "./server.js";

const MAX_REQUESTED = 200; // rows per request

export const NOTHING = {
  region: null,
  label: null,
  proposed: null,
  score: null,
  text: null,
  polygon: null,
  decided: null,
};

export const queue = {
  rows: new Uint32Array(0),
  filter: { ...NOTHING, decided: "no" },
  order: "score",
  briefs: new Map(), // row → what the list shows of it
  fresh: new Set(), // rows whose briefs are as the server has them
  asked: new Set(),
  version: 0, // of the newest snapshot asked for: an older one that comes later is dropped

  /** Load a new snapshot; return false if another one was requested in the meantime. */
  async load() {
    const version = ++this.version;
    const bytes = await askBytes("order", { filter: this.filter, order: this.order });
    if (version !== this.version) return false;
    this.rows = new Uint32Array(bytes);
    return true;
  },

  get length() {
    return this.rows.length;
  },
  indexOf(row) {
    return this.rows.indexOf(row);
  },
  briefAt(index) {
    return this.briefs.get(this.rows[index]);
  },

  /**
   * Fetch the missing data of the samples from first to last (exclusive); return true if there was any.
   */
  async fetch(first, last) {
    const missing = [...this.rows.subarray(Math.max(0, first), last)].filter(
      (row) => !this.fresh.has(row) && !this.asked.has(row),
    );
    if (!missing.length) return false;
    for (const row of missing) this.asked.add(row);
    try {
      for (let k = 0; k < missing.length; k += MAX_REQUESTED) {
        const { rows } = await askJson("samples", { rows: missing.slice(k, k + MAX_REQUESTED) });
        for (const brief of rows) {
          this.briefs.set(brief.row, brief);
          this.fresh.add(brief.row);
        }
      }
    } finally {
      for (const row of missing) this.asked.delete(row);
    }
    return true;
  },

  /** Discard the data after a decision, so that visible samples are requested again. */
  forget() {
    this.fresh.clear();
  },
};
