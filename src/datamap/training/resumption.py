"""Find the run to resume, its config, and the point from which it continues."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from datamap.config import TrainConfig, resumed
from datamap.errors import ConfigError, TrackingError
from datamap.log import say
from datamap.processes import Processes
from datamap.tracking import spool
from datamap.tracking.run import Run
from datamap.tracking.store import Store
from datamap.translations import Amount


@dataclass(frozen=True)
class ResumePoint:
    """Describe the point from which a run goes on, by default its beginning.

    Attributes:
        run: run that goes on; None = a new one.
        digest: digest of the samples that it was trained on.
        committed: {number: rows} of the observations that the run has.
    """

    run: Run | None = None
    digest: str | None = None
    committed: Mapping[int, int | None] = field(default_factory=dict)


def find(config: TrainConfig, processes: Processes) -> tuple[TrainConfig, ResumePoint]:
    """Return the config of the run to resume, and the point from which it continues.

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
    trained_on = run.dataset()
    start = ResumePoint(run, trained_on.digest if trained_on else None, run.committed())
    config = resumed(config, run.config("train"), run.run_id)
    run.speak(config.lang)
    return config, start
