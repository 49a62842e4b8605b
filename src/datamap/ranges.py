"""Declare the allowed values of options next to their types, and check options against them.

Options are plain dataclasses, because OmegaConf ignores the constraints of pydantic.
"""

import math
from dataclasses import Field, field, fields, is_dataclass
from typing import Any, get_args, get_origin

from omegaconf import MISSING

from datamap.errors import ConfigError, did_you_mean, shortened


def number(
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    word: str | None = None,
    default: Any = MISSING,
) -> Any:
    """Declare a field that holds a number from `low` to `high`; it is required unless it has a default.

    Args:
        low: the smallest allowed value.
        high: the largest allowed value.
        above: a bound that the value must exceed.
        word: a word that may replace the number, which must be a whole number then.
        default: the default value.
    """
    return field(default=default, metadata={"low": low, "high": high, "above": above, "word": word})


def option(*choices: str, default: Any = MISSING) -> Any:
    """Declare a field that holds one of `choices`; it is required unless it has a default."""
    return field(default=default, metadata={"choices": choices})


def check(options: Any, path: str = "") -> None:
    """Check the values of a dataclass and of the dataclasses in it.

    Raises:
        ConfigError: a value is not allowed; the message names the first one.
    """
    for key in fields(options):
        value, name = getattr(options, key.name), path + key.name
        if is_dataclass(value):
            check(value, f"{name}.")
        elif _has_nul(value):
            raise ConfigError(
                f"{name}={shortened(value)} has a NUL character, which no path has; leave it out"
            )
        elif isinstance(value, str) and _holds_keys(key):
            raise ConfigError(f"{name}: {value!r} is a text; give {name}='{{key: value}}'")
        elif value is not None and (wrong := problem(key, value)):
            what = "" if "choices" in key.metadata else " is out of range"
            raise ConfigError(f"{name}={value}{what}: {wrong}")


def _has_nul(value: Any) -> bool:
    if isinstance(value, dict):
        value = [*value, *value.values()]
    return any(map(_has_nul, value)) if isinstance(value, list) else isinstance(value, str) and "\0" in value


def _holds_keys(key: Field) -> bool:
    """Tell whether a field holds a mapping or options of its own; OmegaConf lets a text with `${` pass for one."""
    kinds = (key.type, *get_args(key.type))
    return any(get_origin(kind) is dict or is_dataclass(kind) for kind in kinds)


def problem(key: Field, value: Any) -> str | None:
    """Return what is wrong with a value that is not None, of the type of its key; None where it is in range."""
    return _problem(value, **key.metadata) if key.metadata else None


def _problem(value, low=None, high=None, above=None, word=None, choices=()):
    if word and (value == word or type(value) is not int):
        return None if value == word else f"it must be {word!r} or a whole number"
    if isinstance(value, float) and not math.isfinite(value):
        return "it must be finite"
    if choices and value not in choices:
        return f"choose {' or '.join(choices)}{did_you_mean(str(value), choices)}"
    if above is not None and not value > above:
        return f"it must be above {above}"
    if low is not None and not value >= low:
        return f"it must be {low} or more"
    if high is not None and not value <= high:
        return f"it must be {high} or less"
    return None
