"""Define the options of file readers, and the table that they return."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Form(NamedTuple):
    """Say how to read a file; None means that it is detected.

    Attributes:
        header: True if the first row names the columns.
        encoding: name of the encoding.
        delimiter: one character, or its name.
        known: names of columns besides `names.COLUMNS`.
        lists: cells may be lists, so that a JSON object of lists is a row rather than columns.
    """

    header: bool | None = None
    encoding: str | None = None
    delimiter: str | None = None
    known: Collection[str] = ()
    lists: bool = False


def bit(value: Any) -> int | None:
    """Return the 0 or 1 in a cell; None for anything else."""
    return {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "true": 1, "false": 0}.get(str(value).strip().lower())


class Written(NamedTuple):
    """Hold the text of a file whose rows are lines, and how it is written.

    Attributes:
        text: the text.
        encoding: its encoding, as Python names it.
        delimiter: what stands between cells; "" where a row is an object of JSON.
        quoted: true if quotation marks may stand around cells.
    """

    text: str
    encoding: str
    delimiter: str = ""
    quoted: bool = False


@dataclass(frozen=True)
class Table:
    """Hold the rows of a file, in order.

    Attributes:
        names: names of the columns; None if the file has no header.
        width: the number of columns.
        lines: the position of each row in the file, from 1, in `unit`s.
        column: returns the values of the column at a position: text, or what JSON, Parquet and sheets hold.
        problems: {row: problem} of rows that are unusable.
        torn: rows before a line of a single cell, in which their last text may continue.
        classes: {position: class names} of columns that hold class indices.
        unit: what a row is called in messages.
        notes: lines that tell people what was detected.
        written: the file's text, where its rows are lines, for tasks whose cells may be lists (`Form.lists`).
    """

    names: list[str] | None
    width: int
    lines: Sequence[int]
    column: Callable[[int], list[Any]]
    problems: dict[int, str] = field(default_factory=dict)
    torn: frozenset[int] = frozenset()
    classes: dict[int, list[str]] = field(default_factory=dict)
    unit: str = "line"
    notes: list[str] = field(default_factory=list)
    written: Written | None = None

    def named(self, position: int) -> list[Any]:
        """Return the values of a column, with names for class indices."""
        values, classes = self.column(position), self.classes.get(position)
        return values if classes is None else [_class_name(value, classes) for value in values]


def _class_name(value: Any, classes: Sequence[str]) -> Any:
    """Return the name of a class index; None for -1, with which Hugging Face marks a missing label."""
    if isinstance(value, list):
        return [_class_name(one, classes) for one in value]
    if type(value) is not int or value >= len(classes):
        return value
    return classes[value] if value >= 0 else None
