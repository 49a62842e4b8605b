"""Find the run to resume, its config, and the point from which it goes on."""

from dataclasses import replace
from pathlib import Path
from typing import cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from datamap import ranges
from datamap.config import TrainConfig
from datamap.errors import ConfigError, TrackingError
from datamap.log import say
from datamap.paddle_backend import checkpoints
from datamap.paddle_backend.processes import Processes
from datamap.tracking import spool
from datamap.tracking.run import Run
from datamap.tracking.store import Store
from datamap.training.preparation import ResumePoint
from datamap.training.texts import LabeledTexts
from datamap.translations import Amount


def find_run(config: TrainConfig, processes: Processes) -> Run:
    """Return the run to resume, after the first process has sent the run's spooled observations.

    Raises:
        ConfigError: `run_id` is missing.
        TrackingError: there is no such run, or it has finished.
    """
    if not config.run_id:
        raise ConfigError("resume=true needs run_id=<id>")
    store = Store(config.tracking.uri, config.tracking.experiment)
    run = store.run(config.run_id)
    if processes.first:
        _send_spooled(run, Path(config.tracking.spool, run.run_id))
    processes.gather(None)  # the other processes must read the committed observations only after this upload
    run = store.run(run.run_id)
    if run.status == "FINISHED":
        raise TrackingError(f"run {run.run_id} has already finished; nothing to resume")
    return run


def _send_spooled(run: Run, folder: Path) -> None:
    waiting = spool.waiting_in(folder)
    if waiting:
        run.writer = spool.read_note(waiting[0]).writer  # else the run would refuse them
        say("{uploads} of {folder} sent", uploads=Amount(spool.deliver(run, folder), "upload"), folder=folder)


def config_of(run: Run, config: TrainConfig) -> TrainConfig:
    """Return the config that a run was made with.

    The store, the run, the language and the trust in pickles are those of the given config, because the user decides
    them at each start.

    Raises:
        TrackingError: the run has no config, or an invalid one.
    """
    logged = run.config("train")
    if not logged:
        raise TrackingError(f"run {run.run_id} ended before it logged anything; start a new one")
    if "${" in str(logged):
        raise TrackingError(
            f"run {run.run_id}: config/train.yaml has an interpolation, ${{…}}, which is not resolved for safety"
        )
    # Keys that the run's version did not know yet have today's defaults.
    try:
        merged = OmegaConf.merge(OmegaConf.structured(config), logged)
        made_with = cast(TrainConfig, OmegaConf.to_object(merged))
    except OmegaConfBaseException as error:
        raise TrackingError(
            f"run {run.run_id}: config/train.yaml cannot be used: {str(error).splitlines()[0]}"
        ) from error
    ranges.check(made_with)
    trainer, model = made_with.trainer, replace(made_with.model, trust_pickle=config.model.trust_pickle)
    if "threads" not in (logged.get("trainer") or {}):  # logged by a version that trained on one thread
        trainer = replace(trainer, threads=1)
    return replace(
        made_with,
        trainer=trainer,
        model=model,
        resume=True,
        run_id=run.run_id,
        lang=config.lang,
        tracking=config.tracking,
    )


def refuse_other_data(run: Run, data: LabeledTexts) -> None:
    """Raise TrackingError if the texts are no longer those that the run was trained on."""
    if data.samples.digest != run.dataset_digest():
        raise TrackingError(
            f"run {run.run_id}: {data.samples.path} is no longer what the run was trained on "
            f"(digest {data.samples.digest})"
        )


def resume_point(run: Run) -> ResumePoint:
    """Return the point from which a run goes on: its last committed observation, or its beginning."""
    committed = run.committed()
    if not committed:
        return ResumePoint()
    checkpoint, slot = checkpoints.load(run.artifacts.find, max(committed))
    say("resuming after observation {number}", number=checkpoint.number)
    return ResumePoint(checkpoint, slot + 1, committed)
