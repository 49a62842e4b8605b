"""The review's web server, for as long as somebody reviews."""

import contextlib
import ipaddress
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable

from datamap.errors import ConfigError, raised_as
from datamap.review.review import Review


def serve(review: Review, host: str, port: int, open_page: bool, started: Callable[[str], None]) -> None:
    """Serve the review until Ctrl-C or SIGTERM.

    Args:
        review: what is served.
        host: address to listen at.
        port: 0 = a free one.
        open_page: whether to open the page in the user's browser.
        started: called with the page's address once it can be opened.
    Raises:
        ConfigError: the port is taken, or the host is not this machine's.
    """
    import uvicorn

    from datamap.review.app import application

    token = secrets.token_urlsafe(32)
    with _listening(host, port) as listener:
        app = application(review, token, _is_loopback(listener))
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", ws="none", server_header=False,
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        server = uvicorn.Server(config)
        address = f"http://{_named(listener)}/?token={token}"
        started(address)
        if open_page:
            threading.Timer(0.5, webbrowser.open, [address]).start()
        with contextlib.suppress(KeyboardInterrupt):  # which uvicorn raises again when it is through
            server.run(sockets=[listener])


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
