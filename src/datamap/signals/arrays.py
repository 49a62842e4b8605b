"""Convert lists, tensors and columns of any library to NumPy arrays."""

import itertools
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from datamap.errors import SignalError, first_few, shortened

NUMBERS = "iubf"  # NumPy's kinds of integers, booleans and floats
MAX_ITERATED = 1_000_000  # values of an iterator, which may have no end


def as_array(values: Any, name: str = "values") -> np.ndarray:
    """Return the NumPy array of lists, iterators, arrays, tensors or columns of pandas, Polars and Arrow.

    Tensors of PyTorch and Paddle may have a gradient and be on any device; neither framework is imported. Floats of
    less than 32 bits become float32, which holds each of them exactly (Paddle's `numpy()` would give the bits of a
    bfloat16 as a uint16). Object arrays that hold only numbers become numeric, as columns of pandas that allow NA do.

    Args:
        values: one entry per sample.
        name: name of the argument, for messages.

    Raises:
        SignalError: it is not one value per sample, or values are masked, of mixed types or unreadable.

    >>> as_array([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    _refuse_no_rows(values, name)
    try:
        array = _converted(values)
    except MemoryError:
        raise
    except SignalError as error:
        raise SignalError(f"{name}: {error}") from None
    except Exception as error:  # each framework raises its own
        if "inhomogeneous shape" in str(error):
            raise SignalError(f"{name}: its rows have different lengths; give rows of one length") from error
        raise SignalError(
            f"{name}: a {type(values).__name__} is not an array: {shortened(error, 120)}"
        ) from error
    if array.ndim == 0:
        raise SignalError(f"{name}: {shortened(values)} is not a list or an array; give one entry per sample")
    if array.dtype.kind == "U":
        _refuse_mixed(values, name)
    return array


def refuse_other_than_numbers(array: np.ndarray, name: str, where: str) -> None:
    """Raise SignalError if an array has texts, None or objects.

    Args:
        array: what `as_array` returned.
        name: name of the argument, for messages.
        where: beginning of error messages.
    """
    if array.dtype.kind not in NUMBERS:
        raise SignalError(f"{where}: {name} must be numbers, not {first_few(array.ravel().tolist(), 2)}")


def _refuse_no_rows(values, name):
    """Refuse what has no order, and single values."""
    if isinstance(values, Set):
        raise SignalError(f"{name}: a {type(values).__name__} has no order; give a list or an array")
    if isinstance(values, Mapping) and not hasattr(values, "__array__"):
        hint = f"give its .{name}" if hasattr(values, name) else "give a list or an array"
        raise SignalError(f"{name}: a {type(values).__name__} is not an array; {hint}")
    if values is None or isinstance(values, str | bytes):
        raise SignalError(f"{name}: {shortened(values)} is not a list or an array; give one entry per sample")


def _converted(values):
    if isinstance(values, np.ma.MaskedArray):
        if np.ma.is_masked(values):
            raise SignalError("masked entries have no value; leave their rows out")
        return _plain(np.asarray(values.data))
    if _is_tensor(values):
        values = values.detach().cpu()
        return (values.float() if str(values.dtype).endswith("float16") else values).numpy()
    values = bounded(values)
    if isinstance(values, list | tuple) and values and _is_tensor(values[0]):
        values = [_converted(value) for value in values]
    return _plain(np.asarray(values))


def bounded(values: Any) -> Any:
    """Return the values of an iterator, which may have no end, as a list, and anything else as it is.

    Raises:
        SignalError: the iterator has more than `MAX_ITERATED` values.
    """
    if isinstance(values, Sequence | Set | Mapping) or not isinstance(values, Iterable):
        return values
    if hasattr(values, "__array__"):
        return values
    found = list(itertools.islice(values, MAX_ITERATED + 1))
    if len(found) > MAX_ITERATED:
        raise SignalError(f"more than {MAX_ITERATED:,} values of an iterator; give a list or an array")
    return found


def _is_tensor(value):
    packages = {base.__module__.partition(".")[0] for base in type(value).__mro__}
    return bool(packages & {"torch", "paddle"}) and hasattr(value, "detach")


def _plain(array):
    """Return objects that are all numbers, or rows of them, as numbers, and short floats as float32."""
    if array.dtype.kind == "O":
        narrow = np.array(array.tolist())
        return narrow if narrow.dtype.kind in NUMBERS and narrow.shape[: array.ndim] == array.shape else array
    short = array.dtype == np.float16 or array.dtype.isbuiltin == 2  # 2: of another package, such as bfloat16
    return array.astype(np.float32) if short else array


def _refuse_mixed(values, name):
    """Refuse numbers among strings, which NumPy would silently turn into strings."""
    if isinstance(values, list | tuple) and any(
        isinstance(value, int | float | np.number) for value in values
    ):
        raise SignalError(f"{name}: some values are numbers, others strings; give one type")
