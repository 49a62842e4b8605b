"""Sends what training makes into its run: off the training thread, in order, retried, spooled when all fails.

put(Delivery) → queue → thread → run
                           └──→ <spool>/<run id>/<number>/ … → spool.deliver (datamap upload)
"""

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from datamap.errors import RunLostError, TrackingError, interrupted
from datamap.program import invocation
from datamap.tracking import addresses, failures, spool
from datamap.tracking.delivery import Delivery, send
from datamap.tracking.failures import status_after
from datamap.tracking.run import Run
from datamap.translations import Amount, translate

WAITING = 2  # deliveries that may wait before training does


class Outbox:
    """A context: what is put in is delivered by its end, or lies in the spool; the run ends with a status.

    Args:
        run: to send into.
        patience: seconds for which a delivery is retried before it is spooled.
        spool_folder: for what could not be sent.
        say: prints a line.
        checkpoints: folder of the run of which only the newest files are worth keeping in the spool, and none
            when training ends well.
        owned: whether the run's status is ours to set.
    """

    def __init__(
        self, run: Run, patience: float, spool_folder: str | Path, say: Callable[[str], None],
        checkpoints: str | None = None, owned: bool = True,
    ) -> None:  # fmt: skip
        self.owned = owned
        self.run, self.patience, self.say, self.checkpoints = run, patience, say, checkpoints
        self.folder = Path(spool_folder, run.run_id)
        self.failure: BaseException | None = None
        self._refused = 0.0  # when the store last took nothing; while offline it is asked only so often
        self._queue: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self._room = threading.Semaphore(WAITING + 1)  # and the one that is being sent
        self._last_is_in = False
        self._gate = threading.Lock()  # nothing comes after the last delivery
        self._process = os.getpid()  # a fork of it has no thread that sends
        self._hurry = threading.Event()
        # Waited for instead of the thread: join() may not be interrupted (bpo-45274).
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name="outbox")

    def __enter__(self) -> "Outbox":
        if spool.waiting_in(self.folder):
            raise TrackingError(
                f"{self.folder} holds uploads of run {self.run.run_id}; send them first: {self._upload_command()}"
            )
        self.run.ends_elsewhere = True
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if os.getpid() != self._process:
            return
        if interrupted(error):
            self._hurry.set()  # one attempt, then the spool: the user wants to leave
        status = status_after(error) if self.owned else ""
        self._end(Delivery(0, status=status, remove=None if kind else self.checkpoints))
        left = spool.waiting_in(self.folder)
        if left:
            self._end_unfinished()
            wait = translate(
                "{uploads} of run {run} wait in {folder}; when {store} answers again: {command}",
                uploads=Amount(len(left), "upload"),
                run=self.run.run_id,
                folder=self.folder,
                store=self.run.tracking_uri,
                command=self._upload_command(),
            )
            self.say(wait)
        if kind is None and self.failure:
            raise self.failure
        if self.failure not in (None, error):
            self.say(translate("note: {note}", note=self.failure))
        if kind is None and left:
            raise TrackingError(f"{self.run.tracking_uri} did not take all; see the line above")

    def _upload_command(self):
        return invocation("upload", f"folder={self.folder.parent}", *addresses.options(self.run.tracking_uri))

    def _end_unfinished(self):
        """Where the store takes at least that, the run does not stay RUNNING until the rest is uploaded."""
        if self.owned and not self._hurry.is_set():
            with contextlib.suppress(TrackingError):
                send(self.run, (), Delivery(0, status="FAILED"))

    def put(self, delivery: Delivery) -> None:
        """Hand over a delivery; waits while too many are under way.

        Raises:
            TrackingError: an earlier delivery could neither be sent nor spooled, the run is gone, the outbox has
                ended, or this process is a fork of the one that sends.
        """
        if os.getpid() != self._process:
            raise TrackingError(
                f"run {self.run.run_id}: a forked process cannot log into it; log from the process that began it"
            )
        self._room.acquire()
        with self._gate:
            if self.failure is None and not self._last_is_in:
                self._queue.put(delivery)
                return
        self._room.release()  # for whoever else waits, and the next call
        raise self.failure or TrackingError(f"run {self.run.run_id}: nothing can be logged after its end")

    def _end(self, last):
        try:
            with failures.uninterrupted(), self._gate:
                self._last_is_in = True
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
                        send(self.run, (), Delivery(0, status="FAILED"))
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
        offline = bool(spool.waiting_in(self.folder))
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
        spool.deliver(self.run, self.folder)
        send(self.run, files, delivery)

    def _say_retry(self, state):
        if state.attempt_number == 1:
            again = "note: {error}; trying again for up to {seconds} s"
            self.say(translate(again, error=state.outcome.exception(), seconds=self.patience))

    def _spool(self, files, delivery, offline):
        spool.put(self.run, self.folder, files, delivery, self.checkpoints)
        if not offline:
            away = "note: {store} takes nothing; observations go to {folder}"
            self.say(translate(away, store=self.run.tracking_uri, folder=self.folder))

    def _not_spooled(self, error):
        return TrackingError(
            f"run {self.run.run_id}: an observation could neither be logged nor written to {self.folder} ({error}); "
            "what was committed before is safe: make room, then resume=true"
        )
