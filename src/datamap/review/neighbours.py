"""The samples whose texts are most similar to a sample's, by TF-IDF of n-grams of characters (hashed)."""

from typing import Any

import numpy as np
import pyarrow as pa

WANTED = 8
LENGTHS = (2, 3)
FEATURES = 1 << 20
LONGEST = 1000  # characters of a text that are looked at
KEPT = 32  # n-grams of a sample, those that tell most
BLOCK = 5_000  # rows at a time
MOST_COUNTED = 50_000  # rows that the n-grams' frequencies are taken from
COMMON = 0.02  # share of the samples from which on an n-gram tells nothing, of many samples


class Neighbours:
    """An index of N samples' texts; `of` gives None until `build` is through."""

    def __init__(self) -> None:
        self._texts: list[pa.ChunkedArray] | None = None
        # (weights of the n-grams: their inverse document frequency, 0 where too common; sparse (n-grams, N): each
        # sample a column of length 1). One attribute: a thread that asks sees both or none.
        self._built: tuple[Any, Any] | None = None

    def build(self, texts: list[pa.ChunkedArray]) -> None:
        """Index texts, those of a pair as one; memory is that of `KEPT` n-grams of each."""
        from scipy import sparse

        self._texts = texts
        count = len(texts[0]) if texts else 0
        if not count:
            return
        weights = self._frequencies(count)
        blocks = [
            self._strongest(range(start, min(start + BLOCK, count)), weights)
            for start in range(0, count, BLOCK)
        ]
        self._built = weights, sparse.vstack(blocks, "csr").T.tocsr()

    def of(self, row: int) -> list[tuple[int, float]] | None:
        """[(row, cosine)] of the most similar others, falling; [] without texts, None while there is no index."""
        if self._built is None:
            return None if self._texts is None or self._texts else []
        weights, index = self._built
        similar = (self._strongest([row], weights) @ index).tocsr()
        others = similar.indices != row
        rows, values = similar.indices[others], similar.data[others]
        best = np.argsort(-values, kind="stable")[:WANTED]
        return [(int(rows[i]), round(float(min(values[i], 1)), 3)) for i in best]

    def _grams(self, rows):
        """Sparse float32 (rows, n-grams): how often each n-gram occurs, damped."""
        from sklearn.feature_extraction.text import HashingVectorizer

        hashing = HashingVectorizer(
            analyzer="char_wb", ngram_range=LENGTHS, n_features=FEATURES, alternate_sign=False, norm=None,
            dtype=np.float32,
        )  # fmt: skip
        taken = [column.take(pa.array(rows)).to_pylist() for column in self._texts or []]
        found = hashing.transform(
            ["\n".join(text[:LONGEST] for text in of) for of in zip(*taken, strict=True)]
        )
        found.data = 1 + np.log(found.data)
        return found

    def _frequencies(self, count):
        """Weight of each n-gram, from a part of the samples."""
        rows = np.arange(count)
        if count > MOST_COUNTED:
            rows = np.random.default_rng(0).choice(count, MOST_COUNTED, replace=False)
        times = np.zeros(FEATURES)
        for start in range(0, len(rows), BLOCK):
            times += np.bincount(self._grams(rows[start : start + BLOCK]).indices, minlength=FEATURES)
        weights = np.log((1 + len(rows)) / (1 + times)) + 1
        if count > MOST_COUNTED:
            weights[times > COMMON * len(rows)] = 0
        return weights.astype(np.float32)

    def _strongest(self, rows, weights):
        """The same, weighed, of each row the `KEPT` largest, scaled to length 1."""
        from sklearn.preprocessing import normalize

        found = self._grams(rows)
        found.data *= weights[found.indices]
        of_row = np.repeat(np.arange(len(rows)), np.diff(found.indptr))
        strongest_first = np.lexsort((-found.data, of_row))
        rank = np.arange(found.nnz) - found.indptr[of_row]
        found.data[strongest_first[rank >= KEPT]] = 0
        found.eliminate_zeros()
        return normalize(found)
