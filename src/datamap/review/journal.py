"""Index the decisions on a run's samples by sample and reviewer, and measure how far reviewers agree."""

import math
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa

from datamap.review.decisions import Decision, counting, is_conflict
from datamap.signals import align


class Journal:
    """Index the decisions on N samples; `version` grows with each new decision."""

    def __init__(self, ids: pa.Array) -> None:
        self.ids = ids
        self.rows: dict[str, int] = {}  # cache, as looking an id up among a million takes time
        self.version = 0
        self._begin()

    def _begin(self):
        self.taken: list[Decision] = []
        self.unknown = 0  # decisions on samples that the run does not have
        self.all: dict[int, list[Decision]] = {}  # row → all decisions, in their order
        self.of: dict[int, dict[str, Decision]] = {}  # row → {reviewer: decision that counts}, newest last
        self.conflicts: set[int] = set()

    def update(self, decisions: Sequence[Decision]) -> None:
        """Update the index to a list of all decisions in their order; process only those that are new.

        A reviewer's last decision on a sample counts; after an undo none does.
        """
        old = len(self.taken)
        if decisions[:old] != self.taken:  # a file was edited, or another file brings earlier decisions
            self._begin()
            self.version += 1
            old = 0
        new = decisions[old:]
        strange = [one.id for one in new if one.id not in self.rows]
        if strange:
            self.rows |= dict(zip(strange, align.rows(strange, self.ids).tolist(), strict=True))
        for one in new:
            row = self.rows[one.id]
            if row < 0:
                self.unknown += 1
                continue
            of_row = self.all.setdefault(row, [])
            if one in of_row:  # restored in a damaged file, or copied into another file
                of_row.remove(one)
            of_row.append(one)
            self._count(row)
            self.version += 1
        self.taken = [*self.taken, *new]

    def _count(self, row):
        of = counting(self.all[row])
        if of:
            self.of[row] = of
        else:
            self.of.pop(row, None)
        self.conflicts.discard(row)
        if is_conflict(of):
            self.conflicts.add(row)

    def decision(self, row: int, who: str) -> Decision | None:
        """Return a reviewer's decision, else the newest decision of anybody; None if nobody decided."""
        of = self.of.get(row, {})
        return of.get(who) or next(reversed(of.values()), None)

    def decided(self, count: int, who: str | None = None) -> np.ndarray:
        """Return the rows on which `who` decided (None = anybody), as a bool array of `count` rows."""
        return _mask(self.of if who is None else [row for row, of in self.of.items() if who in of], count)

    def in_conflict(self, count: int) -> np.ndarray:
        """Return the rows on which reviewers disagree, as a bool array of `count` rows."""
        return _mask(self.conflicts, count)

    def verdicts(self) -> dict[int, bool]:
        """Return {row: true if its label is wrong} of the samples that somebody is sure of, by the newest decision."""
        found = {}
        for row, of in self.of.items():
            sure = [one for one in of.values() if one.is_sure]
            if sure:
                found[row] = sure[-1].is_wrong
        return found

    def agreement(self) -> dict[str, Any] | None:
        """Return the agreement of the two reviewers with most common sure samples; None without such samples.

        It has `reviewers`; `both`, the number of those samples; and `kappa` of Cohen (1960), None if undefined.
        """
        pairs: Counter = Counter()
        for of in self.of.values():
            pairs.update(combinations(sorted(who for who, one in of.items() if one.is_sure), 2))
        if not pairs:
            return None
        pair, both = pairs.most_common(1)[0]
        return {"reviewers": pair, "both": both, "kappa": self._kappa(pair)}

    def _kappa(self, pair):
        from sklearn.metrics import cohen_kappa_score

        said = [
            tuple(of[who].new_label or "" for who in pair)  # "" = dropped, as no class has an empty name
            for of in self.of.values()
            if all(who in of and of[who].is_sure for who in pair)
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # kappa is undefined if both give all samples the same label
            kappa = float(cohen_kappa_score(*zip(*said, strict=True)))
        return kappa if math.isfinite(kappa) else None


def _mask(rows: Iterable[int], count: int) -> np.ndarray:
    mask = np.zeros(count, bool)
    mask[list(rows)] = True
    return mask
