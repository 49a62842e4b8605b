"""Choose the rows of a training dataset that are observed, know their ids, and divide them among processes."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from datamap.errors import ConfigError, first_few
from datamap.processes import Processes
from datamap.signals.compute import id_array


class Rows(Sequence):
    """Hold some rows of a dataset, in the dataset's order, and their ids.

    Args:
        dataset: dataset with rows; one without a length only as far as `count` goes.
        ids: ids of all rows of the dataset, in its order; None = its column `id`, else row numbers.
        count: number of rows to draw; None = all.
        seed: seed of that draw.

    Raises:
        ConfigError: the ids cannot be used, or a dataset without a length is to be observed whole or has no ids.
        SignalError: an id is neither a whole number nor a text.
    """

    def __init__(
        self, dataset: Any, ids: Iterable | None = None, count: int | None = None, seed: int = 0
    ) -> None:
        dataset = whole(dataset)
        self.stream = not hasattr(dataset, "__len__")
        if self.stream:
            dataset = _first_of_stream(dataset, ids, count)
            ids = None if ids is None else list(itertools.islice(ids, len(dataset)))
        self.dataset, self.total, self._count, self._seed = dataset, len(dataset), count, seed
        own = _own_ids(dataset) if ids is None else ids
        self.numbered = own is None  # ids are row numbers, because nothing names the rows
        self._known = sample_ids(dataset, range(self.total) if own is None else own)
        self._choose(self.drawn(self.total))

    def _choose(self, numbers):
        self.numbers, self.ids = numbers, self._known.take(pa.array(numbers))

    def drawn(self, total: int) -> np.ndarray:
        """Return the places, in ascending order, that the draw takes of so many samples."""
        if self._count is None or self._count >= total:
            return np.arange(total)
        return np.sort(np.random.default_rng(self._seed).choice(total, self._count, replace=False))

    def take_all(self) -> None:
        """Hold all rows, because each has several samples, of which some are drawn."""
        self._choose(np.arange(self.total))

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: Any) -> Any:
        return self.dataset[int(self.numbers[index])]

    def share(self, processes: Processes, size: int) -> range:
        """Return the range of rows that this process observes: whole batches of `size`, in the dataset's order.

        The batches are those of a single process, so that signals do not depend on the number of processes.
        """
        batches = processes.rows(-(-len(self) // size))
        return range(batches.start * size, min(batches.stop * size, len(self)))


def whole(dataset: Any) -> Any:
    """Return the dataset behind the part of it that a Trainer gives this process."""
    while type(dataset).__name__ in ("IterableDatasetShard", "IterableDatasetWrapper"):
        dataset = dataset.dataset
    return dataset


def _first_of_stream(stream, ids, count):
    """Return the first rows of a dataset without a length, which must have ids of their own."""
    name = type(stream).__name__
    if count is None:
        raise ConfigError(f"{name} has no length: give samples=2000 to observe its first 2000 samples")
    if not isinstance(stream, Iterable):
        raise ConfigError(f"{name} has no length and no rows: DataMapCallback needs a dataset")
    rows = list(itertools.islice(iter(stream), count))
    if ids is None and not (rows and all(isinstance(row, Mapping) and "id" in row for row in rows)):
        raise ConfigError(
            f"rows of {name} have no id, and a stream has no row numbers: add a column id, and keep it with "
            "remove_unused_columns=False"
        )
    return rows


def sample_ids(dataset: Any, given: Iterable) -> pa.Array:
    """Return the given ids of a dataset's samples, in its order.

    Raises:
        ConfigError: the number of ids is not that of the samples, or an id occurs twice.
        SignalError: an id is neither a whole number nor a text.
    """
    ids = id_array(given, "the training dataset")
    if len(ids) != len(dataset):
        raise ConfigError(f"ids= has {len(ids)} ids, but the training dataset {len(dataset)} samples")
    twice = [value for value, count in Counter(ids.to_pylist()).items() if count > 1]
    if twice:
        raise ConfigError(f"ids of the training dataset occur twice: {first_few(twice)}")
    return ids


def _own_ids(dataset):
    """Return the column or key `id` of a dataset; None if it has none."""
    names = getattr(dataset, "column_names", None)
    if names is not None and "id" in names:
        return list(dataset["id"])
    if names is None and len(dataset) and isinstance(dataset[0], Mapping) and "id" in dataset[0]:
        return [dataset[row].get("id") for row in range(len(dataset))]
    return None


def batches_of(rows: Sequence, part: range, size: int) -> Iterator[list]:
    """Yield the rows of a part in lists of at most `size`."""
    for start in range(part.start, part.stop, size):
        yield [rows[row] for row in range(start, min(start + size, part.stop))]
