"""Files of signals: an observation split into shards, written, read and checked."""

import hashlib
import json
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
import pyarrow.parquet

from datamap import schema
from datamap.errors import SignalError, first_few


def encoded(table, unit, number, rows, format="jsonl", first=0, count=None):
    """Yield (Shard with its checksum, bytes) of at most `rows` records each, in order.

    `first` is the index of the first one and `count` the number of all, where other processes write some.
    """
    own = max(1, -(-table.num_rows // rows))
    for index in range(own):
        shard = schema.Shard(unit, number, first + index, count or own, format)
        yield sealed(table.slice(index * rows, rows), shard)


def files(table, unit, number, rows, format="jsonl"):
    """Yield (artifact path, bytes) of a whole observation: its shards (arguments: `encoded`), then their checksums."""
    own = []
    for shard, content in encoded(table, unit, number, rows, format):
        own.append(shard)
        yield shard.path, content
    yield own[0].checksums_path, checksums(own)


def sealed(table, shard):
    """(Shard with its checksum, bytes) of a table that is one whole shard."""
    content = encode(table, shard.format)
    return shard._replace(sha256=hashlib.sha256(content).hexdigest()), content


def checksums(shards):
    """Checksums of an observation's shards, as the text that `sha256sum -c` takes."""
    return "".join(f"{shard.sha256}  {Path(shard.path).name}\n" for shard in shards).encode()


def parse_checksums(content, path):
    """{artifact path: SHA-256 in hex} of a file of checksums.

    Raises:
        SignalError: it is not one.
    """
    found = re.findall(r"^([0-9a-f]{64})  (\S+)$", content.decode("utf-8", "replace"), re.MULTILINE)
    if len(found) != content.count(b"\n") or not found:
        raise SignalError(f"{path} is damaged: it is not a list of checksums")
    return {f"{Path(path).parent}/{name}": digest for digest, name in found}


def encode(table, format):
    """Bytes of an arrow table as JSON lines, or as Parquet with zstd."""
    if format == "parquet":
        sink = pa.BufferOutputStream()
        pyarrow.parquet.write_table(table, sink, compression="zstd")
        return sink.getvalue().to_pybytes()
    return _json_lines(table)


def _json_lines(table):
    """Floats get the fewest digits that read back exactly."""
    cells = []
    for position, name in enumerate(table.column_names):
        start = "{" if position == 0 else ", "
        cells += [f"{start}{json.dumps(name)}: ", _json_cells(table[name])]
    lines = pc.binary_join_element_wise(*cells, "}\n", "")
    return b"".join(_bytes_of(c) for c in (lines.chunks if isinstance(lines, pa.ChunkedArray) else [lines]))


def _bytes_of(strings):
    """The text of an arrow string array, without making a Python string of each."""
    _, offsets, data = strings.buffers()
    bounds = np.frombuffer(offsets, np.int32)[strings.offset : strings.offset + len(strings) + 1]
    return memoryview(data)[bounds[0] : bounds[-1]]


def _json_cells(column):
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


def decode(content, shard, also=()):
    """Read what the summary needs of a shard: `schema.USED_SIGNALS` and further numeric keys.

    Args:
        content: bytes of the file.
        shard: its `schema.Shard`; where it has a checksum, the bytes must agree with it.
        also: keys of the contract to read besides.
    Returns:
        arrow Table; `label_probs` float64, `correct` bool.
    Raises:
        SignalError: the file is damaged, lacks a required key, or holds a bad number.
    """
    name = shard.path
    if shard.sha256 and hashlib.sha256(content).hexdigest() != shard.sha256:
        raise SignalError(f"{name} is damaged: its bytes do not agree with {shard.checksums_path}")
    try:
        table = (_from_parquet if shard.format == "parquet" else _from_json_lines)(content, also)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SignalError(f"{name} is damaged: {str(error).splitlines()[0]}") from error
    missing = [key for key in schema.REQUIRED_SIGNALS if key not in table.column_names]
    if missing:
        raise SignalError(f"{name}: no key {first_few(missing)} (keys: {first_few(table.column_names, 20)})")
    return _check(table, name)


def _from_parquet(content, also):
    file = pyarrow.parquet.ParquetFile(pa.BufferReader(content))
    wanted = [f.name for f in file.schema_arrow if f.name in also or _is_used(f.name, f.type)]
    return file.read(columns=wanted)


def _from_json_lines(content, also):
    first = json.loads(content[: content.find(b"\n") + 1 or None] or "null")
    if not isinstance(first, dict):
        raise ValueError("its first line is not a JSON object")
    types = {key: _json_type(key, value) for key, value in first.items()}
    return pyarrow.json.read_json(
        pa.BufferReader(content),
        read_options=pyarrow.json.ReadOptions(block_size=1 << 22),
        parse_options=pyarrow.json.ParseOptions(
            explicit_schema=pa.schema([item for item in types.items() if item[0] in also or _is_used(*item)]),
            unexpected_field_behavior="ignore",
        ),
    )


def _json_type(key, value):
    """Arrow type of a JSON value; an int may stand where floats follow, save in ids and classes."""
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int | float):
        return pa.int64() if key in ("id", "label", "noisy_label", "pred_label") else pa.float64()
    if isinstance(value, list):
        return pa.list_(pa.float64())
    return pa.string()


def _is_used(key, kind):
    """Whether a key is needed: of `schema.USED_SIGNALS`, or a further signal, numeric and not of the contract."""
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return key in schema.USED_SIGNALS or (numeric and key not in schema.SIGNAL_COLUMNS)


def _check(table, name):
    correct = table["correct"]
    if pa.types.is_string(correct.type):  # the original tutorial writes "true" and "false"
        table = _replace(table, "correct", pc.equal(pc.utf8_lower(correct), "true"))
    if not pa.types.is_floating(table["label_probs"].type):
        table = _replace(table, "label_probs", table["label_probs"].cast(pa.float64()))
    for key in schema.REQUIRED_SIGNALS:
        if table[key].null_count:
            raise SignalError(
                f"{name}: {key} is missing in {table[key].null_count} of {table.num_rows} records"
            )
    probs = table["label_probs"].to_numpy()
    wrong = ~((probs >= 0) & (probs <= 1))
    if wrong.any():
        ids = table["id"].filter(pa.array(wrong)).to_pylist()
        raise SignalError(f"{name}: label_probs is not in [0, 1], id {first_few(ids)}")
    return table


def _replace(table, key, column):
    return table.set_column(table.column_names.index(key), key, column)


def concat(tables):
    """The shards of one observation as one table.

    Raises:
        SignalError: they do not hold the same kinds of values.
    """
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SignalError(
            f"the shards of an observation do not fit together: {str(error).splitlines()[0]}"
        ) from error


def read(artifacts, parts):
    """The table of one observation: its shards read, checked and put together (arguments: `decode`, `concat`)."""
    return concat([decode(artifacts.read(part.path), part) for part in parts])


def between(whole, burn_in=0, until=None):
    """The observations of {number: …} without the first `burn_in`, up to number `until`.

    Raises:
        SignalError: none is left.
    """
    numbers = sorted(whole)
    kept = [number for number in numbers[burn_in:] if until is None or number <= until]
    if not kept:
        raise SignalError(
            f"burn_in={burn_in} and until={until} leave none of the observations {first_few(numbers, 20)}"
        )
    return {number: whole[number] for number in kept}


def groups(whole, together=False):
    """Yield {number: [Shard, …]}: what must be read together to have all observations of some samples.

    The same shard of every observation holds the same samples; `together`, or where observations
    have different numbers of shards, all are one group.
    """
    counts = {len(parts) for parts in whole.values()}
    if together or len(counts) > 1:
        yield whole
    else:
        for index in range(counts.pop()):
            yield {number: [parts[index]] for number, parts in whole.items()}


def complete_observations(shards, committed, digests=None):
    """The shards of each committed observation, and what was left out.

    Args:
        shards: iterable of `schema.Shard` that the run's artifacts show.
        committed: {observation number: rows} as the run's commit metric says.
        digests: {artifact path: SHA-256} where known, put into the shards.
    Returns:
        ({number: [Shard, …] in order}, [numbers that were never committed]).
    Raises:
        SignalError: a committed observation lacks a shard.
    """
    found = defaultdict(list)
    for shard in sorted(shards):
        found[shard.number].append(shard)
    whole = {}
    for number in sorted(committed):
        have = found.get(number, [])
        expected = [h._replace(index=i) for h in have[:1] for i in range(h.count)]
        lost = [s.path for s in expected if s not in have]
        if not have or lost:
            what = first_few(lost) or f"{schema.SIGNALS_DIR}/ of it"
            raise SignalError(f"observation {number} was committed but its artifact is gone: {what}")
        whole[number] = [shard._replace(sha256=(digests or {}).get(shard.path)) for shard in have]
    return whole, [number for number in found if number not in committed]
