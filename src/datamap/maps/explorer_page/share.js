// Copy the table or a command to the clipboard, or save the table as a file.

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

/** Save a text as samples.tsv; in MLflow's frame, which forbids downloads, show it instead. */
export function download(samples, text) {
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
  link.href = URL.createObjectURL(new Blob([text], { type: "text/tab-separated-values" }));
  link.download = "samples.tsv";
  link.click();
  URL.revokeObjectURL(link.href);
  say("samples.tsv");
}
