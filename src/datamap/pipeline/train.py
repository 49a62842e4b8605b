"""Fine-tune a text classifier and log the signals of every training sample, epoch by epoch."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from datamap import ranges
from datamap.config import TrainConfig, yaml
from datamap.errors import ConfigError, TrackingError, TrainingError, counted
from datamap.log import say
from datamap.paddle_backend import checkpoints
from datamap.paddle_backend.processes import Processes
from datamap.program import invocation
from datamap.tracking.failures import retrying
from datamap.tracking.outbox import Outbox, deliver_spooled, spool_note, spooled
from datamap.tracking.run import Run
from datamap.tracking.store import Store
from datamap.training import extra_trainings
from datamap.training import texts as labelled
from datamap.training.loggers import (
    FirstProcess,
    JoinedProcess,
    live_map,
    observing_bar,
    progress_bar,
    tokenizing_bar,
)
from datamap.training.preparation import Job, Progress, prepared

START_PATIENCE = 30  # seconds


def train(config: TrainConfig, overrides: Sequence[str] = ()) -> Run:
    """Fine-tune and log the signals of every training sample, epoch by epoch; returns the run.

    Raises:
        DataMapError: something in the config does not fit (no run is made then), or training failed.
    """
    if config.signals.collect == "train" and config.signals.every != "epoch":
        raise ConfigError("signals.collect=train observes once an epoch: leave signals.every=epoch")
    processes = Processes(config.trainer.device)
    if config.resume:
        return _resume(config, processes)
    config = replace(config, data=labelled.resolved_data(config))
    job = prepared(config, processes, labelled.load(config), bar=tokenizing_bar)
    if not processes.first:
        return _join(job)
    store = Store(config.tracking.uri, config.tracking.experiment, create=True)
    with store.new_run(config.tracking.run_name, config.tracking.tags) as made:
        return _train(job, made, partial(_log_start, made, job, overrides))


def _resume(config: TrainConfig, processes: Processes) -> Run:
    """Go on with a run from its last committed observation, with the run's own config."""
    if not config.run_id:
        raise ConfigError("resume=true needs run_id=<id>")
    store = Store(config.tracking.uri, config.tracking.experiment)
    found = store.run(config.run_id)
    if processes.first:
        _send_spooled(found, Path(config.tracking.spool, found.run_id))
    processes.gather(None)  # the others read what is committed when all is
    found = store.run(found.run_id)
    if found.status == "FINISHED":
        raise TrackingError(f"run {found.run_id} ended well: nothing is left to resume")
    config = _config_of(found, config)
    data = labelled.load(config)
    if data.samples.digest != found.dataset_digest():
        raise TrackingError(
            f"run {found.run_id}: {data.samples.path} is no longer what the run was trained on "
            f"(digest {data.samples.digest})"
        )
    job = prepared(config, processes, data, _progress(found), tokenizing_bar)
    if not processes.first:
        return _join(job)
    with found.until_end():
        return _train(job, found)


def _send_spooled(run: Run, folder: Path) -> None:
    waiting = spooled(folder)
    if waiting:
        run.writer = spool_note(waiting[0])["writer"]  # that of the process that spooled them
        say(f"{counted(deliver_spooled(run, folder), 'upload')} of {folder} sent")


def _config_of(run: Run, config: TrainConfig) -> TrainConfig:
    """The config that a run was made with, save how and where it is resumed, and whom the user trusts."""
    logged = run.config("train")
    if not logged:
        raise TrackingError(f"run {run.run_id} ended before it had logged anything: start a new one")
    if "${" in str(logged):
        raise TrackingError(
            f"run {run.run_id}: config/train.yaml has an interpolation, ${{…}}, which another's config may not have"
        )
    # Keys that the run's version did not know yet are today's defaults.
    try:
        merged = OmegaConf.merge(OmegaConf.structured(config), logged)
        found = cast(TrainConfig, OmegaConf.to_object(merged))
    except OmegaConfBaseException as error:
        raise TrackingError(
            f"run {run.run_id}: config/train.yaml cannot be used: {str(error).splitlines()[0]}"
        ) from error
    ranges.check(found)
    model = replace(found.model, trust_pickle=config.model.trust_pickle)
    if "threads" not in (logged.get("trainer") or {}):  # of a version that trained on one
        found = replace(found, trainer=replace(found.trainer, threads=1))
    return replace(found, model=model, resume=True, run_id=run.run_id, tracking=config.tracking)


def _progress(run: Run) -> Progress:
    committed = run.committed()
    if not committed:
        return Progress()
    checkpoint, slot = checkpoints.load(run.artifacts.find, max(committed))
    say(f"resuming after observation {checkpoint.number}")
    return Progress(checkpoint, slot + 1, committed)


def _log_start(run: Run, job: Job, overrides: Sequence[str]) -> None:
    run.log_config("train", yaml(job.config), overrides)
    run.log_params(_params(job.config))
    labelled.log(run, job.labelled, job.config.log_text)


def _params(config: TrainConfig) -> dict[str, object]:
    """The few that tell runs apart: the UI prints all params above a run's map, where many would hide it.

    The complete config is the artifact config/train.yaml.
    """
    data, trainer = config.data, config.trainer
    return {
        "data": data.name,
        "model": config.model.name,
        "seed": config.seed,
        "epochs": trainer.epochs,
        "batch_size": trainer.batch_size,
        "lr": trainer.lr,
        **({"sample": data.sample} if data.sample else {}),
        **({"flip_ratio": data.flip_ratio} if data.flip_ratio else {}),
        **({"folds": data.folds} if data.folds else {}),
        **({"threads": trainer.threads} if trainer.threads != 1 else {}),
        **({"every": config.signals.every} if config.signals.every != "epoch" else {}),
        **({"collect": config.signals.collect} if config.signals.collect != "eval" else {}),
    }


def _train(job: Job, run: Run, log_start: Callable[[], None] = lambda: None) -> Run:
    """Train in the process that owns the run."""
    tracking = job.config.tracking
    # What is logged before training has no outbox; another process may have SQLite locked just now.
    patience = min(tracking.retry_seconds, START_PATIENCE)
    retrying(run.begin, patience)
    done = extra_trainings.done_in(run) if job.extra else {}
    job.processes.gather((run.run_id, run.writer, done))
    say(f"run {run.run_id}  ({run.address})")
    outbox = Outbox(run, tracking.retry_seconds, tracking.spool, say, checkpoints.FOLDER)
    extra = extra_trainings.ExtraTrainings(job, done, outbox.put)
    extra.announce()
    on_observation = FirstProcess(job, outbox, live_map(run, job))
    with _told_when_it_ends_early(on_observation, run), outbox, extra:
        retrying(log_start, patience)
        job.trainer.fit(on_observation, progress_bar, observing_bar)
        extra.finish(progress_bar)
    say(f"{counted(on_observation.kept, 'observation')} of {len(job.labelled.samples):,} samples logged")
    return run


def _join(job: Job) -> Run:
    """Train in a process that is not the first: it writes its shards into the first one's run."""
    run_id, writer, done = job.processes.gather(None)[0]
    tracking = job.config.tracking
    # The first is writing into the store at this moment; SQLite may be locked.
    run = retrying(lambda: Store(tracking.uri).run(run_id), tracking.retry_seconds)
    run.writer = writer
    job.trainer.fit(JoinedProcess(run, job))
    extra_trainings.ExtraTrainings(job, done).finish()
    return run


@contextlib.contextmanager
def _told_when_it_ends_early(on_observation: FirstProcess, run: Run) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if on_observation.kept:
            next_step = invocation("summarize", f"run_id={run.run_id}")
            say(f"ended early; {counted(on_observation.kept, 'observation')} safe: {next_step}")
        # A loss that is not finite would come again, and nothing goes on without a checkpoint.
        can_go_on = on_observation.job.config.trainer.checkpoint != "none"
        if on_observation.kept and not isinstance(error, TrainingError) and can_go_on:
            say(f"to go on with the run: {invocation('train', 'resume=true', f'run_id={run.run_id}')}")
        raise
