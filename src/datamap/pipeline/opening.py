"""Open the run that a step works on."""

from datamap.config import RunConfig
from datamap.log import telling
from datamap.tracking.run import Run
from datamap.tracking.store import Store


def open_run(config: RunConfig, step: str) -> Run:
    """Return the run that a step works on, and speak its language; the run that `mlflow run` made is nested below it.

    Raises:
        TrackingError: there is no such store or run.
    """
    store = Store(config.tracking.uri, config.tracking.experiment)
    with telling("reading run {run}; its server takes its time", run=config.run_id):
        run = store.run(config.run_id)
    run.read_once()
    run.speak(config.lang)
    store.nest_project_run(run, step)
    return run
