"""Bound the connections of the review's server in number, and in the time that a request may take.

A client without the token can open connections and send nothing. The server closes such a connection after
`REQUEST_TIMEOUT`, or earlier if another one needs its place, so that the reviewer can always connect.
"""

import asyncio
import contextlib
import errno
import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from datamap.log import say
from datamap.review.guard import KNOWN

# Seconds from the connection, or from the last answer, until a request must be complete.
REQUEST_TIMEOUT = 10.0
MAX_CONNECTIONS = 64
FREE_FILES = 24  # open files kept free for other purposes, such as connections that are not yet counted
ACCEPTED_AT_ONCE = 16  # connections accepted before the first of them is counted
QUEUE = 512  # connections that the system queues until they are accepted
MAX_ERRORS = 20  # different errors that are logged, each of them once


class Connection(H11Protocol):
    """Close a connection whose request does not arrive in time."""

    since = 0.0  # time of the connection, in seconds of the monotonic clock
    was_known = False  # true if an earlier request had the token
    deadline: asyncio.TimerHandle | None = None

    @property
    def is_known(self) -> bool:
        """Tell whether its client knows the token."""
        return self.was_known or (self.scope is not None and KNOWN in self.scope)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request; if there are too many connections, close the oldest, without a token first."""
        super().connection_made(transport)
        self.since = time.monotonic()
        self._watch()
        open_ones: list[Any] = [one for one in self.connections if not one.transport.is_closing()]
        others = [one for one in open_ones if one is not self]
        unknown = [one for one in others if not one.is_known]
        if len(others) >= MAX_CONNECTIONS or (unknown and _free_files() < FREE_FILES):
            min(unknown or others, key=lambda one: one.since).transport.abort()

    def data_received(self, data: bytes) -> None:
        """Process a part of a request."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self.was_known = self.is_known
        self._stop_watching()
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting for a request."""
        self._stop_watching()
        super().connection_lost(exc)

    def _watch(self):
        """Set a deadline while a request is incomplete, and clear it otherwise."""
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._stop_watching()
        elif self.deadline is None:
            self.deadline = self.loop.call_later(REQUEST_TIMEOUT, self.transport.abort)

    def _stop_watching(self):
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None


def _free_files() -> float:
    """Return the number of files that this process may still open."""
    try:
        import resource
    except ImportError:  # Windows
        return float("inf")
    with contextlib.suppress(OSError):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return (
            float("inf") if limit == resource.RLIM_INFINITY else limit - len(list(Path("/dev/fd").iterdir()))
        )
    return 0


def server(app: Any) -> "Server":
    """Return the server of an ASGI application, with bounds on connections and open files."""
    config = uvicorn.Config(
        app, loop="asyncio", http=Connection, backlog=ACCEPTED_AT_ONCE, log_config=None, log_level="error",
        access_log=False, lifespan="off", ws="none", server_header=False, proxy_headers=False,
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    return Server(config)


class Server(uvicorn.Server):
    """Serve on through a shortage of open files."""

    is_short = False  # true while files are short, which is printed once

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        asyncio.get_running_loop().set_exception_handler(self._explain)
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(QUEUE)  # asyncio's `backlog` sets both; this restores the queue

    def _explain(self, loop, context):
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in (errno.EMFILE, errno.ENFILE):
            loop.default_exception_handler(context)
            return
        connections: list[Any] = list(self.server_state.connections)
        for one in connections:
            if not one.is_known:
                one.transport.abort()
        if not self.is_short:
            self.is_short = True
            say(
                "note: the limit on open files is reached, so idle connections are closed (raise it: ulimit -n)"
            )


@contextlib.contextmanager
def errors_logged_once() -> Iterator[None]:
    """Log each error of the server once, so that a hostile client cannot flood the terminal.

    Log none of an answer that Ctrl-C breaks off: a decision that is being stored is stored all the same.
    """
    seen: set[tuple[str, str]] = set()

    def is_new(record: logging.LogRecord) -> bool:
        kind = record.exc_info[1] if record.exc_info else None
        if isinstance(kind, asyncio.CancelledError) or "graceful shutdown" in str(record.msg):
            return False
        key = record.msg, repr(kind)
        if key in seen or len(seen) >= MAX_ERRORS:
            return False
        seen.add(key)
        return True

    loggers = [logging.getLogger(name) for name in ("asyncio", "uvicorn.error")]
    for logger in loggers:
        logger.addFilter(is_new)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_new)
