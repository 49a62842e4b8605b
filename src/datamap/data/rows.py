"""Interpret the rows of a table: find the columns, and select the usable rows."""

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from datamap.data import names as known_names
from datamap.data.advice import advice
from datamap.data.names import COLUMNS
from datamap.data.table import Table
from datamap.errors import DataError, did_you_mean, first_few
from datamap.schema import KINDS
from datamap.translations import translate

REQUIRED = ("text_a", "label")
# Positions without a header: the original's order; with two columns, one text and its label.
POSITIONS = {"text_a": 0, "text_b": 1, "label": 2, "s_label": 3}
TWO_POSITIONS = {"text_a": 0, "label": 1}
TEXTS = ("text_a", "text_b")
OWN = {"id", "text_a", "label"}  # columns of the files that curate writes
WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,18}")  # "-0" and leading zeros are strings
MAX_EXACT = 2**53  # floats below it represent integers exactly
AS_TEXT = re.compile(r'="([^"]*)"')  # how a CSV tells Excel that a cell is text
HINTS = {frozenset({"annotations", "data"}): "; export from Label Studio as JSON-MIN or CSV"}
NOT_UTF8 = "has bytes that are not UTF-8"

# Values: a name, a position from 0, None or "auto"; of labels in columns of 0 and 1, a list of them.
Columns = Mapping[str, Any]
Positions = Callable[[str, Sequence[str]], list[int]]


class BadRow(NamedTuple):
    """Name a row that was left out, and the problem."""

    path: str
    line: int
    problem: str


class BadRows:
    """Report unusable rows: raise an error, or collect them in `bad` if they are to be skipped."""

    def __init__(self, path: str, skip: bool, unit: str = "line") -> None:
        self.path, self.skip, self.unit = path, skip, unit
        self.bad: list[BadRow] = []

    def report(self, line: int, problem: "str | Problem") -> None:
        """Add a row.

        Raises:
            DataError: unusable rows are not to be skipped.
        """
        text, column = problem if isinstance(problem, Problem) else Problem(problem)
        text = text if column is None else f"column {column}: {text}"
        if not self.skip:
            skip = advice(" (to leave out such rows: data.on_bad_row=skip)", "")
            between = ":" if column is None else ","
            raise DataError(f"{self.path}, {self.unit} {line}{between} {text}{skip}")
        self.bad.append(BadRow(self.path, line, text))


class Problem(NamedTuple):
    """Say what is wrong with a row, and in which column (a name, or a number from 0) where that is known."""

    text: str
    column: str | int | None = None


class Sample(NamedTuple):
    """Hold one usable row; `row` counts from 0, `line` from 1."""

    row: int
    line: int
    text_a: str
    text_b: str
    label: str
    planted: int
    id: str


S = TypeVar("S")  # what a row becomes: a `Sample`, or that of another task


# ---------------------------------------------------------------------- which column is which


def find_columns(
    table: Table,
    columns: Columns,
    path: str,
    positions: Positions = known_names.positions,
    required: Collection[str] = REQUIRED,
) -> dict[str, int | None]:
    """Return {column of `COLUMNS`: its position in a row, or None}.

    Args:
        table: the table.
        columns: the columns that the user names (`dataset.load_samples`).
        path: the file, for messages.
        positions: returns the positions of a column in a header; the first one is used, and several are refused.
        required: the columns that there must be.

    Raises:
        DataError: a required or named column is missing.
    """
    wanted = {name: columns.get(name, "auto") for name in COLUMNS}
    found = {name: position(name, wanted[name], table, path, positions) for name in COLUMNS}
    if table.names is None:
        taken = {place for name, place in found.items() if wanted[name] != "auto"}
        order = TWO_POSITIONS if table.width == 2 else POSITIONS
        free = {n: p for n, p in order.items() if p < table.width and p not in taken}
        found |= {name: place for name, place in free.items() if wanted[name] == "auto"}
    for name in required:
        if found[name] is None:
            there = first_few(table.names or range(table.width), 20)
            hint = next((hint for columns, hint in HINTS.items() if columns <= {*(table.names or [])}), "")
            if table.width == 1 and table.unit == "line":
                by_key = "; to name what separates the columns: data.delimiter="
                hint = advice(by_key, "; divide the columns by tabs")
            name_it = advice(
                f"name it: data.columns.{name}=<name or position>", f"name it {name} in the file's header"
            )
            raise DataError(f"{path} has no column for {name} (columns: {there}); {name_it}{hint}")
    return found


def notes_on_columns(table: Table, columns: Columns, positions: Mapping[str, int | None]) -> list[str]:
    """Return notes on what was assumed about columns: aliases of names, and single texts."""
    header = table.names
    notes = [
        translate("{name} is column {column!r}", name=name, column=header[position])
        for name, position in positions.items()
        if header
        and position is not None
        and header[position] != name
        and columns.get(name, "auto") == "auto"
    ]
    notes += [
        translate("it has no column {wanted!r}; {name} is column {name!r}", name=name, wanted=wanted)
        for name, wanted in columns.items()
        if header and isinstance(wanted, str) and wanted != "auto" and header[positions[name] or 0] != wanted
    ]
    unused = len(header or ()) > len(set(positions.values()) - {None})
    if unused and positions["text_b"] is None and columns.get("text_b", "auto") == "auto":
        by_key = "reading single texts: it has no column text_b (to name it: data.columns.text_b=)"
        notes.append(translate(advice(by_key, "reading single texts: it has no column text_b")))
    return [translate(", ").join(notes)] if notes else []


def notes_of_file(name: str, notes: Iterable[str]) -> list[str]:
    """Return notes that begin with the file's name."""
    return [translate("{name}: {note}", name=name, note=note) for note in notes]


def position(
    name: str, wanted: Any, table: Table, path: str, positions: Positions = known_names.positions
) -> int | None:
    """Return the position of one column that the user names, or that `positions` finds; None if there is none.

    Raises:
        DataError: there is no such column, or there are several.
    """
    key = f"data.columns.{name}={wanted}"
    if wanted is None:
        return None
    if type(wanted) is int:
        if not 0 <= wanted < table.width:
            raise DataError(f"{path}: {key} is out of range; rows have columns 0 to {table.width - 1}")
        return wanted
    if not isinstance(wanted, str):
        raise DataError(f"{path}: {key} is invalid; give a column's name, its position from 0, null or auto")
    header = table.names or []
    places = positions(name, header) if wanted == "auto" else []
    if wanted != "auto":
        places = [place for place, column in enumerate(header) if column == wanted]
        if not places and name in header and set(header) >= OWN:
            places = [header.index(name)]  # a curated file, with development data that have other names
    if len(places) > 1:
        called = [header[place] for place in places]
        if len(set(called)) == 1:
            raise DataError(f"{path} has {len(called)} columns named {called[0]!r}; rename all but one")
        name_it = advice(f"name it: data.columns.{name}=", f"name only one of them {name}")
        raise DataError(f"{path}: column {name} may be {first_few(called)}; {name_it}")
    if places or wanted == "auto":
        return places[0] if places else None
    there = (
        f"columns: {first_few(header, 20)}"
        if header
        else "the first row was not recognized as a header; if it is one: data.header=true"
    )
    raise DataError(
        f"{path} has no column {wanted!r} for data.columns.{name}{did_you_mean(wanted, header)} ({there})"
    )


# ---------------------------------------------------------------------- which rows can be used


def usable(
    table: Table,
    positions: Mapping[str, int | None],
    bad_rows: BadRows,
    make: Callable[[int, int, dict[str, Any]], S | Problem | str],
) -> list[S]:
    """Return the usable rows: complete, and with a unique id.

    Args:
        table: the table.
        positions: positions of the columns (`find_columns`).
        bad_rows: collects the other rows.
        make: returns the sample of (row, line, {column: value}), which has an `id`, or the problem with it.

    Raises:
        DataError: a row is unusable and such rows are not to be skipped, or all are.
    """
    samples: list[Any] = []
    seen: dict[str, int] = {}
    torn = table.torn if {positions["text_a"], positions["text_b"]} & {table.width - 1} else ()
    for row, values in enumerate(_rows(table, positions)):
        line = table.lines[row]
        sample: Any = table.problems.get(row) or make(row, line, values)
        if row in torn and not isinstance(sample, str | Problem):
            sample = "its last text may continue in the next line, which has one column"
        if isinstance(sample, str | Problem):
            bad_rows.report(line, sample)
        elif sample.id in seen:
            number = advice("to number the rows instead: data.columns.id=null", "give each an id of its own")
            bad_rows.report(
                line, f"id {sample.id!r} occurs in {table.unit} {seen[sample.id]} already; {number}"
            )
        else:
            seen[sample.id] = line
            samples.append(sample)
    if not samples:
        raise DataError(f"{bad_rows.path} has no usable row ({len(bad_rows.bad):,} bad ones)")
    return samples


def _rows(table: Table, positions: Mapping[str, int | None]) -> Iterator[dict[str, Any]]:
    """Yield {column: value} of each row, for the columns that exist."""
    columns = {
        name: (table.named if name == "label" else table.column)(position)
        for name, position in positions.items()
        if position is not None
    }
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def labeled(row: int, line: int, values: dict[str, Any]) -> Sample | str:
    """Return the row's sample of one label, or the problem with it."""
    cells = dict.fromkeys(COLUMNS, "")
    for name, value in values.items():
        try:
            cells[name] = text_of(value) if name in TEXTS else word_of(value)
        except ValueError as error:
            by_key = "; to name the file's encoding: data.encoding=gb18030, big5 or cp1252"
            hint = advice(by_key, "; save the file as UTF-8") if str(error) == NOT_UTF8 else ""
            return f"{name} {error}{hint}"
        if name != "s_label" and not cells[name].strip():
            return f"{name} is empty"
    kind = cells.pop("s_label") or "0"
    if kind not in map(str, KINDS):
        return (
            f"s_label {kind!r} is not 0 (normal), 1 (hard) or 2 (dirty); if that column means something else, "
            + advice("set data.columns.s_label=null", "rename it")
        )
    if "id" not in values:
        cells["id"] = str(row)
    return Sample(row, line, planted=int(kind), **cells)


def text_of(value: Any) -> str:
    """Return a cell as text, unchanged; "" for a missing value (None, NaN).

    Raises:
        ValueError: the cell is neither text nor number; the message continues a sentence that begins with the column.
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
        raise ValueError(NOT_UTF8) from None
    return text


def word_of(value: Any) -> str:
    """Return a label or an id as text.

    1.0 becomes 1: pandas writes integers like that in a column with missing values. ="001", with which a CSV tells
    Excel that a cell is text, becomes 001. A list of one value, as annotation tools write it, becomes that value.
    """
    if type(value) is str and value.isalnum():
        return value  # most of them
    if isinstance(value, list) and len(value) < 2:
        value = value[0] if value else None
    if isinstance(value, list):
        raise ValueError(f"has {len(value)} values; give one per sample")
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_EXACT:
        value = int(value)
    word = text_of(value).strip()
    told = AS_TEXT.fullmatch(word)
    return told[1].strip() if told else word


def shown(cell: Any) -> str:
    """Return a cell of a sheet as text: of whole numbers without a fraction."""
    return word_of(cell) if isinstance(cell, float) else text_of(cell)


def ids_of(words: list[str]) -> list[int] | list[str]:
    """Return ids as ints if all are integers of 64 bits in canonical form (no leading zeros), else as strings.

    >>> ids_of(["7", "-1"]), ids_of(["007", "8"])
    ([7, -1], ['007', '8'])
    """
    if all(WHOLE_NUMBER.fullmatch(word) and -(2**63) <= int(word) < 2**63 for word in words):
        return [int(word) for word in words]
    return words


# ---------------------------------------------------------------------- classes


def class_order(labels: Collection[str], order: Sequence[str]) -> tuple[str, ...]:
    """Return the classes that occur: those of `order` first, in that order, then the others, sorted."""
    return *(name for name in order if name in labels), *sorted_classes(set(labels).difference(order))


def without_lone(samples: list[Sample], bad_rows: BadRows, hint: str = "") -> list[Sample]:
    """Return the samples of classes that occur more than once; a single sample can be neither learned nor compared.

    Args:
        samples: the usable rows.
        bad_rows: collects the other rows.
        hint: a possible cause, if it is the first row.
    """
    counts = Counter(sample.label for sample in samples)
    for sample in samples:
        if counts[sample.label] == 1:
            cause = hint if sample.row == 0 else ""
            bad_rows.report(sample.line, f"class {sample.label!r} occurs only once{cause}")
    return [sample for sample in samples if counts[sample.label] > 1]


def without_unknown(samples: list[Sample], names: Sequence[str], bad_rows: BadRows) -> list[Sample]:
    """Return the samples whose labels are among `names`, the classes of the training data."""
    known, there = set(names), f"the training data has {first_few(names, 20)}"
    for sample in samples:
        if sample.label not in known:
            bad_rows.report(sample.line, f"class {sample.label!r} is unknown ({there})")
    return [sample for sample in samples if sample.label in known]


def sorted_classes(labels: Collection[str]) -> tuple[str, ...]:
    """Sort class names: as numbers if all are integers, else as words.

    >>> sorted_classes({"10", "9", "09"})
    ('09', '9', '10')
    """
    try:
        return tuple(sorted(labels, key=lambda label: (int(label), label)))
    except ValueError:
        return tuple(sorted(labels))
