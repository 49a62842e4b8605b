"""Log into an MLflow run, read from it, and end it."""

import contextlib
import copy
import io
import json
import os
import shutil
import tempfile
import uuid
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import mlflow.data.pandas_dataset
import numpy as np
import pandas as pd
from mlflow.entities import Dataset, DatasetInput, FileInfo, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking.multimedia import compress_image_size, convert_to_pil_image
from mlflow.utils.time import get_current_time_millis
from mlflow.utils.validation import MAX_TAG_VAL_LENGTH

from datamap import documents, schema
from datamap.digests import digest_of
from datamap.errors import DataMapError, RunLostError, TrackingError, interrupted, masked, raised_as
from datamap.log import reporting, say
from datamap.tracking import addresses, hidden_tags, pack
from datamap.tracking.artifacts import Artifacts
from datamap.tracking.client import Client
from datamap.tracking.failures import explained, is_clash, status_after, translated_errors, uninterrupted
from datamap.tracking.hidden_tags import CONTENT_TAG, DIGEST_TAG, MAX_CONTENT
from datamap.tracking.metrics import checked, rows
from datamap.tracking.snapshot import Snapshot
from datamap.translations import AUTO, LANGUAGES, Amount, Phrase, speak, spoken, translate

T = TypeVar("T")
WRITER_TAG = "mlflow.datamap.writer"  # the UI hides tags of this prefix
PARENT_TAG = "mlflow.parentRunId"
NAME_TAG = "mlflow.runName"
NOTE_TAG = "mlflow.note.content"
RUNS_SCHEME = "runs:/"  # prefix of MLflow's address of an artifact
OUR_NOTE_TAG = "mlflow.datamap.note"  # digest of the description that Data Map wrote last
LANG_TAG = "mlflow.datamap.lang"  # language of the run's description, if one was chosen
IMAGES_TAG = "mlflow.loggedImages"  # tells the UI that the run has image series
MAX_INFERRED = 1000  # rows that tell the types of a dataset's columns


class _Batch:
    """Collect what is logged together: files, which lie in the snapshot's folder, and what follows them."""

    def __init__(self) -> None:
        self.files: dict[str, Path] = {}
        self.tags: dict[str, str] = {}
        self.params: list[Param] = []
        self.metrics: list[Metric] = []
        self.inputs: list[DatasetInput] = []
        self.note: str | None = None
        self.lines: list[Phrase] = []


class Run:
    """Log into one MLflow run and read from it; every failure is a TrackingError.

    Args:
        client: the run's store.
        run: the run's id, or MLflow's entity of the run where the store has just answered with it.
    """

    def __init__(self, client: Client, run: "str | mlflow.entities.Run") -> None:
        self.client, self.tracking_uri = client, client.tracking_uri
        run = self._existing(run) if isinstance(run, str) else run
        self.info, self.run_id = run.info, run.info.run_id
        self.writer: str | None = None  # value of WRITER_TAG while this process writes
        self._process = os.getpid()
        # {path: content} of files that wait for the metrics that commit them.
        self._checksums: dict[str, str] = {}
        self._task: documents.RecordedTask | None = None  # as read or logged here
        self.ends_elsewhere = False  # true if another object, such as the outbox, sets the final status
        self._inputs = run.inputs
        self._params = run.data.params
        self._read, self._seen, self._batch = run, cast("Snapshot | None", None), cast("_Batch | None", None)
        lang = run.data.tags.get(LANG_TAG)
        self.lang: str | None = lang if lang in LANGUAGES else None  # None: none was chosen

    def _existing(self, run_id):
        try:
            with translated_errors(f"run {run_id!r} in {self.tracking_uri}"):
                run = self.client.get_run(run_id)
        except RunLostError as error:
            raise TrackingError(
                f"run {run_id!r} is not in {self.tracking_uri} ({explained(error.__cause__ or error)}); "
                "see the ids in the UI, or give latest"
            ) from error
        if run.info.lifecycle_stage == "deleted":
            raise RunLostError(
                f"run {run_id} was deleted; restore it with: mlflow runs restore --run-id {run_id}"
            )
        return run

    @property
    def status(self) -> str:
        """Return RUNNING, FINISHED, KILLED or FAILED, as it was when the run was looked up."""
        return self.info.status

    def dataset(self) -> Dataset | None:
        """Return MLflow's entity of the dataset that the run was trained on; None if none was logged."""
        inputs = self._inputs.dataset_inputs if self._inputs else []
        return next((i.dataset for i in inputs if any(tag.value == "training" for tag in i.tags)), None)

    @property
    def address(self) -> str:
        """Return the address of the run's page for a browser."""
        return addresses.address(self.tracking_uri, self.link_to())

    def link_to(self, artifact: str = "") -> str:
        """Return the address of an artifact within the UI, or of the run itself."""
        return addresses.run_page(self.info.experiment_id, self.run_id, artifact)

    def opened_at(self, artifact: str = "") -> str:
        """Return where to open the run or an artifact of it, and the command that serves it if no server does."""
        server = addresses.serving(self.tracking_uri)
        address = addresses.address(self.tracking_uri, self.link_to(artifact))
        return f"{address}  {translate('(served by: {server})', server=server)}" if server else address

    def command(self, name: str, *arguments: str) -> str:
        """Return the command line of one of our commands on this run, which finds it in its store."""
        return addresses.command(name, self.run_id, self.tracking_uri, *arguments)

    # ------------------------------------------------------------------ requests

    def read_once(self, again: bool = False) -> None:
        """Request each thing of the run only once from now on, as a command does; what it logs itself is known, too.

        Args:
            again: begin with the run as it is now, not as it was when this object was made.
        """
        if again:
            self._read = self.live()._fetched()
        folder = tempfile.mkdtemp(prefix="datamap-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        data = self._read.data
        self._seen = Snapshot(folder, dict(data.tags), dict(data.metrics), _times(self._read), {}, {}, [])
        last = [metric.step for metric in data._metric_objs if metric.key == schema.COMMIT_METRIC]
        # Of a run that has not ended well, only the server tells whether more than what was committed is there.
        if last and self.artifacts.folder is None and self._read.info.status == "FINISHED":
            told = hidden_tags.observations(data.tags, last[0]) or {}
            if told:
                self._seen.committed.extend(told)
                paths = sorted(path for paths in told.values() for path in paths)
                self._seen.listings[schema.SIGNALS_DIR] = [FileInfo(path, False, None) for path in paths]

    def live(self) -> "Run":
        """Return the same run without the snapshot: each call requests again what others may have written."""
        other = copy.copy(self)
        other._seen = other._batch = None
        return other

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Log what the block logs in few requests at its end: files side by side, then tags, params and metrics in one.

        A run that is not `read_once` logs all at once.
        Where the block raises a DataMapError, what it has logged until then is logged all the same.
        """
        if self._seen is None or self._batch:  # all is logged at once, or by the block around
            yield
            return
        batch = self._batch = _Batch()
        try:
            yield
        except DataMapError:
            self._batch = None
            with contextlib.suppress(TrackingError):
                self._send(batch)
            raise
        finally:
            self._batch = None
        self._send(batch)

    def tell(self, text: str, /, **values: object) -> None:
        """Tell the user a line about what is logged, once the store has it (arguments: `log.say`)."""
        if self._batch:
            self._batch.lines.append(Phrase(text, values))
        else:
            say(text, **values)

    # ------------------------------------------------------------------ language

    def speak(self, lang: str = AUTO) -> None:
        """Choose the language of the run's descriptions and of this process's lines; "auto" keeps the run's own."""
        speak(self.lang or AUTO if lang == AUTO else lang)
        self.lang = spoken()

    @property
    def language(self) -> str:
        """Return the language of the run's descriptions, "en" or "zh"."""
        return self.lang or "en"

    # ------------------------------------------------------------------ status and writer

    @contextlib.contextmanager
    def until_end(self) -> Iterator["Run"]:
        """End the run with the block: FINISHED, KILLED after Ctrl-C or SIGTERM, or FAILED after any other error."""
        try:
            yield self
            self._end_with(None)
        except BaseException as error:
            with contextlib.suppress(TrackingError):  # the user must see the error that ended the run
                self._end_with(error)
            raise

    def _end_with(self, error):
        if not self.ends_elsewhere and os.getpid() == self._process:  # a fork must not end it
            again = interrupted(error)
            insisting = again and addresses.is_server(self.tracking_uri)  # a database answers within seconds
            with uninterrupted(insisting), self.reporting_end(again):
                self.ends_elsewhere = True  # only an interrupt before this line ends it as KILLED
                self.end(status_after(error))

    def reporting_end(self, asked: bool) -> contextlib.AbstractContextManager[None]:
        """Report, if a person has `asked` for the end of the run, that a block waits for its store."""
        return reporting("ending run {run}", run=self.run_id) if asked else contextlib.nullcontext()

    def begin(self, owned: bool = True) -> None:
        """Mark this process as the run's only writer from now on, and an owned run as RUNNING."""
        self.writer = uuid.uuid4().hex
        if owned:
            with translated_errors(f"run {self.run_id}"):
                self.client.set_status(self.run_id, "RUNNING")
        self.set_tags({WRITER_TAG: self.writer})

    def check_writer(self) -> None:
        """Raise RunLostError if the run was deleted, or if another process has become its writer."""
        run = self._fetched()
        if run.info.lifecycle_stage == "deleted":
            raise RunLostError(f"run {self.run_id} was deleted while training wrote into it")
        if run.data.tags.get(WRITER_TAG) != self.writer:
            raise RunLostError(f"another process has begun to write into run {self.run_id}; this one stops")

    def end(self, status: str) -> None:
        """Set the run's final status: FINISHED, KILLED or FAILED."""
        with translated_errors(f"run {self.run_id}: status"):
            self.client.set_status(self.run_id, status)

    # ------------------------------------------------------------------ logging

    def now(self) -> int:
        """Return the present time in milliseconds since 1970, the unit of metrics."""
        return get_current_time_millis()

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set {name: value} as tags of the run."""
        told = {name: str(value) for name, value in tags.items()}
        if self._seen:
            self._seen.tags.update(told)
        if self._batch:
            self._batch.tags |= told
            return
        with translated_errors(f"run {self.run_id}: tags"):
            self.client.log_batch(self.run_id, tags=_as_tags(told))

    def set_name_and_tags(self, name: str | None, tags: Mapping[str, str] | None) -> None:
        """Set the name and tags of a run that `mlflow run` made."""
        wanted = {**(tags or {}), **({NAME_TAG: name} if name else {})}
        if wanted:
            self.set_tags(wanted)

    def describe(self, text: str) -> None:
        """Set the run's description (Markdown), unless a person has written or edited it."""
        if self._batch:
            self._batch.note = text
        else:
            self.set_tags(self._note(text, self.live().tags()))

    def _note(self, text: str, tags: Mapping[str, str]) -> dict[str, str]:
        """Return the tags that describe the run, whose present ones are `tags`; {} if a person has described it."""
        text = _shortened(masked(text))
        if NOTE_TAG in tags and digest_of(tags[NOTE_TAG])[:16] != tags.get(OUR_NOTE_TAG):
            return {}
        chosen = {LANG_TAG: self.lang} if self.lang else {}
        return {NOTE_TAG: text, OUR_NOTE_TAG: digest_of(text)[:16], **chosen}

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log {name: value} as params; one that `mlflow run` logged under the same name stays."""
        new = [Param(key, str(value)) for key, value in params.items() if key not in self._params]
        if self._batch:
            self._batch.params += new
            return
        with translated_errors(f"run {self.run_id}: params"):
            self.client.log_batch(self.run_id, params=new)

    def log_metrics(self, metrics: Mapping[str, float], step: int, at: int | None = None) -> None:
        """Log {name: value} at a step, with the time `at` in milliseconds since 1970; None = now."""
        now = at or self.now()
        entries = [Metric(name, value, now, step) for name, value in metrics.items()]
        if self._seen:
            self._seen.metrics.update(metrics)
            self._seen.times.update(dict.fromkeys(metrics, now))
            for name in metrics:
                self._seen.histories.pop(name, None)
        if self._batch:
            self._batch.metrics += entries
            return
        contents = {CONTENT_TAG + path: content for path, content in self._checksums.items()}
        with translated_errors(f"run {self.run_id}: metrics"):
            self.client.log_batch(self.run_id, entries, tags=_as_tags(contents))
        self._checksums.clear()

    def log_text(self, text: str, path: str) -> None:
        """Log a text as artifact `path` in UTF-8, without a change of its line ends."""
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
        if path.endswith(schema.CHECKSUMS_SUFFIX) and len(content) <= MAX_CONTENT:
            self._checksums[path] = content.decode()

    def log_file(self, file: Path, path: str) -> None:
        """Log a file of the artifact's name as artifact `path`, with the tags that describe it."""
        tags = hidden_tags.tags_of(path, file)
        if self._seen:
            self._seen.add(path, file.stat().st_size)
            self._seen.tags.update(tags)
            kept = self._seen.file(path)
            kept.unlink(missing_ok=True)
            if self._batch:
                self._batch.files[path] = _linked(file, kept)
                return
        self._send_files({path: file}, tags, self.live().tags() if DIGEST_TAG + path in tags else {})
        if tags:
            self.set_tags(tags)

    def _send_files(
        self, files: Mapping[str, Path], tags: Mapping[str, str], before: Mapping[str, str]
    ) -> None:
        """Log files, and then set the tags that describe them.

        Until they are replaced, the old files are accepted, too, but never a half-written one. A server has none of
        those, so that the first file of its path is logged without this.

        Args:
            files: {path: file of the artifact's name}.
            tags: the tags that describe the files.
            before: the run's tags.
        """
        local = self.artifacts.folder is not None
        both = {
            tag: " ".join([new, *before.get(tag, "").split()[:9]])
            for tag, new in tags.items()
            if tag.startswith(DIGEST_TAG) and (local or tag in before)
        }
        if both:
            with translated_errors(f"run {self.run_id}: tags"):
                self.client.log_batch(self.run_id, tags=_as_tags(both), certain=False)
        self.artifacts.write(files)

    def _send(self, batch: _Batch) -> None:
        remote, files = self.artifacts.folder is None, Amount(len(batch.files), "file")
        with reporting("logging {files} into run {run}", remote, files=files, run=self.run_id):
            self._send_all(batch)
        for line in batch.lines:
            say(line)

    def _send_all(self, batch: _Batch) -> None:
        """Log what was collected; a batch of a description alone is not read back."""
        ours, tags = (DIGEST_TAG, CONTENT_TAG), self.tags()
        told = {
            kind + path: tags[kind + path] for path in batch.files for kind in ours if kind + path in tags
        }
        before = self.live().tags() if told or batch.note is not None else {}
        self._send_files(batch.files, told, before)
        tags = batch.tags | told
        if batch.note is not None:
            tags |= self._note(batch.note, before)
        self._send_inputs(batch.inputs)
        with translated_errors(f"run {self.run_id}: metrics and tags"):
            certain = bool(batch.metrics or told)
            self.client.log_batch(self.run_id, batch.metrics, batch.params, _as_tags(tags), certain)
        if self.artifacts.folder:  # the files lie in the run now
            for file in batch.files.values():
                file.unlink(missing_ok=True)

    def log_pack(self, paths: Iterable[str]) -> None:
        """Log artifacts once more as one file, which a reader behind a server requests instead of each.

        Do so only behind a server, with files that a command has on disk, and not with more than a pack may hold.
        """
        if self._seen is None or self.artifacts.folder:
            return
        files = {path: self._seen.file(path) for path in paths}
        if not all(file.exists() for file in files.values()):
            return
        if sum(file.stat().st_size for file in files.values()) <= pack.MAX_BYTES:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder, schema.PACK_FILE)
                pack.write(file, files)
                self.log_file(file, schema.PACK_FILE)

    def log_config(self, step: str, text: str, overrides: Iterable[str] | None = None) -> None:
        """Log a command's composed config as YAML, and the given overrides as JSON.

        Args:
            step: name of the command.
            text: the composed config.
            overrides: overrides that the user gave; None = do not log them.
        """
        self.log_text(masked(text), f"config/{step}.yaml")
        if overrides is not None:
            given = json.dumps([masked(override) for override in overrides], ensure_ascii=False)
            self.log_text(given, f"config/{step}.overrides.json")

    def log_labels(self, names: Sequence[str]) -> None:
        """Log the class names as labels.json, {class index: name}."""
        self.log_text(
            json.dumps(dict(enumerate(names)), ensure_ascii=False, indent=1) + "\n", schema.LABELS_FILE
        )

    def log_task(self, task: documents.RecordedTask) -> None:
        """Log of which task the run is, as task.json and as a tag that MLflow's search finds."""
        self.log_text(documents.task_text(task), schema.TASK_FILE)
        self.set_tags({schema.TASK_TAG: task.task.value})
        self._task = task

    def log_dataset(self, frame: pd.DataFrame, name: str, source: str, digest: str, context: str) -> None:
        """Log a table of samples as a dataset input of the run: name, digest, schema and size."""
        first = frame.head(MAX_INFERRED)  # MLflow looks at each cell: a second for 240,000 samples
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow warns of integer columns and of ambiguous sources
            dataset = mlflow.data.pandas_dataset.from_pandas(first, source="/", name=name, digest=digest)
            entity = dataset._to_mlflow_entity()
        profile = json.dumps({"num_rows": len(frame), "num_elements": frame.size})
        # Set here because MLflow has no type for its own artifacts and mistakes a file `a:b.tsv` for an address.
        kind = "artifact" if source.startswith(RUNS_SCHEME) else "local"
        entity = Dataset(name, digest, kind, json.dumps({"uri": source}), entity.schema, profile)
        inputs = [DatasetInput(entity, [InputTag("mlflow.data.context", context)])]
        if self._batch:
            self._batch.inputs += inputs
        else:
            self._send_inputs(inputs)

    def _send_inputs(self, inputs: list[DatasetInput]) -> None:
        if not inputs:
            return
        with translated_errors(f"run {self.run_id}: dataset"):
            try:
                self.client.log_inputs(self.run_id, inputs)
            except MlflowException as error:
                if not is_clash(error):
                    raise
                self.client.log_inputs(self.run_id, inputs)

    def log_image(self, array: np.ndarray, name: str, step: int, side: int) -> None:
        """Log a picture into the image series `name`, which the UI shows with a slider over steps.

        A card shows it as `side` × `side` pixels, or fewer where it is smaller.

        The files and their names are those of MLflow's client, which would need seven requests. A card shows the small
        picture, on a light or dark page; a click on it lays the large one over the page, so that this has white paper.
        """
        from PIL import Image

        picture = convert_to_pil_image(array).convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        file = f"images/{name.replace('/', '~')}+step+{step}+timestamp+{self.now()}+{uuid.uuid4()}"
        with self.together():
            for path, image in (
                (f"{file}.png", Image.alpha_composite(paper, picture).convert("RGB")),
                (f"{file}+compressed.webp", compress_image_size(picture, side)),
            ):
                content = io.BytesIO()
                image.save(content, format=Path(path).suffix[1:])
                self.log_bytes(content.getvalue(), path)
            self.set_tags({IMAGES_TAG: True})

    # ------------------------------------------------------------------ reading

    def overrides(self, step: str) -> list[str]:
        """Return the overrides that a command was given; [] if they are unknown."""
        return self._document(f"config/{step}.overrides.json", documents.overrides, [])

    def config(self, step: str) -> dict[str, Any]:
        """Return a command's config as plain data; {} if the run has none.

        Nothing in it is resolved, such as `${oc.env:SECRET}`, because a stranger may have made the run.

        Raises:
            TrackingError: the artifact is damaged.
        """
        return self._document(f"config/{step}.yaml", documents.config, {})

    def class_names(self) -> tuple[str, ...]:
        """Return the class names by index; () if the run has none."""
        return self._document(schema.LABELS_FILE, documents.labels, ())

    def task(self) -> documents.RecordedTask:
        """Return of which task the run is; classification where it does not say."""
        if self._task is None:  # it never changes
            self._task = self._document(schema.TASK_FILE, documents.task, documents.RecordedTask())
        return self._task

    def _document(self, path: str, parse: Callable[[bytes], T], missing: T) -> T:
        """Return a small artifact as parsed, or `missing` if the run does not have it."""
        content = self.artifacts.find(path)
        if content is None:
            return missing
        with raised_as(TrackingError, f"run {self.run_id}: {path} is damaged", ValueError):
            return parse(content)

    def metrics(self) -> dict[str, float]:
        """Return {name: latest value} of the metrics that our commands log and read again.

        Raises:
            TrackingError: a metric has an impossible value.
        """
        return checked(self._seen.metrics if self._seen else self._fetched().data.metrics, self.run_id)

    def tags(self) -> dict[str, str]:
        """Return all tags as {name: value}."""
        return self._seen.tags if self._seen else self._fetched().data.tags

    def _fetched(self) -> Any:
        with translated_errors(f"run {self.run_id}"):
            return self.client.get_run(self.run_id)

    def time_of(self, metric: str) -> int:
        """Return the time at which the newest value of a metric was logged, in milliseconds since 1970; 0 = never."""
        if self._seen:
            return self._seen.times.get(metric, 0)
        return _times(self._fetched()).get(metric, 0)

    def committed(self, metric: str = schema.COMMIT_METRIC) -> Mapping[int, int | None]:
        """Return {observation number: rows} of the committed observations; of another metric, {step: value}.

        Rows are None if the run's tags list all observations and their digests, so that counting is unnecessary.
        """
        if self._seen and self._seen.committed and metric == schema.COMMIT_METRIC:
            return dict.fromkeys(self._seen.committed)
        where = f"run {self.run_id}: metric {metric}, step"
        return {e.step: rows(e.value, f"{where} {e.step}") for e in self._history(metric)}

    def history(self, metric: str) -> dict[int, float]:
        """Return {step: value} of a metric; {} if it was never logged."""
        return {entry.step: entry.value for entry in self._history(metric)}

    def _history(self, metric: str) -> list[Any]:
        seen = self._seen
        if seen and metric not in seen.metrics:
            return []
        if seen and metric in seen.histories:
            return seen.histories[metric]
        with translated_errors(f"run {self.run_id}: metric {metric}"):
            found = self.client.get_metric_history(self.run_id, metric)
        if seen:
            seen.histories[metric] = found
        return found

    def files(self, folder: str | None) -> list[str]:
        """Return the artifact paths of all files in a folder, committed or not."""
        return [file.path for file in self.artifacts.list(folder)]

    def fetch(self, *paths: str) -> None:
        """Download those of some artifacts that the run has, side by side, which later calls read from the disk."""
        if self._seen:
            self.artifacts.fetch(dict.fromkeys(filter(self.has, paths)))

    def has(self, path: str) -> bool:
        """Tell whether the run has an artifact at `path`."""
        return self.artifacts.has(path)

    @property
    def artifacts(self) -> Artifacts:
        """Return the reader and writer of this run's artifacts, which also works in another process."""
        return Artifacts(self.tracking_uri, self.run_id, self.info.artifact_uri, self._seen)


def _times(run: Any) -> dict[str, int]:
    """Return {metric: time of its newest value} of MLflow's entity of a run."""
    return {metric.key: metric.timestamp for metric in run.data._metric_objs}


def _as_tags(tags: Mapping[str, str]) -> list[RunTag]:
    return [RunTag(name, value) for name, value in tags.items()]


def _linked(file: Path, target: Path) -> Path:
    """Make a second name of a file, or a copy where the file system has none; return it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)
    return target


def _shortened(text):
    """Cut a description to the length that MLflow stores.

    If MLflow cut it, the stored text would no longer have the digest by which `describe` recognizes its own.
    """
    if len(text) <= MAX_TAG_VAL_LENGTH:
        return text
    lines = text[: MAX_TAG_VAL_LENGTH - 3].split("\n")
    return "\n".join([*(lines[:-1] or lines), "…"])
