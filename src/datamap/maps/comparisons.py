"""Figures of several runs' maps: side by side, and where the samples moved."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from datamap.maps import canvas, groups, marks, panels
from datamap.maps.options import MapOptions, chosen, refuse_too_large
from datamap.translations import word


def refuse(summaries: dict[str, pd.DataFrame], options: MapOptions) -> None:
    """Refuse what cannot be drawn, before anything is made for it.

    Raises:
        MapError: x or y is no numeric column of a summary, or the picture would be too large.
    """
    for frame in summaries.values():
        for option in ("x", "y"):
            groups.numeric_column(frame, getattr(options, option), option)
    _, _, width, height = _layout(len(summaries))
    refuse_too_large(width, height, options.dpi)


def _layout(count):
    """(columns, rows, width and height in inches) of so many maps side by side."""
    columns = int(np.ceil(np.sqrt(count))) if count > 3 else count
    rows = -(-count // columns)
    return columns, rows, 2.4 + 3.2 * columns, 0.7 + 3.2 * rows


def draw_comparison(
    summaries: dict[str, pd.DataFrame], options: MapOptions | None = None, **keywords: Any
) -> Figure:
    """Draw the maps of several runs side by side on the same axes, by correct_ratio.

    Args:
        summaries: {run name: DataFrame with the columns of summary.tsv}.
        options: `MapOptions`, or its fields as keywords; x, y, lang and dpi count.
    Returns:
        matplotlib Figure, drawn.
    """
    options = chosen(options, keywords)
    columns, rows, width, height = _layout(len(summaries))
    needed = {options.x, options.y, "correct_ratio", "label"}
    everything = pd.concat([frame[frame.columns.intersection(needed)] for frame in summaries.values()])
    rules = groups.rules_of(everything, "correct_ratio", lang=options.lang)
    found = groups.split(everything, rules, options.lang)
    with canvas.style([*summaries, panels.letters(options.lang)]):
        figure = canvas.new_figure(width, height, options.dpi)
        axes = canvas.grid(figure, rows, columns)
        left = panels.add_legend(figure, found, panels.legend_title("correct_ratio", options.lang), options)
        parts = [(name, frame, groups.split(frame, rules, options.lang)) for name, frame in summaries.items()]
        panels.fill(figure, axes, parts, everything, options, left)
        figure.canvas.draw()
    return figure


def draw_movement(
    before: pd.DataFrame,
    after: pd.DataFrame,
    name_before: str,
    name_after: str,
    options: MapOptions | None = None,
    **keywords: Any,
) -> Figure:
    """Draw where the samples of one run's map lie on another's: an arrow per cell of the map.

    An arrow goes from the mean position of the samples that one map has in a cell to their mean position on the
    other, blue where they rose and red where they fell; the dot that it starts from is the larger the more
    samples it stands for.

    Args:
        before, after: DataFrames of the same samples in the same order.
        name_before, name_after: of the two runs.
        options: `MapOptions`, or its fields as keywords; x, y, lang and dpi count.
    Returns:
        matplotlib Figure, drawn; its Axes hold one quiver.
    """
    options = chosen(options, keywords)
    needed = list({options.x, options.y})
    limits = marks.axis_limits(pd.concat([before[needed], after[needed]]), *needed)
    with canvas.style([name_before, name_after, panels.letters(options.lang)]):
        figure = canvas.new_figure(7.2, 5.4, options.dpi)
        ax = figure.subplots()
        start, end = (
            np.stack([panels.floats(f[options.x]), panels.floats(f[options.y])], 1) for f in (before, after)
        )
        marks.draw_movement(ax, start, end, panels.box(limits, options))
        panels.label_edges([ax], 1, options, *figure.get_size_inches())
        names = [canvas.fitted(name, 3.0, canvas.TITLE_SIZE) for name in (name_before, name_after)]
        what = word("mean of the samples of each cell; blue rose, red fell", options.lang)
        canvas.set_title(figure, [word("from {a} to {b}", options.lang, a=names[0], b=names[1]), what])
        figure.canvas.draw()
    return figure
