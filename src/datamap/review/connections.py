"""Connections of the review's server: each must send its request in time, and there are never too many of them.

Whoever does not know the token can open connections and send nothing. Such a connection is closed after
`REQUEST_TIMEOUT`, or earlier where another one needs its place, so that the reviewer always gets in.
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

REQUEST_TIMEOUT = (
    10.0  # seconds from a connection, or from the answer before, until a request must be complete
)
MAX_CONNECTIONS = 64
FREE_FILES = 24  # open files that the process keeps for other things, among them connections not yet counted
ACCEPTED_AT_ONCE = 16  # connections, before the first of them is counted
QUEUE = 512  # connections that the system holds until they are accepted
MAX_ERRORS = 20  # different ones, of which each is logged once


class Connection(H11Protocol):
    """A connection that closes when a request does not arrive in time."""

    since = 0.0  # when it was made
    was_known = False  # whether one of its earlier requests had the token
    deadline: asyncio.TimerHandle | None = None

    @property
    def is_known(self) -> bool:
        """Whether its client knows the token."""
        return self.was_known or (self.scope is not None and KNOWN in self.scope)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request; close another connection where there are too many."""
        super().connection_made(transport)
        self.since = time.monotonic()
        self._watch()
        open_ones: list[Any] = [one for one in self.connections if not one.transport.is_closing()]
        others = [one for one in open_ones if one is not self]
        unknown = [one for one in others if not one.is_known]
        if len(others) >= MAX_CONNECTIONS or (unknown and _free_files() < FREE_FILES):
            min(unknown or others, key=lambda one: one.since).transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take in a part of a request."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self.was_known = self.is_known
        self._stop_watching()
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_watching()
        super().connection_lost(exc)

    def _watch(self):
        """Have a deadline as long as a request is not complete."""
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._stop_watching()
        elif self.deadline is None:
            self.deadline = self.loop.call_later(REQUEST_TIMEOUT, self.transport.abort)

    def _stop_watching(self):
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None


def _free_files() -> float:
    """Return how many more files this process may open."""
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
    """Return the server of an ASGI application, with all its bounds."""
    config = uvicorn.Config(
        app, loop="asyncio", http=Connection, backlog=ACCEPTED_AT_ONCE, log_config=None, log_level="error",
        access_log=False, lifespan="off", ws="none", server_header=False, proxy_headers=False,
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    return Server(config)


class Server(uvicorn.Server):
    """A server that lives through a shortage of open files."""

    is_short = False  # of files, which was said

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        asyncio.get_running_loop().set_exception_handler(self._explain)
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(QUEUE)  # asyncio has one number for both

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
            say("note: no more files can be opened; idle connections are closed (allow more: ulimit -n)")


@contextlib.contextmanager
def errors_logged_once() -> Iterator[None]:
    """Log each error of the server once: whoever can reach it must not fill the terminal."""
    seen: set[tuple[str, str]] = set()

    def is_new(record: logging.LogRecord) -> bool:
        kind = record.exc_info[1] if record.exc_info else None
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
