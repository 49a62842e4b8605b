"""Sends what training makes into its run: off the training thread, in order, retried, spooled when all fails.

put(Parcel) → queue → thread → run
                         └──→ <spool>/<run id>/<number>/ … → deliver_spooled (src/upload.py)
"""

import contextlib
import json
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from datamap.errors import RunLostError, TrackingError
from datamap.program import invocation

WAITING = 2  # parcels that may wait before training does
LONGEST_PAUSE = 15  # seconds between two attempts


class Parcel(NamedTuple):
    """What is logged together; the metrics come last and commit the files.

    `files()` yields (artifact path, bytes), and is called in the sending thread. `metrics` is
    {name: value} at step `number`; `status` ends the run ("" leaves its status to its owner), and
    removes the artifacts at `remove`.
    `then(run)` is called when all that is sent, and never tried again.
    """

    number: int
    files: Callable = tuple
    metrics: dict = {}
    status: str | None = None
    remove: str | None = None
    then: Callable | None = None


class Outbox:
    """A context: what is put in is delivered by its end, or lies in the spool; the run ends with a status.

    Args:
        run: `tracking.Run`.
        patience: seconds for which a parcel is retried before it is spooled.
        spool: folder for what could not be sent.
        say: prints a line.
        finished: what to remove from the run when training ends well.
        owned: whether the run's status is ours to set.
    """

    def __init__(self, run, patience, spool, say, finished=None, owned=True):
        self.owned = owned
        self.run, self.patience, self.say, self.finished = run, patience, say, finished
        self.folder = Path(spool, run.run_id)
        self.failure = None
        self._refused = 0  # when the store last took nothing; while offline it is asked only so often
        self._queue = queue.Queue(WAITING)
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name="outbox")

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, error, trace):
        if kind is KeyboardInterrupt:
            self._hurry.set()  # one attempt, then the spool: the user wants to leave
        status = "FINISHED" if kind is None else "KILLED" if kind is KeyboardInterrupt else "FAILED"
        status = status if self.owned else ""
        self._end(Parcel(0, status=status, remove=self.finished if kind is None else None))
        left = spooled(self.folder)
        if left:
            self.say(
                f"{len(left)} parcels of run {self.run.run_id} lie in {self.folder}; "
                f"when {self.run.store.uri} answers again: {invocation('upload', f'folder={self.folder.parent}')}"
            )
        if kind is None and self.failure:
            raise self.failure
        if kind is None and left:
            raise TrackingError(f"{self.run.store.uri} did not take all; see the line above")

    def put(self, parcel):
        """Hand over a parcel; waits while too many are under way.

        Raises:
            TrackingError: an earlier parcel could neither be sent nor spooled, or the run is gone.
        """
        if self.failure:
            raise self.failure
        self._queue.put(parcel)

    def _end(self, last):
        try:
            self._queue.put(last)
            self._queue.put(None)
            self._thread.join()
        except KeyboardInterrupt:  # the user has no patience left: spool at once
            self._hurry.set()
            self._thread.join()

    def _work(self):
        while (parcel := self._queue.get()) is not None:
            if self.failure is None:
                try:
                    self._deliver(parcel)
                except (TrackingError, OSError) as error:
                    self.failure = error if isinstance(error, TrackingError) else _not_spooled(self, error)
                except BaseException as error:  # a bug: the main thread shall raise it
                    self.failure = error

    def _deliver(self, parcel):
        files = list(parcel.files())
        offline = bool(spooled(self.folder))
        start, pause = time.monotonic(), 1
        lately = offline and start - self._refused < LONGEST_PAUSE and parcel.status is None
        while not lately:
            try:
                deliver_spooled(self.run, self.folder)
                _send(self.run, files, parcel)
                if parcel.then and not self._hurry.is_set():
                    with contextlib.suppress(TrackingError):
                        parcel.then(self.run)
                return
            except RunLostError:
                raise
            except TrackingError as error:
                self._refused = time.monotonic()
                waited = self._refused - start
                if offline or waited + pause > self.patience or self._hurry.is_set():
                    break
                if pause == 1:
                    self.say(f"note: {error}; trying again for up to {self.patience} s")
                self._hurry.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        _spool(self.run, self.folder, files, parcel)
        if not offline:
            self.say(f"note: {self.run.store.uri} takes nothing; observations go to {self.folder}")


def patiently(action, patience):
    """Result of `action()`, tried again for `patience` seconds while the store does not answer.

    Raises:
        TrackingError: it does not answer for so long, or the run is gone.
    """
    end, pause = time.monotonic() + patience, 1
    while True:
        try:
            return action()
        except TrackingError as error:
            if isinstance(error, RunLostError) or time.monotonic() + pause > end:
                raise
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def _not_spooled(outbox, error):
    return TrackingError(
        f"run {outbox.run.run_id}: an observation could neither be logged nor written to {outbox.folder} ({error}); "
        "what was committed before is safe: make room, then resume=true"
    )


def _send(run, files, parcel, at=None):
    """Log a parcel: files first, then the metrics that commit them. Doing it twice does no harm."""
    run.check_claim()
    for path, content in files:
        run.log_bytes(content, path)
    run.check_claim()
    if parcel.metrics:
        run.log_metrics(parcel.metrics, parcel.number, at)
    if parcel.status:
        run.end(parcel.status)
    if parcel.remove:
        with contextlib.suppress(TrackingError):  # some stores delete nothing; what is left does no harm
            run.remove(parcel.remove)


def _spool(run, folder, files, parcel):
    """Write a parcel to disk: whole under its name, or not at all."""
    before = spooled(folder)
    place = folder / f"{int(before[-1].name) + 1 if before else 0:04d}"
    part = folder / f"{place.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    for path, content in files:
        target = part / "files" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    part.mkdir(parents=True, exist_ok=True)
    note = {
        "tracking_uri": run.store.uri,
        "run_id": run.run_id,
        "claim": run.claim,
        "time": run.now(),
        "files": [path for path, _ in files],
        **{key: getattr(parcel, key) for key in ("number", "metrics", "status", "remove")},
    }
    (part / "parcel.json").write_text(json.dumps(note, indent=1), encoding="utf-8")
    os.sync()
    part.rename(place)


def spooled(folder):
    """Folders of the parcels of one run that wait in the spool, in order."""
    return sorted(path for path in Path(folder).glob("*[0-9]") if (path / "parcel.json").is_file())


def spool_note(place):
    """What is known of a spooled parcel: its store, run, claim, metrics and files."""
    return json.loads((place / "parcel.json").read_text(encoding="utf-8"))


def deliver_spooled(run, folder):
    """Send the parcels of a run that lie in `folder`, oldest first, and delete each once it is sent.

    Returns:
        how many were sent.
    Raises:
        TrackingError: the store does not take one; it and the later ones stay.
    """
    places = spooled(folder)
    for place in places:
        note = spool_note(place)
        files = [(path, (place / "files" / path).read_bytes()) for path in note["files"]]
        parcel = Parcel(note["number"], tuple, note["metrics"], note["status"], note["remove"])
        _send(run, files, parcel, note["time"])
        shutil.rmtree(place)
    if places:
        shutil.rmtree(folder, ignore_errors=True)
    return len(places)
