"""Check, write and read the embeddings of samples, half-precision Parquet with one row per sample."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from datamap import schema
from datamap.errors import SignalError, counted, first_few, raised_as
from datamap.signals import align, shards
from datamap.signals.arrays import NUMBERS, as_array
from datamap.signals.compute import id_array, refuse_repeated

MAX_WIDTH = 65_536  # numbers of an embedding
MAX_VALUE = float(np.finfo(np.float16).max)
MAX_BYTES = 1 << 30  # of embeddings that are recorded without being asked for
GROUP_BYTES = 16 << 20  # of the embeddings in a row group; a reader holds one at a time


class Embeddings(NamedTuple):
    """Hold the embeddings of N samples: vectors of D numbers, two of them if a sample is a pair.

    Attributes:
        ids: arrow array (N,), unique.
        first: float32 (N, D), of each sample, or of the first of its two.
        second: float32 (N, D), of the second of its two; None for single samples.
    """

    ids: pa.Array
    first: np.ndarray
    second: np.ndarray | None = None

    @property
    def vectors(self) -> np.ndarray:
        """Return one vector per sample; of a pair both, one after the other."""
        return self.first if self.second is None else np.hstack([self.first, self.second])

    def ordered(self, ids: pa.Array, where: str) -> "Embeddings":
        """Return the embeddings of the samples `ids`, in that order; others are left out.

        Raises:
            SignalError: a sample has no embedding; the message begins with `where`.
        """
        rows = align.rows(ids, self.ids)
        lost = align.missing(ids, rows)
        if lost:
            raise SignalError(
                f"{where}: no embedding of {counted(len(lost), 'sample')}, id {first_few(lost)} "
                f"(it has: {first_few(self.ids[:5].to_pylist(), 5)}); give embeddings of all samples"
            )
        second = None if self.second is None else self.second[rows]
        return Embeddings(ids, self.first[rows], second)


def checked(ids: Any, given: Any, where: str = "embeddings=") -> Embeddings:
    """Check embeddings that a user gives as arrays.

    Args:
        ids: the samples' ids, in the order of the arrays.
        given: (N, D) numbers: an array, a tensor or a list; or two of them, for the two texts of each pair.
        where: beginning of error messages.

    Raises:
        SignalError: the arrays are not one finite vector per sample, or do not fit into half precision.
    """
    return checked_parts(ids, _parts(given, where), where)


def checked_parts(ids: Any, arrays: Sequence[np.ndarray], where: str) -> Embeddings:
    """Check one array (N, D), or the two of pairs, as `checked` does."""
    ids = align.array(ids)
    parts = [_matrix(part, ids, where) for part in arrays]
    if len({part.shape for part in parts}) > 1:
        raise SignalError(f"{where}: the two arrays of pairs differ in width: {[p.shape[1] for p in parts]}")
    return Embeddings(ids, *parts)


def mean_over_tokens(states: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the mean of a layer's outputs (texts, tokens, width) over the tokens that `mask` counts."""
    counted = mask[..., None].astype(np.float32)
    return (states * counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)


def _parts(given, where):
    """Return the one or two arrays that were given; two are a tuple or list, each of which has rows and columns."""
    if isinstance(given, tuple | list) and len(given) == 2:
        both = [as_array(part, where) for part in given]
        if all(part.ndim == 2 for part in both):
            return both
    return [as_array(given, where)]


def _matrix(array, ids, where):
    """Return a float32 copy of an array after the check of its shape and values."""
    if array.ndim != 2 or array.dtype.kind not in NUMBERS or not 0 < array.shape[1] <= MAX_WIDTH:
        raise SignalError(
            f"{where}: {array.dtype} of shape {array.shape}; give (samples, width) numbers, for pairs two such arrays "
            f"(width: 1 to {MAX_WIDTH:,})"
        )
    if len(array) != len(ids):
        raise SignalError(f"{where}: {len(array):,} embeddings for {counted(len(ids), 'sample')}")
    allowed = (array >= -MAX_VALUE) & (array <= MAX_VALUE)  # not `abs`, which the smallest integer lacks
    if not allowed.all():
        row = int(allowed.all(axis=1).argmin())
        value = array[row][~allowed[row]][0]
        large = f"half precision holds up to {MAX_VALUE:,.0f}: divide all by one factor"
        raise SignalError(
            f"{where}: {value} in the embedding of {ids[row].as_py()!r}; "
            f"{large if np.isfinite(value) else 'give finite numbers'}"
        )
    return array.astype(np.float32)


def refuse_large(samples: int, width: int) -> None:
    """Raise SignalError for more than `MAX_BYTES` of embeddings, of `width` numbers per sample."""
    size = 2 * samples * width
    if size > MAX_BYTES:
        raise SignalError(f"they would take {size / 1e9:.1f} GB")


def encode(embeddings: Embeddings) -> bytes:
    """Return the embeddings as Parquet: id, embedding and, for pairs, embedding_b, lists of D half-precision floats.

    Nothing is compressed: the numbers hardly repeat, and a reader can tell from the file's size what it holds.
    """
    columns = {schema.EMBEDDING: embeddings.first, schema.EMBEDDING_B: embeddings.second}
    table = pa.table(
        {"id": embeddings.ids} | {name: _column(part) for name, part in columns.items() if part is not None}
    )
    rows = max(1, GROUP_BYTES // (2 * embeddings.first.shape[1]))
    sink = io.BytesIO()
    pyarrow.parquet.write_table(
        table, sink, row_group_size=rows, compression="none", use_dictionary=False, write_statistics=False
    )
    return sink.getvalue()


def _column(array):
    flat = pa.array(np.ascontiguousarray(array, np.float16).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, array.shape[1])


def read(file: Path, where: str = schema.EMBEDDINGS_FILE) -> Embeddings:
    """Read embeddings from a Parquet file with the columns id, embedding and perhaps embedding_b.

    Args:
        file: the file; its lists may have any type of numbers and must have one length.
        where: the file's name in messages.

    Raises:
        SignalError: the file is damaged, lacks a column, names an id twice or has an embedding that is not finite.
    """
    with raised_as(SignalError, f"{where} is not a readable Parquet file of embeddings", *shards.UNREADABLE):
        parquet = pyarrow.parquet.ParquetFile(str(file))
        shards.refuse_expanding(parquet.metadata, file.stat().st_size)
        names = parquet.schema_arrow.names
        lacking = [name for name in ("id", schema.EMBEDDING) if name not in names]
        if lacking:
            raise SignalError(f"{where} has no column {lacking[0]} (columns: {first_few(names, 10)})")
        wanted = [name for name in (schema.EMBEDDING, schema.EMBEDDING_B) if name in names]
        ids = id_array(parquet.read(columns=["id"]).column(0).to_pylist(), where)
        parts = [_vectors(parquet, name, where) for name in wanted]
    refuse_repeated(pa.chunked_array([ids]), where)
    return checked_parts(ids, parts, where)


def _vectors(parquet, name, where):
    """Return the lists of a column as float32 (rows, width); memory holds the result and one row group."""
    found, width = None, None
    start = 0
    for index in range(parquet.num_row_groups):
        column = parquet.read_row_group(index, columns=[name]).column(0).combine_chunks()
        if not _has_numbers(column.type):
            raise SignalError(f"{where}: {name} is {column.type}, not a list of numbers")
        lengths = pc.unique(pc.list_value_length(column)).to_pylist()
        if len(lengths) != 1 or width not in (None, lengths[0]) or not lengths[0]:
            raise SignalError(f"{where}: {name} has empty lists or lists of different lengths")
        width = lengths[0]
        values = pc.list_flatten(column)
        if values.null_count or len(values) != len(column) * width:
            raise SignalError(f"{where}: {name} has a missing number")
        if found is None:
            found = np.empty((parquet.metadata.num_rows, width), np.float32)
        found[start : start + len(column)] = values.to_numpy(zero_copy_only=False).reshape(-1, width)
        start += len(column)
    return np.zeros((0, 1), np.float32) if found is None else found


def _has_numbers(kind):
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return lists and (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type))
