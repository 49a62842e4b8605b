"""Read Parquet files and folders of Hugging Face's save_to_disk, with their class names."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datamap.data import files
from datamap.data.table import Form, Table
from datamap.errors import DataError, first_few, raised_as

STATE = "state.json"  # lists the files of a folder of save_to_disk, in order
SPLITS = "dataset_dict.json"
UNREADABLE = (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError, MemoryError)


def open_parquet(path: Path, form: Form) -> Table:
    """Return the table of a Parquet file, which names its columns; each is read on demand.

    Raises:
        DataError: the file is not a Parquet file, or has too many rows.
    """
    import pyarrow.parquet

    content = files.content(path)
    with raised_as(DataError, f"{path}: not a Parquet file", *UNREADABLE):
        file = pyarrow.parquet.ParquetFile(pa.BufferReader(content))
        schema, count = file.schema_arrow, file.metadata.num_rows
        # A small file may repeat a long text millions of times, so equal texts are kept once until sizes are checked.
        texts = [field.name for field in schema if _is_text(field.type)]
        file = pyarrow.parquet.ParquetFile(pa.BufferReader(content), read_dictionary=texts)
    files.check_rows(count, 0, path)

    def column(name: str) -> pa.ChunkedArray:
        return file.read(columns=[name]).column(0)

    return _table(schema, count, column, path)


def open_folder(path: Path) -> Table:
    """Return the table of a data set that save_to_disk wrote into a folder.

    Raises:
        DataError: the folder holds something else, is damaged, or has several splits.
    """
    if (path / SPLITS).is_file():
        splits = sorted(folder.name for folder in path.iterdir() if (folder / STATE).is_file())
        there = first_few(splits, 20)
        raise DataError(
            f"{path}: the data set has splits ({there}); name one: {path}/{(splits or ['train'])[0]}"
        )
    if not (path / STATE).is_file():
        raise DataError(f"{path}: the folder was not written by Hugging Face's save_to_disk; give a file")
    with raised_as(DataError, f"{path}: not a data set of Hugging Face's save_to_disk", *UNREADABLE):
        state = json.loads(files.content(path / STATE))
        parts = [path / Path(part["filename"]).name for part in state["_data_files"]]
        tables = [_arrow(files.content(part)) for part in parts]
        table = pa.concat_tables(tables)
    files.check_rows(table.num_rows, 0, path)
    return _table(table.schema, table.num_rows, table.column, path)


def _arrow(content: bytes) -> pa.Table:
    try:
        return pa.ipc.open_stream(pa.BufferReader(content)).read_all()
    except pa.ArrowInvalid:
        return pa.ipc.open_file(pa.BufferReader(content)).read_all()


def _table(schema: pa.Schema, count: int, read: Callable[[str], pa.ChunkedArray], path: Path) -> Table:
    names = list(schema.names)

    def column(position: int) -> list[Any]:
        name = names[position]
        with raised_as(DataError, f"{path}: column {name} cannot be read", *UNREADABLE):
            values = read(name)
            files.check_size(_size(values), f"{path}, column {name}")
            found = _values(values)
        if len(found) != count:
            raise DataError(f"{path}: column {name} has {len(found)} values in {count} rows")
        return found

    classes = {names.index(name): words for name, words in _class_names(schema).items() if name in names}
    return Table(names, len(names), range(1, count + 1), column, classes=classes, unit="row")


def _class_names(schema: pa.Schema) -> dict[str, list[str]]:
    """Return {column: class names} of Hugging Face's ClassLabels, and of lists of them, from the schema's metadata."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        features = {name: kind.get("feature", kind) for name, kind in features.items()}
        labels = {name: kind for name, kind in features.items() if kind.get("_type") == "ClassLabel"}
        return {name: [str(word) for word in kind["names"]] for name, kind in labels.items()}
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return {}  # metadata of another program


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind)


def _size(column: pa.ChunkedArray) -> int:
    """Return the size of a column in bytes; each value of a dictionary counts as often as it occurs."""
    total = 0
    for chunk in column.chunks:
        if not pa.types.is_dictionary(chunk.type) or not _is_text(chunk.type.value_type):
            total += chunk.nbytes
            continue
        lengths = pc.binary_length(chunk.dictionary).cast(pa.int64()).take(chunk.indices)
        total += pc.sum(lengths).as_py() or 0
    return total


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Return the values of a column; if a text is not UTF-8, all of them as bytes."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        return column.cast("large_binary").to_pylist()
