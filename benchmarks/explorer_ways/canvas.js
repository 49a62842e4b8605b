async function prepared(points) {
  const { x, y, group } = generated(points), begin = performance.now();
  const scatter = createScatter(document.getElementById("stage"));
  scatter.set({ x, y, group, colors: COLORS, limits: LIMITS });
  const made = performance.now() - begin;
  return { made, ...pannedBy(scatter) };
}
