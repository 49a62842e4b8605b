"""Read and write decisions, one line of `review/decisions.jsonl` each, and tell which of them count."""

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, FiniteFloat, TypeAdapter
from pydantic_core import from_json

from datamap.errors import DataError

Action = Literal["keep", "label", "drop", "unsure", "undo"]
MAX_NAME_LENGTH = 100  # largest number of characters of a reviewer's name
MAX_TURN = 1 << 53  # larger JSON numbers are not exact everywhere


class Decision(NamedTuple):
    """Represent a reviewer's decision on a sample.

    `action` is an `Action`, labels are class names, and `when` is ISO 8601 in UTC. `id` is the sample's id as
    text, and `score` its score at that time. `turn` is one more than the largest turn that the server knew, so that it
    orders the decisions of several files even if clocks differ.
    """

    id: str
    action: Action
    old_label: str
    new_label: str | None
    who: Annotated[str, Field(max_length=MAX_NAME_LENGTH)]
    when: str
    score: FiniteFloat
    turn: Annotated[int, Field(ge=0, le=MAX_TURN)] = 0

    @property
    def is_sure(self) -> bool:
        """Tell whether the decision gives a label or drops the sample."""
        return self.action in ("keep", "label", "drop")

    @property
    def is_wrong(self) -> bool:
        """Tell whether the decision changes the given label or drops the sample."""
        return self.is_sure and self.new_label != self.old_label


_DECISION = TypeAdapter(Decision)


def is_name(text: str) -> bool:
    """Tell whether a text can be a reviewer's name."""
    return bool(text.strip()) and len(text) <= MAX_NAME_LENGTH and text.isprintable()


def line(decision: Decision) -> bytes:
    """Return a decision as a line of the file."""
    return json.dumps(decision._asdict(), ensure_ascii=False).encode() + b"\n"


def parse(content: bytes) -> tuple[list[Decision], int]:
    """Return (the decisions of a file, number of invalid lines, which a killed server tore or which are damaged)."""
    found, bad = [], 0
    for text in content.split(b"\n"):
        if text.strip():
            try:
                found.append(_parsed(from_json(text)))
            except (ValueError, KeyError, TypeError, OverflowError):
                bad += 1
    return found, bad


def _parsed(record):
    """Return the decision of a line's JSON, after a check of each value's type; further keys are left out."""
    values = {name: record[name] for name in Decision._fields if name in record}
    if type(record["id"]) is int:
        values["id"] = str(record["id"])
    one = _DECISION.validate_python(values, strict=True)
    if one.action in ("keep", "label") and one.new_label is None:
        raise ValueError(record)
    return one


def merged(files: Sequence[list[Decision]]) -> list[Decision]:
    """Merge the decisions of several files into one order, which keeps the order within each file.

    Between files the larger `turn` is later, and for equal turns the later time.
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
    """Return {reviewer: the decision that counts}, the newest last, of a sample's decisions in their order.

    A reviewer's newest decision counts; if that is an undo, none does.
    """
    newest: dict[str, Decision] = {}
    for one in decisions:
        newest.pop(one.who, None)
        newest[one.who] = one
    return {who: one for who, one in newest.items() if one.action != "undo"}


def by_sample(decisions: Iterable[Decision]) -> dict[str, dict[str, Decision]]:
    """Return {id: {reviewer: the decision that counts}} of the samples that have such a decision."""
    by_id: dict[str, list[Decision]] = {}
    for one in decisions:
        by_id.setdefault(one.id, []).append(one)
    return {key: of for key, some in by_id.items() if (of := counting(some))}


def is_conflict(of: dict[str, Decision]) -> bool:
    """Tell whether reviewers who are sure of a sample give it different labels, or only some of them drop it."""
    return len({one.new_label for one in of.values() if one.is_sure}) > 1


def parse_files(contents: Iterable[tuple[str, bytes]]) -> tuple[list[Decision], int]:
    """Return (the decisions of all files in their order, number of invalid lines).

    Args:
        contents: (name, content) of each file.

    Raises:
        DataError: a file is not empty, and none of its lines is a decision.
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
    """Sum up the decisions of all reviewers.

    `labels` is {id: class name, or None for a sample to drop} of the samples on which all sure reviewers agree;
    `unsure` and `conflicts` are the ids of the other samples. `reviewers` are the names of all whose decisions count,
    and `samples` is the number of samples with such a decision.
    """

    labels: dict[str, str | None]
    unsure: list[str]
    conflicts: list[str]
    reviewers: list[str]
    samples: int


def outcome(decisions: Iterable[Decision]) -> Outcome:
    """Return the outcome of all reviewers' decisions, which are in their order."""
    of_ids = by_sample(decisions)
    sure = {key: [one.new_label for one in of.values() if one.is_sure] for key, of in of_ids.items()}
    return Outcome(
        {key: said[0] for key, said in sure.items() if len(set(said)) == 1},
        [key for key, said in sure.items() if not said],
        [key for key, said in sure.items() if len(set(said)) > 1],
        sorted({who for of in of_ids.values() for who in of}),
        len(of_ids),
    )
