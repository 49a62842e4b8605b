"""Signals → summary, one shard of samples after the other, in this process or on a Dask cluster."""

import os
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from datamap.errors import ConfigError, SignalError
from datamap.schema import Shard
from datamap.signals import shards
from datamap.signals.compute import refuse_repeated
from datamap.signals.observations import Observations
from datamap.summaries import dynamics, tsv

THREADS = min(4, os.cpu_count() or 1)  # each holds one shard of samples in memory


Group = dict[int, list[Shard]]  # observation number → its shards


class Reads(Protocol):
    """What gives the bytes of an artifact; goes to another process by pickle."""

    def read(self, path: str) -> bytes:
        """Bytes of the artifact at `path`."""


class Part(NamedTuple):
    """Summary of some samples, as text for the file and as what later checks and metrics need."""

    header: bytes
    text: bytes  # lines of summary.tsv
    ids: pa.Array
    s_label: np.ndarray
    avg_probs: np.ndarray
    rows: dict[int, int]  # observation number → records that it was made from
    sums: dict[str, float]  # over the samples, of what `dynamics.headlines` says


class Options(NamedTuple):
    """`conf/summarize.yaml`, as the reduction needs it."""

    allow_missing: bool = False
    extra: dict[str, list[str]] | None = None
    el2n_observations: int = 10


def reduce(artifacts: Reads, group: Group, options: Options) -> Part:
    """Reduce one group of `shards.groups` to a `Part`.

    Args:
        artifacts: `.read(path)` gives the bytes of an artifact.
        group: {observation number: [Shard, …]}, ascending.
        options: `Options`.
    Raises:
        SignalError: a shard is damaged, or does not fit to the others.
    """
    rows: dict[int, int] = {}

    def tables():
        for number, parts in group.items():
            table = shards.read(artifacts, parts)
            rows[number] = table.num_rows
            yield number, table

    observed = Observations.from_tables(tables(), options.allow_missing)
    frame = dynamics.summarize(observed, options.extra, options.el2n_observations)
    header, text = tsv.lines(frame)
    kinds, means = frame["s_label"].to_numpy(), frame["avg_probs"].to_numpy()
    return Part(header, text, observed.ids, kinds, means, rows, dynamics.sums(frame))


def in_process(artifacts: Reads, groups: Iterable[Group], options: Options) -> Iterator[Part]:
    """Yield the Parts of the groups, in order, from threads of this process."""
    with ThreadPoolExecutor(THREADS) as pool:
        yield from _in_order(lambda group: pool.submit(reduce, artifacts, group, options), groups, THREADS)


def on_dask(
    artifacts: Reads, groups: Iterable[Group], options: Options, address: str | None
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
    """What is known when all is reduced; the arrays are (samples,)."""

    s_label: np.ndarray
    avg_probs: np.ndarray
    headlines: dict[str, float]  # name → number, of all samples: `dynamics.headlines`


def write(parts: Iterable[Part], path: str | Path, committed: dict[int, int]) -> Totals:
    """Write Parts as one summary; only one part's text is held at a time.

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
    ids: list[pa.Array] = []
    s_label, avg_probs = [], []
    with Path(path).open("wb") as file:
        for part in parts:
            file.write(part.text if ids else part.header + part.text)
            rows.update(part.rows)
            for name, value in part.sums.items():
                sums[name] += value
            ids.append(part.ids)
            s_label.append(part.s_label)
            avg_probs.append(part.avg_probs)
    if len(ids) > 1:
        refuse_repeated(pa.chunked_array(ids), "all shards")
    for number, count in rows.items():
        if count != committed[number]:
            raise SignalError(
                f"observation {number} is damaged: {count:,} records were read, {committed[number]:,} were committed"
            )
    return Totals(np.concatenate(s_label), np.concatenate(avg_probs), dynamics.headlines(sums))
