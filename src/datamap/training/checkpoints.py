"""The state of training as files: safetensors and JSON, so that loading runs nobody's code."""

import hashlib
import json
from typing import NamedTuple

import safetensors
import safetensors.numpy

from datamap.errors import TrainingError

SLOTS = 2  # written in turns: one is whole while the other is being written


class Checkpoint(NamedTuple):
    """State after `step`, which observation `number` saw.

    `weights` are the model's arrays by name; `moments` the optimizer's by `<parameter>:<moment>`.
    Random numbers, the order of samples and the learning rate follow from seed and step.
    """

    number: int
    step: int
    weights: dict
    moments: dict


def folder(slot):
    return f"checkpoint/{slot % SLOTS}"


def files(checkpoint, slot):
    """Yield (artifact path, bytes): arrays first, then the state that vouches for them by checksum."""
    digests = {}
    for name in ("weights", "moments"):
        content = safetensors.numpy.save(getattr(checkpoint, name))
        digests[name] = hashlib.sha256(content).hexdigest()
        yield f"{folder(slot)}/{name}.safetensors", content
    state = {"number": checkpoint.number, "step": checkpoint.step, "sha256": digests}
    yield f"{folder(slot)}/state.json", json.dumps(state, indent=1).encode()


def load(read, upto):
    """The newest whole checkpoint at or before observation `upto`.

    Args:
        read: artifact path → bytes, or None where there is no such artifact.
        upto: number of the last committed observation.
    Returns:
        (`Checkpoint`, its slot).
    Raises:
        TrainingError: there is none; says what was found.
    """
    states = {slot: _state(read(f"{folder(slot)}/state.json")) for slot in range(SLOTS)}
    usable = {slot: state for slot, state in states.items() if state and state["number"] <= upto}
    for slot, state in sorted(usable.items(), key=lambda item: -item[1]["number"]):
        contents = {name: read(f"{folder(slot)}/{name}.safetensors") for name in state["sha256"]}
        if all(
            content and hashlib.sha256(content).hexdigest() == state["sha256"][name]
            for name, content in contents.items()
        ):
            arrays = {name: safetensors.numpy.load(content) for name, content in contents.items()}
            return Checkpoint(state["number"], state["step"], **arrays), slot
    found = [state["number"] for state in states.values() if state]
    raise TrainingError(
        f"no whole checkpoint of observation {upto} or before it (found: {found or 'none'}); "
        "was the run made with trainer.checkpoint=none?"
    )


def _state(content):
    """state.json as a dict, or None where it is none."""
    try:
        state = json.loads(content or b"null")
        return state if set(state["sha256"]) == {"weights", "moments"} and state["step"] >= 0 else None
    except (ValueError, TypeError, KeyError):
        return None
