// Decisions on their way to the server.

import { Refusal } from "./server.js";

const DELAYS = [500, 1000, 2000, 4000]; // milliseconds between tries while the server is away

/**
 * Decisions in the order of their keys, kept in the browser until the server has them. Tabs of the same run
 * share them.
 *
 * send(item) returns the server's answer; it throws a `Refusal` if the server will never accept the item, and
 * another error if there is no answer.
 */
export class Outbox {
  constructor(name, send, { taken, refused, changed }) {
    this.name = name;
    this.send = send;
    this.taken = taken;
    this.refused = refused;
    this.changed = changed;
    this.tries = 0;
    this.state = "idle";
    this.reason = ""; // why the server refuses a request that is retried
    this.unstored = []; // waiting items that the browser cannot store
    addEventListener("online", () => this.flush());
  }

  /**
   * Return the waiting items: those that tabs share, then those of this tab only, if storage is full or
   * missing.
   */
  get waiting() {
    return [...this.stored, ...this.unstored];
  }

  get stored() {
    try {
      const items = JSON.parse(localStorage.getItem(this.name) ?? "[]");
      return Array.isArray(items) ? items : [];
    } catch {
      return [];
    }
  }

  /** Store items; return false if the browser does not accept them. */
  store(items) {
    try {
      localStorage.setItem(this.name, JSON.stringify(items));
      return true;
    } catch {
      return false;
    }
  }

  add(item) {
    const entry = { ...item, key: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` };
    if (this.unstored.length || !this.store([...this.stored, entry])) this.unstored.push(entry);
    this.flush();
  }

  async flush() {
    if (this.flushing) return;
    this.flushing = true;
    clearTimeout(this.timer);
    const work = () => this.sendAll();
    try {
      await (navigator.locks ? navigator.locks.request(this.name, work) : work());
    } catch (error) {
      this.again(error);
    } finally {
      this.flushing = false;
    }
    this.tell(() => this.changed());
    if (this.waiting.length && this.state === "idle") this.flush();
  }

  async sendAll() {
    for (let [item] = this.waiting; item; [item] = this.waiting) {
      let told;
      try {
        const answer = await this.send(item);
        told = () => this.taken(item, answer);
      } catch (error) {
        if (!(error instanceof Refusal) || error.status === 403 || error.status >= 500)
          return this.again(error);
        told = () => this.refused(item, error);
      }
      this.leave("idle", item);
      this.tell(told);
    }
  }

  /** Call back; an error there (on the page) does not keep decisions from being sent. */
  tell(callback) {
    try {
      callback();
    } catch (error) {
      reportError(error);
    }
  }

  leave(state, { key }) {
    this.state = state;
    this.tries = 0;
    this.store(this.stored.filter((other) => other.key !== key));
    this.unstored = this.unstored.filter((other) => other.key !== key);
  }

  again(error) {
    this.state = error.status === 403 ? "forbidden" : error.status >= 500 ? "failing" : "lost";
    this.reason = error.message;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), DELAYS[Math.min(this.tries++, DELAYS.length - 1)]);
  }
}
