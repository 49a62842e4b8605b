"""Send what training makes into its run, in a thread: in order, with retries, and into a spool if these fail.

put(Delivery) → queue → thread → run
                           └──→ <spool>/<run id>/<number>/ … → spool.deliver (datamap upload)
"""

import contextlib
import os
import queue
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from datamap.errors import RunLostError, TrackingError, interrupted
from datamap.log import say
from datamap.program import invocation
from datamap.tracking import addresses, failures, spool
from datamap.tracking.delivery import Delivery, send
from datamap.tracking.failures import status_after
from datamap.tracking.run import Run
from datamap.translations import Amount

WAITING = 2  # deliveries in the queue before training has to wait


class Outbox:
    """Send deliveries in a thread; at the end of its block all are sent or spooled, and the run has its status.

    Args:
        run: run to send into.
        timeout: seconds for which a delivery is retried before it is spooled.
        spool_folder: folder for deliveries that could not be sent.
        checkpoints: folder of the run's checkpoints; the spool keeps only the newest, and the run none when training
            ends without an error.
        owned: true if the outbox sets the run's final status.
    """

    def __init__(
        self, run: Run, timeout: float, spool_folder: str | Path, checkpoints: str | None = None, owned: bool = True
    ) -> None:  # fmt: skip
        self.owned = owned
        self.run, self.timeout, self.checkpoints = run, timeout, checkpoints
        self.folder = Path(spool_folder, run.run_id)
        self.failure: BaseException | None = None
        self._refused = 0.0  # time of the last failure; an offline store is tried only once in a while
        self._queue: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self._room = threading.Semaphore(WAITING + 1)  # + 1 for the delivery that is being sent
        self._last_is_in = False
        self._gate = threading.Lock()  # held to put a delivery, so that none follows the last one
        self._process = os.getpid()  # a fork has a copy of the outbox, but no thread that sends
        self._stop = threading.Event()
        # The end waits for this event instead of join(), which an interrupt can break (bpo-45274).
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name="outbox")

    def __enter__(self) -> "Outbox":
        if spool.waiting_in(self.folder):
            raise TrackingError(
                f"{self.folder} holds uploads of run {self.run.run_id}; send them first: {self._upload_command()}"
            )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if os.getpid() != self._process:
            return
        if interrupted(error):
            self._stop.set()  # the user wants to stop: make one attempt, then spool
        status = status_after(error) if self.owned else ""
        with self.run.reporting_end(self._stop.is_set()):
            again = self._end(Delivery(0, status=status, remove=None if kind else self.checkpoints))
        left = spool.waiting_in(self.folder)
        if left:
            if self.owned and not self._stop.is_set():
                self._end_failed()  # so that it does not stay RUNNING until the upload
            say(
                "{uploads} of run {run} wait in {folder}; when {store} is reachable again: {command}",
                uploads=Amount(len(left), "upload"),
                run=self.run.run_id,
                folder=self.folder,
                store=self.run.tracking_uri,
                command=self._upload_command(),
            )
        if kind is None and self.failure:
            raise self.failure
        if self.failure not in (None, error):
            say("note: {note}", note=self.failure)
        if kind is None and again:
            raise again
        if kind is None and left:
            raise TrackingError(f"{self.run.tracking_uri} did not accept everything; see the line above")

    def _upload_command(self):
        return invocation("upload", f"folder={self.folder.parent}", *addresses.options(self.run.tracking_uri))

    def _end_failed(self):
        """End the run as FAILED, unless its store is away, or it is deleted or taken over."""
        with contextlib.suppress(TrackingError):
            send(self.run, (), Delivery(0, status="FAILED"))

    def put(self, delivery: Delivery) -> None:
        """Put a delivery into the queue, and wait while the queue is full.

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
        self._room.release()  # so that other threads, and the next call, need not wait
        raise self.failure or TrackingError(
            f"run {self.run.run_id}: it has ended, so nothing more can be logged"
        )

    def _end(self, last):
        """Put the last delivery, and wait until all is sent or spooled; return an interrupt that came meanwhile."""
        try:
            self._put_last(last)
            self._done.wait()
        except KeyboardInterrupt as again:  # a second interrupt: do not retry, spool at once
            self._stop.set()
            self._put_last(last)
            self._done.wait()
            return again

    def _put_last(self, last):
        with failures.uninterrupted(), self._gate:
            if not self._last_is_in:
                self._last_is_in = self.run.ends_elsewhere = True
                self._queue.put(last)

    def _work(self):
        delivery = Delivery(0)
        while delivery.status is None:  # only the last one has a status
            delivery = self._queue.get()
            try:
                if self.failure is None:
                    self._deliver(delivery)
                elif delivery.status:
                    self._end_failed()
            except TrackingError as error:
                self.failure = error
            except OSError as error:
                self.failure = self._not_spooled(error)
            except BaseException as error:  # a bug: the main thread raises it
                self.failure = error
            finally:
                self._room.release()
        self._done.set()

    def _deliver(self, delivery):
        made = delivery.files()
        files = made if isinstance(made, Sequence) else list(made)
        offline = bool(spool.waiting_in(self.folder))
        lately = offline and time.monotonic() - self._refused < failures.MAX_PAUSE
        if lately and delivery.status is None:
            self._spool(files, delivery, offline)
            return
        retry = failures.retry_policy(0 if offline else self.timeout, self._stop, self._say_retry)
        try:
            retry(self._send_all, files, delivery)
        except RunLostError:
            raise
        except TrackingError:
            self._refused = time.monotonic()
            self._spool(files, delivery, offline)
            return
        if delivery.then and not self._stop.is_set():
            delivery.then(self.run)

    def _send_all(self, files, delivery):
        spool.deliver(self.run, self.folder)
        send(self.run, files, delivery)

    def _say_retry(self, state):
        if state.attempt_number == 1:
            again = "note: {error}; retrying for up to {seconds} s"
            say(again, error=state.outcome.exception(), seconds=self.timeout)

    def _spool(self, files, delivery, offline):
        spool.put(self.run, self.folder, files, delivery, self.checkpoints)
        if not offline:
            away = "note: cannot write to {store}; observations go to {folder} instead"
            say(away, store=self.run.tracking_uri, folder=self.folder)

    def _not_spooled(self, error):
        return TrackingError(
            f"run {self.run.run_id}: an observation could neither be logged nor written to {self.folder} ({error}); "
            "committed observations are safe: free some space, then set resume=true"
        )
