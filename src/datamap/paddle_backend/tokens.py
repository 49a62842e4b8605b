"""Hold encoded texts in flat arrays, and cut batches from them without a loop over samples."""

from array import array
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

POOL_BATCHES = 50  # batches that are sorted by length together: enough to keep padding small


class Words(NamedTuple):
    """Hold where words that have a tag begin: `positions` (int32, words) in their samples, `counts` (int64, samples).

    `starts` (int64, samples) is the place of each sample's first word among all words.
    """

    positions: np.ndarray
    counts: np.ndarray
    starts: np.ndarray

    @classmethod
    def from_counts(cls, positions: np.ndarray, counts: np.ndarray) -> "Words":
        """Create `Words` from their positions and the number of words of each sample."""
        return cls(positions, counts, np.cumsum(counts) - counts)

    def places(self, rows: np.ndarray) -> np.ndarray:
        """Return the places of the words of some samples among all words, one sample after the other."""
        return _ranges(self.starts[rows], self.counts[rows])


class Tokens(NamedTuple):
    """Hold token ids and segment ids of all samples, one sample after the other.

    `ids` (int32) and `segments` (int8) have shape (tokens,), `lengths` and `starts` (int64) have shape (samples,).
    `words` is there where words of a sample are decided on, rather than the sample.
    """

    ids: np.ndarray
    segments: np.ndarray
    lengths: np.ndarray
    starts: np.ndarray
    words: Words | None = None

    @classmethod
    def from_lists(cls, encoded: Iterable[tuple[list[int], list[int]]]) -> "Tokens":
        """Create `Tokens` from (token ids, segment ids) of each sample."""
        ids, segments, lengths = array("i"), array("b"), array("q")
        for of_ids, of_segments in encoded:
            ids.fromlist(of_ids)
            segments.fromlist(of_segments)
            lengths.append(len(of_ids))
        counts = np.array(lengths, np.int64)
        return cls(np.array(ids, np.int32), np.array(segments, np.int8), counts, np.cumsum(counts) - counts)

    def __len__(self) -> int:
        return len(self.lengths)

    def take(self, rows: np.ndarray) -> "Tokens":
        """Return the `Tokens` of some rows, in that order."""
        lengths = self.lengths[rows]
        sources = _ranges(self.starts[rows], lengths)
        words = self.words and Words.from_counts(
            self.words.positions[self.words.places(rows)], self.words.counts[rows]
        )
        starts = np.cumsum(lengths) - lengths
        return Tokens(self.ids[sources], self.segments[sources], lengths, starts, words)

    def decisions(self, rows: np.ndarray) -> np.ndarray:
        """Return the decisions on some samples among all decisions: the samples, or their words."""
        return self.words.places(rows) if self.words else rows

    def first_pieces(self, rows: np.ndarray) -> np.ndarray:
        """Return the places of the words of some samples in the batch that `batch` makes of them, laid out flat."""
        assert self.words
        width = int(self.lengths[rows].max())
        return np.repeat(np.arange(len(rows)) * width, self.words.counts[rows]) + self.words.positions[
            self.words.places(rows)
        ].astype(np.int64)

    def batch(self, rows: np.ndarray, pad: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (ids, segments) of some rows, int64 (rows, tokens of the longest), padded with `pad` and 0."""
        columns = np.arange(self.lengths[rows].max())
        inside = columns < self.lengths[rows, None]
        sources = np.where(inside, self.starts[rows, None] + columns, 0)
        ids, segments = np.where(inside, self.ids[sources], pad), np.where(inside, self.segments[sources], 0)
        return ids.astype(np.int64), segments.astype(np.int64)

    def shuffled_batches(self, size: int, seed: list[int]) -> list[np.ndarray]:
        """Return random batches of samples of similar length, as int arrays that hold each row once."""
        generator = np.random.default_rng(seed)
        order = generator.permutation(len(self))
        pools = [order[i : i + size * POOL_BATCHES] for i in range(0, len(order), size * POOL_BATCHES)]
        pools = [pool[np.argsort(self.lengths[pool], kind="stable")] for pool in pools]
        batches = [pool[i : i + size] for pool in pools for i in range(0, len(pool), size)]
        return [batches[i] for i in generator.permutation(len(batches))]

    def sorted_batches(self, rows: np.ndarray, size: int) -> list[np.ndarray]:
        """Return batches of some rows, the shortest first, which need the least padding."""
        order = rows[np.argsort(self.lengths[rows], kind="stable")]
        return [order[i : i + size] for i in range(0, len(order), size)]


def _ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return start, start + 1, … of each range, one range after the other."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(lengths.sum())
