"""Check tables of signals against the contract: columns of `schema.SIGNAL_COLUMNS`, their types and ranges."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamap import schema
from datamap.errors import SignalError, first_few, raised_as

INDICES = ("label", "pred_label", "noisy_label")
MAX_SHOWN = 20  # names of columns in a message
TOLERANCE = 1e-4  # by which a recorded label_probs may differ from probs[label]
NO_DISTRIBUTION = "probs are negative or do not sum to 1"

Problem = tuple[np.ndarray, str]


def is_used(key: str, kind: pa.DataType) -> bool:
    """Tell whether the summary uses a key: one of `schema.USED_SIGNALS`, or a numeric one outside the contract."""
    return key in schema.USED_SIGNALS or (_is_number(kind) and key not in schema.SIGNAL_COLUMNS)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


def typed(table: pa.Table, name: str) -> pa.Table:
    """Return a shard's records, checked and in the contract's types.

    `id` becomes int64 or string, class indices int64, `correct` bool and `label_probs` float64. `correct` may also be
    the words "true" and "false", as the original tutorial writes them.

    Args:
        table: the content of a file.
        name: the file's name in messages.

    Raises:
        SignalError: a required column is missing or empty, or a value is invalid.
    """
    names = table.column_names
    missing = [key for key in schema.REQUIRED_SIGNALS if key not in names]
    if missing:
        raise SignalError(f"{name} lacks key {first_few(missing)} (keys: {first_few(names, MAX_SHOWN)})")
    odd = [key for key in names if not schema.is_column_name(key) or names.count(key) > 1]
    if odd:
        raise SignalError(f"{name}: key {odd[0]!r} occurs twice, or is not a valid column name")
    if not table.num_rows:
        raise SignalError(f"{name} is damaged: it has no records")
    refuse_missing(table, name)
    table = pa.table({key: _column(table[key], key, name) for key in names})
    refuse_values(table, name)
    return table


def refuse_missing(table: pa.Table, name: str) -> None:
    """Raise SignalError if a column of the contract lacks values; further signals may lack them."""
    for key in set(table.column_names) & set(schema.SIGNAL_COLUMNS):
        missing = table[key].null_count
        if missing:
            raise SignalError(f"{name}: {key} is missing in {missing} of {table.num_rows} records")


def _column(column: pa.ChunkedArray, key: str, name: str) -> pa.ChunkedArray:
    """Convert a column to the type of its key."""
    kind = column.type
    number, text = _is_number(kind) and not pa.types.is_boolean(kind), _is_text(kind)
    wanted = None
    if key == "id" and text:
        wanted = pa.string()
    elif key in (*INDICES, "id"):
        wanted = pa.int64() if pa.types.is_integer(kind) else None
    elif key == "correct":
        column = _truth(column, name) if text else column
        wanted = pa.bool_() if text or pa.types.is_boolean(kind) else None
    elif key == "probs":
        wanted = _lists_of_floats(kind)
    elif key in schema.SIGNAL_COLUMNS:
        wanted = (pa.float64() if key == "label_probs" else kind) if number else None
    else:
        wanted = pa.float64() if pa.types.is_boolean(kind) else kind
    if wanted is None:
        raise SignalError(f"{name}: {key} is of type {kind} ({schema.SIGNAL_COLUMNS[key]})")
    with raised_as(SignalError, f"{name}: {key}", pa.ArrowException):
        return column.cast(wanted)


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _lists_of_floats(kind: pa.DataType) -> pa.DataType | None:
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not lists or not _is_number(kind.value_type) or pa.types.is_boolean(kind.value_type):
        return None
    return pa.list_(kind.value_type if kind.value_type in (pa.float32(), pa.float64()) else pa.float64())


def _truth(words: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    words = pc.utf8_lower(words.cast(pa.string()))
    if not pc.all(pc.is_in(words, value_set=pa.array(["true", "false"]))).as_py():
        raise SignalError(f"{name}: correct is not true or false")
    return pc.equal(words, "true")


def refuse_values(table: pa.Table, name: str) -> None:
    """Refuse values that the recorder would not accept.

    Args:
        table: a table whose columns have the contract's types (`typed`).
        name: the table's name in messages.

    Raises:
        SignalError: a value is invalid, or two contradict each other; its `row` is the first such row.
    """

    def refuse(wrong: np.ndarray, problem: str) -> None:
        if wrong.any():
            ids = table["id"].filter(pa.array(wrong)).to_pylist()
            raise SignalError(f"{name}: {problem}, id {first_few(ids)}", row=int(wrong.argmax()))

    columns = {key: table[key].to_numpy() for key in table.column_names if key not in ("id", "probs")}
    for key in {"label", "pred_label"} & set(columns):
        refuse((columns[key] < 0) | (columns[key] >= schema.MAX_CLASSES), f"{key} is not a class index")
    refuse(~_between(columns["label_probs"], 0, 1), "label_probs is not in [0, 1]")
    for key, values in columns.items():
        if values.dtype.kind == "f":  # a further signal may be NaN, but not infinite
            known = np.isfinite(values) if key in schema.SIGNAL_COLUMNS else ~np.isinf(values)
            refuse(~known, f"{key} is not finite")
    if "loss" in columns:
        refuse(columns["loss"] < -TOLERANCE, "loss is negative")
    if "noisy_label" in columns:
        refuse(~np.isin(columns["noisy_label"], list(schema.KINDS)), "noisy_label is not 0, 1 or 2")
    if "pred_label" in columns:
        right = columns["pred_label"] == columns["label"]
        refuse(right != columns["correct"], "correct contradicts pred_label and label")
    if "probs" in table.column_names:
        for wrong, problem in _problems_of_probs(table["probs"], columns):
            refuse(wrong, problem)


def _between(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return (values >= low) & (values <= high)  # False for NaN


def _problems_of_probs(column: pa.ChunkedArray, columns: dict[str, np.ndarray]) -> Iterator[Problem]:
    """Yield (bool array of wrong records, problem) for the probabilities; a check may rely on those before."""
    widths = pc.list_value_length(column).to_numpy()
    width = int(widths[0])
    numbers = pc.list_flatten(column)
    allowed = 2 <= width <= schema.MAX_CLASSES
    yield (
        np.full(len(widths), not allowed),
        f"probs has {width} instead of 2 to {schema.MAX_CLASSES:,} numbers",
    )
    yield widths != width, f"probs has a number of classes other than {width}"
    probs = numbers.to_numpy(zero_copy_only=False).reshape(-1, width)
    yield ~np.isfinite(probs).all(axis=1), "probs has numbers that are missing or not finite"
    sums = probs.sum(axis=1)
    yield (
        (probs < 0).any(axis=1) | ~_between(sums, 1 - schema.SUM_TOLERANCE, 1 + schema.SUM_TOLERANCE),
        NO_DISTRIBUTION,
    )
    labels, rows = columns["label"], np.arange(len(probs))
    yield labels >= width, f"label is not in 0..{width - 1}"
    given = probs[rows, labels]
    yield abs(given - columns["label_probs"]) > TOLERANCE, "label_probs is not probs[label]"
    others = probs.copy()
    others[rows, labels] = -np.inf
    ahead = given - others.max(axis=1)
    # Of two nearly equal probabilities, either may have been larger before rounding.
    yield np.where(columns["correct"], -ahead, ahead) > TOLERANCE, "correct does not agree with probs"
