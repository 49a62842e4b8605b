"""Draw data maps. What a point means was decided in `groups`; nothing here decides it."""

import io
import math

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

STYLE = {
    "font.family": "sans-serif",
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


def draw_map(summary, groups, ax, x="label_var", y="avg_probs", title="", legend_title="", limits=None):
    """Draw one point a sample on `ax`: the groups' colours and markers, rare groups on top.

    Args:
        summary: DataFrame, one row a sample.
        groups: list of `groups.Group` over the rows of `summary`.
        ax: matplotlib Axes.
        x, y: numeric columns of `summary`.
        limits: {column: (lowest, highest)} of the axes; None = `axis_limits` of what is drawn.
    Returns:
        the Axes, with one PathCollection a non-empty group, labelled "<name> (<count>)".
    """
    xs, ys = summary[x].to_numpy(), summary[y].to_numpy()
    size = point_size(len(summary))
    ranks = sorted(groups, key=lambda group: -int(group.mask.sum()))
    for group in reversed(groups):  # best first: the legend reads from top to bottom as the map does
        count = int(group.mask.sum())
        if not count:
            continue
        ax.scatter(
            xs[group.mask],
            ys[group.mask],
            s=size,
            c=group.color,
            marker=group.marker,
            alpha=0.8,
            linewidths=0.35,
            edgecolors="white",
            label=f"{group.name} ({count:,})",
            zorder=3 + ranks.index(group) / len(groups),
        )
    ax.set_xlabel(AXIS_NAMES.get(x, x))
    ax.set_ylabel(AXIS_NAMES.get(y, y))
    ax.set_title(title)
    limits = limits or axis_limits(summary, x, y)
    ax.set_xlim(limits[x])
    ax.set_ylim(limits[y])
    legend = ax.legend(
        title=legend_title,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        alignment="left",
        borderaxespad=0,
        handletextpad=0.3,
        markerscale=max(1.0, (36 / size) ** 0.5),
    )
    for handle in legend.legend_handles:
        handle.set_alpha(1)
    return ax


def axis_limits(summary, *columns):
    """{column: (lowest, highest)} with a little room, the same for maps of similar runs.

    Variance gets the next 0.05 (it cannot be above 0.25), probabilities 0 to 1, others their range.
    """
    limits = {}
    for name in columns:
        low, high = float(summary[name].min()), float(summary[name].max())
        if name == "label_var":
            low, high = 0.0, min(0.25, 0.05 * max(1, math.ceil(high / 0.05)))
        elif name in UNIT_RANGE:
            low, high = 0.0, 1.0
        room = 0.025 * ((high - low) or 1.0)
        limits[name] = (low - room, high + room)
    return limits


UNIT_RANGE = ("avg_probs", "max_label_probs", "min_label_probs", "correct_ratio")


def point_size(count):
    """Area of a marker in square points: smaller the more samples there are."""
    return min(36.0, max(4.0, 36.0 * (500 / max(count, 1)) ** 0.5))


def make_map(summary, groups, width=7.2, height=5.4, dpi=160, **names):
    """A figure of one map (arguments: `draw_map`), `width` × `height` inches."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained")
        FigureCanvasAgg(figure)
        draw_map(summary, groups, figure.add_subplot(), **names)
        figure.canvas.draw()
    return figure


def pixels(figure):
    """The drawn figure as a uint8 array (height, width, 3)."""
    import numpy as np

    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()


def png(array):
    """A uint8 picture (height, width, 3) as the bytes of a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="png", compress_level=6)
    return buffer.getvalue()


def svg(figure):
    """The figure as the text of an SVG file."""
    with matplotlib.rc_context(STYLE):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
