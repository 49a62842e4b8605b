"""Values of all kinds that people, or their mistakes, may give to a function, and what must come of it."""

import collections
import datetime
import decimal
import enum
import fractions
import itertools
import pathlib
import uuid

import ml_dtypes
import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import strategies as st

from datamap.errors import DataMapError


class Strange:
    """An object all of whose protocols raise."""

    def __repr__(self):
        return "strange\n" * 100

    def __iter__(self):
        raise OSError("iter")

    def __array__(self, *_, **__):
        raise RuntimeError("array\n" * 100)

    def __len__(self):
        raise TypeError("len")

    __float__ = __index__ = __len__


class Level(enum.Enum):
    LOW, HIGH = 0, 1


class Many(enum.IntEnum):
    B, A = 1, 0


def lost():
    yield "a"
    raise OSError("lost")


MADE = [
    # Called anew for each example: an iterator is used up.
    lambda: Strange(), lambda: [Strange()], lambda: object, lambda: print, lambda: Level, lambda: Many,
    lambda: Level.LOW,
    lambda: [Level.LOW, Level.HIGH], lambda: lost(), lambda: iter("ab"), lambda: (n for n in range(2)),
    lambda: itertools.count(), lambda: {"a", "b"}, lambda: frozenset([1, 2]), lambda: {"a": 1},
    lambda: {0: "a", 1: "b"},
    lambda: {1: 2}.keys(), lambda: {1: 2, 3: 4}.values(), lambda: range(2), lambda: collections.deque("ab"),
    lambda: b"bytes", lambda: bytearray(2), lambda: memoryview(b"ab"), lambda: complex(1, 2), lambda: ...,
    lambda: decimal.Decimal("1.5"), lambda: fractions.Fraction(1, 2), lambda: datetime.date(2024, 1, 2),
    lambda: uuid.UUID(int=1), lambda: pathlib.Path("a"), lambda: pd.NA, lambda: pd.NaT, lambda: "\ud800",
    lambda: ["\ud800", "a"], lambda: "x" * 5000, lambda: ["x" * 5000, "y\nz"], lambda: 10**5000,
    lambda: [10**400, 1],
    lambda: [1, "x"], lambda: [("f", 1), ("f", 2)], lambda: [[1], [2, 3]], lambda: [None, 1], lambda: [],
    lambda: np.array(["a", 1], object), lambda: np.array([1, 2], object), lambda: np.zeros((2, 2, 2)),
    lambda: np.array(3),
    lambda: np.ma.masked_array([1, 2], [0, 1]), lambda: np.array([[0.5, 0.5]] * 2, ml_dtypes.bfloat16),
    lambda: np.array([1, 2], "M8[s]"), lambda: np.zeros(2, [("a", int)]), lambda: np.float32(0.5), lambda: np.int64(2),
    lambda: pd.Series([1, None], dtype="Int64"), lambda: pd.Series(["a", "b"], dtype="category"),
    lambda: pd.Categorical.from_codes([0, 1], [3, 4]), lambda: pd.Series([0, 1], dtype="int64[pyarrow]"),
    lambda: pd.DataFrame({"id": [0, 1], "text_a": ["x", "y"]}), lambda: pd.DataFrame(), lambda: pa.array([1, 2]),
    lambda: pd.DataFrame([[1, 2], [3, 4]], columns=["id", "id"]),
    lambda: pa.table({"id": [0, 1], "text_a": ["x", "y"]}),
    lambda: pd.DataFrame([[0.5, 0.5]] * 2).astype("Float32"), lambda: pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]),
    lambda: pd.date_range("2024", "2025", 2), lambda: pd.DataFrame({"id": [0, 1], "text_a": [["a"], {"b": 1}]}),
]  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-2, 3),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=3),
)
ANYTHING = st.one_of(
    st.sampled_from(MADE).map(lambda make: make()), SCALARS, st.lists(SCALARS, max_size=3),
    st.lists(st.lists(SCALARS, min_size=2, max_size=2), min_size=2, max_size=2),
    st.dictionaries(SCALARS, SCALARS, max_size=2),
)  # fmt: skip


def taken(function, *arguments, **keywords):
    """Return (whether the arguments were taken, the result); a refusal is one short line."""
    try:
        return True, function(*arguments, **keywords)
    except DataMapError as error:
        message = str(error)
        message.encode()
        assert "\n" not in message and len(message) <= 320, message
        return False, None
