"""Find the most similar samples: by their embeddings, else by TF-IDF of hashed character n-grams of their texts."""

from typing import Any

import numpy as np
import pyarrow as pa

from datamap.labels.grams import heaviest

NEIGHBORS = 8
LENGTHS = (2, 3)
FEATURES = 1 << 20
MAX_CHARACTERS = 1000  # characters of a text that are used
MAX_GRAMS = 32  # n-grams of a sample that are used, those of largest weight
BLOCK = 5_000  # rows that are processed at a time
MAX_COUNTED = 50_000  # rows from which the n-grams' frequencies are estimated
COMMON = 0.02  # share of the samples, if there are many, from which on an n-gram is ignored


class Neighbors:
    """Index the embeddings or texts of N samples; `nearest` returns None until `build` has ended."""

    def __init__(self) -> None:
        self._texts: list[pa.ChunkedArray] | None = None
        # (inverse document frequency of each n-gram, 0 if it is too common; sparse (n-grams, N), in which each sample
        # is a column of length 1). They are one attribute, so that another thread sees both or none.
        self._built: tuple[Any, Any] | None = None
        # float32 (N, width), embeddings from their mean, of length 1.
        self._directions: np.ndarray | None = None

    def build(self, texts: list[pa.ChunkedArray], vectors: np.ndarray | None = None) -> None:
        """Index the samples.

        Args:
            texts: the texts, the two of a pair as one, in memory for `MAX_GRAMS` n-grams per sample.
            vectors: float (N, width), the embeddings, which are used instead of the texts; None if there are none.
        """
        from scipy import sparse

        if vectors is not None:
            from sklearn.preprocessing import normalize

            # Encoders give all samples a common direction, which would dominate their differences.
            self._directions = normalize(vectors - vectors.mean(axis=0)).astype(np.float32)
            return
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

    def nearest(self, row: int) -> list[tuple[int, float]] | None:
        """Return [(row, cosine)] of the most similar others, descending; [] without texts, None without an index."""
        if self._directions is not None:
            return _nearest(self._directions @ self._directions[row], np.arange(len(self._directions)), row)
        if self._built is None:
            return None if self._texts is None or self._texts else []
        weights, index = self._built
        similar = (self._strongest([row], weights) @ index).tocsr()
        return _nearest(similar.data, similar.indices, row)

    def _grams(self, rows):
        """Return the damped count of each n-gram in each row, sparse float32 (rows, n-grams)."""
        from sklearn.feature_extraction.text import HashingVectorizer

        hashing = HashingVectorizer(
            analyzer="char_wb", ngram_range=LENGTHS, n_features=FEATURES, alternate_sign=False, norm=None,
            dtype=np.float32,
        )  # fmt: skip
        taken = [column.take(pa.array(rows)).to_pylist() for column in self._texts or []]
        found = hashing.transform(
            ["\n".join(text[:MAX_CHARACTERS] for text in of) for of in zip(*taken, strict=True)]
        )
        found.data = 1 + np.log(found.data)
        return found

    def _frequencies(self, count):
        """Return the weight of each n-gram, estimated from a part of the samples."""
        rows = np.arange(count)
        if count > MAX_COUNTED:
            rows = np.random.default_rng(0).choice(count, MAX_COUNTED, replace=False)
        times = np.zeros(FEATURES)
        for start in range(0, len(rows), BLOCK):
            times += np.bincount(self._grams(rows[start : start + BLOCK]).indices, minlength=FEATURES)
        weights = np.log((1 + len(rows)) / (1 + times)) + 1
        if count > MAX_COUNTED:
            weights[times > COMMON * len(rows)] = 0
        return weights.astype(np.float32)

    def _strongest(self, rows, weights):
        """Return the weighted counts of each row's `MAX_GRAMS` strongest n-grams, scaled to length 1."""
        from sklearn.preprocessing import normalize

        found = self._grams(rows)
        found.data *= weights[found.indices]
        found = heaviest(found, MAX_GRAMS)
        found.eliminate_zeros()
        return normalize(found)


def _nearest(cosines, rows, row):
    """Return [(row, cosine)] of the `NEIGHBORS` rows other than `row` with the largest positive cosines, descending."""
    others = (rows != row) & (cosines > 0)
    rows, cosines = rows[others], cosines[others]
    if len(rows) > NEIGHBORS:
        best = np.argpartition(-cosines, NEIGHBORS)[: NEIGHBORS + 1]
        least = cosines[best].min()
        rows, cosines = rows[cosines >= least], cosines[cosines >= least]
    best = np.argsort(-cosines, kind="stable")[:NEIGHBORS]
    return [(int(rows[i]), round(float(min(cosines[i], 1)), 3)) for i in best]
