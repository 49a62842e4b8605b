"""Find the processes that train together, by PyTorch or by Paddle, and exchange values with them."""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from datamap.errors import ConfigError, DataMapError, SignalError, reason
from datamap.log import say

NOTE_AFTER = 15  # seconds of waiting for the other processes
Result = TypeVar("Result")

# What launchers set: (index of this process, number of processes, call that must come first).
LAUNCHERS = (
    ("RANK", "WORLD_SIZE", "torch.distributed.init_process_group()"),
    ("PADDLE_TRAINER_ID", "PADDLE_TRAINERS_NUM", "paddle.distributed.init_parallel_env()"),
)


class Processes:
    """Represent this process among those that train together; by default it trains alone.

    `index` is 0 in the process that owns the MLflow run; `count` is the number of processes.
    """

    def __init__(self, index: int = 0, count: int = 1, exchange: Callable[[Any], list] | None = None) -> None:
        """Represent process `index` of `count`; `exchange(value)` returns the values of all of them, in order."""
        self.index, self.count, self._exchange = index, count, exchange

    @property
    def first(self) -> bool:
        """Tell whether this process owns the run."""
        return self.index == 0

    def gather(self, value: Any) -> list:
        """Return [value of process 0, of process 1, …] in every process; wait for all of them."""
        return self._exchange(value) if self._exchange else [value]

    def agree(self, action: Callable[[], Result]) -> list[Result]:
        """Call `action()` in every process, and return [result in process 0, in process 1, …] in every process.

        If it raises in one process, it raises in all, so that none waits for another one that stopped.

        Raises:
            DataMapError: what this process's action raised, else what another one's did.
        """
        if self.count == 1:
            return [action()]
        result, raised = None, None
        try:
            result = action()
        except Exception as error:  # a bug must not keep the others waiting either
            raised = error
        kind = type(raised) if isinstance(raised, DataMapError) else raised and SignalError
        found = self.gather((result, kind, str(raised)))
        if raised:
            raise raised
        for index, (_, kind, message) in enumerate(found):
            if kind:
                raise kind(f"process {index}: {message}")
        return [value for value, _, _ in found]

    def sum(self, array: np.ndarray) -> np.ndarray:
        """Sum an array over the processes, in every process."""
        return np.sum(self.gather(array), axis=0) if self.count > 1 else array

    def rows(self, samples: int, index: int | None = None) -> range:
        """Return the range of rows, of `samples`, that belongs to a process (this one by default)."""
        index = self.index if index is None else index
        return range(samples * index // self.count, samples * (index + 1) // self.count)


def joined_processes() -> Processes:
    """Return the processes that `torchrun`, `accelerate` or `paddle.distributed.launch` started, this one among them.

    Neither framework is imported: the one that trains is imported already. All processes call this together.

    Raises:
        ConfigError: several processes were started, but have not joined yet.
    """
    for join in (_by_torch, by_paddle):
        found = join()
        if found:
            return found
    for index, count, call in LAUNCHERS:
        if os.environ.get(index) and os.environ.get(count, "1") not in ("", "1"):
            raise ConfigError(
                f"{count}={os.environ[count]}, but the processes have not joined: record after {call}, or give "
                "gathered=True to the recorder of the one process that records"
            )
    return Processes()


def _by_torch() -> Processes | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return None
    there = torch.distributed
    count = there.get_world_size()
    if count == 1:
        return Processes()
    # Signals are exchanged on the CPU, apart from the gradients: a group of its own keeps both in order.
    group = there.new_group(backend="gloo")

    def exchange(value):
        values: list = [None] * count
        there.all_gather_object(values, value, group=group)
        return values

    with _note_of_waiting():
        _explained(exchange)(None)
    return Processes(there.get_rank(), count, _explained(exchange))


def by_paddle() -> Processes | None:
    """Return the processes that Paddle has joined; None where there is but one."""
    paddle = sys.modules.get("paddle")
    if paddle is None or not paddle.distributed.is_initialized() or paddle.distributed.get_world_size() == 1:
        return None

    def exchange(value):
        values: list = []
        paddle.distributed.all_gather_object(values, value)
        return values

    return Processes(paddle.distributed.get_rank(), paddle.distributed.get_world_size(), _explained(exchange))


@contextlib.contextmanager
def _note_of_waiting() -> Iterator[None]:
    """Say what is waited for, if it takes long: a script may make a recorder in one process only."""
    note = "note: waiting for the other processes: create a recorder in each, or pass gathered=True to the only one"
    timer = threading.Timer(NOTE_AFTER, say, [note])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _explained(exchange):
    def explained(value):
        try:
            return exchange(value)
        except RuntimeError as error:  # of PyTorch and Paddle alike
            raise SignalError(
                f"another process of this training ended or does not answer: {reason(error)}"
            ) from error

    return explained
