"""Map the server's addresses to methods of `Review`; answers are JSON or bytes, and every error is one line."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from datamap.errors import DataMapError, TrackingError
from datamap.review import queries
from datamap.review.decisions import MAX_NAME_LENGTH, is_name
from datamap.review.guard import Guard, refusal
from datamap.review.queries import RequestError
from datamap.review.review import Review
from datamap.translations import chinese
from datamap.web import pages

PAGE = Path(__file__).parent / "page"
FRAMED = "frame-ancestors 'none'"  # only a header can set this policy; page.html has the others


def application(review: Review, token: str, loopback: bool = True) -> Guard:
    """Return the ASGI application of a review, behind a `Guard`.

    Args:
        review: the review to serve.
        token: token that a request must have.
        loopback: accept only requests to a loopback address or localhost.
    """
    return Guard(Starlette(routes=_Answers(review).routes(), exception_handlers=HANDLERS), token, loopback)


def review_page(lang: str = "en") -> bytes:
    """Return the review page, one HTML file in UTF-8 without data, which requests the data from the server.

    Args:
        lang: language of the page, "en" or "zh".
    """
    words = chinese("shown") if lang == "zh" else {}
    return pages.assemble(PAGE, [PAGE / "main.js"], {"words": words}, lang)


class _Answers:
    """Answer requests, by one method per address; the guard has read their bodies."""

    def __init__(self, review: Review) -> None:
        self.review = review

    def routes(self) -> list[Route]:
        return [
            Route("/", self.page),
            Route("/api/run", _as_json(lambda request: self.review.describe())),
            Route("/api/map", lambda request: _as_bytes(self.review.map())),
            Route("/api/order", self.order, methods=["POST"]),
            Route("/api/samples", _as_json(self.samples), methods=["POST"]),
            Route(
                "/api/find", _as_json(lambda request: self.review.find(request.query_params.get("id", "")))
            ),
            Route("/api/sample/{row}", _as_json(lambda r: self.review.sample(self.row(r), self.who(r)))),
            Route("/api/neighbors/{row}", _as_json(lambda r: self.review.near(self.row(r), self.who(r)))),
            Route("/api/decisions", _as_json(self.decide), methods=["POST"]),
            Route("/api/selection", _as_json(self.save), methods=["POST"]),
            Route("/api/progress", _as_json(lambda request: self.review.progress(self.who(request)))),
        ]

    def page(self, request: Request) -> Response:
        content = review_page(self.review.about.lang)
        return Response(content, media_type="text/html", headers={"Content-Security-Policy": FRAMED})

    def order(self, request: Request) -> Response:
        query = queries.parsed(queries.Query, request.scope["body"])
        return _as_bytes(self.review.order(query, self.who(request)))

    def save(self, request: Request) -> Any:
        query = queries.parsed(queries.Query, request.scope["body"])
        return self.review.save(query, self.who(request))

    def samples(self, request: Request) -> Any:
        asked = queries.parsed(queries.Listed, request.scope["body"])
        return self.review.listed(asked.rows, self.who(request))

    def decide(self, request: Request) -> Any:
        asked = queries.parsed(queries.Verdict, request.scope["body"])
        return self.review.decide(asked.row, asked.action, asked.label, self.who(request))

    def row(self, request: Request) -> int:
        digits = request.path_params["row"]
        if not re.fullmatch("[0-9]+", digits):
            raise HTTPException(404)
        return int(digits[:20])  # no run has a row of so many digits

    def who(self, request: Request) -> str:
        return _reviewer(request, self.review.about.reviewer)


def _as_json(answer: Callable[[Request], Any]) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        return JSONResponse(answer(request))

    return endpoint


def _as_bytes(content: bytes) -> Response:
    return Response(content, media_type="application/octet-stream")


def _reviewer(request: Request, default: str) -> str:
    """Return the reviewer's name from the request's header, in which it is percent-encoded.

    Raises:
        RequestError: the header is not UTF-8, or the name is too long or not printable.
    """
    try:
        name = " ".join(unquote(request.headers.get("x-reviewer", ""), errors="strict").split())
    except UnicodeDecodeError as error:
        raise RequestError("X-Reviewer is not percent-encoded UTF-8") from error
    if name and not is_name(name):
        raise RequestError(f"X-Reviewer must be a name of at most {MAX_NAME_LENGTH} printable characters")
    return name or default


def _no_such_address(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    reasons = {404: "no such address", 405: "this address does not accept that method"}
    return refusal(error.status_code, reasons.get(error.status_code, error.detail))


HANDLERS: dict[Any, Callable[[Request, Exception], Response]] = {
    RequestError: lambda request, error: refusal(400, str(error)),
    queries.UnknownSampleError: lambda request, error: refusal(404, str(error)),
    TrackingError: lambda request, error: refusal(503, str(error)),  # the page retries
    DataMapError: lambda request, error: refusal(409, str(error)),
    HTTPException: _no_such_address,
    Exception: lambda request, error: refusal(500, "a bug in Data Map; the terminal has its traceback"),
}
