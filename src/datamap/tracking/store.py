"""Every MLflow call of the product: runs found or made, artifacts written and read."""

import contextlib
import getpass
import hashlib
import json
import logging
import os
import tempfile
import uuid
import warnings
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlparse

os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # MLflow's 7 take four minutes, without a word

import mlflow
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Dataset, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.time import get_current_time_millis

from datamap import schema
from datamap.errors import RunLostError, TrackingError, first_few
from datamap.program import invocation

# Of "Creating initial tables…", and of tracebacks for what is raised anyway (a full disk).
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)

EXPERIMENT = "datamap"  # where neither the config nor MLflow's environment names one
REFUSALS = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "INVALID_STATE", "PERMISSION_DENIED")
CLAIM_TAG = "mlflow.datamap.writer"  # the UI hides tags of this prefix
PARENT_TAG = "mlflow.parentRunId"
NAME_TAG = "mlflow.runName"
NOTE_TAG = "mlflow.note.content"
RUNS_SCHEME = "runs:/"  # MLflow's address of an artifact
OUR_NOTE_TAG = "mlflow.datamap.note"  # digest of what we wrote there last; the UI hides tags of this prefix


@contextlib.contextmanager
def answers(what):
    """Turn what MLflow raises when it refuses `what` into a TrackingError."""
    try:
        yield
    except (MlflowException, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        kind = RunLostError if getattr(error, "error_code", None) in REFUSALS else TrackingError
        raise kind(f"{what}: {reason}") from error


class Store:
    """An MLflow tracking store and the experiment that steps work in."""

    def __init__(self, uri=None, experiment=None, create=False):
        """`create` allows a local store that is not there yet; only training may do that."""
        if uri:
            mlflow.set_tracking_uri(uri)
        self.uri = mlflow.get_tracking_uri()
        self._experiment = experiment
        _refuse_absent(self.uri, create)
        with (
            _alone(self.uri) if create else contextlib.nullcontext(),
            answers(f"tracking store {self.uri} cannot be opened"),
        ):
            self.client = MlflowClient(self.uri)

    def experiment(self):
        """The experiment's entity; None when there is none by that name yet."""
        with answers(f"experiment {self._experiment or ''} in {self.uri}"):
            number = os.environ.get("MLFLOW_EXPERIMENT_ID")
            if number and not self._experiment:
                return self.client.get_experiment(number)
            return self.client.get_experiment_by_name(self.experiment_name)

    @property
    def experiment_name(self):
        return self._experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT

    def start_run(self, name=None, tags=None):
        """A new run, or the one that MLFLOW_RUN_ID names (`mlflow run` made it for us).

        Raises:
            TrackingError: the run to adopt already holds signals.
        """
        adopted = os.environ.get("MLFLOW_RUN_ID")
        if adopted:
            run = Run(self, adopted)
            if run.committed():
                raise TrackingError(
                    f"run {adopted} (from MLFLOW_RUN_ID) already holds signals; unset MLFLOW_RUN_ID to start a new run"
                )
            run.set_tags({**(tags or {}), **({NAME_TAG: name} if name else {})})
        else:
            with answers("a new run cannot be made"):
                experiment = self.experiment()
                number = experiment.experiment_id if experiment else self._new_experiment()
                from mlflow.tracking.context.registry import resolve_tags

                made = self.client.create_run(number, tags=resolve_tags(tags), run_name=name)
            run = Run(self, made.info.run_id)
        with answers("the experiment cannot be tagged"):
            # Without a kind the UI opens a new experiment in its view for LLM traces.
            experiment = self.client.get_experiment(run.info.experiment_id)
            if "mlflow.experimentKind" not in experiment.tags:
                self.client.set_experiment_tag(
                    experiment.experiment_id, "mlflow.experimentKind", "custom_model_development"
                )
        return run

    def _new_experiment(self):
        """Id of the experiment, which there was none of a moment ago."""
        try:
            return self.client.create_experiment(self.experiment_name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return self.experiment().experiment_id  # another first training's

    def run(self, run_id):
        """The run by its id, or the newest one with signals for `latest`."""
        if run_id == "latest":
            return Run(self, self._latest())
        return Run(self, run_id)

    def search(self, filter):
        """The experiment's runs with signals that an MLflow search filter finds, oldest first."""
        experiment = self.experiment()
        if experiment is None:
            return []
        with answers(f"runs={filter}"):
            found = self.client.search_runs(
                [experiment.experiment_id], filter, order_by=["attributes.start_time ASC"], max_results=100
            )
        return [Run(self, run.info.run_id) for run in found if schema.COMMIT_METRIC in run.data.metrics]

    def _latest(self):
        experiment = self.experiment()
        if experiment:
            with answers(f"runs of experiment {experiment.name}"):
                found = self._with_signals([experiment.experiment_id])
            if found:
                return found[0].info.run_id
        with answers("experiments"):
            others = {e.experiment_id: e.name for e in self.client.search_experiments()}
            found = self._with_signals(list(others))
        elsewhere = [f"{run.info.run_id} in {others[run.info.experiment_id]!r}" for run in found]
        hint = (
            f"; the newest elsewhere is run_id={elsewhere[0]}"
            if elsewhere
            else f"; train first: {invocation('train')}"
        )
        name = experiment.name if experiment else self.experiment_name
        raise TrackingError(f"run_id=latest: experiment {name!r} of {self.uri} has no run with signals{hint}")

    def _with_signals(self, experiments):
        return self.client.search_runs(
            experiments,
            f"metrics.`{schema.COMMIT_METRIC}` > 0",
            order_by=["attributes.start_time DESC"],
            max_results=1,
        )

    def newest_with(self, artifact):
        """The newest run of the experiment that has an artifact at this path; looks at 100 runs."""
        experiment = self.experiment()
        with answers(f"runs with {artifact}"):
            found = experiment and self.client.search_runs(
                [experiment.experiment_id], order_by=["attributes.start_time DESC"], max_results=100
            )
        for run in found or ():
            run = Run(self, run.info.run_id)
            if run.has(artifact):
                return run
        raise TrackingError(
            f"{RUNS_SCHEME}latest/{artifact}: none of the newest 100 runs of {self.experiment_name!r} has it; "
            f"name one: {RUNS_SCHEME}<run id>/{artifact}"
        )

    def adopt_helper(self, run, step):
        """Nest the run that `mlflow run` made for a step under the run that the step works on."""
        helper = os.environ.get("MLFLOW_RUN_ID")
        if helper and helper != run.run_id:
            helper_run = Run(self, helper)
            helper_run.set_tags(
                {
                    PARENT_TAG: run.run_id,
                    NAME_TAG: f"{step} of {run.info.run_name}",
                    NOTE_TAG: f"Made by `mlflow run`; its result is in run {run.run_id}.",
                }
            )


def resolved(path, uri=None, experiment=None):
    """`path`; where it is `runs:/latest/<artifact>`, with the id of the newest run that has the artifact."""
    latest = f"{RUNS_SCHEME}latest/"
    if not str(path).startswith(latest):
        return path
    artifact = path.removeprefix(latest)
    return f"{RUNS_SCHEME}{Store(uri, experiment).newest_with(artifact).run_id}/{artifact}"


@contextlib.contextmanager
def opened(path, uri=None):
    """The local file of `path`, which may be an artifact: `runs:/<run id>/<artifact path>`.

    Raises:
        TrackingError: there is no such run, or it has no such artifact.
    """
    if not str(path).startswith(RUNS_SCHEME):
        yield Path(path)
        return
    run_id, _, artifact = path.removeprefix(RUNS_SCHEME).strip("/").partition("/")
    run = Store(uri).run(run_id)
    if not artifact or not run.has(artifact):
        raise TrackingError(
            f"{path}: run {run_id} has no such artifact; an artifact is {RUNS_SCHEME}<run id>/<path>"
        )
    with run.artifacts.local(artifact) as file:
        yield file


def active_run_id():
    """Id of the run that the user's own code works in (`mlflow.start_run`), or None."""
    run = mlflow.active_run()
    return run and run.info.run_id


def _alone(uri):
    """Held while a store may have to be made: two first trainings at once would make MLflow's tables twice."""
    name = hashlib.sha256(f"{getpass.getuser()} {uri}".encode()).hexdigest()[:16]
    return FileLock(Path(tempfile.gettempdir(), f"datamap-{name}.lock"))


def _refuse_absent(uri, create):
    parsed = urlparse(uri)
    if parsed.scheme in ("http", "https"):
        _refuse_unreachable(uri)
    elif parsed.scheme == "sqlite" and not create:
        path = Path(uri.removeprefix("sqlite:///"))
        if not path.exists():
            raise TrackingError(
                f"there is no MLflow store at {uri}; run this where training ran, or say tracking.uri="
            )


def _refuse_unreachable(uri):
    """Ask once, quickly: MLflow itself would retry a dead server for minutes without a word."""
    import requests

    try:
        requests.get(f"{uri}/health", timeout=20)
    except requests.RequestException as error:
        raise TrackingError(
            f"MLflow server {uri} does not answer ({type(error).__name__}); is it running, is tracking.uri right?"
        ) from error


class Run:
    """One MLflow run: what it holds and what is logged into it. All errors are TrackingErrors."""

    def __init__(self, store, run_id):
        self.store, self.client = store, store.client
        try:
            run = self.client.get_run(run_id)
        except MlflowException as error:
            raise TrackingError(
                f"run {run_id!r} is not in {store.uri} ({str(error).splitlines()[0]}); "
                "see the ids in the UI, or use run_id=latest"
            ) from error
        if run.info.lifecycle_stage == "deleted":
            raise TrackingError(
                f"run {run_id} was deleted; restore it with: mlflow runs restore --run-id {run_id}"
            )
        self.info, self.run_id = run.info, run.info.run_id
        self.claim = None
        self._inputs = run.inputs
        self._params = run.data.params

    @property
    def status(self):
        """RUNNING, FINISHED, KILLED or FAILED, as of when the run was looked up."""
        return self.info.status

    def dataset_digest(self):
        """Digest of the dataset that the run was trained on; None where it was not logged."""
        inputs = self._inputs.dataset_inputs if self._inputs else []
        training = [i for i in inputs if any(tag.value == "training" for tag in i.tags)]
        return training[0].dataset.digest if training else None

    @property
    def place(self):
        """Where a person finds the run: a link when there is a server, else its name and store."""
        if urlparse(self.store.uri).scheme in ("http", "https"):
            return f"{self.store.uri}/#/experiments/{self.info.experiment_id}/runs/{self.run_id}"
        return f"{self.store.uri}, run {self.info.run_name}"

    @property
    def link(self):
        """Address of the run within the UI, for descriptions of other runs."""
        return f"#/experiments/{self.info.experiment_id}/runs/{self.run_id}"

    # ------------------------------------------------------------------ what training logs

    def begin(self, owned=True):
        """Mark this process as the one that writes into the run from now on, and as running a run of ours."""
        self.claim = uuid.uuid4().hex
        if owned:
            with answers(f"run {self.run_id}"):
                self.client.update_run(self.run_id, status="RUNNING")
        self.set_tags({CLAIM_TAG: self.claim})

    def check_claim(self):
        """Raise RunLostError when another process has begun to write into this run."""
        with answers(f"run {self.run_id}"):
            run = self.client.get_run(self.run_id)
        if run.info.lifecycle_stage == "deleted":
            raise RunLostError(f"run {self.run_id} was deleted while training wrote into it")
        if run.data.tags.get(CLAIM_TAG) != self.claim:
            raise RunLostError(f"another process has begun to write into run {self.run_id}; this one stops")

    def end(self, status):
        """Set the final status: FINISHED, KILLED or FAILED."""
        with answers(f"run {self.run_id}: status"):
            self.client.set_terminated(self.run_id, status)

    def remove(self, path):
        """Delete the artifacts below `path`."""
        with answers(f"run {self.run_id}: removal of {path}"), contextlib.suppress(NotImplementedError):
            get_artifact_repository(self.info.artifact_uri).delete_artifacts(path)

    def now(self):
        """Time as metrics have it: milliseconds since 1970."""
        return get_current_time_millis()

    def set_tags(self, tags):
        with answers(f"run {self.run_id}: tags"):
            self.client.log_batch(self.run_id, tags=[RunTag(k, str(v)) for k, v in tags.items()])

    def describe(self, text):
        """Put a text of ours (Markdown) as the run's description, unless somebody wrote one of their own."""
        with answers(f"run {self.run_id}"):
            tags = self.client.get_run(self.run_id).data.tags
        if NOTE_TAG not in tags or _digest(tags[NOTE_TAG]) == tags.get(OUR_NOTE_TAG):
            self.set_tags({NOTE_TAG: text, OUR_NOTE_TAG: _digest(text)})

    def log_params(self, params):
        """Log params; those that `mlflow run` logged already under the same name stay."""
        new = [Param(key, str(value)) for key, value in params.items() if key not in self._params]
        with answers(f"run {self.run_id}: params"):
            self.client.log_batch(self.run_id, params=new)

    def log_metrics(self, metrics, step, at=None):
        """Log {name: value} at a step; `at` is the time in milliseconds, now by default."""
        now = at or self.now()
        with answers(f"run {self.run_id}: metrics"):
            self.client.log_batch(self.run_id, [Metric(k, v, now, step) for k, v in metrics.items()])

    def log_text(self, text, path):
        """Log a text as artifact `path`, UTF-8, its line ends as they are."""
        self.log_bytes(text.encode("utf-8"), path)

    def log_bytes(self, content, path):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, Path(path).name)
            file.write_bytes(content)
            self.log_file(file, path)

    def log_file(self, file, path):
        with answers(f"run {self.run_id}: artifact {path}"):
            self.client.log_artifact(self.run_id, str(file), _folder(path))

    def log_config(self, step, yaml, overrides=None):
        """Log a command's composed config, for people, and the overrides that were given, as data."""
        self.log_text(yaml, f"config/{step}.yaml")
        if overrides is not None:
            self.log_text(json.dumps(list(overrides), ensure_ascii=False), f"config/{step}.overrides.json")

    def overrides(self, step):
        """The overrides that a command was given; [] where they are not known."""
        content = self.artifacts.find(f"config/{step}.overrides.json")
        return json.loads(content) if content else []

    def log_labels(self, names):
        """Log class index → class name."""
        self.log_text(
            json.dumps(dict(enumerate(names)), ensure_ascii=False, indent=1) + "\n", schema.LABELS_FILE
        )

    def class_names(self):
        """Class names by index; () where the run has none."""
        content = self.artifacts.find(schema.LABELS_FILE)
        return tuple(json.loads(content).values()) if content else ()

    def log_dataset(self, frame, name, source, digest, context):
        """Log labelled texts as a dataset input of the run: name, digest, schema and size."""
        from mlflow.entities import DatasetInput, InputTag

        of_run = source.startswith(RUNS_SCHEME)  # MLflow knows no kind of source for its own artifacts
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about integer columns and sources of two readings
            dataset = mlflow.data.from_pandas(
                frame, source=None if of_run else source, targets="label", name=name, digest=digest
            )
            entity = dataset._to_mlflow_entity()
        if of_run:
            source = json.dumps({"uri": source})
            entity = Dataset(name, digest, "artifact", source, entity.schema, entity.profile)
        tag = InputTag("mlflow.data.context", context)
        with answers(f"run {self.run_id}: dataset"):
            self.client.log_inputs(self.run_id, [DatasetInput(entity, [tag])])

    # ------------------------------------------------------------------ what later steps read

    def metrics(self):
        """{name: latest value} of all metrics."""
        with answers(f"run {self.run_id}"):
            return self.client.get_run(self.run_id).data.metrics

    def time_of(self, metric):
        """When a metric was last logged, in milliseconds since 1970; 0 = never."""
        with answers(f"run {self.run_id}: metric {metric}"):
            history = self.client.get_metric_history(self.run_id, metric)
        return max((entry.timestamp for entry in history), default=0)

    def committed(self, metric=schema.COMMIT_METRIC):
        """{observation number: rows} of the observations that are whole; of another metric: {step: value}."""
        with answers(f"run {self.run_id}: metric {metric}"):
            history = self.client.get_metric_history(self.run_id, metric)
        return {metric.step: int(metric.value) for metric in history}

    def files(self, folder):
        """Artifact paths of all that lies in a folder, committed or not."""
        with answers(f"run {self.run_id}: artifacts"):
            return [file.path for file in self.client.list_artifacts(self.run_id, folder)]

    def has(self, path):
        """Whether the run has an artifact at `path`."""
        return path in self.files(_folder(path))

    @property
    def artifacts(self):
        """What reads this run's artifacts, in this process or another."""
        return Artifacts(self.store.uri, self.run_id, self.info.artifact_uri)

    def log_image(self, array, name, step):
        """Log a picture into the image series `name`: the UI shows it with a slider over steps."""
        with answers(f"run {self.run_id}: image {name}"):
            self.client.log_image(self.run_id, array, key=name, step=step, synchronous=True)


class Artifacts(NamedTuple):
    """Reads the artifacts of a run; goes to another process by pickle, which a client cannot."""

    tracking_uri: str
    run_id: str
    root: str

    def find(self, path):
        """Bytes of an artifact, or None when the run has none by that path."""
        with answers(f"run {self.run_id}: artifacts"):
            found = MlflowClient(self.tracking_uri).list_artifacts(self.run_id, _folder(path))
        return self.read(path) if path in [file.path for file in found] else None

    def read(self, path):
        """Bytes of an artifact."""
        with answers(f"run {self.run_id}: artifact {path}"), self.local(path) as file:
            return file.read_bytes()

    @contextlib.contextmanager
    def local(self, path):
        """The file of an artifact: where it lies when that is a local folder, else downloaded for a while."""
        if urlparse(self.root).scheme in ("", "file"):
            yield Path(local_file_uri_to_path(self.root), path)
            return
        with tempfile.TemporaryDirectory() as folder:
            # Not the client's method of that name, which leaves its copies.
            yield Path(
                mlflow.artifacts.download_artifacts(
                    run_id=self.run_id, artifact_path=path, dst_path=folder, tracking_uri=self.tracking_uri
                )
            )


def _folder(path):
    """Where an artifact lies in its run, as MLflow says it: None for the root ("." lists nothing over HTTP)."""
    parent = str(Path(path).parent)
    return None if parent == "." else parent


def _digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def listing(numbers):
    """Observations as text, for messages."""
    return first_few(sorted(numbers), 8)
