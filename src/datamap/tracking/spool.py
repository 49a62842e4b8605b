"""Keep deliveries on disk that a store did not accept, until they are sent.

<spool>/<run id>/<number>/delivery.json   the note: of which run, which files and metrics
<spool>/<run id>/<number>/files/…         the files, by their artifact paths

A stranger may have written a spool. So a note can only name plain files in the delivery's own folder, and artifact
paths below the folders of `FOLDERS`.
"""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

from filelock import FileLock
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from datamap import documents, schema
from datamap.errors import ConfigError, TrackingError, masked, raised_as, reason, shortened
from datamap.tracking.delivery import Delivery, send
from datamap.tracking.run import Run

NOTE = "delivery.json"
MAX_NOTE_BYTES = 1 << 22  # twice as many as a note of 20,000 files has
FOLDERS = (schema.SIGNALS_DIR, schema.HOLDOUT_DIR, schema.THRESHOLD_DIR, schema.CHECKPOINT_DIR)
_NUMBER = re.compile("[0-9]{1,15}")


def _artifact_path(path: str) -> str:
    folder, *below = path.split("/")
    if (
        folder not in FOLDERS
        or not below
        or not all(re.fullmatch(r"\w[\w.-]*", part, re.A) for part in below)
    ):
        raise ValueError(f"{path!r} is not a file in {', '.join(f'{name}/' for name in FOLDERS)}")
    return path


def _metrics(metrics: dict[str, float]) -> dict[str, float]:
    for name in (schema.COMMIT_METRIC, *schema.EXTRA_METRICS.values()):
        rows = metrics.get(name, 1)
        if not (1 <= rows <= 2**53 and rows == int(rows)):
            raise ValueError(f"{name} is {rows}, not a number of rows")
    return metrics


_Whole = Annotated[int, Field(ge=0, le=2**53)]


class Note(BaseModel):
    """Describe a delivery in the spool; `tracking_uri` is stored without a password."""

    model_config = ConfigDict(strict=True, frozen=True, ser_json_inf_nan="constants")

    tracking_uri: str
    run_id: str
    writer: str
    time: _Whole
    files: tuple[Annotated[str, AfterValidator(_artifact_path)], ...]
    number: _Whole
    metrics: Annotated[dict[str, float], AfterValidator(_metrics)]
    status: Literal["FINISHED", "FAILED", "KILLED", ""] | None
    remove: Literal["checkpoint"] | None


def checked_folder(name: str, folder: object) -> Path:
    """Return the folder of a spool after trying to write there, because a full store is too late to find out.

    Nothing is left: the folder itself is made when something is spooled.

    Raises:
        ConfigError: the folder can neither be used nor made.
    """
    if not isinstance(folder, str | Path) or not str(folder).strip():
        raise ConfigError(f"{name}={shortened(folder)}: give the path of a folder")
    path = Path(folder)
    try:
        existing = next(parent for parent in (path, *path.absolute().parents) if os.path.lexists(parent))
        with tempfile.TemporaryDirectory(prefix=".datamap-", dir=existing):
            return path
    except OSError as error:
        raise ConfigError(
            f"{name}={shortened(folder)} cannot be written to ({error.strerror or reason(error)}); give another folder"
        ) from error


def read_note(waiting: Path) -> Note:
    """Return the note of a delivery in the spool.

    Raises:
        TrackingError: the note is damaged, of another run, or names a file outside the folders of `FOLDERS`.
    """
    path = waiting / NOTE
    try:
        if path.stat().st_size > MAX_NOTE_BYTES:
            raise ValueError(f"it is larger than {MAX_NOTE_BYTES:,} bytes")
        note = Note.model_validate_json(path.read_bytes())
        if note.run_id != waiting.parent.name:
            raise ValueError(f"it is of run {note.run_id}")
    except (OSError, ValueError) as error:
        problem = documents.first_problem(error) if isinstance(error, ValidationError) else error
        raise TrackingError(
            f"{path} is damaged ({problem}): nothing of it was sent; move {waiting} away to go on"
        ) from error
    return note


def waiting_in(folder: str | Path) -> list[Path]:
    """Return the folders of one run's deliveries in the spool, in the order in which they are sent."""
    with raised_as(TrackingError, folder):
        return [path for path in _numbered(folder) if (path / NOTE).is_file()]


def _numbered(folder):
    return sorted((p for p in Path(folder).glob("*") if _NUMBER.fullmatch(p.name)), key=lambda p: int(p.name))


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock a run's folder in the spool, so that only one process changes it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_name(f"{folder.name}.lock")  # beside the folder, which is removed when all is sent
    with FileLock(lock):
        try:
            yield
        finally:  # a process that waits for the lock makes the file again
            with contextlib.suppress(OSError):  # Windows cannot remove an open file
                lock.unlink()


def put(
    run: Run,
    folder: Path,
    files: Sequence[tuple[str, bytes]],
    delivery: Delivery,
    checkpoints: str | None = None,
) -> None:
    """Write a delivery to disk under a temporary name, and rename it when it is complete.

    Args:
        run: run that the delivery is for.
        folder: folder of the run in the spool.
        files: the result of `delivery.files()`.
        delivery: metrics and status to send later.
        checkpoints: folder of the run's checkpoints; one in this delivery replaces those of older deliveries.

    Raises:
        OSError: the files cannot be written, as on a full disk.
    """
    with _locked(folder):
        before = _numbered(folder)
        target = folder / f"{int(before[-1].name) + 1 if before else 0:04d}"
        part = folder / f"{target.name}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for path, content in files:
            file = part / "files" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        fields = {key: getattr(delivery, key) for key in ("number", "metrics", "status", "remove")}
        paths = tuple(path for path, _ in files)
        _write_note(
            part,
            Note(
                tracking_uri=masked(run.tracking_uri), run_id=run.run_id, writer=run.writer or "", time=run.now(),
                files=paths, **fields,
            ),
        )  # fmt: skip
        os.sync()
        part.rename(target)
        if checkpoints and any(path.startswith(f"{checkpoints}/") for path in paths):
            for waiting in before:
                _forget(waiting, checkpoints)


def _write_note(folder, note):
    part = folder / f"{NOTE}.part"
    part.write_text(note.model_dump_json(indent=1), encoding="utf-8")
    part.rename(folder / NOTE)


def _forget(waiting, below):
    """Remove the files below a folder of the run from a delivery."""
    note = read_note(waiting)
    kept = tuple(path for path in note.files if not path.startswith(f"{below}/"))
    _write_note(waiting, note.model_copy(update={"files": kept}))
    shutil.rmtree(waiting / "files" / below, ignore_errors=True)


def deliver(run: Run, folder: str | Path) -> int:
    """Send the deliveries of a run in `folder`, oldest first, and delete each when it is sent.

    Deliveries that training adds meanwhile are sent, too.

    Returns:
        Number of deliveries sent.

    Raises:
        TrackingError: the store does not accept a delivery; this one and the later ones stay in the spool.
    """
    sent, folder = 0, Path(folder)
    while waiting_in(folder):
        with raised_as(TrackingError, folder), _locked(folder):
            for waiting in waiting_in(folder)[:1]:
                _deliver(run, waiting)
                sent += 1
            if not waiting_in(folder):
                _remove_empty(folder)
    return sent


def deliver_left(run: Run, folder: Path) -> int:
    """Send what a process that has ended left in the spool, as that process; else as `deliver`."""
    waiting = waiting_in(folder)
    if waiting:
        run.writer = read_note(waiting[0]).writer  # else the run would refuse them
    return deliver(run, folder)


def _deliver(run, waiting):
    note = read_note(waiting)
    if (note.run_id, note.writer) != (run.run_id, run.writer):
        raise TrackingError(
            f"{waiting / NOTE} does not belong to the process that writes into run {run.run_id}"
        )
    files = [(path, _content(waiting, path)) for path in note.files]
    send(run, files, Delivery(note.number, tuple, note.metrics, note.status, note.remove), note.time)
    done = waiting.with_suffix(".sent")  # renamed first, so that a half-removed delivery is not sent again
    shutil.rmtree(done, ignore_errors=True)
    shutil.rmtree(waiting.rename(done))


def _content(waiting, path):
    """Return the content of a delivery's file, which must be a plain file in its folder and not a link out of it."""
    file = waiting / "files" / path
    if file.resolve() != waiting.resolve() / "files" / path or not file.is_file():
        raise TrackingError(f"{file} is missing, or is not a plain file: nothing of {waiting} is sent")
    return file.read_bytes()


def _remove_empty(folder):
    """Remove a run's folder and the leftovers of killed processes, unless it holds anything else."""
    for left in folder.glob("*.*"):
        if left.suffix in (".part", ".sent") and _NUMBER.fullmatch(left.stem):
            shutil.rmtree(left, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.rmdir()
