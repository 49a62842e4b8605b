"""Write, read and check files of signals: an observation is split into shards."""

import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
import pyarrow.parquet

from datamap import schema
from datamap.digests import digest_of
from datamap.errors import SignalError, first_few, raised_as
from datamap.schema import Shard
from datamap.signals import contract

UNREADABLE = (pa.ArrowException, OSError, ValueError, RecursionError, OverflowError, MemoryError)

ShardsByObservation = dict[int, list[Shard]]  # observation number → its shards, in order
Wanted = Callable[[str, pa.DataType], bool]  # (key, its type) → whether it is read

# Ids differ and probabilities hardly repeat, so a value takes more than a byte in a Parquet file of ours.
MAX_EXPANSION = 100  # values, or bytes before compression, per byte of the file
MIN_EXPANDED = 10_000_000  # values or bytes that are always allowed; they are read within a second

UNLISTED = "not listed"  # stands for the SHA-256 of a shard that the observation's checksums lack


class Readable(Protocol):
    """Give access to the artifacts of a run."""

    def read(self, path: str) -> bytes:
        """Return the bytes of an artifact."""

    def local(self, path: str, sha256: str | None = None) -> AbstractContextManager[Path | bytes]:
        """Provide a temporary file of the content, or the bytes; a file that is not `sha256` is fetched again."""


class Records(Protocol):
    """Hold the records of an observation: a table, or what makes tables of its parts."""

    @property
    def num_rows(self) -> int:
        """Return the number of records."""

    def slice(self, start: int, count: int, /) -> pa.Table:
        """Return some of them as a table."""


def encoded(
    table: Records,
    unit: str,
    number: int,
    rows: int,
    format: str = "jsonl",
    first: int = 0,
    count: int | None = None,
) -> Iterator[tuple[Shard, bytes]]:
    """Yield (Shard with its checksum, bytes) of at most `rows` records each, in order.

    If several processes write an observation, `first` is the index of the first shard of this one, and `count` the
    number of all shards.
    """
    made = max(1, -(-table.num_rows // rows))
    for index in range(made):
        shard = Shard(unit, number, first + index, count or made, format)
        yield sealed(table.slice(index * rows, rows), shard)


def files(
    table: pa.Table, unit: str, number: int, rows: int, format: str = "jsonl"
) -> Iterator[tuple[str, bytes]]:
    """Yield (artifact path, bytes) of an observation's shards (arguments: `encoded`), then of their checksums."""
    made = []
    for shard, content in encoded(table, unit, number, rows, format):
        made.append(shard)
        yield shard.path, content
    yield made[0].checksums_path, checksums(made)


def sealed(table: pa.Table, shard: Shard) -> tuple[Shard, bytes]:
    """Return (Shard with its checksum, bytes) of a table that is one shard."""
    content = encode(table, shard.format)
    return shard._replace(sha256=digest_of(content)), content


def checksums(shards: Iterable[Shard]) -> bytes:
    """Return the checksums of an observation's shards, as a text that `sha256sum -c` reads."""
    return "".join(f"{shard.sha256}  {Path(shard.path).name}\n" for shard in shards).encode()


def parse_checksums(content: bytes, path: str) -> dict[str, str]:
    """Parse a file of checksums into {artifact path: SHA-256 in hex}.

    Raises:
        SignalError: it is not a list of checksums.
    """
    found = re.findall(r"^([0-9a-f]{64})  (\S+)$", content.decode("utf-8", "replace"), re.MULTILINE)
    if len(found) != content.count(b"\n") or not found:
        raise SignalError(f"{path} is damaged: it is not a list of checksums; restore it from a copy")
    return {f"{Path(path).parent}/{name}": digest for digest, name in found}


def encode(table: pa.Table, format: str) -> bytes:
    """Encode an arrow table as JSON lines, or as Parquet with zstd."""
    if format == "parquet":
        sink = pa.BufferOutputStream()
        pyarrow.parquet.write_table(table, sink, compression="zstd")
        return sink.getvalue().to_pybytes()
    return _json_lines(table)


def _json_lines(table: pa.Table) -> bytes:
    """Encode a table as JSON lines; floats get the fewest digits that read back exactly."""
    cells = []
    for position, name in enumerate(table.column_names):
        start = "{" if position == 0 else ", "
        cells += [f"{start}{json.dumps(name)}: ", _json_cells(table[name])]
    lines = pc.binary_join_element_wise(*cells, "}\n", "")
    return b"".join(_bytes_of(c) for c in (lines.chunks if isinstance(lines, pa.ChunkedArray) else [lines]))


def _bytes_of(strings: pa.StringArray) -> memoryview:
    """Return the bytes of an arrow string array without making Python strings."""
    _, offsets, data = strings.buffers()
    bounds = np.frombuffer(offsets, np.int32)[strings.offset : strings.offset + len(strings) + 1]
    return memoryview(data)[bounds[0] : bounds[-1]]


def _json_cells(column: pa.ChunkedArray) -> pa.StringArray:
    column = column.combine_chunks()
    if pa.types.is_list(column.type):
        inner = pa.ListArray.from_arrays(column.offsets, _json_cells(pa.chunked_array([column.values])))
        return pc.binary_join_element_wise("[", pc.binary_join(inner, ", "), "]", "")
    if pa.types.is_string(column.type):
        return pa.array([json.dumps(text, ensure_ascii=False) for text in column.to_pylist()])
    text = column.cast(pa.string())
    if pa.types.is_floating(column.type):
        text = pc.replace_substring_regex(text, r"^(-?\d+)$", r"\1.0")
    return text


def decode(source: bytes | Path, shard: Shard, wanted: Wanted = contract.is_used) -> pa.Table:
    """Read a shard.

    Args:
        source: the file, or its bytes.
        shard: the shard's name; if it has a checksum, the bytes must agree with it.
        wanted: tells whether a key of this name and type is read; by default the keys that the summary needs:
            `schema.USED_SIGNALS` and further numeric keys.

    Returns:
        arrow Table with the types of `contract.typed`.

    Raises:
        SignalError: the file is damaged, lacks a required key, or holds an invalid value.
    """
    name = shard.path
    if shard.sha256 == UNLISTED:
        raise SignalError(f"{name} was added or renamed: {shard.checksums_path} does not list it")
    if shard.sha256 and digest_of(source) != shard.sha256:
        raise SignalError(
            f"{name} is damaged: its bytes do not agree with {shard.checksums_path}; restore it from a copy"
        )
    reader = _from_parquet if shard.format == "parquet" else _from_json_lines
    with raised_as(SignalError, f"{name} is damaged", *UNREADABLE):
        table = reader(source, wanted)
    return contract.typed(table, name)


def _opened(source: bytes | Path) -> IO[bytes]:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _for_arrow(source: bytes | Path) -> Any:
    return pa.BufferReader(source) if isinstance(source, bytes) else str(source)


def _from_parquet(source: bytes | Path, wanted: Wanted) -> pa.Table:
    file = pyarrow.parquet.ParquetFile(_for_arrow(source))
    refuse_expanding(file.metadata, len(source) if isinstance(source, bytes) else source.stat().st_size)
    return file.read(columns=[f.name for f in file.schema_arrow if wanted(f.name, f.type)], use_threads=False)


def refuse_expanding(metadata: Any, size: int) -> None:
    """Raise ValueError for a file that claims to hold far more values than its bytes can."""
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    columns = [group.column(index) for group in groups for index in range(group.num_columns)]
    held = max(sum(c.num_values for c in columns), sum(c.total_uncompressed_size for c in columns))
    if max(held, metadata.num_rows) > max(MIN_EXPANDED, MAX_EXPANSION * size):
        raise ValueError(f"{metadata.num_rows:,} rows, {held:,} values or bytes, in a file of {size:,} bytes")


def _from_json_lines(source: bytes | Path, wanted: Wanted) -> pa.Table:
    with _opened(source) as file:
        first = json.loads(file.readline() or "null")
    if not isinstance(first, dict):
        raise ValueError("its first line is not a JSON object")
    types = {key: _json_type(key, value) for key, value in first.items()}
    read = [item for item in types.items() if wanted(*item)]
    return pyarrow.json.read_json(  # with threads, the whole file is in memory; callers read several files at once
        _for_arrow(source),
        read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=1 << 20),
        parse_options=pyarrow.json.ParseOptions(
            explicit_schema=pa.schema(read), unexpected_field_behavior="ignore"
        ),
    )


def _json_type(key: str, value: object) -> pa.DataType:
    """Return the arrow type of a JSON value; an int may precede floats, except in ids and classes."""
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int | float):
        return pa.int64() if key in ("id", "label", "noisy_label", "pred_label") else pa.float64()
    if isinstance(value, list):
        return pa.list_(pa.float64())
    return pa.string()


def concat(tables: Iterable[pa.Table]) -> pa.Table:
    """Concatenate the shards of one observation.

    Raises:
        SignalError: their columns have different types.
    """
    with raised_as(SignalError, "the shards of an observation do not match", pa.ArrowException):
        return pa.concat_tables(tables, promote_options="permissive")


def read(artifacts: Readable, parts: Iterable[Shard]) -> pa.Table:
    """Read, check and concatenate the shards of one observation (`decode`, `concat`)."""
    parts = list(parts)
    table = concat(read_one(artifacts, part) for part in parts)
    contract.refuse_missing(table, f"{parts[0].path} and the other shards of observation {parts[0].number}")
    return table


def read_one(artifacts: Readable, part: Shard, wanted: Wanted = contract.is_used) -> pa.Table:
    """Read one shard from the artifacts (`decode`)."""
    with artifacts.local(part.path, part.sha256) as source:
        return decode(source, part, wanted)


def between(observed: ShardsByObservation, burn_in: int = 0, until: int | None = None) -> ShardsByObservation:
    """Drop the first `burn_in` observations, and those after number `until`.

    Raises:
        SignalError: no observation is left.
    """
    numbers = sorted(observed)
    kept = [number for number in numbers[burn_in:] if until is None or number <= until]
    if not kept:
        raise SignalError(
            f"burn_in={burn_in} and until={until} leave none of the observations {first_few(numbers, 20)}"
        )
    return {number: observed[number] for number in kept}


def groups(observed: ShardsByObservation, allow_missing: bool = False) -> Iterator[ShardsByObservation]:
    """Yield groups of shards that together hold all observations of some samples.

    Shard k of every observation holds the same samples, so each k is a group. All shards are one group if observations
    have different numbers of shards, or may lack samples (`allow_missing`).
    """
    counts = {len(parts) for parts in observed.values()}
    if allow_missing or len(counts) > 1:
        yield observed
    else:
        for index in range(counts.pop()):
            yield {number: [parts[index]] for number, parts in observed.items()}


def complete_observations(
    found: Iterable[Shard], committed: Iterable[int], digests: Mapping[str, str] | None = None
) -> tuple[ShardsByObservation, list[int]]:
    """Return the shards of each committed observation, and the numbers of the others.

    Args:
        found: the shards among the run's artifacts.
        committed: numbers of the observations in the run's commit metric.
        digests: {artifact path: SHA-256}, as far as known; put into the shards.

    Returns:
        ({number: [Shard, …] in order}, [numbers of observations that were never committed]).

    Raises:
        SignalError: a committed observation lacks a shard, or has one too many.
    """
    there = defaultdict(list)
    for shard in sorted(found):
        there[shard.number].append(shard)
    observed = {}
    for number in sorted(committed):
        parts = there.get(number, [])
        _refuse_lost(number, parts)
        observed[number] = [shard._replace(sha256=(digests or {}).get(shard.path)) for shard in parts]
    return observed, [number for number in there if number not in observed]


def _refuse_lost(number: int, parts: list[Shard]) -> None:
    gone = f"observation {number} was committed but its artifact is gone"
    if not parts:
        raise SignalError(f"{gone}: {schema.SIGNALS_DIR}/ of it")
    expected = [parts[0]._replace(index=index) for index in range(min(parts[0].count, len(parts) + 1))]
    lost = next((shard for shard in expected if shard not in parts), None)
    if lost:
        raise SignalError(f"{gone}: {lost.path}")
    if len(parts) > len(expected):
        odd = first_few(shard.path for shard in parts if shard not in expected)
        raise SignalError(f"observation {number} has shards of another split: {odd}; remove them")
