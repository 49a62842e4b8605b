"""Files of rows and columns: .tsv, .csv, .jsonl, .parquet. What the columns mean is `rows`' business."""

import codecs
import contextlib
import csv
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from datamap.errors import DataError

UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Table:
    """Rows of a file, in order.

    `names` are those of its columns, None where it has no header; `lines` says where each row begins, counted
    from 1. `column(position)` gives one value per row: text, or what JSON and Parquet hold. Rows that could not be
    read are in `problems`, {row: why}, and have no values.
    """

    names: list[str] | None
    width: int
    lines: Sequence[int]
    column: Callable[[int], list[Any]]
    problems: dict[int, str] = field(default_factory=dict)


class Record(NamedTuple):
    """One row of delimited text: the line on which it begins, counted from 1, and its cells."""

    line: int
    cells: list[str]


def read(path: Path, header: bool | None = None, known: Collection[str] = ()) -> Table:
    """The table in a .tsv, .csv, .jsonl or .parquet file.

    Texts are UTF-8 with or without a byte-order mark, or UTF-16 with one; a byte that is not UTF-8 becomes a lone
    surrogate. In a .tsv quotation marks mean themselves, unless the file is written with quotes (`_quoted_tsv`).

    Args:
        header: whether the first row of a .tsv or .csv names the columns; None = it does when one of its
            cells is among `known`.
    Raises:
        DataError: the file cannot be read, is of an unknown format, or has no rows.
    """
    if path.suffix not in READERS:
        raise DataError(f"{path}: unknown kind of file; data.path takes {', '.join(READERS)}")
    table = READERS[path.suffix](_content(path), path, header, known)
    if not table.lines:
        raise DataError(f"{path}: no rows")
    if len(table.problems) == len(table.lines):
        raise DataError(f"{path}, line {table.lines[0]}: {table.problems[0]}; nor can another row be read")
    return table


def _content(path: Path) -> bytes:
    try:
        if not path.exists():
            raise DataError(f"{path}: no such file (looked in {Path.cwd()})")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def decoded(content: bytes, name: str | Path) -> str:
    """Text of bytes: UTF-8, or UTF-16 with its mark; what is not UTF-8 becomes lone surrogates.

    Raises:
        DataError: it has UTF-16's mark, and is not UTF-16.
    """
    if not content.startswith(UTF16):
        return content.decode("utf-8-sig", errors="surrogateescape")
    try:
        return content.decode("utf-16")
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: not UTF-16 ({error.reason} at byte {error.start})") from error


# ---------------------------------------------------------------------- delimited text


def csv_records(text: str, delimiter: str) -> Iterator[Record]:
    """Yield the rows of delimited text by the rules of CSV (RFC 4180), blank lines as rows without cells.

    Cells are what was written: line ends within quotes stay as they are.

    Raises:
        DataError: a quotation mark where none may stand, or one that is never closed, with its line.
    """
    reader = csv.reader((f"{line}\n" for line in text.split("\n")), delimiter=delimiter, strict=True)
    line = 1
    with _cells_of_any_length():
        try:
            for cells in reader:
                yield Record(line, cells)
                line = reader.line_num + 1
        except csv.Error as error:
            raise DataError(f"line {line}: {error}") from error


@contextlib.contextmanager
def _cells_of_any_length() -> Iterator[None]:
    limit = csv.field_size_limit(2**31 - 1)  # Python's own is 131,072 characters
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _read_tsv(content: bytes, path: Path, header: bool | None, known: Collection[str]) -> Table:
    text = decoded(content, path)
    lines = text.split("\n")
    plain = [Record(n, line.removesuffix("\r").split("\t")) for n, line in enumerate(lines, 1)]
    plain = [record for record in plain if record.cells != [""]]
    return _delimited(_quoted_tsv(text, lines, plain, path) or plain, header, known)


def _quoted_tsv(text: str, lines: list[str], plain: list[Record], path: Path) -> list[Record] | None:
    """Records of a TSV with quotes, as our data/samples.tsv and pandas write it; None when it is not one.

    It is one when, read by the rules of CSV, each row after the first has a quoted cell, and all rows have the same
    number of cells (or have not without the rules either).

    Raises:
        DataError: it begins like one, and is damaged further on.
    """
    quoted: list[Record] = []
    try:
        for record in csv_records(text, "\t"):
            if not record.cells:
                continue
            if quoted and not _opens_quote(lines[record.line - 1]):
                return None
            quoted.append(record)
    except DataError as error:
        most = 2 * sum(map(_opens_quote, lines)) > len(plain)
        if len(quoted) > 1 and _one_width(quoted) and most:
            raise DataError(f"{path}, {error}; cells are in quotes here, as in a CSV") from error
        return None
    return quoted if len(quoted) > 1 and (_one_width(quoted) or not _one_width(plain)) else None


def _opens_quote(line: str) -> bool:
    return line.startswith('"') or '\t"' in line


def _one_width(records: list[Record]) -> bool:
    return len({len(record.cells) for record in records}) == 1


def _read_csv(content: bytes, path: Path, header: bool | None, known: Collection[str]) -> Table:
    try:
        records = [record for record in csv_records(decoded(content, path), ",") if record.cells]
    except DataError as error:
        raise DataError(f"{path}, {error}") from error
    return _delimited(records, header, known)


def _delimited(records: list[Record], header: bool | None, known: Collection[str]) -> Table:
    first = [cell.strip() for cell in records[0].cells] if records else []
    if header is None:
        header = not set(known).isdisjoint(first)
    names, records = (first, records[1:]) if header else (None, records)
    width = len(names) if names else _usual(len(record.cells) for record in records)
    problems = {
        row: f"{len(record.cells)} columns instead of {width}"
        for row, record in enumerate(records)
        if len(record.cells) != width
    }

    def column(position: int) -> list[str | None]:
        return [None if row in problems else record.cells[position] for row, record in enumerate(records)]

    return Table(names, width, [record.line for record in records], column, problems)


def _usual(widths: Iterable[int]) -> int:
    return max(Counter(widths).items(), key=lambda item: item[1], default=(0, 0))[0]


# ---------------------------------------------------------------------- JSON lines, Parquet


def _read_jsonl(content: bytes, path: Path, header: bool | None, known: Collection[str]) -> Table:
    lines: list[int] = []
    records: list[dict] = []
    problems: dict[int, str] = {}
    for number, line in enumerate(decoded(content, path).split("\n"), 1):
        if not line.strip():
            continue
        record = _record(line)
        if isinstance(record, str):
            problems[len(lines)] = record
        lines.append(number)
        records.append({} if isinstance(record, str) else record)
    names = list(dict.fromkeys(name for record in records for name in record))

    def column(position: int) -> list[Any]:
        return [record.get(names[position]) for record in records]

    return Table(names, len(names), lines, column, problems)


def _record(line: str) -> dict | str:
    """A line's JSON object; or what is wrong with it."""
    try:
        record = json.loads(line)
    except ValueError as error:
        return f"not a JSON object: {error}"
    except RecursionError:
        return "not a JSON object of a row: nested too deep"
    return record if isinstance(record, dict) else f"not a JSON object, but a {type(record).__name__}"


def _read_parquet(content: bytes, path: Path, header: bool | None, known: Collection[str]) -> Table:
    import pyarrow as pa
    import pyarrow.parquet

    unreadable = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError)
    try:
        file = pyarrow.parquet.ParquetFile(pa.BufferReader(content))
        names, count = file.schema_arrow.names, file.metadata.num_rows
    except unreadable as error:
        raise DataError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from error

    def column(position: int) -> list[Any]:
        try:
            values = _values(file.read(columns=[names[position]]).column(0))
        except unreadable as error:
            problem = str(error).splitlines()[0]
            raise DataError(f"{path}: column {names[position]} cannot be read ({problem})") from error
        if len(values) != count:
            raise DataError(f"{path}: column {names[position]} has {len(values)} values in {count} rows")
        return values

    return Table(names, len(names), range(1, count + 1), column)


def _values(column: Any) -> list[Any]:
    """Values of an arrow column; where a text is not UTF-8, the bytes of all."""
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        return column.cast("large_binary").to_pylist()


READERS = {".tsv": _read_tsv, ".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
