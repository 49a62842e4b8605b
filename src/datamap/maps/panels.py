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
    height: float | None = None,
    scale: float = 1,
) -> None:
    """Draw a map per part, all on the same scales.

    Args:
        figure: the panels' figure.
        panels: Axes of one grid, row by row; those that are left are hidden.
        parts: (name, samples, their groups).
        summary: all samples, whose ranges are the scales.
        options: x, y, regions, contours and lang count.
        width: inches of all panels.
        height: inches of all panels; None = the figure's.
        scale: of the marks' area.
    """
    limits = marks.axis_limits(summary, options.x, options.y)
    bounds = box(limits, options)
    size = marks.point_size(max(len(samples) for _, samples, _ in parts)) / _columns(panels) ** 0.5 * scale
    for panel, (name, samples, found) in zip(panels, parts, strict=False):
        xs, ys = floats(samples[options.x]), floats(samples[options.y])
        if _has_regions(options):
            panel.grid(False)
            marks.draw_regions(panel, bounds, regions.relative(summary))
        marks.draw_groups(panel, xs, ys, found, bounds, size)
        if options.contours:
            marks.draw_contours(panel, xs, ys, bounds)
        panel.set_title(canvas.fitted(name, width / _columns(panels) - 0.3, canvas.font_size()))
    label_edges(panels, len(parts), options, width, height or figure.get_figheight())


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
    """Put the legend of groups and regions right of the maps; returns the inches left to them."""
    entries = group_entries(found, counts) + region_entries(options)
    return canvas.add_legend(figure, [h for h, _ in entries], [name for _, name in entries], title, below)


def group_entries(found: list[Group], counts: bool) -> list[tuple[Artist, str]]:
    """[(what stands for it, its name)] of the groups that have samples, best first, as the map reads."""
    shown = [group for group in reversed(found) if group.mask.any()]
    return [
        (marks.handle(group), f"{group.name} ({int(group.mask.sum()):,})" if counts else group.name)
        for group in shown
    ]


def region_entries(options: MapOptions) -> list[tuple[Artist, str]]:
    """The same of the regions; [] on a map without."""
    names = regions.NAMES if _has_regions(options) else ()
    return [(marks.region_handle(number), word(name, options.lang)) for number, name in enumerate(names)]


def label_edges(panels: list[Axes], count: int, options: MapOptions, width: float, height: float) -> None:
    """Name the axes once per column and once per row; hide the panels after the first `count`.

    Args:
        panels: Axes of one grid, row by row.
        count: how many of them hold a map.
        options: of the maps.
        width, height: inches of all panels.
    """
    rows, columns = _shape(panels)
    name_x = _axis_name(options.x, count, width / columns - 0.3, options.lang)
    name_y = _axis_name(options.y, count, height / rows - 0.8, options.lang)
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
    if canvas.text_width(canvas.plain(explained), canvas.font_size()) <= room:
        return canvas.plain(explained)
    return canvas.fitted(column, room, canvas.font_size())
