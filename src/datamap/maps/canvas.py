"""Create figures in memory, with title and legend, and encode them as files."""

import contextlib
import io
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.legend import Legend
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from PIL import Image

from datamap.maps import fonts
from datamap.maps.options import check_size

# Pictures have no paper of their own, so that they suit light and dark pages: lines are gray, and texts and marks have
# a white outline.
STYLE: Any = {
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#808080",
    "xtick.color": "#808080",
    "ytick.color": "#808080",
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "axes.titlelocation": "left",
    "axes.titlesize": "medium",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#80808033",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.hashsalt": "datamap",
    # Users name runs, classes and columns: "$" is a character, not the start of a formula.
    "text.parse_math": False,
    "text.usetex": False,
}
TITLE_SIZE = 11
LINE = 1.25 * TITLE_SIZE / 72  # inches
LEGEND_SHARE = 0.36  # of the figure's width, at most
MAX_WRAPPED = 40  # characters of the first of two lines
MAX_LINES = 9  # of a legend next to the Axes whose names take two lines
MAX_CHARACTERS = 500  # of a line of text
OUTLINE = 0.22  # width of a text's outline, as a share of its font size
MEASURE_DPI = 288  # at a lower resolution, hinting makes a text wider


Entry = tuple[Artist, str]  # of a legend: what it shows, and its name


class MapFigure(Figure):
    """Show a figure in a notebook, even where pyplot was never imported."""

    def _repr_png_(self) -> bytes:
        return png(pixels(self))


@contextlib.contextmanager
def style(texts: Iterable[str], size: float = 10) -> Iterator[None]:
    """Apply our style while a figure is drawn.

    Args:
        texts: texts on the figure; they decide which fonts are needed.
        size: font size in points.
    """
    with matplotlib.rc_context(STYLE | {"font.family": fonts.families(texts), "font.size": size}):
        yield


def font_size() -> float:
    """Return the font size in points that `style` has set."""
    return float(matplotlib.rcParams["font.size"])


def new_figure(width: float, height: float, dpi: int) -> Figure:
    """Create an empty figure that is drawn into memory.

    Args:
        width: in inches.
        height: in inches.
        dpi: pixels per inch.

    Raises:
        MapError: the figure would have too many pixels.
    """
    check_size(width, height, dpi)
    figure = MapFigure(figsize=(width, height), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _canvas(figure):
    assert isinstance(figure.canvas, FigureCanvasAgg)
    return figure.canvas


def grid(figure: Figure, rows: int, columns: int) -> list[Axes]:
    """Create Axes with shared scales and return them row by row."""
    return list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)


def shorten_text(text: str, width: float, size: float) -> str:
    """Shorten `text` in the middle until it is at most `width` inches wide at font size `size`."""
    text = remove_controls(text)
    shown, kept = text, min(len(text), MAX_CHARACTERS + 1)
    while kept > 1 and text_width(shown, size) > width:
        kept = min(kept - 1, int(kept * 0.95))
        shown = f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"
    return shown


def wrap_text(text: str, width: float, size: float) -> str:
    """Put a text that is wider than `width` inches at font size `size` on two lines, and shorten the second."""
    text = remove_controls(text)
    if text_width(text, size) <= width:
        return text
    spaces = [place for place, char in enumerate(text[:MAX_WRAPPED]) if char in " （" and place]
    fitting = [place for place in spaces if text_width(text[:place], size) <= width]
    if not fitting:
        fitting = [place for place in range(1, MAX_WRAPPED) if text_width(text[:place], size) <= width]
    end = max(fitting, default=1)
    return f"{text[:end]}\n{shorten_text(text[end:].strip(), width, size)}"


def remove_controls(text: str) -> str:
    """Replace line breaks and characters that cannot be drawn (control characters, lone surrogates) with spaces."""
    return "".join(
        " " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in str(text)
    )


def text_width(text: str, size: float) -> float:
    """Return the width in inches of a line of text at font size `size`; infinity if it is too long to measure."""
    if len(text) > MAX_CHARACTERS:
        return float("inf")
    renderer = RendererAgg(1, 1, MEASURE_DPI)
    return renderer.get_text_width_height_descent(text, FontProperties(size=size), False)[0] / MEASURE_DPI


def set_title(figure: Figure, lines: Sequence[str]) -> float:
    """Write lines above all Axes, shortened to the figure's width; return their height in inches."""
    room = figure.get_figwidth() - 0.2
    shown = [shorten_text(line, room, TITLE_SIZE) for line in lines]
    figure.suptitle("\n".join(shown), x=0.1 / figure.get_figwidth(), ha="left", fontsize=TITLE_SIZE)
    return len(shown) * LINE


def add_legend(figure: Figure, entries: Sequence[Entry], title: str, below: float = 0) -> float:
    """Add the legend to the right of the Axes; return the inches that remain for the Axes.

    Args:
        figure: the figure.
        entries: the artists that the legend shows, with their names; long ones are shortened.
        title: the legend's title.
        below: inches between the figure's top edge and the legend.
    """
    room = LEGEND_SHARE * figure.get_figwidth() - 0.4
    legend = figure.legend(
        [handle for handle, _ in entries], [shorten_text(name, room, 10) for _, name in entries],
        title=shorten_text(title, room, 10),
        loc="upper right", bbox_to_anchor=(1, 1 - below / figure.get_figheight()),
        alignment="left", handletextpad=0.3, borderaxespad=0.6,
    )  # fmt: skip
    legend.set_in_layout(False)
    taken = legend.get_window_extent(_canvas(figure).get_renderer()).width / figure.dpi + 0.15
    left = figure.get_figwidth() - taken
    figure.set_layout_engine("constrained", rect=(0, 0, left / figure.get_figwidth(), 1))
    return left


def add_legend_below(
    figure: Figure,
    entries: Sequence[Entry],
    title: list[str],
    left: float,
    top: float,
    columns: int = 1,
    height: float | None = None,
) -> None:
    """Add a legend below the Axes, or next to them, up to the figure's right edge.

    Args:
        figure: the figure.
        entries: the artists that the legend shows, with their names; long ones take two lines if there is space, and
            are shortened.
        title: the lines of its title; long ones are shortened.
        left: left edge, as a share of the figure's width.
        top: upper edge, as a share of the figure's height.
        columns: number of columns of the names.
        height: inches that it has; the font is smaller if they are not enough.
    """
    size, width = font_size(), (1 - left) * figure.get_figwidth()
    room = width / columns - 0.28
    heading = "\n".join(wrap_text(line, width - 0.2, size) for line in title)
    shown = [wrap_text(name, room, size) for _, name in entries]
    if sum(name.count("\n") + 1 for name in shown) > MAX_LINES:
        shown = [shorten_text(name, room, size) for _, name in entries]

    def add(size: float) -> Legend:
        legend = figure.legend(
            [handle for handle, _ in entries], shown, title=heading, ncols=columns,
            loc="upper left", bbox_to_anchor=(left, top), alignment="left", handlelength=1, handletextpad=0.4,
            labelspacing=0.3, borderaxespad=0.4, fontsize=size, title_fontsize=size,
        )  # fmt: skip
        legend.set_in_layout(False)
        return legend

    legend = add(size)
    taken = legend.get_window_extent(_canvas(figure).get_renderer()).height / figure.dpi
    if height and taken > height:
        legend.remove()
        add(size * height / taken)


def draw(figure: Figure) -> None:
    """Outline all texts in white, which is seen on dark pages only, and draw the figure."""
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_path_effects(
            [withStroke(linewidth=OUTLINE * float(text.get_fontsize()), foreground="white")]
        )
    figure.canvas.draw()


def pixels(figure: Figure) -> np.ndarray:
    """Return the drawn figure as a uint8 array (height, width, 4); its last channel is the opacity."""
    return np.asarray(_canvas(figure).buffer_rgba())


def png(array: np.ndarray) -> bytes:
    """Encode a uint8 picture (height, width, 4) as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="png", compress_level=1)
    return buffer.getvalue()


def svg(figure: Figure) -> str:
    """Return the figure as the text of an SVG file."""
    with matplotlib.rc_context(STYLE | {"svg.fonttype": "path"}):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
