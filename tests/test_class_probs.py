"""Mean distributions of samples: against a loop, whatever the order, the shards and what is missing."""

import contextlib

import numpy as np
import pyarrow as pa
import pytest

from datamap import schema
from datamap.errors import SignalError
from datamap.signals import class_probs, shards
from datamap.signals.compute import signal_table


class Memory(dict):
    """Artifacts in memory."""

    def read(self, path):
        return self[path]

    def local(self, path, sha256=None):
        return contextlib.nullcontext(self.read(path))


def logged(observations, rows=100, format="parquet", ids=None):
    """(artifacts, whole) of arrays of probabilities (N, C), each with its own order of ids."""
    artifacts, whole = Memory(), {}
    for number, probs in enumerate(observations, 1):
        own = list(range(len(probs))) if ids is None else ids[number - 1]
        table = signal_table(own, np.array(own) % 2, probs=probs)
        parts = list(shards.encoded(table, "epoch", number, rows, format))
        artifacts |= {shard.path: content for shard, content in parts}
        whole[number] = [shard for shard, _ in parts]
    return artifacts, whole


def random(count=3, samples=11, classes=4):
    return np.random.default_rng(0).dirichlet(np.ones(classes), (count, samples))


@pytest.mark.parametrize("format", schema.FORMATS)
@pytest.mark.parametrize("rows", [1, 4, 100])
def test_means_and_counts_are_those_of_a_loop(rows, format):
    observations = random()
    found = class_probs.read(*logged(observations, rows, format))
    assert found.ids.to_pylist() == list(range(11))
    assert found.probs == pytest.approx(observations.mean(axis=0), abs=1e-6)
    wrong = [sum(p.argmax() != i % 2 for i, p in enumerate(one)) for one in observations]
    assert found.wrong.tolist() == wrong
    right = [[p.argmax() == i % 2 for i, p in enumerate(one)] for one in observations]
    assert found.correct.tolist() == right


def test_observations_in_any_order_of_samples():
    observations = random()
    orders = [np.random.default_rng(n).permutation(11) for n in range(3)]
    mixed = [one[order] for one, order in zip(observations, orders, strict=True)]
    found = class_probs.read(*logged(mixed, ids=[order.tolist() for order in orders]))
    again = found.ordered(pa.array(range(11)), "signals")
    assert again.probs == pytest.approx(observations.mean(axis=0), abs=1e-6)
    assert again.correct.tolist() == (observations.argmax(axis=2) == np.arange(11) % 2).tolist()


def test_a_sample_that_is_missing_here_and_there():
    observations = random(2, 4)
    whole = logged([observations[0][:3], observations[1][1:]], ids=[[0, 1, 2], [1, 2, 3]])
    found = class_probs.read(*whole, allow_missing=True)
    assert found.ids.to_pylist() == [0, 1, 2, 3]
    assert found.probs[0] == pytest.approx(observations[0][0], abs=1e-6)
    assert found.probs[3] == pytest.approx(observations[1][3], abs=1e-6)
    assert found.probs[1] == pytest.approx(observations[:, 1].mean(axis=0), abs=1e-6)
    right = observations.argmax(axis=2) == [[0, 1, 0, 1]] * 2
    assert found.correct.tolist() == (right & [[True, True, True, False], [False, True, True, True]]).tolist()


def test_a_sample_that_nobody_held_out_is_named():
    found = class_probs.read(*logged(random(1, 3)))
    with pytest.raises(SignalError, match="holdout lacks sample 7"):
        found.ordered(pa.array([0, 7]), "holdout")


def test_observations_of_different_classes_are_refused():
    artifacts, whole = logged([random(1, 3, 4)[0], random(1, 3, 5)[0]])
    with pytest.raises(SignalError, match="observation 2 has 5 classes, earlier ones have 4"):
        class_probs.read(artifacts, whole)


def test_signals_without_all_classes_have_no_distributions():
    lines = b"".join(
        b'{"id": %d, "label": 0, "correct": %s, "label_probs": 0.5}\n' % (i, b"true" if i else b"false")
        for i in range(3)
    )
    shard = schema.Shard("epoch", 1, 0, 1)
    found = class_probs.read(Memory({shard.path: lines}), {1: [shard]})
    assert found.probs is None
    assert found.ordered(pa.array([2, 1, 0]), "signals").wrong.tolist() == [1]
