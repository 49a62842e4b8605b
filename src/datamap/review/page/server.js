// The server's answers.

import { reviewer } from "./reviewer.js";

const SECRET = new URLSearchParams(location.search).get("token") ?? "";
const TIMEOUT = 20_000; // milliseconds until a request counts as lost

/** A request that the server refuses, with its reason. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Return a text without lone surrogates, which no server accepts. */
export const asText = (text) => text.toWellFormed?.() ?? text;

/** Return the answer to a request; throw a `Refusal`, or a TypeError if there is no answer. */
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
