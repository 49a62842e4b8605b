"""What the rows of a table mean: which column is which, and which rows can be used."""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from datamap.data.tables import Table
from datamap.errors import DataError, did_you_mean, first_few
from datamap.schema import KINDS

COLUMNS = ("text_a", "text_b", "label", "s_label", "id")
REQUIRED = ("text_a", "text_b", "label")
POSITIONS = {
    "text_a": 0,
    "text_b": 1,
    "label": 2,
    "s_label": 3,
}  # the original's order, of files without a header
TEXTS = ("text_a", "text_b")
WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,18}")  # no sign for nothing, no leading zeros
EXACT = 2**53  # floats below it are whole numbers to the last digit

Columns = Mapping[str, str | int | None]


class BadRow(NamedTuple):
    """A row that was left out, and why."""

    path: str
    line: int
    problem: str


class Refusals:
    """What becomes of rows that cannot be used: an error, or a note of each where they are to be skipped."""

    def __init__(self, path: str, skip: bool) -> None:
        self.path, self.skip = path, skip
        self.bad: list[BadRow] = []

    def refuse(self, line: int, problem: str) -> None:
        """Note a row.

        Raises:
            DataError: unless such rows are skipped.
        """
        if not self.skip:
            raise DataError(
                f"{self.path}, line {line}: {problem} (data.on_bad_row=skip leaves such rows out)"
            )
        self.bad.append(BadRow(self.path, line, problem))


class Sample(NamedTuple):
    """One usable row; `row` counts from 0, `line` from 1."""

    row: int
    line: int
    text_a: str
    text_b: str
    label: str
    s_label: int
    id: str


# ---------------------------------------------------------------------- which column is which


def find_columns(table: Table, columns: Columns, path: str) -> dict[str, int | None]:
    """{column of `COLUMNS`: its position in a row, or None}.

    Args:
        columns: what `dataset.load_samples` takes.
    Raises:
        DataError: a column that is needed or named is not there.
    """
    wanted = {name: columns.get(name, "auto") for name in COLUMNS}
    found = {name: _position(name, wanted[name], table, path) for name in COLUMNS}
    if table.names is None:
        taken = {position for name, position in found.items() if wanted[name] != "auto"}
        free = {n: p for n, p in POSITIONS.items() if p < table.width and p not in taken}
        found |= {name: position for name, position in free.items() if wanted[name] == "auto"}
    for name in REQUIRED:
        if found[name] is None and wanted[name] is not None:
            there = first_few(table.names or range(table.width), 20)
            raise DataError(
                f"{path}: no column for {name} among {there}; name it with data.columns.{name}= "
                "(for single texts: data.columns.text_b=null)"
            )
    return found


def _position(name: str, wanted: Any, table: Table, path: str) -> int | None:
    key = f"data.columns.{name}={wanted}"
    if wanted is None:
        return None
    if type(wanted) is int:
        if not 0 <= wanted < table.width:
            raise DataError(f"{path}: {key}, but rows have columns 0 to {table.width - 1}")
        return wanted
    if not isinstance(wanted, str):
        raise DataError(f"{path}: {key}: give a column's name, its position from 0, null or auto")
    names = table.names or []
    column = name if wanted == "auto" else wanted
    if names.count(column) > 1:
        raise DataError(f"{path}: {names.count(column)} columns are called {column!r}; rename all but one")
    if column in names:
        return names.index(column)
    if wanted == "auto":
        return None
    there = f"columns: {first_few(names, 20)}" if names else "the file has no header"
    raise DataError(
        f"{path}: no column {wanted!r} for data.columns.{name}{did_you_mean(wanted, names)} ({there})"
    )


# ---------------------------------------------------------------------- which rows can be used


def usable(table: Table, found: Mapping[str, int | None], refusals: Refusals) -> list[Sample]:
    """The rows that have all that they need, and an id of their own.

    Args:
        found: what `find_columns` gives.
    Raises:
        DataError: a row cannot be used, and such rows are not skipped; or none can.
    """
    samples: list[Sample] = []
    seen: dict[str, int] = {}
    for row, values in enumerate(_rows(table, found)):
        line = table.lines[row]
        sample = table.problems.get(row) or _sample(row, line, values, found)
        if isinstance(sample, str):
            refusals.refuse(line, sample)
        elif sample.id in seen:
            refusals.refuse(line, f"id {sample.id!r} was given in line {seen[sample.id]} already")
        else:
            seen[sample.id] = line
            samples.append(sample)
    if not samples:
        raise DataError(f"{refusals.path}: no usable row ({len(refusals.bad)} bad ones)")
    return samples


def _rows(table: Table, found: Mapping[str, int | None]) -> Iterator[dict[str, Any]]:
    """Yield {column: value} of each row, of the columns that are there."""
    columns = {name: table.column(position) for name, position in found.items() if position is not None}
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _sample(row: int, line: int, values: dict[str, Any], found: Mapping[str, int | None]) -> Sample | str:
    """The row's sample, or what is wrong with it."""
    cells = dict.fromkeys(COLUMNS, "")
    for name, value in values.items():
        try:
            cells[name] = text_of(value) if name in TEXTS else _word(value)
        except ValueError as error:
            return f"{name} {error}"
        if name != "s_label" and not cells[name].strip():
            return f"{name} is empty"
    kind = cells.pop("s_label") or "0"
    if kind not in map(str, KINDS):
        return (
            f"s_label {kind!r} is not 0 (normal), 1 (hard) or 2 (dirty); "
            "if that column is something else, set data.columns.s_label=null"
        )
    if found["id"] is None:
        cells["id"] = str(row)
    return Sample(row, line, s_label=int(kind), **cells)


def text_of(value: Any) -> str:
    """A cell as text, exactly as it stands; "" for one that is missing (None, NaN).

    Raises:
        ValueError: it is no text and no number; the message ends the sentence that the column's name begins.
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", "surrogateescape")
    if isinstance(value, list | dict):
        raise ValueError(f"is a {type(value).__name__}, not a text or a number")
    if isinstance(value, float) and math.isinf(value):
        raise ValueError(f"is {value}, not a finite number")
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    text = "" if missing else str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("has bytes that are not UTF-8") from None
    return text


def _word(value: Any) -> str:
    """A label or an id as text: 1.0, as pandas makes of 1 beside a missing number, is 1 again."""
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        value = int(value)
    return text_of(value).strip()


def ids_of(words: list[str]) -> list[int] | list[str]:
    """Ids as ints where all are whole numbers of 64 bits as they stand (no leading zeros), else as strings.

    >>> ids_of(["7", "-1"]), ids_of(["007", "8"])
    ([7, -1], ['007', '8'])
    """
    if all(WHOLE_NUMBER.fullmatch(word) and -(2**63) <= int(word) < 2**63 for word in words):
        return [int(word) for word in words]
    return words


# ---------------------------------------------------------------------- classes


def without_lone(samples: list[Sample], refusals: Refusals) -> list[Sample]:
    """The samples without those of classes that occur once: they can be neither learnt nor compared."""
    counts = Counter(sample.label for sample in samples)
    for sample in samples:
        if counts[sample.label] == 1:
            refusals.refuse(sample.line, f"class {sample.label!r} occurs only once")
    return [sample for sample in samples if counts[sample.label] > 1]


def without_unknown(samples: list[Sample], names: Sequence[str], refusals: Refusals) -> list[Sample]:
    """The samples whose labels are among the `names` of the training data's classes."""
    known = set(names)
    for sample in samples:
        if sample.label not in known:
            there = f"the training data has {first_few(names, 20)}"
            refusals.refuse(sample.line, f"class {sample.label!r} is not known ({there})")
    return [sample for sample in samples if sample.label in known]


def sorted_classes(labels: Collection[str]) -> tuple[str, ...]:
    """Class names in order: as numbers where all are whole numbers, else as words.

    >>> sorted_classes({"10", "9", "09"})
    ('09', '9', '10')
    """
    try:
        return tuple(sorted(labels, key=lambda label: (int(label), label)))
    except ValueError:
        return tuple(sorted(labels))
