"""Maps, read from the artists on the Axes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from datamap import groups, maps

COUNTS = {"common": 60, "rare": 3, "absent": 0, "middle": 20}


@pytest.fixture
def summary():
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {"label_var": random.random(83) / 4, "avg_probs": random.random(83), "loss_mean": range(83)}
    )


@pytest.fixture
def some_groups():
    place = np.repeat(np.arange(4), list(COUNTS.values()))
    looks = zip(COUNTS, ("#ff0000", "#00ff00", "#0000ff", "#111111"), "osD^", strict=True)
    return [groups.Group(name, color, marker, place == i) for i, (name, color, marker) in enumerate(looks)]


@pytest.fixture
def ax(summary, some_groups):
    return maps.draw_map(summary, some_groups, Figure().add_subplot(), title="t", legend_title="l")


def test_every_sample_is_drawn_once_in_its_groups_colour(ax, summary, some_groups):
    drawn = {c.get_label().split(" ")[0]: c for c in ax.collections}
    assert set(drawn) == {"common", "rare", "middle"}
    for group in some_groups:
        if group.mask.any():
            points = summary.loc[group.mask, ["label_var", "avg_probs"]].to_numpy()
            assert np.array_equal(drawn[group.name].get_offsets(), points)
            assert to_hex(drawn[group.name].get_facecolor()[0]) == group.color


def test_rare_groups_lie_on_top(ax):
    order = {c.get_label().split(" ")[0]: c.get_zorder() for c in ax.collections}
    assert order["rare"] > order["middle"] > order["common"]


def test_legend_counts_and_title(ax):
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["middle (20)", "rare (3)", "common (60)"]  # best group first
    assert ax.get_title(loc="left") == "t" or ax.get_title() == "t"


def test_axes_take_round_limits(ax, summary, some_groups):
    assert ax.get_xlim() == pytest.approx((-0.00625, 0.25625))
    assert ax.get_ylim() == pytest.approx((-0.025, 1.025))
    assert maps.axis_limits(summary / 10, "label_var")["label_var"] == pytest.approx((-0.00125, 0.05125))
    assert maps.axis_limits(summary * 0, "label_var")["label_var"] == pytest.approx((-0.00125, 0.05125))
    other = maps.draw_map(summary, some_groups, Figure().add_subplot(), x="loss_mean")
    assert other.get_xlabel() == "loss_mean"
    assert other.get_xlim() == pytest.approx((-2.05, 84.05))


def test_limits_of_all_samples_hold_for_some(summary, some_groups):
    few = summary.head(3)
    groups_of_few = [group._replace(mask=group.mask[:3]) for group in some_groups]
    limits = maps.axis_limits(summary, "label_var", "avg_probs")
    ax = maps.draw_map(few, groups_of_few, Figure().add_subplot(), limits=limits)
    assert (ax.get_xlim(), ax.get_ylim()) == (limits["label_var"], limits["avg_probs"])


def test_figure_to_png_and_svg(summary, some_groups):
    figure = maps.make_map(summary, some_groups, width=6, height=4, dpi=100)
    array = maps.pixels(figure)
    assert array.shape == (400, 600, 3)
    assert array.std() > 1
    assert maps.png(array).startswith(b"\x89PNG")
    assert "<svg" in maps.svg(figure)


def test_nothing_is_cut_off_at_the_edges(summary, some_groups):
    array = maps.pixels(maps.make_map(summary, some_groups, title="x" * 40))
    for edge in (array[0], array[-1], array[:, 0], array[:, -1]):
        assert (edge == 255).all()
