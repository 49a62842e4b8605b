"""Batches cut from flat arrays."""

import numpy as np
import pytest

from datamap.paddle_backend.tokens import Tokens


@pytest.fixture
def tokens():
    lengths = np.random.default_rng(0).integers(1, 60, 1000)
    return Tokens.from_lists(
        [(list(range(length)), [row % 2] * length) for row, length in enumerate(lengths)]
    )


def test_batches_hold_every_row_once_and_are_of_similar_length(tokens):
    batches = tokens.shuffled_batches(32, [1, 1])
    assert sorted(np.concatenate(batches)) == list(range(1000))
    assert np.mean([np.ptp(tokens.lengths[batch]) for batch in batches]) < 6
    others = tokens.shuffled_batches(32, [1, 2])
    assert [b.tolist() for b in batches] != [b.tolist() for b in others]


def test_rows_are_taken_as_they_are(tokens):
    rows = np.array([7, 3, 999, 0, 7])
    taken = tokens.take(rows)
    for mine, theirs in zip(taken.batch(np.arange(5), 9), tokens.batch(rows, 9), strict=True):
        assert np.array_equal(mine, theirs)


def test_evaluation_goes_from_short_to_long(tokens):
    batches = tokens.sorted_batches(np.arange(1000), 64)
    assert sorted(np.concatenate(batches)) == list(range(1000))
    assert (np.diff(tokens.lengths[np.concatenate(batches)]) >= 0).all()


def test_a_batch_is_padded_to_its_longest(tokens):
    rows = np.array([7, 3, 500])
    ids, segments = tokens.batch(rows, pad=-1)
    width = max(tokens.lengths[rows])
    assert ids.shape == segments.shape == (3, width)
    for place, row in enumerate(rows):
        length = tokens.lengths[row]
        assert ids[place].tolist() == [*range(length), *[-1] * (width - length)]
        assert segments[place].tolist() == [row % 2] * length + [0] * (width - length)
