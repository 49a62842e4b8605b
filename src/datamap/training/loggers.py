"""Log each observation of a training with its metrics and the state of training, and report progress."""

import sys
from collections.abc import Iterator
from functools import partial

from datamap.log import say
from datamap.paddle_backend import checkpoints
from datamap.paddle_backend.checkpoints import Checkpoint
from datamap.paddle_backend.options import ObservationResult
from datamap.recording.shared_log import SharedLog
from datamap.signals import shards
from datamap.tracking.delivery import Delivery
from datamap.tracking.outbox import Outbox
from datamap.tracking.run import Run
from datamap.training import bars
from datamap.training.live_map import LiveMapLogger
from datamap.training.preparation import PreparedTraining
from datamap.translations import translate


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
    """Log each observation, together with the other processes; the first one keeps checkpoints and reports progress.

    Args:
        training: the training, as each process prepared it.
        run: the run that the first process owns.
        outbox: outbox of the first process; None in all others.

    Attributes:
        kept: the number of observations that the run has or that wait in the outbox.
    """

    def __init__(self, training: PreparedTraining, run: Run, outbox: Outbox | None = None) -> None:
        self.training, config = training, training.config
        self.live = LiveMapLogger(training) if outbox and config.plot.live else None
        self.state = LatestCheckpoint(training.slot)
        self.kept = len(training.start.committed)
        self.reported = training.checkpoint.number if training.checkpoint else 0
        rows, format = config.signals.shard_rows, training.format
        self.log = SharedLog(run, training.processes, outbox, training.unit, rows, format)

    def __call__(self, observed: ObservationResult) -> None:
        """Log an observation that the run does not have yet, and report progress."""
        processes = self.training.processes
        table = shards.concat(processes.gather(observed.signals))
        if observed.number not in self.training.start.committed:
            if processes.first and self.training.config.trainer.checkpoint == "last":
                self.state.keep(observed.checkpoint())
            state = partial(self.state.files, observed.number)
            then = partial(self.live.draw, table, observed.number) if self.live else None
            self.log.put(table, Delivery(observed.number, state, observed.metrics, then=then))
            self.kept += 1
        if processes.first:
            self._report(observed)

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
