// The server's answers.

import { reviewer } from "./reviewer.js";

const SECRET = new URLSearchParams(location.search).get("token") ?? "";
const TIMEOUT = 20_000; // milliseconds until a request counts as lost

/** What the server does not do, and says why. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** A text without halves of characters, which no server reads. */
export const asText = (text) => text.toWellFormed?.() ?? text;

/** The answer to a request; throws a `Refusal`, or a TypeError where nobody answers. */
export async function ask(path, body, who = reviewer.name) {
  const headers = { "X-Token": SECRET, "X-Reviewer": encodeURIComponent(asText(who)) };
  if (body) headers["Content-Type"] = "application/json";
  /** @type {RequestInit} */
  const options = {
    method: body ? "POST" : "GET",
    headers,
    body: body && JSON.stringify(body),
    cache: "no-store",
  };
  const answer = await fetch(`/api/${path}`, { ...options, signal: AbortSignal.timeout(TIMEOUT) });
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  throw new Refusal(answer.status, said.error ?? `${answer.status} ${answer.statusText}`);
}

export const askJson = async (path, body) => (await ask(path, body)).json();
export const askBytes = async (path, body) => (await ask(path, body)).arrayBuffer();
