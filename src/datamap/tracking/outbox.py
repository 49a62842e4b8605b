"""Sends what training makes into its run: off the training thread, in order, retried, spooled when all fails.

put(Delivery) → queue → thread → run
                           └──→ <spool>/<run id>/<number>/ … → deliver_spooled (datamap upload)
"""

import contextlib
import json
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from datamap.errors import RunLostError, TrackingError, counted, interrupted, masked
from datamap.program import invocation
from datamap.tracking import failures
from datamap.tracking.failures import status_after
from datamap.tracking.run import Run

WAITING = 2  # deliveries that may wait before training does
NOTE = "delivery.json"
NOTED = {"tracking_uri", "run_id", "writer", "time", "files", "number", "metrics", "status", "remove"}


class Delivery(NamedTuple):
    """What is logged together; the metrics come last and commit the files.

    `files()` yields (artifact path, bytes), and is called once, in the sending thread. `metrics` is
    {name: value} at step `number`; `status` ends the run ("" leaves its status to its owner), and
    removes the artifacts at `remove`.
    `then(run)` is called when all that is sent, and never tried again.
    """

    number: int
    files: Callable[[], Iterable[tuple[str, bytes]]] = tuple
    metrics: dict[str, float] = {}
    status: str | None = None
    remove: str | None = None
    then: Callable[[Run], None] | None = None


class Outbox:
    """A context: what is put in is delivered by its end, or lies in the spool; the run ends with a status.

    Args:
        run: to send into.
        patience: seconds for which a delivery is retried before it is spooled.
        spool: folder for what could not be sent.
        say: prints a line.
        checkpoints: folder of the run of which only the newest files are worth keeping in the spool, and none
            when training ends well.
        owned: whether the run's status is ours to set.
    """

    def __init__(
        self, run: Run, patience: float, spool: str | Path, say: Callable[[str], None],
        checkpoints: str | None = None, owned: bool = True,
    ) -> None:  # fmt: skip
        self.owned = owned
        self.run, self.patience, self.say, self.checkpoints = run, patience, say, checkpoints
        self.folder = Path(spool, run.run_id)
        self.failure: BaseException | None = None
        self._refused = 0.0  # when the store last took nothing; while offline it is asked only so often
        self._queue: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self._room = threading.Semaphore(WAITING + 1)  # and the one that is being sent
        self._hurry = threading.Event()
        self._done = (
            threading.Event()
        )  # waited for instead of the thread: join() may not be interrupted (bpo-45274)
        self._thread = threading.Thread(target=self._work, daemon=True, name="outbox")

    def __enter__(self) -> "Outbox":
        self.run.ends_elsewhere = True
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if interrupted(error):
            self._hurry.set()  # one attempt, then the spool: the user wants to leave
        status = status_after(error) if self.owned else ""
        self._end(Delivery(0, status=status, remove=None if kind else self.checkpoints))
        left = spooled(self.folder)
        if left:
            self._end_unfinished()
            self.say(
                f"{counted(len(left), 'upload')} of run {self.run.run_id} wait in {self.folder}; "
                f"when {self.run.tracking_uri} answers again: "
                f"{invocation('upload', f'folder={self.folder.parent}')}"
            )
        if kind is None and self.failure:
            raise self.failure
        if kind is None and left:
            raise TrackingError(f"{self.run.tracking_uri} did not take all; see the line above")

    def _end_unfinished(self):
        """Where the store takes at least that, the run does not stay RUNNING until the rest is uploaded."""
        if self.owned and not self._hurry.is_set():
            with contextlib.suppress(TrackingError):
                _send(self.run, (), Delivery(0, status="FAILED"))

    def put(self, delivery: Delivery) -> None:
        """Hand over a delivery; waits while too many are under way.

        Raises:
            TrackingError: an earlier delivery could neither be sent nor spooled, or the run is gone.
        """
        self._room.acquire()
        if self.failure:
            raise self.failure
        self._queue.put(delivery)

    def _end(self, last):
        try:
            with failures.uninterrupted():
                self._queue.put(last)
            self._done.wait()
        except KeyboardInterrupt:  # the user has no patience left: spool at once
            self._hurry.set()
            self._done.wait()

    def _work(self):
        delivery = Delivery(0)
        while delivery.status is None:  # the last one has a status
            delivery = self._queue.get()
            try:
                if self.failure is None:
                    self._deliver(delivery)
                elif delivery.status:  # what failed ends the run, unless it is gone or another process's
                    with contextlib.suppress(TrackingError):
                        _send(self.run, (), Delivery(0, status="FAILED"))
            except TrackingError as error:
                self.failure = error
            except OSError as error:
                self.failure = self._not_spooled(error)
            except BaseException as error:  # a bug: the main thread shall raise it
                self.failure = error
            finally:
                self._room.release()
        self._done.set()

    def _deliver(self, delivery):
        files = list(delivery.files())
        offline = bool(spooled(self.folder))
        lately = offline and time.monotonic() - self._refused < failures.LONGEST_PAUSE
        if lately and delivery.status is None:
            self._spool(files, delivery, offline)
            return
        policy = failures.policy(0 if offline else self.patience, self._hurry, self._say_retry)
        try:
            policy(self._send_all, files, delivery)
        except RunLostError:
            raise
        except TrackingError:
            self._refused = time.monotonic()
            self._spool(files, delivery, offline)
            return
        if delivery.then and not self._hurry.is_set():
            with contextlib.suppress(TrackingError):
                delivery.then(self.run)

    def _send_all(self, files, delivery):
        deliver_spooled(self.run, self.folder)
        _send(self.run, files, delivery)

    def _say_retry(self, state):
        if state.attempt_number == 1:
            self.say(f"note: {state.outcome.exception()}; trying again for up to {self.patience} s")

    def _spool(self, files, delivery, offline):
        _spool(self.run, self.folder, files, delivery, self.checkpoints)
        if not offline:
            self.say(f"note: {self.run.tracking_uri} takes nothing; observations go to {self.folder}")

    def _not_spooled(self, error):
        return TrackingError(
            f"run {self.run.run_id}: an observation could neither be logged nor written to {self.folder} ({error}); "
            "what was committed before is safe: make room, then resume=true"
        )


def _send(run, files, delivery, at=None):
    """Log a delivery: files first, then the metrics that commit them. Doing it twice does no harm."""
    run.check_writer()
    for path, content in files:
        run.log_bytes(content, path)
    run.check_writer()
    if delivery.metrics:
        run.log_metrics(delivery.metrics, delivery.number, at)
    if delivery.status:
        run.end(delivery.status)
    if delivery.remove:
        with contextlib.suppress(TrackingError):  # some stores delete nothing; what is left does no harm
            run.remove(delivery.remove)


def _spool(run, folder, files, delivery, checkpoints=None):
    """Write a delivery to disk: complete under its name, or not at all; older ones lose their checkpoints to it."""
    before = spooled(folder)
    target = folder / f"{int(before[-1].name) + 1 if before else 0:04d}"
    part = folder / f"{target.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for path, content in files:
        file = part / "files" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    note = {
        "tracking_uri": masked(run.tracking_uri),
        "run_id": run.run_id,
        "writer": run.writer,
        "time": run.now(),
        "files": [path for path, _ in files],
        **{key: getattr(delivery, key) for key in ("number", "metrics", "status", "remove")},
    }
    _write_note(part, note)
    os.sync()
    part.rename(target)
    if checkpoints and any(path.startswith(f"{checkpoints}/") for path, _ in files):
        for waiting in before:
            _forget(waiting, checkpoints)


def _write_note(folder, note):
    part = folder / f"{NOTE}.part"
    part.write_text(json.dumps(note, indent=1), encoding="utf-8")
    part.rename(folder / NOTE)


def _forget(waiting, below):
    """Take the files below a folder of the run out of a spooled delivery."""
    note = spool_note(waiting)
    _write_note(waiting, {**note, "files": [p for p in note["files"] if not p.startswith(f"{below}/")]})
    shutil.rmtree(waiting / "files" / below, ignore_errors=True)


def spooled(folder: str | Path) -> list[Path]:
    """Folders of the deliveries of one run that wait in the spool, in order."""
    return sorted(path for path in Path(folder).glob("*[0-9]") if (path / NOTE).is_file())


def spool_note(folder: Path) -> dict[str, Any]:
    """What is known of a spooled delivery: its store (without password), run, writer, metrics and files.

    Raises:
        TrackingError: the note is damaged.
    """
    path = folder / NOTE
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        if not set(note) >= NOTED or not all(isinstance(name, str) for name in note["files"]):
            raise ValueError(f"its keys are {', '.join(sorted(NOTED))}")
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise TrackingError(
            f"{path} is damaged ({error}): what is in {folder} cannot be sent; move that folder away to go on"
        ) from error
    return note


def deliver_spooled(run: Run, folder: str | Path) -> int:
    """Send the deliveries of a run that lie in `folder`, oldest first, and delete each once it is sent.

    Returns:
        how many were sent.
    Raises:
        TrackingError: the store does not take one; it and the later ones stay.
    """
    found: Sequence[Path] = spooled(folder)
    for waiting in found:
        note = spool_note(waiting)
        with failures.translated_errors(f"{waiting}"):
            files = [(path, (waiting / "files" / path).read_bytes()) for path in note["files"]]
        delivery = Delivery(note["number"], tuple, note["metrics"], note["status"], note["remove"])
        _send(run, files, delivery, note["time"])
        shutil.rmtree(waiting)
    if found:
        shutil.rmtree(folder, ignore_errors=True)
    return len(found)
