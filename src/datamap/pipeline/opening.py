"""Open the run that a step works on."""

from datamap.config import RunConfig
from datamap.tracking.run import Run
from datamap.tracking.store import Store


def open_run(config: RunConfig, step: str) -> Run:
    """Return the run that a step works on, and speak its language; the run that `mlflow run` made is nested below it.

    Raises:
        TrackingError: there is no such store or run.
    """
    store = Store(config.tracking.uri, config.tracking.experiment)
    run = store.run(config.run_id)
    run.speak(config.lang)
    store.nest_project_run(run, step)
    return run
