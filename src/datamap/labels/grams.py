"""Count n-grams of characters with arrays, several times faster than text by text as scikit-learn does it."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

CHARS_AT_ONCE = 1_000_000  # characters of texts whose n-grams are in memory at a time
BITS = 16  # of a character in an n-gram's number; the few characters that have more share a number with another one
SPACES = re.compile(r"\s\s+")


def numbered(pieces: list[str], lengths: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return (index of the piece, number of the n-gram) of all n-grams within pieces of text, two uint64 arrays.

    The number is made of the characters' codes, `BITS` of each, so that an n-gram has at most 4 characters.

    >>> [found.tolist() for found in numbered(["ab", "a"], [1, 2])]
    [[0, 0, 1, 0], [97, 98, 97, 6357090]]
    """
    codes = np.frombuffer("".join(pieces).encode("utf-32-le", "surrogatepass"), np.uint32)
    digits = (codes & (2**BITS - 1)).astype(np.uint64)
    index = np.repeat(
        np.arange(len(pieces), dtype=np.uint64), np.fromiter(map(len, pieces), np.int64, len(pieces))
    )
    rows, numbers = [], []
    for length in lengths:
        count = max(0, len(digits) - length + 1)
        whole = index[:count] == index[length - 1 :][:count]
        number = np.zeros(count, np.uint64)
        for place in range(length):
            number = number << np.uint64(BITS) | digits[place : place + count]
        rows.append(index[:count][whole])
        numbers.append(number[whole])
    return np.concatenate(rows), np.concatenate(numbers)


class CharGrams:
    """Turn texts into TF-IDF values of their n-grams of characters, as scikit-learn's TfidfVectorizer does.

    An n-gram that occurs t times counts as 1 + ln t: in a text of several hundred words the most common n-grams, which
    every text has, would else be nearly all of it.

    Args:
        lengths: lengths of the n-grams, 1 to 4.
        within_words: take them from each word and the spaces around it ("char_wb"), else from the whole text ("char").
        min_texts: the number of texts that an n-gram must be in; 1 where no n-gram is in as many.
        max_grams: the largest number of n-grams to keep; the most frequent ones win.
    """

    def __init__(self, lengths: range, within_words: bool, min_texts: int, max_grams: int) -> None:
        from sklearn.feature_extraction.text import TfidfTransformer

        self.lengths, self.within_words, self.min_texts = lengths, within_words, min_texts
        self.max_grams = max_grams
        self._weights = TfidfTransformer(sublinear_tf=True)

    def fit_transform(self, texts: list[str]) -> Any:
        """Choose the n-grams of some texts, at least one, weigh them by how rare they are, and transform the texts."""
        import pandas as pd

        parts = [_frequencies(rows, numbers) for _, rows, numbers in self._blocks(texts)]
        numbers, times, texts_with = (np.concatenate(values) for values in zip(*parts, strict=True))
        numbers, inverse = np.unique(numbers, return_inverse=True)
        times, texts_with = np.bincount(inverse, times), np.bincount(inverse, texts_with)
        kept = np.flatnonzero(texts_with >= min(self.min_texts, texts_with.max()))
        kept = kept[np.argsort(-times[kept], kind="stable")[: self.max_grams]]
        self._places = pd.Index(numbers[np.sort(kept)])
        counts = self._counts(texts)
        return self._weights.fit(counts).transform(counts, copy=False)

    def transform(self, texts: list[str]) -> Any:
        """Return a sparse float32 matrix (N, n-grams); its rows have length 1, or 0 for a text without any of them."""
        return self._weights.transform(self._counts(texts), copy=False)

    def _counts(self, texts):
        """Return how often each text has each of the n-grams, a sparse float32 matrix."""
        from scipy import sparse

        parts = []
        for count, rows, numbers in self._blocks(texts):
            places = self._places.get_indexer(numbers)
            known = places >= 0
            ones = np.ones(known.sum(), np.float32)
            where = (rows[known].astype(np.int32), places[known].astype(np.int32))
            parts.append(sparse.coo_matrix((ones, where), (count, len(self._places))).tocsr())
        return sparse.vstack(parts, "csr")

    def _blocks(self, texts: list[str]) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yield (number of texts, rows among them, numbers of n-grams), some texts after the other."""
        ends = np.cumsum([len(text) for text in texts]) // CHARS_AT_ONCE
        for some in np.split(np.arange(len(texts)), np.flatnonzero(np.diff(ends)) + 1):
            texts_here = [texts[row].lower() for row in some]
            if not self.within_words:
                pieces, owners = [SPACES.sub(" ", text) for text in texts_here], np.arange(len(some))
            else:
                words = [text.split() for text in texts_here]
                pieces = [f" {word} " for found in words for word in found]
                owners = np.repeat(np.arange(len(some)), [len(found) for found in words])
            index, numbers = numbered(pieces, self.lengths)
            yield len(some), owners[index.astype(np.int64)], numbers


def _frequencies(rows, numbers):
    """Return (n-grams, how often each occurs, in how many rows), ascending."""
    order = np.lexsort((rows, numbers))
    rows, numbers = rows[order], numbers[order]
    new = np.diff(numbers, prepend=numbers[:1] + np.uint64(1)) != 0
    new_row = new | (np.diff(rows, prepend=-1) != 0)
    starts = np.flatnonzero(new)
    times = np.diff(np.append(starts, len(numbers)))
    return numbers[starts], times, np.diff(np.append(0, np.cumsum(new_row))[np.append(starts, len(numbers))])


def heaviest(grams: Any, count: int) -> Any:
    """Return a sparse matrix (CSR) with the `count` largest values of each row, in their order.

    Long texts share thousands of common n-grams, which would take most of the time and carry the least information.
    """
    lengths = np.diff(grams.indptr)
    if lengths.max(initial=0) <= count:
        return grams
    order = np.lexsort((-grams.data, np.repeat(np.arange(len(lengths)), lengths)))
    places = np.arange(grams.nnz) - np.repeat(grams.indptr[:-1], lengths)  # in the order of each row
    kept = np.sort(order[places < count])
    ends = np.append(0, np.cumsum(np.minimum(lengths, count)))
    return type(grams)((grams.data[kept], grams.indices[kept], ends), grams.shape)
