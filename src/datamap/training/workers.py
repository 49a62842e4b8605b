"""Run trainings in worker processes, each of which trains one after the other."""

import contextlib
import multiprocessing
import pickle
import queue
import signal
import tempfile
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Generic, TypeVar

from datamap.errors import DataMapError, TrainingError

END_TIMEOUT = 30  # seconds that a worker has to end its run

Item = TypeVar("Item")


class Worker:
    """Start a process that calls `work` with the arguments that it is sent, until SIGTERM or this process's end.

    Args:
        work: function at the top level of a module, because it is pickled.
        first: first argument of each call.
    """

    def __init__(self, work: Callable, first: Any) -> None:
        context = multiprocessing.get_context("spawn")  # Paddle's threads do not survive a fork
        self.scratch = tempfile.TemporaryDirectory(prefix="datamap-")
        self.connection, theirs = context.Pipe()
        arguments = (theirs, work, first, self.scratch.name)
        self.process = context.Process(target=_serve, args=arguments, daemon=True)
        with _interrupts_held():
            self.process.start()
        theirs.close()

    def call(self, *arguments: Any) -> Any:
        """Call `work` in the process, and return its result.

        Raises:
            TrainingError: the process ended.
            BaseException: the exception that `work` raised.
        """
        try:
            self.connection.send(arguments)
            result, trace = self.connection.recv()
        except (EOFError, OSError) as error:
            raise TrainingError(
                "a worker process was killed, perhaps because memory ran out; "
                "set trainer.jobs=1 to train one model at a time"
            ) from error
        if trace:
            raise result from (None if isinstance(result, DataMapError) else RuntimeError(trace))
        return result

    def ended(self) -> None:
        """Wait for the end of a process that was sent SIGTERM, and kill it after `END_TIMEOUT`.

        A second SIGTERM would interrupt the work that ends its run.
        """
        self.process.join(END_TIMEOUT)
        self.process.kill()
        self.process.join()
        self.scratch.cleanup()


class WorkerPool(contextlib.AbstractContextManager, Generic[Item]):
    """Run workers that share a queue of items; as a context it ends them.

    Args:
        left: the items; `next` removes one for this process.
        count: number of workers.
        work: function that each `Worker` calls.
        first: first argument of each call.
        take: function that is called in a thread with a `Worker` and the item to work on.
    """

    def __init__(
        self, left: deque[Item], count: int, work: Callable, first: Any, take: Callable[[Worker, Item], None]
    ) -> None:
        self.left, self.count, self.work, self.first, self.take = left, count, work, first, take
        self.workers: list[Worker] = []
        self.failures: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()  # one entry per worker

    def __enter__(self) -> "WorkerPool[Item]":
        try:
            for _ in range(min(self.count, len(self.left))):
                self.workers.append(Worker(self.work, self.first))
                threading.Thread(target=self._feed, args=self.workers[-1:], daemon=True).start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def next(self) -> Item | None:
        """Remove and return the next item; None when none is left."""
        try:
            return self.left.popleft()
        except IndexError:
            return None

    def wait(self) -> None:
        """Wait until the workers have processed all items.

        Raises:
            BaseException: the exception that `take` raised.
        """
        for _ in self.workers:
            failure = self.failures.get()
            if failure:
                raise failure

    def _feed(self, worker: Worker) -> None:
        failure = None
        try:
            while (item := self.next()) is not None:
                self.take(worker, item)
        except BaseException as error:
            failure = error
            self.left.clear()
        self.failures.put(failure)

    def _end(self) -> None:
        self.left.clear()
        for worker in self.workers:
            worker.process.terminate()  # all at once, because each may need a while to end
        for worker in self.workers:
            worker.ended()


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold back Ctrl-C during the block; a process that starts in it ignores Ctrl-C, because this process ends it."""
    resource_tracker.ensure_running()  # else the first worker would start it, and that unblocks Ctrl-C
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, work: Callable, first: Any, scratch: str) -> None:
    tempfile.tempdir = scratch  # this process removes it, as a killed worker cannot
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):
        interrupted = False
        while not interrupted:
            arguments = connection.recv()
            try:
                answer = work(first, *arguments), ""
            except BaseException as error:
                answer = _sendable(error), traceback.format_exc()
                interrupted = isinstance(error, KeyboardInterrupt)
            connection.send(answer)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    signal.raise_signal(signal.SIGKILL)


def _sendable(error: BaseException) -> BaseException:
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:  # its constructor does not accept a message alone
        return RuntimeError(f"{type(error).__name__}: {error}")
