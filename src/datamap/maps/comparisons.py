"""Draw the maps of several runs side by side, and how far samples moved between two runs."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from datamap.maps import canvas, groups, marks, panels
from datamap.maps.options import MapOptions, check_size, merge_options
from datamap.translations import word


def check_drawable(summaries: dict[str, pd.DataFrame], options: MapOptions) -> None:
    """Check that a comparison can be drawn, before any work is done for it.

    Raises:
        MapError: x or y is not a numeric column of a summary, or the picture would be too large.
    """
    for frame in summaries.values():
        for option in ("x", "y"):
            groups.numeric_column(frame, getattr(options, option), option)
    _, _, width, height = _layout(len(summaries))
    check_size(width, height, options.dpi)


def _layout(count):
    """Return (columns, rows, width and height in inches) for `count` maps side by side."""
    columns = int(np.ceil(np.sqrt(count))) if count > 3 else count
    rows = -(-count // columns)
    return columns, rows, 2.4 + 3.2 * columns, 0.7 + 3.2 * rows


def draw_comparison(
    summaries: dict[str, pd.DataFrame], options: MapOptions | None = None, **keywords: Any
) -> Figure:
    """Draw the maps of several runs side by side on the same axes, colored by correct_ratio.

    Args:
        summaries: {run name: DataFrame with the columns of summary.tsv}.
        options: `MapOptions`; only x, y, lang and dpi are used.
        **keywords: fields of `MapOptions` that replace those of `options`.

    Returns:
        matplotlib Figure, drawn.
    """
    options = merge_options(options, keywords)
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
        panels.draw_maps(figure, axes, parts, everything, options, left)
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
    """Draw how far samples moved between the maps of two runs: an arrow per cell of the first map.

    An arrow starts at the mean position of the samples in a cell of the first map and ends at their mean position on
    the second: blue where they rose, red where they fell. The dot at its start grows with the number of samples.

    Args:
        before: DataFrame of the first run's samples.
        after: DataFrame of the same samples in the second run, in the same order.
        name_before: name of the first run.
        name_after: name of the second run.
        options: `MapOptions`; only x, y, lang and dpi are used.
        **keywords: fields of `MapOptions` that replace those of `options`.

    Returns:
        matplotlib Figure, drawn; its Axes hold one quiver.
    """
    options = merge_options(options, keywords)
    needed = list({options.x, options.y})
    limits = marks.axis_limits(pd.concat([before[needed], after[needed]]), *needed)
    with canvas.style([name_before, name_after, panels.letters(options.lang)]):
        figure = canvas.new_figure(7.2, 5.4, options.dpi)
        ax = figure.subplots()
        start, end = (
            np.stack([panels.to_floats(f[options.x]), panels.to_floats(f[options.y])], 1)
            for f in (before, after)
        )
        marks.draw_movement(ax, start, end, panels.map_limits(limits, options))
        panels.label_edges([ax], 1, options, *figure.get_size_inches())
        names = [canvas.shorten_text(name, 3.0, canvas.TITLE_SIZE) for name in (name_before, name_after)]
        what = word("mean of the samples of each cell; blue rose, red fell", options.lang)
        canvas.set_title(figure, [word("from {a} to {b}", options.lang, a=names[0], b=names[1]), what])
        figure.canvas.draw()
    return figure
