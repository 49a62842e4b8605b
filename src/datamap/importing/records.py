"""Files of one record per line, JSON or Python's dictionaries → arrow tables, some megabytes at a time."""

import ast
import codecs
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from datamap.errors import SignalError, first_few, raised_as, reason
from datamap.schema import is_column_name

BLOCK = 1 << 22  # bytes of lines that are parsed at once

Kinds = dict[str, pa.DataType]


def at(path: Path, line: int) -> str:
    """A line of a file, as errors name it."""
    return f"{path}, line {line}"


def read(
    path: Path, kinds_of: Callable[[dict], Kinds], python: bool = False, cut: bool = False
) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """Yield (arrow table, lines' numbers) of a file's records, in order.

    Args:
        path: pathlib Path, UTF-8 with or without a byte-order mark; blank lines count for nothing.
        kinds_of: {key: arrow type} of the first record; every record must have these, others are left out.
        python: whether lines are Python's dictionaries; lines of JSON are taken then too.
        cut: leave the last line out.
    Raises:
        SignalError: the file cannot be read; a line is malformed, or lacks a key, with its number.
    """
    kinds = None
    for numbers, lines in _blocks(path, cut):
        if kinds is None:
            where = at(path, numbers[0])
            kinds = _schema(kinds_of(_record(lines[0], where, python)), where)
        table = _fast(lines, kinds, python)
        if table is None:
            numbered = zip(numbers, lines, strict=True)
            found = [_checked(line, at(path, number), kinds, python) for number, line in numbered]
            table = pa.Table.from_pylist(found, kinds)
        yield table, numbers
    if kinds is None:
        raise SignalError(f"{path}: no records{', but one line that is cut off' if cut else ''}")


def _schema(kinds: Kinds, where: str) -> pa.Schema:
    odd = [key for key in kinds if not (isinstance(key, str) and is_column_name(key))]
    if odd:
        raise SignalError(f"{where}: key {odd[0]!r} cannot be the name of a column")
    return pa.schema(list(kinds.items()))


def is_cut_off(path: Path) -> bool:
    """Whether a file of Python's dictionaries ends within one, as a killed run leaves it."""
    with raised_as(SignalError, path), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - BLOCK))
        last = file.read().rpartition(b"\n")[2]
    if not last.strip():
        return False
    try:
        _record(last.removeprefix(codecs.BOM_UTF8), "", python=True)
    except SignalError:
        return True
    return False


def id_type(value: object) -> pa.DataType:
    """Arrow type of ids like this one."""
    return pa.int64() if isinstance(value, int) else pa.string()


def _blocks(path: Path, cut: bool) -> Iterator[tuple[np.ndarray, list[bytes]]]:
    """Yield (numbers, lines) of lines that are not blank."""
    with raised_as(SignalError, path), path.open("rb") as file:
        start = 1
        while lines := file.readlines(BLOCK):
            if start == 1:
                lines[0] = lines[0].removeprefix(codecs.BOM_UTF8)
            numbers = np.arange(start, start + len(lines))
            start += len(lines)
            if cut and not lines[-1].endswith(b"\n"):
                lines.pop()
            lines = [line.strip() for line in lines]
            kept = [row for row, line in enumerate(lines) if line]
            if kept:
                yield numbers[kept], [lines[row] for row in kept]


def _fast(lines: list[bytes], kinds: pa.Schema, python: bool) -> pa.Table | None:
    """Arrow table of lines; None where they are not all what is expected, or Python that JSON cannot stand for."""
    content = b"\n".join(lines)
    if python and b"'" in content:
        if b'"' in content or b"\\" in content:
            return None
        content = content.replace(b"'", b'"')
    try:
        content.decode()  # arrow takes bytes that are not UTF-8
        table = pyarrow.json.read_json(
            pa.BufferReader(content),
            pyarrow.json.ReadOptions(block_size=len(content) + 1),
            pyarrow.json.ParseOptions(explicit_schema=kinds, unexpected_field_behavior="ignore"),
        )
    except (pa.ArrowException, ValueError):
        return None
    complete = table.num_rows == len(lines) and not any(map(_has_holes, table.columns))
    return table if complete else None


def _has_holes(column: pa.ChunkedArray) -> bool:
    inside = pa.types.is_list(column.type) and pc.list_flatten(column).null_count
    return bool(column.null_count or inside)


def _record(line: bytes, where: str, python: bool) -> dict:
    """The dictionary that a line holds."""
    kind = "Python dictionary" if python else "JSON object"
    try:
        record = _parsed(line.decode(), python)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise SignalError(f"{where}: not a {kind} ({type(error).__name__}: {reason(error)[:100]})") from error
    if not isinstance(record, dict):
        raise SignalError(f"{where}: not a {kind}, but {_shown(record)!r}")
    return record


def _parsed(text: str, python: bool) -> object:
    if not python or "'" not in text:
        try:
            return json.loads(text)
        except ValueError:
            if not python:
                raise
    elif '"' not in text and "\\" not in text:
        try:
            return json.loads(text.replace("'", '"'))
        except ValueError:
            pass
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes and number forms that Python will not take for ever
        return ast.literal_eval(text)


def _checked(line: bytes, where: str, kinds: pa.Schema, python: bool) -> dict:
    """A line's record, where it has every key with a value of its type; other keys are left out."""
    record, checked = _record(line, where, python), {}
    for field in kinds:
        if field.name not in record:
            raise SignalError(f"{where}: no key {field.name!r} (keys: {first_few(record, 20)})")
        value = record[field.name]
        try:
            checked[field.name] = _converted(value, field.type)
        except (TypeError, ValueError, OverflowError):
            problem = _expected(value, field.type)
            raise SignalError(f"{where}: {field.name} is {_shown(value)}, {problem}") from None
    return checked


def _converted(value: Any, kind: pa.DataType) -> Any:
    """A value as arrow takes it for its type.

    Raises:
        TypeError, ValueError, OverflowError: it is of another type, or too large.
    """
    if pa.types.is_list(kind):
        _require(isinstance(value, list | tuple))
        return [_converted(item, kind.value_type) for item in value]
    if pa.types.is_integer(kind):
        _require(type(value) is int and -(2**63) <= value < 2**63)
    elif pa.types.is_floating(kind):
        _require(type(value) in (int, float))
        return float(value)
    elif pa.types.is_boolean(kind):
        _require(type(value) is bool)
    else:
        _require(type(value) is str)
        value.encode()  # a lone surrogate is no text
    return value


def _require(right: bool) -> None:
    if not right:
        raise TypeError


def _shown(value: object) -> str:
    try:
        return str(value)[:60]
    except (RecursionError, ValueError):  # nested deep, or a number of thousands of digits
        return f"a {type(value).__name__}"


def _expected(value: object, kind: pa.DataType) -> str:
    """What should stand there; lists too deep are of tasks that have more than one row per sample."""
    one_row = "; signals have one label and one list of classes a sample"
    if pa.types.is_list(kind):
        nested = isinstance(value, list | tuple) and any(isinstance(v, list | tuple) for v in value)
        return f"lists in a list (sequence labeling?){one_row}" if nested else "not a list of numbers"
    if isinstance(value, list | tuple):
        return f"a list (several labels?){one_row}"
    if pa.types.is_integer(kind):
        return "not a whole number (of 64 bits)"
    if pa.types.is_boolean(kind):
        return "not true or false"
    return "not a number" if pa.types.is_floating(kind) else "not a string"
