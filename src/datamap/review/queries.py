"""Check a page's requests, and select the samples that a filter asks for."""

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamap.errors import DataMapError, first_few
from datamap.labels.diagnosis import REGIONS
from datamap.review.journal import Journal
from datamap.review.samples import ReviewSamples

ORDERS = ("score", "uncertain", "id")
DECIDED = ("no", "nobody", "yes", "conflict")  # "no": not by the reviewer who asks
MOST_ROWS = 200  # in one answer
MOST_CORNERS = 10_000


class RequestError(DataMapError):
    """Report an invalid request; the message says why it is refused."""


class UnknownSampleError(RequestError):
    """Report a request for a sample that the run does not have."""


class Query(NamedTuple):
    """Hold a checked request for a queue: the rows that pass `filter`, in an order of `ORDERS`."""

    filter: dict[str, Any]
    order: str


def decoded(body: bytes) -> Any:
    """Return a request's JSON.

    Raises:
        RequestError: the body is not JSON, or a text in it has half of a surrogate pair.
    """
    try:
        found = json.loads(body)
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise RequestError("a text of the request is no Unicode (half of a surrogate pair)") from error
    except (ValueError, RecursionError) as error:
        raise RequestError("the request is no JSON, or has a number of too many digits") from error
    return found


def row(text: str, samples: int) -> int:
    """Return the row whose digits an address contains.

    Raises:
        RequestError: the run has no such row.
    """
    if len(text) > 18 or int(text) >= samples:
        raise RequestError(f"there is no sample {text[:18]} (rows: 0 to {samples - 1})")
    return int(text)


def parsed(body: object, classes: int) -> Query:
    """Return the query of a request's JSON.

    Raises:
        RequestError: a key is unknown, or a value of the wrong type or out of range.
    """
    body = dictionary(body, "the request", ("filter", "order"))
    given = dictionary(body.get("filter") or {}, "filter", tuple(CHECKS))
    filter = {key: CHECKS[key](value, classes) for key, value in given.items() if value is not None}
    return Query(filter, choice(body.get("order", ORDERS[0]), "order", ORDERS))


def rows(body: object, samples: int) -> list[int]:
    """Return the rows of a request's JSON.

    Raises:
        RequestError: the JSON is not a list of at most `MOST_ROWS` rows.
    """
    found = dictionary(body, "the request", ("rows",)).get("rows")
    if not isinstance(found, list) or len(found) > MOST_ROWS:
        raise RequestError(f"rows is no list of at most {MOST_ROWS} rows")
    return [integer(row, "a row", samples - 1) for row in found]


def dictionary(value: object, what: str, keys: tuple[str, ...]) -> dict[str, Any]:
    """Return `value`, which must be a JSON object with no other keys than these."""
    if not isinstance(value, dict):
        raise RequestError(f"{what} is no JSON object")
    unknown = [key for key in value if key not in keys]
    if unknown:
        shown = first_few([key[:50] for key in unknown])
        raise RequestError(f"{what} has an unknown key {shown} (known: {first_few(keys, 20)})")
    return value


def integer(value: object, what: str, most: int) -> int:
    """Return `value`, which must be a whole number from 0 to `most`."""
    if type(value) is not int or not 0 <= value <= most:
        raise RequestError(f"{what} is no whole number from 0 to {most}: {_shown(value)}")
    return value


def choice(value: object, what: str, allowed: tuple[str, ...]) -> str:
    """Return `value`, which must be one of the allowed words."""
    if not isinstance(value, str) or value not in allowed:
        raise RequestError(f"{what}={_shown(value)}: choose {', '.join(allowed)}")
    return value


def _shown(value: object) -> str:
    """Return a value for a message, of a list only its type, as it may be nested too deep to be written."""
    return str(value)[:50] if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"


def _several(what: str, allowed: tuple[str, ...] | None = None) -> Callable[[object, int], list[int]]:
    """Return a function that checks a list of class indices, or of `allowed` words, and returns indices."""

    def check(value: object, classes: int) -> list[int]:
        if not isinstance(value, list):
            raise RequestError(f"filter.{what} is no list")
        if allowed:
            return [allowed.index(choice(one, f"filter.{what}", allowed)) for one in value]
        return [integer(one, f"filter.{what}", classes - 1) for one in value]

    return check


def _numbers(value: object, what: str, count: int) -> np.ndarray:
    if isinstance(value, list) and len(value) == count and all(type(n) in (int, float) for n in value):
        with contextlib.suppress(OverflowError):  # an integer such as 10^400 has no float
            array = np.array([float(n) for n in value])
            if np.isfinite(array).all():
                return array
    raise RequestError(f"{what} is not {count} numbers")


def _polygon(value: object, classes: int) -> np.ndarray:
    if not isinstance(value, list) or not 3 <= len(value) <= MOST_CORNERS:
        raise RequestError(f"filter.polygon is no list of 3 to {MOST_CORNERS:,} points")
    return np.array([_numbers(point, "a point of filter.polygon", 2) for point in value])


def _text(value: object, classes: int) -> str:
    if not isinstance(value, str) or len(value) > 1000:
        raise RequestError("filter.text is no text of at most 1,000 characters")
    return value


CHECKS: dict[str, Callable[[object, int], Any]] = {
    "region": _several("region", REGIONS),
    "label": _several("label"),
    "proposed": _several("proposed"),
    "score": lambda value, classes: _numbers(value, "filter.score", 2),
    "text": _text,
    "polygon": _polygon,
    "decided": lambda value, classes: choice(value, "filter.decided", DECIDED),
}


def mask(
    samples: ReviewSamples, scores: np.ndarray, journal: Journal, filter: Mapping[str, Any], who: str
) -> np.ndarray:
    """Return the samples that pass the filter of a query by the reviewer `who`, as a bool array (N,)."""
    passed = np.ones(len(samples), bool)
    for key, values in (
        ("region", samples.regions),
        ("label", samples.labels),
        ("proposed", samples.proposed),
    ):
        if key in filter:
            passed &= np.isin(values, filter[key])
    if "score" in filter:
        low, high = filter["score"]
        passed &= (scores >= low) & (scores <= high)
    if filter.get("text"):
        passed &= _containing(samples, filter["text"])
    if "polygon" in filter:
        passed &= inside(samples.x, samples.y, filter["polygon"])
    if "decided" in filter:
        passed &= _decided(journal, filter["decided"], who, len(samples))
    return passed


def _decided(journal: Journal, which: str, who: str, count: int) -> np.ndarray:
    if which == "conflict":
        return journal.in_conflict(count)
    decided = journal.decided(count, who if which == "no" else None)
    return decided if which == "yes" else ~decided


def _containing(samples: ReviewSamples, text: str) -> np.ndarray:
    """Return the samples whose texts or id contain a text, ignoring case, as a bool array (N,)."""
    found = np.zeros(len(samples), bool)
    has_case = text.upper() != text.lower()  # ignoring case takes ten times as long
    for column in (*samples.texts.values(), samples.ids.cast(pa.string())):
        found |= pc.match_substring(column, text, ignore_case=has_case).to_numpy(zero_copy_only=False)
    return found


def inside(x: np.ndarray, y: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Return the points that lie in a polygon, as a bool array (points,), by the even-odd rule.

    A ray from a point inside crosses the polygon's edges an odd number of times.

    >>> inside(np.array([0.5, 2]), np.array([0.5, 0.5]), np.array([[0, 0], [1, 0], [1, 1], [0, 1]])).tolist()
    [True, False]
    """
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    near = np.flatnonzero((x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1]))
    px, py, odd = x[near], y[near], np.zeros(len(near), bool)
    for (ax, ay), (bx, by) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if ay != by:
            crosses = (py < ay) != (py < by)
            odd ^= crosses & (px < ax + (py - ay) * (bx - ax) / (by - ay))
    found = np.zeros(len(x), bool)
    found[near] = odd
    return found
