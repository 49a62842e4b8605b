"""Shards of signals: written, read, and put together as observations × samples."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from datamap import schema
from datamap.errors import SignalError, first_few
from datamap.signals import refuse_repeated


def split(table, unit, number, rows):
    """Yield (Shard, slice of the table) of at most `rows` rows each, in order."""
    count = max(1, -(-table.num_rows // rows))
    for index in range(count):
        yield schema.Shard(unit, number, index, count), table.slice(index * rows, rows)


def write_jsonl(table, path):
    """Write an arrow table as JSON lines; floats with the fewest digits that read back exactly."""
    cells = []
    for position, name in enumerate(table.column_names):
        start = "{" if position == 0 else ", "
        cells += [f"{start}{json.dumps(name)}: ", _json_cells(table[name])]
    lines = pc.binary_join_element_wise(*cells, "}\n", "")
    with Path(path).open("wb") as file:
        for chunk in lines.chunks if isinstance(lines, pa.ChunkedArray) else [lines]:
            file.write(_bytes_of(chunk))


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


def read_jsonl(path, name):
    """Read a shard of JSON lines into an arrow table.

    Args:
        path: local file.
        name: what errors call it (the artifact's path).
    Raises:
        SignalError: the file is not JSON lines, lacks a required key, or holds a bad number.
    """
    try:
        table = pyarrow.json.read_json(path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise SignalError(f"{name} is damaged: {reason}") from error
    missing = [key for key in schema.REQUIRED_SIGNALS if key not in table.column_names]
    if missing:
        raise SignalError(f"{name}: no key {first_few(missing)} (keys: {first_few(table.column_names, 20)})")
    return _check(table, name)


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


def check_rows(table, committed, number):
    """Raise SignalError when an observation does not have the rows it was committed with."""
    if table.num_rows != committed:
        raise SignalError(
            f"observation {number} is damaged: {table.num_rows:,} records were read, {committed:,} were committed"
        )


@dataclass(frozen=True)
class Observations:
    """The signals of samples over observations, as arrays.

    `numbers` are the observations' numbers, ascending, length T. `ids`, `labels` and
    `noisy_labels` are (samples,); `correct` bool, `label_probs` float64 and each array of
    `further` float64 are (T, samples). `present` is bool (T, samples), or None when every sample
    is in every observation; where it is False the other arrays hold nothing of meaning.
    """

    numbers: tuple
    ids: pa.Array
    labels: np.ndarray
    noisy_labels: np.ndarray
    correct: np.ndarray
    label_probs: np.ndarray
    further: dict
    present: np.ndarray | None = None

    @classmethod
    def from_tables(cls, tables, allow_missing=False):
        """Line up the records of {number: arrow table} by id, in the first observation's order.

        Raises:
            SignalError: a sample is missing from an observation (unless `allow_missing`), an id
                occurs twice in one, or a sample changes its label.
        """
        numbers = tuple(sorted(tables))
        ids = _all_ids([tables[number] for number in numbers], allow_missing)
        rows = [_rows(tables[number], ids, number, allow_missing) for number in numbers]
        present = np.stack([row >= 0 for row in rows])
        columns = [tables[number] for number in numbers]

        def stack(key, dtype):
            return np.stack([_take(t, key, row, dtype) for t, row in zip(columns, rows, strict=True)])

        labels = _constant(stack("label", np.int64), present, ids, "label")
        has_kind = "noisy_label" in columns[0].column_names
        kinds = stack("noisy_label", np.int64) if has_kind else np.zeros(present.shape, np.int64)
        return cls(
            numbers=numbers,
            ids=ids,
            labels=labels,
            noisy_labels=_constant(kinds, present, ids, "noisy_label"),
            correct=stack("correct", bool),
            label_probs=stack("label_probs", np.float64),
            further={key: stack(key, np.float64) for key in _further_keys(columns)},
            present=None if present.all() else present,
        )

    def take(self, samples, rows):
        """Some samples, each with its own `rows` (int array (T', samples)) of observations."""

        def pick(values):
            return np.take_along_axis(values[:, samples], rows, axis=0)

        return Observations(
            numbers=tuple(range(len(rows))),
            ids=self.ids.take(pa.array(samples)),
            labels=self.labels[samples],
            noisy_labels=self.noisy_labels[samples],
            correct=pick(self.correct),
            label_probs=pick(self.label_probs),
            further={key: pick(values) for key, values in self.further.items()},
        )


def _all_ids(tables, allow_missing):
    first = tables[0]["id"].combine_chunks()
    if not allow_missing:
        return first
    return pa.chunked_array([first, *(c for t in tables[1:] for c in t["id"].chunks)]).unique()


def _rows(table, ids, number, allow_missing):
    """Row of each id in the table, −1 where it has none."""
    where, own = f"observation {number}", table["id"].combine_chunks()
    refuse_repeated(own, where)
    if own.type != ids.type:
        raise SignalError(f"{where}: ids are {own.type}, in the first observation they are {ids.type}")
    rows = pc.index_in(ids, value_set=own).fill_null(-1).to_numpy(zero_copy_only=False)
    if not allow_missing:
        _refuse_missing(ids.filter(pa.array(rows < 0)), where, "lacks sample")
        unknown = own.filter(pc.invert(pc.is_in(own, value_set=ids)))
        _refuse_missing(unknown, where, "has samples that the first one lacks:")
    return rows


def _refuse_missing(ids, where, problem):
    if len(ids):
        raise SignalError(f"{where} {problem} {first_few(ids.to_pylist())} (allow_missing=true accepts this)")


def _take(table, key, rows, dtype):
    if key not in table.column_names:
        return np.full(len(rows), np.nan).astype(dtype)
    values = table[key].to_numpy()
    return values[rows].astype(dtype)  # row −1 takes any value: `present` says that it is none


def _constant(values, present, ids, key):
    """The one value that each sample has in all its observations."""
    first = values[present.argmax(axis=0), np.arange(values.shape[1])]
    changed = ((values != first) & present).any(axis=0)
    if changed.any():
        raise SignalError(
            f"{key} changes between observations, id {first_few(ids.filter(pa.array(changed)).to_pylist())}"
        )
    return first


def _further_keys(tables):
    """Numeric keys beyond the contract that every observation has."""
    common = [key for key in tables[0].column_names if all(key in t.column_names for t in tables)]
    return [
        key
        for key in common
        if key not in schema.SIGNAL_COLUMNS and all(_is_numeric(t[key].type) for t in tables)
    ]


def _is_numeric(kind):
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


def complete_observations(shards, committed):
    """The shards of each committed observation, and what was left out.

    Args:
        shards: iterable of `schema.Shard` that the run's artifacts show.
        committed: {observation number: rows} as the run's commit metric says.
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
        whole[number] = have
    return whole, [number for number in found if number not in committed]
