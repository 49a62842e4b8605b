"""summary.tsv: a DataFrame to its lines, and back."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from datamap import schema
from datamap.errors import SummaryError


def lines(frame):
    """(header, lines) of a DataFrame as bytes of TSV: UTF-8, floats read back exactly, quoted where needed."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    sink = pa.BufferOutputStream()
    options = pyarrow.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="needed")
    pyarrow.csv.write_csv(table, sink, options)
    return ("\t".join(table.column_names) + "\n").encode(), sink.getvalue().to_pybytes()


def read(content):
    """The summary as a DataFrame; nothing but an empty cell counts as missing.

    Raises:
        SummaryError: the bytes are not those of a summary.
    """
    table = _table(content, schema.SUMMARY_FILE, {"id": pa.string()})
    return table.set_column(0, "id", _numbers(table["id"])).to_pandas()


def _numbers(ids):
    """Ids as whole numbers where all are, written as such: "007" stays a string."""
    try:
        numbers = ids.cast(pa.int64())
    except pa.ArrowInvalid:
        return ids
    return numbers if numbers.cast(pa.string()).equals(ids) else ids


def _table(content, name, types):
    try:
        return pyarrow.csv.read_csv(
            pa.BufferReader(content),
            parse_options=pyarrow.csv.ParseOptions(delimiter="\t", newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                null_values=[""], strings_can_be_null=False, column_types=types
            ),
        )
    except pa.ArrowException as error:
        raise SummaryError(f"{name} is damaged: {str(error).splitlines()[0]}") from error


def texts_of(content, ids):
    """{column: texts of the samples `ids`, in order} of the bytes of `data/samples.tsv`; "" where it has none."""
    types = {"id": pa.string(), "text_a": pa.string(), "text_b": pa.string()}
    table = _table(content, schema.SAMPLES_FILE, types)
    places = pc.index_in(pa.array(list(map(str, ids)), pa.string()), value_set=table["id"].combine_chunks())
    return {
        name: table[name].take(places).fill_null("").to_pylist()
        for name in ("text_a", "text_b")
        if name in table.column_names
    }
