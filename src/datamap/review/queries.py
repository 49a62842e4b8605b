"""Check a page's requests, and select the samples that a filter asks for."""

from typing import Annotated, Literal, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from datamap.documents import first_problem
from datamap.errors import DataMapError
from datamap.review.decisions import Action
from datamap.review.journal import Journal
from datamap.review.samples import ReviewSamples
from datamap.schema import MAX_CLASSES, REGIONS, Region

MAX_ROWS = 200  # in one answer
MAX_CORNERS = 10_000

Row = Annotated[int, Field(ge=0, lt=1 << 32)]
ClassIndex = Annotated[int, Field(ge=0, lt=MAX_CLASSES)]
Pair = tuple[FiniteFloat, FiniteFloat]


class RequestError(DataMapError):
    """Report an invalid request; the message says why it is refused."""


class UnknownSampleError(RequestError):
    """Report a request for a sample that the run does not have."""


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SampleFilter(_Request):
    """Select samples: those that pass each part that is given.

    Attributes:
        region: regions, by their names in `REGIONS`.
        label: class indices of given labels.
        proposed: class indices of proposed labels.
        score: the smallest and the largest score.
        text: a part of a text or of the id, ignoring case.
        polygon: corners of an area of the map.
        decided: "no": not decided by the reviewer who asks; "nobody": not by anybody; "yes": by anybody; "conflict":
            reviewers disagree.
    """

    region: list[Region] | None = None
    label: list[ClassIndex] | None = None
    proposed: list[ClassIndex] | None = None
    score: Pair | None = None
    text: Annotated[str, Field(max_length=1000)] | None = None
    polygon: Annotated[list[Pair], Field(min_length=3, max_length=MAX_CORNERS)] | None = None
    decided: Literal["no", "nobody", "yes", "conflict"] | None = None


class Query(_Request):
    """Ask for a queue: the samples that pass a filter, in an order."""

    filter: SampleFilter | None = None
    order: Literal["score", "uncertain", "id"] = "score"


class Listed(_Request):
    """Ask for what a list shows of some samples."""

    rows: Annotated[list[Row], Field(max_length=MAX_ROWS)]


class Verdict(_Request):
    """Ask to store a decision on a sample; `label` is the class index of the action "label"."""

    row: Row
    action: Action
    label: ClassIndex | None = None


R = TypeVar("R", bound=_Request)


def parsed(kind: type[R], body: bytes) -> R:
    """Return the request of this kind that a body holds as JSON.

    Raises:
        RequestError: the body is not JSON, a key is unknown, or a value of the wrong type or out of range.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise RequestError(first_problem(error)) from error


def mask(samples: ReviewSamples, journal: Journal, filter: SampleFilter, who: str) -> np.ndarray:
    """Return the samples that pass the filter of a query by the reviewer `who`, as a bool array (N,)."""
    passed = np.ones(len(samples), bool)
    if filter.region is not None:
        passed &= np.isin(samples.regions, [list(REGIONS).index(name) for name in filter.region])
    if filter.label is not None:
        passed &= np.isin(samples.labels, filter.label)
    if filter.proposed is not None:
        passed &= np.isin(samples.proposed, filter.proposed)
    if filter.score is not None:
        passed &= (samples.scores >= filter.score[0]) & (samples.scores <= filter.score[1])
    if filter.text:
        passed &= _containing(samples, filter.text)
    if filter.polygon is not None:
        passed &= inside(samples.x, samples.y, np.array(filter.polygon))
    if filter.decided is not None:
        passed &= _decided(journal, filter.decided, who, len(samples))
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
