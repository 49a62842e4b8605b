async function prepared(points) {
  const { x, y, group } = generated(points), begin = performance.now();
  const canvas = document.createElement("canvas");
  document.getElementById("stage").append(canvas);
  const plot = createScatterplot({
    canvas, width: 1034, height: 486, pointSize: 3, pointColor: COLORS, colorBy: "valueA", opacity: 0.84,
  });
  // It takes points from −1 to 1.
  await plot.draw(
    { x: x.map((v) => 8 * v - 1), y: y.map((v) => 2 * v - 1), z: Float32Array.from(group) }, { zDataType: "categorical" });
  const made = performance.now() - begin, gl = plot.get("regl")._gl, pixel = new Uint8Array(4);
  const draw = (times, left, up) => async (shift) => {
    plot.set({ cameraView: new Float32Array([times, 0, 0, 0, 0, times, 0, 0, 0, 0, 1, 0, left + 2 * shift, up, 0, 1]) });
    plot.redraw();
    await new Promise(requestAnimationFrame); // it draws in the next frame
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
  };
  return { made, all: draw(1, 0, 0), near: draw(CLOSER, 0.8 * CLOSER, -0.65 * CLOSER) };
}
