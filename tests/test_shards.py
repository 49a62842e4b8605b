"""Shards written and read back, and observations put together from them."""

import json
import subprocess
import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import signal_records
from datamap import schema
from datamap.errors import SignalError
from datamap.signals import shards
from datamap.signals.compute import signal_table
from datamap.signals.observations import Observations


def table_of(count, classes=3, ids=None):
    logits = np.random.default_rng(0).normal(size=(count, classes))
    return signal_table(ids or list(range(count)), np.arange(count) % classes, logits=logits)


def files_of(table, *options):
    """[(artifact path, bytes)] of an observation: its shards, and last their checksums."""
    return list(shards.files(table, "epoch", 1, *options))


def read(files):
    """The shards among [(path, bytes)] as one table, checked against the checksums."""
    digests = shards.parse_checksums(files[-1][1], files[-1][0])
    tables = [
        shards.decode(content, schema.parse_shard(path)._replace(sha256=digests[path]))
        for path, content in files[:-1]
    ]
    return shards.concat(tables)


@pytest.mark.parametrize("rows", [1, 3, 7, 100])
@pytest.mark.parametrize("format", schema.FORMATS)
@pytest.mark.parametrize("ids", [None, [f'i"\\{n}\n猫' for n in range(7)]])
def test_what_is_written_reads_back_exactly(rows, ids, format):
    table = table_of(7, ids=ids)
    again = read(files_of(table, rows, format))
    assert again["id"].to_pylist() == table["id"].to_pylist()
    assert "pred_label" not in again.column_names  # nothing is reduced from it
    for column in ("probs", "loss", "label_probs"):
        assert np.array_equal(np.float32(again[column].to_pylist()), np.float32(table[column].to_pylist()))


def test_json_lines_have_the_keys_of_the_contract_in_order():
    lines = shards.encode(table_of(3), "jsonl").decode().splitlines()
    assert [list(json.loads(line)) for line in lines] == [list(schema.SIGNAL_COLUMNS)] * 3


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=20))
def test_every_float_survives(values):
    count = len(values)
    columns = {"id": list(range(count)), "label": [0] * count, "correct": [True] * count}
    content = shards.encode(pa.table({**columns, "label_probs": pa.array(values, pa.float32())}), "jsonl")
    assert np.float32([json.loads(line)["label_probs"] for line in content.splitlines()]).tolist() == values
    assert np.float32(shards.decode(content, ANY)["label_probs"].to_numpy()).tolist() == values


def test_checksums_are_those_of_sha256sum(tmp_path):
    for path, content in files_of(table_of(5), 2):
        (tmp_path / path.split("/")[1]).write_bytes(content)
    subprocess.run(["sha256sum", "-c", "epoch_0001.sha256"], cwd=tmp_path, check=True)
    with pytest.raises(
        SignalError, match="x.sha256 is damaged: it is not a list of checksums; restore it from a copy"
    ):
        shards.parse_checksums(b"hello", "x.sha256")


@pytest.mark.parametrize("format", schema.FORMATS)
def test_every_flipped_bit_is_noticed(format):
    (path, content), (sums_path, sums) = files_of(table_of(5), 100, format)
    shard = schema.parse_shard(path)._replace(sha256=shards.parse_checksums(sums, sums_path)[path])
    generator = np.random.default_rng(0)
    for bit in generator.integers(0, 8 * len(content), 50):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(SignalError, match=r"epoch_0001-00000-of-00001.* is damaged"):
            shards.decode(bytes(damaged), shard)


def test_names_of_shards():
    assert schema.Shard("epoch", 1, 0, 1).path == "signals/epoch_0001-00000-of-00001.jsonl"
    assert schema.Shard("step", 800, 2, 12).path == "signals/step_000800-00002-of-00012.jsonl"
    shard = schema.Shard("step", 800, 2, 12)
    assert schema.parse_shard(shard.path) == shard
    assert schema.parse_shard("signals/notes.txt") is None
    fold = schema.Shard("epoch", 3, 1, 5, folder="holdout")
    assert fold.path == "holdout/epoch_0003-00001-of-00005.jsonl"
    assert fold.checksums_path == "holdout/epoch_0003-00001-of-00005.sha256"
    assert schema.parse_shard(fold.path) == fold


@pytest.mark.parametrize(
    "name",
    [
        "signals/old_epoch_0001-00000-of-00001.jsonl",
        "signals/epoch_0001-00000-of-00001.jsonl.bak",
        "old/signals/epoch_0001-00000-of-00001.jsonl",
        "epoch_1-0-of-1.jsonl",
        "epoch_0001-00001-of-00001.jsonl",
        "epoch_0001-00000-of-99999999999.jsonl",
        "epoch_٠٠٠١-00000-of-00001.jsonl",
    ],
)
def test_stray_files_are_no_shards(name):
    assert schema.parse_shard(name) is None


def test_original_tutorials_true_and_false():
    content = (
        b'{"id": 1, "label": 0, "correct": "true", "label_probs": 1}\n'
        b'{"id": 2, "label": 0, "correct": "false", "label_probs": 0}\n'
    )
    assert shards.decode(content, ANY)["correct"].to_pylist() == [True, False]


ANY = schema.Shard("epoch", 1, 0, 1)
DEEP = "[" * 100_000
GOOD = '{"id": 1, "label": 0, "correct": true, "label_probs": 0.5}\n'
DAMAGED = {
    "epoch_0001-00000-of-00001.jsonl is damaged": GOOD + '{"id": 2, "lab',
    "lacks key label_probs": '{"id": 1, "label": 0, "correct": true}\n',
    r"label_probs is not in \[0, 1\], id 1": GOOD.replace("0.5", "1.5"),
    "label is missing in 1 of 2 records": GOOD + '{"id": 2, "correct": true, "label_probs": 0.5}\n',
    "its first line is not a JSON object": "",
    "label is of type string": GOOD.replace("0,", '"a",'),
    "label is not a class index, id 1": GOOD.replace("0,", "-1,"),
    "label is not a class index": GOOD.replace("0,", "99999999999,"),
    "id is of type bool": GOOD.replace('"id": 1', '"id": true'),
    "id is of type list": GOOD.replace('"id": 1', '"id": [1]'),
    "damaged: JSON parse error: Column": GOOD.replace('"id": 1', '"id": {"a": 1}'),
    "damaged: .*9223372036854775808": GOOD.replace('"id": 1', '"id": 9223372036854775808'),
    "correct is not true or false": GOOD.replace("true", '"maybe"'),
    "correct is of type double": GOOD.replace("true", "1"),
    "label_probs is of type string": GOOD.replace("0.5", '"a"'),
    "noisy_label is missing in 1 of 2 records": GOOD.replace("{", '{"noisy_label": 1, ') + GOOD,
    "probs has numbers that are missing or not finite": GOOD.replace("{", '{"probs": [null, 1], '),
    "probs is missing in 1 of 1": GOOD.replace("{", '{"probs": null, '),
    r"key 'a\\tb' occurs twice, or is not": GOOD.replace("{", '{"a\\tb": 1, '),
    "maximum recursion depth": GOOD.replace("{", '{"x": ' + DEEP + "]" * len(DEEP) + ", "),
    "maximum recursion depth exceeded while decoding a JSON array": DEEP,
}


@pytest.mark.parametrize("message", DAMAGED)
def test_damaged_shards_are_named(message):
    with pytest.raises(SignalError, match=message):
        shards.decode(DAMAGED[message].encode(), ANY)


BAD_COLUMNS = {
    "id is of type double": {"id": [1.5]},
    "id: .*not in range": {"id": pa.array([2**63], pa.uint64())},
    "label is of type float": {"label": pa.array([0.0], pa.float32())},
    "label is missing in 1 of 1": {"label": pa.array([None], pa.int64())},
    "noisy_label is of type null|noisy_label is missing": {"noisy_label": pa.nulls(1)},
    "correct is of type timestamp": {"correct": pa.array([0], pa.timestamp("s"))},
    "probs is of type string": {"probs": ["a"]},
    "probs has numbers that are missing or not finite": {"probs": [[float("nan"), 1.0]]},
    "it has no records": {key: pa.array([], pa.int64()) for key in ("id", "label", "correct", "label_probs")},
}


def parquet(changes):
    columns = {"id": [1], "label": [0], "correct": [True], "label_probs": [0.5]}
    return shards.encode(pa.table({**columns, **changes}), "parquet")


IMPOSSIBLE = {
    "probs are negative or do not sum to 1, id 1": {"probs": [[0.5, 1.5, -1.0]]},
    "probs are negative or do not sum to 1, id 1 ": {"probs": [[2.5, 2.5]]},
    "label_probs is not in": {"label_probs": [float("nan")]},
    "label_probs is not probs.label., id 1": {"probs": [[0.5, 0.5]], "label_probs": [0.9]},
    "correct does not agree with probs, id 1": {"probs": [[0.1, 0.9]], "label_probs": [0.1]},
    "correct does not agree with probs, id 1 ": {
        "probs": [[0.9, 0.1]],
        "label_probs": [0.9],
        "correct": [False],
    },
    "label is not in 0..1, id 1": {"probs": [[0.5, 0.5]], "label": [2]},
    "probs has 0 instead of 2 to 65,536 numbers": {"probs": pa.array([[]], pa.list_(pa.float64()))},
    "loss is not finite, id 1": {"loss": [float("nan")]},
    "loss is not finite, id 1 ": {"loss": [float("inf")]},
    "loss is negative, id 1": {"loss": [-0.5]},
    "margin is not finite": {"margin": [float("nan")]},
    "own is not finite": {"own": [float("-inf")]},
    "noisy_label is not 0, 1 or 2": {"noisy_label": [3]},
    "label is not a class index": {"label": [schema.MAX_CLASSES]},
}


@pytest.mark.parametrize("format", schema.FORMATS)
@pytest.mark.parametrize("message", IMPOSSIBLE)
def test_values_that_no_recorder_accepts_are_refused(message, format):
    columns = {"id": [1], "label": [0], "correct": [True], "label_probs": [0.5], **IMPOSSIBLE[message]}
    content = shards.encode(pa.table(columns), format).replace(b"nan", b"NaN")
    with pytest.raises(SignalError, match=message.strip() if format == "parquet" else None):
        shards.decode(content, ANY._replace(format=format))


def test_a_predicted_label_is_a_class_and_agrees_with_correct():
    for changes, message in (
        ({"pred_label": [1]}, "correct contradicts pred_label and label"),
        ({"pred_label": [999_999]}, "pred_label is not a class index"),
    ):
        with pytest.raises(SignalError, match=message):
            shards.decode(parquet(changes), ANY._replace(format="parquet"), lambda key, kind: True)


def test_probabilities_that_rounding_made_equal_contradict_nothing():
    changes = {"probs": [[0.5, 0.5]], "correct": [False]}
    assert shards.decode(parquet(changes), ANY._replace(format="parquet")).num_rows == 1
    logits = np.zeros((2, 3))  # ties: the lowest index wins
    table = signal_table([1, 2], [0, 2], logits=logits)
    shard, content = shards.sealed(table, ANY)
    assert shards.decode(content, shard)["correct"].to_pylist() == [True, False]


@pytest.mark.parametrize("message", BAD_COLUMNS)
def test_columns_of_parquet_that_cannot_be_right(message):
    with pytest.raises(SignalError, match=f"epoch_0001-00000-of-00001.parquet.*({message})"):
        shards.decode(parquet(BAD_COLUMNS[message]), ANY._replace(format="parquet"))


def test_a_parquet_file_of_far_more_rows_than_bytes_is_refused_unread():
    zeros = np.zeros(3_000_000, np.int64)
    columns = {"id": zeros, "label": zeros, "correct": zeros == 0, "label_probs": zeros / 2}
    content = shards.encode(pa.table(columns), "parquet")
    started = time.monotonic()
    with pytest.raises(SignalError, match="3,000,000 rows, .* in a file of"):
        shards.decode(content, ANY._replace(format="parquet"))
    assert time.monotonic() - started < 0.5


def test_columns_of_parquet_as_other_programs_write_them():
    changes = {
        "id": pa.array(["a"]).dictionary_encode(),
        "label": pa.array([1], pa.uint8()),
        "probs": pa.array([[0, 1]], pa.list_(pa.int8(), 2)),
        "label_probs": [1],
        "flag": [True],
    }
    (row,) = shards.decode(parquet(changes), ANY._replace(format="parquet")).to_pylist()
    assert row == {"id": "a", "label": 1, "correct": True, "label_probs": 1, "probs": [0, 1], "flag": 1.0}


def tables(records):
    return [(n, pa.Table.from_pylist(r)) for n, r in enumerate(records, 1)]


def test_missing_and_unknown_samples_are_named():
    first, second = signal_records([[0.1, 0.9], [0.2, 0.8]], [0, 1])
    with pytest.raises(SignalError, match="observation 2 lacks sample 1 "):
        Observations.from_tables(tables([first, second[:1]]))
    with pytest.raises(SignalError, match="observation 2 has samples that the first one lacks: 1"):
        Observations.from_tables(tables([first[:1], second]))


def test_changed_label_and_repeated_id_are_named():
    first, second = signal_records([[0.1, 0.9], [0.2, 0.8]], [0, 1])
    with pytest.raises(SignalError, match="label changes between observations, id 1"):
        Observations.from_tables(tables([first, [second[0], {**second[1], "label": 0}]]))
    with pytest.raises(SignalError, match="observation 2: id repeated: 0"):
        Observations.from_tables(tables([first, [second[0], second[0]]]))


def test_only_committed_and_whole_observations_count():
    def shard(number, index=0, count=2):
        return schema.Shard("epoch", number, index, count)

    there = [shard(1), shard(1, 1), shard(2), shard(2, 1), shard(3)]
    whole, left_out = shards.complete_observations(there, {1: 5, 2: 5})
    assert list(whole) == [1, 2]
    assert whole[1] == [shard(1), shard(1, 1)]
    assert left_out == [3]
    with pytest.raises(SignalError, match="observation 3 was committed but .*epoch_0003-00001-of-00002"):
        shards.complete_observations(there, {3: 5})
    with pytest.raises(SignalError, match="observation 4 was committed but"):
        shards.complete_observations(there, {4: 5})
    many = shard(5, 0, 999_999_999)
    with pytest.raises(SignalError, match="observation 5 was committed but .*00001-of-999999999"):
        shards.complete_observations([many], {5: 5})
    with pytest.raises(SignalError, match="observation 1 has shards of another split: .*parquet; remove"):
        shards.complete_observations([*there, shard(1)._replace(format="parquet")], {1: 5})
