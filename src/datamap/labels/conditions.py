"""Parse conditions on the columns of a summary, such as `correct_times > 0 and tokens_mean <= 512`."""

import operator
import re
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from datamap.errors import ConfigError, did_you_mean, first_few, shortened

OPERATORS: dict[str, Callable[[Any, float], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_CONDITION = re.compile(rf"\s*([^<>=!]+?)\s*({'|'.join(OPERATORS)})\s*(\S+)\s*")


class Condition(NamedTuple):
    """Compare the column `name` with a number; `sign` is one of `OPERATORS`."""

    name: str
    sign: str
    value: float


def parse(text: str) -> list[Condition]:
    """Return the conditions of a text, all of which must hold.

    Raises:
        ConfigError: a part of the text is no condition.

    >>> parse("correct_times > 0 and tokens_mean <= 512")[1]
    Condition(name='tokens_mean', sign='<=', value=512.0)
    """
    return [_condition(part, text) for part in re.split(r"\sand\s", text)]


def _condition(part: str, text: str) -> Condition:
    found = _CONDITION.fullmatch(part)
    try:
        value = float(found[3])  # type: ignore[index]
        if np.isnan(value):
            raise ValueError("no number compares with NaN")
        return Condition(found[1], found[2], value)  # type: ignore[index]
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"where={shortened(text)}: {shortened(part.strip())} is not a condition; write column "
            f"{' '.join(OPERATORS)} "
            'number, joined by and: where="correct_times > 0 and label_var >= 0.04"'
        ) from error


def matching_rows(samples: pd.DataFrame, conditions: Collection[Condition]) -> np.ndarray:
    """Return which samples meet all conditions, bool (samples,); a missing number (NaN) meets none.

    Raises:
        ConfigError: a column does not exist, or holds no numbers.

    >>> matching_rows(pd.DataFrame({"tokens_mean": [10.0, 900.0]}), parse("tokens_mean <= 512")).tolist()
    [True, False]
    """
    kept = np.ones(len(samples), bool)
    known = [name for name in samples if pd.api.types.is_numeric_dtype(samples[name])]
    for name, sign, value in conditions:
        if name not in known:
            raise ConfigError(
                f"where={name} {sign} {value:g}: no numeric column {name}{did_you_mean(name, known)} "
                f"(columns: {first_few(known, 40)})"
            )
        column = samples[name].to_numpy(float, na_value=np.nan)
        kept &= OPERATORS[sign](column, value) & ~np.isnan(column)
    return kept
