// Translate events of mouse, pen, finger and keyboard into actions on the map.

import { corners } from "./shapes.js";

const STEP = 40; // pixels that an arrow key pans
const KEYS = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };

/**
 * Listen to events on a canvas, and call the methods of `tell`: mode() → "lasso", "box" or "pan";
 * hover(px, py); leave(); pan(dx, dy); zoom(px, py, factor); showAll(); trace(path) while a shape is drawn,
 * [] at its end; enclose(path).
 */
export function followPointer(canvas, tell) {
  let held = null; // path of the pointer since a button was pressed
  const at = (event) => {
    const area = canvas.getBoundingClientRect();
    return [event.clientX - area.left, event.clientY - area.top];
  };
  canvas.style.touchAction = "none";
  canvas.style.cursor = "crosshair";
  canvas.tabIndex = 0;
  canvas.addEventListener("pointerdown", (event) => {
    held = [at(event)];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const [px, py] = at(event);
    if (!held) return tell.hover(px, py);
    tell.leave();
    if (tell.mode() === "pan") {
      tell.pan(px - held[0][0], py - held[0][1]);
      held = [[px, py]];
    } else {
      held.push([px, py]);
      tell.trace(tell.mode() === "box" ? corners(held[0], held.at(-1)) : held);
    }
  });
  canvas.addEventListener("pointerup", () => {
    const path = held;
    held = null;
    tell.trace([]);
    if (path && path.length > 2 && tell.mode() !== "pan") tell.enclose(path);
  });
  canvas.addEventListener("pointerleave", () => held || tell.leave());
  canvas.addEventListener("dblclick", () => tell.showAll());
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      tell.zoom(...at(event), 1.0015 ** event.deltaY);
    },
    { passive: false },
  );
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const middle = [canvas.clientWidth / 2, canvas.clientHeight / 2];
    if (Object.hasOwn(KEYS, event.key)) tell.pan(...KEYS[event.key]);
    else if (event.key === "+" || event.key === "=") tell.zoom(...middle, 0.8);
    else if (event.key === "-") tell.zoom(...middle, 1.25);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}
