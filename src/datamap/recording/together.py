"""Log observations into one run from every process that trains together: each writes its shards, the first commits."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import pyarrow as pa

from datamap import schema
from datamap.errors import SignalError, TrackingError
from datamap.processes import Processes
from datamap.schema import Shard
from datamap.signals import align, shards
from datamap.signals.shard_writer import ShardWriter
from datamap.signals.shards import Records
from datamap.tracking.delivery import Delivery, FilesOnDisk
from datamap.tracking.failures import retrying
from datamap.tracking.outbox import Outbox
from datamap.tracking.run import Run
from datamap.tracking.store import Store

LARGE = 1_000_000  # records of an observation that is encoded at once, instead of in the sending thread


def pooled(number: int, parts: list[tuple[int, list[pa.Table]]]) -> list[pa.Table]:
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


class SharedLog:
    """Log observations into a run, together with the other processes.

    Args:
        run: the run, with this training as its writer.
        processes: the processes that train together.
        outbox: outbox of the first process; None in all others.
    """

    def __init__(self, run: Run, processes: Processes, outbox: Outbox | None) -> None:
        self.run, self.processes, self.outbox = run, processes, outbox

    @classmethod
    def joined(
        cls, processes: Processes, uri: str | None, run_id: str, writer: str, timeout: float
    ) -> "SharedLog":
        """Return the log of a process other than the first, which made the run in a store and is its `writer`."""
        # The first process is writing into the store now, so SQLite may be locked.
        run = retrying(lambda: Store(uri).run(run_id), timeout)
        run.writer = writer
        return cls(run, processes, None)

    def put(
        self,
        number: int,
        table: Records,
        writer: ShardWriter,
        metrics: Mapping[str, float],
        more: Callable[[], Iterable[tuple[str, bytes]]] = tuple,
        then: Callable[[Run], None] | None = None,
    ) -> None:
        """Log an observation: the same call, with the same whole table, in every process.

        A large one waits as files on disk until it is sent, as memory would hold several of them.

        A process other than the first logs its shards at once. Where the store does not accept them, the first process
        logs them with its own, through the outbox, which tries again and spools.

        Args:
            number: number of the observation.
            table: all its records.
            writer: writer of its shards.
            metrics: {name: value} to log with it.
            more: function that yields (path, bytes) of what else the first process logs (see `Delivery.files`).
            then: function that is called with the run when all is sent.

        Raises:
            TrackingError: an earlier observation could neither be sent nor spooled, or the run is lost.
        """
        logged = self.processes.gather(None if self.outbox else self._logged(number, table, writer))

        def files() -> Iterator[tuple[str, bytes]]:
            yield from self._files(number, table, writer, logged)
            yield from more()

        def send() -> None:
            if self.outbox:
                waiting = FilesOnDisk(files()) if table.num_rows >= LARGE else None
                committed = {**metrics, schema.COMMIT_METRIC: table.num_rows}
                self.outbox.put(
                    Delivery(number, (lambda: waiting) if waiting else files, committed, then=then)
                )

        self.processes.agree(send)

    def _logged(self, number: int, table: Records, writer: ShardWriter) -> list[Shard] | None:
        """Log this process's shards and return their names; None if the store did not accept all of them."""
        encoded = list(writer.encoded(number, writer.share(table)))
        try:
            if encoded:
                self.run.check_writer()
            for shard, content in encoded:
                self.run.log_bytes(content, shard.path)
        except TrackingError:
            return None
        return [shard for shard, _ in encoded]

    def _files(
        self, number: int, table: Records, writer: ShardWriter, logged: list[list[Shard] | None]
    ) -> Iterator[tuple[str, bytes]]:
        """Yield (path, bytes) of the shards that no other process has logged, then of the observation's checksums."""
        made: list[Shard] = []
        for index, others in enumerate(logged):
            if others is not None:
                made += others
                continue
            for shard, content in writer.encoded(number, writer.share(table, index), index):
                made.append(shard)
                yield shard.path, content
        yield made[0].checksums_path, shards.checksums(made)
