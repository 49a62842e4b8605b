"""Read files of one record per line, JSON or Python dictionaries, as arrow tables of some megabytes each."""

import ast
import codecs
import json
import re
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
    """Return the place of a line, for messages."""
    return f"{path}, line {line}"


def read(
    path: Path, kinds_of: Callable[[dict], Kinds], python: bool = False, cut: bool = False
) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """Yield (arrow table, line numbers) of a file's records, in order.

    Args:
        path: a file in UTF-8, with or without a byte-order mark; blank lines are ignored.
        kinds_of: returns {key: arrow type} for the first record; every record must have these keys, and others are
            ignored.
        python: accept Python dictionaries as well as JSON.
        cut: leave out the last line.

    Raises:
        SignalError: the file is unreadable, or a line is malformed or lacks a key; the message names the line.
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
        raise SignalError(f"{where}: key {odd[0]!r} is not a valid column name")
    return pa.schema(list(kinds.items()))


def is_cut_off(path: Path) -> bool:
    """Tell whether a file of Python dictionaries ends within one, as a killed run leaves it."""
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
    """Return the arrow type of ids like this one."""
    return pa.int64() if isinstance(value, int) else pa.string()


def _blocks(path: Path, cut: bool) -> Iterator[tuple[np.ndarray, list[bytes]]]:
    """Yield (line numbers, lines) of the lines that are not blank, a block at a time."""
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
    """Parse lines by arrow's JSON reader; return None if a line is not as expected, or is Python that JSON lacks."""
    content = b"\n".join(lines)
    if python and b"'" in content:
        if b'"' in content or b"\\" in content:
            return None
        content = content.replace(b"'", b'"')
    try:
        content.decode()  # arrow would accept bytes that are not UTF-8
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
    """Return the dictionary in a line."""
    kind = "Python dictionary" if python else "JSON object"
    try:
        record = _parsed(line.decode(), python)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        # Leave out the address of a node, and "<unknown>" as the name of a file.
        said = re.split(r"[:(\s]+<", reason(error))[0]
        raise SignalError(f"{where}: not a {kind} ({type(error).__name__}: {said[:100]})") from error
    if not isinstance(record, dict):
        raise SignalError(f"{where}: not a {kind}, but {_shown(record)!r}")
    return record


def _parsed(text: str, python: bool) -> object:
    try:
        return json.loads(text)
    except ValueError:
        if not python:
            raise
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about escapes and numbers that future versions of Python refuse
        return ast.literal_eval(text)


def _checked(line: bytes, where: str, kinds: pa.Schema, python: bool) -> dict:
    """Return a line's record with the expected keys; refuse missing keys and values of other types."""
    record, checked = _record(line, where, python), {}
    for field in kinds:
        if field.name not in record:
            raise SignalError(f"{where} lacks key {field.name!r} (keys: {first_few(record, 20)})")
        value = record[field.name]
        try:
            checked[field.name] = _converted(value, field.type)
        except (TypeError, ValueError, OverflowError):
            problem = _expected(value, field.type)
            raise SignalError(f"{where}: {field.name} is {_shown(value)}, {problem}") from None
    return checked


def _converted(value: Any, kind: pa.DataType) -> Any:
    """Return a value in the form in which arrow accepts it for its type.

    Raises:
        TypeError: the value has another type.
        ValueError: the text is not valid Unicode.
        OverflowError: the number is too large.
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
        value.encode()  # fails for a lone surrogate
    return value


def _require(right: bool) -> None:
    if not right:
        raise TypeError


def _shown(value: object) -> str:
    try:
        return str(value)[:60]
    except (RecursionError, ValueError):  # nested too deep, or a number of thousands of digits
        return f"a {type(value).__name__}"


def _expected(value: object, kind: pa.DataType) -> str:
    """Say what is wrong with a value; nested lists come from tasks with several labels per sample."""
    one_row = "; record one label and one list of class probabilities per sample"
    if pa.types.is_list(kind):
        nested = isinstance(value, list | tuple) and any(isinstance(v, list | tuple) for v in value)
        return f"lists in a list (sequence labeling?){one_row}" if nested else "not a list of numbers"
    if isinstance(value, list | tuple):
        return f"a list (several labels?){one_row}"
    if pa.types.is_integer(kind):
        return "not an integer of 64 bits"
    if pa.types.is_boolean(kind):
        return "not true or false"
    return "not a number" if pa.types.is_floating(kind) else "not a string"
