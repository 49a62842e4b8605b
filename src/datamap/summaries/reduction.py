"""Signals → summary, one shard of samples after the other, in this process or on a Dask cluster.

Memory holds a few shards, however many there are: what must be known of all samples waits in `spilled.Spilled`.
"""

import os
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from datamap import schema
from datamap.errors import ConfigError, SignalError, first_few
from datamap.signals import shards
from datamap.signals.observations import Observations
from datamap.signals.shards import Readable, ShardsByObservation
from datamap.summaries import dynamics, tsv
from datamap.summaries.spilled import Lines, Spilled

THREADS = min(4, os.cpu_count() or 1)  # each holds one shard of samples in memory
ROWS = 16_384  # samples that are turned into lines at once


class Part(NamedTuple):
    """Summary of some samples, as text for the file and as what later checks and metrics need."""

    header: bytes
    lines: Lines | list[bytes]  # of summary.tsv, some thousands in each
    ids: str  # their type
    keys: np.ndarray  # uint64 (samples,): of equal ids equal, of others hardly ever
    dirty: np.ndarray  # bool (samples,)
    avg_probs: np.ndarray
    rows: dict[int, int]  # observation number → records that it was made from
    sums: dict[str, float]  # over the samples, of what `dynamics.headlines` says


class Options(NamedTuple):
    """`conf/summarize.yaml`, as the reduction needs it."""

    allow_missing: bool = False
    extra: dict[str, list[str]] | None = None
    el2n_observations: int = 10


def reduce(
    artifacts: Readable,
    group: ShardsByObservation,
    options: Options,
    lines: Lines | list[bytes] | None = None,
) -> Part:
    """Reduce one group of `shards.groups` to a `Part`.

    Args:
        artifacts: where the shards lie.
        group: {observation number: [Shard, …]}, ascending.
        options: `Options`.
        lines: what takes the Part's lines; by default a list, which goes to another process by pickle.
    Raises:
        SignalError: a shard is damaged, or does not fit to the others.
    """
    rows: dict[int, int] = {}

    def tables():
        for number, parts in group.items():
            table = shards.read(artifacts, parts)
            rows[number] = table.num_rows
            yield number, table
            del table
            pa.default_memory_pool().release_unused()

    observed = Observations.from_tables(tables(), options.allow_missing)
    lines, shown = [] if lines is None else lines, []
    for some in observed.slices(ROWS):
        frame = dynamics.summarize(some, options.extra, options.el2n_observations)
        header, text = tsv.lines(frame)
        lines.append(text)
        shown.append(frame[["s_label", *dynamics.SUMMED]])
    frame = pd.concat(shown)
    return Part(
        header,
        lines,
        str(observed.ids.type),
        _keys(observed.ids),
        frame["s_label"].to_numpy() == schema.DIRTY,
        frame["avg_probs"].to_numpy(),
        rows,
        dynamics.sums(frame),
    )


def _keys(ids: pa.Array) -> np.ndarray:
    if pa.types.is_integer(ids.type):
        return ids.to_numpy().view(np.uint64)
    return pd.util.hash_array(ids.to_numpy(zero_copy_only=False), categorize=False)


def in_process(
    artifacts: Readable, groups: Iterable[ShardsByObservation], options: Options
) -> Iterator[Part]:
    """Yield the Parts of the groups, in order, from threads of this process."""
    with ThreadPoolExecutor(THREADS) as pool:

        def submit(group):
            return pool.submit(reduce, artifacts, group, options, Lines())

        yield from _in_order(submit, groups, THREADS)


def on_dask(
    artifacts: Readable, groups: Iterable[ShardsByObservation], options: Options, address: str | None
) -> Iterator[Part]:
    """The same on the Dask cluster whose scheduler is at `address`; None = one of this machine's cores.

    Raises:
        ConfigError: Dask is not installed, or no scheduler answers.
    """
    try:
        from dask.distributed import Client
    except ImportError as error:
        raise ConfigError("engine=dask needs Dask: pip install 'datamap[dask]'") from error
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise ConfigError(f"engine.address={address}: no Dask scheduler answers ({error})") from error
    with client:

        def submit(group):
            return client.submit(reduce, artifacts, group, options, pure=False)

        yield from _in_order(submit, groups, 2 * max(1, len(client.scheduler_info()["workers"])))


def _in_order(submit, groups, ahead):
    """Results of `submit(group)` in order, at most `ahead` of them begun and not yet taken."""
    waiting: deque = deque()
    for group in groups:
        waiting.append(submit(group))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


class Totals(NamedTuple):
    """What is known when all is reduced."""

    samples: int
    headlines: dict[str, float]  # name → number, of all samples: `dynamics.headlines`
    auroc_dirty: float | None  # of 1 - avg_probs, dirty samples against the rest; None without either


def write(parts: Iterable[Part], path: str | Path, committed: dict[int, int]) -> Totals:
    """Write Parts as one summary; only one part is held at a time.

    Args:
        parts: iterable of `Part`.
        path: of the file to write.
        committed: {observation number: records} that there must be.
    Returns:
        `Totals`.
    Raises:
        SignalError: an id is in two parts, or an observation has more or fewer records than committed.
    """
    rows: Counter[int] = Counter()
    sums: defaultdict[str, float] = defaultdict(float)
    types: set[str] = set()
    with Spilled(np.uint64) as keys, Spilled(np.float64) as dirty, Spilled(np.float64) as rest:
        with Path(path).open("wb") as file:
            for part in parts:
                file.write(b"" if types else part.header)
                file.writelines(part.lines)
                rows.update(part.rows)
                for name, value in part.sums.items():
                    sums[name] += value
                types.add(part.ids)
                keys.append(part.keys)
                dirty.append(part.avg_probs[part.dirty])
                rest.append(part.avg_probs[~part.dirty])
        _refuse_repeated(keys, types, path)
        for number, count in rows.items():
            if count != committed[number]:
                raise SignalError(
                    f"observation {number} is damaged: {count:,} records were read, "
                    f"{committed[number]:,} were committed"
                )
        return Totals(len(keys), dynamics.headlines(sums), _auroc(dirty, rest))


def _refuse_repeated(keys: Spilled, types: set[str], path: str | Path) -> None:
    if len(types) > 1:
        raise SignalError(f"the shards do not fit together: ids are {first_few(sorted(types))}")
    repeated = keys.repeated()[:100_000]
    if len(repeated):  # of two ids the keys may be the same by chance
        ids = tsv.read_rows(path, keys.rows_of(repeated))["id"]
        twice = ids[ids.duplicated()].unique().tolist()
        if twice:
            raise SignalError(f"all shards: id repeated: {first_few(twice)}")


def _auroc(dirty: Spilled, rest: Spilled) -> float | None:
    """How often a dirty sample has the higher 1 - avg_probs than one of the rest; a tie is half (Mann-Whitney).

    scikit-learn's function takes as long to import as all of `summarize` for a small run, and wants all in memory.
    """
    if not (len(dirty) and len(rest)):
        return None
    scores = np.sort(np.concatenate([1 - values for values in dirty.blocks()]))
    wins = 0
    for values in rest.blocks():
        for side in ("left", "right"):
            wins += int((len(scores) - np.searchsorted(scores, 1 - values, side)).sum())
    return wins / 2 / (len(dirty) * len(rest))
