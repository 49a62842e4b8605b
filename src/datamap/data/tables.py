"""Read files of rows and columns in any format; module `rows` interprets the columns."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from datamap.data import columnar, delimited_text, files, json_rows, names, workbook
from datamap.data.delimited_text import Record
from datamap.data.table import Form, Table, Written, bit
from datamap.errors import DataError, counted
from datamap.translations import translate

MAX_TITLES = 5  # rows at the top that may be titles above the header


def read(path: Path, form: Form = Form()) -> Table:  # noqa: B008
    """Read the table in a file, or in a folder of Hugging Face's save_to_disk.

    Texts are UTF-8 with or without a byte-order mark, or in an encoding that is certain (`files.decoded`). Quotation
    marks in a .tsv are part of the text, unless a writer of CSV made the file (`delimited`).

    Raises:
        ConfigError: the form's encoding or delimiter is invalid.
        DataError: the file is unreadable, of an unknown format, or has no rows.
    """
    table = _read(path, form)
    if not table.lines:
        raise DataError(f"{path} has no rows")
    if len(table.problems) == len(table.lines):
        problem = f"{path}, {table.unit} {table.lines[0]}: {table.problems[0]}"
        raise DataError(f"{problem}; all other rows are unusable too")
    return table


def _read(path: Path, form: Form) -> Table:
    suffix = path.suffix.lower()
    if os.path.isdir(path):  # noqa: PTH112  it is False for a path that cannot be looked up
        return columnar.open_folder(path)
    if suffix not in READERS:
        hint = "; save it as .xlsx" if suffix in (".xls", ".et", ".ods") else ""
        raise DataError(f"{path} has an unknown format{hint}; known are {', '.join(READERS)}")
    return READERS[suffix](path, form)


def _read_delimited(path: Path, form: Form) -> Table:
    text, notes, encoding = files.decoded(files.content(path), path, form.encoding)
    usual = "," if path.suffix.lower() == ".csv" else "\t"
    found = delimited_text.read(text, path, usual, form)
    table = _of_records(found.records, form, notes + found.notes)
    written = Written(text, encoding, found.delimiter, found.quoted)
    return replace(table, written=written) if form.lists else table


def _read_workbook(path: Path, form: Form) -> Table:
    rows, notes = workbook.read(files.content(path), path)
    return _of_records([Record(line, cells) for line, cells in rows], form, notes, "row")


# ---------------------------------------------------------------------- rows of cells: the header, broken rows


def _of_records(records: list[Record], form: Form, notes: list[str], unit: str = "line") -> Table:
    top = [[_name(cell) for cell in record.cells] for record in records[:MAX_TITLES]]
    place = _header_at(top, form)
    if place:
        above = "line {line} holds the column names; the lines above it are ignored"
        if unit == "row":
            above = "row {line} holds the column names; the rows above it are ignored"
        notes = [*notes, translate(above, line=records[place].line)]
    header = None if place is None else top[place]
    while header and not header[-1]:
        header.pop()
    records = records if place is None else records[place + 1 :]
    width = len(header) if header else delimited_text.usual_width(records)
    rows = [record.cells if any(record.cells[width:]) else record.cells[:width] for record in records]
    problems = _broken(rows, width)
    for row, cells in enumerate(rows):
        if header and len(cells) == width and [_name(cell) for cell in cells] == header:
            problems[row] = "repeats the header"

    def column(position: int) -> list[Any]:
        return [None if row in problems else cells[position] for row, cells in enumerate(rows)]

    torn = frozenset(row - 1 for row, cells in enumerate(rows) if row and len(cells) == 1 < width)
    lines = [record.line for record in records]
    return Table(header, width, lines, column, problems, torn, unit=unit, notes=notes)


def _name(cell: Any) -> str:
    """Return a cell of a header without invisible characters."""
    return "" if cell is None else str(cell).strip().strip("\ufeff\u200b").strip()


def _header_at(top: list[list[str]], form: Form) -> int | None:
    """Return the row of the header; None if there is none."""
    if form.header is not None or not top:
        return 0 if form.header else None
    if names.is_header(top[0], form.known) or (form.lists and _names_indicators(top)):
        return 0
    for place, cells in enumerate(top):
        filled = len(list(filter(None, cells)))
        if names.is_alias_header(cells) and all(len(list(filter(None, row))) < filled for row in top[:place]):
            return place
    return None


def _names_indicators(top: list[list[str]]) -> bool:
    """Tell whether the first row names a text and a column of 0 and 1."""
    header, *rows = top
    texts = names.positions("text_a", header)
    return bool(texts and rows) and any(
        bit(name) is None and all(place < len(row) and bit(row[place]) is not None for row in rows)
        for place, name in enumerate(header)
        if place not in texts
    )


def _broken(rows: list[list[Any]], width: int) -> dict[int, str]:
    """Return {row: problem} of rows that are not `width` wide, or may be the rest of such a row.

    A line end within a text splits a row in two, and the second part may look complete. So a row that completes the
    short row before it is unusable, too.
    """
    problems: dict[int, str] = {}
    missing = 0
    for row, cells in enumerate(rows):
        if missing and len(cells) == missing + 1:
            problems[row] = (
                f"may be the rest of the row before it, which has {width - missing} of {width} columns"
            )
            missing = 0
        elif len(cells) < width:
            problems[row] = f"{counted(len(cells), 'column')} instead of {width}"
            within = missing and len(cells) <= missing
            missing = (missing if within else width) - len(cells) + bool(within)
        else:
            missing = 0
            if len(cells) > width:
                problems[row] = f"{counted(len(cells), 'column')} instead of {width}"
    return problems


READERS: dict[str, Callable[[Path, Form], Table]] = {
    ".tsv": _read_delimited,
    ".csv": _read_delimited,
    ".txt": _read_delimited,
    ".jsonl": json_rows.read,
    ".json": json_rows.read,
    ".parquet": columnar.open_parquet,
    ".xlsx": _read_workbook,
}
