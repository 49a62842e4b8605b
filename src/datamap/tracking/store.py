"""Make and find runs in an MLflow tracking store."""

import contextlib
import getpass
import os
import random
import socket
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import mlflow
import requests.utils
from filelock import FileLock
from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_MAX_RETRIES
from mlflow.exceptions import MlflowException
from mlflow.tracking import fluent

from datamap import schema
from datamap.errors import ConfigError, RunLostError, TrackingError, reason, shortened
from datamap.log import say
from datamap.program import in_project, invocation
from datamap.tracking import addresses
from datamap.tracking.client import Client, ask
from datamap.tracking.failures import retrying, translated_errors, uninterrupted
from datamap.tracking.run import LANG_TAG, NAME_TAG, NOTE_TAG, PARENT_TAG, RUNS_SCHEME, Run
from datamap.translations import spoken

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
MADE_TAG = "mlflow.datamap.made"  # identifies the run that one request made
OPENING_TIMEOUT = 2  # seconds for which connecting to a server is repeated
CONNECTING_TIMEOUT = 20  # seconds that one attempt may take
PAGE = 100  # runs in one page of a search
EXPERIMENT = "datamap"  # the default if neither the config nor MLflow's environment names one


class Store:
    """Open an MLflow tracking store, and the experiment that commands work in.

    Args:
        uri: address of the store; None = where MLflow looks.
        experiment: name of the experiment; None = that of MLflow's environment, else `datamap`.
        create: make a local store that does not exist yet; only commands that make runs may do that.

    Raises:
        ConfigError: the address is not a text.
        TrackingError: the store does not exist, is unreachable, or is not a tracking store.
    """

    def __init__(self, uri: str | None = None, experiment: str | None = None, create: bool = False) -> None:
        if not isinstance(uri, str | None):
            raise ConfigError(f"tracking_uri={shortened(uri)}: give a text, such as sqlite:///mlflow.db")
        self.uri = uri or mlflow.get_tracking_uri()
        if "\0" in self.uri:
            raise ConfigError(f"tracking_uri={shortened(self.uri)} has a NUL character, which no address has")
        self._experiment = experiment
        _refuse_unusable(self.uri, create)
        with (
            _alone(self.uri) if create else contextlib.nullcontext(),
            uninterrupted(),  # MLflow cannot open a store that has half of its tables
            translated_errors(f"tracking store {self.uri} cannot be opened"),
        ):
            self.client = Client(self.uri)

    def experiment(self) -> Any:
        """Return MLflow's entity of the experiment; None if it does not exist yet.

        Raises:
            TrackingError: it was deleted.
        """
        number = None if self._experiment else self._experiment_id()
        with translated_errors(f"experiment {number or repr(self.experiment_name)} in {self.uri}"):
            found: Any
            if number:
                found = self.client.get_experiment(number)
            else:
                found = self.client.get_experiment_by_name(self.experiment_name)
        if found and found.lifecycle_stage == "deleted":
            raise TrackingError(
                f"experiment {found.name!r} was deleted; restore it with: mlflow experiments restore "
                f"--experiment-id {found.experiment_id}, or set tracking.experiment="
            )
        return found

    def _experiment_id(self) -> str | None:
        """Return the id that the environment names; that of `mlflow.set_experiment` is of MLflow's own store."""
        number = os.environ.get("MLFLOW_EXPERIMENT_ID")
        theirs = number == fluent._active_experiment_id and self.uri != mlflow.get_tracking_uri()
        return None if theirs else number

    @property
    def experiment_name(self) -> str:
        """Return the experiment's name: the config's, else the environment's, else `datamap`."""
        return self._experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT

    @property
    def address(self) -> str:
        """Return the address of the experiment's runs for a browser, or of all experiments if it does not exist yet."""
        experiment = self.experiment()
        page = addresses.runs_page(experiment.experiment_id) if experiment else "#/experiments"
        return addresses.address(self.uri, page)

    # ------------------------------------------------------------------ making runs

    @contextlib.contextmanager
    def new_run(self, name: str | None = None, tags: Mapping[str, str] | None = None) -> Iterator[Run]:
        """Yield a new run, or the one that `mlflow run` made for this process (MLFLOW_RUN_ID), and end it.

        The run stores the language of this process's lines, if one was chosen. It ends as FINISHED, as KILLED after
        Ctrl-C or SIGTERM, or as FAILED after any other error.

        Args:
            name: name of the run; None = MLflow chooses one.
            tags: {name: value} of the run.

        Raises:
            TrackingError: the run to adopt holds signals already, or the store is unreachable.
        """
        if spoken():
            tags = {**(tags or {}), LANG_TAG: spoken() or ""}
        with contextlib.ExitStack() as stack:
            with uninterrupted():  # an interrupt between making and entering would leave the run RUNNING
                adopted = project_run_id()
                made = self._adopted(adopted, name, tags) if adopted else self._new(name, tags or {})
                run = stack.enter_context(made.until_end())
            yield run

    def _adopted(self, run_id, name, tags):
        run = Run(self.client, run_id)
        in_project(run.tags())
        if run.committed():
            raise TrackingError(
                f"run {run_id} (from MLFLOW_RUN_ID) already holds signals; unset MLFLOW_RUN_ID to start a new run"
            )
        run.set_name_and_tags(name, tags)
        with translated_errors("the experiment cannot be found"):
            self._tag(self.client.get_experiment(run.info.experiment_id))
        return run

    def _new(self, name, tags):
        with translated_errors("a new run cannot be made"):
            experiment = self.experiment() or self.client.get_experiment(self._new_experiment())
        self._tag(experiment)
        return Run(self.client, self._made_once(experiment.experiment_id, name, tags))

    def _made_once(self, experiment, name, tags):
        """Make a run, and return it; if a server's answer is lost, find the run by its tag instead of repeating."""
        mark, attempts = uuid.uuid4().hex, 0

        def make():
            nonlocal attempts
            made = self._marked(experiment, mark) if attempts else []
            attempts += 1
            return made[0] if made else self._made(experiment, name, {**tags, MADE_TAG: mark})

        remote = addresses.is_server(self.uri)
        kept = ask(remote, make)
        # A request that was repeated, by us or by MLflow, may have arrived twice.
        repeated = remote and (attempts > 1 or MLFLOW_HTTP_REQUEST_MAX_RETRIES.get())
        for other in self._marked(experiment, mark) if repeated else ():
            if other.info.run_id != kept.info.run_id:
                where = f"run {other.info.run_id} cannot be deleted"
                with contextlib.suppress(RunLostError), translated_errors(where):
                    self.client.delete_run(other.info.run_id)
        return kept

    def _made(self, experiment, name, tags):
        with translated_errors("a new run cannot be made"), _random_state_kept():
            return self.client.create_run(experiment, tags=_with_source(tags), run_name=name)

    def _marked(self, experiment, mark):
        with translated_errors("a new run cannot be found"):
            return list(self._found([experiment], f"tags.`{MADE_TAG}` = '{mark}'", "ASC"))

    def _new_experiment(self):
        """Make the experiment and return its id; another process may make it at the same moment."""
        try:
            return self.client.create_experiment(self.experiment_name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return self.experiment().experiment_id  # another process made it

    def _tag(self, experiment):
        """Set the kind of an experiment; without one the UI opens its view for LLM traces."""
        if "mlflow.experimentKind" not in experiment.tags:
            with translated_errors("the experiment cannot be tagged"):
                self.client.set_experiment_tag(
                    experiment.experiment_id, "mlflow.experimentKind", "custom_model_development"
                )

    # ------------------------------------------------------------------ finding runs

    def run(self, run_id: str) -> Run:
        """Return the run of an id, or for "latest" the newest run of the experiment with signals.

        Raises:
            TrackingError: there is no such run.
        """
        return Run(self.client, self._latest() if run_id == "latest" else run_id)

    def search(self, filter: str) -> list[Run]:
        """Return the experiment's runs with signals that match an MLflow search filter, oldest first."""
        experiment = self.experiment()
        if experiment is None:
            return []
        with translated_errors(f"runs={filter}"):
            found = self._found([experiment.experiment_id], filter, "ASC")
            return [Run(self.client, run) for run in found if schema.COMMIT_METRIC in run.data.metrics]

    def _found(self, experiments, filter, order):
        """Yield all runs that match a filter, page by page, ordered by their start ("ASC" or "DESC")."""
        token = None
        while True:
            page = self.client.search_runs(
                experiments, filter, order_by=[f"attributes.start_time {order}"], max_results=PAGE, page_token=token
            )  # fmt: skip
            yield from page
            token = page.token
            if not token:
                return

    def _latest(self):
        """Return the id of the experiment's newest run with signals, and say so if another one has a newer run.

        Callbacks record into the run of the user's own code, which may be of any experiment.
        """
        experiment = self.experiment()
        signals = f"metrics.`{schema.COMMIT_METRIC}` > 0"
        with translated_errors("experiments"):
            names = {e.experiment_id: e.name for e in self.client.search_experiments()}
            newest = next(self._found(list(names), signals, "DESC"), None) if names else None
        if experiment and newest:
            with translated_errors(f"runs of experiment {experiment.name}"):
                found = next(self._found([experiment.experiment_id], signals, "DESC"), None)
            if found:
                if newest.info.start_time > found.info.start_time:
                    say(
                        "note: latest is the newest run of experiment {experiment}; {other} has a newer one: {run}",
                        experiment=repr(experiment.name),
                        other=repr(names[newest.info.experiment_id]),
                        run=newest.info.run_id,
                    )
                return found.info.run_id
        hint = (
            f"; the newest elsewhere is {newest.info.run_id} in {names[newest.info.experiment_id]!r}"
            if newest
            else f"; train first: {invocation('train')}"
        )
        name = experiment.name if experiment else self.experiment_name
        raise TrackingError(f"latest: experiment {name!r} of {self.uri} has no run with signals{hint}")

    def newest_with(self, artifact: str) -> Run:
        """Return the newest run of the experiment that has an artifact at this path."""
        experiment = self.experiment()
        with translated_errors(f"runs with {artifact}"):
            for found in self._found([experiment.experiment_id], "", "DESC") if experiment else ():
                run = Run(self.client, found.info.run_id)
                if run.has(artifact):
                    return run
        raise TrackingError(
            f"{RUNS_SCHEME}latest/{artifact}: no run of {self.experiment_name!r} has it; "
            f"name one: {RUNS_SCHEME}<run id>/{artifact}"
        )

    def nest_project_run(self, run: Run, step: str) -> None:
        """Nest the run that `mlflow run` made for a command under the run that the command works on."""
        project_run = project_run_id()
        if project_run and project_run != run.run_id:
            made = Run(self.client, project_run)
            in_project(made.tags())
            made.set_tags(
                {
                    PARENT_TAG: run.run_id,
                    NAME_TAG: f"{step} of {run.info.run_name}",
                    NOTE_TAG: f"Made by `mlflow run`; its result is in run {run.run_id}.",
                }
            )


@contextlib.contextmanager
def _random_state_kept() -> Iterator[None]:
    """Leave the user's random numbers as they are: MLflow draws the name of a run from them.

    The name is drawn from other numbers, so that two runs of one seed have different names.
    """
    state = random.getstate()
    random.seed()
    try:
        yield
    finally:
        random.setstate(state)


def resolved(given: Any, uri: str | None = None, experiment: str | None = None) -> Any:
    """Return the value of a key that may be a path.

    In `runs:/latest/<artifact>`, replace `latest` by the id of the newest run with the artifact.
    """
    latest = f"{RUNS_SCHEME}latest/"
    if not isinstance(given, str) or not given.startswith(latest):
        return given
    artifact = given.removeprefix(latest)
    return f"{RUNS_SCHEME}{Store(uri, experiment).newest_with(artifact).run_id}/{artifact}"


@contextlib.contextmanager
def opened(path: str | Path, uri: str | None = None, given: str = "") -> Iterator[Path]:
    """Yield the local file of a path, which may name an artifact: `runs:/<run id>/<artifact path>`.

    Args:
        path: the path.
        uri: the store to look in; None = where MLflow looks.
        given: the option that names the path, such as `ids=chosen.txt`, which must be a regular file then.

    Raises:
        TrackingError: there is no such run, or it has no such artifact.
        ConfigError: a file that an option names is not a regular one.
    """
    with contextlib.ExitStack() as stack:
        file = Path(path)
        if str(path).startswith(RUNS_SCHEME):
            run_id, _, artifact = str(path).removeprefix(RUNS_SCHEME).strip("/").partition("/")
            run = Store(uri).run(run_id)
            if not artifact or not run.has(artifact):
                raise TrackingError(
                    f"{path}: run {run_id} has no such artifact; an artifact is {RUNS_SCHEME}<run id>/<path>"
                )
            file = stack.enter_context(run.artifacts.local(artifact))
        if given and not file.is_file():
            problem = "not a regular file" if file.exists() else f"no such file (looked in {Path.cwd()})"
            raise ConfigError(f"{given}: {problem}")
        yield file


def configured_uri() -> str:
    """Return the address of the default store: the environment's, else this folder's."""
    return mlflow.get_tracking_uri()


def active_run_id(uri: str | None = None) -> str | None:
    """Return the id of the run that the user's own code has started (`mlflow.start_run`) in MLflow's store, or None.

    Args:
        uri: the store to look in; None = where MLflow looks.
    """
    run = mlflow.active_run() if uri in (None, mlflow.get_tracking_uri()) else None
    return run.info.run_id if run else None


def project_run_id() -> str | None:
    """Return the id of the run that `mlflow run` made for this process (MLFLOW_RUN_ID), or None."""
    return os.environ.get("MLFLOW_RUN_ID")


@contextlib.contextmanager
def _alone(uri):
    """Lock a store that may have to be made, because two processes at once would make MLflow's tables twice.

    The lock of a SQLite file is next to it, any other lock in the folder of temporary files. If no lock can be made,
    continue without one.
    """
    file = _sqlite_file(uri)
    folder = file.parent if file else Path(tempfile.gettempdir())
    lock = folder / f"{file.name if file else 'datamap-store'}.lock"
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.enter_context(FileLock(lock))
            stack.callback(lock.unlink, missing_ok=True)
        yield


def _sqlite_file(uri):
    """Return the file of a SQLite store; None for any other store, and for one in memory."""
    if urlparse(uri).scheme.partition("+")[0] != "sqlite":
        return None
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    with contextlib.suppress(ArgumentError):
        name = make_url(uri).database
        return Path(urlparse(name).path if name.startswith("file:") else name) if name else None
    return None


def _with_source(tags):
    """Add MLflow's tags of user and source; a user id without a name, as in containers, gets one."""
    from mlflow.tracking.context.registry import resolve_tags

    with contextlib.ExitStack() as stack:
        try:
            getpass.getuser()
        except (KeyError, OSError, ImportError):  # OSError from Python 3.13 on; ImportError on Windows before
            # MLflow reads it, too.
            os.environ["LOGNAME"] = f"uid{os.getuid()}" if hasattr(os, "getuid") else "unknown"
            stack.callback(os.environ.pop, "LOGNAME", None)
        return resolve_tags(tags)


def _refuse_unusable(uri, create):
    """Check quickly that the store can be reached, because MLflow itself would retry silently for minutes.

    Raises:
        TrackingError: the store does not exist, is unreachable, or is not a tracking store.
    """
    scheme = urlparse(uri).scheme
    if scheme in ("http", "https"):
        _connect_to_server(uri)
    elif not create and (file := _sqlite_file(uri)) and not file.exists():
        raise TrackingError(
            f"there is no MLflow store at {uri}; run this where training ran, or set tracking.uri= "
            "(in Python tracking_uri=)"
        )
    elif scheme.partition("+")[0] in DATABASES:
        _ask_database(uri, create)


def _connect_to_server(uri):
    """Connect and send nothing: a request would take time, and the first one of a command says the rest."""
    if requests.utils.get_environ_proxies(uri):  # the proxy connects
        return

    def connect():
        server = urlparse(uri)
        port = server.port or (443 if server.scheme == "https" else 80)
        with translated_errors("connection"):
            socket.create_connection((server.hostname or "", port), CONNECTING_TIMEOUT).close()

    try:
        retrying(connect, OPENING_TIMEOUT)
    except (TrackingError, ValueError) as error:
        cause = error.__cause__ or error
        raise TrackingError(
            f"MLflow server {uri} does not answer ({getattr(cause, 'strerror', None) or reason(cause)}); "
            "check that it is running, and check tracking.uri"
        ) from error


def _ask_database(uri, create):
    """Connect to a database as MLflow does, but once, and read; make a SQLite file if `create` allows it."""
    import sqlalchemy
    from mlflow.store.db.utils import create_sqlalchemy_engine

    with translated_errors(f"tracking store {uri} cannot be used"):
        if create and (file := _sqlite_file(uri)):
            file.parent.mkdir(parents=True, exist_ok=True)
        engine = create_sqlalchemy_engine(uri)
        try:
            with engine.connect() as connection:
                sqlalchemy.inspect(connection).get_table_names()
        finally:
            engine.dispose()
