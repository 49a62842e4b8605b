"""Answer the review page's questions about one run's samples, and store its decisions."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

import numpy as np

from datamap.labels.reasons import retold
from datamap.review import estimates, queries
from datamap.review.decisions import Action, Decision
from datamap.review.histories import Histories
from datamap.review.journal import Journal
from datamap.review.neighbors import Neighbors
from datamap.review.queries import Query, RequestError, UnknownSampleError
from datamap.review.samples import NONE, ReviewSamples
from datamap.review.storage import Storage
from datamap.schema import REGIONS
from datamap.translations import word

CUT = 300  # characters of a text that a list shows
MISSING = 65_535
SHOWN_CONFLICTS = 1000


class About(NamedTuple):
    """Describe the run for the page; `estimate` has count, low, high and known of `diagnose`, or is None.

    `labeled` is False for a task without classes: a sample is kept or dropped there, and no label is shown.
    `probable` is True if scores are probabilities, which the page shows; False if only their order means something: it
    shows ranks then. `borders` are the regions of the run's map (`maps.regions.for_page`).
    `part` is what a row is of its sample: "token", "label", or "" for a whole sample.
    """

    run_id: str
    run_name: str
    score: str
    unit: str
    lang: str
    reviewer: str
    run_address: str | None
    estimate: dict[str, Any] | None
    labeled: bool = True
    probable: bool = False
    borders: Sequence[dict[str, Any]] = ()
    part: str = ""


class Review:
    """Answer and decide about the samples of a run; several threads may call it."""

    def __init__(
        self,
        about: About,
        samples: ReviewSamples,
        storage: Storage,
        keep: Callable[[list], str] | None = None,
        parts: Callable[[int], list[dict[str, Any]]] | None = None,
    ) -> None:
        """Begin a review.

        Args:
            about: the run's description for the page.
            samples: the samples to review.
            storage: where decisions are kept.
            keep: keeps ids in the run, and returns the command that uses them.
            parts: returns all parts of the sample that a row is a part of, each with its `row`, or None for one that
                has no label; None where rows are whole samples.
        """
        self.about, self.samples, self.storage, self.keep, self.parts = about, samples, storage, keep, parts
        self.histories, self.neighbors = Histories(), Neighbors()
        self.journal = Journal(samples.ids)
        # No decision changes them (docs/review.md says why).
        self.orders = {
            "score": np.argsort(samples.ranks, kind="stable"),
            "uncertain": np.argsort(np.abs(samples.scores - 0.5), kind="stable"),
            "id": np.arange(len(samples)),
        }
        self.calibrator = estimates.ScoreCalibrator(samples.scores, about.estimate)
        self._lock = threading.RLock()
        self._index: dict[str | None, int] = {name: k for k, name in enumerate(samples.names)}
        self._estimates: tuple[int, estimates.Estimates] | None = None
        self.refresh()

    # ------------------------------------------------------------------ questions

    def describe(self) -> dict[str, Any]:
        """Return what the page needs once: the run, its classes, and the language."""
        about = self.about._asdict()
        columns = self.samples.texts
        return about | {
            "classes": list(self.samples.names),
            "samples": len(self.samples),
            "pairs": "text_b" in columns,
            "texts": bool(columns),
            "regions": list(REGIONS.items()),
        }

    def map(self) -> bytes:
        """Return coordinates, scores, regions and labels of all samples: little-endian arrays, one after the other."""
        samples = self.samples
        parts: list[tuple[np.ndarray, str]] = [
            (samples.x, "<f4"), (samples.y, "<f4"), (samples.scores, "<f4"), (samples.regions, "u1"),
            (_indices(samples.labels), "<u2"), (_indices(samples.proposed), "<u2"),
        ]  # fmt: skip
        arrays = [np.ascontiguousarray(values, dtype).tobytes() for values, dtype in parts]
        return b"".join([b"DMAP", np.uint32(len(samples)).astype("<u4").tobytes(), *arrays])

    def order(self, query: Query, who: str) -> bytes:
        """Return the rows of the samples that pass a filter, in the requested order, as little-endian uint32.

        The page keeps them, so that the samples do not move while somebody reviews them.
        """
        return self._rows(query, who).astype("<u4").tobytes()

    def save(self, query: Query, who: str) -> dict[str, Any]:
        """Keep the ids of the samples that pass a filter in the run, and return the command that uses them.

        Raises:
            RequestError: no sample passes, or nothing keeps ids.
            TrackingError: the store does not accept them.
        """
        rows = self._rows(query, who)
        if self.keep is None or not len(rows):
            raise RequestError("there is nothing to save")
        return {"samples": len(rows), "command": self.keep(self.samples.ids.take(rows).to_pylist())}

    def _rows(self, query, who):
        with self._lock:
            self.refresh()
            passed = queries.mask(self.samples, self.journal, query.filter or queries.SampleFilter(), who)
        order = self.orders[query.order]
        return order[passed[order]]

    def listed(self, rows: list[int], who: str) -> dict[str, Any]:
        """Return what a list shows of these samples."""
        for row in rows:
            self._check(row)
        return {"rows": [self._listed(row, who) for row in rows]}

    def find(self, id: str) -> dict[str, int]:
        """Return the row of the sample with this id.

        Raises:
            UnknownSampleError: the run has no such sample.
        """
        row = self.samples.row_of(id)
        if row < 0:
            raise UnknownSampleError(word("no sample has the id {id}", self.about.lang, id=id[:100]))
        return {"row": row}

    def sample(self, row: int, who: str) -> dict[str, Any]:
        """Return all that is known about a sample."""
        self._check(row)
        samples = self.samples
        states = samples.names if self.about.part == "label" else ()  # absent, present
        return self._listed(row, who, cut=None) | {
            "why": retold(samples.why[row].as_py() or "", self.about.lang, states),
            "history": self.histories.history(row),
            "x": _finite(samples.x[row]),
            "y": _finite(samples.y[row]),
            "decisions": [self._told(row, one) for one in self.journal.all.get(row, [])],
            "conflict": row in self.journal.conflicts,
            **({"parts": [self._part(one, who) for one in self.parts(row)]} if self.parts else {}),
        }

    def near(self, row: int, who: str) -> dict[str, Any]:
        """Return the samples with the most similar embeddings or texts."""
        self._check(row)
        found = self.neighbors.nearest(row)
        if found is None:
            return {"rows": [], "ready": False}
        keys = ("row", "id", "text_a", "text_b", "label", "decision")
        listed = [(self._listed(other, who), similarity) for other, similarity in found]
        rows = [{key: one[key] for key in keys} | {"similarity": similarity} for one, similarity in listed]
        return {"rows": rows, "ready": True}

    def progress(self, who: str) -> dict[str, Any]:
        """Return the progress of the review, and the estimates that it allows."""
        with self._lock:
            self.refresh()
            return self.estimate()._asdict() | {
                "mine": sum(who in of for of in self.journal.of.values()),
                "samples": len(self.samples),
                "conflicts": sorted(self.journal.conflicts)[:SHOWN_CONFLICTS],
                "kappa": self.journal.agreement(),
            }

    # ------------------------------------------------------------------ decisions

    def decide(self, row: int, action: Action, label: int | None, who: str) -> dict[str, Any]:
        """Store a decision, and return the sample's decision that counts now and the progress of the review.

        Raises:
            RequestError: there is no such sample or class.
            TrackingError: the store does not accept the decision, which then does not count.
        """
        self._check(row)
        names, old = self.samples.names, int(self.samples.labels[row])
        new = old if action == "keep" else None
        if action == "label":
            if label is None or label >= len(names):
                raise RequestError(f"label={label}: give the index of a class, 0 to {len(names) - 1}")
            new = label
        with self._lock:
            when = datetime.now(timezone.utc).isoformat(timespec="microseconds")
            one = Decision(
                str(self.samples.ids[row].as_py()), "keep" if new == old else action, names[old],
                None if new is None else names[new], who, when, round(float(self.samples.scores[row]), 4),
            )  # fmt: skip
            self.storage.append(one)
            self.journal.rows[one.id] = row
            progress = self.progress(who)
            mine = self.journal.of.get(row, {}).get(who)
            return {"decision": mine and self._told(row, mine), "progress": progress}

    def refresh(self) -> None:
        """Read new decisions, made here or by another server."""
        with self._lock:
            self.journal.update(self.storage.all())

    def estimate(self) -> estimates.Estimates:
        """Return the estimates that the decisions so far allow."""
        with self._lock:
            if self._estimates is None or self._estimates[0] != self.journal.version:
                found = self.calibrator.estimate(
                    self.orders["score"], self.journal.of, self.journal.verdicts(), self.about.lang
                )
                self._estimates = self.journal.version, found
            return self._estimates[1]

    # ------------------------------------------------------------------ JSON for the page

    def _check(self, row: int) -> None:
        if not 0 <= row < len(self.samples):
            raise RequestError(f"there is no sample {row} (rows: 0 to {len(self.samples) - 1})")

    def _listed(self, row, who, cut=CUT):
        samples = self.samples
        proposed = int(samples.proposed[row])
        decision = self.journal.decision(row, who)
        return {
            "row": row,
            "id": str(samples.ids[row].as_py()),
            "label": int(samples.labels[row]),
            "proposed": None if proposed == NONE else proposed,
            "score": round(float(samples.scores[row]), 4),
            "rank": int(samples.ranks[row]),
            "region": int(samples.regions[row]),
            **{name: self._text(name, row, cut) for name in ("text_a", "text_b")},
            "decision": decision and self._told(row, decision),
        }

    def _part(self, part, who):
        """Return a part of a sample with its label and what is said of it."""
        if part["row"] is None:
            return part
        listed = self._listed(part["row"], who)
        return part | {key: listed[key] for key in ("label", "proposed", "rank", "decision")}

    def _text(self, name, row, cut):
        column = self.samples.texts.get(name)
        return "" if column is None else column[row].as_py()[:cut]

    def _told(self, row: int, one: Decision) -> dict[str, Any]:
        told = {"row": row, **one._asdict()}
        del told["turn"]  # the page gets the decisions in order and needs no turn
        told["new"] = self._index.get(one.new_label)  # the page may call the class by another name
        return told


def _finite(value):
    """Return a number, or None if it is not finite, which JSON cannot express."""
    return float(value) if np.isfinite(value) else None


def _indices(values):
    """Return class indices as the map's bytes have them, with `MISSING` for none."""
    return np.where((values < 0) | (values > MISSING), MISSING, values)
