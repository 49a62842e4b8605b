"""The modules that pages share, and the explorer's own, one by one in Node."""

import re

import numpy as np
import pytest

from datamap.maps import explorer, groups, regions
from datamap.web import pages
from node import Node

SHARED = explorer.PAGE.parents[1] / "web" / "scripts"
MODULES = (
    *(SHARED / f"{name}.js" for name in ("scatter", "unpack", "history", "theme")),
    *(explorer.PAGE / f"{name}.js" for name in ("table", "groups", "replay", "tip", "share")),
)


@pytest.fixture(scope="module")
def scripts():
    """Evaluates JavaScript where all modules are."""
    with Node(pages.bundle(MODULES)) as node:
        yield node.evaluate


def test_a_bundle_has_each_module_once_and_after_what_it_imports():
    code = pages.bundle(MODULES)
    assert code.count("function createView(") == 1
    assert (
        code.index("const rgb =") < code.index("function drawAxes(") < code.index("function createScatter(")
    )
    assert "\nimport " not in code and "\nexport " not in code


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234567, "1234567"), (0.123456789, "0.123"), (-2.5, "-2.5"), (1e-7 / 3, "3.33e-8")],
)  # fmt: skip
def test_numbers_for_people(scripts, value, text):
    assert scripts("short", value) == text


def test_what_is_no_number_is_empty(scripts):
    assert scripts("() => [NaN, Infinity, -Infinity, undefined].map(short)") == [""] * 4


@pytest.mark.parametrize(("low", "length"), [(0, 1), (-0.005, 0.21), (0.99905, 0.0003), (1000, 1), (-3, 1e6)])
def test_ticks_are_round_numbers_in_view(scripts, low, length):
    found = scripts("([low, length]) => ticks(low, length)", [low, length])
    assert 3 <= len(found) <= 13
    assert found[0] >= low and found[-1] <= low + length
    assert len({f"{value}" for value in found}) == len(found)
    steps = np.diff(found)
    assert np.allclose(steps, steps[0])


def test_zoom_leaves_the_pixel_under_the_pointer_where_it_is(scripts):
    before, after, out, near = scripts("""() => {
      const view = createView({ x: [-1, 3], y: [0, 10] });
      view.box = { width: 600, height: 400 };
      const before = view.toMap(200, 100);
      view.zoom(200, 100, 0.3);
      const after = view.toMap(200, 100);
      for (let k = 0; k < 99; k++) view.zoom(0, 0, 0.1);
      const near = view.width;
      for (let k = 0; k < 99; k++) view.zoom(0, 0, 10);
      return [before, after, view.width, near];
    }""")
    assert after == pytest.approx(before)
    assert (out, near) == (pytest.approx(16), pytest.approx(4e-5))


def test_screen_and_map_are_inverse_and_pan_follows_the_hand(scripts):
    there, back = scripts("""() => {
      const view = createView({ x: [-1, 3], y: [0, 10] });
      view.box = { width: 600, height: 400 };
      view.pan(30, -20);
      return [view.toScreen(-1, 0), view.toMap(...view.toScreen(1.5, 2))];
    }""")
    assert there == pytest.approx([56 + 30, 360 - 20])
    assert back == pytest.approx([1.5, 2])


def test_a_polygon_encloses_by_parity(scripts):
    star = [[0, 0], [10, 0], [0, 8], [5, -4], [10, 8]]
    points = np.random.default_rng(0).uniform(-2, 12, (400, 2))
    found = scripts(
        "([star, points]) => points.map(([x, y]) => inPolygon(star)(x, y))", [star, points.tolist()]
    )

    def inside(x, y):
        crossed = 0
        for (ax, ay), (bx, by) in zip(star, star[1:] + star[:1], strict=True):
            crossed += (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax
        return crossed % 2 == 1

    assert found == [inside(x, y) for x, y in points]
    assert 20 < sum(found) < 380


THEMES = [
    dict(re.findall(r"--([\w-]+): (#\w+)", part))
    for part in pages.THEME.read_text("utf-8").split("@media (prefers-color-scheme: dark)")
]


def luminance(color):
    """Of "#rrggbb", as WCAG 2 defines it."""
    values = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4) @ (
        0.2126,
        0.7152,
        0.0722,
    )


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark"])
def test_every_text_is_legible_on_every_ground_of_the_theme(theme):
    assert theme.keys() == THEMES[0].keys()
    for ink in ("ink", "muted", "accent", "wrong", "kept", "doubt"):
        for ground in ("card", "ground", "pale", "soft"):
            assert contrast(theme[ink], theme[ground]) >= 4.5, (ink, ground)
    for ink, ground in (("on-accent", "accent"), ("ink", "mark"), ("alert-ink", "alert")):
        assert contrast(theme[ink], theme[ground]) >= 4.5, ink
    assert contrast(theme["edge"], theme["card"]) >= 3 and contrast(theme["right"], theme["ground"]) >= 3


@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark"])
def test_every_color_of_a_map_is_seen_on_dark_paper_and_kept_on_white(scripts, theme):
    colors = {*groups.WRONG_TO_RIGHT, *groups.CATEGORIES, *groups.LOW_TO_HIGH, groups.NO_VALUE.color}
    code = "([paper, colors]) => colors.map((color) => seenOn(rgb(paper), rgb(color)))"
    for color, found in zip(colors, scripts(code, [theme["card"], [*colors]]), strict=True):
        shown = "#" + "".join(f"{value:02x}" for value in found)
        if theme is THEMES[0]:
            assert shown == color
        else:
            assert contrast(shown, theme["card"]) >= 3, color


@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark"])
def test_names_of_regions_are_legible_on_their_tints(scripts, theme):
    code = "([paper, colors]) => colors.map((color) => tinted(rgb(paper), rgb(color)))"
    for found in scripts(code, [theme["card"], [*regions.COLORS.values()]]):
        tint = "#" + "".join(f"{value:02x}" for value in found)
        assert contrast(theme["muted"], tint) >= 4.5


@pytest.mark.parametrize(
    ("view", "names"),
    [
        ((0, 0, 1, 1), ["easy", "noisy?"]),
        ((0.5, 0.5, 0.1, 0.1), ["easy"]),  # noisy? lies elsewhere
        ((0, 0.24, 1, 1), ["easy"]),  # a sliver of it is seen: its name would stand in the other region
        ((-0.1, 0, 0.105, 1), []),  # both are seen, but too narrow for their names
        ((0, 0, 0.2, 0.2), ["noisy?"]),
    ],
)
def test_a_region_is_named_where_it_is_seen(scripts, view, names):
    found = scripts(
        """([x, y, width, height]) => {
          const written = [], context = new Proxy({}, {
            get: (_, name) => (name === "measureText" ? (text) => ({ width: 6 * text.length })
              : (text) => { if (name === "fillText") written.push(text); }),
            set: () => true,
          });
          const view = Object.assign(createView({ x: [0, 1], y: [0, 1] }), { x, y, width, height });
          view.box = { width: 600, height: 400 };
          drawRegionNames(context, view, [
            { name: "easy", color: "#000000", x: [0, 1], y: [0.25, null] },
            { name: "noisy?", color: "#000000", x: [0, 1], y: [null, 0.25] },
          ], { card: "#ffffff", muted: "#566172" });
          return written;
        }""",
        list(view),
    )
    assert found == names


def test_points_in_view_are_sorted_by_layer(scripts):
    random = np.random.default_rng(1)
    x, y = random.random((2, 500)).astype(np.float32)
    layer = random.integers(0, 4, 500)
    layer[layer == 3] = 255  # hidden
    rows, starts = scripts(
        """([x, y, layer]) => {
          const view = Object.assign(createView({ x: [0, 1], y: [0, 1] }), { x: 0.2, y: 0.3, width: 0.5, height: 0.6 });
          const points = { x: Float32Array.from(x), y: Float32Array.from(y), layer: Uint8Array.from(layer) };
          const { rows, starts } = pointsInView(points, 3, view, new Uint32Array(500));
          return [[...rows], [...starts]];
        }""",
        [x.tolist(), y.tolist(), layer.tolist()],
    )
    inside = (x >= 0.2) & (x <= 0.7) & (y >= 0.3) & (y <= 0.9)
    expected = [np.flatnonzero(inside & (layer == k)) for k in range(3)]
    assert rows == np.concatenate(expected).tolist()
    assert starts == [0, *np.cumsum([len(part) for part in expected]).tolist()]


def test_the_first_rows_are_those_of_a_sort(scripts):
    values = np.random.default_rng(2).integers(0, 50, 3000).tolist()
    found, expected = scripts(
        """(values) => {
          const compare = (a, b) => values[a] - values[b] || a - b, rows = [...values.keys()];
          return [firstRows(rows, 40, compare), [...rows].sort(compare).slice(0, 40)];
        }""",
        values,
    )
    assert found == expected
    assert scripts("() => firstRows([3, 1, 2], 40, (a, b) => a - b)") == [1, 2, 3]


@pytest.mark.parametrize("dtype", ["u1", "<u2", "<u4", "<i4", "<f4"])
def test_columns_are_unpacked_as_they_were_packed(scripts, dtype):
    kinds = {"u1": "Uint8", "<u2": "Uint16", "<u4": "Uint32", "<i4": "Int32", "<f4": "Float32"}
    values = np.frombuffer(np.random.default_rng(3).bytes(4000), dtype)
    values = values[np.isfinite(values)]
    packed = pages.pack(values, dtype)
    found = scripts(f"async (text) => [...(await unpack(text, {kinds[dtype]}Array))]", packed)
    assert np.array_equal(np.array(found, dtype), values)
    assert scripts("unpackJson", pages.pack_lists([{"a": ["文本", "\ud800<"]}])["a"]) == ["文本", "?<"]


def test_ids_are_copied_as_the_command_line_reads_them(scripts):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    ids = [
        "7",
        "-3",
        "0",
        "007",
        "1e5",
        "1_000",
        "true",
        "null",
        "s1:4",
        "a b",
        "x,y]",
        "甲",
        "nan",
        "#",
        "{a: 1}",
        "",
    ]
    copied = scripts("asOverride", ids)
    (override,) = OverridesParser.create().parse_overrides([f"data.ids={copied}"])
    assert [str(one) for one in override.value()] == ids
    for odd in (
        "it's",
        'a"b',
        "a\\b",
        "${x}",
        "a\nb",
    ):  # what a shell or Hydra would interpret goes into a file
        assert scripts("asOverride", ["1", odd]) is None
    assert scripts("asOverride", [str(n) for n in range(10_000)]) is None


def test_the_ids_of_units_name_their_samples_once(scripts):
    assert scripts("(ids) => idsOfSamples(ids, true)", ["7:0", "7:12", "a:b:3"]) == ["7", "a:b"]
    assert scripts("(ids) => idsOfSamples(ids, false)", ["7:0", "x"]) == ["7:0", "x"]
