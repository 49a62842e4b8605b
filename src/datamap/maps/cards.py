"""Draw maps for MLflow's chart cards, which show the upper part of a picture and scroll to the rest.

MLflow 3.17 centers a card's picture in a square that is as wide as the run's params above it, at most as the card. A
picture of `PIXELS` fills that square, so that nothing is above it: on a screen of 1920 pixels 38 % of it are in view
below two lines of params, and more on smaller screens (tests/e2e/test_browser.py measures it). So map and legend come
first, and the x-axis has its name beside it. Pictures of a comparison, whose run has no params, need height more than
width: `COMPARED_PIXELS` of them are shown, 86 % in view. All cards have the scale that runs share (`scales.common`),
because people compare them.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from datamap.maps import canvas, comparisons, figures, groups, panels, plans, scales
from datamap.maps.options import MapOptions
from datamap.translations import amount, word

SIDE = 2.56  # inches: what a card shows at 100 pixels per inch
DPI = 250  # of the picture that opens with a click on the card
FONT_SIZE = 7  # points
PIXELS = 512  # width and height of a map as a card shows it; the widest card has 511 for it
COMPARED_PIXELS = 256  # the same of a comparison or a movement
MAP_SHARE = 0.38  # of the height, for map and legend
SHARE_OF_ROWS = 0.57  # the same where maps of a facet take several rows
MAX_IN_A_ROW = 2  # maps of a facet
LEGEND_LEFT = 0.64  # left edge of the legend, as a share of the width
IN_VIEW = 0.86  # share of a picture's height that is in view in a card of a run without params
LEGEND_TOP = 0.42  # upper edge of the legend below the maps of a comparison, as a share of the height
TWO_COLUMNS = 6  # maps in a comparison up to which two columns are enough


def draw_card(
    summary: pd.DataFrame,
    options: MapOptions,
    *,
    class_names: tuple = (),
    observations: int | None = None,
    unit: str = "sample",
) -> Figure:
    """Draw a data map as `figures.draw_map` does, but square, in a large font, on the scale that runs share.

    Args:
        summary: DataFrame with the columns of summary.tsv, one row per sample.
        options: options of the map; width, height, dpi, marginals and contours are ignored.
        class_names: names of the values of the column `label`.
        observations: number of observations that the summary covers.
        unit: what a row of the summary is: "sample", "token" or "label".

    Returns:
        matplotlib Figure, drawn.
    """
    plan = plans.make_plan(options)
    shown = plans.select(summary, plan.filters, unit)
    found = groups.split(shown, groups.rules_of(summary, plan.color, class_names, options.lang), options.lang)
    maps = figures.split_facets(shown, found, options, class_names)
    heading = _heading(plan, len(shown), len(summary), observations, options.lang, unit)
    title = panels.legend_title(plan.color, options.lang)
    texts = [*heading, title, *(group.name for group in found), *(name for name, *_ in maps)]
    with canvas.style([*texts, panels.letters(options.lang)], FONT_SIZE):
        figure = canvas.new_figure(SIDE, SIDE, DPI)
        in_a_row = len(maps) <= MAX_IN_A_ROW
        share = MAP_SHARE if in_a_row else SHARE_OF_ROWS
        shape = (1, len(maps)) if in_a_row else figures.grid_shape(len(maps))
        axes = _axes(figure, shape, (0, 1 - share, LEGEND_LEFT, 1))
        scale = scales.common(summary, options)
        panels.draw_maps(figure, axes, maps, scale, options, LEGEND_LEFT * SIDE, share * SIDE, card=True)
        _name_x_beside(axes[: len(maps)], scale.x)
        names, counts = (panels.group_entries(found, counts=with_counts) for with_counts in (False, True))
        # The name of the x-axis may reach below the legend.
        canvas.add_legend_below(figure, names, [title], LEGEND_LEFT, 1, height=share * SIDE - 0.17)
        canvas.add_legend_below(figure, counts, heading, 0, 1 - share)
        canvas.draw(figure)
    return figure


def draw_comparison(summaries: Mapping[str, pd.DataFrame], options: MapOptions) -> Figure:
    """Draw the maps of several runs as `comparisons.draw_comparison` does, but square and in a large font.

    Args:
        summaries: {run name: DataFrame with the columns of summary.tsv}.
        options: only x, y and lang are used.

    Returns:
        matplotlib Figure, drawn; up to six maps are in two columns.
    """
    sheet = comparisons.sheet(summaries, options)
    count = len(summaries)
    columns = 2 if count <= TWO_COLUMNS else int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    title = panels.legend_title("correct_ratio", options.lang)
    with canvas.style([*summaries, panels.letters(options.lang)], FONT_SIZE):
        figure = canvas.new_figure(SIDE, SIDE, DPI)
        # The legend is in the last place of the grid if no map is there, else below all maps.
        beside = count < rows * columns
        bottom = 1 - IN_VIEW if beside else LEGEND_TOP
        axes = _axes(figure, (rows, columns), (0, bottom, 1, 1))
        panels.draw_maps(
            figure, axes, sheet.parts, sheet.scale, options, SIDE, (1 - bottom) * SIDE, card=True
        )
        entries = panels.group_entries(sheet.found, counts=False)
        left, top = (1.08 - 1 / columns, 1 - IN_VIEW * (rows - 1) / rows) if beside else (0, bottom)
        canvas.add_legend_below(figure, entries, [title], left, top, 1 if beside else 2)
        canvas.draw(figure)
    return figure


def draw_movement(
    before: pd.DataFrame, after: pd.DataFrame, name_before: str, name_after: str, options: MapOptions
) -> Figure:
    """Draw how far samples moved as `comparisons.draw_movement` does, but square and in a large font."""
    with canvas.style([name_before, name_after, panels.letters(options.lang)], FONT_SIZE):
        figure = canvas.new_figure(SIDE, SIDE, DPI)
        (ax,) = _axes(figure, (1, 1), (0, 1 - IN_VIEW, 1, 1))
        comparisons.fill_movement(
            ax, before, after, options, scales.common(pd.concat([before, after]), options)
        )
        lines = [word("from {a}", options.lang, a=name_before), word("to {b}", options.lang, b=name_after)]
        ax.set_title("\n".join(canvas.shorten_text(line, SIDE - 0.5, FONT_SIZE) for line in lines))
        canvas.draw(figure)
    return figure


def _axes(figure, shape, box):
    """Create Axes in a part of a card, (left, bottom, right, top) in shares of it."""
    left, bottom, right, top = box
    figure.set_layout_engine(
        "constrained", rect=(left, bottom, right - left, top - bottom - 0.01), w_pad=0.02, h_pad=0.02
    )
    axes = canvas.grid(figure, *shape)
    for ax in axes:
        ax.tick_params(length=2, pad=1)
        ax.locator_params(nbins=4)
    return axes


def _heading(plan, shown, total, observations, lang, unit):
    """Return counts and observations on one line, or on two where a filter makes them long."""
    (counts,) = figures.heading_lines("", plan, shown, total, None, lang, unit)
    (all_,) = figures.heading_lines("", plan, shown, total, observations, lang, unit)
    return [counts, amount(observations, "observation", lang)] if plan.filters and observations else [all_]


def _name_x_beside(axes, name):
    """Write the name of the x-axis to the right of the last map's ticks, and not below the maps."""
    for ax in axes:
        ax.set_xlabel("")
    name = canvas.shorten_text(name, (1 - LEGEND_LEFT) * SIDE, FONT_SIZE)
    axes[-1].set_xlabel(name, ha="left", va="top", in_layout=False)
    axes[-1].xaxis.set_label_coords(0.92 if len(axes) == 1 else 1.05, -0.02)
