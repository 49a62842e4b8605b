"""summary.tsv: a DataFrame to its lines, and back."""

import contextlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from datamap import schema
from datamap.errors import SummaryError
from datamap.signals import align


def lines(frame):
    """(header, lines) of a DataFrame as bytes of TSV: UTF-8, floats read back exactly, quoted where needed."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    sink = pa.BufferOutputStream()
    options = pyarrow.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="needed")
    pyarrow.csv.write_csv(table, sink, options)
    return ("\t".join(table.column_names) + "\n").encode(), sink.getvalue().to_pybytes()


def read(source, columns=None):
    """The summary as a DataFrame; nothing but an empty cell counts as missing.

    Args:
        source: path or bytes of a summary.tsv.
        columns: names to read; None, or where it lacks one of them: all.
    Raises:
        SummaryError: it is not a summary.
    """
    with _explained(schema.SUMMARY_FILE):
        known = header(source)
        wanted = known if columns is None or set(columns) - set(known) else [n for n in known if n in columns]
        return _frame(pyarrow.csv.read_csv(_opened(source), **_options(_types(known), wanted)))


def read_rows(source, rows):
    """The summary's rows at these places (ascending) as a DataFrame, holding only one block of it at a time."""
    with _explained(schema.SUMMARY_FILE):
        known = header(source)
        parts, start = [], 0
        for batch in pyarrow.csv.open_csv(_opened(source), **_options(_types(known))):
            low, high = np.searchsorted(rows, [start, start + len(batch)])
            parts.append(batch.take(pa.array(rows[low:high] - start)))
            start += len(batch)
        return _frame(pa.Table.from_batches(parts))


def read_diagnosis(content: bytes) -> pd.DataFrame:
    """diagnosis.tsv as a DataFrame: ids as the summary has them, the score a float, all else text.

    Raises:
        SummaryError: it cannot be read.
    """
    with _explained(schema.DIAGNOSIS_FILE):
        types = dict.fromkeys(header(content), pa.string()) | {"score": pa.float64()}
        return _frame(pyarrow.csv.read_csv(_opened(content), **_options(types)))


def header(source):
    """Names of the columns."""
    if isinstance(source, bytes):
        line = source[: source.find(b"\n")]
    else:
        with Path(source).open("rb") as file:
            line = file.readline()
    return line.decode().rstrip("\r\n").split("\t")


def _opened(source):
    return pa.BufferReader(source) if isinstance(source, bytes) else str(source)


# A block of the file shows only some values: the types must not hang on them.
INTS = ("label", "s_label", *(name for name in schema.SUMMARY_COLUMNS if name.endswith("_times")))
INTS = (*INTS, "first_forget", "first_learn")


def _types(known):
    return {name: pa.int64() if name in INTS else pa.float64() for name in known} | {"id": pa.string()}


def _options(types, wanted=None):
    """How arrow reads a TSV of ours: columns of these types, those `wanted` or all."""
    return {
        "parse_options": pyarrow.csv.ParseOptions(delimiter="\t", newlines_in_values=True),
        "convert_options": pyarrow.csv.ConvertOptions(
            null_values=[""], strings_can_be_null=False, column_types=types, include_columns=wanted
        ),
    }


def _frame(table):
    if "id" in table.column_names:
        place = table.column_names.index("id")
        table = table.set_column(place, "id", _numbers(table["id"]))
    return table.to_pandas(split_blocks=True, self_destruct=True)


@contextlib.contextmanager
def _explained(name):
    """Turn what arrow says of a file that cannot be read into a SummaryError."""
    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise SummaryError(f"{name} is damaged: {str(error).splitlines()[0]}") from error


def _numbers(ids):
    """Ids as whole numbers where all are, written as such: "007" stays a string."""
    try:
        numbers = ids.cast(pa.int64())
    except pa.ArrowInvalid:
        return ids
    return numbers if numbers.cast(pa.string()).equals(ids) else ids


def texts_of(content, ids):
    """{column: texts of the samples `ids`, in order} of the bytes of `data/samples.tsv`; "" where it has none."""
    types = {"id": pa.string(), "text_a": pa.string(), "text_b": pa.string()}
    with _explained(schema.SAMPLES_FILE):
        table = pyarrow.csv.read_csv(_opened(content), **_options(types))
    found = align.rows(ids, table["id"])
    rows = pa.array(found, mask=found < 0)
    return {
        name: table[name].take(rows).fill_null("").to_pylist()
        for name in ("text_a", "text_b")
        if name in table.column_names
    }
