"""Divide an observation among the processes that record it, each of which writes its own shards."""

from collections.abc import Iterator

from datamap import schema
from datamap.processes import Processes
from datamap.schema import Shard
from datamap.signals import shards
from datamap.signals.shards import Records


class ShardWriter:
    """Name and encode this process's shards of an observation, numbered after those of the processes before it.

    Args:
        processes: the processes that train together.
        records: number of records of the whole observation, which the processes divide among them.
        unit: unit of the observations, "epoch" or "step".
        rows: largest number of records in a shard.
        format: format of the files, "jsonl" or "parquet"; "auto" chooses by the number of records.
    """

    def __init__(self, processes: Processes, records: int, unit: str, rows: int, format: str) -> None:
        shares = [len(processes.rows(records, index)) for index in range(processes.count)]
        self._counts = [-(-count // rows) for count in shares]
        self.processes, self.records = processes, records
        self.rows, self.unit = min(rows, records), unit
        self.format = schema.chosen_format(format, records)

    def encoded(
        self, number: int, signals: Records, index: int | None = None
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

    def share(self, signals: Records, index: int | None = None) -> Records:
        """Return the records of a whole observation that a process (this one by default) writes."""
        rows = self.processes.rows(self.records, index)
        return signals if len(rows) == signals.num_rows else signals.slice(rows.start, len(rows))
