"""Check what people give a `SignalRecorder` besides signals, and refuse what later commands could not use."""

import enum
import itertools
import numbers
import operator
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np
import pandas as pd

from datamap import schema
from datamap.documents import RecordedTask
from datamap.errors import ConfigError, DataError, SignalError, first_few, shortened
from datamap.log import say
from datamap.signals.arrays import bounded
from datamap.tasks.definitions import DEFINITIONS
from datamap.tracking.failures import metric_name_problem

SAMPLES = "samples="  # how messages call the samples that a recorder is given
SAMPLE_COLUMNS = ("id", "text_a", "text_b", "label", "s_label")
MAX_NUMBER = 2**53  # of an observation; a browser holds it exactly, too


def choice(name: str, value: str, choices: Iterable[str]) -> str:
    """Return the value of the argument `name`, which must be one of the choices.

    Raises:
        ConfigError: the value is not among the choices.
    """
    if not isinstance(value, str) or value not in choices:
        raise ConfigError(f"{name}={shortened(value)}: choose one of {first_few(choices)}")
    return value


def recorded_task(task: object, correct_above: object, class_names: Any) -> RecordedTask:
    """Check the arguments that say what is recorded, and return them as the run holds them.

    Raises:
        ConfigError: there is no such task, or an argument that it does not use.
    """
    given = task.value if isinstance(task, schema.Task) else task
    found = schema.Task(choice("task", given, [known.value for known in schema.Task]))  # type: ignore[arg-type]
    definition = DEFINITIONS[found]
    border = checked_number("correct_above", correct_above, 0, 0.999)
    if border != RecordedTask().correct_above and found is not schema.Task.GENERATION:
        raise ConfigError(f"correct_above= is for task='generation'; task={found.value!r} does not use it")
    if class_names is not None and not definition.has_classes:
        raise ConfigError(f"class_names=: task={found.value!r} has no classes; leave it out")
    named = checked_names(class_names) if definition.states else None
    return RecordedTask(found, definition.correct, border, dict(definition.signals), list(named or ()))


def new_run(run_id: object, run_name: object, tags: object) -> dict[str, str]:
    """Check the id, the name and the tags of a run, and return the tags as texts.

    Raises:
        ConfigError: an id or a name is not a text, or the tags are not {text: text or number}.
    """
    for name, value in (("run_id", run_id), ("run_name", run_name)):
        if value is not None and not (isinstance(value, str) and value.strip() and _is_unicode(value)):
            raise ConfigError(f"{name}={shortened(value)}: give a text, or leave it out")
    if not isinstance(tags, Mapping | None):
        raise ConfigError(f"tags={shortened(tags)}: give {{name: text}}")
    found = {name: _text(value) for name, value in (tags or {}).items()}
    for name, text in found.items():
        if not isinstance(name, str) or text is None or not _is_unicode(name + text):
            raise ConfigError(f"tags={shortened(tags)}: give {{name: text}}")
    return found


def checked_names(names: Iterable[object] | type[enum.Enum] | None) -> tuple[str, ...] | None:
    """Return class names by index, as text: 1, 1.0 and "1" are the same name, and an Enum gives its members' names.

    Raises:
        ConfigError: the names have no order or are too many, or one is empty or occurs twice.
    """
    if names is None:
        return None
    if isinstance(names, str | bytes | Mapping | Set) or not isinstance(names, Iterable):
        raise ConfigError(f"class_names={shortened(names)}: give a list of names, by class index")
    try:
        given = list(itertools.islice(names, schema.MAX_CLASSES + 1))
    except Exception as error:  # the user's own iterator may raise anything
        raise ConfigError(f"class_names=: not a list of names: {shortened(error)}") from error
    if len(given) > schema.MAX_CLASSES:
        raise ConfigError(f"class_names=: more than {schema.MAX_CLASSES:,} names, and a run holds no more")
    if isinstance(names, enum.EnumMeta):
        given = _by_index(given)
    found: dict[str, None] = {}
    for name in map(_name, given):
        if name in found:
            raise ConfigError(f"class_names=: {shortened(name)} occurs twice")
        found[name] = None
    return tuple(found)


def _by_index(members):
    """Return an Enum's members by value if the values are the class indices, else in their order of definition."""
    by_value = {member.value: member for member in members if type(member.value) is int}
    return (
        [by_value[index] for index in range(len(members))]
        if set(by_value) == set(range(len(members)))
        else members
    )


def _name(given):
    name = given.name if isinstance(given, enum.Enum) else _text(given)
    if name is None:
        raise ConfigError(f"class_names=: {shortened(given)} is not a name; give a text or a number")
    if not name.strip():
        raise ConfigError("class_names=: a name is empty")
    if not _is_unicode(name):
        raise ConfigError(f"class_names=: {shortened(name)} is not valid Unicode")
    return name


def _text(value):
    """Return a text or a number as text, whole numbers without a decimal point; None for anything else."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 2**63 else None
    if not isinstance(value, float | np.number | np.bool_) or not np.isfinite(value):
        return None
    return str(int(value)) if isinstance(value, float | np.floating) and value == int(value) else str(value)


def _is_unicode(text):
    """Tell whether a text can be written as UTF-8, which half of a surrogate pair cannot."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def sample_table(samples: Any, names: Sequence[str] | None) -> pd.DataFrame:
    """Return the columns of a user's table of texts that are logged, with the labels as they were given.

    Args:
        samples: DataFrame, or what `pandas.DataFrame` accepts.
        names: class names by index; None = unknown.

    Raises:
        DataError: later commands could not use a column, id, text, label or planted kind.
        ConfigError: the labels are names, and `class_names=` is missing.
    """
    try:
        frame = frame_of(samples)
    except Exception as error:  # each library raises errors of its own
        raise DataError(
            f"samples=: not a table ({shortened(error)}); give a DataFrame with a column id"
        ) from error
    columns = list(frame.columns)
    if "id" not in columns:
        raise DataError(
            f"samples= has no column id (columns: {first_few(columns, 10)}); "
            "rename yours: samples.rename(columns={'index': 'id'}), or take the index: samples.reset_index(names='id')"
        )
    if "text_a" not in columns and not set(columns) <= set(SAMPLE_COLUMNS):
        say(
            f"note: samples= has no column text_a (columns: {first_few(columns, 10)}), so the run has no texts; "
            "if there are any, rename their column: samples.rename(columns={'text': 'text_a'})"
        )
    known = [name for name in SAMPLE_COLUMNS if name in columns]
    twice = [name for name in known if columns.count(name) > 1]
    if twice:
        raise DataError(f"samples= has two columns {twice[0]!r}; leave one out")
    return _checked_samples({name: frame[name].astype(object).tolist() for name in known}, names)


def frame_of(samples: Any) -> pd.DataFrame:
    """Return what pandas makes of a table.

    Raises:
        SignalError: an iterator of rows, or of a row's or a column's values, has too many for one that ends.
    """
    if hasattr(samples, "to_pandas"):
        return samples.to_pandas()
    if isinstance(samples, Mapping):
        return pd.DataFrame({name: bounded(column) for name, column in samples.items()})
    samples = bounded(samples)
    if isinstance(samples, list):
        samples = [row if isinstance(row, Mapping) else bounded(row) for row in samples]
    return pd.DataFrame(samples)


def _checked_samples(given, names, where=SAMPLES):
    """Return a table of these columns (lists of plain values), each of which is checked."""
    ids = _sample_ids(given["id"], where)
    frame = pd.DataFrame(
        {"id": pd.Series(ids, dtype=object if isinstance(ids[0], str) else np.int64) if ids else []}
    )
    for name in ("text_a", "text_b"):
        if name in given:
            frame[name] = pd.Series(_texts(ids, given[name], name), dtype=object)
    if "label" in given:
        frame["label"] = _labels(ids, given["label"], names)
    if "s_label" in given:
        kinds = [_scalar(value) for value in given["s_label"]]
        _refuse(ids, [kind not in schema.KINDS for kind in kinds], "s_label is 0, 1 or 2", where)
        frame["s_label"] = pd.Series(kinds, dtype=np.int64)
    return frame[[name for name in SAMPLE_COLUMNS if name in frame]]


def unlabeled_samples(given: Mapping[str, list], where: str = SAMPLES) -> pd.DataFrame:
    """Return a table of ids, texts and planted kinds, of which only the texts may be empty.

    Args:
        given: {column: values}.
        where: beginning of error messages.

    Raises:
        DataError: an id or a planted kind cannot be used.
    """
    texts = {name: pd.Series(given[name], dtype=object) for name in ("text_a", "text_b") if name in given}
    for name, column in texts.items():
        _refuse(
            given["id"], [not _is_unicode(text) for text in column], f"{name} is not valid Unicode", where
        )
    frame = _checked_samples({name: given[name] for name in ("id", "s_label") if name in given}, None, where)
    return frame.assign(**texts)[[name for name in SAMPLE_COLUMNS if name in frame or name in texts]]


def _sample_ids(given, where):
    """Return the ids, which must be all integers or all texts."""
    ids = [_scalar(value) for value in given]
    for row, value in enumerate(ids):
        if is_absent(given[row]):
            raise DataError(f"{where}: id is empty, row {row + 1}")
        if isinstance(value, float) and value.is_integer():
            ids[row] = value = int(value)
        good = _is_unicode(value) if isinstance(value, str) else type(value) is int and abs(value) < 2**63
        if not good:
            raise DataError(
                f"{where}: id {shortened(given[row])}, row {row + 1}, is neither a text nor a whole number below 2^63"
            )
    if len({type(value) for value in ids}) > 1:
        raise DataError(f"{where}: some ids are numbers, others strings; use one type")
    if len(set(ids)) < len(ids):
        raise DataError(f"{where}: id repeated: {first_few(i for i, n in Counter(ids).items() if n > 1)}")
    return ids


def _texts(ids, given, name):
    texts = ["" if is_absent(value) else _text(value) for value in given]
    _refuse(ids, [text is not None and not text.strip() for text in texts], f"{name} is empty")
    _refuse(ids, [text is None or not _is_unicode(text) for text in texts], f"{name} is not a text")
    return texts


def _labels(ids, given, names):
    """Return the labels as they were given, which must be all class indices, or all names in `names`."""
    values = [_scalar(value) for value in given]
    numbers = not any(isinstance(value, str) for value in values)
    if not numbers and names is None:
        raise ConfigError("samples= names its labels: give class_names=, by class index")
    for value, key, shown in zip(values, ids, given, strict=True):
        problem = _label_problem(value, numbers, names)
        if problem:
            what = "is empty" if is_absent(shown) else f"{shortened(value)} {problem}"
            raise DataError(f"samples=: label {what}, id {key}")
    return pd.Series(
        values if numbers else [_text(value) for value in values], dtype=np.int64 if numbers else object
    )


def _label_problem(value, numbers, names):
    """Return why a label names no class; None if it names one."""
    if not numbers:
        return None if _text(value) in names else "is not in class_names="
    whole = isinstance(value, int | float) and value >= 0 and value % 1 == 0
    if whole and value < (2**31 if names is None else len(names)):
        return None
    return "is not in class_names=" if names else "is not a class index"


def is_absent(value: object) -> bool:
    """Tell whether a cell of a table has no value."""
    return (
        value is None
        or value is pd.NA
        or value is pd.NaT
        or (isinstance(value, float | np.floating) and value != value)
    )


def _scalar(value):
    """Return a text or a number as Python's own type; None for anything else."""
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, str | int | float) else None


def label_indices(labels: pd.Series, names: Sequence[str] | None) -> np.ndarray:
    """Return the class index of each label of a `sample_table`: int64 (rows,)."""
    if labels.dtype == np.int64:
        return labels.to_numpy()
    index = {name: number for number, name in enumerate(names or ())}
    return np.array([index[_text(label)] for label in labels], np.int64)


def _refuse(ids, wrong, problem, where=SAMPLES):
    if any(wrong):
        raise DataError(f"{where}: {problem}, id {first_few(itertools.compress(ids, wrong))}")


def observation_number(number: object) -> int:
    """Return the number of an observation as an int.

    Raises:
        SignalError: it is not a whole number, or larger than a browser holds exactly (2⁵³).
    """
    try:
        found = operator.index(number)  # type: ignore[arg-type]
    except Exception as error:  # a tensor raises its framework's own
        raise SignalError(f"commit({shortened(number)}): give a whole number ({shortened(error)})") from error
    if found > MAX_NUMBER:
        raise SignalError(f"observation {shortened(found)}: numbers go from 1 to {MAX_NUMBER}")
    return found


def metrics(given: Mapping[str, object] | None) -> dict[str, float]:
    """Return the user's metrics as {name: float}.

    Raises:
        SignalError: MLflow refuses a name, Data Map uses it itself, or a value is not a number.
    """
    if given is not None and not isinstance(given, Mapping):
        raise SignalError(f"metrics={shortened(given)}: give {{name: value}}")
    found = {}
    for name, value in (given or {}).items():
        if not isinstance(name, str):
            raise SignalError(f"metric {shortened(name)}: a name is a string")
        if name == schema.COMMIT_METRIC:
            raise SignalError(f"metric {name!r} is Data Map's own; choose another name")
        problem = metric_name_problem(name)
        if problem:
            raise SignalError(f"metric {shortened(name)}: {shortened(problem, 160)}")
        try:
            found[name] = float(value)  # type: ignore[arg-type]
        except Exception as error:  # a tensor raises its framework's own
            raise SignalError(
                f"metric {name!r}: {shortened(value)}: numbers only ({shortened(error)})"
            ) from error
    return found


def checked_number(name: str, value: Any, low: float, high: float, whole: bool = False) -> float:
    """Return the value of the argument `name`, which must be a number, or a whole one, from `low` to `high`.

    Raises:
        ConfigError: the value is not a number, or out of range.
    """
    kind = numbers.Integral if whole else numbers.Real
    if isinstance(value, bool) or not isinstance(value, kind) or not low <= float(value) <= high:
        wanted = f"{'a whole number, ' * whole}{low:,} to {high:,}"
        raise ConfigError(f"{name}={shortened(value)} is out of range: it must be {wanted}")
    return float(value)
