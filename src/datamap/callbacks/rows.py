"""Find the dataset's row from which each line of a batch came, even if the collator reorders rows."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from datamap.callbacks.observed_rows import batches_of
from datamap.errors import ConfigError, SignalError, first_few, shortened
from datamap.signals.arrays import as_array

ROW_LABELS = ("label", "label_ids")  # keys by which a row may hold what a batch calls `labels`


def collated_rows(
    dataset: Any, part: range, collate: Callable[[list], Any], size: int, name: str
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the dataset's row numbers, and the labels, behind the lines of each batch that the collator makes.

    A collator may leave rows out or reorder them, so counting rows does not work. Nor does an index column: a collator
    makes its batch of the keys that it knows, and of a column that is removed before, nothing tells which rows stayed.
    Only the label is sure to be in the batch. So collate each batch once more per binary digit of a row's place in it,
    with one label of the dataset for a 0, and another one for a 1.

    Args:
        dataset: dataset with rows and a length; each row is a dict with a label.
        part: rows of which batches are made.
        collate: function that makes a batch, a dict, of a list of rows.
        size: rows per batch.
        name: key of the labels in a batch.

    Yields:
        Two arrays (lines of the batch,); empty where the collator left all rows out.

    Raises:
        ConfigError: a row has no label, or the collator treats the same rows differently each time.
        SignalError: a batch has no labels.
    """
    pair = _two_labels(dataset, name)
    for start, rows in zip(range(part.start, part.stop, size), batches_of(dataset, part, size), strict=True):
        places, labels = _places(rows, collate, name, pair)
        yield start + places, labels


def labels_of(batch: Any, name: str) -> Any:
    """Return the labels of a batch.

    Raises:
        SignalError: the batch has no labels.
    """
    if not isinstance(batch, Mapping) or name not in batch:
        keys = first_few(batch, 10) if isinstance(batch, Mapping) else type(batch).__name__
        raise SignalError(f"a batch of the training dataset has no {name!r} (it has: {keys})")
    return batch[name]


def has_several_labels(row: Any, name: str) -> bool:
    """Tell whether a dataset's row has a list of labels instead of one."""
    key = _label_key(row, name)
    value = None if key is None else row[key]
    if isinstance(value, list | tuple):
        return len(value) > 1
    shape = tuple(getattr(value, "shape", ()))
    return len(shape) == 1 and shape != (1,)


def _places(rows, collate, name, pair):
    """Return the place of each of a batch's lines among the rows that the batch is made of, and the lines' labels."""

    def collated(given):
        labels = as_array(labels_of(collate(list(given)), name), "labels")
        if labels.ndim > 1 and labels.size > len(labels):
            raise SignalError(
                f"a batch's labels have shape {labels.shape}: for several labels per sample use task='multilabel', for "
                "tags of tokens task='tokens', and convert one-hot labels to indices: labels.argmax(1)"
            )
        return labels.ravel()

    def labeled(bits):
        return ({**row, _key(row, name): pair[bit]} for row, bit in zip(rows, bits, strict=True))

    own, zeros = collated(rows), collated(labeled([0] * len(rows)))
    places = np.zeros(len(own), int)
    for digit in range((len(rows) - 1).bit_length()):
        spelled = collated(labeled([place >> digit & 1 for place in range(len(rows))]))
        if not len(own) == len(zeros) == len(spelled):
            break
        places += (spelled != zeros) << digit
    given = [str(rows[place][_key(rows[place], name)]) for place in places if place < len(rows)]
    pairs = set(zip(given, own.tolist(), strict=False))
    steady = len(own) == len(zeros) == len(given) == len(set(places.tolist()))
    if not steady or len(pairs) > len(set(given)):
        raise ConfigError(
            "ids cannot follow rows through the collator, which treats them by their label or differently each time; "
            "use datamap.SignalRecorder in your own loop"
        )
    return places, own


def _two_labels(dataset, name):
    """Return two different labels of the dataset, which serve as the binary digits 0 and 1."""
    found: dict[str, Any] = {}
    for number in range(len(dataset)):
        row = dataset[number]
        label = row[_key(row, name)]
        found.setdefault(str(label), label)
        if len(found) == 2:
            return tuple(found.values())
    raise ConfigError(
        f"all rows of the training dataset have the label {first_few(found) or 'of none'}: give two classes"
    )


def _label_key(row, name):
    """Return the key by which a row holds its label or labels; None if it has none."""
    return next((key for key in (name, *ROW_LABELS) if isinstance(row, Mapping) and key in row), None)


def _key(row, name):
    key = _label_key(row, name)
    if key is None and isinstance(row, Mapping):
        keys = list(dict.fromkeys((name, *ROW_LABELS)))
        raise ConfigError(f"a row of the training dataset has no label {keys} (it has: {first_few(row, 10)})")
    if key is None:
        raise ConfigError(
            f"a row of the training dataset is {shortened(row)}: make it a dict with the key {name!r}, so that "
            "ids follow rows through the collator"
        )
    return key
