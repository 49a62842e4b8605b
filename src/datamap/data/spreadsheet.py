"""Guard files that people open in a spreadsheet, and read back what a spreadsheet saves."""

import re
from collections.abc import Sequence

import pandas as pd

from datamap.data import delimited_text, files, rows, workbook
from datamap.errors import DataError, first_few

SAVE = "save it as .xlsx, or as UTF-8 text with tabs or commas between the columns"
# Some spreadsheets treat a cell that begins like this as a formula, on Chinese and Japanese systems also the wide signs
# (OWASP, "CSV Injection"). Numbers with a sign are safe.
FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
ZIP = b"PK\x03\x04"  # a workbook is a ZIP archive
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def guarded(frame: pd.DataFrame) -> pd.DataFrame:
    """Put an apostrophe before each text that a spreadsheet would take for a formula.

    >>> guarded(pd.DataFrame({"text_a": ["=1+1", "'=1", "-5", "a"]}))["text_a"].tolist()
    ["'=1+1", "''=1", '-5', 'a']
    """
    texts = frame.select_dtypes(exclude="number")
    return frame.assign(**{name: [_guarded(cell) for cell in texts[name].tolist()] for name in texts})


def _guarded(cell: object) -> object:
    if not isinstance(cell, str) or cell[:1].isalnum():  # fast path for most cells
        return cell
    return f"'{cell}" if FORMULA.match(cell) and not NUMBER.fullmatch(cell) else cell


def unguarded(cell: str) -> str:
    """Remove the apostrophe that `guarded` puts before a text."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def read(content: bytes, name: str, required: Sequence[str]) -> pd.DataFrame:
    """Read a file as spreadsheets save it: workbook, tabs or commas, UTF-8 or UTF-16, with empty rows.

    Args:
        content: bytes of the file.
        name: the file's name in messages.
        required: names of the columns that it must have.

    Returns:
        DataFrame of str, without the apostrophes of `guarded`. Its index is the row's number in a spreadsheet, which
        begins with 1. Rows that are blank in all `required` columns are left out.

    Raises:
        DataError: the file is unreadable, lacks a column, or has a row with more cells than the header.
    """
    try:
        records = _records(content, name)
        top = next(place for place, row in enumerate(records) if any(map(str.strip, row)))
        columns = _columns(records[top], required, name)
        rest = list(enumerate(records[top + 1 :], top + 2))
        cells = [_cells(row, len(columns), f"{name}, row {number}") for number, row in rest]
    except DataError as error:
        raise DataError(f"{error}; {SAVE}") from error
    frame = pd.DataFrame(cells, [number for number, _ in rest], columns, dtype=object)
    return frame[~(frame[list(required)].map(str.strip) == "").all(axis=1)]


def _records(content: bytes, name: str) -> list[list[str]]:
    """Return all rows as lists of cells, empty rows included."""
    records = _of_workbook(content, name) if content.startswith(ZIP) else _of_text(content, name)
    if not any(cell.strip() for row in records for cell in row):
        raise DataError(f"{name} has no rows")
    return records


def _of_workbook(content: bytes, name: str) -> list[list[str]]:
    found = dict(workbook.read(content, name)[0])
    cells = [found.get(number, []) for number in range(1, max(found, default=0) + 1)]
    return [[rows.shown(cell) for cell in row] for row in cells]


def _of_text(content: bytes, name: str) -> list[list[str]]:
    text = files.decoded(content, name).text
    try:
        text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise DataError(f"{name}, line {line}: not UTF-8") from error
    if "\n" not in text:
        text = text.replace("\r", "\n")  # line ends of old Mac programs
    header = text.lstrip().partition("\n")[0]
    delimiter = max("\t,;", key=header.count)
    try:
        return [record.cells for record in delimited_text.records(text, delimiter)]
    except DataError as error:
        raise DataError(f"{name}, {error}") from error


def _columns(header: list[str], required: Sequence[str], name: str) -> list[str]:
    columns = [cell.strip() for cell in header]
    for column in required:
        if columns.count(column) != 1:
            problem = f"no column {column}" if column not in columns else f"several columns {column}"
            raise DataError(f"{name} has {problem} (columns: {first_few(columns, 20)})")
    return columns


def _cells(row: list[str], width: int, where: str) -> list[str]:
    """Return a row's cells; a short row is filled with empty cells."""
    if any(row[width:]):
        raise DataError(f"{where}: {len(row)} columns instead of {width}")
    return [unguarded(cell) for cell in row[:width]] + [""] * (width - len(row))
