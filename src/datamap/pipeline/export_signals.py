"""Write a run's signals as files: Dataset Cartography's training dynamics, or our own for other tasks."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from datamap import schema
from datamap.config import ExportConfig
from datamap.digests import digest_of
from datamap.errors import SignalError, raised_as
from datamap.importing import foreign
from datamap.log import say
from datamap.pipeline.run_access import committed_signals, open_run
from datamap.recording.stored_signals import signals_of
from datamap.schema import Shard, Task
from datamap.signals import shards
from datamap.tracking.failures import uninterrupted
from datamap.tracking.run import Run
from datamap.translations import Amount


def export_signals(config: ExportConfig) -> Path:
    """Write a run's committed observations as Dataset Cartography's training dynamics, and return the folder.

    Those have one label per sample and the logits of classes. The signals of other tasks are written as the run has
    them, with task.json, the class names and the rows of the samples, which `datamap import` reads.

    Raises:
        TrackingError: the run has no signals.
        SignalError: the folder is not empty or cannot be written, or signals have no `probs`.
    """
    folder = Path(config.folder)
    with raised_as(SignalError, f"folder={folder}"):
        _refuse_filled(folder)
    run = open_run(config, "export_signals")
    committed = committed_signals(run)
    classification = run.task().task is Task.CLASSIFICATION
    with _filled_at_once(folder) as unfinished:
        if not classification:
            _copy_documents(run, unfinished)
        for epoch, (number, parts) in enumerate(sorted(signals_of(run, committed).items())):
            if classification:
                rows = _write_dynamics(run, number, parts, epoch, unfinished)
            else:
                rows = _copy_shards(run, parts, unfinished)
            if committed[number] not in (None, rows):
                problem = f"it has {rows:,} records, but {committed[number]:,} were committed"
                raise SignalError(f"observation {number} is damaged: {problem}")
    say(
        "{observations} of run {run} written to {folder}",
        observations=Amount(len(committed), "observation"),
        run=run.run_id,
        folder=folder,
    )
    return folder


def _refuse_filled(folder: Path, own: Path | None = None) -> None:
    """Raise SignalError if a folder holds anything besides `own`, or is a file."""
    if folder.exists() and not (folder.is_dir() and all(path == own for path in folder.iterdir())):
        raise SignalError(f"folder={folder} already exists and is not an empty folder; choose another")


@contextlib.contextmanager
def _filled_at_once(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder whose files move into `folder` when all are written, and are removed on an error.

    Fill an existing folder instead of replacing it, because it may be the working directory or the root of a disk.
    """
    with raised_as(SignalError, f"folder={folder}"):
        there = folder.exists()
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder if there else folder.parent) as temporary:
            unfinished = Path(temporary, "unfinished")
            unfinished.mkdir()
            yield unfinished
            _refuse_filled(folder, Path(temporary))  # another command may have filled it meanwhile
            if not there:
                unfinished.rename(folder)
                return
            with uninterrupted():
                for file in unfinished.iterdir():
                    file.rename(folder / file.name)


def _copy_documents(run: Run, folder: Path) -> None:
    for path in (schema.TASK_FILE, schema.ROWS_FILE, schema.LABELS_FILE):
        content = run.artifacts.find(path)
        if content is not None:
            (folder / Path(path).name).write_bytes(content)


def _copy_shards(run: Run, parts: list[Shard], folder: Path) -> int:
    """Write the shards of one observation and their checksums, after a check, and return its number of records."""
    rows, written = 0, []
    for part in parts:
        content = run.artifacts.read(part.path)
        rows += shards.decode(content, part).num_rows
        (folder / Path(part.path).name).write_bytes(content)
        written.append(part._replace(sha256=digest_of(content)))
    (folder / Path(parts[0].checksums_path).name).write_bytes(shards.checksums(written))
    return rows


def _write_dynamics(run: Run, number: int, parts: list[Shard], epoch: int, folder: Path) -> int:
    """Write one observation, shard by shard, and return its number of records."""
    rows = 0
    with (folder / f"dynamics_epoch_{epoch}.jsonl").open("wb") as file:
        for part in parts:
            table = shards.read(run.artifacts, [part])
            if "probs" not in table.column_names:
                raise SignalError(
                    f"run {run.run_id}: observation {number} has no probs of all classes ({part.path}), "
                    "which Cartography's files need"
                )
            file.write(shards.encode(foreign.dynamics(table, epoch), "jsonl"))
            rows += table.num_rows
    return rows
