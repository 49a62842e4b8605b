"""Refuse requests without the token, from other pages, to another host name, or of more than `MAX_BODY_BYTES` bytes.

The token keeps out other users of the machine. The Host header keeps out pages whose name was rebound to this machine
(DNS rebinding). The Origin header keeps out requests that other pages make the browser send.
"""

import ipaddress
import secrets
import socket
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 1 << 20  # bytes of a request
KNOWN = "datamap.known"  # key in the scope of a request whose client knows the token
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NO_PAGE = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


class Guard:
    """Refuse forbidden requests to an ASGI application, and add `HEADERS` to every answer."""

    def __init__(self, app: ASGIApp, token: str, loopback: bool) -> None:
        self.app, self.token, self.loopback = app, token.encode(), loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it with one line."""
        if scope["type"] != "http":
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Content-Security-Policy", NO_PAGE)
            await send(message)

        refused = self._refusal(scope)
        if refused is None:
            scope[KNOWN] = True
            scope["body"] = body = await _body(receive)
            if body is None:  # the client disconnected before the end of its request
                return
            if len(body) > MAX_BODY_BYTES:
                refused = 413, "the request is too large"
        if refused:
            await refusal(*refused)(scope, receive, sealed)
        else:
            await self.app(scope, receive, sealed)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return (HTTP status, reason) of a forbidden request; None if it is allowed."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not _is_ours(host, self.loopback):
            return 403, "the request names another server (Host)"
        if headers.get("origin", f"http://{host}") != f"http://{host}":
            return 403, "requests from other pages are refused (Origin)"
        if scope["path"] == "/":
            query = parse_qs(scope["query_string"].decode("latin-1"))
            given = query.get("token", [""])[-1]
        else:
            given = headers.get("x-token", "")
        if not secrets.compare_digest(given.encode(), self.token):
            return 403, "wrong or missing token: open the address that datamap review printed"
        return None


def refusal(status: int, reason: str) -> Response:
    """Return an answer that gives on one line the reason why a request is refused."""
    return JSONResponse({"error": " ".join(reason.split())}, status)


def _is_ours(host: str, loopback: bool) -> bool:
    """Tell whether a Host is safe from DNS rebinding: an IP address, localhost, or this machine's own name."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    name = name.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return not loopback and name in (socket.gethostname().lower(), socket.getfqdn().lower())
    return address.is_loopback or not loopback


async def _body(receive: Receive) -> bytes | None:
    """Return a request's body, cut somewhere beyond `MAX_BODY_BYTES` bytes; None if its client disconnected."""
    content, more = b"", True
    while more and len(content) <= MAX_BODY_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        content += message.get("body", b"")
        more = message.get("more_body", False)
    return content
