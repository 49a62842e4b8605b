"""Draw data maps: pure functions that turn a DataFrame into a Figure. `panels` and `marks` fill the Axes."""

import warnings
from collections.abc import Iterable, Mapping, Set
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from datamap.errors import ConfigError, MapError, shortened
from datamap.maps import canvas, groups, marks, panels, plans, scales
from datamap.maps.options import MapOptions, merge_options
from datamap.translations import Amount, amount, word

MARGINALS = ("avg_probs", "label_var", "correct_ratio")  # confidence, variability, correctness


def draw_map(
    summary: pd.DataFrame,
    options: MapOptions | None = None,
    *,
    class_names: Iterable[str] = (),
    title: str = "",
    observations: int | None = None,
    unit: str = "sample",
    **keywords: Any,
) -> Figure:
    """Draw a data map (Swayamdipta et al. 2020, fig. 1): one mark per sample, rare groups on top.

    The map shows each sample by two statistics of training, by default the variance (x) and the mean (y) of the given
    label's probability over the observations.

    Args:
        summary: DataFrame with the columns of summary.tsv, one row per sample; labels are indices or categories.
        options: `MapOptions`; the default options if None.
        class_names: names of the values of the column `label`.
        title: text before the counts.
        observations: number of observations that the summary covers.
        unit: what a row of the summary is: "sample", "token" or "label".
        **keywords: fields of `MapOptions` that replace those of `options`.

    Returns:
        matplotlib Figure, drawn.

    Raises:
        MapError: a column is missing or not numeric, a filter keeps no sample, or two options exclude each other.
        ConfigError: an option is out of its range.

    >>> statistics = {"label_var": [0.0, 0.2], "avg_probs": [0.9, 0.5], "correct_ratio": [1.0, 0.5]}
    >>> summary = pd.DataFrame({"id": [0, 1], "label": [0, 1], **statistics})
    >>> draw_map(summary, color="label", dpi=100).get_size_inches().tolist()
    [7.2, 5.4]
    """
    options = merge_options(options, keywords)
    names = _checked(summary, class_names, title, observations)
    summary, names = _with_indices(summary, names)
    plan = plans.make_plan(options)
    shown = _shown(summary, plan, options, unit)
    # Colors and axes are those of all samples: a filter changes neither.
    found = groups.split(shown, groups.rules_of(summary, plan.color, names, options.lang), options.lang)
    maps = split_facets(shown, found, options, names)
    heading = heading_lines(title, plan, len(shown), len(summary), observations, options.lang, unit)
    texts = [
        *heading,
        *(group.name for group in found),
        *(name for name, *_ in maps),
        panels.letters(options.lang),
    ]
    with canvas.style(texts):
        figure = canvas.new_figure(options.width, options.height, options.dpi)
        axes, histograms = _layout(figure, len(maps), options.marginals)
        below = canvas.set_title(figure, _on_lines(figure, heading, options.lang))
        legend = panels.legend_title(plan.color, options.lang)
        width = panels.add_legend(figure, found, legend, options, below, counts=True)
        height = axes[0].get_figure().bbox.height / figure.dpi - below - 0.3  # without the x-axis
        panels.draw_maps(figure, axes, maps, scales.own(summary, options), options, width, height)
        _fill_histograms(histograms, summary, shown, found, word(f"{unit}s", options.lang))
        canvas.draw(figure)
    return figure


def _checked(summary, class_names, title, observations):
    """Check the arguments other than options, and return the class names as a tuple of texts."""
    if not isinstance(summary, pd.DataFrame) or summary.empty:
        raise MapError(
            f"summary is {shortened(summary)}: give a DataFrame of samples, as datamap.load_run(…).summary() returns it"
        )
    twice = summary.columns[summary.columns.duplicated()]
    if len(twice):
        raise MapError(f"summary has two columns {shortened(twice[0])}; leave one out")
    if isinstance(class_names, str | bytes | Set | Mapping) or not isinstance(class_names, Iterable):
        raise ConfigError(f"class_names={shortened(class_names)}: give a list of names, by class index")
    if not isinstance(title, str):
        raise ConfigError(f"title={shortened(title)}: give a text")
    if observations is not None and (not isinstance(observations, Integral) or observations < 0):
        raise ConfigError(f"observations={shortened(observations)}: give how many there are")
    return tuple(map(str, class_names))


def _with_indices(summary, names):
    """Return (the summary with labels as class indices, class names); labels may be categories, as `load_run` gives."""
    if isinstance(summary.get("label", pd.Series()).dtype, pd.CategoricalDtype):
        labels = summary["label"].cat
        return summary.assign(label=labels.codes), names or tuple(map(str, labels.categories))
    return summary, names


def _shown(summary, plan, options, unit):
    """Select the samples that pass the filters; warn of those that have no position."""
    shown = plans.shown(summary, plan, options, unit)
    for column in dict.fromkeys((options.x, options.y)):
        unplaced = int((~np.isfinite(scales.values(shown, column))).sum())
        if unplaced:
            left_out = Amount(unplaced, unit)
            what = "the map leaves out {samples} without a finite {column}"
            warnings.warn(word(what, options.lang, samples=left_out, column=column), stacklevel=3)
    return shown


def _fill_histograms(histograms, summary, shown, found, counted):
    for ax, column in zip(histograms, MARGINALS, strict=False):  # none without `marginals`
        low, high = scales.axis_limits(summary, column)
        marks.draw_histogram(ax, scales.values(shown, column), found, low, high)
        ax.set_xlabel(column, fontsize=9)
        ax.tick_params(labelsize=9)
        ax.set_ylabel(counted if ax is histograms[0] else "", fontsize=9)


def grid_shape(count: int) -> tuple[int, int]:
    """Return (rows, columns) of a grid for `count` maps."""
    columns = int(np.ceil(np.sqrt(count)))
    return -(-count // columns), columns


def _layout(figure, count, marginals):
    """Create the Axes of the maps and those of the histograms."""
    rows, columns = grid_shape(count)
    if not marginals:
        return canvas.grid(figure, rows, columns), []
    upper, lower = figure.subfigures(2, 1, height_ratios=(5, 2))
    return canvas.grid(upper, rows, columns), list(lower.subplots(1, 3, sharey=True))


def split_facets(
    shown: pd.DataFrame, found: list[groups.Group], options: MapOptions, class_names: tuple
) -> list[tuple[str, pd.DataFrame, list[groups.Group]]]:
    """Split the samples by the values of the column `options.facet`.

    Returns:
        [(name, samples, their groups), …], one part per value; without a facet, one part of all samples and no name.

    Raises:
        MapError: the column has too many values (`plans.facets`).
    """
    column = options.facet
    if column is None:
        return [("", shown, found)]
    values, distinct = scales.values(shown, column), plans.facets(shown, column)
    named = class_names if column == "label" else ()
    parts = [
        (str(named[int(v)]) if 0 <= v < len(named) else f"{column} {v:g}", values == v) for v in distinct
    ]
    parts.append((word(groups.NO_VALUE.name, options.lang), ~np.isfinite(values)))
    return [
        (f"{name} ({mask.sum():,})", shown[mask], [group._replace(mask=group.mask[mask]) for group in found])
        for name, mask in parts
        if mask.any()
    ]


def heading_lines(
    title: str,
    plan: plans.Plan,
    shown: int,
    total: int,
    observations: int | None,
    lang: str,
    unit: str = "sample",
) -> list[str]:
    """Return [title, counts], or [counts] without a title: what the map shows."""
    if plan.filters:
        filters = word(", ", lang).join(map(str, plan.filters))
        what = word(
            "{shown} of {total}, {filters}", lang, shown=f"{shown:,}", total=Amount(total, unit), filters=filters
        )  # fmt: skip
    else:
        what = amount(total, unit, lang)
    if observations:
        what += word(", ", lang) + amount(observations, "observation", lang)
    return [title, what] if title else [what]


def _on_lines(figure, heading, lang):
    """Put title and counts on one line where they fit, else on two."""
    line = word(": ", lang).join(heading)
    wide = canvas.text_width(canvas.remove_controls(line), canvas.TITLE_SIZE)
    return [line] if wide < figure.get_figwidth() - 0.2 else heading
