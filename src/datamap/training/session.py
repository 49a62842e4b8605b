"""Run a prepared training, in the process that owns the run or in one that joins it."""

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial

from datamap import schema
from datamap.config import TrainConfig, to_yaml
from datamap.errors import SignalError, TrainingError
from datamap.log import say
from datamap.recording.shared_log import join_run
from datamap.schema import Task
from datamap.signals import embeddings
from datamap.tracking.failures import retrying
from datamap.tracking.outbox import Outbox
from datamap.tracking.run import Run
from datamap.tracking.store import Store
from datamap.training import bars, texts
from datamap.training.extra_trainings import ExtraTrainings, finished_in
from datamap.training.loggers import RunLogger
from datamap.training.preparation import PreparedTraining
from datamap.translations import Amount

START_TIMEOUT = 30  # seconds for which the store is retried before training begins


def train_as_owner(training: PreparedTraining, overrides: Sequence[str] = ()) -> Run:
    """Train in the process that owns the run, and return the run: a new one, or the resumed one.

    Args:
        training: the prepared training.
        overrides: overrides that the user gave, to be logged with the config.

    Raises:
        DataMapError: training failed, or the store refuses the run.
    """
    tracking = training.config.tracking
    with _begun(training, overrides) as run:
        finished = finished_in(run) if training.extra else {}
        training.processes.gather((run.tracking_uri, run.run_id, run.writer, finished))
        if training.checkpoint:
            say("resuming after observation {number}", number=training.checkpoint.number)
        say("run {run}  ({address})", run=run.run_id, address=run.address)
        outbox = Outbox(run, tracking.retry_seconds, tracking.spool, schema.CHECKPOINT_DIR)
        extra = ExtraTrainings(training, finished, outbox.put)
        logger = RunLogger(training, run, outbox)
        extra.announce()
        with _report_early_end(logger, run), outbox, extra:
            _log_embeddings(training, run)
            training.trainer.fit(logger, bars.steps, bars.observed_batches)
            extra.finish(bars.steps)
        say(
            "{observations} of {count:,} samples logged",
            observations=Amount(logger.kept, "observation"),
            count=len(training.data.samples),
        )
    return run


@contextlib.contextmanager
def _begun(training: PreparedTraining, overrides: Sequence[str]) -> Iterator[Run]:
    """Yield the resumed run, or a new one with its config, parameters and data; end it with the block."""
    tracking, timeout = training.config.tracking, _timeout(training)
    params, config = _params(training.config), to_yaml(training.config)

    def log() -> None:
        run.log_config("train", config, overrides)
        run.log_params(params)
        texts.log(run, training.data, training.config.log_text)

    if training.start.run:
        owned = training.start.run.until_end()
    else:
        store = Store(tracking.uri, tracking.experiment, create=True)
        owned = store.new_run(tracking.run_name, tracking.tags)
    with owned as run:
        retrying(run.begin, timeout)
        if not training.start.run:
            retrying(log, timeout)
        yield run


def _log_embeddings(training: PreparedTraining, run: Run) -> None:
    """Log the mean outputs of a pretrained encoder for every sample before the first step, by one evaluation pass.

    The two texts of a pair are encoded apart, since only then can a simple model compare them. Nothing is done for a
    model from scratch, which knows nothing yet; for a resumed training, whose model has seen labels; for tokens,
    which the embedding of their sentence does not tell apart; and with `log_text=false`, because texts can be guessed
    from their embeddings.
    """
    config, samples = training.config, training.data.samples
    begins = config.model.name_or_path and config.log_text and not training.checkpoint
    if not begins or samples.task is Task.TOKENS or run.has(schema.EMBEDDINGS_FILE):
        return
    columns = [samples.texts_a, *([samples.texts_b] if samples.texts_b else [])]
    try:
        embeddings.refuse_large(len(samples), len(columns) * training.trainer.width)
        parts = [training.trainer.mean_outputs(column, bars.observed_batches) for column in columns]
        found = embeddings.checked_parts(samples.ids, parts, "the encoder")
    except SignalError as error:  # too large, or beyond half precision: training need not end for that
        say("note: no embeddings are logged: {error}", error=error)
        return
    retrying(partial(run.log_bytes, embeddings.encode(found), schema.EMBEDDINGS_FILE), _timeout(training))


def _timeout(training: PreparedTraining) -> float:
    """Return the seconds of retries until the outbox starts: another process may have locked SQLite before, too."""
    return min(training.config.tracking.retry_seconds, START_TIMEOUT)


def _params(config: TrainConfig) -> dict[str, object]:
    """Return the few keys that tell runs apart, as {param: value}.

    MLflow's UI shows all params above a run's map, where many would push the map out of sight. The complete config is
    the artifact config/train.yaml.
    """
    data, trainer = config.data, config.trainer
    return {
        "data": data.name,
        **({"task": data.task} if data.task != Task.CLASSIFICATION.value else {}),
        "model": config.model.name,
        "seed": config.seed,
        "epochs": trainer.epochs,
        "batch_size": trainer.batch_size,
        "lr": trainer.lr,
        **({"ids": data.ids if isinstance(data.ids, str) else f"{len(data.ids)} given"} if data.ids else {}),
        **({"sample": data.sample} if data.sample else {}),
        **({"flip_ratio": data.flip_ratio} if data.flip_ratio else {}),
        **({"data.seed": data.seed} if data.sample or data.flip_ratio else {}),
        **({"folds": data.folds} if data.folds else {}),
        **({"threads": trainer.threads} if trainer.threads != 1 else {}),
        **({"every": config.signals.every} if config.signals.every != "epoch" else {}),
        **({"collect": config.signals.collect} if config.signals.collect != "eval" else {}),
    }


def train_as_member(training: PreparedTraining) -> Run:
    """Train in a process that is not the first, log its shards into the first one's run, and return that run."""
    uri, run_id, writer, finished = training.processes.gather(None)[0]
    run = join_run(uri, run_id, writer)
    extra = ExtraTrainings(training, finished)
    training.trainer.fit(RunLogger(training, run))
    extra.finish()
    return run


@contextlib.contextmanager
def _report_early_end(logger: RunLogger, run: Run) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if logger.kept:
            next_step = run.command("summarize")
            safe = Amount(logger.kept, "observation")
            say(
                "training ended early, with {observations} saved: {command}",
                observations=safe,
                command=next_step,
            )
        # Resuming does not help if the loss is not finite, which would happen again, or if there is no checkpoint.
        can_go_on = logger.training.config.trainer.checkpoint != "none"
        if logger.kept and not isinstance(error, TrainingError) and can_go_on:
            resume = run.command("train", "resume=true")
            say("to resume the run: {command}", command=resume)
        raise
