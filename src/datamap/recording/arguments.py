"""What people give a `SignalRecorder` besides signals: refused here when later commands could not use it."""

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from datamap import schema
from datamap.errors import ConfigError, DataError, SignalError, first_few
from datamap.tracking.failures import metric_name_problem

SAMPLE_COLUMNS = ("id", "text_a", "text_b", "label", "s_label")
LARGEST_NUMBER = 2**53  # of an observation: what the browser, too, holds exactly


def choice(name: str, value: str, choices: Sequence[str]) -> str:
    """The value of the argument `name`.

    Raises:
        ConfigError: it is not among the choices.
    """
    if value not in choices:
        raise ConfigError(f"{name}={value!r}: it is one of {first_few(choices)}")
    return value


def class_names(names: Iterable[object] | None) -> tuple[str, ...] | None:
    """Class names by index, as text; 1, 1.0 and "1" are one name.

    Raises:
        ConfigError: not a list, an empty name, or one that occurs twice.
    """
    if names is None:
        return None
    if isinstance(names, str | Mapping) or not isinstance(names, Iterable):
        raise ConfigError(f"class_names={names!r}: give a list of names, by class index")
    found: list[str] = []
    for given in names:
        name = _name(given)
        if name in found:
            raise ConfigError(f"class_names=: {name!r} occurs twice")
        found.append(name)
    return tuple(found)


def _name(given):
    if given is None or given != given:
        raise ConfigError(f"class_names=: {given} is no name")
    if not str(given).strip():
        raise ConfigError("class_names=: a name is empty")
    return _text(given)


def _text(value):
    """A label as text, whole numbers without a point."""
    return str(int(value)) if isinstance(value, float | np.floating) and value == int(value) else str(value)


def sample_table(samples: Any, names: Sequence[str] | None) -> pd.DataFrame:
    """The columns that we log of a user's table of texts, labels as they were given.

    Args:
        samples: DataFrame, or what becomes one.
        names: class names by index.
    Raises:
        DataError: a column, id, text, label or planted kind that later commands could not use.
        ConfigError: labels that are names, without `class_names=`.
    """
    try:
        frame = samples.to_pandas() if hasattr(samples, "to_pandas") else pd.DataFrame(samples)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"samples=: not a table ({error}); give a DataFrame with columns id and text_a"
        ) from error
    missing = {"id", "text_a"} - set(frame.columns)
    if missing:
        raise DataError(
            f"samples= has no column {first_few(sorted(missing))} (columns: {first_few(frame.columns, 10)}); "
            "rename yours: samples.rename(columns={'text': 'text_a'})"
        )
    if frame["id"].isna().any():
        raise DataError(f"samples=: id is empty, row {first_few(1 + np.flatnonzero(frame['id'].isna()))}")
    twice = frame["id"][frame["id"].astype(str).duplicated()]
    if len(twice):
        raise DataError(f"samples=: id repeated: {first_few(twice)}")
    for name in ("text_a", "text_b"):
        if name in frame:
            _refuse(
                frame, frame[name].isna() | (frame[name].astype(str).str.strip() == ""), f"{name} is empty"
            )
    if "s_label" in frame:
        _refuse(frame, ~frame["s_label"].isin(list(schema.KINDS)), "s_label is 0, 1 or 2")
    if "label" in frame:
        label_indices(frame, names)
    return frame[[name for name in SAMPLE_COLUMNS if name in frame.columns]]


def label_indices(frame: pd.DataFrame, names: Sequence[str] | None) -> np.ndarray:
    """Class index of each row's `label`: int64 (rows,). Numbers are indices, all else names.

    Raises:
        DataError: a label that is no class.
        ConfigError: labels that are names, without `class_names=`.
    """
    labels = frame["label"]
    if not pd.api.types.is_numeric_dtype(labels):
        if names is None:
            raise ConfigError("samples= names its labels: give class_names=, by class index")
        labels = labels.map(_text).map({name: index for index, name in enumerate(names)})
    wrong = labels.isna() | (labels < 0) | (labels % 1 != 0)
    if names is not None:
        wrong |= labels >= len(names)
    if wrong.any():
        given = frame["label"][wrong].iloc[0]
        shown = repr(given) if isinstance(given, str) else _text(given) if given == given else "empty"
        _refuse(
            frame,
            wrong,
            f"label {shown} is not in class_names=" if names else f"label {shown} is no class index",
        )
    return labels.to_numpy(np.int64)


def _refuse(frame, wrong, problem):
    if wrong.any():
        raise DataError(f"samples=: {problem}, id {first_few(frame['id'][wrong])}")


def observation_number(number: object) -> int:
    """The number of an observation.

    Raises:
        SignalError: it is not a whole number, or too large for the store.
    """
    try:
        found = operator.index(number)  # type: ignore[arg-type]
    except TypeError as error:
        raise SignalError(f"commit({number!r}): numbers only ({error})") from error
    if found > LARGEST_NUMBER:
        raise SignalError(f"observation {found}: numbers go from 1 to {LARGEST_NUMBER}")
    return found


def metrics(given: Mapping[str, object] | None) -> dict[str, float]:
    """{name: value} as the store takes it.

    Raises:
        SignalError: a name that MLflow refuses or that is ours, or a value that is no number.
    """
    found = {}
    for name, value in (given or {}).items():
        if not isinstance(name, str):
            raise SignalError(f"metric {name!r}: a name is a string")
        if name == schema.COMMIT_METRIC:
            raise SignalError(f"metric {name!r} is Data Map's own; choose another name")
        problem = metric_name_problem(name)
        if problem:
            raise SignalError(f"metric {name!r}: {problem}")
        try:
            found[name] = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError) as error:
            raise SignalError(f"metric {name!r}: {value!r}: numbers only ({error})") from error
    return found
