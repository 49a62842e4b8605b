"""The join by id, against a dictionary."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamap.signals import align

KEYS = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9)


@given(st.lists(KEYS, unique=True), st.lists(KEYS, unique=True), st.booleans(), st.booleans())
def test_rows_are_those_of_a_dictionary(wanted, ids, text, chunked):
    places = {str(key): row for row, key in enumerate(ids)}
    given_ids = [str(key) for key in ids] if text else ids
    if chunked and ids:
        given_ids = pa.chunked_array([pa.array([key]) for key in given_ids])
    found = align.rows(wanted, given_ids)
    assert found.tolist() == [places.get(str(key), -1) for key in wanted]
    assert align.missing(wanted, found) == [key for key in wanted if str(key) not in places]


@pytest.mark.parametrize("ids", [["007", "7"], np.array(["007", "7"], object), pd.Series(["007", "7"])])
def test_numbers_are_the_text_that_they_are_written_as(ids):
    assert align.rows([7], ids).tolist() == [1]
    assert align.rows(ids, pd.Series([7])).tolist() == [-1, 0]


@pytest.mark.parametrize("collide", [False, True])
def test_rows_of_many_ids_are_found_by_hashes(monkeypatch, collide):
    known, wanted = [f"s{n}:{n % 7}" for n in range(50)] + ["s3:3"], ["s3:3", "x", "s49:0", "s0:0", "s7"] * 3
    expected = align.rows(wanted, known)
    if collide:
        monkeypatch.setattr(
            align, "hashes", lambda ids: np.array([len(i) % 2 for i in ids.to_pylist()], np.uint64)
        )
    monkeypatch.setattr(align, "MANY", 1)
    monkeypatch.setattr(align, "BLOCK", 4)
    assert align.rows(wanted, known).tolist() == expected.tolist()
    assert expected.tolist()[:4] == [3, -1, 49, 0]


def test_many_ids_are_hashed_once_whatever_is_looked_up_among_them(monkeypatch):
    known, hashed = pa.array([f"s{n}" for n in range(50)]), []
    hashes = align.hashes
    monkeypatch.setattr(align, "MANY", 1)
    monkeypatch.setattr(align, "hashes", lambda ids: hashed.append(len(ids)) or hashes(ids))
    index = align.Index(known)
    for number in range(3):
        assert index.rows([f"s{number}", "x"]).tolist() == [number, -1]
    assert hashed == [50, 2, 2, 2]
