"""Copy results of forward passes to the host while the device computes the next ones."""

import sys
from collections import deque
from collections.abc import Iterator
from typing import Any

WAITING = 2  # results on the way to the host at a time


class HostCopies:
    """Hold results of PyTorch until their copies have arrived, so that no forward pass waits for the host.

    Results on a CPU pass through at once.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Any, Any]] = deque()

    def start(self, result: Any) -> Iterator[Any]:
        """Begin to copy the tensors in a tuple, or in a dict's values, and yield the results that have arrived."""
        cuda: Any = sys.modules["torch"].cuda
        if isinstance(result, dict):
            copies: Any = {name: _copied(value) for name, value in result.items()}
        else:
            copies = tuple(map(_copied, result))
        done = cuda.Event() if cuda.is_initialized() else None
        if done:
            done.record()
        self._waiting.append((done, copies))
        while len(self._waiting) > (WAITING if done else 0):
            yield self._next()

    def finish(self) -> Iterator[Any]:
        """Yield the results that have not been yielded yet."""
        while self._waiting:
            yield self._next()

    def _next(self):
        done, copies = self._waiting.popleft()
        if done:
            done.synchronize()
        return copies


def _copied(value):
    """Return a copy on the host, in pinned memory; what is no tensor of a device stays."""
    return value.detach().to("cpu", non_blocking=True) if getattr(value, "is_cuda", False) else value
