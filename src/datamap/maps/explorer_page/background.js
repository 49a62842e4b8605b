function ticks(low, length) {
  const rough = length / 6, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= rough);
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= low + length; k++) found.push(Number((k * step).toPrecision(10)));
  return found;
}

function drawBack() {
  const ratio = devicePixelRatio;
  back.setTransform(ratio, 0, 0, ratio, 0, 0);
  back.clearRect(0, 0, box.width, box.height);
  const right = box.width - MARGIN.right, bottom = box.height - MARGIN.bottom;
  back.save();
  back.beginPath();
  back.rect(MARGIN.left, MARGIN.top, right - MARGIN.left, bottom - MARGIN.top);
  back.clip();
  const plain = state.x === "label_var" && state.y === "avg_probs";
  if (plain) drawRegions();
  back.restore();
  back.font = "11px system-ui, sans-serif";
  back.textAlign = "center";
  for (const v of ticks(state.view.x, state.view.width)) {
    const [px] = toScreen(v, 0);
    back.strokeStyle = plain ? "#00000012" : "#e6e6e6";
    line(px, MARGIN.top, px, bottom);
    back.fillStyle = "#333";
    back.fillText(short(v), px, bottom + 15);
  }
  back.textAlign = "right";
  for (const v of ticks(state.view.y, state.view.height)) {
    const [, py] = toScreen(0, v);
    back.strokeStyle = plain ? "#00000012" : "#e6e6e6";
    line(MARGIN.left, py, right, py);
    back.fillStyle = "#333";
    back.fillText(short(v), MARGIN.left - 6, py + 4);
  }
  back.strokeStyle = "#555";
  line(MARGIN.left, MARGIN.top, MARGIN.left, bottom);
  line(MARGIN.left, bottom, right, bottom);
  back.font = "12px system-ui, sans-serif";
  back.textAlign = "center";
  back.fillText(state.x, (MARGIN.left + right) / 2, box.height - 6);
  back.save();
  back.translate(13, (MARGIN.top + bottom) / 2);
  back.rotate(-Math.PI / 2);
  back.fillText(state.y, 0, 0);
  back.restore();
}

function line(x0, y0, x1, y1) {
  back.beginPath();
  back.moveTo(x0, y0);
  back.lineTo(x1, y1);
  back.stroke();
}

function drawRegions() {
  const top = MARGIN.top, bottom = box.height - MARGIN.bottom, left = MARGIN.left, right = box.width - MARGIN.right;
  back.font = "italic 11px system-ui, sans-serif";
  for (const { name, color, x, y } of DATA.regions) {
    const [x0, y0] = toScreen(x[0] ?? -10, y[0] ?? -10), [x1, y1] = toScreen(x[1] ?? 10, y[1] ?? 10);
    const [from, to] = [Math.max(x0, left), Math.min(x1, right)], [above, below] = [Math.max(y1, top), Math.min(y0, bottom)];
    if (from >= to || above >= below) continue; // outside of what is shown
    back.fillStyle = color;
    back.fillRect(from, above, to - from, below - above);
    back.fillStyle = "#555";
    const atRight = x[1] === null, atBottom = y[0] === null && y[1] !== null;
    back.textAlign = atRight ? "right" : "left";
    back.fillText(name, atRight ? to - 5 : from + 5, atBottom ? below - 6 : above + 14);
  }
}

let path = []; // of the lasso or box that is being drawn, in pixels

function drawFront() {
  const ratio = devicePixelRatio;
  front.setTransform(ratio, 0, 0, ratio, 0, 0);
  front.clearRect(0, 0, box.width, box.height);
  if (path.length > 1) {
    front.beginPath();
    if (state.mode === "box") front.rect(path[0][0], path[0][1], path.at(-1)[0] - path[0][0], path.at(-1)[1] - path[0][1]);
    else path.forEach(([x, y], k) => (k ? front.lineTo(x, y) : front.moveTo(x, y)));
    front.fillStyle = "#1f3b7322";
    front.strokeStyle = "#1f3b73";
    front.fill();
    front.stroke();
  }
  if (hovered >= 0 && visible[hovered]) {
    const [px, py] = toScreen(xs[hovered], ys[hovered]);
    front.beginPath();
    front.arc(px, py, pointSize() / 2 + 3, 0, 7);
    front.strokeStyle = "#000";
    front.lineWidth = 2;
    front.stroke();
    front.lineWidth = 1;
  }
}
