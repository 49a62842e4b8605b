"""Maps, read from the artists on the Axes."""

from itertools import pairwise

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from datamap.errors import ConfigError, MapError
from datamap.maps import canvas, cards, comparisons, figures, fonts, groups, marks, regions, scales
from datamap.maps.options import MapOptions

COUNTS = {"common": 60, "rare": 3, "absent": 0, "middle": 20}


@pytest.fixture
def summary():
    random = np.random.default_rng(0)
    times = random.integers(0, 6, 83)
    return pd.DataFrame(
        {
            "id": range(83),
            "label": random.integers(0, 3, 83),
            "s_label": random.integers(0, 3, 83),
            "label_var": random.random(83) / 4,
            "avg_probs": random.random(83),
            "correct_ratio": times / 5,
            "forgetting_times": random.integers(0, 4, 83),
            "learnt_times": random.integers(0, 4, 83),
            "loss_mean": np.arange(83.0),
            "text": "怎么",
        }
    )


@pytest.fixture
def some_groups():
    number = np.repeat(np.arange(4), list(COUNTS.values()))
    looks = zip(COUNTS, ("#ff0000", "#00ff00", "#0000ff", "#111111"), "osD^", strict=True)
    return [groups.Group(name, color, marker, number == i) for i, (name, color, marker) in enumerate(looks)]


LIMITS = ((0, 0.25), (0, 1))


@pytest.fixture
def ax(summary, some_groups):
    ax = Figure().add_subplot()
    marks.draw_groups(
        ax, summary["label_var"].to_numpy(), summary["avg_probs"].to_numpy(), some_groups, LIMITS, 9
    )
    return ax


def panels(figure):
    return [ax for ax in figure.axes if ax.collections or ax.images]


def drawn(ax):
    """{legend label: PathCollection} of the points of a map."""
    return {c.get_label(): c for c in ax.collections if not c.get_label().startswith("_")}


def legend_of(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_every_sample_is_drawn_once_in_its_groups_color(ax, summary, some_groups):
    assert set(drawn(ax)) == {"common", "rare", "middle"}
    for group in some_groups:
        if group.mask.any():
            points = summary.loc[group.mask, ["label_var", "avg_probs"]].to_numpy()
            assert np.array_equal(drawn(ax)[group.name].get_offsets(), points)
            assert to_hex(drawn(ax)[group.name].get_facecolor()[0]) == group.color


def test_rare_groups_lie_on_top(ax):
    order = {name: points.get_zorder() for name, points in drawn(ax).items()}
    assert order["rare"] > order["middle"] > order["common"]


def test_legend_counts_best_group_first_and_title(summary):
    figure = figures.draw_map(summary, title="my run", observations=5)
    counts = (
        summary["correct_ratio"].round(1).map(lambda r: min(int(r * 5 + 1e-9), 4) + (r == 1)).value_counts()
    )
    names = ["0 to 0.2", "0.2 to 0.4", "0.4 to 0.6", "0.6 to 0.8", "0.8 to 1", "1 (always right)"]
    assert legend_of(figure) == [
        *(f"{names[i]} ({counts[i]})" for i in (5, 4, 3, 2, 1, 0) if counts.get(i)),
        *regions.NAMES,
    ]
    assert figure.get_suptitle() == "my run: 83 samples, 5 observations"


def test_a_filter_draws_some_on_the_same_axes(summary):
    full, some = figures.draw_map(summary), figures.draw_map(summary, criterion="loss_mean", threshold=80)
    assert panels(full)[0].get_xlim() == panels(some)[0].get_xlim()
    assert sum(len(points.get_offsets()) for points in drawn(panels(some)[0]).values()) == 3
    assert some.get_suptitle() == "3 of 83 samples, loss_mean ≥ 80"


def test_axes_take_round_limits(summary):
    assert scales.axis_limits(summary, "label_var") == pytest.approx((-0.00625, 0.25625))
    assert scales.axis_limits(summary, "avg_probs") == pytest.approx((-0.025, 1.025))
    small = summary[["label_var"]] / 10
    assert scales.axis_limits(small, "label_var") == pytest.approx((-0.00125, 0.05125))
    assert scales.axis_limits(small * 0, "label_var") == pytest.approx((-0.00125, 0.05125))
    ax = panels(figures.draw_map(summary, x="loss_mean"))[0]
    assert ax.get_xlabel() == "loss_mean"
    assert ax.get_xlim() == pytest.approx((-2.05, 84.05))


def test_regions_only_on_the_axes_that_they_are_of(summary):
    def names(**options):
        return set(legend_of(figures.draw_map(summary, **options))) & set(regions.NAMES)

    assert names() == {"easy to learn", "ambiguous", "hard to learn", "noisy?"}
    assert names(x="loss_mean") == names(regions=False) == set()


def test_facets_share_axes_and_split_the_samples(summary):
    figure = figures.draw_map(summary, facet="label", class_names=("差", "好", "无"))
    facets = panels(figure)
    counts = summary["label"].value_counts()
    assert [ax.get_title(loc="left") for ax in facets] == [
        f"{n} ({counts[i]})" for i, n in enumerate("差好无")
    ]
    assert len({ax.get_xlim() for ax in facets}) == 1
    for label, ax in enumerate(facets):
        assert sum(len(points.get_offsets()) for points in drawn(ax).values()) == counts[label]
    with pytest.raises(MapError, match="83 values, and a picture holds at most 12 maps"):
        figures.draw_map(summary, facet="id")


@pytest.mark.parametrize(
    ("unit", "lang", "counted"), [("sample", "en", "samples"), ("token", "zh", "词元数")]
)
def test_marginals_say_what_they_count(summary, unit, lang, counted):
    figure = figures.draw_map(summary, marginals=True, unit=unit, lang=lang)
    assert [ax.get_ylabel() for ax in figure.axes[-3:]] == [counted, "", ""]


def test_marginals_count_every_sample(summary):
    figure = figures.draw_map(summary, marginals=True)
    histograms = [ax for ax in figure.axes if ax.patches and not ax.collections]
    assert [ax.get_xlabel() for ax in histograms] == ["avg_probs", "label_var", "correct_ratio"]
    for ax in histograms:
        assert sum(bar.get_height() for bar in ax.patches) == 83


@pytest.mark.parametrize(
    ("labels", "lang", "names"),
    [
        (
            3,
            "en",
            [
                "label_var  (variance of the given label's probability)",
                "avg_probs  (mean probability of the given label)",
            ],
        ),
        (1, "en", ["label_var  (variance of the confidence)", "avg_probs  (mean confidence)"]),
        (1, "zh", ["label_var（置信度的方差）", "avg_probs（置信度的均值）"]),
    ],
)
def test_axes_of_samples_without_labels_tell_of_confidence(summary, labels, lang, names):
    (ax,) = figures.draw_map(summary.assign(label=summary["label"] % labels), lang=lang).axes
    assert [ax.get_xlabel(), ax.get_ylabel()] == names


def test_numbers_under_marginals_stay_apart(summary):
    summary = pd.concat([summary.assign(label_var=np.linspace(0, 0.1, 83))] * 18, ignore_index=True)
    figure = figures.draw_map(summary, marginals=True, dirty_label=True)
    boxes = [
        [
            number.get_window_extent()
            for number in ax.get_xticklabels()
            if ax.viewLim.x0 <= number.get_position()[0] <= ax.viewLim.x1
        ]
        for ax in figure.axes[-3:]
    ]
    assert all(left[-1].x1 + 6 < right[0].x0 for left, right in pairwise(boxes))


def test_colour_by_label_and_by_number(summary):
    assert legend_of(figures.draw_map(summary, color="label", class_names=("a", "b", "c")))[0].startswith(
        "c ("
    )
    assert legend_of(figures.draw_map(summary, color="loss_mean"))[0].startswith("68.3 to 82 (")
    with pytest.raises(MapError, match="color=text is not a numeric column"):
        figures.draw_map(summary, color="text")


def test_contours_enclose_the_densest_samples():
    random = np.random.default_rng(0)
    ax = Figure().add_subplot()
    marks.draw_contours(ax, random.normal(0.1, 0.01, 5000), random.normal(0.5, 0.05, 5000), LIMITS)
    (lines,) = ax.collections
    assert len(lines.levels) == 3
    outermost = lines.get_paths()[0].get_extents()
    assert outermost.x0 < 0.1 < outermost.x1 and outermost.y0 < 0.5 < outermost.y1
    assert outermost.width < 0.08


@pytest.fixture
def many():
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"label_var": random.random(60_000) / 4, "avg_probs": random.random(60_000)})
    frame["correct_ratio"] = np.where(np.arange(60_000) < 5, 0.0, 1.0)
    return frame


def test_many_samples_are_a_density_with_rare_points_on_top(many):
    ax = panels(figures.draw_map(many))[0]
    (image,) = ax.images
    (points,) = drawn(ax).values()
    assert len(points.get_offsets()) == 5
    assert points.get_zorder() > image.get_zorder()


def test_a_density_drawn_in_strips_is_the_same_picture(many, monkeypatch):
    whole = canvas.pixels(figures.draw_map(many))
    monkeypatch.setattr(marks, "STRIP", 7)
    assert (canvas.pixels(figures.draw_map(many)) == whole).all()


def test_a_density_counts_every_sample(many):
    xs, ys = many["label_var"].to_numpy(), many["avg_probs"].to_numpy()
    counts = marks.count_cells(xs, ys, LIMITS, (40, 30))
    expected, _, _ = np.histogram2d(ys, xs, (30, 40), (LIMITS[1], LIMITS[0]))
    assert np.array_equal(counts, expected)


def test_one_sample_of_a_large_group_is_still_seen(many):
    """Far from all others, among 60,000."""
    many.loc[59_999, ["label_var", "avg_probs"]] = (0.24, 0.05)
    many = many[(many["avg_probs"] > 0.2) | (many.index == 59_999)]
    figure = figures.draw_map(many, regions=False)
    ax = panels(figure)[0]
    x, y = ax.transData.transform((0.24, 0.05))
    around = canvas.pixels(figure)[::-1][int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4]
    assert around[..., 3].max() > 60


def test_chinese_words_and_a_warning_without_a_font(summary, monkeypatch):
    figure = figures.draw_map(summary, lang="zh", dirty_label=True, title="我的实验")
    assert figure.get_suptitle() == "我的实验：83 个样本"
    assert legend_of(figure)[0].startswith("正常")
    monkeypatch.setattr(fonts, "chinese", lambda: None)
    with pytest.warns(UserWarning) as caught:
        figures.draw_map(summary, title="我的实验")
    assert [w for w in caught if "fonts-noto-cjk" in str(w.message)]


def test_chinese_is_drawn_with_a_font_that_has_it():
    """Two different characters would both be the same empty box without one."""
    assert fonts.chinese(), fonts.HINT

    def picture(text):
        with matplotlib.rc_context({"font.family": fonts.families([text])}):
            figure = canvas.new_figure(2, 1, 100)
            figure.text(0.2, 0.5, text, fontsize=30)
            figure.canvas.draw()
        return canvas.pixels(figure)

    assert (picture("猫") != picture("狗")).any()


def test_maps_are_read_on_light_and_dark_pages(summary):
    """They have no paper of their own, and a white outline around every text."""
    options = MapOptions()
    both = {"first": summary, "second": summary}
    for figure in (
        figures.draw_map(summary, title="first", marginals=True),
        cards.draw_card(summary, options),
        cards.draw_comparison(both, options),
        cards.draw_movement(summary, summary, "first", "second", options),
        comparisons.draw_comparison(both, options),
    ):
        array = canvas.pixels(figure)
        assert not array[0, 0, 3] and 0 < array[..., 3].mean() < 200
        for text in figure.findobj(Text):
            (outline,) = text.get_path_effects()
            assert outline._gc["foreground"] == "white"


def test_figure_to_png_and_svg(summary):
    figure = figures.draw_map(summary, width=6, height=4, dpi=100)
    array = canvas.pixels(figure)
    assert array.shape == (400, 600, 4)
    assert array.std() > 1
    assert canvas.png(array).startswith(b"\x89PNG")
    assert "<svg" in canvas.svg(figure)


@pytest.mark.parametrize("options", [{}, {"marginals": True}, {"facet": "label"}], ids=str)
def test_nothing_is_cut_off_at_the_edges(summary, options):
    array = canvas.pixels(figures.draw_map(summary, title="x" * 40, **options))
    for edge in (array[0], array[-1], array[:, 0], array[:, -1]):
        assert not edge[..., 3].any()


def test_a_comparison_has_the_same_axes_for_all(summary):
    other = summary.assign(label_var=summary["label_var"] / 5)
    facets = panels(comparisons.draw_comparison({"a": summary, "b": other}, MapOptions()))
    assert [ax.get_title(loc="left") for ax in facets] == ["a", "b"]
    assert facets[0].get_xlim() == facets[1].get_xlim()


def shaded(ax):
    """The boxes of the regions."""
    boxes = [c.get_paths()[0].get_extents() for c in ax.collections if c.get_zorder() == 0]
    return np.array([box.extents for box in boxes])


def test_cards_and_comparison_have_one_scale_whatever_the_runs(summary):
    calm = summary.assign(label_var=summary["label_var"] / 30, avg_probs=0.9)
    options = MapOptions()
    figures_ = [
        cards.draw_card(summary, options, observations=9),
        cards.draw_card(calm, options, observations=2),
        cards.draw_comparison({"a": summary, "b": calm, "c": calm}, options),
        comparisons.draw_comparison({"a": summary, "b": calm}, options),
    ]
    axes = [ax for figure in figures_ for ax in panels(figure)]
    assert len(axes) == 7
    for ax in axes:
        assert ax.get_xlim() == pytest.approx((-0.0125, 0.5125))
        assert ax.get_ylim() == pytest.approx((-0.025, 1.025))
        assert np.allclose(shaded(ax), shaded(axes[0])) and len(shaded(ax)) == 4
    (moved,) = panels(cards.draw_movement(summary, calm, "a", "b", options))
    assert moved.get_xlim() == axes[0].get_xlim()
    # A run's own map is on its own scale.
    assert panels(figures.draw_map(calm))[0].get_xlim() == pytest.approx((-0.00125, 0.05125))


def boxes_of(figure):
    """Everything that is written on a card, legends included, as (left, bottom, right, top) in shares of it."""
    renderer, (width, height) = figure.canvas.get_renderer(), figure.canvas.get_width_height()
    found = [legend.get_window_extent(renderer) for legend in figure.legends]
    return [(b.x0 / width, b.y0 / height, b.x1 / width, b.y1 / height) for b in found]


LABELS = ("a class with a long name of words", "不同的意思", *(f"class {k}" for k in range(7)))


@pytest.mark.parametrize("options", [{}, {"use_f_times": 0}, {"color": "label"}, {"lang": "zh"}], ids=str)
def test_the_whole_legend_of_a_card_is_in_view(summary, options):
    """On a wide screen, `MAP_SHARE` of a card is, and the name of the x-axis is beside its ticks."""
    summary["label"] = np.arange(83) % 9
    figure = cards.draw_card(summary, MapOptions(**options), class_names=LABELS, observations=5)
    beside, below = figure.legends
    assert len(beside.get_texts()) == len(below.get_texts()) >= 4
    (left, bottom, right, top), (_, last, *_) = boxes_of(figure)
    padding = 0.015  # of a legend below its last line
    assert bottom >= 1 - cards.MAP_SHARE and right <= 1 and last >= -padding
    (ax,) = panels(figure)
    assert ax.get_position().x1 <= left
    name = ax.xaxis.label.get_window_extent().transformed(figure.transFigure.inverted())
    assert name.y0 >= 1 - cards.MAP_SHARE - padding and name.x1 <= 1 and name.y1 <= bottom + padding


@pytest.mark.parametrize("count", [2, 3, 4, 6, 9, 12])
def test_a_comparison_on_a_card_is_in_view_in_two_columns(summary, count):
    figure = cards.draw_comparison({f"run {n}": summary for n in range(count)}, MapOptions())
    axes = panels(figure)
    assert len({round(ax.get_position().x0, 2) for ax in axes}) == (2 if count <= 6 else np.ceil(count**0.5))
    ((left, bottom, right, top),) = boxes_of(figure)
    assert bottom >= 1 - cards.IN_VIEW and right <= 1
    for ax in axes:
        box = ax.get_tightbbox().transformed(figure.transFigure.inverted())
        assert box.y0 >= 1 - cards.IN_VIEW
        assert box.y0 >= top or box.x1 <= left or box.y1 <= bottom


def test_movement_goes_from_where_samples_were_to_where_they_are(summary):
    before = pd.concat([summary.assign(label_var=0.05, avg_probs=0.2)] * 4)
    after = before.assign(label_var=0.1, avg_probs=0.7)
    (ax,) = panels(comparisons.draw_movement(before, after, "a", "b", MapOptions()))
    (arrows,) = [c for c in ax.collections if hasattr(c, "U")]
    start, end = 0.05**0.5, 0.1**0.5  # variability is the square root of label_var
    assert (arrows.N, arrows.X[0], arrows.Y[0]) == (1, pytest.approx(start), pytest.approx(0.2))
    assert (arrows.U[0], arrows.V[0]) == (pytest.approx(end - start), pytest.approx(0.5))


def test_from_a_notebook(summary):
    import datamap

    assert datamap.draw_map(summary, criterion="forgetting_times", threshold=1).axes


HOSTILE = ("$\\frac{$", "$x_{$", "_hidden", "a\nb\x1b[31m\u2028", "\ud800", "\\$", "")


@pytest.mark.parametrize("options", [{}, {"facet": "label"}, {"lang": "zh", "marginals": True}], ids=str)
def test_users_texts_are_drawn_as_they_are(summary, options):
    """Neither formulas, nor private labels, nor characters that no font has."""
    summary["label"] = np.arange(83) % len(HOSTILE)
    figure = figures.draw_map(summary, title="run $\\frac{$", color="label", class_names=HOSTILE, **options)
    assert figure.get_suptitle().startswith("run $\\frac{$")
    assert {"$x_{$ (12)", "_hidden (12)", "a b [31m  (12)", "\\$ (12)", "  (12)"} <= set(legend_of(figure))
    assert "<svg" in canvas.svg(figure)


def test_users_texts_in_a_comparison(summary):
    compared = comparisons.draw_comparison(dict.fromkeys(HOSTILE, summary), MapOptions())
    assert panels(compared)[0].get_title(loc="left") == "$\\frac{$"
    assert (
        comparisons.draw_movement(summary, summary, *HOSTILE[:2], MapOptions())
        .get_suptitle()
        .startswith("from $\\frac{$ to $x_{$")
    )


def test_a_column_with_dollars_is_an_axis(summary):
    summary["$x_{$"] = summary["loss_mean"]
    figure = figures.draw_map(summary, x="$x_{$", color="$x_{$", criterion="$x_{$", threshold=1)
    assert panels(figure)[0].get_xlabel() == figure.legends[0].get_title().get_text() == "$x_{$"


LONG = "a name that somebody gave to a run of which all is to be known from it, 2026-11-24, " * 3


@pytest.mark.parametrize("options", [{}, {"facet": "label"}, {"marginals": True, "width": 3}], ids=str)
def test_long_names_are_cut_and_cover_nothing(summary, options):
    names = [f"{LONG} {k}" for k in range(3)]
    figure = figures.draw_map(
        summary, title=LONG, color="label", class_names=names, criterion="loss_mean", **options
    )
    renderer = figure.canvas.get_renderer()
    (legend,) = figure.legends
    right = legend.get_window_extent(renderer).x0
    for ax in panels(figure):
        assert ax.get_tightbbox(renderer).x1 <= right + 1
    title = figure._suptitle.get_window_extent(renderer)
    assert title.x1 <= figure.bbox.width and title.y0 >= legend.get_window_extent(renderer).y1 - 5
    titles = [ax.title.get_window_extent(renderer) for ax in panels(figure)]
    assert not any(
        a.overlaps(b) for i, a in enumerate(titles) for b in titles[i + 1 :] if a.width and b.width
    )


def test_a_picture_that_memory_would_not_hold_is_refused_before_it_is_drawn(summary):
    with pytest.raises(
        MapError, match=r"40 × 40 inches with dpi=1200 make 2,304 million pixels.* dpi=193 or less"
    ):
        figures.draw_map(summary, width=40, height=40, dpi=1200)
    with pytest.raises(MapError, match="million pixels"):
        comparisons.draw_comparison({str(k): summary for k in range(9)}, MapOptions(dpi=1200))
    with pytest.raises(MapError, match="million pixels"):
        comparisons.check_drawable({str(k): summary for k in range(9)}, MapOptions(dpi=1200))


def test_options_of_a_map_are_checked(summary):
    with pytest.raises(MapError, match="a map has no option 'colour'; did you mean color?"):
        figures.draw_map(summary, colour="label")
    with pytest.raises(ConfigError, match="lang=de: choose en or zh"):
        figures.draw_map(summary, lang="de")
    options = MapOptions(color="label", dpi=80)
    assert legend_of(figures.draw_map(summary, options)) == legend_of(
        figures.draw_map(summary, color="label")
    )


def test_samples_without_a_number(summary):
    summary["odd"] = np.r_[np.nan, np.inf, -np.inf, 1e300, np.arange(79.0)]
    with pytest.warns(UserWarning, match="leaves out 3 samples without a finite odd"):
        figure = figures.draw_map(summary, x="odd", color="odd")
    assert "no value (4)" in legend_of(figure)
    assert panels(figure)[0].get_xlim() == pytest.approx((-1.95, 79.95))
    figure = figures.draw_map(summary.assign(odd=[*[np.nan] * 80, 1, 1, 2]), facet="odd")
    assert [ax.get_title(loc="left") for ax in panels(figure)] == ["odd 1 (2)", "odd 2 (1)", "no value (80)"]


def test_movement_of_few_samples_far_apart():
    """No cell has three of them."""
    grid = pd.DataFrame(
        {
            "label_var": np.repeat(np.linspace(0, 0.25, 15), 15),
            "avg_probs": np.tile(np.linspace(0, 1, 15), 15),
        }
    )
    assert panels(comparisons.draw_movement(grid.assign(label_var=np.nan), grid, "a", "b", MapOptions()))
    assert panels(comparisons.draw_movement(grid, grid[::-1], "a", "b", MapOptions()))


@pytest.mark.parametrize("axes", [("avg_probs", "avg_probs"), ("correct_ratio", "label_var")], ids=str)
def test_any_two_columns_are_axes(summary, axes):
    options = {"x": axes[0], "y": axes[1]}
    for figure in (
        figures.draw_map(summary, **options),
        comparisons.draw_comparison({"a": summary, "b": summary}, MapOptions(**options)),
        comparisons.draw_movement(summary, summary, "a", "b", MapOptions(**options)),
    ):
        assert panels(figure)[0].get_xlabel().startswith(axes[0])


def test_the_borders_of_regions_depend_on_the_number_of_classes(summary):
    def of(classes):
        card = cards.draw_card(summary.assign(label=np.arange(83) % classes), MapOptions())
        return shaded(panels(card)[0])

    assert len(of(12)) == 4
    assert not np.allclose(of(12), of(2))
