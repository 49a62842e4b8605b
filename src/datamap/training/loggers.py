"""Log each observation of a training: send its shards and metrics, and report progress."""

import sys
from collections.abc import Iterator
from functools import partial

from datamap import schema
from datamap.config import TrackingConfig
from datamap.log import say
from datamap.paddle_backend import checkpoints
from datamap.paddle_backend.checkpoints import Checkpoint
from datamap.paddle_backend.options import ObservationResult
from datamap.processes import Processes
from datamap.schema import Shard
from datamap.signals import shards
from datamap.signals.shard_writer import ShardWriter
from datamap.tracking.delivery import Delivery
from datamap.tracking.failures import retrying
from datamap.tracking.outbox import Outbox
from datamap.tracking.store import Store
from datamap.training import bars
from datamap.training.live_map import LiveMapLogger
from datamap.training.preparation import PreparedTraining
from datamap.translations import translate


class ShardLogger:
    """Log the shards of a process that does not own the run, without a queue.

    Args:
        processes: the processes that train together.
        writer: the writer of this process's shards.
        tracking: the store of the run.
        run_id: id of the run.
        owner: what the run has as its writer; another value means that the run was taken over.
    """

    def __init__(
        self, processes: Processes, writer: ShardWriter, tracking: TrackingConfig, run_id: str, owner: str
    ) -> None:
        self.processes, self.writer, self.retry_seconds = processes, writer, tracking.retry_seconds
        # The process that owns the run is writing into the store now, so SQLite may be locked: retry.
        self.run = retrying(lambda: Store(tracking.uri).run(run_id), self.retry_seconds)
        self.run.writer = owner

    def __call__(self, observed: ObservationResult) -> None:
        """Log the shards, then send their names to the process that owns the run.

        Raises:
            TrackingError: the store is unreachable, or another process has taken the run over.
        """
        encoded = list(self.writer.encoded(observed.number, observed.signals))
        retrying(partial(self._log, encoded), self.retry_seconds)
        self.processes.gather([shard for shard, _ in encoded])

    def _log(self, encoded: list[tuple[Shard, bytes]]) -> None:
        self.run.check_writer()
        for shard, content in encoded:
            self.run.log_bytes(content, shard.path)


class LatestCheckpoint:
    """Keep the latest state of training, which goes into the run when the state before it is committed.

    Of the observations that wait to be sent only the latest keeps its state, because a state is three times as large
    as the model; and the first one until it is sent, so that a run that is killed right after it can be resumed.
    """

    def __init__(self, slot: int) -> None:
        self.slot, self.written = slot, 0
        self.first: Checkpoint | None = None
        self.latest: Checkpoint | None = None

    def keep(self, checkpoint: Checkpoint) -> None:
        """Keep the state of an observation that is about to wait."""
        if not self.written and self.first is None:
            self.first = checkpoint
        self.latest = checkpoint

    def files(self, number: int) -> Iterator[tuple[str, bytes]]:
        """Yield (artifact path, bytes) of the state that is sent with observation `number`.

        Yield nothing if a later observation's state was sent already, because overwriting its slot could destroy the
        only state that a resumed run can use.
        """
        is_first = self.first is not None and self.first.number <= number
        chosen = self.first if is_first else self.latest
        if chosen and self.written < number:
            self.written, self.first = chosen.number, None
            yield from checkpoints.files(chosen, self.slot)
            self.slot += 1


class RunLogger:
    """Log each observation through the outbox, in the process that owns the run.

    Attributes:
        kept: the number of observations that the run has or that wait in the outbox.
    """

    def __init__(self, training: PreparedTraining, outbox: Outbox, live: LiveMapLogger | None) -> None:
        self.training, self.outbox, self.live = training, outbox, live
        self.state, self.writer = LatestCheckpoint(training.slot), training.writer
        self.kept = len(training.start.committed)
        self.reported = training.checkpoint.number if training.checkpoint else 0

    def __call__(self, observed: ObservationResult) -> None:
        """Put the observation into the outbox, and report progress."""
        # The other processes log their shards before they send the names, so these shards are in the run now.
        others: list[Shard] = sum(self.training.processes.gather([])[1:], [])
        if observed.number not in self.training.start.committed:
            self.outbox.put(self._delivery(observed, others))
            self.kept += 1
        self._report(observed)

    def _delivery(self, observed: ObservationResult, others: list[Shard]) -> Delivery:
        if self.training.config.trainer.checkpoint == "last":
            self.state.keep(observed.checkpoint())
        files = partial(self._files, observed, others)
        metrics = {**observed.metrics, schema.COMMIT_METRIC: sum(self.training.trainer.records)}
        then = partial(self.live.draw, observed.signals, observed.number) if self.live else None
        return Delivery(observed.number, files, metrics, then=then)

    def _files(self, observed: ObservationResult, others: list[Shard]) -> Iterator[tuple[str, bytes]]:
        """Yield the observation's files; called in the sending thread, one observation after the other."""
        mine = []
        for shard, content in self.writer.encoded(observed.number, observed.signals):
            mine.append(shard)
            yield shard.path, content
        yield mine[0].checksums_path, shards.checksums(mine + others)
        yield from self.state.files(observed.number)

    def _report(self, observed: ObservationResult) -> None:
        m, last = observed.metrics, self.training.last
        seconds = m["time/train_seconds"] + m["time/observe_seconds"]
        left = seconds * (last - observed.number) / (observed.number - self.reported)
        self.reported = observed.number
        unit = "epoch {number} of {last}" if self.training.unit == "epoch" else "step {number} of {last}"
        number = f"{observed.number:{len(str(last))}}"
        parts = [
            translate(unit, number=number, last=last),
            translate("loss {loss:.4f}", loss=m["train/loss"]),
            translate("accuracy {accuracy:.3f}", accuracy=m["train/accuracy"]),
        ]
        if "validation/accuracy" in m:
            parts.append(translate("dev accuracy {accuracy:.3f}", accuracy=m["validation/accuracy"]))
        f1 = m.get("validation/f1", m.get("validation/f1_micro"))
        if f1 is not None:
            parts.append(translate("dev F1 {f1:.3f}", f1=f1))
        time = translate("{seconds:.1f} s", seconds=seconds)
        parts.append(translate("{time}, {left} left", time=time, left=duration(left)) if left else time)
        if not sys.stdout.isatty():
            parts.append(bars.clock())
        say("  ".join(parts))


def duration(seconds: float) -> str:
    """Return a duration as text, in seconds, minutes or hours.

    >>> duration(42.3), duration(400), duration(9000)
    ('42 s', '7 min', '2.5 h')
    """
    if seconds < 100:
        return translate("{seconds:.0f} s", seconds=seconds)
    if seconds < 100 * 60:
        return translate("{minutes:.0f} min", minutes=seconds / 60)
    return translate("{hours:.1f} h", hours=seconds / 3600)
