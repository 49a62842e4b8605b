"""Figures of data maps: pure functions, DataFrame → Figure. What lies on their Axes is in `marks`."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from datamap.errors import MapError, counted
from datamap.maps import canvas, groups, marks, plans, regions
from datamap.maps.options import MapOptions, chosen
from datamap.translations import word

AXIS_NAMES = {
    "label_var": "label_var  (variance of the given label's probability)",
    "avg_probs": "avg_probs  (mean probability of the given label)",
}
MARGINALS = ("avg_probs", "label_var", "correct_ratio")  # confidence, variability, correctness
MOST_FACETS = 12


def draw_map(
    summary: pd.DataFrame,
    options: MapOptions | None = None,
    *,
    class_names: tuple = (),
    title: str = "",
    observations: int | None = None,
    **keywords: Any,
) -> Figure:
    """Draw a data map (Swayamdipta et al. 2020, fig. 1): one mark per sample, rare groups on top.

    Args:
        summary: DataFrame with the columns of summary.tsv, one row per sample.
        options: `MapOptions`; or its fields as keywords, as in `draw_map(summary, color="label", dpi=100)`.
        class_names: what the values of the column `label` are called.
        title: put before the counts.
        observations: how many the summary is over.
    Returns:
        matplotlib Figure, drawn.
    Raises:
        MapError: a column is not there or not numeric, a filter leaves nothing, options that exclude each other,
            or a picture that would be too large.
        ConfigError: an option is out of its range.
    """
    options = chosen(options, keywords)
    plan = plans.plan(options)
    for option in ("x", "y", "color", "facet"):
        if getattr(options, option):
            groups.numeric_column(summary, getattr(options, option), option)
    shown = plans.select(summary, plan.filters)
    _warn_of_unplaced(shown, options)
    # Colours and axes are those of all samples: a filter moves neither.
    found = groups.split(shown, groups.rules_of(summary, plan.color, class_names, options.lang), options.lang)
    parts = _facets(shown, options, class_names)
    heading = _heading(title, plan, len(shown), len(summary), observations, options.lang)
    texts = [*heading, *(group.name for group in found), *(name for name, _ in parts), _words(options.lang)]
    with canvas.style(texts):
        figure = canvas.new_figure(options.width, options.height, options.dpi)
        panels, histograms = _layout(figure, len(parts), options.marginals)
        below = canvas.set_title(figure, _on_lines(figure, heading))
        legend = _legend_title(plan.color, options.lang)
        width = _add_legend(figure, found, legend, options, below, counts=True)
        maps = [(name, shown[mask], _within(found, mask)) for name, mask in parts]
        _fill(figure, panels, maps, summary, options, width)
        if histograms:
            _fill_histograms(histograms, shown, found, options.lang)
        figure.canvas.draw()
    return figure


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
    columns = int(np.ceil(np.sqrt(len(summaries)))) if len(summaries) > 3 else len(summaries)
    rows = -(-len(summaries) // columns)
    everything = pd.concat([frame[[options.x, options.y, "correct_ratio"]] for frame in summaries.values()])
    rules = groups.rules_of(everything, "correct_ratio", lang=options.lang)
    found = groups.split(everything, rules, options.lang)
    with canvas.style([*summaries, _words(options.lang)]):
        figure = canvas.new_figure(2.4 + 3.2 * columns, 0.7 + 3.2 * rows, options.dpi)
        panels = canvas.grid(figure, rows, columns)
        width = _add_legend(figure, found, _legend_title("correct_ratio", options.lang), options)
        parts = [(name, frame, groups.split(frame, rules, options.lang)) for name, frame in summaries.items()]
        _fill(figure, panels, parts, everything, options, width)
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
    axes = [options.x, options.y]
    limits = marks.axis_limits(pd.concat([before[axes], after[axes]]), *axes)
    with canvas.style([name_before, name_after, _words(options.lang)]):
        figure = canvas.new_figure(7.2, 5.4, options.dpi)
        ax = figure.subplots()
        marks.draw_movement(ax, before[axes].to_numpy(), after[axes].to_numpy(), _box(limits, options))
        label_edges(figure, [ax], 1, options, figure.get_figwidth())
        names = [canvas.fitted(name, 3.0, canvas.TITLE_SIZE) for name in (name_before, name_after)]
        what = word("mean of the samples of each cell; blue rose, red fell", options.lang)
        canvas.set_title(figure, [word("from {a} to {b}", options.lang, a=names[0], b=names[1]), what])
        figure.canvas.draw()
    return figure


def _warn_of_unplaced(shown, options):
    for column in dict.fromkeys((options.x, options.y)):
        unplaced = int((~np.isfinite(_floats(shown[column]))).sum())
        if unplaced:
            warnings.warn(
                f"{counted(unplaced, 'sample')} without a finite {column}: not on the map", stacklevel=3
            )


def _words(lang):
    """A text of the language's letters, to choose a font by."""
    return word("samples", lang)


def _floats(column):
    return column.to_numpy(float, na_value=np.nan)


def _within(found, mask):
    return [group._replace(mask=group.mask[mask]) for group in found]


def _box(limits, options):
    return limits[options.x], limits[options.y]


def _fill(figure, panels, parts, summary, options, width):
    """A map per part: (name, samples, their groups) → Axes, on the scales of the full summary."""
    limits = marks.axis_limits(summary, options.x, options.y)
    box = _box(limits, options)
    size = marks.point_size(max(len(samples) for _, samples, _ in parts)) / _columns(panels) ** 0.5
    for panel, (name, samples, found) in zip(panels, parts, strict=False):
        xs, ys = _floats(samples[options.x]), _floats(samples[options.y])
        if _has_regions(options):
            panel.grid(False)
            marks.draw_regions(panel, box, regions.relative(summary))
        marks.draw_groups(panel, xs, ys, found, box, size)
        if options.contours:
            marks.draw_contours(panel, xs, ys, box)
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


def _legend_title(color, lang):
    if color in groups.GROUPINGS:
        return word(groups.GROUPINGS[color].title, lang)
    return word(color, lang) if color == "label" else color


def _add_legend(figure, found, title, options, below=0.0, counts=False):
    """Groups that have samples, best first, as the map reads; then the regions. Returns the inches left to the maps."""
    shown = [group for group in reversed(found) if group.mask.any()]
    names = [f"{group.name} ({int(group.mask.sum()):,})" if counts else group.name for group in shown]
    handles: list[Artist] = [marks.handle(group) for group in shown]
    if _has_regions(options):
        names += [word(name, options.lang) for name in regions.NAMES]
        handles += [marks.region_handle(region) for region in range(len(regions.NAMES))]
    return canvas.add_legend(figure, handles, names, title, below)


def _fill_histograms(histograms, shown, found, lang):
    for ax, column in zip(histograms, MARGINALS, strict=True):
        low, high = marks.axis_limits(shown, column)[column]
        marks.draw_histogram(ax, _floats(shown[column]), found, low, high)
        ax.set_xlabel(column, fontsize=9)
    histograms[0].set_ylabel(word("samples", lang), fontsize=9)


def _layout(figure, count, marginals):
    """(Axes of the maps, Axes of the histograms)."""
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    if not marginals:
        return canvas.grid(figure, rows, columns), []
    upper, lower = figure.subfigures(2, 1, height_ratios=(5, 2))
    return canvas.grid(upper, rows, columns), list(lower.subplots(1, 3, sharey=True))


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


def _facets(shown, options, class_names):
    """[(name, mask), …]: one part per value of the column, or one of all samples without a name.

    Raises:
        MapError: the column has more values than a page has room for.
    """
    column = options.facet
    if column is None:
        return [("", slice(None))]
    values = _floats(shown[column])
    distinct = np.unique(values[np.isfinite(values)])
    if len(distinct) > MOST_FACETS:
        raise MapError(
            f"facet={column}: {len(distinct):,} values are too many maps for one picture (at most {MOST_FACETS}); "
            f"choose some with criterion={column}, or colour by it: color={column}"
        )
    named = class_names if column == "label" else ()
    parts = [
        (str(named[int(v)]) if 0 <= v < len(named) else f"{column} {v:g}", values == v) for v in distinct
    ]
    parts.append((word(groups.NO_VALUE.name, options.lang), ~np.isfinite(values)))
    return [(f"{name} ({mask.sum():,})", mask) for name, mask in parts if mask.any()]


def _heading(title, plan, shown, total, observations, lang):
    """What is drawn, after the title: [title, counts], or [counts]."""
    if plan.filters:
        filters = ", ".join(map(str, plan.filters))
        what = word(
            "{shown} of {total} samples, {filters}", lang, shown=f"{shown:,}", total=f"{total:,}", filters=filters
        )  # fmt: skip
    else:
        what = counted(total, "sample") if lang == "en" else word("{total} samples", lang, total=f"{total:,}")
    if observations:
        times = "1 observation" if observations == 1 else "{count} observations"
        what += f"{', ' if lang == 'en' else '，'}{word(times, lang, count=observations)}"
    return [title, what] if title else [what]


def _on_lines(figure, heading):
    """Title and counts on one line where that is wide enough, else on two."""
    line = ": ".join(heading)
    wide = canvas.text_width(canvas.plain(line), canvas.TITLE_SIZE)
    return [line] if wide < figure.get_figwidth() - 0.2 else heading
