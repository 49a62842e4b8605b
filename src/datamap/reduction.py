"""Signals → summary, one shard of samples after the other, in this process or on a Dask cluster."""

from collections import Counter
from typing import NamedTuple

import pandas as pd

from datamap import dynamics, shards
from datamap.errors import ConfigError, SignalError
from datamap.observations import Observations

AHEAD = 4  # shards of samples that a cluster works on beyond what was written, a worker


class Part(NamedTuple):
    """Summary of some samples, and how many records of each observation it was made from."""

    frame: pd.DataFrame
    rows: dict


class Options(NamedTuple):
    """`conf/summarize.yaml`, as the reduction needs it."""

    allow_missing: bool = False
    extra: dict | None = None
    el2n_observations: int = 10


def reduce(artifacts, group, options):
    """Reduce one group of `shards.groups` to a `Part`.

    Args:
        artifacts: `.read(path)` gives the bytes of an artifact.
        group: {observation number: [Shard, …]}, ascending.
        options: `Options`.
    Raises:
        SignalError: a shard is damaged, or does not fit to the others.
    """
    rows = {}

    def tables():
        for number, parts in group.items():
            table = shards.concat([shards.decode(artifacts.read(part.path), part) for part in parts])
            rows[number] = table.num_rows
            yield number, table

    observed = Observations.from_tables(tables(), options.allow_missing)
    return Part(dynamics.summarize(observed, options.extra, options.el2n_observations), rows)


def in_process(artifacts, groups, options):
    """Yield the Parts of the groups, in order; one is in memory at a time."""
    for group in groups:
        yield reduce(artifacts, group, options)


def on_dask(artifacts, groups, options, address):
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
        groups, ahead = iter(groups), []
        workers = max(1, len(client.scheduler_info()["workers"]))
        while True:
            for group in groups:
                ahead.append(client.submit(reduce, artifacts, group, options, pure=False))
                if len(ahead) >= AHEAD * workers:
                    break
            if not ahead:
                return
            yield ahead.pop(0).result()


def whole(parts, committed):
    """Yield the frames of Parts, and check at the end that every committed record was in one.

    Raises:
        SignalError: an observation has more or fewer records than were committed.
    """
    rows = Counter()
    for part in parts:
        rows.update(part.rows)
        yield part.frame
    for number, count in rows.items():
        if count != committed[number]:
            raise SignalError(
                f"observation {number} is damaged: {count:,} records were read, {committed[number]:,} were committed"
            )
