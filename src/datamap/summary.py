"""summary.tsv: a DataFrame to its lines, and back."""

import pyarrow as pa
import pyarrow.csv

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
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(content),
            parse_options=pyarrow.csv.ParseOptions(delimiter="\t", newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(null_values=[""], strings_can_be_null=False),
        )
    except pa.ArrowException as error:
        raise SummaryError(f"summary.tsv is damaged: {str(error).splitlines()[0]}") from error
    return table.to_pandas()
