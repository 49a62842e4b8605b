"""Draw points, densities, contours and regions on the Axes of a map; `groups` decides colors and groups."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.transforms import IdentityTransform

from datamap.maps import regions
from datamap.maps.groups import Group
from datamap.maps.regions import Box

# On a map; points of more samples would hide each other, so a large group is drawn as a density.
MAX_POINTS = 50_000
MIN_DENSITY = 2_000  # samples of a group; a smaller group is always drawn as points, on top of all densities
CELLS = 100  # cells of a density per inch
CHUNK = 1 << 15  # samples at once
STRIP = 256  # rows of pixels that are drawn at once
MIN_NAMED = 0.12  # height of a region that has space for its name, as a share of the axis
TINT = 0.14  # opacity of a region
CONTOURS = (0.5, 0.8, 0.95)  # shares of the samples that a contour encloses


def draw_groups(
    ax: Axes, xs: np.ndarray, ys: np.ndarray, groups: Sequence[Group], limits: Box, size: float
) -> None:
    """Draw each group's samples as points, or as a density where there are many; rare groups are on top.

    Args:
        ax: matplotlib Axes whose position on the figure is known.
        xs: float array (samples,).
        ys: float array (samples,).
        groups: list of `groups.Group` over the samples.
        limits: ((left, right), (bottom, top)) of the axes.
        size: area of a point, in square points.
    """
    total = len(xs)
    edge = 0.35 if total <= MAX_POINTS else 0.1  # next to densities a white edge would hide a small mark
    counts = [int(group.mask.sum()) for group in groups]
    many = [total > MAX_POINTS and count > MIN_DENSITY for count in counts]
    by_count = sorted((i for i in range(len(groups)) if counts[i]), key=lambda i: -counts[i])
    _draw_densities(ax, xs, ys, [groups[i] for i in by_count if many[i]], limits)
    for rank, i in enumerate(by_count):
        group, zorder = groups[i], 3 + rank / len(groups)
        if many[i]:
            continue
        ax.scatter(
            xs[group.mask], ys[group.mask], s=size, c=group.color, marker=group.marker, alpha=0.8,
            linewidths=edge, edgecolors="white", label=group.name, zorder=zorder,
        )  # fmt: skip
    ax.set_xlim(limits[0])
    ax.set_ylim(limits[1])


def point_size(count: int) -> float:
    """Return the area of a marker in square points, which falls with the number of samples."""
    return min(36.0, max(4.0, 36.0 * (500 / max(count, 1)) ** 0.5))


def group_handle(group: Group) -> Line2D:
    """Create the mark that stands for a group in the legend."""
    return Line2D(
        [], [], linestyle="", marker=group.marker, markersize=6, color=group.color, markeredgecolor="white",
        markeredgewidth=0.35,
    )  # fmt: skip


def region_handle(region: int) -> Patch:
    """Create the patch that stands for a region in the legend; `region` is its place in `regions.NAMES`."""
    return Patch(facecolor=_tint(regions.COLORS[region]), edgecolor="#bbbbbb", linewidth=0.6)


def _draw_densities(ax, xs, ys, groups, limits):
    """Draw one picture of the groups' densities, the last group on top."""
    if not groups:
        return
    box = ax.get_position()
    width, height = ax.figure.get_size_inches()
    cells = (max(50, int(box.width * width * CELLS)), max(50, int(box.height * height * CELLS)))
    color: np.ndarray = np.ones((3, cells[1], cells[0]), np.float32)
    cover: np.ndarray = np.zeros((cells[1], cells[0]), np.float32)
    for group in groups:
        counts = count_cells(xs, ys, limits, cells, group.mask).astype(np.float32)
        # The logarithm and a minimum keep a cell with one sample visible next to a cell with a thousand.
        alpha = np.where(counts > 0, 0.35 + 0.65 * np.log1p(counts) / np.log1p(max(1, counts.max())), 0)
        both = alpha + cover * (1 - alpha)
        for part, own in zip(color, np.array(to_rgb(group.color), np.float32), strict=True):
            mixed = own * alpha + part * cover * (1 - alpha)
            np.divide(mixed, both, out=part, where=both > 0)
        cover = both
    image = np.stack([np.round(part * 255).astype(np.uint8) for part in (*color, cover)], axis=2)
    picture = _Cells(ax, interpolation="nearest", origin="lower", extent=(*limits[0], *limits[1]), zorder=3)
    picture.set_data(image)
    ax.add_image(picture)


class _Cells(AxesImage):
    """Draw a picture of few large cells; matplotlib would keep it in single precision at the size of the figure."""

    _first = 0  # the first row of pixels of the strip that is drawn

    def draw(self, renderer: Any) -> None:
        """Draw one strip after the other: all pixels together take as much memory as the figure."""
        strips = 1 if renderer.option_scale_image() else math.ceil(self.axes.bbox.height / STRIP)
        for strip in range(strips):
            self._first = strip * STRIP
            super().draw(renderer)

    def make_image(self, renderer: Any, magnification: float = 1.0, unsampled: bool = False) -> Any:
        """Return the cell under the center of each pixel of a strip, the one that matplotlib finds too."""
        if unsampled:
            return super().make_image(renderer, magnification, unsampled)
        box = self.axes.bbox
        cells = np.asarray(self.get_array())
        x, columns = _pixels(box.x0, box.x1, cells.shape[1])
        y, rows = _pixels(box.y0, box.y1, cells.shape[0])
        y, rows = y + self._first, rows[self._first :][:STRIP]
        # `take` returns rows of pixels; Agg would copy the columns of pixels that an index returns.
        return cells[rows].take(columns, axis=1), x, y, IdentityTransform()


def _pixels(start: float, end: float, cells: int) -> tuple[int, np.ndarray]:
    """Return (first pixel, cell under each pixel) for cells side by side from `start` to `end`."""
    first, last = round(start), round(end)
    share = (np.arange(first, last) + 0.5 - start) / (end - start)
    return first, np.clip((share * cells).astype(int), 0, cells - 1)


def count_cells(
    xs: np.ndarray, ys: np.ndarray, limits: Box, cells: tuple[int, int], mask: np.ndarray | None = None
) -> np.ndarray:
    """Count samples in a grid of cells[1] rows and cells[0] columns over `limits`; leave out those outside.

    Only samples that `mask` marks count, where it is given. It counts in chunks that fit into the processor's cache, so
    memory does not grow with the samples.
    """
    (left, right), (bottom, top) = limits
    columns, rows = cells
    counts = np.zeros(rows * columns, np.int64)
    for start in range(0, len(xs), CHUNK):
        some: Any = slice(start, start + CHUNK)
        if mask is not None:
            some = start + np.flatnonzero(mask[some])
        x = (xs[some] - left) * (columns / (right - left))
        y = (ys[some] - bottom) * (rows / (top - bottom))
        with np.errstate(invalid="ignore"):
            inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
        cell = y[inside].astype(np.int64) * columns + x[inside].astype(np.int64)
        counts += np.bincount(cell, minlength=len(counts))
    return counts.reshape(rows, columns)


def draw_contours(ax: Axes, xs: np.ndarray, ys: np.ndarray, limits: Box) -> None:
    """Draw lines around the densest 50, 80 and 95 % of the samples.

    The density is a histogram of 200 × 200 cells, smoothed with a Gaussian of 5 cells.
    """
    from scipy.ndimage import gaussian_filter

    counts = count_cells(xs, ys, limits, (200, 200)).astype(float)
    density = gaussian_filter(counts, sigma=5)
    descending = np.sort(density, axis=None)[::-1]
    shares = np.cumsum(descending) / max(descending.sum(), 1e-12)
    levels = sorted({float(descending[np.searchsorted(shares, share)]) for share in CONTOURS})
    levels = [level for level in levels if 0 < level < density.max()]
    if levels:
        (left, right), (bottom, top) = limits
        x = left + (np.arange(200) + 0.5) * (right - left) / 200
        y = bottom + (np.arange(200) + 0.5) * (top - bottom) / 200
        lines = ax.contour(x, y, density, levels, colors="#333333", linewidths=(0.6, 0.9, 1.2), zorder=5)
        lines.set_path_effects([withStroke(linewidth=2, foreground="white", alpha=0.5)])


def draw_regions(ax: Axes, limits: Box, borders: regions.Limits) -> None:
    """Shade the regions of a map whose axes are label_var and avg_probs; the legend names them.

    Args:
        ax: matplotlib Axes.
        limits: ((left, right), (bottom, top)) of the axes.
        borders: borders between the regions.
    """
    (left, right), (bottom, top) = limits
    for region, (x, y) in regions.boxes(borders).items():
        (x0, x1), (y0, y1) = np.clip(x, left, right), np.clip(y, bottom, top)
        if x0 < x1 and y0 < y1:
            ax.fill_between([x0, x1], y0, y1, color=_tint(regions.COLORS[region]), zorder=0, linewidth=0)


def _tint(color: str) -> tuple[float, float, float, float]:
    """Return the color of opacity `TINT` that looks on white paper like `color`, and on dark paper is as faint."""
    red, green, blue = (max(0.0, 1 - (1 - part) / TINT) for part in to_rgb(color))
    return red, green, blue, TINT


def name_regions(ax: Axes, limits: Box, borders: regions.Limits, names: Sequence[str], size: float) -> None:
    """Write the names of the regions into their corners, of those that are high enough for a name.

    Args:
        ax: matplotlib Axes.
        limits: ((left, right), (bottom, top)) of the axes.
        borders: borders between the regions.
        names: names of the regions, as `regions.NAMES` orders them.
        size: font size in points.
    """
    (left, right), (bottom, top) = limits
    for region, (_, y) in regions.boxes(borders).items():
        y0, y1 = np.clip(y, bottom, top)
        if y1 - y0 < MIN_NAMED * (top - bottom):
            continue
        at_right, at_bottom = region == regions.AMBIGUOUS, region == regions.NOISY
        ax.annotate(
            names[region], (right if at_right else left, y0 if at_bottom else y1), zorder=6, fontsize=size,
            color="#444444", xytext=(-2 if at_right else 2, 2 if at_bottom else -2), textcoords="offset points",
            ha="right" if at_right else "left", va="bottom" if at_bottom else "top",
        )  # fmt: skip


def draw_movement(ax: Axes, before: np.ndarray, after: np.ndarray, limits: Box, cells: int = 14) -> None:
    """Draw an arrow per cell, from the mean position of its samples before to their mean position after.

    Args:
        ax: matplotlib Axes.
        before: float array (samples, 2) of positions.
        after: float array (samples, 2) of positions.
        limits: ((left, right), (bottom, top)) of the axes.
        cells: number of cells along each axis.
    """
    (left, right), (bottom, top) = limits
    placed = np.isfinite(before).all(axis=1) & np.isfinite(after).all(axis=1)
    before, after = before[placed], after[placed]
    share = (before - (left, bottom)) / (right - left, top - bottom)
    cell = np.clip((share * cells).astype(int), 0, cells - 1) @ (1, cells)
    _, inside, counts = np.unique(cell, return_inverse=True, return_counts=True)
    means = [
        np.stack([np.bincount(inside, values[:, axis]) / counts for axis in (0, 1)], axis=1)
        for values in (before, after)
    ]
    size = point_size(len(before)) / 2
    xs, ys = before.T[:, :MAX_POINTS]
    ax.scatter(xs, ys, s=size, c="#80808048", linewidths=0, zorder=2, rasterized=True)
    kept = counts >= (3 if len(before) > 200 else 1)
    start, change = means[0][kept], (means[1] - means[0])[kept]
    rise = np.abs(change[:, 1]).max(initial=0) or 1
    # Colors of the points' groups: red falls, blue rises; gray has changed little.
    colors = LinearSegmentedColormap.from_list("movement", ["#e34a33", "#8a8a8a", "#4a8cc2"])
    ax.quiver(
        *start.T, *change.T, change[:, 1], cmap=colors, clim=(-rise, rise), angles="xy", scale_units="xy", scale=1,
        width=0.004, linewidths=0, zorder=4, minlength=0,
    )  # fmt: skip
    sizes = 4 + 26 * np.sqrt(counts[kept] / counts.max(initial=1))
    ax.scatter(start[:, 0], start[:, 1], s=sizes, c="#333333", zorder=3, linewidths=0.35, edgecolors="white")
    ax.set_xlim(limits[0])
    ax.set_ylim(limits[1])


def draw_histogram(ax: Axes, values: np.ndarray, groups: Sequence[Group], low: float, high: float) -> None:
    """Draw a stacked histogram of a column in the colors of the groups."""
    bins = np.linspace(low, high, 31)
    below = np.zeros(30)
    for group in groups:
        counts, _ = np.histogram(values[group.mask], bins)
        if counts.any():
            ax.bar(bins[:-1], counts, np.diff(bins), below, align="edge", color=group.color, linewidth=0)
            below += counts
    ax.set_xlim(low, high)
    ax.set_ylim(0, max(1, below.max() * 1.05))
    ax.locator_params(axis="y", nbins=3)
