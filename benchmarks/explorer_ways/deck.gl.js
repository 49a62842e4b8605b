async function prepared(points) {
  const { x, y, group } = generated(points), begin = performance.now();
  const position = new Float32Array(2 * points), color = new Uint8Array(4 * points);
  const rgb = COLORS.map((hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16)));
  for (let i = 0; i < points; i++) {
    position[2 * i] = 4000 * x[i] - 500;
    position[2 * i + 1] = 460 * y[i] - 230;
    color.set(rgb[group[i]], 4 * i);
    color[4 * i + 3] = 214;
  }
  const data = { length: points, attributes: { getPosition: { value: position, size: 2 }, getFillColor: { value: color, size: 4 } } };
  let deck;
  await new Promise((drawn) => {
    deck = new Deck({
      parent: document.getElementById("stage"), width: 1034, height: 486, views: new OrthographicView({}),
      viewState: { target: [0, 0, 0], zoom: 0 }, controller: false, onAfterRender: drawn,
      layers: [new ScatterplotLayer({ id: "points", data, getRadius: 1.5, radiusUnits: "pixels" })],
    });
  });
  const made = performance.now() - begin, gl = document.querySelector("canvas").getContext("webgl2"), pixel = new Uint8Array(4);
  const draw = (zoom, left, up) => (shift) => {
    deck.setProps({ viewState: { target: [left + (1034 * shift) / 2 ** zoom, up, 0], zoom } });
    deck.redraw("panned");
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
  };
  return { made, all: draw(0, 0, 0), near: draw(Math.log2(CLOSER), -420, 150) };
}
