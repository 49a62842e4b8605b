"""The Axes of one or more maps, filled: points, regions, names of the axes, and the legend that they share."""

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from datamap.maps import canvas, groups, marks, regions
from datamap.maps.groups import Group
from datamap.maps.options import MapOptions
from datamap.translations import word

AXIS_NAMES = {
    "label_var": "label_var  (variance of the given label's probability)",
    "avg_probs": "avg_probs  (mean probability of the given label)",
}


def letters(lang: str) -> str:
    """A text of the language's letters, to choose a font by."""
    return word("samples", lang)


def floats(column: pd.Series) -> np.ndarray:
    """Values of a numeric column, NaN where it has none."""
    return column.to_numpy(float, na_value=np.nan)


def box(limits: dict[str, tuple[float, float]], options: MapOptions) -> marks.Box:
    """The limits of a map's two axes."""
    return limits[options.x], limits[options.y]


def fill(
    figure: Figure,
    panels: list[Axes],
    parts: list[tuple[str, pd.DataFrame, list[Group]]],
    summary: pd.DataFrame,
    options: MapOptions,
    width: float,
) -> None:
    """Draw a map per part, all on the same scales.

    Args:
        figure: the panels' figure.
        panels: Axes of one grid, row by row; those that are left are hidden.
        parts: (name, samples, their groups).
        summary: all samples, whose ranges are the scales.
        options: x, y, regions, contours and lang count.
        width: inches of all panels.
    """
    limits = marks.axis_limits(summary, options.x, options.y)
    bounds = box(limits, options)
    size = marks.point_size(max(len(samples) for _, samples, _ in parts)) / _columns(panels) ** 0.5
    for panel, (name, samples, found) in zip(panels, parts, strict=False):
        xs, ys = floats(samples[options.x]), floats(samples[options.y])
        if _has_regions(options):
            panel.grid(False)
            marks.draw_regions(panel, bounds, regions.relative(summary))
        marks.draw_groups(panel, xs, ys, found, bounds, size)
        if options.contours:
            marks.draw_contours(panel, xs, ys, bounds)
        panel.set_title(canvas.fitted(name, width / _columns(panels) - 0.2, 10))
    label_edges(figure, panels, len(parts), options, width)


def _has_regions(options):
    return options.regions and (options.x, options.y) == ("label_var", "avg_probs")


def _columns(panels):
    return _shape(panels)[1]


def _shape(panels):
    """(rows, columns) of the grid that Axes are of."""
    spec = panels[0].get_subplotspec()
    assert spec is not None
    return spec.get_gridspec().get_geometry()


def legend_title(color: str, lang: str) -> str:
    """What the colours by this column stand for."""
    if color in groups.GROUPINGS:
        return word(groups.GROUPINGS[color].title, lang)
    return word(color, lang) if color == "label" else color


def add_legend(
    figure: Figure,
    found: list[Group],
    title: str,
    options: MapOptions,
    below: float = 0,
    counts: bool = False,
) -> float:
    """Groups that have samples, best first, as the map reads; then the regions. Returns the inches left to the maps."""
    shown = [group for group in reversed(found) if group.mask.any()]
    names = [f"{group.name} ({int(group.mask.sum()):,})" if counts else group.name for group in shown]
    handles: list[Artist] = [marks.handle(group) for group in shown]
    if _has_regions(options):
        names += [word(name, options.lang) for name in regions.NAMES]
        handles += [marks.region_handle(region) for region in range(len(regions.NAMES))]
    return canvas.add_legend(figure, handles, names, title, below)


def label_edges(figure: Figure, panels: list[Axes], count: int, options: MapOptions, width: float) -> None:
    """Name the axes once per column and once per row; hide the panels after the first `count`.

    Args:
        figure: the panels' figure.
        panels: Axes of one grid, row by row.
        count: how many of them hold a map.
        options: of the maps.
        width: inches of all panels.
    """
    rows, columns = _shape(panels)
    name_x = _axis_name(options.x, count, width / columns - 0.3, options.lang)
    name_y = _axis_name(options.y, count, figure.get_figheight() / rows - 0.8, options.lang)
    for number, panel in enumerate(panels):
        if number >= count:
            panel.set_visible(False)
            continue
        if number % columns == 0:
            panel.set_ylabel(name_y)
        if number + columns >= count:
            panel.set_xlabel(name_x)
            panel.tick_params(labelbottom=True)


def _axis_name(column, count, room, lang):
    """The column, and what it means where one map has the room for it."""
    explained = word(AXIS_NAMES[column], lang) if count == 1 and column in AXIS_NAMES else column
    if canvas.text_width(canvas.plain(explained), 10) <= room:
        return canvas.plain(explained)
    return canvas.fitted(column, room, 10)
