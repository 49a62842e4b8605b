"""Find the run to resume, its config, and the point from which it goes on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf.errors import OmegaConfBaseException

from datamap.config import TrainConfig, filled
from datamap.errors import ConfigError, TrackingError
from datamap.log import say
from datamap.processes import Processes
from datamap.tracking import spool
from datamap.tracking.store import Store
from datamap.training.preparation import ResumePoint
from datamap.translations import Amount


def find(config: TrainConfig, processes: Processes) -> tuple[TrainConfig, ResumePoint]:
    """Return the config of the run to resume, and the point from which it goes on.

    The first process sends the run's spooled observations before.

    Raises:
        ConfigError: `run_id` is missing.
        TrackingError: there is no such run, it has finished, or its config is missing or invalid.
    """
    if not config.run_id:
        raise ConfigError("resume=true needs run_id=<id>")
    store = Store(config.tracking.uri, config.tracking.experiment)
    run = store.run(config.run_id)
    if processes.first:
        folder = Path(config.tracking.spool, run.run_id)
        sent = spool.deliver_left(run, folder)
        if sent:
            say("{uploads} of {folder} sent", uploads=Amount(sent, "upload"), folder=folder)
    processes.gather(None)  # the other processes must read the committed observations only after this upload
    run = store.run(run.run_id)
    if run.status == "FINISHED":
        raise TrackingError(f"run {run.run_id} has already finished; nothing to resume")
    run.speak(config.lang)
    trained_on = run.dataset()
    start = ResumePoint(run, trained_on.digest if trained_on else None, run.committed())
    return _made_with(config, run.config("train"), run.run_id), start


def _made_with(config: TrainConfig, logged: dict[str, Any], run_id: str) -> TrainConfig:
    """Return the config that a run was made with, `logged`.

    The store, the run, the language and the trust in pickles are those of the given config, because the user decides
    them at each start.
    """
    if not logged:
        raise TrackingError(f"run {run_id} ended before it logged anything; start a new one")
    if "${" in str(logged):
        raise TrackingError(
            f"run {run_id}: config/train.yaml has an interpolation, ${{…}}, which is not resolved for safety"
        )
    # Keys that the run's version did not know yet have today's defaults.
    try:
        made_with: TrainConfig = filled(config, logged)
    except OmegaConfBaseException as error:
        raise TrackingError(
            f"run {run_id}: config/train.yaml cannot be used: {str(error).splitlines()[0]}"
        ) from error
    trainer, model = made_with.trainer, replace(made_with.model, trust_pickle=config.model.trust_pickle)
    if "threads" not in (logged.get("trainer") or {}):  # logged by a version that trained on one thread
        trainer = replace(trainer, threads=1)
    data = made_with.data
    if "seed" not in (logged.get("data") or {}):  # logged by a version that drew samples by the one seed
        data = replace(data, seed=made_with.seed)
    return replace(
        made_with,
        data=data,
        trainer=trainer,
        model=model,
        resume=True,
        run_id=run_id,
        lang=config.lang,
        tracking=config.tracking,
    )
