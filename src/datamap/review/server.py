"""Serve a review over HTTP until the reviewer ends it, at an address that outlives it: an open page continues."""

import contextlib
import html
import ipaddress
import json
import os
import secrets
import socket
import tempfile
import threading
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field, TypeAdapter

from datamap.errors import ConfigError, raised_as
from datamap.review.review import Review


class Address(NamedTuple):
    """Hold the port at which a review is served, and the token that a request must have."""

    port: Annotated[int, Field(gt=0, lt=65536)]
    token: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{43}$")]


def serve(review: Review, host: str, port: int, open_page: bool, started: Callable[[str], None]) -> None:
    """Serve the review until Ctrl-C or SIGTERM.

    Args:
        review: the review to serve.
        host: address to listen at.
        port: port to listen at; 0 = that of the run's last review, with its token, if it is free, else any free port.
        open_page: open the page in the user's browser.
        started: function that is called with the page's address when the page can be opened.

    Raises:
        ConfigError: the port is taken, or the host is not this machine's.
    """
    from datamap.review.app import application
    from datamap.review.connections import errors_logged_once, server

    listener, address = _at(review.about.run_id, host, port)
    with listener, contextlib.ExitStack() as stack:
        loopback = ipaddress.ip_address(listener.getsockname()[0]).is_loopback
        served = server(application(review, address.token, loopback))
        page = f"http://{_named(listener)}/?token={address.token}"
        started(page)
        if open_page:
            threading.Timer(0.5, webbrowser.open, [stack.enter_context(_leading_to(page))]).start()
        stack.enter_context(errors_logged_once())
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again after its shutdown
            served.run(sockets=[listener])


@contextlib.contextmanager
def _leading_to(page: str) -> Iterator[str]:
    """Yield the address of a file that redirects to a page, and that only this user may read.

    A browser's command line shows its arguments to every user of the machine, and the page's address has the token.
    """
    with raised_as(ConfigError, "open=true: no temporary file can be written"):
        folder = tempfile.TemporaryDirectory(prefix="datamap-")  # noqa: SIM115  only this user may look into it
        file = Path(folder.name, "review.html")
        file.write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={html.escape(page)}">')
    with folder:
        yield file.as_uri()


def _at(run_id: str, host: str, port: int) -> tuple[socket.socket, Address]:
    """Return a listening socket and its address, those of the last review if free, so that an open page continues."""
    last = kept_address(run_id)
    if last and port in (0, last.port):
        with contextlib.suppress(ConfigError):
            return _listening(host, last.port), last
    listener = _listening(host, port)
    address = Address(listener.getsockname()[1], secrets.token_urlsafe(32))
    if last is None or port:  # else the server of the last address still runs, and needs it
        keep_address(run_id, address)
    return listener, address


def kept_address(run_id: str) -> Address | None:
    """Return the address of a run's last review by this user; None if its file is missing or damaged."""
    try:
        return TypeAdapter(Address).validate_json(_file(run_id).read_bytes(), strict=True)
    except (OSError, ValueError, RuntimeError):  # RuntimeError: no home folder
        return None


def keep_address(run_id: str, address: Address) -> None:
    """Write the address of a run's review to a file that only this user may read, if the user has a home folder."""
    with contextlib.suppress(OSError, RuntimeError):
        file = _file(run_id)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        written = file.with_suffix(f".{os.getpid()}")
        with open(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:  # noqa: PTH123
            json.dump(address._asdict(), stream)
        written.replace(file)


def _file(run_id: str) -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state, "datamap", "review", f"{Path(run_id).name}.json")


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with raised_as(ConfigError, f"host={host} port={port}", OSError, OverflowError):
        return socket.create_server((host, port), family=family)


def _named(listener: socket.socket) -> str:
    """Return "host:port" for a URL, with this machine's name if the socket listens at all addresses."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = socket.gethostname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
