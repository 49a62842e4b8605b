"""Show a unit within its sample, for the review: a token in its sentence, a label among all labels of its text."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from datamap import schema
from datamap.pipeline.stored_texts import UnitRows
from datamap.schema import Task
from datamap.tasks import rows, units
from datamap.tracking.run import Run

WINDOW = 150  # tokens on each side of the one that is shown
Parts = Callable[[int], list[dict[str, Any]]]


def parts_of(run: Run, ids: pa.Array, found: UnitRows | None) -> Parts | None:
    """Return a function of a unit's row that returns the parts of its sample; None where nothing is known of them.

    A part is {"text": token or name of the label, "space": whether a space stands before it, "row": row of its unit,
    None for a token without a tag}.

    Args:
        run: run of a task with several units per sample.
        ids: ids of its units, in order.
        found: the rows of its training file; None if it has none.
    """
    if run.task().task is Task.TOKENS:
        return None if found is None else _sentences(found, *units.grouped(ids))
    _, groups, positions = units.grouped(ids)
    siblings = _Siblings.from_groups(groups)
    names = schema.all_class_names(run.task().label_names or (), int(positions.max(initial=0)) + 1)

    def parts(row: int) -> list[dict[str, Any]]:
        return [
            {"text": names[positions[unit]], "space": True, "row": unit}
            for unit in siblings.rows(groups[row]).tolist()
        ]

    return parts


def _sentences(found: UnitRows, samples: pa.Array, groups: np.ndarray, positions: np.ndarray) -> Parts:
    own, places = found.tokens_of(samples, groups, positions)
    siblings = _Siblings.from_groups(own)

    def parts(row: int) -> list[dict[str, Any]]:
        if places[row] < 0:
            return []
        tokens, tagged = found.given.tokens[own[row]], siblings.rows(own[row])
        unit_at = dict(zip(places[tagged].tolist(), tagged.tolist(), strict=True))
        first = max(0, int(places[row]) - WINDOW)
        last = min(len(tokens), int(places[row]) + WINDOW + 1)
        shown = [
            {
                "text": tokens[k],
                "space": k > first and _is_apart(tokens[k - 1], tokens[k]),
                "row": unit_at.get(k),
            }
            for k in range(first, last)
        ]
        cut = {"text": "…", "space": True, "row": None}
        return [*([cut] if first else []), *shown, *([cut] if last < len(tokens) else [])]

    return parts


def _is_apart(before: str, token: str) -> bool:
    return len(rows.joined([before, token])) > len(before) + len(token)


class _Siblings(NamedTuple):
    """Find the units of a group: `order` sorts the units by group, and group g begins at `starts[g]`."""

    order: np.ndarray
    starts: np.ndarray

    @classmethod
    def from_groups(cls, groups: np.ndarray) -> "_Siblings":
        order = np.argsort(groups, kind="stable")
        ends = np.arange(int(groups.max(initial=-1)) + 2)
        return cls(order, np.searchsorted(groups[order], ends))

    def rows(self, group: int) -> np.ndarray:
        return self.order[self.starts[group] : self.starts[group + 1]]
