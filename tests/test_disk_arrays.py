"""Arrays of all samples when only some are in memory."""

import contextlib

import numpy as np
import pyarrow as pa
import pytest

import reference
from datamap.errors import SignalError
from datamap.schema import DIRTY
from datamap.signals import align, compute, shards
from datamap.summaries import disk_arrays, reduction
from datamap.summaries.disk_arrays import DiskArray


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(disk_arrays, "BLOCK", 7)


class Memory(dict):
    """Artifacts in memory."""

    def local(self, path, sha256=None):
        return contextlib.nullcontext(self[path])


def written(tmp_path, tables, rows=10):
    """(Totals, text) of the summary over observations, in shards of `rows` samples."""
    artifacts, observed = Memory(), {}
    for number, table in enumerate(tables, 1):
        for shard, content in shards.encoded(table, "epoch", number, rows):
            artifacts[shard.path] = content
            observed.setdefault(number, []).append(shard)
    parts = reduction.in_process(artifacts, shards.groups(observed), reduction.Options())
    committed = {number: table.num_rows for number, table in enumerate(tables, 1)}
    totals = reduction.write(parts, tmp_path / "summary.tsv", committed)
    return totals, (tmp_path / "summary.tsv").read_text()


def table(ids, probs, kinds=None):
    labels = np.zeros(len(probs), int)
    return compute.signal_table(
        ids, labels, probs=np.stack([probs, 1 - np.array(probs)], axis=1), noisy_labels=kinds
    )


@pytest.mark.parametrize("dtype", [np.uint64, np.float64])
def test_numbers_come_back_in_blocks(dtype):
    values = np.random.default_rng(0).integers(0, 1000, 100).astype(dtype)
    with DiskArray(dtype) as numbers:
        for part in np.split(values, [0, 3, 50]):
            numbers.append(part)
        assert len(numbers) == 100
        assert max(map(len, numbers.blocks())) == 7
        assert np.concatenate(list(numbers.blocks())).tolist() == values.tolist()


@pytest.mark.parametrize("most", [1, 10, 1000])
def test_repeated_numbers_are_found_whatever_is_sorted_at_once(most):
    values = np.random.default_rng(1).integers(0, 300, 100).astype(np.uint64)
    unique, counts = np.unique(values, return_counts=True)
    with DiskArray(np.uint64) as numbers:
        assert numbers.repeated(most).tolist() == []
        numbers.append(values)
        repeated = numbers.repeated(most)
        assert sorted(repeated.tolist()) == unique[counts > 1].tolist()
        assert numbers.rows_of(repeated).tolist() == np.flatnonzero(np.isin(values, repeated)).tolist()


@pytest.mark.parametrize("position", [3, 7, 14, 19])
def test_a_number_that_comes_again_in_its_block_or_the_next_is_found(position):
    values = np.arange(20).astype(np.uint64)
    with DiskArray(np.uint64) as numbers:
        numbers.append(values)
        assert numbers.repeated().tolist() == []
    values[position] = values[position - 1]
    with DiskArray(np.uint64) as numbers:
        numbers.append(values)
        assert numbers.repeated().tolist() == [position - 1]


@pytest.mark.parametrize("kind", [int, str])
def test_an_id_in_two_shards_is_refused_by_name(tmp_path, kind):
    ids = [kind(i) for i in range(25)]
    ids[24], ids[11] = ids[3], ids[4]
    with pytest.raises(SignalError, match=f"several shards have id {ids[4]}, {ids[3]}$"):
        written(tmp_path, [table(ids, np.linspace(0, 1, 25))])


def test_ids_whose_keys_are_the_same_by_chance_are_two(tmp_path, monkeypatch):
    monkeypatch.setattr(align, "hashes", lambda ids: np.arange(len(ids)).astype(np.uint64) % 3)
    totals, text = written(tmp_path, [table([f"k{i}" for i in range(25)], np.linspace(0, 1, 25))])
    assert totals.samples == 25 == text.count("\n") - 1


def test_shards_with_ids_of_two_types_are_refused(tmp_path):
    first, second = table(range(10), np.full(10, 0.5)), table(["a"], [0.5])
    artifacts = Memory()
    observed = {1: []}
    for index, some in enumerate((first, second)):
        shard, content = shards.sealed(some, shards.Shard("epoch", 1, index, 2))
        artifacts[shard.path] = content
        observed[1].append(shard)
    parts = reduction.in_process(artifacts, shards.groups(observed), reduction.Options())
    with pytest.raises(SignalError, match="the shards do not match: ids are int64, string"):
        reduction.write(parts, tmp_path / "summary.tsv", {1: 11})


def test_auroc_of_dirty_samples_is_that_of_the_slow_reference(tmp_path):
    random = np.random.default_rng(2)
    probs, kinds = random.integers(0, 9, 40) / 8, random.integers(0, 3, 40)
    totals, _ = written(tmp_path, [table(range(40), probs, kinds)])
    expected = reference.auroc((1 - probs).tolist(), (kinds == DIRTY).tolist())
    assert totals.auroc_dirty == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("kinds", [[0] * 12, [DIRTY] * 12])
def test_no_auroc_of_one_kind(tmp_path, kinds):
    assert written(tmp_path, [table(range(12), np.full(12, 0.5), kinds)])[0].auroc_dirty is None


def test_lines_do_not_depend_on_how_many_are_made_at_once(tmp_path, monkeypatch):
    random = np.random.default_rng(3)
    tables = [table(range(60), random.random(60)) for _ in range(9)]
    _, expected = written(tmp_path, tables, 60)
    monkeypatch.setattr(reduction, "ROWS", 7)
    assert written(tmp_path, tables, 60)[1] == expected


def test_observations_that_share_their_ids_hold_them_once():
    observed = shards_of(9)
    assert observed.ids.equals(pa.array(range(9)))
    assert [len(some.ids) for some in observed.slices(4)] == [3, 3, 3]


def shards_of(samples):
    from datamap.signals.observations import Observations

    tables = [(number, table(range(samples), np.full(samples, 0.5))) for number in (1, 2)]
    return Observations.from_tables(tables)
