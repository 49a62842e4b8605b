// Show the legend, the choices and the filters.

import { $, add, shape } from "../../web/scripts/dom.js";
import { shownColor } from "../../web/scripts/theme.js";

/** Add a list to choose a column from. */
export function chooser(samples, parent, options, value) {
  const list = add(parent, "select");
  for (const name of options)
    Object.assign(add(list, "option", name), { value: name, title: samples.meaning(name) });
  list.value = value;
  return list;
}

/** Add a labeled list for `x`, `y` or `color`. */
export function addChoice(samples, name, options, value, changed) {
  const label = add($("choices"), "label", samples.tr(name));
  const list = chooser(samples, $("choices"), options, value);
  list.id = `choose-${name}`;
  label.htmlFor = list.id;
  list.addEventListener("change", () => changed(list.value));
}

/** Draw the legend in the order of the axis, the last group first; `toggle(group)` hides or shows one. */
export function drawLegend(rules, counts, hidden, toggle) {
  const legend = $("legend");
  legend.replaceChildren();
  for (let k = rules.length - 1; k >= 0; k--) {
    if (!counts[k] && !hidden.has(k)) continue;
    const button = add(legend, "button");
    button.type = "button";
    button.setAttribute("aria-pressed", hidden.has(k));
    const dot = shape("svg", { width: 12, height: 12 });
    dot.append(shape("circle", { cx: 6, cy: 6, r: 5, fill: shownColor(rules[k].color) }));
    button.append(dot);
    add(button, "span", `${rules[k].name} (${counts[k].toLocaleString("en")})`);
    button.addEventListener("click", () => toggle(k));
  }
}

/** Add a range to `filters`: a column, its lowest and its highest value. `changed()` is called on changes. */
export function addFilter(samples, filters, options, column, changed) {
  const filter = { column, low: -Infinity, high: Infinity };
  filters.push(filter);
  const row = add($("filters"), "div", "", "filter");
  const list = chooser(samples, row, options, column);
  list.setAttribute("aria-label", samples.tr("filter by range"));
  list.addEventListener("change", () => {
    filter.column = list.value;
    changed();
  });
  for (const [key, open, hint] of [
    ["low", -Infinity, "min"],
    ["high", Infinity, "max"],
  ]) {
    const input = add(row, "input");
    Object.assign(input, { placeholder: samples.tr(hint), inputMode: "decimal" });
    input.setAttribute("aria-label", samples.tr(hint));
    input.addEventListener("input", () => {
      const value = input.value.trim() === "" ? open : Number(input.value);
      input.classList.toggle("wrong", Number.isNaN(value));
      if (!Number.isNaN(value)) {
        filter[key] = value;
        changed();
      }
    });
  }
  const remove = add(row, "button", "×");
  remove.type = "button";
  remove.setAttribute("aria-label", samples.tr("remove"));
  remove.addEventListener("click", () => {
    filters.splice(filters.indexOf(filter), 1);
    row.remove();
    changed();
  });
}

/** Add buttons for the map's modes, which call `choose(mode)`. */
export function addModes(samples, chosen, choose) {
  for (const mode of ["lasso", "box", "pan"]) {
    const button = add($("tools"), "button", samples.tr(mode));
    button.type = "button";
    button.ariaPressed = String(mode === chosen);
    button.addEventListener("click", () => {
      choose(mode);
      for (const other of $("tools").children) other.ariaPressed = String(other === button);
    });
  }
}

/**
 * Add a button for each layout, a pair of columns; returns a function that marks the one whose columns are
 * shown.
 */
export function addLayouts(samples, layouts, choose) {
  const buttons = Object.entries(layouts).map(([name, axes]) => {
    const button = add($("layouts"), "button", samples.tr(name));
    button.type = "button";
    button.addEventListener("click", () => choose(axes));
    return { button, axes };
  });
  $("layouts").hidden = buttons.length < 2;
  $("layouts").setAttribute("aria-label", samples.tr("layout"));
  return ({ x, y }) => {
    for (const { button, axes } of buttons) button.ariaPressed = String(axes.x === x && axes.y === y);
  };
}
