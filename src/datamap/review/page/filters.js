// The samples in the queue: the filters above the list, and the area enclosed on the map.

import { $, add } from "../../web/scripts/dom.js";
import { NOTHING, queue } from "./queue.js";
import { asText } from "./server.js";
import { tr } from "./words.js";

const PAUSE = 250; // milliseconds after the last typed letter
const DECIDED = {
  no: "not yet by me",
  nobody: "by nobody yet",
  yes: "reviewed",
  conflict: "reviewers disagree",
  "": "all",
};
const ORDERS = {
  score: "most likely wrong first",
  uncertain: "most uncertain first",
  id: "in the order of the data",
};

/** Draw the filters; `changed()` is called when the queue must be reloaded. */
export function createFilters(run, changed) {
  const box = $("filters");
  let timer = 0;
  let typed = {}; // what was typed and is not applied yet

  function apply(changes) {
    clearTimeout(timer);
    Object.assign(queue.filter, typed, changes);
    typed = {};
    say();
    changed();
  }

  function later(changes) {
    clearTimeout(timer);
    Object.assign(typed, changes);
    timer = setTimeout(() => apply({}), PAUSE);
  }

  function chooser(name, options, value, take) {
    const label = add(box, "label");
    add(label, "span", tr(name));
    const list = add(label, "select");
    for (const [key, text] of options) add(list, "option", text).value = key;
    list.value = value;
    list.addEventListener("change", () => take(list.value));
    return list;
  }

  const any = ["", tr("any")];
  const classes = [any, ...run.classes.map((text, k) => [String(k), text])];
  const several = (key) => (value) =>
    apply({ [key]: value === "" ? null : [key === "region" ? value : Number(value)] });
  const lists = {
    decided: chooser(
      "show",
      Object.entries(DECIDED).map(([key, text]) => [key, tr(text)]),
      "no",
      (value) => apply({ decided: value || null }),
    ),
    order: chooser(
      "order",
      Object.entries(ORDERS)
        // a score that is no probability has no middle
        .filter(([key]) => run.probable || key !== "uncertain")
        .map(([key, text]) => [key, tr(text)]),
      queue.order,
      (value) => {
        queue.order = value;
        apply({});
      },
    ),
    region: chooser(
      "region",
      [any, ...run.regions.map(([key, name]) => [key, tr(name)])],
      "",
      several("region"),
    ),
    label: chooser("given label", classes, "", several("label")),
    proposed: chooser("proposed label", classes, "", several("proposed")),
  };
  for (const list of [lists.label, lists.proposed]) list.closest("label").hidden = !run.labeled;
  const [low, high] = scoreRange(box, (range) => later({ score: range }));

  const searched = () => asText($("search").value.trim()) || null;
  $("search").addEventListener("input", () => later({ text: searched() }));
  $("show-filters").addEventListener("click", () => {
    box.hidden = !box.hidden;
    $("show-filters").setAttribute("aria-expanded", String(!box.hidden));
  });
  const clear = add(box, "button", tr("clear filters"));
  clear.type = "button";
  clear.addEventListener("click", () => set({ ...NOTHING, decided: "no" }));

  /** Search for a text at once; "" ends the search. */
  function search(text) {
    $("search").value = text;
    if (searched() !== queue.filter.text || "text" in typed) apply({ text: searched() });
  }

  /** Show a filter that was chosen elsewhere, and load the queue. */
  function set(filter) {
    for (const [name, list] of Object.entries(lists))
      if (name !== "order") list.value = filter[name]?.[0] ?? "";
    lists.decided.value = filter.decided ?? "";
    $("search").value = filter.text ?? "";
    [low.value, high.value] = filter.score ?? ["", ""];
    apply(filter);
  }

  function say() {
    const active = Object.entries(queue.filter).filter(
      ([key, value]) => value !== null && !(key === "decided" && value === "no"),
    );
    $("show-filters").textContent = active.length ? `${tr("Filters")} · ${active.length}` : tr("Filters");
  }
  say();
  return { set, apply, search };
}

function scoreRange(box, take) {
  const label = add(box, "div", "", "range");
  add(label, "span", tr("score"));
  const ends = ["from", "to"].map((hint) => {
    const input = add(label, "input");
    Object.assign(input, { type: "number", min: 0, max: 1, step: 0.05, placeholder: tr(hint) });
    input.setAttribute("aria-label", `${tr("score")} ${tr(hint)}`);
    return input;
  });
  for (const input of ends) {
    input.addEventListener("input", () => {
      const [from, to] = ends.map((end) => end.value);
      take(from === "" && to === "" ? null : [from === "" ? 0 : Number(from), to === "" ? 1 : Number(to)]);
    });
  }
  return ends;
}
