"""Advise what to do about a file: by a key of `data` where the command has these keys, else by a change of the file."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_has_keys = ContextVar("has_keys", default=True)


@contextlib.contextmanager
def without_keys() -> Iterator[None]:
    """Advise changes of the file within this context, as the command has no keys of `data`."""
    token = _has_keys.set(False)
    try:
        yield
    finally:
        _has_keys.reset(token)


def advice(by_key: str, by_file: str) -> str:
    """Return the advice that fits the command: `by_key` names a key of `data`, `by_file` a change of the file.

    >>> with without_keys():
    ...     advice("name it: data.encoding=", "save it as UTF-8")
    'save it as UTF-8'
    """
    return by_key if _has_keys.get() else by_file
