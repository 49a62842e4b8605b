"""Hold a run's samples in columns, for filters and rankings; texts are decoded only for rows that are shown."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from datamap import schema
from datamap.errors import DataError, counted, raised_as
from datamap.labels.diagnosis import region_names
from datamap.signals import align
from datamap.translations import LANGUAGES

NONE = -1  # no proposal


class ReviewSamples(NamedTuple):
    """Hold N samples in the summary's order.

    `ids` is an Arrow array, and `names` are the class names by index. `labels` (given) and `proposed` (`NONE` without a
    proposal) are int32 class indices, and `regions` uint8 indices of `schema.REGIONS`. `scores` in [0, 1], `x`
    (label_var) and `y` (avg_probs) are float32. `texts` is {column: Arrow column} and may be empty; `why` is an Arrow
    column. `ranks` are the places in the diagnosis, 1 = most likely wrong.
    """

    ids: pa.Array
    names: tuple[str, ...]
    labels: np.ndarray
    proposed: np.ndarray
    regions: np.ndarray
    scores: np.ndarray
    x: np.ndarray
    y: np.ndarray
    texts: dict[str, pa.ChunkedArray]
    why: pa.ChunkedArray
    ranks: np.ndarray

    def row_of(self, id: str) -> int:
        """Return the row of the sample with this id, written as text; −1 if there is none."""
        known = self.ids.type
        if pa.types.is_integer(known):
            written = re.fullmatch("0|-?[1-9][0-9]{0,18}", id)  # 64 bits have at most 19 digits
            if not written or not -(1 << 63) <= int(id) < 1 << 63:
                return NONE
        return pc.index(self.ids, pa.scalar(id).cast(known)).as_py()

    def __len__(self) -> int:
        return len(self.ids)


def join_samples(
    summary: pd.DataFrame, diagnosis: pa.Table, texts: Mapping[str, pa.ChunkedArray], names: Sequence[str]
) -> ReviewSamples:
    """Join a run's summary, diagnosis and texts.

    Args:
        summary: DataFrame with the columns id, label, label_var and avg_probs.
        diagnosis: Arrow table of diagnosis.tsv: id, score (float), label, proposed, region, why (texts).
        texts: {column: texts in the summary's order}.
        names: class names by index; a class without a name is called by its index.

    Raises:
        DataError: the diagnosis lacks a sample, or a label is out of range.
    """
    ids = align.array(summary["id"])
    rows = align.rows(ids, diagnosis["id"])
    if (rows < 0).any():
        raise DataError(
            f"{schema.DIAGNOSIS_FILE} lacks {counted(int((rows < 0).sum()), 'sample')} of the run"
        )
    table = diagnosis.take(pa.array(rows))
    labels = summary["label"].to_numpy()
    if not ((labels >= 0) & (labels < schema.MAX_CLASSES)).all():
        raise DataError(f"{schema.SUMMARY_FILE}: a label is not a class index below {schema.MAX_CLASSES:,}")
    labels = labels.astype(np.int32)
    with raised_as(DataError, f"{schema.LABELS_FILE}: a class name is not Unicode", UnicodeEncodeError):
        "".join(names).encode()
    proposed = table["proposed"]
    known = _all_names(names, labels, proposed)
    return ReviewSamples(
        ids,
        known,
        labels,
        _indices(proposed, known),
        _regions(table["region"]),
        table["score"].to_numpy().astype(np.float32),
        summary["label_var"].to_numpy(np.float32),
        summary["avg_probs"].to_numpy(np.float32),
        dict(texts),
        table["why"],
        rows + 1,
    )


def _regions(column):
    """Return the index in `REGIONS` of each name, in any language; 0 for an unknown name."""
    places = [_indices(column, region_names(lang)) for lang in LANGUAGES]
    return np.maximum.reduce(places).clip(0).astype(np.uint8)


def _all_names(names, labels, proposed):
    """Return the class names, with its index as the name of a class that has none."""
    known = set(names)
    others = [text for text in proposed.unique().to_pylist() if text not in known]
    numbers = [int(text) for text in others if re.fullmatch("[0-9]{1,6}", text)]  # below MAX_CLASSES
    count = max([len(names), int(labels.max(initial=0)) + 1, *(number + 1 for number in numbers)])
    return schema.all_class_names(names, count)


def _indices(column, names):
    found = pc.index_in(column, value_set=pa.array(names, pa.string())).fill_null(NONE)
    return found.to_numpy().astype(np.int32)
