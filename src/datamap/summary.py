"""summary.tsv: written part by part, read whole."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from datamap.errors import SummaryError
from datamap.signals import refuse_repeated

KEPT = ("s_label", "avg_probs")


def write(parts, path):
    """Write DataFrames of the same columns one below the other; only one is held at a time.

    Args:
        parts: iterable of DataFrames, one row a sample.
        path: file to write: TSV with header, UTF-8; floats read back exactly, ids quoted where needed.
    Returns:
        {"s_label": (samples,), "avg_probs": (samples,)} of all parts.
    Raises:
        SignalError: an id is in two parts.
    """
    ids, kept = [], {name: [] for name in KEPT}
    with Path(path).open("wb") as file:
        writer = None
        for part in parts:
            table = pa.Table.from_pandas(part, preserve_index=False)
            if writer is None:
                file.write(("\t".join(table.column_names) + "\n").encode())
                options = pyarrow.csv.WriteOptions(
                    include_header=False, delimiter="\t", quoting_style="needed"
                )
                writer = pyarrow.csv.CSVWriter(file, table.schema, write_options=options)
            writer.write_table(table)
            ids.append(table["id"].combine_chunks())
            for name in KEPT:
                kept[name].append(part[name].to_numpy())
        writer.close()
    if len(ids) > 1:
        refuse_repeated(pa.chunked_array(ids), "the shards together")
    return {name: np.concatenate(values) for name, values in kept.items()}


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
