"""One MLflow run: its life, what is logged into it, and what is read from it."""

import contextlib
import hashlib
import json
import os
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import mlflow.data.pandas_dataset
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.utils.time import get_current_time_millis
from mlflow.utils.validation import MAX_TAG_VAL_LENGTH

from datamap import documents, schema
from datamap.errors import RunLostError, TrackingError, masked, raised_as
from datamap.tracking import addresses
from datamap.tracking.artifacts import DIGEST_TAG, RENEWED_BY, Artifacts, digest_of, folder_of
from datamap.tracking.client import Client
from datamap.tracking.failures import explained, status_after, translated_errors, uninterrupted
from datamap.tracking.metrics import checked, rows
from datamap.translations import AUTO, LANGUAGES, speak, spoken

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

T = TypeVar("T")
WRITER_TAG = "mlflow.datamap.writer"  # the UI hides tags of this prefix
PARENT_TAG = "mlflow.parentRunId"
NAME_TAG = "mlflow.runName"
NOTE_TAG = "mlflow.note.content"
RUNS_SCHEME = "runs:/"  # MLflow's address of an artifact
OUR_NOTE_TAG = "mlflow.datamap.note"  # digest of what we wrote there last
LANG_TAG = "mlflow.datamap.lang"  # language of the run's description, where one was chosen


class Run:
    """One MLflow run: what it holds and what is logged into it. All errors are TrackingErrors."""

    def __init__(self, client: Client, run_id: str) -> None:
        self.client, self.tracking_uri = client, client.tracking_uri
        try:
            with translated_errors(f"run {run_id!r} in {self.tracking_uri}"):
                run = self.client.get_run(run_id)
        except RunLostError as error:
            raise TrackingError(
                f"run {run_id!r} is not in {self.tracking_uri} ({explained(error.__cause__ or error)}); "
                "see the ids in the UI, or use run_id=latest"
            ) from error
        if run.info.lifecycle_stage == "deleted":
            raise RunLostError(
                f"run {run_id} was deleted; restore it with: mlflow runs restore --run-id {run_id}"
            )
        self.info, self.run_id = run.info, run.info.run_id
        self.writer: str | None = None  # what the tag of that name holds while this process writes
        self._process = os.getpid()
        self.ends_elsewhere = False  # whether somebody else sets its final status, such as the outbox
        self._inputs = run.inputs
        self._params = run.data.params
        lang = run.data.tags.get(LANG_TAG)
        self.lang: str | None = lang if lang in LANGUAGES else None  # that was chosen for it

    @property
    def status(self) -> str:
        """RUNNING, FINISHED, KILLED or FAILED, as of when the run was looked up."""
        return self.info.status

    def dataset_digest(self) -> str | None:
        """Digest of the dataset that the run was trained on; None where it was not logged."""
        inputs = self._inputs.dataset_inputs if self._inputs else []
        training = [i for i in inputs if any(tag.value == "training" for tag in i.tags)]
        return training[0].dataset.digest if training else None

    @property
    def address(self) -> str:
        """Address of the run's page for a browser."""
        return addresses.address(self.tracking_uri, self.link)

    @property
    def link(self) -> str:
        """Address of the run within the UI, for descriptions of other runs."""
        return self.link_to()

    def link_to(self, artifact: str = "") -> str:
        """Address of an artifact within the UI, or of the run itself."""
        return addresses.of_run(self.info.experiment_id, self.run_id, artifact)

    def opened_at(self, artifact: str = "") -> str:
        """Where a person opens the run or an artifact of it, and what serves it where no server does yet."""
        server = addresses.serving(self.tracking_uri)
        address = addresses.address(self.tracking_uri, self.link_to(artifact))
        return f"{address}  (served by: {server})" if server else address

    # ------------------------------------------------------------------ its language

    def speak(self, lang: str = AUTO) -> None:
        """Choose the language of what is written of the run and of the lines about it: by "auto" the run's own."""
        speak(self.lang or AUTO if lang == AUTO else lang)
        self.lang = spoken()

    @property
    def language(self) -> str:
        """Return the language of what is written of the run: "en" or "zh"."""
        return self.lang or "en"

    # ------------------------------------------------------------------ its life

    @contextlib.contextmanager
    def until_end(self) -> Iterator["Run"]:
        """End the run with the block: FINISHED, KILLED by Ctrl-C or SIGTERM, or FAILED by any other error."""
        try:
            yield self
        except BaseException as error:
            with contextlib.suppress(TrackingError):  # the error that ended it is the one to tell
                self._end_with(error)
            raise
        self._end_with(None)

    def _end_with(self, error):
        if not self.ends_elsewhere and os.getpid() == self._process:  # a fork ends nothing
            with uninterrupted():
                self.end(status_after(error))

    def begin(self, owned: bool = True) -> None:
        """Mark this process as the one that writes into the run from now on, and as running a run of ours."""
        self.writer = uuid.uuid4().hex
        if owned:
            with translated_errors(f"run {self.run_id}"):
                self.client.set_status(self.run_id, "RUNNING")
        self.set_tags({WRITER_TAG: self.writer})

    def check_writer(self) -> None:
        """Raise RunLostError when the run was deleted, or another process has begun to write into it."""
        with translated_errors(f"run {self.run_id}"):
            run = self.client.get_run(self.run_id)
        if run.info.lifecycle_stage == "deleted":
            raise RunLostError(f"run {self.run_id} was deleted while training wrote into it")
        if run.data.tags.get(WRITER_TAG) != self.writer:
            raise RunLostError(f"another process has begun to write into run {self.run_id}; this one stops")

    def end(self, status: str) -> None:
        """Set the final status: FINISHED, KILLED or FAILED."""
        with translated_errors(f"run {self.run_id}: status"):
            self.client.set_status(self.run_id, status)

    # ------------------------------------------------------------------ what is logged

    def remove(self, path: str) -> None:
        """Delete the artifacts below `path`."""
        self.artifacts.remove(path)

    def now(self) -> int:
        """Time as metrics have it: milliseconds since 1970."""
        return get_current_time_millis()

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set {name: value} as tags of the run."""
        with translated_errors(f"run {self.run_id}: tags"):
            self.client.log_batch(self.run_id, tags=[RunTag(k, str(v)) for k, v in tags.items()])

    def set_name_and_tags(self, name: str | None, tags: Mapping[str, str] | None) -> None:
        """Give a name and tags to a run that somebody else made for us."""
        wanted = {**(tags or {}), **({NAME_TAG: name} if name else {})}
        if wanted:
            self.set_tags(wanted)

    def describe(self, text: str) -> None:
        """Put a text of ours (Markdown) as the run's description, unless somebody wrote one of their own."""
        with translated_errors(f"run {self.run_id}"):
            tags = self.client.get_run(self.run_id).data.tags
        text = _shortened(masked(text))
        chosen = {LANG_TAG: self.lang} if self.lang else {}
        if NOTE_TAG not in tags or _digest(tags[NOTE_TAG]) == tags.get(OUR_NOTE_TAG):
            self.set_tags({NOTE_TAG: text, OUR_NOTE_TAG: _digest(text), **chosen})

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log params; those that `mlflow run` logged already under the same name stay."""
        new = [Param(key, str(value)) for key, value in params.items() if key not in self._params]
        with translated_errors(f"run {self.run_id}: params"):
            self.client.log_batch(self.run_id, params=new)

    def log_metrics(self, metrics: Mapping[str, float], step: int, at: int | None = None) -> None:
        """Log {name: value} at a step; `at` is the time in milliseconds since 1970, now by default."""
        now = at or self.now()
        with translated_errors(f"run {self.run_id}: metrics"):
            self.client.log_batch(self.run_id, [Metric(k, v, now, step) for k, v in metrics.items()])

    def log_text(self, text: str, path: str) -> None:
        """Log a text as artifact `path`, UTF-8, its line ends as they are."""
        self.log_bytes(text.encode("utf-8"), path)

    def log_bytes(self, content: bytes, path: str) -> None:
        """Log bytes as artifact `path`."""
        with (
            translated_errors(f"run {self.run_id}: artifact {path}"),
            tempfile.TemporaryDirectory() as folder,
        ):
            file = Path(folder, Path(path).name)
            file.write_bytes(content)
            self.log_file(file, path)

    def log_file(self, file: Path, path: str) -> None:
        """Log a file, called as the artifact is, as artifact `path`; with its digest where `RENEWED_BY` has it."""
        if path not in RENEWED_BY:
            self.artifacts.write(file, path)
            return
        tag, digest = DIGEST_TAG + path, digest_of(file)
        before = self.tags().get(tag, "").split()
        # Until it is replaced, the file of before is good; one that is half written never is.
        self.set_tags({tag: " ".join([digest, *before[:9]])})
        self.artifacts.write(file, path)
        self.set_tags({tag: digest})

    def log_config(self, step: str, text: str, overrides: Iterable[str] | None = None) -> None:
        """Log a command's composed config (YAML), for people, and the overrides that were given, as data."""
        self.log_text(masked(text), f"config/{step}.yaml")
        if overrides is not None:
            given = json.dumps([masked(override) for override in overrides], ensure_ascii=False)
            self.log_text(given, f"config/{step}.overrides.json")

    def log_labels(self, names: Sequence[str]) -> None:
        """Log class index → class name."""
        self.log_text(
            json.dumps(dict(enumerate(names)), ensure_ascii=False, indent=1) + "\n", schema.LABELS_FILE
        )

    def log_dataset(self, frame: "pd.DataFrame", name: str, source: str, digest: str, context: str) -> None:
        """Log labeled texts as a dataset input of the run: name, digest, schema and size."""
        of_run = source.startswith(RUNS_SCHEME)  # MLflow knows no kind of source for its own artifacts
        known: Any = None if of_run else source
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about integer columns and sources of two readings
            dataset = mlflow.data.pandas_dataset.from_pandas(
                frame, source=known, targets="label", name=name, digest=digest
            )
            entity = dataset._to_mlflow_entity()
        if of_run:
            source = json.dumps({"uri": source})
            entity = Dataset(name, digest, "artifact", source, entity.schema, entity.profile)
        tag = InputTag("mlflow.data.context", context)
        with translated_errors(f"run {self.run_id}: dataset"):
            self.client.log_inputs(self.run_id, [DatasetInput(entity, [tag])])

    def log_image(self, array: "np.ndarray", name: str, step: int) -> None:
        """Log a picture into the image series `name`: the UI shows it with a slider over steps."""
        with translated_errors(f"run {self.run_id}: image {name}"):
            self.client.log_image(self.run_id, array, key=name, step=step, synchronous=True)

    # ------------------------------------------------------------------ what is read

    def overrides(self, step: str) -> list[str]:
        """The overrides that a command was given; [] where they are not known."""
        return self._document(f"config/{step}.overrides.json", documents.overrides, [])

    def config(self, step: str) -> dict[str, Any]:
        """A command's config as plain data; {} where the run has none.

        It may be anybody's: nothing in it is resolved, such as `${oc.env:SECRET}`.

        Raises:
            TrackingError: the artifact is damaged.
        """
        return self._document(f"config/{step}.yaml", documents.config, {})

    def class_names(self) -> tuple[str, ...]:
        """Class names by index; () where the run has none."""
        return self._document(schema.LABELS_FILE, documents.labels, ())

    def _document(self, path: str, parse: Callable[[bytes], T], missing: T) -> T:
        """Return what a small artifact says, or `missing` where the run has none."""
        content = self.artifacts.find(path)
        if content is None:
            return missing
        with raised_as(TrackingError, f"run {self.run_id}: {path} is damaged", ValueError):
            return parse(content)

    def metrics(self) -> dict[str, float]:
        """Return {name: latest value} of the metrics that our commands log and read again.

        Raises:
            TrackingError: one has a value that it cannot have.
        """
        with translated_errors(f"run {self.run_id}"):
            found = self.client.get_run(self.run_id).data.metrics
        return checked(found, self.run_id)

    def tags(self) -> dict[str, str]:
        """{name: value} of all tags."""
        with translated_errors(f"run {self.run_id}"):
            return self.client.get_run(self.run_id).data.tags

    def time_of(self, metric: str) -> int:
        """When a metric was last logged, in milliseconds since 1970; 0 = never."""
        return max((entry.timestamp for entry in self._history(metric)), default=0)

    def committed(self, metric: str = schema.COMMIT_METRIC) -> dict[int, int]:
        """{observation number: rows} of the observations that were committed; of another metric: {step: value}."""
        where = f"run {self.run_id}: metric {metric}, step"
        return {e.step: rows(e.value, f"{where} {e.step}") for e in self._history(metric)}

    def history(self, metric: str) -> dict[int, float]:
        """{step: value} of a metric; {} where it was never logged."""
        return {entry.step: entry.value for entry in self._history(metric)}

    def _history(self, metric: str) -> list[Any]:
        with translated_errors(f"run {self.run_id}: metric {metric}"):
            return self.client.get_metric_history(self.run_id, metric)

    def files(self, folder: str | None) -> list[str]:
        """Artifact paths of all that lies in a folder, committed or not."""
        return [file.path for file in self.artifacts.list(folder)]

    def has(self, path: str) -> bool:
        """Whether the run has an artifact at `path`."""
        return path in self.files(folder_of(path))

    @property
    def artifacts(self) -> Artifacts:
        """What reads this run's artifacts, in this process or another."""
        return Artifacts(self.tracking_uri, self.run_id, self.info.artifact_uri)


def _shortened(text):
    """A description that MLflow stores as it is: it cuts longer ones, which then no longer are what we wrote."""
    if len(text) <= MAX_TAG_VAL_LENGTH:
        return text
    lines = text[: MAX_TAG_VAL_LENGTH - 3].split("\n")
    return "\n".join([*(lines[:-1] or lines), "…"])


def _digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]
