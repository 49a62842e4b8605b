"""A map for MLflow's chart cards, which show a picture of at most 256 pixels, and of that the upper half at first.

Measured with MLflow 3.17 (tests/e2e/test_browser.py holds it): a card's picture is scaled to 256 pixels and lies in a
square box of which 190 to 200 pixels are in view, the rest behind a scroll bar. So the map is above, and the counts and
the legend are below it.
"""

import pandas as pd
from matplotlib.figure import Figure

from datamap.maps import canvas, figures, groups, panels, plans
from datamap.maps.options import MapOptions
from datamap.translations import amount

SIDE = 2.56  # inches: at 100 pixels per inch what a card shows
DPI = 250  # of the picture that a click on the card opens
FONT = 7  # points
MAP = 0.56  # of the height


def draw_card(
    summary: pd.DataFrame, options: MapOptions, *, class_names: tuple = (), observations: int | None = None
) -> Figure:
    """Draw a data map as `figures.draw_map` does, square, with few words, and large ones.

    Args:
        summary: DataFrame with the columns of summary.tsv, one row per sample.
        options: of the map; width, height, dpi, marginals and contours do not count.
        class_names: what the values of the column `label` are called.
        observations: how many the summary is over.
    Returns:
        matplotlib Figure, drawn.
    """
    plan = plans.plan(options)
    shown = plans.select(summary, plan.filters)
    found = groups.split(shown, groups.rules_of(summary, plan.color, class_names, options.lang), options.lang)
    maps = figures.facets(shown, found, options, class_names)
    heading = _heading(plan, len(shown), len(summary), observations, options.lang)
    texts = [
        *heading,
        *(group.name for group in found),
        *(name for name, *_ in maps),
        panels.letters(options.lang),
    ]
    with canvas.style(texts, FONT):
        figure = canvas.new_figure(SIDE, SIDE, DPI)
        figure.set_layout_engine("constrained", rect=(0, 1 - MAP, 1, MAP - 0.01), w_pad=0.02, h_pad=0.02)
        axes = canvas.grid(figure, *figures.shape(len(maps)))
        for ax in axes:
            ax.tick_params(length=2, pad=1)
            ax.locator_params(nbins=4)
        panels.fill(figure, axes, maps, summary, options, SIDE, MAP * SIDE, scale=0.35)
        _add_legends(figure, found, options, heading)
        figure.canvas.draw()
    return figure


def _heading(plan, shown, total, observations, lang):
    """[counts and observations], or a line for each where a filter makes them long."""
    (counts,) = figures.heading_lines("", plan, shown, total, None, lang)
    (all_,) = figures.heading_lines("", plan, shown, total, observations, lang)
    return [counts, amount(observations, "observation", lang)] if plan.filters and observations else [all_]


def _add_legends(figure, found, options, heading):
    """Groups on the left, regions on the right."""
    of_groups, of_regions = panels.group_entries(found, counts=True), panels.region_entries(options)
    middle = 0.6 if of_regions else 1
    blank = [" "] * len(heading)
    for entries, title, left, right in ((of_groups, heading, 0, middle), (of_regions, blank, middle, 1)):
        if entries:
            handles, names = [handle for handle, _ in entries], [name for _, name in entries]
            canvas.add_legend_below(figure, handles, names, title, left, right, 1 - MAP)
