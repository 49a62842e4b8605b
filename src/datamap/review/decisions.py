"""What a reviewer decided of a sample, as one line of `review/decisions.jsonl`."""

import json
from collections.abc import Iterable
from typing import NamedTuple

from datamap.errors import DataError

ACTIONS = ("keep", "label", "drop", "unsure", "undo")
LONGEST_NAME = 100  # characters of a reviewer's name


class Decision(NamedTuple):
    """One decision: `action` is one of `ACTIONS`, labels are class names, `when` is ISO 8601 in UTC.

    `id` is the sample's id as text; `score` is that of the sample at the time.
    """

    id: str
    action: str
    old_label: str
    new_label: str | None
    who: str
    when: str
    score: float

    @property
    def is_sure(self) -> bool:
        """Whether it says what the label is, or that the sample shall go."""
        return self.action in ("keep", "label", "drop")

    @property
    def is_wrong(self) -> bool:
        """Whether the given label does not stand."""
        return self.is_sure and self.new_label != self.old_label


def line(decision: Decision) -> bytes:
    """A decision as a line of the file."""
    return json.dumps(decision._asdict(), ensure_ascii=False).encode() + b"\n"


def parse(content: bytes) -> tuple[list[Decision], int]:
    """(the decisions of a file, how many of its lines are none: torn by a killed server, or damaged)."""
    found, bad = [], 0
    for text in content.split(b"\n"):
        if text.strip():
            try:
                found.append(_parsed(text))
            except (ValueError, KeyError, TypeError, RecursionError):
                bad += 1
    return found, bad


def _parsed(text):
    record = json.loads(text)
    one = Decision(**{**{name: record[name] for name in Decision._fields}, "id": str(record["id"])})
    texts = (one.action, one.old_label, one.who, one.when)
    if one.action not in ACTIONS or not all(isinstance(value, str) for value in texts):
        raise ValueError(one.action)
    if not isinstance(one.new_label, str if one.action in ("keep", "label") else str | None):
        raise ValueError(one.new_label)
    return one._replace(score=float(one.score))


def counting(decisions: Iterable[Decision]) -> dict[str, Decision]:
    """{reviewer: the newest decision} of a sample's decisions; none where it is an undo."""
    newest = {one.who: one for one in sorted(decisions, key=lambda one: one.when)}
    return {who: one for who, one in newest.items() if one.action != "undo"}


def is_conflict(of: dict[str, Decision]) -> bool:
    """Whether reviewers who are sure of a sample give it different labels, or only some drop it."""
    return len({one.new_label for one in of.values() if one.is_sure}) > 1


def of_files(contents: Iterable[tuple[str, bytes]]) -> tuple[list[Decision], int]:
    """(the decisions of all files, how many lines are none), of (name, bytes) each.

    Raises:
        DataError: a file holds no decision at all, though it is not empty.
    """
    found: list[Decision] = []
    torn = 0
    for name, content in contents:
        decisions, bad = parse(content)
        if bad > 1 and not decisions:
            raise DataError(f"{name} is damaged: none of its {bad:,} lines is a decision")
        found += decisions
        torn += bad
    return found, torn


class Outcome(NamedTuple):
    """What all decisions come to.

    `labels` is {id: class name, or None where the sample shall go} of the samples that somebody is sure of and nobody
    sees otherwise; `unsure` and `conflicts` are the ids of the others, `reviewers` everybody whose word counts, and
    `samples` is of how many samples there is a word.
    """

    labels: dict[str, str | None]
    unsure: list[str]
    conflicts: list[str]
    reviewers: list[str]
    samples: int


def outcome(decisions: Iterable[Decision]) -> Outcome:
    """What decisions of all reviewers, in any order, come to."""
    by_id: dict[str, list[Decision]] = {}
    for one in decisions:
        by_id.setdefault(one.id, []).append(one)
    of_ids = {key: of for key, some in by_id.items() if (of := counting(some))}
    sure = {key: [one.new_label for one in of.values() if one.is_sure] for key, of in of_ids.items()}
    return Outcome(
        {key: said[0] for key, said in sure.items() if len(set(said)) == 1},
        [key for key, said in sure.items() if not said],
        [key for key, said in sure.items() if len(set(said)) > 1],
        sorted({who for of in of_ids.values() for who in of}),
        len(of_ids),
    )
