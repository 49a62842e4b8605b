"""Draw a map for MLflow's chart cards, which show at most 256 pixels of a picture, the upper part first.

MLflow 3.17 scales a card's picture to 256 pixels and shows 190 to 200 of them; the rest is below a scroll bar
(tests/e2e/test_browser.py measures it). So the map comes first, and counts and legend are below it.
"""

import pandas as pd
from matplotlib.figure import Figure

from datamap.maps import canvas, figures, groups, panels, plans
from datamap.maps.options import MapOptions
from datamap.translations import amount

SIDE = 2.56  # inches: what a card shows at 100 pixels per inch
DPI = 250  # of the picture that opens with a click on the card
FONT_SIZE = 7  # points
MAP_SHARE = 0.56  # of the height, for the map


def draw_card(
    summary: pd.DataFrame, options: MapOptions, *, class_names: tuple = (), observations: int | None = None
) -> Figure:
    """Draw a data map as `figures.draw_map` does, but square, with few words in a large font.

    Args:
        summary: DataFrame with the columns of summary.tsv, one row per sample.
        options: options of the map; width, height, dpi, marginals and contours are ignored.
        class_names: names of the values of the column `label`.
        observations: number of observations that the summary covers.

    Returns:
        matplotlib Figure, drawn.
    """
    plan = plans.make_plan(options)
    shown = plans.select(summary, plan.filters)
    found = groups.split(shown, groups.rules_of(summary, plan.color, class_names, options.lang), options.lang)
    maps = figures.split_facets(shown, found, options, class_names)
    heading = _heading(plan, len(shown), len(summary), observations, options.lang)
    texts = [
        *heading,
        *(group.name for group in found),
        *(name for name, *_ in maps),
        panels.letters(options.lang),
    ]
    with canvas.style(texts, FONT_SIZE):
        figure = canvas.new_figure(SIDE, SIDE, DPI)
        figure.set_layout_engine(
            "constrained", rect=(0, 1 - MAP_SHARE, 1, MAP_SHARE - 0.01), w_pad=0.02, h_pad=0.02
        )
        axes = canvas.grid(figure, *figures.grid_shape(len(maps)))
        for ax in axes:
            ax.tick_params(length=2, pad=1)
            ax.locator_params(nbins=4)
        panels.draw_maps(figure, axes, maps, summary, options, SIDE, MAP_SHARE * SIDE, scale=0.35)
        _add_legends(figure, found, options, heading)
        figure.canvas.draw()
    return figure


def _heading(plan, shown, total, observations, lang):
    """Return counts and observations on one line, or on two where a filter makes them long."""
    (counts,) = figures.heading_lines("", plan, shown, total, None, lang)
    (all_,) = figures.heading_lines("", plan, shown, total, observations, lang)
    return [counts, amount(observations, "observation", lang)] if plan.filters and observations else [all_]


def _add_legends(figure, found, options, heading):
    """List groups on the left and regions on the right."""
    of_groups, of_regions = panels.group_entries(found, counts=True), panels.region_entries(options)
    middle = 0.6 if of_regions else 1
    blank = [" "] * len(heading)
    for entries, title, left, right in ((of_groups, heading, 0, middle), (of_regions, blank, middle, 1)):
        if entries:
            handles, names = [handle for handle, _ in entries], [name for _, name in entries]
            canvas.add_legend_below(figure, handles, names, title, left, right, 1 - MAP_SHARE)
