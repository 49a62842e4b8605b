// Copy the table, a command or ids to the clipboard, or save them as a file.

import { $ } from "../../web/scripts/dom.js";

export function say(text) {
  $("said").textContent = text;
}

/** Copy a text; if the browser does not allow it, show the text selected. */
export function copy(samples, text) {
  const area = $("plain");
  area.value = text;
  area.hidden = false;
  area.select();
  const done = document.execCommand("copy"); // the only way that MLflow's frame allows
  area.hidden = done;
  say(samples.tr(done ? "copied" : "press Ctrl-C to copy"));
}

/** Save a text as a file; in MLflow's frame, which forbids downloads, show it instead. */
export function download(samples, text, name = "samples.tsv") {
  if (window.origin === "null" && window.parent !== window) {
    const area = $("plain");
    area.value = text;
    area.hidden = false;
    area.select();
    say(
      samples.tr("MLflow's viewer forbids downloads: copy this text, or download explorer.html and open it"),
    );
    return;
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
  say(name);
}

const MAX_COMMAND = 30_000; // characters of a command that every shell accepts
const FILE = "ids.txt";

/**
 * Return the ids of whole samples, each once: those of units, `<sample>:<position>`, name the samples they
 * are of.
 */
export function idsOfSamples(ids, inUnits) {
  return inUnits ? [...new Set(ids.map((id) => id.slice(0, id.lastIndexOf(":"))))] : ids;
}

/**
 * Return ids as a value of the command line; null where they are too many for it, or contain characters that
 * a shell interprets.
 */
export function asOverride(ids) {
  if (ids.some((id) => /["'\\$\p{C}]/u.test(id))) return null;
  const list = ids.map((id) => (/^(0|-?[1-9][0-9]*)$/.test(id) ? id : `"${id}"`)).join(",");
  return list.length > MAX_COMMAND ? null : `[${list}]`;
}

/** Copy `key`=<ids> after a command; where the ids do not fit into it, save them as a file, and name that. */
export function copyIds(samples, ids, key, command = "") {
  const list = asOverride(ids);
  copy(samples, `${command} '${key}=${list ?? FILE}'`.trim());
  if (list === null) download(samples, ids.map((id) => `${id}\n`).join(""), FILE);
}
