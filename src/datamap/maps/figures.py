"""Figures of data maps: pure functions, DataFrame → Figure. What lies on their Axes is in `marks`."""

import io

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from datamap.errors import MapError, counted
from datamap.maps import fonts, groups, marks, regions
from datamap.translations import word

STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.hashsalt": "datamap",
}

AXIS_NAMES = {
    "label_var": "label_var  (variance of the given label's probability)",
    "avg_probs": "avg_probs  (mean probability of the given label)",
}
MARGINALS = ("avg_probs", "label_var", "correct_ratio")  # confidence, variability, correctness
MOST_FACETS = 12


def draw_map(
    summary, *, criterion=None, threshold=0, use_f_times=-1, use_l_times=-1, dirty_label=False, color=None,
    x="label_var", y="avg_probs", regions=True, marginals=False, contours=False, facet=None, class_names=(),
    lang="en", title="", observations=None, width=7.2, height=5.4, dpi=160,
):  # fmt: skip
    """Draw a data map (Swayamdipta et al. 2020, fig. 1): one mark a sample, rare groups on top.

    Args:
        summary: DataFrame with the columns of summary.tsv, one row a sample.
        criterion, threshold: only samples whose column `criterion` is at least `threshold`.
        use_f_times, use_l_times: ≥ 0: colour by forgetting or learning events, samples with at least so many.
        dirty_label: colour by s_label.
        color: colour by this numeric column.
        x, y: numeric columns of `summary`.
        regions: shade and name the regions (on the axes label_var and avg_probs only).
        marginals: histograms of confidence, variability and correctness below the map.
        contours: lines around the densest 50, 80 and 95 % of the samples.
        facet: a column with few values: one map a value, on the same axes.
        class_names: what the values of the column `label` are called.
        lang: of the words on the map, "en" or "zh".
        title: put before the counts; `observations`: how many the summary is over.
        width, height: inches; dpi: pixels an inch.
    Returns:
        matplotlib Figure, drawn.
    Raises:
        MapError: a column is not there or not numeric, a filter leaves nothing, options that exclude each other.
    """
    plan = groups.plan(criterion, threshold, use_f_times, use_l_times, dirty_label, color)
    for option, name in (("x", x), ("y", y), ("color", color), ("facet", facet)):
        if name:
            groups.numeric_column(summary, name, option)
    shown = groups.select(summary, plan.filters)
    found = plan.groups(shown, class_names)
    parts = _facets(shown, facet, class_names)
    names = [f"{word(g.name, lang)} ({int(g.mask.sum()):,})" for g in found]
    heading = _heading(title, plan, len(shown), len(summary), observations, lang)
    legend_title = groups.LEGEND_TITLES.get(plan.grouping, plan.grouping)
    texts = [heading, word(legend_title, lang), *names, *(name for name, _ in parts)]
    with matplotlib.rc_context({**STYLE, "font.family": fonts.families(texts)}):
        figure = new_figure(width, height, dpi)
        panels, histograms = _layout(figure, len(parts), marginals)
        limits = marks.axis_limits(summary, x, y)  # of all samples: a filter does not move the axes
        for panel, (name, mask) in zip(panels, parts, strict=False):
            _fill(panel, shown, found, mask, (x, y), limits, regions, contours, lang)
            panel.set_title(name, fontsize=10)
        label_edges(panels, len(parts), x, y, lang)
        figure.legend(
            handles=marks.handles(found, names), title=word(legend_title, lang), loc="outside right upper",
            alignment="left", handletextpad=0.3, borderaxespad=0.6,
        )  # fmt: skip
        for ax, column in zip(histograms, MARGINALS, strict=False):
            low, high = marks.axis_limits(summary, column)[column]
            marks.draw_histogram(ax, shown[column].to_numpy(), found, low, high)
            ax.set_xlabel(column, fontsize=9)
        if histograms:
            histograms[0].set_ylabel(word("samples", lang), fontsize=9)
        figure.suptitle(heading, x=0.01, ha="left", fontsize=11)
        figure.canvas.draw()
    return figure


def _fill(panel, shown, found, mask, axes, limits, shaded, contours, lang):
    """One map on one Axes."""
    x, y = axes
    xs, ys = shown[x].to_numpy()[mask], shown[y].to_numpy()[mask]
    box = (limits[x], limits[y])
    if shaded and axes == ("label_var", "avg_probs"):
        panel.grid(False)
        names = [word(name, lang) for name in regions.NAMES]
        marks.draw_regions(panel, box, regions.LIMITS, names)
    marks.draw_groups(panel, xs, ys, [g._replace(mask=g.mask[mask]) for g in found], box)
    if contours:
        marks.draw_contours(panel, xs, ys, box)


def new_figure(width, height, dpi):
    """An empty figure that is drawn into memory."""
    figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _layout(figure, count, marginals):
    """(Axes of the maps, Axes of the histograms)."""
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    if not marginals:
        return _grid(figure, rows, columns), []
    upper, lower = figure.subfigures(2, 1, height_ratios=(5, 2))
    return _grid(upper, rows, columns), list(lower.subplots(1, 3, sharey=True))


def _grid(figure, rows, columns):
    return list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)


def label_edges(panels, count, x, y, lang):
    """Name the axes once a column and once a row; take away the panels that hold nothing."""
    columns = panels[0].get_subplotspec().get_gridspec().ncols
    for place, panel in enumerate(panels):
        if place >= count:
            panel.set_visible(False)
            continue
        if place % columns == 0:
            panel.set_ylabel(word(AXIS_NAMES.get(y, y), lang) if count == 1 else y)
        if place + columns >= count:
            panel.set_xlabel(word(AXIS_NAMES.get(x, x), lang) if count == 1 else x)
            panel.tick_params(labelbottom=True)


def _facets(shown, facet, class_names):
    """[(name, mask), …]: one part a value of the column, or one of all samples without a name.

    Raises:
        MapError: the column has more values than a page has room for.
    """
    if facet is None:
        return [("", slice(None))]
    values = shown[facet].to_numpy()
    distinct = np.unique(values)
    if len(distinct) > MOST_FACETS:
        raise MapError(
            f"facet={facet}: {len(distinct)} values are too many maps for one picture (at most {MOST_FACETS}); "
            f"choose some with criterion={facet}, or colour by it: color={facet}"
        )
    named = facet == "label"
    return [
        (f"{class_names[v] if named and v < len(class_names) else f'{facet} {v:g}'} ({(values == v).sum():,})",
         values == v)
        for v in distinct
    ]  # fmt: skip


def draw_comparison(summaries, x="label_var", y="avg_probs", lang="en", dpi=160):
    """Draw the maps of several runs side by side on the same axes, by correct_ratio.

    Args:
        summaries: {run name: DataFrame with the columns of summary.tsv}.
    Returns:
        matplotlib Figure, drawn.
    """
    everything = pd.concat([frame[[x, y]] for frame in summaries.values()])
    limits = marks.axis_limits(everything, x, y)
    columns = int(np.ceil(np.sqrt(len(summaries)))) if len(summaries) > 3 else len(summaries)
    rows = -(-len(summaries) // columns)
    with matplotlib.rc_context({**STYLE, "font.family": fonts.families([*summaries, word("samples", lang)])}):
        figure = new_figure(1.6 + 3.2 * columns, 0.7 + 3.2 * rows, dpi)
        panels = _grid(figure, rows, columns)
        for panel, (name, frame) in zip(panels, summaries.items(), strict=False):
            _fill(panel, frame, groups.by_correctness(frame), slice(None), (x, y), limits, True, False, lang)
            panel.set_title(name, fontsize=10)
        label_edges(panels, len(summaries), x, y, lang)
        everyone = [g._replace(mask=np.ones(1, bool)) for g in groups.by_correctness(frame)]
        figure.legend(
            handles=marks.handles(everyone, [word(g.name, lang) for g in everyone]), alignment="left",
            title=word("correct_ratio", lang), loc="outside right upper", handletextpad=0.3,
        )  # fmt: skip
        figure.canvas.draw()
    return figure


def draw_movement(before, after, name_before, name_after, x="label_var", y="avg_probs", lang="en", dpi=160):
    """Draw where the samples of one run's map lie on another's: an arrow a cell of the map.

    An arrow goes from the mean place of the samples that one map has in a cell to their mean place on the
    other, blue where they rose and red where they fell; the dot that it starts from is the larger the more
    samples it stands for.

    Args:
        before, after: DataFrames of the same samples in the same order.
    Returns:
        matplotlib Figure, drawn; its Axes hold one quiver.
    """
    limits = marks.axis_limits(pd.concat([before[[x, y]], after[[x, y]]]), x, y)
    heading = word(
        "from {a} to {b}: mean of the samples of each cell; blue rose, red fell",
        lang,
        a=name_before,
        b=name_after,
    )
    with matplotlib.rc_context({**STYLE, "font.family": fonts.families([heading])}):
        figure = new_figure(7.2, 5.4, dpi)
        ax = figure.subplots()
        marks.draw_movement(ax, before[[x, y]].to_numpy(), after[[x, y]].to_numpy(), (limits[x], limits[y]))
        label_edges([ax], 1, x, y, lang)
        figure.suptitle(heading, x=0.01, ha="left", fontsize=11)
        figure.canvas.draw()
    return figure


def _heading(title, plan, shown, total, observations, lang):
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
    return f"{title}: {what}" if title else what


def pixels(figure):
    """The drawn figure as a uint8 array (height, width, 3)."""
    from PIL import Image

    return np.asarray(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB"))


def png(array):
    """A uint8 picture (height, width, 3) as the bytes of a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="png", compress_level=1)
    return buffer.getvalue()


def svg(figure):
    """The figure as the text of an SVG file."""
    with matplotlib.rc_context({**STYLE, "svg.fonttype": "path"}):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
