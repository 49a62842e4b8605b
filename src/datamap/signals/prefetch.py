"""Work ahead in threads, and yield the results in order."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
V = TypeVar("V")
THREADS = min(4, os.cpu_count() or 1)  # each holds one file of signals, or some thousand samples


def thread_pool() -> ThreadPoolExecutor:
    """Return a pool of as many threads as there are cores, up to four; more would only cost memory."""
    return ThreadPoolExecutor(THREADS)


def results_of(call: Callable[[V], T], values: Iterable[V], pool: ThreadPoolExecutor | None) -> Iterator[T]:
    """Yield the results of `call(value)` in order, from the threads of a pool, or from this one without a pool."""
    return (
        results_in_order(lambda value: pool.submit(call, value), values, THREADS)
        if pool
        else map(call, values)
    )


def results_in_order(submit: Callable[[V], "Future[T]"], values: Iterable[V], ahead: int) -> Iterator[T]:
    """Yield the results of `submit(value)` in order; at most `ahead` of them run or wait at a time."""
    waiting: deque = deque()
    for value in values:
        waiting.append(submit(value))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
