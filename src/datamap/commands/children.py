"""Processes beside this one, each of which trains one extra training after the other."""

import contextlib
import multiprocessing
import pickle
import signal
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from datamap.errors import DataMapError, TrainingError


class Child:
    """A process that calls `work` with what it is sent; it ends with `end`, or with this process.

    Args:
        work: a function of a module.
        first: its first argument, each time.
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
        """What `work` returns; waits for it.

        Raises:
            TrainingError: the process ended.
            BaseException: what `work` raised.
        """
        try:
            self.connection.send(arguments)
            result, trace = self.connection.recv()
        except (EOFError, OSError) as error:
            raise TrainingError(
                "a process that trained beside this one was ended from outside, perhaps for want of memory; "
                "trainer.jobs=1 trains one after the other"
            ) from error
        if trace:
            raise result from (None if isinstance(result, DataMapError) else RuntimeError(trace))
        return result

    def end(self) -> None:
        """End the process at once, whatever it does."""
        self.process.kill()
        self.process.join()
        self.scratch.cleanup()


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """A process that is started meanwhile never sees Ctrl-C: this one ends it. Here it only waits."""
    resource_tracker.ensure_running()  # starting it, which a first process does otherwise, would let Ctrl-C in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, work: Callable, first: Any, scratch: str) -> None:
    tempfile.tempdir = scratch  # killed, the process removes nothing
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        while True:
            arguments = connection.recv()
            try:
                answer = work(first, *arguments), ""
            except BaseException as error:
                answer = _sendable(error), traceback.format_exc()
            connection.send(answer)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    signal.raise_signal(signal.SIGKILL)


def _sendable(error: BaseException) -> BaseException:
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:  # its constructor takes something else than its message
        return RuntimeError(f"{type(error).__name__}: {error}")
