"""Pack the explorer's samples into a page that is small enough for MLflow's viewer."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from datamap import schema
from datamap.web.pages import pack, pack_lists

MAX_BYTES = 46 << 20  # of data; MLflow's viewer (3.17) shows files of at most 50 MiB
MAX_SAMPLES = 1_000_000  # on a page; larger runs show a seeded subsample
MAX_EXACT = 100_000  # samples whose numbers keep single precision
MISSING = 65_535
# Levels of a probability in a history, exact or rounded; the next number means missing.
LEVELS, FEW_LEVELS = 65_534, 254
ROWS = 1 << 16  # texts or ids that are packed at once
BITS = 12  # of a number's fraction beyond MAX_EXACT: four digits

Texts = Callable[[np.ndarray], Mapping[str, list[str]]]  # from rows to {name: their texts}


def max_samples(columns: Collection[str]) -> int:
    """Estimate how many samples with these columns fit into a page, with some space for histories."""
    ours, further = len(schema.SUMMARY_COLUMNS | schema.FURTHER_COLUMNS), len(columns)
    each = 36 + 2.6 * max(0, further - ours)  # bytes per sample, measured
    return min(MAX_SAMPLES, int(0.8 * MAX_BYTES / each))


def pack_samples(
    summary: pd.DataFrame,
    trajectories: Any,
    texts: Texts,
    diagnosis: pd.DataFrame | None,
    room: int = MAX_BYTES,
) -> dict[str, Any]:
    """Pack the page's data on its samples.

    Numbers come first. Histories get half of the remaining bytes where there are texts, else all, and skip observations
    where they do not fit. Texts get the rest, those of the samples with the most likely wrong labels first.

    Args:
        summary: DataFrame with the columns of summary.tsv, and perhaps more.
        trajectories: `trajectories.Trajectories` of the same samples, in the same order.
        texts: function from rows to {column name: their texts}, which is asked for what the page shows.
        diagnosis: DataFrame with score and proposed (class index, −1 = none) of the same samples; None if unknown.
        room: bytes that the packed data may take.
    """
    exact = len(summary) <= MAX_EXACT
    data: dict[str, Any] = {
        "count": len(summary),
        "ids": _ids(summary["id"]),
        "columns": {name: pack(_column(summary[name], exact), "<f4") for name in numeric(summary)},
        "proposed": None if diagnosis is None else _classes(diagnosis["proposed"].to_numpy()),
    }
    room -= _size(data)
    has_texts = bool(texts(np.zeros(0, int)))
    kept = _observations(trajectories, exact, room // 2 if has_texts else room)
    history = _history(trajectories, kept, exact)
    order = np.argsort(summary["avg_probs"] if diagnosis is None else -diagnosis["score"], kind="stable")
    return {
        **data,
        "numbers": [trajectories.numbers[t] for t in kept],
        **history,
        **(_texts(texts, order, room - _size(history)) if has_texts else NO_TEXTS),
    }


def numeric(summary: pd.DataFrame) -> list[str]:
    """List the numeric columns other than the id."""
    return [c for c in summary.columns if c != "id" and pd.api.types.is_numeric_dtype(summary[c])]


def _size(part):
    """Count the bytes of all packed texts in a dictionary, nested ones included."""
    if isinstance(part, dict):
        return sum(map(_size, part.values()))
    return len(part) if isinstance(part, str) else 0


def _ids(ids):
    """Pack ids as 32-bit integers where they fit, else as texts, since JavaScript rounds integers above 2^53."""
    if pd.api.types.is_integer_dtype(ids) and ids.abs().max() < 1 << 31:
        return {"numbers": pack(ids, "<i4")}
    return pack_lists({"texts": ids.iloc[some].astype(str).tolist()} for some in _parts(np.arange(len(ids))))


def _column(values, exact):
    """Return a column in single precision; unless it must be exact, rounded to BITS bits, which compress well."""
    with np.errstate(over="ignore"):  # too large for single precision: infinite
        single = values.to_numpy(float, na_value=np.nan).astype(np.float32)
    if exact or not pd.api.types.is_float_dtype(values):
        return single
    drop = 23 - BITS
    rounded = (single.view(np.uint32) + np.uint32(1 << (drop - 1))) & ~np.uint32((1 << drop) - 1)
    return np.where(np.isfinite(single), rounded.view(np.float32), single)


def _classes(indices):
    """Pack class indices; negative ones mean that there is none."""
    return pack(np.where(indices < 0, MISSING, indices), "<u2")


def _history(trajectories, kept, exact):
    """Pack the observations `kept` of all samples."""
    levels, kind = (LEVELS, "<u2") if exact else (FEW_LEVELS, "u1")
    scaled = np.empty((len(kept), trajectories.label_probs.shape[1]), kind)
    for row, probs in zip(scaled, map(trajectories.label_probs.__getitem__, kept), strict=True):
        row[:] = np.where(np.isnan(probs), levels + 1, np.round(np.nan_to_num(probs) * levels))
    packed, predicted = pack(scaled, kind), None
    if trajectories.predicted is not None:
        classes = np.empty(scaled.shape, np.uint16)
        for row, indices in zip(classes, map(trajectories.predicted.__getitem__, kept), strict=True):
            row[:] = np.where(indices < 0, MISSING, indices)
        predicted = pack(classes, "<u2")
    correct = pack(trajectories.correct[kept], "u1")
    return {"levels": levels, "probs": packed, "correct": correct, "predicted": predicted}


def _observations(trajectories, exact, room):
    """Choose the observations whose histories fit into `room` bytes, evenly spaced from the first to the last."""
    total = len(trajectories.numbers)
    one = _size(_history(trajectories, np.array([total // 2]), exact))
    count = min(total, max(2, int(room // one)))
    return np.unique(np.linspace(0, total - 1, count).round().astype(int))


NO_TEXTS: dict[str, Any] = {"texts": {}, "textRows": None, "textCount": 0}


def _texts(texts, order, room):
    """Pack the texts of as many samples, in `order`, as fit into `room` bytes; textRows names them, None = all."""
    some = order[:: max(1, len(order) // 2000)]
    each = _size(_of_rows(texts, some)) / len(some) + 4
    count = min(len(order), int(room / each))
    while True:
        rows = np.sort(order[:count])
        found = _of_rows(texts, rows)
        if _size(found) <= room or not count:
            break
        count = int(0.9 * count)
    complete = count == len(order)
    return {"texts": found, "textRows": None if complete else pack(rows, "<u4"), "textCount": count}


def _of_rows(texts, rows):
    return pack_lists(map(texts, _parts(rows)))


def _parts(rows):
    return np.array_split(rows, -(-len(rows) // ROWS) or 1)
