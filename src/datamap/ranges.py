"""What values an option may have: kept beside its type in a dataclass, checked where options come in."""

import math
from dataclasses import field, fields, is_dataclass
from typing import Any

from omegaconf import MISSING

from datamap.errors import ConfigError


def number(
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    choices: tuple[str, ...] | None = None,
    word: str | None = None,
    default: Any = MISSING,
) -> Any:
    """A field with a range, from `low` to `high`; required unless it has a default.

    Args:
        above: an open lower bound.
        choices: the only values that there are.
        word: goes in place of a whole number.
    """
    bounds = {"low": low, "high": high, "above": above, "choices": choices, "word": word}
    return field(default=default, metadata=bounds)


def check(options: Any, path: str = "") -> None:
    """Check the values of a dataclass and of the dataclasses in it.

    Raises:
        ConfigError: a value is out of its range or not among its choices; names the first one.
    """
    for key in fields(options):
        value, name = getattr(options, key.name), path + key.name
        if is_dataclass(value):
            check(value, f"{name}.")
        elif key.metadata and value is not None:
            problem = _problem(value, **key.metadata)
            if problem:
                raise ConfigError(f"{name}={value} is out of range: {problem}")


def _problem(value, low, high, above, choices, word):
    if word and (value == word or type(value) is not int):
        return None if value == word else f"it must be {word!r} or a whole number"
    if isinstance(value, float) and math.isinf(value):
        return "it must be finite"
    if choices and value not in choices:
        return f"choose {' or '.join(choices)}"
    if above is not None and not value > above:
        return f"it must be above {above}"
    if low is not None and not value >= low:
        return f"it must be {low} or more"
    if high is not None and not value <= high:
        return f"it must be {high} or less"
    return None
