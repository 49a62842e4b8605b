"""Checkpoints: two slots, checksums, and which one is taken."""

import numpy as np
import pytest

from datamap.errors import TrainingError
from datamap.training import checkpoints


def checkpoint(number):
    return checkpoints.Checkpoint(number, number * 10, {"w": np.full(3, number)}, {"w:m": np.ones(2)})


@pytest.fixture
def stored():
    """Files of the checkpoints of observations 3 and 4, one in each slot."""
    return dict(checkpoints.files(checkpoint(3), 1)) | dict(checkpoints.files(checkpoint(4), 0))


@pytest.mark.parametrize(("upto", "number", "slot"), [(4, 4, 0), (9, 4, 0), (3, 3, 1)])
def test_the_newest_that_was_committed(stored, upto, number, slot):
    found, where = checkpoints.load(stored.get, upto)
    assert (found.number, found.step, where) == (number, number * 10, slot)
    assert found.weights["w"].tolist() == [number] * 3


@pytest.mark.parametrize("name", ["weights.safetensors", "moments.safetensors", "state.json"])
@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"", lambda b: b"\xff" + b[1:], None])
def test_a_damaged_one_gives_way_to_the_one_before(stored, name, damage):
    content = stored.pop(f"checkpoint/0/{name}")
    if damage:
        stored[f"checkpoint/0/{name}"] = damage(content)
    assert checkpoints.load(stored.get, 4)[0].number == 3


def test_none_is_said_so(stored):
    with pytest.raises(TrainingError, match=r"no whole checkpoint of observation 2 .*found: \[4, 3\]"):
        checkpoints.load(stored.get, 2)
    with pytest.raises(TrainingError, match=r"found: none\); was the run made with trainer.checkpoint=none"):
        checkpoints.load({}.get, 2)
