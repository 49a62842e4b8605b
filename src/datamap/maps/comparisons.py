"""Draw the maps of several runs side by side, and how far samples moved between two runs."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from datamap.maps import canvas, groups, marks, panels, scales
from datamap.maps.options import MapOptions, check_size
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


class Sheet(NamedTuple):
    """Hold what the maps of a comparison have in common.

    Attributes:
        parts: (name, samples, their groups) of each run.
        found: groups of all samples.
        scale: axes and regions of all maps.
    """

    parts: list[tuple[str, pd.DataFrame, list[groups.Group]]]
    found: list[groups.Group]
    scale: scales.Scale


def sheet(summaries: Mapping[str, pd.DataFrame], options: MapOptions) -> Sheet:
    """Group the samples of several runs by correct_ratio, and choose the scale of their maps."""
    needed = {options.x, options.y, "correct_ratio", "label"}
    everything = pd.concat([frame[frame.columns.intersection(needed)] for frame in summaries.values()])
    rules = groups.rules_of(everything, "correct_ratio", lang=options.lang)
    parts = [(name, frame, groups.split(frame, rules, options.lang)) for name, frame in summaries.items()]
    found = groups.split(everything, rules, options.lang)
    return Sheet(parts, found, scales.common(everything, options))


def draw_comparison(summaries: Mapping[str, pd.DataFrame], options: MapOptions) -> Figure:
    """Draw the maps of several runs side by side on the scale that runs share, colored by correct_ratio.

    Args:
        summaries: {run name: DataFrame with the columns of summary.tsv}.
        options: only x, y, lang and dpi are used.

    Returns:
        matplotlib Figure, drawn.
    """
    columns, rows, width, height = _layout(len(summaries))
    parts, found, scale = sheet(summaries, options)
    with canvas.style([*summaries, panels.letters(options.lang)]):
        figure = canvas.new_figure(width, height, options.dpi)
        axes = canvas.grid(figure, rows, columns)
        left = panels.add_legend(figure, found, panels.legend_title("correct_ratio", options.lang), options)
        panels.draw_maps(figure, axes, parts, scale, options, left)
        canvas.draw(figure)
    return figure


def draw_movement(
    before: pd.DataFrame, after: pd.DataFrame, name_before: str, name_after: str, options: MapOptions
) -> Figure:
    """Draw how far samples moved between the maps of two runs: an arrow per cell of the first map.

    An arrow starts at the mean position of the samples in a cell of the first map and ends at their mean position on
    the second: blue where they rose, red where they fell. The dot at its start grows with the number of samples.

    Args:
        before: DataFrame of the first run's samples.
        after: DataFrame of the same samples in the second run, in the same order.
        name_before: name of the first run.
        name_after: name of the second run.
        options: only x, y, lang and dpi are used.

    Returns:
        matplotlib Figure, drawn; its Axes hold one quiver.
    """
    with canvas.style([name_before, name_after, panels.letters(options.lang)]):
        figure = canvas.new_figure(7.2, 5.4, options.dpi)
        scale = scales.common(pd.concat([before, after]), options)
        fill_movement(figure.subplots(), before, after, options, scale)
        names = [canvas.shorten_text(name, 3.0, canvas.TITLE_SIZE) for name in (name_before, name_after)]
        what = word("mean of the samples of each cell; blue rose, red fell", options.lang)
        canvas.set_title(figure, [word("from {a} to {b}", options.lang, a=names[0], b=names[1]), what])
        canvas.draw(figure)
    return figure


def fill_movement(
    ax: Axes, before: pd.DataFrame, after: pd.DataFrame, options: MapOptions, scale: scales.Scale
) -> None:
    """Draw the arrows of a movement, and name the axes."""
    start, end = (np.stack(scale.positions(frame), axis=1) for frame in (before, after))
    marks.draw_movement(ax, start, end, scale.bounds)
    figure = ax.get_figure(root=True)
    assert figure is not None
    panels.label_edges([ax], 1, scale, options.lang, *figure.get_size_inches())
