"""Write and read the TSV files of a run, such as summary.tsv and data/samples.tsv."""

import contextlib
import mmap
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from datamap import schema
from datamap.errors import SummaryError, first_few, raised_as
from datamap.signals import align

Source = Path | str | bytes
UNREADABLE = (pa.ArrowException, OSError, ValueError, OverflowError)

BLOCK = 1 << 18  # bytes; a row must fit into one, and arrow reads up to 32 of them ahead
PART = 1 << 24  # bytes of a file of texts that are parsed at once


def lines(frame: pd.DataFrame) -> tuple[bytes, bytes]:
    """Encode a DataFrame as TSV; return (header, lines) as bytes.

    The encoding is UTF-8. Floats read back exactly, and so do texts with quotation marks, tabs or line ends, as every
    text is in quotes.
    """
    table = pa.Table.from_pandas(frame, preserve_index=False)
    sink = pa.BufferOutputStream()
    options = pyarrow.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="needed")
    pyarrow.csv.write_csv(table, sink, options)
    names = "\t".join(map(_heading, table.column_names))
    return (names + "\n").encode(), sink.getvalue().to_pybytes()


def _heading(name: str) -> str:
    return name if name.isprintable() and '"' not in name else '"' + name.replace('"', '""') + '"'


def _name(heading: str) -> str:
    """Return the name of a column without the quotes that `_heading` adds."""
    quoted = len(heading) > 1 and heading[0] == heading[-1] == '"'
    return heading[1:-1].replace('""', '"') if quoted else heading


def read(source: Source, columns: Collection[str] | None = None, single: bool = False) -> pd.DataFrame:
    """Read a summary as a DataFrame; only an empty cell counts as missing.

    Args:
        source: path or bytes of a summary.tsv.
        columns: names of the columns to read, whose integers get 32 bits where they fit; all are read, with 64 bits,
            if it is None, and all if the summary lacks one of them.
        single: the floats of these columns get 32 bits, too, where they fit.

    Raises:
        SummaryError: the file is not a summary, or is damaged.
    """
    with raised_as(SummaryError, f"{schema.SUMMARY_FILE} is damaged", *UNREADABLE):
        known = _summary_header(source)
        wanted = known if columns is None or set(columns) - set(known) else [n for n in known if n in columns]
        if columns is None:
            table = pyarrow.csv.read_csv(_opened(source), **_options(_types(known)))
        else:
            table = _joined(_narrowed(batch, single) for batch in _batches(source, known, wanted))
        if not table.num_rows:
            raise ValueError("it has no rows")
        if "id" in table.column_names and pc.count_distinct(table["id"]).as_py() < table.num_rows:
            raise ValueError("an id occurs twice")
        columns = _columns(table)
        del table
        return _frame(columns)


def read_rows(source: Source, rows: np.ndarray, single: bool = False) -> pd.DataFrame:
    """Read the `rows` (ascending, from 0) of a summary as a DataFrame; memory holds one block of the file at a time.

    Args:
        source: path or bytes of a summary.tsv.
        rows: the rows to read.
        single: numbers get 32 bits where they fit.

    Raises:
        SummaryError: the file is not a summary, or is damaged.
    """
    with raised_as(SummaryError, f"{schema.SUMMARY_FILE} is damaged", *UNREADABLE):
        known = _summary_header(source)
        parts: list[pa.RecordBatch] = []
        start = 0
        for batch in _batches(source, known):
            low, high = np.searchsorted(rows, [start, start + len(batch)])
            whole = high - low == len(batch)
            some = batch if whole else batch.take(pa.array(rows[low:high] - start))
            parts.append(_narrowed(some, single) if single else some)
            start += len(batch)
        table = _joined(parts)
        parts.clear()
        columns = _columns(table)
        del table
        return _frame(columns)


def blocks(source: Source, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    """Yield columns of a summary block by block, with ids as texts; memory holds one block of the file at a time.

    Raises:
        SummaryError: the file is not a summary, or is damaged.
    """
    with raised_as(SummaryError, f"{schema.SUMMARY_FILE} is damaged", *UNREADABLE):
        known = _summary_header(source)
        wanted = [name for name in known if name in columns]
        yield from _batches(source, known, wanted)


def _batches(
    source: Source, known: Iterable[str], wanted: list[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the blocks of a summary; arrow's threads would keep the memory of those that are done."""
    options = _options(_types(known), wanted)
    options["read_options"].use_threads = False
    for number, batch in enumerate(pyarrow.csv.open_csv(_opened(source), **options)):
        yield batch
        if number % 16 == 0:
            pa.default_memory_pool().release_unused()


def _joined(batches: Iterable[pa.RecordBatch]) -> pa.Table:
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    return pa.concat_tables(tables, promote_options="permissive")


def _narrowed(batch: pa.RecordBatch, floats: bool = False) -> pa.RecordBatch:
    """Return a block whose integers, and perhaps floats, have 32 bits, except for columns of larger ones."""

    def narrow(column: pa.Array) -> pa.Array:
        try:
            if floats and pa.types.is_floating(column.type):
                short = column.cast(pa.float32())
                same = pc.all(pc.equal(pc.is_inf(short), pc.is_inf(column)), min_count=0)
                return short if same.as_py() else column
            return column.cast(pa.int32()) if pa.types.is_integer(column.type) else column
        except pa.ArrowInvalid:
            return column

    return pa.RecordBatch.from_arrays(list(map(narrow, batch.columns)), batch.schema.names)


def _summary_header(source: Source) -> list[str]:
    """Return the names of a summary's columns; refuse a file that lacks one of the contract."""
    names = header(source)
    missing = [name for name in schema.SUMMARY_COLUMNS if name not in names]
    if missing:
        raise SummaryError(f"{schema.SUMMARY_FILE} is damaged: it has no column {missing[0]}")
    return names


def header(source: Source) -> list[str]:
    """Return the names of the columns.

    Raises:
        ValueError: a name occurs twice, or the line is not UTF-8.
    """
    if isinstance(source, bytes):
        line = source[: source.find(b"\n") + 1 or None]
    else:
        with Path(source).open("rb") as file:
            line = file.readline()
    names = [_name(heading) for heading in line.decode("utf-8-sig").rstrip("\r\n").split("\t")]
    if len(set(names)) < len(names):
        raise ValueError(f"its header names a column twice: {max(names, key=names.count)}")
    return names


def _opened(source: Source) -> Any:
    return pa.BufferReader(source) if isinstance(source, bytes) else str(source)


# Arrow would infer types from the first block, which shows only some values.
INTS: tuple[str, ...] = (
    "label",
    "s_label",
    *(name for name in schema.SUMMARY_COLUMNS if name.endswith("_times")),
    "first_forget",
    "first_learn",
    "units",
    "worst",
)


def _types(known: Iterable[str]) -> dict[str, pa.DataType]:
    return {name: pa.int64() if name in INTS else pa.float64() for name in known} | {"id": pa.string()}


def _options(
    types: dict[str, pa.DataType], wanted: list[str] | None = None, block: int = BLOCK, names: Any = None
) -> dict[str, Any]:
    """Return arrow's options for a TSV of ours: the columns' types, and the `wanted` columns (None: all).

    `names` are those of all columns where no header says them.
    """
    return {
        "read_options": pyarrow.csv.ReadOptions(block_size=block, column_names=names),
        "parse_options": pyarrow.csv.ParseOptions(delimiter="\t", newlines_in_values=True),
        "convert_options": pyarrow.csv.ConvertOptions(
            null_values=[""], strings_can_be_null=False, column_types=types, include_columns=wanted
        ),
    }


# Largest values of the contract's columns; all of them start at 0, and no row lacks one.
MAX_VALUES: dict[str, float] = {
    **dict.fromkeys(INTS, 2**53),
    **dict.fromkeys(("correct_ratio", "avg_probs", "max_label_probs", "min_label_probs"), 1),
    "label": schema.MAX_CLASSES - 1,
    "s_label": max(schema.KINDS),
    "label_var": 0.25,  # of numbers from 0 to 1
}
ROUNDING = 1e-6


def _refuse_values(table: pa.Table) -> None:
    """Raise ValueError for numbers that no summary has: negative, above `MAX_VALUES`, missing or infinite."""
    for name in table.column_names:
        column, start = table[name], 2  # the first row after the header
        if name in MAX_VALUES and column.null_count:
            raise ValueError(f"a row lacks {name}")
        if pa.types.is_string(column.type):
            continue
        for chunk in column.chunks:
            values = chunk.to_numpy(zero_copy_only=False)
            wrong = np.isinf(values)
            if name in MAX_VALUES:
                wrong = ~((values >= -ROUNDING) & (values <= MAX_VALUES[name] + ROUNDING))
            if wrong.any():
                row = int(wrong.argmax())
                raise ValueError(f"{name} is {values[row]} in row {start + row}")
            start += len(chunk)


def _columns(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    _refuse_values(table)
    return dict(zip(table.column_names, table.columns, strict=True))


def _frame(columns: dict[str, pa.ChunkedArray]) -> pd.DataFrame:
    """Make a DataFrame of columns, and take each out of memory that is done: both forms of all take twice as much."""
    found = {}
    for name in list(columns):
        column = columns.pop(name)
        found[name] = (_numbers(column) if name == "id" else column).to_pandas()
        del column
        pa.default_memory_pool().release_unused()
    return pd.DataFrame(found, copy=False)


def _numbers(ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Convert ids to ints if all are integers in canonical form: "007" keeps all of them strings."""
    try:
        numbers = ids.cast(pa.int64())
    except pa.ArrowInvalid:
        return ids
    return numbers if numbers.cast(pa.string()).equals(ids) else ids


def texts_of(content: bytes, ids: Iterable) -> dict[str, list[str]]:
    """Return {column: texts of the samples `ids`, in order} from the bytes of `data/samples.tsv`; "" for a missing one.

    Raises:
        SummaryError: the file is damaged.
    """
    return {name: column.to_pylist() for name, column in text_columns(content, ids).items()}


def text_columns(content: bytes, ids: Iterable) -> dict[str, pa.ChunkedArray]:
    """Return the same as arrow columns."""
    known, texts = texts_by_row(content)
    return texts(align.rows(ids, known))


def texts_by_row(
    content: bytes,
) -> tuple[pa.ChunkedArray, Callable[[np.ndarray], dict[str, pa.ChunkedArray]]]:
    """Return the ids of a `data/samples.tsv`, and a function from its rows to {column: texts}; "" for row −1.

    Raises:
        SummaryError: the file is damaged.
    """
    with raised_as(SummaryError, f"{schema.SAMPLES_FILE} is damaged", *UNREADABLE):
        known = header(content)
    wanted = [name for name in ("id", "text_a", "text_b") if name in known or name == "id"]
    table = text_table(content, schema.SAMPLES_FILE, wanted)

    def texts(rows: np.ndarray) -> dict[str, pa.ChunkedArray]:
        taken = pa.array(rows, mask=rows < 0)
        return {name: table[name].take(taken).fill_null("") for name in wanted[1:]}

    return table["id"], texts


def text_table(content: Source, name: str, columns: Collection[str], others: bool = False) -> pa.Table:
    """Read columns of a TSV file of ours as texts, in an arrow table.

    Args:
        content: the file, or its bytes.
        name: the file's name in messages.
        columns: names of the columns.
        others: read all other columns, too.

    Raises:
        SummaryError: the file is damaged, or lacks a column.
    """
    with raised_as(SummaryError, f"{name} is damaged", *UNREADABLE):
        known = header(content)
        for column in columns:
            if column not in known:
                raise ValueError(f"it has no column {column} (columns: {first_few(known, 20)})")
        columns = known if others else columns
        types = dict.fromkeys(columns, pa.string())
        found = [pa.table({column: pa.array([], pa.string()) for column in columns})]
        for part in _parts(content):
            options = _options(types, list(columns), len(part), known)
            found.append(pyarrow.csv.read_csv(pa.BufferReader(part), **options))
        return pa.concat_tables(found)


def _parts(source: Source) -> Iterator[bytes]:
    """Yield whole rows of a TSV file, without its header: `PART` bytes, or more where a row is longer.

    Arrow would divide the file, too, but refuses rows longer than its blocks, and loses line ends between two blocks.
    """
    with contextlib.ExitStack() as stack:
        content: Any = source
        if not isinstance(source, bytes):
            file = stack.enter_context(Path(source).open("rb"))
            content = stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        start = end = content.find(b"\n") + 1 or len(content)
        within = 0  # 1 if the last line end was within quotes
        while end < len(content):
            line_end = content.find(b"\n", max(end, start + PART)) + 1 or len(content)
            within ^= content[end:line_end].count(b'"') & 1
            end = line_end
            if not within or end == len(content):
                yield content[start:end]
                start = end
