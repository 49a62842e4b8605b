"""Read rows of JSON: an object per line, an array of objects, or what pandas' `to_json` writes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from datamap.data import files, names


class JsonRows(NamedTuple):
    """Hold objects, the position of each in `unit`s from 1, and {row: problem} of rows that are not objects."""

    records: list[dict[str, Any]]
    lines: Sequence[int]
    problems: dict[int, str]
    unit: str


def read(text: str, path: Path) -> JsonRows:
    """Return the rows of a text, in any of the forms.

    Raises:
        DataError: there are too many rows.
    """
    files.check_rows(text.count("\n"), 0, path)
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return _lines(text)
    if isinstance(whole, dict) and (listed := _listed(whole)) is not None:
        whole = listed
    if not isinstance(whole, list):
        return _lines(text)
    files.check_rows(len(whole), 0, path)
    problems = {
        row: _not_an_object(record) for row, record in enumerate(whole) if not isinstance(record, dict)
    }
    records = [record if isinstance(record, dict) else {} for record in whole]
    return JsonRows(records, range(1, len(records) + 1), problems, "row")


def _listed(whole: dict[str, Any]) -> list[Any] | None:
    """Return the rows of a DataFrame in JSON, or of an object that holds rows under "data"; else None."""
    data, columns = whole.get("data"), whole.get("columns")
    if isinstance(data, list):
        if isinstance(columns, list) and all(
            isinstance(row, list) and len(row) == len(columns) for row in data
        ):
            return [dict(zip(map(str, columns), row, strict=True)) for row in data]
        return data
    values = list(whole.values())
    if values and all(isinstance(value, list) and len(value) == len(values[0]) for value in values):
        return [dict(zip(whole, row, strict=True)) for row in zip(*values, strict=True)]
    if values and all(isinstance(value, dict) and value.keys() == values[0].keys() for value in values):
        if not names.is_header(list(whole), ()):
            return values  # rows by index (orient="index")
        return [{name: whole[name][key] for name in whole} for key in values[0]]
    return None


def _lines(text: str) -> JsonRows:
    lines: list[int] = []
    records: list[dict] = []
    problems: dict[int, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        record = _record(line)
        if isinstance(record, str):
            problems[len(lines)] = record
        lines.append(number)
        records.append({} if isinstance(record, str) else record)
    return JsonRows(records, lines, problems, "line")


def _record(line: str) -> dict | str:
    """Return a line's JSON object, or the problem with it."""
    try:
        record = json.loads(line)
    except ValueError as error:
        return f"not a JSON object: {error}"
    except RecursionError:
        return "the JSON is nested too deep"
    return record if isinstance(record, dict) else _not_an_object(record)


def _not_an_object(value: object) -> str:
    return f"not a JSON object, but a {type(value).__name__}"
