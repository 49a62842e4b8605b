"""What becomes of an observation: shards and metrics into the run, a line onto the terminal, the map so far."""

import multiprocessing
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import pyarrow as pa

from datamap import schema
from datamap.log import say
from datamap.maps.live import LiveMap
from datamap.paddle_backend import checkpoints
from datamap.paddle_backend.checkpoints import Checkpoint
from datamap.paddle_backend.options import Observed
from datamap.pipeline.inputs import signals_of
from datamap.schema import Shard
from datamap.signals import shards
from datamap.tracking.failures import retrying
from datamap.tracking.outbox import Delivery, Outbox
from datamap.tracking.run import Run
from datamap.training.preparation import Job


class ShardWriter:
    """Names and encodes this process's shards of an observation."""

    def __init__(self, job: Job) -> None:
        processes, rows = job.processes, job.config.signals.shard_rows
        samples = len(job.labelled.samples)
        counts = [-(-len(processes.rows(samples, index)) // rows) for index in range(processes.count)]
        self.numbering = {"first": sum(counts[: processes.index]), "count": sum(counts)}
        self.rows, self.format, self.unit = min(rows, samples), job.config.signals.format, job.unit

    def encoded(self, observed: Observed) -> Iterator[tuple[Shard, bytes]]:
        """Yield (shard with its checksum, bytes)."""
        table, number = observed.signals, observed.number
        return shards.encoded(table, self.unit, number, self.rows, self.format, **self.numbering)


class JoinedProcess:
    """Takes observations in all processes but the first: their shards go into the run at once."""

    def __init__(self, run: Run, job: Job) -> None:
        self.run, self.job, self.shards = run, job, ShardWriter(job)

    def __call__(self, observed: Observed) -> None:
        """Log the shards, and tell the first process of them.

        Raises:
            TrackingError: the store does not take them, or another process has taken the run over.
        """
        encoded = list(self.shards.encoded(observed))
        retrying(partial(self._log, encoded), self.job.config.tracking.retry_seconds)
        self.job.processes.gather([shard for shard, _ in encoded])

    def _log(self, encoded: list[tuple[Shard, bytes]]) -> None:
        self.run.check_writer()
        for shard, content in encoded:
            self.run.log_bytes(content, shard.path)


class NewestState:
    """Which state of training goes into the run: the newest, when the one before is committed.

    Of the observations that wait to be sent only the newest keeps its state, which is as large as the
    model three times over.
    """

    def __init__(self, slot: int) -> None:
        self.slot, self.written = slot, 0
        self.checkpoint: Checkpoint | None = None

    def files(self, number: int) -> Iterator[tuple[str, bytes]]:
        """Yield (artifact path, bytes) of what is sent with observation `number`; nothing where the last
        state that was sent is of a later observation, as its slot may hold the only one of use so far."""
        newest = self.checkpoint
        if newest and self.written < number:
            self.written = newest.number
            yield from checkpoints.files(newest, self.slot)
            self.slot += 1


class FirstProcess:
    """Takes observations in the process that owns the run.

    `kept` counts the observations that the run has, or will have.
    """

    def __init__(self, job: Job, outbox: Outbox, live: "Live | None") -> None:
        self.job, self.outbox, self.live = job, outbox, live
        self.shards, self.state = ShardWriter(job), NewestState(job.progress.slot)
        self.kept = len(job.progress.committed)
        self.said = job.progress.checkpoint.number if job.progress.checkpoint else 0

    def __call__(self, observed: Observed) -> None:
        """Hand the observation over to the outbox, and say how training goes."""
        # When this returns, the others' shards are in the run.
        others: list[Shard] = sum(self.job.processes.gather([])[1:], [])
        if observed.number not in self.job.progress.committed:
            self.outbox.put(self._delivery(observed, others))
            self.kept += 1
        self._say(observed)

    def _delivery(self, observed: Observed, others: list[Shard]) -> Delivery:
        if self.job.config.trainer.checkpoint == "last":
            self.state.checkpoint = observed.checkpoint()
        files = partial(self._files, observed, others)
        metrics = {**observed.metrics, schema.COMMIT_METRIC: len(self.job.labelled.samples)}
        then = partial(self.live.draw, observed.signals, observed.number) if self.live else None
        return Delivery(observed.number, files, metrics, then=then)

    def _files(self, observed, others):
        """Called in the sending thread, one observation after the other."""
        mine = []
        for shard, content in self.shards.encoded(observed):
            mine.append(shard)
            yield shard.path, content
        yield mine[0].checksums_path, shards.checksums(mine + others)
        yield from self.state.files(observed.number)

    def _say(self, observed: Observed) -> None:
        m, trainer = observed.metrics, self.job.trainer
        last = trainer.options.epochs * (1 if self.job.unit == "epoch" else trainer.steps_per_epoch)
        dev = f"  dev accuracy {m['validation/accuracy']:.3f}" if "validation/accuracy" in m else ""
        seconds = m["time/train_seconds"] + m["time/observe_seconds"]
        left = seconds * (last - observed.number) / (observed.number - self.said)
        self.said = observed.number
        say(
            f"{self.job.unit} {observed.number:{len(str(last))}} of {last}  loss {m['train/loss']:.4f}  "
            f"accuracy {m['train/accuracy']:.3f}{dev}  {seconds:.1f} s{f', {duration(left)} left' if left else ''}"
        )


def duration(seconds: float) -> str:
    """About how long, for people.

    >>> duration(42.3), duration(400), duration(9000)
    ('42 s', '7 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


class Live:
    """Draws the map so far into the run's image series. It may fail: training goes on without it."""

    def __init__(self, run: Run, job: Job) -> None:
        self.map: LiveMap | None = None
        self.begun = bool(job.progress.committed)  # `schema.FORMING_MAP` has its first picture
        self._guarded(lambda: self._begin(run, job))

    def draw(self, table: pa.Table, number: int, run: Run) -> None:
        """Take in an observation, and draw the map where that costs next to nothing."""
        if self.map:
            self._guarded(lambda: self._draw(table, number, run))

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # a decoration, whatever goes wrong in it
            self.map = None
            say(
                f"note: no live map from here on ({type(error).__name__}: {str(error).partition(chr(10))[0]})"
            )

    def _begin(self, run: Run, job: Job) -> None:
        self.map = LiveMap(len(job.labelled.samples), say)
        if job.progress.checkpoint:
            for number, parts in sorted(signals_of(run).items()):
                if number <= job.progress.checkpoint.number:
                    self.map.add(shards.read(run.artifacts, parts))

    def _draw(self, table: pa.Table, number: int, run: Run) -> None:
        assert self.map
        start = time.thread_time()
        self.map.add(table)
        picture = self.map.picture()
        if picture is not None:
            run.log_image(picture, f"{schema.MAPS_DIR}/data_map", schema.NEWEST_STEP)
            for step in (number,) if self.begun else (schema.NEWEST_STEP, number):
                run.log_image(picture, schema.FORMING_MAP, step)
            self.begun = True
            self.map.drawn(time.thread_time() - start)


def live_map(run: Run, job: Job) -> Live | None:
    """What draws the map so far; None where nobody wants it, or this process does not have all signals."""
    return Live(run, job) if job.config.plot.live and job.processes.count == 1 else None


def progress_bar(iterable: Iterable, unit: str = "step") -> Iterable:
    """A progress bar over an epoch's batches, or other units, where a terminal is there for this process alone.

    A terminal that does not say how large it is counts as 80 columns by 24 lines.
    """
    from tqdm import tqdm

    size = shutil.get_terminal_size()
    shared = True if multiprocessing.parent_process() else None  # None: shown on a terminal
    return tqdm(iterable, leave=False, disable=shared, unit=unit, ncols=size.columns - 1, nrows=size.lines)


tokenizing_bar = partial(progress_bar, unit=" texts tokenized")
observing_bar = partial(progress_bar, unit=" batches observed")
