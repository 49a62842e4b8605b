// Decisions on their way to the server.

import { Refusal } from "./server.js";

const DELAYS = [500, 1000, 2000, 4000]; // milliseconds between tries while the server is away

/**
 * Decisions in the order of their keys, kept in the browser until the server has them. Tabs of the same run
 * share them.
 *
 * send(item) gives the server's answer; it throws a `Refusal` for what the server will never take, and else
 * when nobody answers.
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
    this.plain = []; // what waits, where the browser stores nothing
    addEventListener("online", () => this.flush());
  }

  get waiting() {
    try {
      return JSON.parse(localStorage.getItem(this.name) ?? "[]");
    } catch {
      return this.plain; // no storage: this tab only
    }
  }

  set waiting(items) {
    this.plain = items;
    try {
      localStorage.setItem(this.name, JSON.stringify(items));
    } catch {
      /* no storage, or a full one */
    }
  }

  add(item) {
    this.waiting = [
      ...this.waiting,
      { ...item, key: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` },
    ];
    this.flush();
  }

  async flush() {
    if (this.flushing) return;
    this.flushing = true;
    clearTimeout(this.timer);
    const work = () => this.sendAll();
    await (navigator.locks ? navigator.locks.request(this.name, work) : work());
    this.flushing = false;
    this.changed();
    if (this.waiting.length && this.state === "idle") this.flush();
  }

  async sendAll() {
    for (let [item] = this.waiting; item; [item] = this.waiting) {
      try {
        const answer = await this.send(item);
        this.leave("idle", item);
        this.taken(item, answer);
      } catch (error) {
        if (!(error instanceof Refusal) || error.status === 403 || error.status >= 500)
          return this.again(error);
        this.leave("idle", item);
        this.refused(item, error);
      }
    }
  }

  leave(state, { key }) {
    this.state = state;
    this.tries = 0;
    this.waiting = this.waiting.filter((other) => other.key !== key);
  }

  again(error) {
    this.state = error.status === 403 ? "forbidden" : "lost";
    this.timer = setTimeout(() => this.flush(), DELAYS[Math.min(this.tries++, DELAYS.length - 1)]);
  }
}
