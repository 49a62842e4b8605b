// What leaves the page: the table's TSV to the clipboard or a file, a command to the clipboard.

import { $ } from "../../web/scripts/dom.js";

export function say(text) {
  $("said").textContent = text;
}

/** Copy a text; where the browser does not let us, show it selected. */
export function copy(samples, text) {
  const area = $("plain");
  area.value = text;
  area.hidden = false;
  area.select();
  const done = document.execCommand("copy"); // the one way that MLflow's frame lets through
  area.hidden = done;
  say(samples.tr(done ? "copied" : "press Ctrl-C to copy"));
}

/** Save a text as samples.tsv; MLflow's frame forbids that, there it is shown. */
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
