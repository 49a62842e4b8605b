"""The paper that maps are drawn on: a figure in memory, its title and legend, and the files made of it."""

import contextlib
import io
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from datamap.maps import fonts
from datamap.maps.options import refuse_too_large

STYLE: Any = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.titlelocation": "left",
    "axes.titlesize": "medium",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.hashsalt": "datamap",
    # Names of runs, classes and columns are the users': "$" is a letter, not the start of a formula.
    "text.parse_math": False,
    "text.usetex": False,
}
TITLE_SIZE = 11
LINE = 1.25 * TITLE_SIZE / 72  # inches
LEGEND_SHARE = 0.36  # of the figure's width, at most
LONGEST = 500  # characters of a line of text
MEASURE_DPI = 288  # at few dpi, hinting makes a text wider


class MapFigure(Figure):
    """A figure that a notebook shows, also where pyplot was never imported."""

    def _repr_png_(self) -> bytes:
        return png(pixels(self))


@contextlib.contextmanager
def style(texts: Iterable[str], size: float = 10) -> Iterator[None]:
    """Ours, with fonts for these texts, of this size in points, while a figure is drawn."""
    with matplotlib.rc_context(STYLE | {"font.family": fonts.families(texts), "font.size": size}):
        yield


def font_size() -> float:
    """Points of a text, within `style`."""
    return float(matplotlib.rcParams["font.size"])


def new_figure(width: float, height: float, dpi: int) -> Figure:
    """An empty figure that is drawn into memory.

    Args:
        width, height: inches.
        dpi: pixels per inch.
    Raises:
        MapError: it would have too many pixels.
    """
    refuse_too_large(width, height, dpi)
    figure = MapFigure(figsize=(width, height), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _canvas(figure):
    assert isinstance(figure.canvas, FigureCanvasAgg)
    return figure.canvas


def grid(figure: Figure, rows: int, columns: int) -> list[Axes]:
    """Axes on the same scales, row by row."""
    return list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)


def fitted(text: str, width: float, size: float) -> str:
    """`text` on one line, its middle left out where it is wider than `width` inches at font size `size`."""
    text = plain(text)
    shown, kept = text, min(len(text), LONGEST + 1)
    while kept > 1 and text_width(shown, size) > width:
        kept = min(kept - 1, int(kept * 0.95))
        shown = f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"
    return shown


def plain(text: str) -> str:
    """`text` on one line, without characters that cannot be drawn (control characters, half a surrogate pair)."""
    return "".join(
        " " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in str(text)
    )


def text_width(text: str, size: float) -> float:
    """Inches that a line of text is wide at font size `size`; infinite for one that is too long to be measured."""
    if len(text) > LONGEST:
        return float("inf")
    renderer = RendererAgg(1, 1, MEASURE_DPI)
    return renderer.get_text_width_height_descent(text, FontProperties(size=size), False)[0] / MEASURE_DPI


def set_title(figure: Figure, lines: Sequence[str]) -> float:
    """Lines above all Axes, shortened to the figure's width; returns the inches that they take."""
    room = figure.get_figwidth() - 0.2
    shown = [fitted(line, room, TITLE_SIZE) for line in lines]
    figure.suptitle("\n".join(shown), x=0.1 / figure.get_figwidth(), ha="left", fontsize=TITLE_SIZE)
    return len(shown) * LINE


def add_legend(figure: Figure, handles: list, names: list[str], title: str, below: float = 0) -> float:
    """The one legend of a figure, right of its Axes, `below` so many inches; returns the inches left to the Axes.

    Long names are shortened.
    """
    room = LEGEND_SHARE * figure.get_figwidth() - 0.4
    legend = figure.legend(
        handles, [fitted(name, room, 10) for name in names], title=fitted(title, room, 10),
        loc="upper right", bbox_to_anchor=(1, 1 - below / figure.get_figheight()),
        alignment="left", handletextpad=0.3, borderaxespad=0.6,
    )  # fmt: skip
    legend.set_in_layout(False)
    taken = legend.get_window_extent(_canvas(figure).get_renderer()).width / figure.dpi + 0.15
    left = figure.get_figwidth() - taken
    figure.set_layout_engine("constrained", rect=(0, 0, left / figure.get_figwidth(), 1))
    return left


def add_legend_below(
    figure: Figure, handles: list, names: list[str], title: list[str], left: float, right: float, top: float
) -> None:
    """A legend below the Axes, from `left` to `right` and down from `top` (shares of the figure).

    Long names and lines of the title are shortened.
    """
    size, width = font_size(), figure.get_figwidth()
    room = (right - left) * width - 0.3
    heading = "\n".join(fitted(line, width - 0.2, size) for line in title)
    legend = figure.legend(
        handles, [fitted(name, room, size) for name in names], title=heading,
        loc="upper left", bbox_to_anchor=(left, top), alignment="left", handlelength=1, handletextpad=0.4,
        labelspacing=0.3, borderaxespad=0.4, title_fontsize=size,
    )  # fmt: skip
    legend.set_in_layout(False)


def pixels(figure: Figure) -> np.ndarray:
    """The drawn figure as a uint8 array (height, width, 3)."""
    return np.ascontiguousarray(np.asarray(_canvas(figure).buffer_rgba())[..., :3])


def png(array: np.ndarray) -> bytes:
    """A uint8 picture (height, width, 3) as the bytes of a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="png", compress_level=1)
    return buffer.getvalue()


def svg(figure: Figure) -> str:
    """The figure as the text of an SVG file."""
    with matplotlib.rc_context(STYLE | {"svg.fonttype": "path"}):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
