"""Fill the Axes of one or more maps: points, regions, names of the axes, and a shared legend."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from datamap.maps import canvas, groups, marks, regions
from datamap.maps.groups import Group
from datamap.maps.options import MapOptions
from datamap.maps.scales import Scale, has_regions
from datamap.translations import word

MIN_NAMED = (
    1.4,
    0.9,
)  # inches (width, height) of a map on a card that has space for the names of the regions
CARD_MARKS = 0.35  # factor of the marks' area on a card
AXIS_NAMES = {
    "label_var": "label_var  (variance of the given label's probability)",
    "variability": "variability  (standard deviation of the given label's probability)",
    "avg_probs": "avg_probs  (mean probability of the given label)",
}
UNLABELED_AXIS_NAMES = {
    "label_var": "label_var  (variance of the confidence)",
    "variability": "variability  (standard deviation of the confidence)",
    "avg_probs": "avg_probs  (mean confidence)",
}


def letters(lang: str) -> str:
    """Return a text in the language's characters, to choose a font by."""
    return word("samples", lang)


def draw_maps(
    figure: Figure,
    panels: list[Axes],
    parts: list[tuple[str, pd.DataFrame, list[Group]]],
    scale: Scale,
    options: MapOptions,
    width: float,
    height: float | None = None,
    card: bool = False,
) -> None:
    """Draw a map per part, all on the same scale.

    Args:
        figure: the panels' figure.
        panels: Axes of one grid, row by row; unused ones are hidden.
        parts: (name, samples, their groups).
        scale: axes and regions of all maps.
        options: options of the maps; only contours and lang are used.
        width: inches of all panels.
        height: inches of all panels; None = the figure's.
        card: draw smaller marks, and write the names of the regions into maps that have space for them.
    """
    size = marks.point_size(max(len(samples) for _, samples, _ in parts))
    height = height or figure.get_figheight()
    rows, columns = _shape(panels)
    size *= (CARD_MARKS if card else 1) / columns**0.5
    named = card and width / columns >= MIN_NAMED[0] and height / rows >= MIN_NAMED[1]
    for panel, (name, samples, found) in zip(panels, parts, strict=False):
        xs, ys = scale.positions(samples)
        if scale.borders:
            panel.grid(False)
            marks.draw_regions(panel, scale.bounds, scale.borders)
        marks.draw_groups(panel, xs, ys, found, scale.bounds, size)
        if named and scale.borders:
            names = [word(name, options.lang) for name in regions.NAMES]
            marks.name_regions(panel, scale.bounds, scale.borders, names, canvas.font_size() - 1.5)
        if options.contours:
            marks.draw_contours(panel, xs, ys, scale.bounds)
        panel.set_title(canvas.shorten_text(name, width / columns - 0.3, canvas.font_size()))
    label_edges(panels, len(parts), scale, options.lang, width, height)


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
    return canvas.add_legend(figure, group_entries(found, counts) + region_entries(options), title, below)


def group_entries(found: list[Group], counts: bool) -> list[canvas.Entry]:
    """List (mark, name) of the groups that have samples, in the order in which the map reads, best first."""
    shown = [group for group in reversed(found) if group.mask.any()]
    return [
        (marks.group_handle(group), f"{group.name} ({int(group.mask.sum()):,})" if counts else group.name)
        for group in shown
    ]


def region_entries(options: MapOptions) -> list[canvas.Entry]:
    """List (patch, name) of the regions; [] if the map has none."""
    names = regions.NAMES if has_regions(options) else ()
    return [(marks.region_handle(number), word(name, options.lang)) for number, name in enumerate(names)]


def label_edges(panels: list[Axes], count: int, scale: Scale, lang: str, width: float, height: float) -> None:
    """Name the axes once per column and once per row; hide the panels after the first `count`.

    Args:
        panels: Axes of one grid, row by row.
        count: how many of them hold a map.
        scale: scale of the maps.
        lang: language of the names.
        width: inches of all panels.
        height: inches of all panels.
    """
    rows, columns = _shape(panels)
    names = (AXIS_NAMES if scale.labeled else UNLABELED_AXIS_NAMES) if count == 1 else {}
    name_x = _axis_name(scale.x, names, width / columns - 0.3, lang)
    name_y = _axis_name(scale.y, names, height / rows - 0.05 * canvas.font_size(), lang)
    for number, panel in enumerate(panels):
        if number >= count:
            panel.set_visible(False)
            continue
        if number % columns == 0:
            panel.set_ylabel(name_y)
        if number + columns >= count:
            panel.set_xlabel(name_x)
            panel.tick_params(labelbottom=True)


def _axis_name(column, names, room, lang):
    """Return the column's name, with its meaning if there is one that has enough space."""
    explained = word(names[column], lang) if column in names else column
    if canvas.text_width(canvas.remove_controls(explained), canvas.font_size()) <= room:
        return canvas.remove_controls(explained)
    return canvas.shorten_text(column, room, canvas.font_size())
