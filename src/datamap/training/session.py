"""Run a prepared training, in the process that owns the run or in one that joins it."""

import contextlib
from collections.abc import Callable, Iterator

from datamap import schema
from datamap.errors import TrainingError
from datamap.log import say
from datamap.tracking.failures import retrying
from datamap.tracking.outbox import Outbox
from datamap.tracking.run import Run
from datamap.tracking.store import Store
from datamap.training import bars
from datamap.training.extra_trainings import ExtraTrainings, finished_in
from datamap.training.live_map import live_map
from datamap.training.loggers import RunLogger, ShardLogger, ShardWriter
from datamap.training.preparation import PreparedTraining
from datamap.translations import Amount

START_TIMEOUT = 30  # seconds for which the store is retried before training begins


def lead(training: PreparedTraining, run: Run, log_start: Callable[[], None] = lambda: None) -> None:
    """Train in the process that owns the run.

    Args:
        training: the prepared training.
        run: run to log into, which its owner ends.
        log_start: function that logs the config and the samples, before the first observation.

    Raises:
        DataMapError: training failed, or the store refuses the run.
    """
    tracking = training.config.tracking
    # The outbox starts with training; before that another process may have locked SQLite, so retry.
    timeout = min(tracking.retry_seconds, START_TIMEOUT)
    retrying(run.begin, timeout)
    finished = finished_in(run) if training.extra else {}
    training.processes.gather((run.run_id, run.writer, finished))
    say("run {run}  ({address})", run=run.run_id, address=run.address)
    outbox = Outbox(run, tracking.retry_seconds, tracking.spool, say, schema.CHECKPOINT_DIR)
    extra = ExtraTrainings(training, finished, outbox.put)
    extra.announce()
    logger = RunLogger(training, outbox, live_map(run, training))
    with _told_when_it_ends_early(logger, run), outbox, extra:
        retrying(log_start, timeout)
        training.trainer.fit(logger, bars.steps, bars.observed_batches)
        extra.finish(bars.steps)
    say(
        "{observations} of {count:,} samples logged",
        observations=Amount(logger.kept, "observation"),
        count=len(training.data.samples),
    )


def join(training: PreparedTraining) -> Run:
    """Train in a process that is not the first, log its shards into the first one's run, and return that run."""
    run_id, writer, finished = training.processes.gather(None)[0]
    tracking = training.config.tracking
    # The first process is writing into the store now, so SQLite may be locked: retry.
    run = retrying(lambda: Store(tracking.uri).run(run_id), tracking.retry_seconds)
    run.writer = writer
    logger = ShardLogger(run, training.processes, ShardWriter.of(training), tracking.retry_seconds)
    training.trainer.fit(logger)
    ExtraTrainings(training, finished).finish()
    return run


@contextlib.contextmanager
def _told_when_it_ends_early(logger: RunLogger, run: Run) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if logger.kept:
            next_step = run.command("summarize")
            safe = Amount(logger.kept, "observation")
            say("ended early; {observations} safe: {command}", observations=safe, command=next_step)
        # Resuming does not help if the loss is not finite, which would happen again, or if there is no checkpoint.
        can_go_on = logger.training.config.trainer.checkpoint != "none"
        if logger.kept and not isinstance(error, TrainingError) and can_go_on:
            resume = run.command("train", "resume=true")
            say("to go on with the run: {command}", command=resume)
        raise
