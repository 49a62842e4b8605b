"""All decisions on a run's samples, by sample and reviewer; whose count, and how far reviewers agree."""

import math
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from datamap.review.decisions import Decision, counting, is_conflict
from datamap.signals import align


class Agreement(NamedTuple):
    """Two reviewers, how many samples both are sure of, and Cohen's kappa (1960) there; None where it is undefined."""

    reviewers: tuple[str, str]
    both: int
    kappa: float | None


class Journal:
    """The decisions on N samples. `version` grows with each one that is taken in."""

    def __init__(self, ids: pa.Array) -> None:
        self.ids = ids
        self.rows: dict[str, int] = {}  # of the ids that were looked up; among a million that takes a moment
        self.version = 0
        self._begin()

    def _begin(self):
        self.taken: list[Decision] = []
        self.unknown = 0  # decisions on samples that the run does not have
        self.all: dict[int, list[Decision]] = {}  # row → all, in their order
        self.of: dict[int, dict[str, Decision]] = {}  # row → {reviewer: what counts}, the newest last
        self.conflicts: set[int] = set()

    def take(self, decisions: Sequence[Decision]) -> None:
        """Take in all decisions, in their order; those that were taken in before are not looked at again.

        Of one reviewer and sample the last one counts, and after an undo none.
        """
        old = len(self.taken)
        if decisions[:old] != self.taken:  # a file was edited, or another one has earlier ones
            self._begin()
            self.version += 1
            old = 0
        new = decisions[old:]
        self._find([one.id for one in new if one.id not in self.rows])
        for one in new:
            row = self.rows[one.id]
            if row < 0:
                self.unknown += 1
                continue
            of_row = self.all.setdefault(row, [])
            if one in of_row:  # written again after a file was damaged, or copied into another one
                of_row.remove(one)
            of_row.append(one)
            self._count(row)
            self.version += 1
        self.taken = [*self.taken, *new]

    def _find(self, ids):
        if ids:
            self.rows |= dict(zip(ids, align.rows(ids, self.ids).tolist(), strict=True))

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
        """What counts of a reviewer, else the newest of anybody; None where nobody decided."""
        of = self.of.get(row, {})
        return of.get(who) or next(reversed(of.values()), None)

    def decided(self, count: int, who: str | None = None) -> np.ndarray:
        """Bool array of `count` rows: whether `who` decided, by default anybody."""
        return _mask(self.of if who is None else [row for row, of in self.of.items() if who in of], count)

    def in_conflict(self, count: int) -> np.ndarray:
        """Bool array of `count` rows: whether reviewers disagree."""
        return _mask(self.conflicts, count)

    def verdicts(self) -> dict[int, bool]:
        """{row: whether its label is wrong} of the samples that somebody is sure of; of a conflict the newest word."""
        found = {}
        for row, of in self.of.items():
            sure = [one for one in of.values() if one.is_sure]
            if sure:
                found[row] = sure[-1].is_wrong
        return found

    def agreement(self) -> Agreement | None:
        """Of the two reviewers who are both sure of most samples; None without any such sample."""
        pairs: Counter = Counter()
        for of in self.of.values():
            pairs.update(combinations(sorted(who for who, one in of.items() if one.is_sure), 2))
        if not pairs:
            return None
        pair, both = pairs.most_common(1)[0]
        return Agreement(pair, both, self._kappa(pair))

    def _kappa(self, pair):
        from sklearn.metrics import cohen_kappa_score

        said = [
            tuple(of[who].new_label or "" for who in pair)  # a class may have any name but an empty one
            for of in self.of.values()
            if all(who in of and of[who].is_sure for who in pair)
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # undefined where both give all samples one label
            kappa = float(cohen_kappa_score(*zip(*said, strict=True)))
        return kappa if math.isfinite(kappa) else None


def _mask(rows: Iterable[int], count: int) -> np.ndarray:
    mask = np.zeros(count, bool)
    mask[list(rows)] = True
    return mask
