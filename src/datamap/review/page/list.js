// The queue on the left: only the visible rows of the snapshot are on the page.

import { $, add } from "../../web/scripts/dom.js";
import { decisions, SIGNS, said } from "./decisions.js";
import { queue } from "./queue.js";
import { inSight, listHeight, scrolledTo } from "./sight.js";
import { count, scored, scoreHint, tr } from "./words.js";

export const ROW_HEIGHT = 58;
const COUNTED = {
  "": ["1 sample", "{total} samples"],
  token: ["1 token", "{total} tokens"],
  label: ["1 label", "{total} labels"],
};
const SETTLED = 80; // milliseconds without scrolling until rows are asked for

/**
 * `run`: the answer of /api/run. `open(index)`: show that sample. `current()`: index of the one that is
 * shown.
 */
export function createList(run, { open, current, failed }) {
  const list = $("list");
  const all = $("list-all");
  let timer = 0;

  function draw() {
    all.style.height = `${listHeight(queue.length, ROW_HEIGHT)}px`;
    const { first, last, top } = inSight(list.scrollTop, list.clientHeight, queue.length, ROW_HEIGHT);
    all.replaceChildren();
    for (let index = first; index < last; index++) drawRow(index, top + (index - first) * ROW_HEIGHT);
    if (current() >= first && current() < last)
      list.setAttribute("aria-activedescendant", `row-${current()}`);
    else list.removeAttribute("aria-activedescendant");
    clearTimeout(timer);
    timer = setTimeout(
      () => fill(first, last),
      [...queue.rows.subarray(first, last)].every((row) => queue.fresh.has(row)) ? 0 : SETTLED,
    );
  }

  function fill(first, last) {
    queue.fetch(first - 10, last + 30).then((more) => more && draw(), failed);
  }

  function drawRow(index, top) {
    const brief = queue.briefAt(index);
    const item = add(all, "div", "", "row");
    item.style.top = `${top}px`;
    Object.assign(item, { id: `row-${index}`, role: "option", ariaSelected: String(index === current()) });
    item.setAttribute("aria-setsize", queue.length);
    item.setAttribute("aria-posinset", index + 1);
    item.addEventListener("click", () => open(index));
    if (!brief) {
      add(item, "span", "…", "row-text");
      return;
    }
    add(item, "bdi", brief.text_a || `id ${brief.id}`, "row-text");
    const line = add(item, "span", "", "row-labels");
    if (run.labeled) add(line, "bdi", run.classes[brief.label], "given");
    if (brief.proposed !== null) add(line, "bdi", `→ ${run.classes[brief.proposed]}`, "proposed");
    drawMark(line, brief);
    add(item, "span", scored(run, brief), "row-score").title = scoreHint(run);
  }

  function drawMark(line, brief) {
    const decision = decisions.of(brief.row, brief.decision, run.classes);
    if (!decision) return;
    const mark = add(line, "bdi", `${SIGNS[decision.action]} ${said(decision)}`, `mark ${decision.action}`);
    if (!decision.mine) mark.title = decision.who;
  }

  list.addEventListener("scroll", draw);
  list.addEventListener("keydown", (event) => {
    const step = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: 10,
      PageUp: -10,
      Home: -queue.length,
      End: queue.length,
    }[event.key];
    if (!step) return;
    event.preventDefault();
    open(Math.max(0, Math.min(queue.length - 1, current() + step)), { focus: false });
  });
  new ResizeObserver(draw).observe(list);

  return {
    draw,
    /** Bring the current sample into sight. */
    follow() {
      if (current() >= 0)
        list.scrollTop = scrolledTo(current(), list.scrollTop, list.clientHeight, queue.length, ROW_HEIGHT);
      draw();
    },
    say() {
      const [one, many] = COUNTED[run.part];
      $("queue-count").firstElementChild.textContent = tr(queue.length === 1 ? one : many, {
        total: count(queue.length),
      });
    },
  };
}
