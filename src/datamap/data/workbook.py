"""Read the rows of the first sheet of an Excel workbook."""

import datetime
import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

from datamap.data import files
from datamap.errors import DataError, reason
from datamap.translations import translate


def read(content: bytes, path: str | Path) -> tuple[list[tuple[int, list[Any]]], list[str]]:
    """Return ([(number of the row in Excel, cells), …] of rows that are not blank, notes).

    A cell with a formula has the value that Excel computed last. Midnight of a day becomes a date.

    Raises:
        DataError: the file is not a workbook, is protected by a password, or is too large.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files.check_size(sum(part.file_size for part in archive.infolist()), path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and checks that openpyxl drops
            return _rows(content, path)
    except DataError:
        raise
    except zipfile.BadZipFile as error:
        raise DataError(
            f"{path} is not a workbook, or is protected by a password; save it without one"
        ) from error
    except Exception as error:  # openpyxl raises many types for damaged files
        raise DataError(f"{path} is not a workbook of Excel ({reason(error)})") from error


def _rows(content: bytes, path: str | Path) -> tuple[list[tuple[int, list[Any]]], list[str]]:
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"] or book.worksheets
    if not sheets:
        raise DataError(f"{path} has no sheet")
    first = "reading the first of its {count} sheets, {title!r}"
    notes = [translate(first, count=len(sheets), title=sheets[0].title)] * (len(sheets) > 1)
    sheets[0].reset_dimensions()  # many programs write wrong ones
    rows, total = [], 0
    for number, row in enumerate(sheets[0].iter_rows(values_only=True), 1):
        cells = [_cell(value) for value in row]
        if any(cell is not None for cell in cells):
            rows.append((number, cells))
            files.check_rows(len(rows), total := total + len(cells), path)
    width = max((len(cells) for _, cells in rows), default=0)
    while width and all(len(cells) < width or cells[width - 1] is None for _, cells in rows):
        width -= 1
    return [(number, (cells + [None] * width)[:width]) for number, cells in rows], notes


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        from openpyxl.utils.escape import unescape

        return unescape(value) if value.strip() else None
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date()
    return value
