"""The TSV files of a run, written and read: summary.tsv, data/samples.tsv, and others written only."""

import contextlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from datamap import schema
from datamap.errors import SummaryError, first_few, reason
from datamap.signals import align

Source = Path | str | bytes

BLOCK = 1 << 20  # bytes, of which arrow holds some dozens; a row must fit into one
TEXTS_BLOCK = 1 << 24  # the same, of texts


def lines(frame: pd.DataFrame) -> tuple[bytes, bytes]:
    """(header, lines) of a DataFrame as bytes of TSV: UTF-8, floats read back exactly, every text in quotes.

    Texts read back exactly, whatever quotation marks, tabs and line ends they hold.
    """
    table = pa.Table.from_pandas(frame, preserve_index=False)
    sink = pa.BufferOutputStream()
    options = pyarrow.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="needed")
    pyarrow.csv.write_csv(table, sink, options)
    names = "\t".join(map(_heading, table.column_names))
    return (names + "\n").encode(), sink.getvalue().to_pybytes()


def _heading(name: str) -> str:
    return name if name.isprintable() and '"' not in name else '"' + name.replace('"', '""') + '"'


def read(source: Source, columns: Collection[str] | None = None) -> pd.DataFrame:
    """The summary as a DataFrame; nothing but an empty cell counts as missing.

    Args:
        source: path or bytes of a summary.tsv.
        columns: names to read; None, or where it lacks one of them: all.
    Raises:
        SummaryError: it is not a summary, or damaged.
    """
    with _explained(schema.SUMMARY_FILE):
        known = _summary_header(source)
        wanted = known if columns is None or set(columns) - set(known) else [n for n in known if n in columns]
        table = pyarrow.csv.read_csv(_opened(source), **_options(_types(known), wanted))
        if not table.num_rows:
            raise ValueError("it has no rows")
        return _frame(table)


def read_rows(source: Source, rows: np.ndarray) -> pd.DataFrame:
    """The summary's `rows` (ascending, from 0) as a DataFrame, holding only one block of it at a time.

    Raises:
        SummaryError: it is not a summary, or damaged.
    """
    with _explained(schema.SUMMARY_FILE):
        known = _summary_header(source)
        parts, start = [], 0
        for batch in pyarrow.csv.open_csv(_opened(source), **_options(_types(known))):
            low, high = np.searchsorted(rows, [start, start + len(batch)])
            whole = high - low == len(batch)
            parts.append(batch if whole else batch.take(pa.array(rows[low:high] - start)))
            start += len(batch)
        return _frame(pa.Table.from_batches(parts))


def _summary_header(source: Source) -> list[str]:
    """Names of the columns, among them all of the contract."""
    names = header(source)
    missing = [name for name in schema.SUMMARY_COLUMNS if name not in names]
    if missing:
        raise SummaryError(f"{schema.SUMMARY_FILE} is damaged: it has no column {missing[0]}")
    return names


def header(source: Source) -> list[str]:
    """Names of the columns.

    Raises:
        ValueError: a name occurs twice, or it is not UTF-8.
    """
    if isinstance(source, bytes):
        line = source[: source.find(b"\n") + 1 or None]
    else:
        with Path(source).open("rb") as file:
            line = file.readline()
    names = line.decode("utf-8-sig").rstrip("\r\n").split("\t")
    if len(set(names)) < len(names):
        raise ValueError(f"its header names a column twice: {max(names, key=names.count)}")
    return names


def _opened(source: Source) -> Any:
    return pa.BufferReader(source) if isinstance(source, bytes) else str(source)


# A block of the file shows only some values: the types must not hang on them.
INTS: tuple[str, ...] = (
    "label",
    "s_label",
    *(name for name in schema.SUMMARY_COLUMNS if name.endswith("_times")),
)
INTS = (*INTS, "first_forget", "first_learn")


def _types(known: Iterable[str]) -> dict[str, pa.DataType]:
    return {name: pa.int64() if name in INTS else pa.float64() for name in known} | {"id": pa.string()}


def _options(
    types: dict[str, pa.DataType], wanted: list[str] | None = None, block: int = BLOCK
) -> dict[str, Any]:
    """How arrow reads a TSV of ours: columns of these types, those `wanted` or all."""
    return {
        "read_options": pyarrow.csv.ReadOptions(block_size=block),
        "parse_options": pyarrow.csv.ParseOptions(delimiter="\t", newlines_in_values=True),
        "convert_options": pyarrow.csv.ConvertOptions(
            null_values=[""], strings_can_be_null=False, column_types=types, include_columns=wanted
        ),
    }


# The largest value of a column of the contract; all begin at 0, and each row has one.
MAX_VALUES: dict[str, float] = {
    **dict.fromkeys(INTS, 2**53),
    **dict.fromkeys(("correct_ratio", "avg_probs", "max_label_probs", "min_label_probs"), 1),
    "label": schema.MAX_CLASSES - 1,
    "s_label": max(schema.KINDS),
    "label_var": 0.25,  # of numbers from 0 to 1
}
ROUNDING = 1e-6


def _refuse_values(table: pa.Table) -> None:
    """Raise ValueError for numbers that no summary has: below 0, beyond `MAX_VALUES`, missing or infinite."""
    for name in table.column_names:
        column = table[name]
        if name in MAX_VALUES and column.null_count:
            raise ValueError(f"a row has no {name}")
        if pa.types.is_string(column.type):
            continue
        values = column.to_numpy()
        wrong = np.isinf(values)
        if name in MAX_VALUES:
            wrong = ~((values >= -ROUNDING) & (values <= MAX_VALUES[name] + ROUNDING))
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(f"{name} is {values[row]} in row {row + 2}")


def _frame(table: pa.Table) -> pd.DataFrame:
    _refuse_values(table)
    if "id" in table.column_names:
        table = table.set_column(table.column_names.index("id"), "id", _numbers(table["id"]))
    frame = table.to_pandas(split_blocks=True, self_destruct=True)
    pa.default_memory_pool().release_unused()
    return frame


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what arrow says of a file that cannot be read into a SummaryError."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise SummaryError(f"{name} is damaged: {reason(error)}") from error


def _numbers(ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Ids as ints where all are whole numbers, written as such: "007" stays a string."""
    try:
        numbers = ids.cast(pa.int64())
    except pa.ArrowInvalid:
        return ids
    return numbers if numbers.cast(pa.string()).equals(ids) else ids


def texts_of(content: bytes, ids: Iterable) -> dict[str, list[str]]:
    """{column: texts of the samples `ids`, in order} of the bytes of `data/samples.tsv`; "" where it has none.

    Raises:
        SummaryError: it is damaged.
    """
    return {name: column.to_pylist() for name, column in text_columns(content, ids).items()}


def text_columns(content: bytes, ids: Iterable) -> dict[str, pa.ChunkedArray]:
    """The same as arrow columns."""
    with _explained(schema.SAMPLES_FILE):
        known = header(content)
    wanted = [name for name in ("id", "text_a", "text_b") if name in known or name == "id"]
    table = text_table(content, schema.SAMPLES_FILE, wanted)
    found = align.rows(ids, table["id"])
    rows = pa.array(found, mask=found < 0)
    return {name: table[name].take(rows).fill_null("") for name in wanted[1:]}


def text_table(content: bytes, name: str, columns: Collection[str]) -> pa.Table:
    """These columns of a TSV file of ours, as texts, in an arrow table.

    Raises:
        SummaryError: it is damaged, or lacks one; `name` is what it is called.
    """
    with _explained(name):
        known = header(content)
        for column in columns:
            if column not in known:
                raise ValueError(f"it has no column {column} (columns: {first_few(known, 20)})")
        types = dict.fromkeys(columns, pa.string())
        return pyarrow.csv.read_csv(_opened(content), **_options(types, list(columns)))
