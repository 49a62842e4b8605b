"""What a reviewer decided of a sample, as one line of `review/decisions.jsonl`, and which decisions count."""

import json
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from datamap.errors import DataError

ACTIONS = ("keep", "label", "drop", "unsure", "undo")
LONGEST_NAME = 100  # characters of a reviewer's name
MAX_TURN = 1 << 53  # beyond, JSON numbers are no longer exact everywhere


class Decision(NamedTuple):
    """One decision: `action` is one of `ACTIONS`, labels are class names, `when` is ISO 8601 in UTC.

    `id` is the sample's id as text; `score` is that of the sample at the time. `turn` is one more than the largest turn
    that the server knew: it orders the decisions of several files, whatever their clocks said.
    """

    id: str
    action: str
    old_label: str
    new_label: str | None
    who: str
    when: str
    score: float
    turn: int = 0

    @property
    def is_sure(self) -> bool:
        """Whether it says what the label is, or that the sample shall go."""
        return self.action in ("keep", "label", "drop")

    @property
    def is_wrong(self) -> bool:
        """Whether the given label does not stand."""
        return self.is_sure and self.new_label != self.old_label


def is_name(text: str) -> bool:
    """Return whether a text can be a reviewer's name."""
    return bool(text.strip()) and len(text) <= LONGEST_NAME and text.isprintable()


def line(decision: Decision) -> bytes:
    """Return a decision as a line of the file."""
    return json.dumps(decision._asdict(), ensure_ascii=False).encode() + b"\n"


def parse(content: bytes) -> tuple[list[Decision], int]:
    """Return (the decisions of a file, how many of its lines are none: torn by a killed server, or damaged)."""
    found, bad = [], 0
    for text in content.split(b"\n"):
        if text.strip():
            try:
                found.append(_parsed(json.loads(text)))
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                bad += 1
    return found, bad


def _parsed(record):
    """Return the decision of a line's JSON, each value of its type."""
    id, action, score = record["id"], record["action"], record["score"]
    old, new, who, when = (record[name] for name in ("old_label", "new_label", "who", "when"))
    turn = record.get("turn", 0)
    if not (type(id) in (int, str) and type(score) in (int, float) and action in ACTIONS):
        raise ValueError(record)
    if not all(isinstance(text, str) for text in (old, who, when)) or len(who) > LONGEST_NAME:
        raise ValueError(record)
    if not isinstance(new, str if action in ("keep", "label") else str | None):
        raise ValueError(record)
    if type(turn) is not int or not 0 <= turn <= MAX_TURN or not math.isfinite(score):
        raise ValueError(record)
    "".join((str(id), old, new or "", who, when)).encode()  # half of a surrogate pair is no text
    return Decision(str(id), action, old, new, who, when, float(score), turn)


def merged(files: Sequence[list[Decision]]) -> list[Decision]:
    """Return the decisions of several files in one order, which is theirs within each file.

    Between files the larger `turn` is the later one, and the later time where turns are equal.
    """
    if len(files) == 1:
        return files[0]
    placed = []
    for found in files:
        latest = (0, "")
        for one in found:
            latest = max(latest, (one.turn, one.when))
            placed.append((latest, one))
    return [one for _, one in sorted(placed, key=lambda pair: pair[0])]


def counting(decisions: Iterable[Decision]) -> dict[str, Decision]:
    """Return {reviewer: the newest decision}, the newest last, of a sample's decisions in their order.

    A reviewer whose newest one is an undo has none.
    """
    newest: dict[str, Decision] = {}
    for one in decisions:
        newest.pop(one.who, None)
        newest[one.who] = one
    return {who: one for who, one in newest.items() if one.action != "undo"}


def by_sample(decisions: Iterable[Decision]) -> dict[str, dict[str, Decision]]:
    """Return {id: {reviewer: the newest decision}} of the samples on which somebody's word counts."""
    by_id: dict[str, list[Decision]] = {}
    for one in decisions:
        by_id.setdefault(one.id, []).append(one)
    return {key: of for key, some in by_id.items() if (of := counting(some))}


def is_conflict(of: dict[str, Decision]) -> bool:
    """Return whether reviewers who are sure of a sample give it different labels, or only some drop it."""
    return len({one.new_label for one in of.values() if one.is_sure}) > 1


def of_files(contents: Iterable[tuple[str, bytes]]) -> tuple[list[Decision], int]:
    """Return (the decisions of all files in their order, how many lines are none), of (name, bytes) each.

    Raises:
        DataError: a file holds no decision at all, though it is not empty.
    """
    found: list[list[Decision]] = []
    torn = 0
    for name, content in contents:
        decisions, bad = parse(content)
        if bad > 1 and not decisions:
            raise DataError(f"{name} is damaged: none of its {bad:,} lines is a decision")
        found.append(decisions)
        torn += bad
    return merged(found), torn


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
    """Return what decisions of all reviewers, in their order, come to."""
    of_ids = by_sample(decisions)
    sure = {key: [one.new_label for one in of.values() if one.is_sure] for key, of in of_ids.items()}
    return Outcome(
        {key: said[0] for key, said in sure.items() if len(set(said)) == 1},
        [key for key, said in sure.items() if not said],
        [key for key, said in sure.items() if len(set(said)) > 1],
        sorted({who for of in of_ids.values() for who in of}),
        len(of_ids),
    )
