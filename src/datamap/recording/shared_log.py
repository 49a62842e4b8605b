"""Log observations into one run from every process that trains together: each writes its shards, the first commits."""

from collections.abc import Iterator

import pyarrow as pa

from datamap import schema
from datamap.errors import SignalError, TrackingError
from datamap.processes import Processes
from datamap.schema import Shard
from datamap.signals import align, shards
from datamap.signals.shards import Records
from datamap.tracking.delivery import Delivery, FilesOnDisk
from datamap.tracking.failures import retrying
from datamap.tracking.outbox import Outbox
from datamap.tracking.run import Run
from datamap.tracking.store import Store

JOIN_TIMEOUT = 30  # seconds for which another process tries to open the run that the first one made
LARGE = 1_000_000  # records of an observation that is encoded at once, instead of in the sending thread


def merge_records(number: int, parts: list[tuple[int, list[pa.Table]]]) -> list[pa.Table]:
    """Return what all processes recorded, the first process's records first.

    Samplers pad their last batches, so that each process gets the same number of samples: of a sample that several
    processes recorded, the record of the first of them is kept. A sample that one process recorded twice stays twice,
    which `commit` refuses.

    Args:
        number: number of the observation.
        parts: (number of the observation, batches) of each process.

    Raises:
        SignalError: the processes commit different observations.
    """
    numbers = [other for other, _ in parts]
    if set(numbers) != {number}:
        odd = next(index for index, other in enumerate(numbers) if other != numbers[0])
        raise SignalError(
            f"process {odd} commits observation {numbers[odd]}, but process 0 observation {numbers[0]}; "
            "let all processes commit the same one"
        )
    kept: list[pa.Table] = []
    for _, batches in parts:
        try:
            found = pa.concat_tables(batches) if batches else None
        except pa.ArrowInvalid:
            return [table for _, some in parts for table in some]  # ids of two kinds, which `commit` refuses
        if found is None:
            continue
        if kept:
            known = pa.concat_arrays([array for table in kept for array in table["id"].cast("string").chunks])
            found = found.filter(pa.array(align.rows(found["id"].cast("string"), known) < 0))
        kept.append(found)
    return kept


def join_run(uri: str, run_id: str, writer: str) -> Run:
    """Return the run that the first process has made and is the `writer` of."""
    run = retrying(lambda: Store(uri).run(run_id), JOIN_TIMEOUT)  # the first one may have locked SQLite now
    run.writer = writer
    return run


class SharedLog:
    """Log observations into a run, together with the other processes.

    Args:
        run: the run, with this training as its writer.
        processes: the processes that train together.
        outbox: outbox of the first process; None in all others.
        unit: unit of the observations, "epoch" or "step".
        rows: largest number of records in a shard.
        format: format of the shards, "jsonl" or "parquet"; the records of the first observation decide what "auto" is.
    """

    def __init__(
        self, run: Run, processes: Processes, outbox: Outbox | None, unit: str, rows: int, format: str
    ) -> None:
        self.run, self.processes, self.outbox = run, processes, outbox
        self.unit, self.rows, self.format = unit, rows, format

    def put(self, table: Records, delivery: Delivery) -> None:
        """Log an observation: the same call, with the same whole table, in every process.

        A large one waits as files on disk until it is sent, as memory would hold several of them.

        A process other than the first logs its shards at once. Where the store does not accept them, the first process
        logs them with its own, through the outbox, which tries again and spools.

        Args:
            table: all records of the observation.
            delivery: its number, and what the first process logs with it.

        Raises:
            TrackingError: an earlier observation could neither be sent nor spooled, or the run is lost.
        """
        self.format = schema.chosen_format(self.format, table.num_rows)
        number = delivery.number
        logged = self.processes.gather(None if self.outbox else self._logged(number, table))

        def files() -> Iterator[tuple[str, bytes]]:
            yield from self._files(number, table, logged)
            yield from delivery.files()

        def send() -> None:
            if self.outbox:
                waiting = FilesOnDisk(files()) if table.num_rows >= LARGE else None
                self.outbox.put(
                    delivery._replace(
                        files=(lambda: waiting) if waiting else files,
                        metrics={**delivery.metrics, schema.COMMIT_METRIC: table.num_rows},
                    )
                )

        self.processes.agree(send)

    def _encoded(self, number: int, table: Records, index: int) -> Iterator[tuple[Shard, bytes]]:
        """Yield (shard with its checksum, bytes) of the records that a process writes, after those of the one before.

        Args:
            number: number of the observation.
            table: all its records.
            index: index of the process.
        """
        every = [self.processes.rows(table.num_rows, k) for k in range(self.processes.count)]
        counts, own = [-(-len(rows) // self.rows) for rows in every], every[index]
        if counts[index]:
            mine = table if len(own) == table.num_rows else table.slice(own.start, len(own))
            size, numbering = min(self.rows, len(own)), {"first": sum(counts[:index]), "count": sum(counts)}
            yield from shards.encoded(mine, self.unit, number, size, self.format, **numbering)

    def _logged(self, number: int, table: Records) -> list[Shard] | None:
        """Log this process's shards and return their names; None if the store did not accept all of them."""
        encoded = list(self._encoded(number, table, self.processes.index))
        try:
            if encoded:
                self.run.check_writer()
            for shard, content in encoded:
                self.run.log_bytes(content, shard.path)
        except TrackingError:
            return None
        return [shard for shard, _ in encoded]

    def _files(
        self, number: int, table: Records, logged: list[list[Shard] | None]
    ) -> Iterator[tuple[str, bytes]]:
        """Yield (path, bytes) of the shards that no other process has logged, then of the observation's checksums."""
        made: list[Shard] = []
        for index, others in enumerate(logged):
            if others is not None:
                made += others
                continue
            for shard, content in self._encoded(number, table, index):
                made.append(shard)
                yield shard.path, content
        yield made[0].checksums_path, shards.checksums(made)
