"""Read delimited text: detect the delimiter and quotes, and split the rows."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from datamap.data import files, names
from datamap.data.table import Form
from datamap.errors import ConfigError, DataError
from datamap.translations import translate

WORDS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
DELIMITERS = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "pipes"}
PREVIEW = 1 << 16  # characters from which the delimiter is detected
MIN_ROWS = 5  # fewer rows may all have one width by chance
SEP = re.compile(r'"?sep=([\t,;:|])"?\r?\n')  # Excel's own first line
QUOTED = re.compile(r'"([^"]*(?:""[^"]*)*)"')
OPENING = re.compile(r'(?:^|(?<=\t))"', re.MULTILINE)
TSV_CELL = re.compile(QUOTED.pattern + r"(?=\t|\r?\n|\r?\Z)")


class Record(NamedTuple):
    """Hold one row: the line on which it begins, from 1, and its cells."""

    line: int
    cells: list[Any]


class Delimited(NamedTuple):
    """Hold the rows of a text that are not blank, and what was detected.

    Attributes:
        records: the rows.
        notes: lines that tell people what was detected.
        delimiter: what stands between cells.
        quoted: true if quotation marks may stand around cells.
    """

    records: list[Record]
    notes: list[str]
    delimiter: str
    quoted: bool


def read(text: str, path: Path, usual: str, form: Form) -> Delimited:
    """Return the rows of a text that are not blank, and what was detected.

    Args:
        text: the content of the file.
        path: the file, for messages.
        usual: the usual delimiter of such files.
        form: the user's delimiter, and names of columns besides `names.COLUMNS`.

    Raises:
        ConfigError: the user's delimiter is not a single character.
        DataError: a quotation mark is misplaced or never closed, or there are too many rows.
    """
    if "\n" not in text:
        text = text.replace("\r", "\n")  # line ends of old Mac programs
    told = SEP.match(text)
    if told:
        text = "\n" + text[told.end() :]
    chosen = given_delimiter(form.delimiter) or (told and told[1]) or _delimiter(text, usual, form.known)
    lines = text.count("\n")
    files.check_rows(lines, lines + text.count(chosen), path)
    notes = (
        []
        if chosen == usual or form.delimiter
        else [translate("its columns are separated by {by}", by=translate(DELIMITERS.get(chosen, chosen)))]
    )
    try:
        plain = chosen == usual == "\t"
        rows, quoted = _tsv_records(text) if plain else (list(records(text, chosen)), False)
    except DataError as error:
        raise DataError(f"{path}, {error}") from error
    notes += [translate(QUOTED_NOTE)] * quoted
    kept = [row for row in rows if any(map(str.strip, row.cells))]
    return Delimited(kept, notes, chosen, quoted or not plain)


QUOTED_NOTE = "quotation marks around cells are removed and doubled ones unescaped, as in CSV"


def given_delimiter(delimiter: str | None) -> str | None:
    """Return the character that `data.delimiter` means; None where it is not given.

    Raises:
        ConfigError: it is neither one character nor a known word.
    """
    if delimiter is None:
        return None
    found = WORDS.get(delimiter, delimiter)
    if len(found) != 1 or found in '"\r\n':
        raise ConfigError(f"data.delimiter={delimiter!r}: give one character, or {', '.join(WORDS)}")
    return found


def _delimiter(text: str, usual: str, known: Collection[str]) -> str:
    """Detect the delimiter: the one with which the first row names columns, else with which rows have one width."""
    start = text[:PREVIEW]
    preview = start if len(text) <= PREVIEW else start[: start.rfind("\n") + 1] or start
    shares = {}
    for delimiter in (usual, *(d for d in DELIMITERS if d != usual)):
        try:
            rows = [record.cells for record in records(preview, delimiter) if record.cells]
        except DataError:
            rows = [line.split(delimiter) for line in preview.split("\n") if line]
        if len(rows[0] if rows else []) > 1 and names.is_header([cell.strip() for cell in rows[0]], known):
            return delimiter
        width, count = Counter(map(len, rows)).most_common(1)[0] if rows else (0, 0)
        shares[delimiter] = count / len(rows) if width > 1 else 0
    best = max(shares, key=shares.__getitem__)  # max takes the first of equals: the usual one
    return best if (shares[best] == 1 and len(rows) >= MIN_ROWS) or not shares[usual] else usual


def records(text: str, delimiter: str) -> Iterator[Record]:
    """Yield the rows of delimited text by the rules of CSV (RFC 4180), blank lines as rows without cells.

    Line ends within quotes stay as they are. Python's csv module is not used: it refuses cells of more than 131,072
    characters, and that limit can only be changed for the whole process.

    Raises:
        DataError: a quotation mark is misplaced or never closed; the message names the line.
    """
    position, line = 0, 1
    while position < len(text):
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        if text.find('"', position, end) < 0:
            row = text[position:end].removesuffix("\r")
            yield Record(line, row.split(delimiter) if row else [])
            position, line = end + 1, line + 1
            continue
        cells, end = _row(text, position, delimiter, line)
        yield Record(line, cells)
        position, line = end, line + text.count("\n", position, end)


def _row(text: str, position: int, delimiter: str, line: int) -> tuple[list[str], int]:
    """Return (the cells of the row at a position, the position of the next row)."""
    cells = []
    while True:
        if text.startswith('"', position):
            cell = QUOTED.match(text, position)
            if not cell or text.startswith('"', cell.end()):
                raise DataError(f"line {line}: a quotation mark is never closed")
            cells.append(cell[1].replace('""', '"'))
            position = cell.end()
            after = text[position : position + 2]
            if after and after[0] not in (delimiter, "\n") and after not in ("\r\n", "\r"):
                raise DataError(f"line {line}: a text continues after its closing quotation mark")
            position += after.startswith("\r")
        else:
            line_end = text.find("\n", position)
            line_end = len(text) if line_end < 0 else line_end
            cell_end = text.find(delimiter, position, line_end)
            end = line_end if cell_end < 0 else cell_end
            cells.append(text[position:end].removesuffix("\r") if cell_end < 0 else text[position:end])
            position = end
        if not text.startswith(delimiter, position):
            return cells, position + 1
        position += 1


# ---------------------------------------------------------------------- TSV: with or without quotes


def _tsv_records(text: str) -> tuple[list[Record], bool]:
    """Return (the rows of a TSV, True if cells are in quotes).

    Raises:
        DataError: the file has cells in quotes, and is damaged further on.
    """
    if '"' not in text:
        return list(_plain(text)), False
    if _quotes_are_needed(text, len(next((record.cells for record in _filled(text)), []))):
        try:
            return list(records(text, "\t")), True
        except DataError as error:
            raise DataError(f"{error}; this file has cells in quotes, as in a CSV") from error
    quoted = _all_quoted(text)
    return (list(_plain(text)), False) if quoted is None else (quoted, False)


def _plain(text: str) -> Iterator[Record]:
    """Yield the rows of a TSV in which quotation marks are part of the text."""
    for number, line in enumerate(text.split("\n"), 1):
        yield Record(number, line.removesuffix("\r").split("\t"))


def _quotes_are_needed(text: str, width: int) -> bool:
    """Tell whether most cells in quotes are ones that a writer of CSV had to quote.

    Such a writer quotes a cell that holds a tab, a line end or a quotation mark (Excel also a comma), and doubles the
    marks within. A text that only happens to begin and end with quotation marks has no such reason. Neither has a cell
    of several lines that all have the file's width: there, two texts have a single mark each.

    Args:
        text: the content of the file.
        width: the number of columns in the first line, ignoring quotes.
    """
    needed = idle = commas = position = 0
    while opening := OPENING.search(text, position):
        cell = TSV_CELL.match(text, opening.start())
        good = cell is not None and _had_to_be_quoted(text, cell, width)
        needed, idle = needed + good, idle + (not good)
        commas += cell is not None and not good and "," in cell[1]
        position = cell.end() if cell else opening.end()
    excel = idle and idle == commas and needed + idle > 2 and "," not in TSV_CELL.sub("", text)
    return needed > idle or bool(excel)


def _had_to_be_quoted(text: str, cell: re.Match[str], width: int) -> bool:
    if "\t" not in cell[1] and "\n" not in cell[1]:
        return '"' in cell[1] or "\r" in cell[1]
    start, end = text.rfind("\n", 0, cell.start()) + 1, text.find("\n", cell.end())
    rows = text[start : len(text) if end < 0 else end].split("\n")
    return any(len(row.split("\t")) != width for row in rows)


def _all_quoted(text: str) -> list[Record] | None:
    """Return the rows of a TSV in which each row after the first has a quoted cell, as in data/samples.tsv; else None.

    Raises:
        DataError: the file begins like that, and is damaged further on.
    """
    quoted: list[Record] = []
    lines = text.split("\n")
    try:
        for record in records(text, "\t"):
            if not record.cells:
                continue
            if quoted and not _opens_quote(lines[record.line - 1]):
                return None
            quoted.append(record)
    except DataError as error:
        most = 2 * sum(map(_opens_quote, lines)) > sum(1 for line in lines if line.removesuffix("\r"))
        if len(quoted) > 1 and _one_width(quoted) and most:
            raise DataError(f"{error}; this file has cells in quotes, as in a CSV") from error
        return None
    return quoted if len(quoted) > 1 and (_one_width(quoted) or not _one_width(_filled(text))) else None


def _filled(text: str) -> Iterator[Record]:
    return (record for record in _plain(text) if record.cells != [""])


def _opens_quote(line: str) -> bool:
    return line.startswith('"') or '\t"' in line


def _one_width(rows: Iterable[Record]) -> bool:
    return len({len(record.cells) for record in rows}) == 1


def usual_width(rows: Iterable[Record]) -> int:
    """Return the number of cells that most rows have."""
    return max(Counter(len(row.cells) for row in rows).items(), key=lambda item: item[1], default=(0, 0))[0]
