"""Divide an observation among the processes that record it, each of which writes its own shards."""

from collections.abc import Iterator

import pyarrow as pa

from datamap import schema
from datamap.processes import Processes
from datamap.schema import Shard
from datamap.signals import shards


class ShardWriter:
    """Name and encode this process's shards of an observation, numbered after those of the processes before it.

    Args:
        processes: the processes that train together.
        samples: number of samples of the whole observation.
        unit: unit of the observations, "epoch" or "step".
        rows: largest number of records in a shard.
        format: format of the files, "jsonl" or "parquet"; "auto" chooses by the number of samples.
    """

    def __init__(self, processes: Processes, samples: int, unit: str, rows: int, format: str) -> None:
        self._counts = [-(-len(processes.rows(samples, index)) // rows) for index in range(processes.count)]
        self.processes, self.samples = processes, samples
        self.rows, self.unit = min(rows, samples), unit
        self.format = schema.chosen_format(format, samples)

    def encoded(
        self, number: int, signals: pa.Table, index: int | None = None
    ) -> Iterator[tuple[Shard, bytes]]:
        """Yield (shard with its checksum, bytes) of observation `number`.

        Args:
            number: number of the observation.
            signals: the records of one process.
            index: index of that process; None = this one.
        """
        index = self.processes.index if index is None else index
        if self._counts[index]:
            numbering = {"first": sum(self._counts[:index]), "count": sum(self._counts)}
            yield from shards.encoded(signals, self.unit, number, self.rows, self.format, **numbering)

    def share(self, signals: pa.Table, index: int | None = None) -> pa.Table:
        """Return the records of a whole observation that a process (this one by default) writes."""
        rows = self.processes.rows(self.samples, index)
        return signals.slice(rows.start, len(rows))
