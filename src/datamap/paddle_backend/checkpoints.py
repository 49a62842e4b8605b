"""Save and load the state of training as safetensors and JSON, so that loading executes no code."""

import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import safetensors
import safetensors.numpy

from datamap import schema
from datamap.digests import digest_of
from datamap.errors import TrainingError

SLOTS = 2  # written alternately: one is complete while the other is being written
ARRAYS = ("weights", "moments")


class Checkpoint(NamedTuple):
    """Hold the state of training after `step`, the state that observation `number` saw.

    `weights` are the model's arrays by name, `moments` the optimizer's by `<parameter>:<moment>`.
    Random numbers, the order of samples and the learning rate follow from seed and step.
    """

    number: int
    step: int
    weights: dict[str, np.ndarray]
    moments: dict[str, np.ndarray]


def folder(slot: int) -> str:
    """Return the artifact folder of a slot; slots count up and use the folders alternately."""
    return f"{schema.CHECKPOINT_DIR}/{slot % SLOTS}"


def files(checkpoint: Checkpoint, slot: int) -> Iterator[tuple[str, bytes]]:
    """Yield (artifact path, bytes): the arrays first, then the state with their checksums, which completes them."""
    digests = {}
    for name in ARRAYS:
        content = safetensors.numpy.save(getattr(checkpoint, name))
        digests[name] = digest_of(content)
        yield f"{folder(slot)}/{name}.safetensors", content
    state = {"number": checkpoint.number, "step": checkpoint.step, "sha256": digests}
    yield f"{folder(slot)}/state.json", json.dumps(state, indent=1).encode()


def load(read: Callable[[str], bytes | None], upto: int) -> tuple[Checkpoint, int]:
    """Load the latest complete checkpoint at or before observation `upto`.

    Args:
        read: artifact path → bytes, or None if there is no such artifact.
        upto: number of the last committed observation.

    Returns:
        (`Checkpoint`, its slot).

    Raises:
        TrainingError: there is none; the message says what was found.
    """
    states = {slot: _state(read(f"{folder(slot)}/state.json")) for slot in range(SLOTS)}
    usable = {slot: state for slot, state in states.items() if state and state["number"] <= upto}
    for slot, state in sorted(usable.items(), key=lambda item: -item[1]["number"]):
        weights, moments = (
            _arrays(read(f"{folder(slot)}/{name}.safetensors"), state["sha256"][name]) for name in ARRAYS
        )
        if weights is not None and moments is not None:
            return Checkpoint(state["number"], state["step"], weights, moments), slot
    found = [state["number"] for state in states.values() if state]
    raise TrainingError(
        f"the run has no complete checkpoint of observation {upto} or before (found: {found or 'none'}), so it cannot "
        "be resumed; train again, without trainer.checkpoint=none"
    )


def _arrays(content: bytes | None, digest: str) -> dict | None:
    """Return the arrays of a file, or None if the file does not have that digest."""
    if not content or digest_of(content) != digest:
        return None
    try:
        return safetensors.numpy.load(content)
    except (safetensors.SafetensorError, ValueError, KeyError):
        return None


def _state(content: bytes | None) -> dict | None:
    """Parse state.json; return None if it is incomplete."""
    try:
        state = json.loads(content or b"null")
        numbers = [state["number"], state["step"]]
        complete = set(state["sha256"]) == set(ARRAYS) and all(type(n) is int and n >= 0 for n in numbers)
        return state if complete else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
