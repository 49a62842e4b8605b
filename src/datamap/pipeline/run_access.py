"""Open the run that a step works on, and look up what its task is."""

import contextlib
from collections.abc import Iterator, Mapping

from datamap import schema
from datamap.config import RunConfig, StepConfig
from datamap.errors import TrackingError
from datamap.log import reporting
from datamap.program import invocation
from datamap.tasks.definitions import DEFINITIONS
from datamap.tasks.task import Definition
from datamap.tracking.addresses import is_server
from datamap.tracking.run import Run
from datamap.tracking.store import Store, configured_uri
from datamap.translations import speak


@contextlib.contextmanager
def reading_store(config: StepConfig) -> Iterator[Store]:
    """Yield the store from which the block reads runs, and report that it waits for a server.

    The language is not yet that of the run, so nothing is said of a store on this machine, which answers soon.
    """
    uri = config.tracking.uri or configured_uri()
    speak(config.lang)
    with reporting("reading from {uri}", True, uri=uri) if is_server(uri) else contextlib.nullcontext():
        yield Store(uri, config.tracking.experiment)


def open_store_and_run(config: RunConfig) -> tuple[Store, Run]:
    """Return the store and the run that a step works on, and speak the run's language.

    Raises:
        TrackingError: there is no such store or run.
    """
    with reading_store(config) as store:
        run = store.run(config.run_id)
    run.read_once()
    run.speak(config.lang)
    return store, run


def definition_of(run: Run) -> Definition:
    """Return the definition of a run's task: whether it has classes, and what a row of its summary is (`row`)."""
    return DEFINITIONS[run.task().task]


def open_run(config: RunConfig, step: str) -> Run:
    """Return the run that a step works on, after nesting the run that `mlflow run` made below it."""
    store, run = open_store_and_run(config)
    store.nest_project_run(run, step)
    return run


def committed_signals(run: Run) -> Mapping[int, int | None]:
    """Return {number: rows} of a run's committed observations.

    Raises:
        TrackingError: it has none.
    """
    committed = run.committed()
    if not committed:
        source = run.tags().get(schema.CURATED_FROM_TAG)
        what_to_do = (
            f"it holds samples of another run: run_id={source}"
            if source
            else f"train first: {invocation('train')}"
        )
        raise TrackingError(f"run {run.run_id} has no signals; {what_to_do}")
    return committed


@contextlib.contextmanager
def logged_together(run: Run) -> Iterator[None]:
    """Log what the block logs into a new run together, at its end."""
    run.read_once()
    with run.together():
        yield
