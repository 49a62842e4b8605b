"""Files of one record a line, JSON or Python's dictionaries → arrow tables, some megabytes at a time."""

import ast
import codecs
import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from datamap.errors import SignalError, first_few

BLOCK = 1 << 22  # bytes of lines that are parsed together


def at(path, line):
    """A line of a file, as errors name it."""
    return f"{path}, line {line}"


def read(path, kinds_of, python=False, cut=False):
    """Yield (arrow table, lines' numbers) of a file's records, in order.

    Args:
        path: pathlib Path, UTF-8 with or without a byte-order mark; blank lines count for nothing.
        kinds_of: {key: arrow type} of the first record; every record must have these, others are left out.
        python: whether lines are Python's dictionaries; lines of JSON are taken then too.
        cut: leave the last line out.
    Raises:
        SignalError: a line is malformed, or lacks a key; with its number.
    """
    kinds = None
    for numbers, lines in _blocks(path, cut):
        if kinds is None:
            kinds = pa.schema(list(kinds_of(_record(lines[0], at(path, numbers[0]), python)).items()))
        table = _fast(lines, kinds, python)
        if table is None:
            numbered = zip(numbers, lines, strict=True)
            records = [_checked(line, at(path, number), kinds, python) for number, line in numbered]
            table = pa.Table.from_pylist(records, kinds)
        yield table, numbers
    if kinds is None:
        raise SignalError(f"{path}: no records")


def is_cut_off(path):
    """Whether a file of Python's dictionaries ends within one, as a killed run leaves it."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - BLOCK))
        last = file.read().rpartition(b"\n")[2]
    if not last.strip():
        return False
    try:
        _record(last.removeprefix(codecs.BOM_UTF8), "", python=True)
    except SignalError:
        return True
    return False


def id_type(value):
    """Arrow type of ids like this one."""
    return pa.int64() if isinstance(value, int) else pa.string()


def _blocks(path, cut):
    """Yield (numbers, lines) of lines that are not blank."""
    with path.open("rb") as file:
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


def _fast(lines, kinds, python):
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
    whole = table.num_rows == len(lines) and not any(map(_has_holes, table.columns))
    return table if whole else None


def _has_holes(column):
    inside = pa.types.is_list(column.type) and pc.list_flatten(column).null_count
    return bool(column.null_count or inside)


def _record(line, place, python):
    """The dictionary that a line holds."""
    kind = "Python dictionary" if python else "JSON object"
    try:
        record = _parsed(line.decode(), python)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise SignalError(f"{place}: not a {kind} ({type(error).__name__}: {str(error)[:100]})") from error
    if not isinstance(record, dict):
        raise SignalError(f"{place}: not a {kind}, but {str(record)[:60]!r}")
    return record


def _parsed(text, python):
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
    return ast.literal_eval(text)


def _checked(line, place, kinds, python):
    """A line's record, where it has every key with a value of its type."""
    record = _record(line, place, python)
    for field in kinds:
        if field.name not in record:
            raise SignalError(f"{place}: no key {field.name!r} (keys: {first_few(record, 20)})")
        value = record[field.name]
        if not _is_of(value, field.type):
            raise SignalError(f"{place}: {field.name} is {str(value)[:60]}, {_expected(value, field.type)}")
    return record


def _is_of(value, kind):
    if pa.types.is_list(kind):
        return isinstance(value, list | tuple) and all(_is_of(v, kind.value_type) for v in value)
    if pa.types.is_integer(kind):
        return type(value) is int and -(2**63) <= value < 2**63
    if pa.types.is_floating(kind):
        return type(value) in (int, float)
    return type(value) is (bool if pa.types.is_boolean(kind) else str)


def _expected(value, kind):
    """What should stand there; lists too deep are of tasks that have more than one row a sample."""
    one_row = "; signals have one label and one list of classes a sample"
    if pa.types.is_list(kind):
        nested = isinstance(value, list | tuple) and any(isinstance(v, list | tuple) for v in value)
        return f"lists in a list (sequence labelling?){one_row}" if nested else "not a list of numbers"
    if isinstance(value, list | tuple):
        return f"a list (several labels?){one_row}"
    if pa.types.is_integer(kind):
        return "not a whole number (of 64 bits)"
    if pa.types.is_boolean(kind):
        return "not true or false"
    return "not a number" if pa.types.is_floating(kind) else "not a string"
