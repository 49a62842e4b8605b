"""Checkpoints: two slots, checksums, and which one is taken."""

import numpy as np
import pytest

from datamap.errors import TrainingError
from datamap.paddle_backend import checkpoints
from datamap.training.loggers import LatestCheckpoint


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
    with pytest.raises(TrainingError, match=r"no complete checkpoint of observation 2 .*found: \[4, 3\]"):
        checkpoints.load(stored.get, 2)
    with pytest.raises(TrainingError, match=r"found: none\).*without trainer.checkpoint=none"):
        checkpoints.load({}.get, 2)


@pytest.mark.parametrize(
    "state",
    [
        "[" * 100_000,
        "7",
        '{"number": "3", "step": 1, "sha256": {"weights": "", "moments": ""}}',
        '{"sha256": 1}',
    ],
    ids=["deep", "number", "text", "short"],
)
def test_a_state_of_another_form_is_none(stored, state):
    stored["checkpoint/0/state.json"] = state.encode()
    assert checkpoints.load(stored.get, 4)[0].number == 3


def test_of_waiting_observations_one_state_is_kept_and_one_of_use_is_always_there():
    """Training is three observations ahead of the sending; at any moment it may be killed."""
    state, stored, committed, sent = LatestCheckpoint(0), {}, 0, 0
    for number in range(1, 4):
        state.keep(checkpoint(number))
    for number in range(1, 20):
        ahead = min(number + 3, 19)
        state.keep(checkpoint(ahead))
        files = dict(state.files(number))
        sent += bool(files)
        for path, content in files.items():
            stored[path] = content
            if committed:
                assert checkpoints.load(stored.get, committed)[0].number <= committed
        committed = number
    assert checkpoints.load(stored.get, committed)[0].number == 19
    assert sent == 6  # not starved, however slow the store


def test_a_store_that_keeps_up_gets_every_state():
    state, stored = LatestCheckpoint(0), {}
    for number in range(1, 6):
        state.keep(checkpoint(number))
        stored |= dict(state.files(number))
        assert checkpoints.load(stored.get, number)[0].number == number
