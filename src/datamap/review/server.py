"""The review's web server, for as long as somebody reviews."""

import contextlib
import ipaddress
import socket
import threading
import webbrowser
from collections.abc import Callable

from datamap.errors import ConfigError, raised_as
from datamap.review import address as addresses
from datamap.review.address import Address
from datamap.review.review import Review


def serve(review: Review, host: str, port: int, open_page: bool, started: Callable[[str], None]) -> None:
    """Serve the review until Ctrl-C or SIGTERM.

    Args:
        review: what is served.
        host: address to listen at.
        port: 0 = that of the run's last review, with its token, where it is free; else any that is.
        open_page: whether to open the page in the user's browser.
        started: called with the page's address once it can be opened.
    Raises:
        ConfigError: the port is taken, or the host is not this machine's.
    """
    import uvicorn

    from datamap.review.app import application

    listener, address = _at(review.about.run_id, host, port)
    with listener:
        app = application(review, address.token, _is_loopback(listener))
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", ws="none", server_header=False,
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        server = uvicorn.Server(config)
        page = f"http://{_named(listener)}/?token={address.token}"
        started(page)
        if open_page:
            threading.Timer(0.5, webbrowser.open, [page]).start()
        with contextlib.suppress(KeyboardInterrupt):  # which uvicorn raises again when it is through
            server.run(sockets=[listener])


def _at(run_id: str, host: str, port: int) -> tuple[socket.socket, Address]:
    """(a listening socket, its address); that of the last review where it is free, so that an open page goes on."""
    last = addresses.kept(run_id)
    if last and port in (0, last.port):
        with contextlib.suppress(ConfigError):
            return _listening(host, last.port), last
    listener = _listening(host, port)
    address = addresses.new(listener.getsockname()[1])
    if last is None or port:  # else the last one is that of a server which still runs
        addresses.keep(run_id, address)
    return listener, address


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with raised_as(ConfigError, f"host={host} port={port}", OSError, OverflowError):
        return socket.create_server((host, port), family=family)


def _is_loopback(listener: socket.socket) -> bool:
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def _named(listener: socket.socket) -> str:
    """Host and port as an address has them; a name of this machine where it listens at all of its addresses."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = socket.gethostname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
