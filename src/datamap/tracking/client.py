"""Request from a tracking store, check a server's answers, and repeat requests whose answer is lost or not its own."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from datamap.tracking import addresses
from datamap.tracking.failures import retrying, uninterrupted

Answer = TypeVar("Answer")

ANSWER_TIMEOUT = 10  # seconds for which a request to a server is repeated
EMPTY_ANSWERS = 3  # equal empty answers before they count: a proxy's own answer looks empty, too
OUR_TAGS = "mlflow.datamap."
FITS: dict[str, Callable[..., bool]] = {
    "get_run": lambda run, run_id: run.info.run_id == run_id,
    "get_experiment": lambda experiment, number: experiment.experiment_id == number,
    "get_experiment_by_name": lambda experiment, name: experiment is None or experiment.name == name,
    "create_experiment": lambda number, name: bool(number),
    "search_runs": lambda runs, numbers, *rest, **options: all(
        run.info.run_id and run.info.experiment_id in numbers for run in runs
    ),
    "create_run": lambda run, number, **rest: run.info.experiment_id == number and bool(run.info.run_id),
}
LISTS = ("search_runs", "search_experiments", "get_metric_history")
ONCE = ("create_run",)  # never repeated, as a second request makes a second run


def ask(remote: bool, call: Callable[[], Answer]) -> Answer:
    """Return the result of `call`; repeat a call to a remote store for up to `ANSWER_TIMEOUT` seconds.

    A call to a database is not interrupted: its connection would keep its lock, and the run could not be ended.
    """
    if remote:
        return retrying(call, ANSWER_TIMEOUT)
    with uninterrupted():
        return call()


def ask_for_all(remote: bool, call: Callable[[], Answer]) -> Answer:
    """Return a list as `ask` does; an empty one from a remote store counts only after `EMPTY_ANSWERS` calls."""
    for _ in range(EMPTY_ANSWERS if remote else 1):
        found = ask(remote, call)
        if found:
            break
    return found


class Client:
    """Wrap MLflow's client for one store, independent of MLflow's global tracking URI.

    A proxy before a server may cut connections, delay requests or answer them itself. So repeat a read until the answer
    is about what was requested, and a write until the store has what was written; writing twice does no harm.
    """

    def __init__(self, uri: str) -> None:
        self.tracking_uri = uri
        self._client = MlflowClient(uri)
        self._remote = addresses.is_server(uri)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return partial(self._ask, name)

    def _ask(self, name, *arguments, **options):
        def call():
            answer = getattr(self._client, name)(*arguments, **options)
            if self._remote and name in FITS and not FITS[name](answer, *arguments, **options):
                raise MlflowException(
                    f"{self.tracking_uri} returned an answer to another request; check any proxy before it"
                )
            return answer

        asked = ask_for_all if name in LISTS else ask
        return asked(self._remote and name not in ONCE, call)

    def log_batch(
        self, run_id: str, metrics: Sequence[Metric] = (), params: Sequence[Param] = (), tags: Sequence[RunTag] = (),
        certain: bool = True,
    ) -> None:  # fmt: skip
        """Log metrics, params and tags together, and read them back, unless `certain` is false."""
        ours = {tag.key: tag.value for tag in tags if tag.key.startswith(OUR_TAGS)}

        def kept():
            if not certain or not (metrics or ours):
                return True
            data = self._client.get_run(run_id).data
            return ours.items() <= data.tags.items() and all(
                self._has_metric(run_id, data, metric) for metric in metrics[-1:]
            )

        self._write(partial(self._client.log_batch, run_id, metrics, params, tags), kept)

    def _has_metric(self, run_id, data, metric):
        """Tell whether a run has a metric; only of one that is not the newest of its name is the history needed."""

        def among(entries):
            return any(
                (e.key, e.step, e.timestamp) == (metric.key, metric.step, metric.timestamp) for e in entries
            )

        return among(data._metric_objs) or (
            metric.key in data.metrics and among(self._client.get_metric_history(run_id, metric.key))
        )

    def set_status(self, run_id: str, status: str) -> None:
        """Set a run's status; any status but RUNNING ends the run."""
        change = self._client.update_run if status == "RUNNING" else self._client.set_terminated
        self._write(
            partial(change, run_id, status), lambda: self._client.get_run(run_id).info.status == status
        )

    def _write(self, write, kept):
        def written():
            write()
            if self._remote and not kept():
                raise MlflowException(
                    f"{self.tracking_uri} confirmed a write that it did not store; check the server"
                )

        ask(self._remote, written)
