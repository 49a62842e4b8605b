"""Fill the Axes of one or more maps: points, regions, names of the axes, and a shared legend."""

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
    """Return a text in the language's characters, to choose a font by."""
    return word("samples", lang)


def to_floats(column: pd.Series) -> np.ndarray:
    """Return the values of a numeric column, NaN where it has none."""
    return column.to_numpy(float, na_value=np.nan)


def map_limits(limits: dict[str, tuple[float, float]], options: MapOptions) -> marks.Box:
    """Return the limits of a map's two axes."""
    return limits[options.x], limits[options.y]


def draw_maps(
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
        panels: Axes of one grid, row by row; unused ones are hidden.
        parts: (name, samples, their groups).
        summary: all samples; their ranges set the scales.
        options: options of the maps; only x, y, regions, contours and lang are used.
        width: inches of all panels.
        height: inches of all panels; None = the figure's.
        scale: factor of the marks' area.
    """
    limits = marks.axis_limits(summary, options.x, options.y)
    bounds = map_limits(limits, options)
    size = marks.point_size(max(len(samples) for _, samples, _ in parts)) / _columns(panels) ** 0.5 * scale
    for panel, (name, samples, found) in zip(panels, parts, strict=False):
        xs, ys = to_floats(samples[options.x]), to_floats(samples[options.y])
        if _has_regions(options):
            panel.grid(False)
            marks.draw_regions(panel, bounds, regions.relative_limits(summary))
        marks.draw_groups(panel, xs, ys, found, bounds, size)
        if options.contours:
            marks.draw_contours(panel, xs, ys, bounds)
        panel.set_title(canvas.shorten_text(name, width / _columns(panels) - 0.3, canvas.font_size()))
    label_edges(panels, len(parts), options, width, height or figure.get_figheight())


def _has_regions(options):
    return options.regions and (options.x, options.y) == ("label_var", "avg_probs")


def _columns(panels):
    return _shape(panels)[1]


def _shape(panels):
    """Return (rows, columns) of the grid that holds the Axes."""
    spec = panels[0].get_subplotspec()
    assert spec is not None
    return spec.get_gridspec().get_geometry()


def legend_title(color: str, lang: str) -> str:
    """Return the title of the legend of a column's colors."""
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
    """Put the legend of groups and regions to the right of the maps; return the inches that remain for the maps."""
    entries = group_entries(found, counts) + region_entries(options)
    return canvas.add_legend(figure, [h for h, _ in entries], [name for _, name in entries], title, below)


def group_entries(found: list[Group], counts: bool) -> list[tuple[Artist, str]]:
    """List (mark, name) of the groups that have samples, in the order in which the map reads, best first."""
    shown = [group for group in reversed(found) if group.mask.any()]
    return [
        (marks.group_handle(group), f"{group.name} ({int(group.mask.sum()):,})" if counts else group.name)
        for group in shown
    ]


def region_entries(options: MapOptions) -> list[tuple[Artist, str]]:
    """List (patch, name) of the regions; [] if the map has none."""
    names = regions.NAMES if _has_regions(options) else ()
    return [(marks.region_handle(number), word(name, options.lang)) for number, name in enumerate(names)]


def label_edges(panels: list[Axes], count: int, options: MapOptions, width: float, height: float) -> None:
    """Name the axes once per column and once per row; hide the panels after the first `count`.

    Args:
        panels: Axes of one grid, row by row.
        count: how many of them hold a map.
        options: options of the maps.
        width: inches of all panels.
        height: inches of all panels.
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
    """Return the column's name, with its meaning if there is one map that has enough space."""
    explained = word(AXIS_NAMES[column], lang) if count == 1 and column in AXIS_NAMES else column
    if canvas.text_width(canvas.remove_controls(explained), canvas.font_size()) <= room:
        return canvas.remove_controls(explained)
    return canvas.shorten_text(column, room, canvas.font_size())
