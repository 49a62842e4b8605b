"""Files of labelled texts → rows, each with its line. What a row means is `dataset`'s business."""

import csv
import json
from pathlib import Path
from typing import NamedTuple

from datamap.errors import DataError

FORMATS = (".tsv", ".csv", ".jsonl", ".parquet")


class Row(NamedTuple):
    """One row as it stands in the file; `line` is where, counted from 1.

    `fields` are its values, or a string that says why it could not be read.
    """

    line: int
    fields: list | str


def read_rows(path, header=None, known=()):
    """(column names or None, [Row]) of a .tsv, .csv, .jsonl or .parquet file.

    Args:
        path: pathlib Path, UTF-8 with or without a byte-order mark.
        header: whether the first line of a .tsv or .csv names the columns; None = it does when
            one of its cells is among `known`.
    Raises:
        DataError: no such file, an unknown format, or no rows.
    """
    if path.suffix not in FORMATS:
        raise DataError(f"{path}: unknown kind of file; data.path takes {', '.join(FORMATS)}")
    if not path.is_file():
        raise DataError(f"{path}: no such file (looked in {Path.cwd()})")
    if path.suffix == ".parquet":
        names, rows = _read_parquet(path)
    elif path.suffix == ".jsonl":
        names, rows = _read_jsonl(path)
    else:
        names, rows = _read_delimited(path, header, known)
    if not rows:
        raise DataError(f"{path}: no rows")
    return names, rows


def _read_delimited(path, header, known):
    # A byte that is not UTF-8 becomes a lone surrogate, and is reported with its row.
    text = path.read_bytes().decode("utf-8-sig", errors="surrogateescape")
    lines = text.replace("\r\n", "\n").split("\n")
    if path.suffix == ".tsv":
        # Texts hold stray quotation marks: in a TSV they mean themselves, unless all of it is written with quotes.
        rows = _quoted_tsv(lines) or [Row(n, line.split("\t")) for n, line in enumerate(lines, 1) if line]
    else:
        reader = _csv_reader(lines, ",")
        try:
            rows = [Row(reader.line_num, fields) for fields in reader if fields]
        except csv.Error as error:
            raise DataError(f"{path}, line {reader.line_num}: {error}") from error
    if not rows:
        return None, []
    first = [cell.strip() for cell in rows[0].fields]
    if header is None:
        header = not set(known).isdisjoint(first)
    return (first, rows[1:]) if header else (None, rows)


def _csv_reader(lines, delimiter):
    return csv.reader((line + "\n" for line in lines), delimiter=delimiter, strict=True)


def _quoted_tsv(lines):
    """Rows of a TSV with quotes, as our data/samples.tsv and pandas write it; None when it is not one.

    In each of its lines after the first a cell begins with a quotation mark, and read by the rules of CSV all
    rows have the same number of cells.
    """
    body = [line for line in lines[1:] if line]
    if not body or not all(line.startswith('"') or '\t"' in line for line in body):
        return None
    reader = _csv_reader(lines, "\t")
    try:
        rows = [Row(reader.line_num, fields) for fields in reader if fields]
    except csv.Error:
        return None
    return rows if len({len(row.fields) for row in rows}) == 1 else None


def _read_jsonl(path):
    names, records = {}, []
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line.decode("utf-8-sig"))
        except ValueError as error:  # both a JSON and a UnicodeDecodeError
            record = f"not a JSON object: {error}"
        if isinstance(record, dict):
            names.update(dict.fromkeys(record))
        records.append((number, record))
    return list(names), [
        Row(n, [r.get(name) for name in names] if isinstance(r, dict) else str(r)) for n, r in records
    ]


def _read_parquet(path):
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from error
    columns = [column.to_pylist() for column in table.columns]
    return table.column_names, [Row(n, list(f)) for n, f in enumerate(zip(*columns, strict=True), 1)]
