"""Reduce signals to a summary, one shard of samples after the other, in this process or on a Dask cluster.

Memory holds one shard of samples, on which all threads work. Numbers that are needed of all samples at the end are kept
on disk (`disk_arrays.DiskArray`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from datamap import schema
from datamap.errors import ConfigError, SignalError, first_few
from datamap.signals import align, prefetch, shards
from datamap.signals.baseline import required_of
from datamap.signals.observations import Observations
from datamap.signals.shards import Readable, ShardsByObservation
from datamap.summaries import dynamics, tsv
from datamap.summaries.disk_arrays import DiskArray, DiskLines

ROWS = 4_096  # samples that are reduced and encoded at once


class Part(NamedTuple):
    """Hold the summary of some samples: lines for the file, and numbers for later checks and metrics.

    Attributes:
        header: the first line of summary.tsv.
        lines: blocks of some thousand lines of summary.tsv.
        ids: the arrow type of the ids.
        keys: uint64 (samples,), equal for equal ids, and hardly ever for others.
        dirty: bool (samples,), True for labels that were flipped on purpose.
        avg_probs: float (samples,).
        rows: {observation number: number of records}.
        labels: {given label: number of samples}.
        sums: what `dynamics.sums` gives.
    """

    header: bytes
    lines: DiskLines | list[bytes]
    ids: str
    keys: np.ndarray
    dirty: np.ndarray
    avg_probs: np.ndarray
    rows: dict[int, int]
    labels: dict[int, int]
    sums: dict[str, float]


class Options(NamedTuple):
    """Hold the options of `conf/summarize.yaml` that the reduction needs; `address` is that of Dask's scheduler."""

    allow_missing: bool = False
    extra: dict[str, list[str]] | None = None
    el2n_observations: int = 10
    engine: str = "local"
    address: str | None = None


def reduce(
    artifacts: Readable,
    group: ShardsByObservation,
    options: Options,
    lines: DiskLines | list[bytes] | None = None,
    pool: ThreadPoolExecutor | None = None,
) -> Part:
    """Reduce one group of `shards.groups` to a `Part`.

    Args:
        artifacts: where the shards are.
        group: the shards of each observation, ascending.
        options: options of the command.
        lines: the container for the Part's lines; by default a list, which can be pickled for another process.
        pool: threads that read observations and reduce samples; None = this thread.

    Raises:
        SignalError: a shard is damaged, or does not match the others.
    """
    rows: dict[int, int] = {}

    def tables():
        read = prefetch.results_of(partial(shards.read, artifacts), group.values(), pool)
        for number in group:
            table = next(read)
            rows[number] = table.num_rows
            yield number, table
            del table
            pa.default_memory_pool().release_unused()

    def shown_of(some):
        frame = dynamics.summarize(some, options.extra, options.el2n_observations)
        return tsv.lines(frame), frame[["label", "s_label", *dynamics.SUMMED]]

    observed = Observations.from_tables(tables(), options.allow_missing)
    lines, shown = [] if lines is None else lines, []
    for text, part in prefetch.results_of(shown_of, observed.slices(ROWS), pool):
        lines.append(text[1])
        shown.append(part)
        pa.default_memory_pool().release_unused()
    frame = pd.concat(shown)
    return Part(
        text[0],
        lines,
        str(observed.ids.type),
        align.hashes(observed.ids),
        frame["s_label"].to_numpy() == schema.DIRTY,
        frame["avg_probs"].to_numpy(),
        rows,
        frame["label"].value_counts().to_dict(),
        dynamics.sums(frame),
    )


def reduced(artifacts: Readable, observed: ShardsByObservation, options: Options) -> Iterator[Part]:
    """Yield the Parts of all samples, in order, from threads or from Dask as `options.engine` says."""
    return {"local": in_process, "dask": on_dask}[options.engine](
        artifacts, shards.groups(observed, options.allow_missing), options
    )


def in_process(
    artifacts: Readable, groups: Iterable[ShardsByObservation], options: Options
) -> Iterator[Part]:
    """Yield the Parts of the groups, in order; the threads of this process work on one group at a time."""
    with prefetch.thread_pool() as pool:
        for group in groups:
            yield reduce(artifacts, group, options, DiskLines(), pool)


def on_dask(artifacts: Readable, groups: Iterable[ShardsByObservation], options: Options) -> Iterator[Part]:
    """Yield the Parts from the Dask cluster whose scheduler is at `options.address`; None starts one on this machine.

    Raises:
        ConfigError: Dask is not installed, or no scheduler answers.
    """
    try:
        from dask.distributed import Client
    except ImportError as error:
        raise ConfigError("engine=dask needs Dask; install it: pip install 'datamap[dask]'") from error
    try:
        client = Client(options.address, timeout=10)
    except (OSError, ValueError) as error:
        raise ConfigError(f"engine.address={options.address}: no Dask scheduler answers ({error})") from error
    with client:

        def submit(group):
            return client.submit(reduce, artifacts, group, options, pure=False)

        yield from prefetch.results_in_order(
            submit, groups, 2 * max(1, len(client.scheduler_info()["workers"]))
        )


class Totals(NamedTuple):
    """Hold what is known when all samples are reduced.

    Attributes:
        samples: the number of samples.
        headlines: the result of `dynamics.headlines` for all samples.
        auroc_dirty: AUROC of 1 − avg_probs, dirty samples against the rest; None if there are none of either.
        learned: True if the model was right often enough to judge samples (`required_accuracy`).
    """

    samples: int
    headlines: dict[str, float]
    auroc_dirty: float | None
    learned: bool


def write(parts: Iterable[Part], path: str | Path, committed: Mapping[int, int | None]) -> Totals:
    """Write Parts as one summary; memory holds one Part at a time.

    Args:
        parts: the parts, in order.
        path: the file to write.
        committed: {observation number: number of records} that were committed; None = not known.

    Raises:
        SignalError: an id is in two parts, or an observation has more or fewer records than committed.
    """
    rows: Counter[int] = Counter()
    labels: Counter[int] = Counter()
    sums: defaultdict[str, float] = defaultdict(float)
    types: set[str] = set()
    with DiskArray(np.uint64) as keys, DiskArray(np.float64) as dirty, DiskArray(np.float64) as rest:
        with Path(path).open("wb") as file:
            for part in parts:
                file.write(b"" if types else part.header)
                file.writelines(part.lines)
                rows.update(part.rows)
                labels.update(part.labels)
                for name, value in part.sums.items():
                    sums[name] += value
                types.add(part.ids)
                keys.append(part.keys)
                dirty.append(part.avg_probs[part.dirty])
                rest.append(part.avg_probs[~part.dirty])
        _refuse_repeated(keys, types, path)
        for number, count in rows.items():
            if committed[number] not in (None, count):
                raise SignalError(
                    f"observation {number} is damaged: it has {count:,} records, but "
                    f"{committed[number]:,} were committed"
                )
        found = dynamics.headlines(sums)
        learned = found["mean_correct"] >= required_of(np.array(list(labels.values())))
        return Totals(len(keys), found, _auroc(dirty, rest), learned)


def _refuse_repeated(keys: DiskArray, types: set[str], path: str | Path) -> None:
    if len(types) > 1:
        raise SignalError(f"the shards do not match: ids are {first_few(sorted(types))}")
    repeated = keys.repeated()[:100_000]
    if len(repeated):  # two ids may have the same key by chance
        ids = tsv.read_rows(path, keys.rows_of(repeated))["id"]
        twice = ids[ids.duplicated()].unique().tolist()
        if twice:
            raise SignalError(f"several shards have id {first_few(twice)}")


def _auroc(dirty: DiskArray, rest: DiskArray) -> float | None:
    """Compute the probability that a dirty sample has a higher 1 − avg_probs than another one; a tie counts half.

    This is the Mann-Whitney statistic. scikit-learn's function needs all values in memory, and its import takes as
    long as all of `summarize` for a small run.
    """
    if not (len(dirty) and len(rest)):
        return None
    scores = np.sort(np.concatenate([1 - values for values in dirty.blocks()]))
    wins = 0
    for values in rest.blocks():
        for side in ("left", "right"):
            wins += int((len(scores) - np.searchsorted(scores, 1 - values, side)).sum())
    return wins / 2 / (len(dirty) * len(rest))
