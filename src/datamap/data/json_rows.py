"""Read rows of JSON: an object per line, an array of objects, or what pandas' `to_json` writes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datamap.data import files, names
from datamap.data.table import Form, Table, Written


def read(path: Path, form: Form) -> Table:
    """Return the rows of a file, in any of the forms, as a table of all keys.

    Raises:
        DataError: there are too many rows.
    """
    text, notes, encoding = files.decoded(files.content(path), path, form.encoding)
    files.check_rows(text.count("\n"), 0, path)
    rows = _whole(text, form.lists)
    if rows is None:
        numbered = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
        lines: Sequence[int] = [number for number, _ in numbered]
        records, unit = [_record(line) for _, line in numbered], "line"
    else:
        files.check_rows(len(rows), 0, path)
        records, unit = [_object(row) for row in rows], "row"
        lines = range(1, len(records) + 1)
    problems = {row: record for row, record in enumerate(records) if isinstance(record, str)}
    objects = [{} if isinstance(record, str) else record for record in records]
    keys = list(dict.fromkeys(key for record in objects for key in record))

    def column(position: int) -> list[Any]:
        return [record.get(keys[position]) for record in objects]

    written = Written(text, encoding) if form.lists and rows is None else None
    return Table(keys, len(keys), lines, column, problems, unit=unit, notes=notes, written=written)


def _whole(text: str, lists: bool) -> list[Any] | None:
    """Return the rows of a text that is one array or one DataFrame; None if each line is a row."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return None
    whole = _listed(whole, lists) if isinstance(whole, dict) else whole
    return whole if isinstance(whole, list) else None


def _listed(whole: dict[str, Any], lists: bool) -> list[Any] | None:
    """Return the rows of a DataFrame in JSON, or of an object that holds rows under "data"; else None."""
    data, columns = whole.get("data"), whole.get("columns")
    if isinstance(data, list):
        if isinstance(columns, list) and all(
            isinstance(row, list) and len(row) == len(columns) for row in data
        ):
            return [dict(zip(map(str, columns), row, strict=True)) for row in data]
        return data
    values = list(whole.values())
    if (
        values
        and not lists
        and all(isinstance(value, list) and len(value) == len(values[0]) for value in values)
    ):
        return [dict(zip(whole, row, strict=True)) for row in zip(*values, strict=True)]
    if values and all(isinstance(value, dict) and value.keys() == values[0].keys() for value in values):
        if not names.is_header(list(whole), ()):
            return values  # rows by index (orient="index")
        return [{name: whole[name][key] for name in whole} for key in values[0]]
    return None


def _record(line: str) -> dict | str:
    """Return a line's JSON object, or the problem with it."""
    try:
        return _object(json.loads(line))
    except ValueError as error:
        return f"not a JSON object: {error}"
    except RecursionError:
        return "the JSON is nested too deep"


def _object(value: Any) -> dict | str:
    return value if isinstance(value, dict) else f"not a JSON object, but a {type(value).__name__}"
