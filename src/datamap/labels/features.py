"""Compute features of texts and text pairs: n-grams of characters, words, and the overlap of two texts."""

from typing import Any

import numpy as np

from datamap.labels.grams import BITS, CharGrams, numbered

MAX_CHARS = 1_000  # characters of a text from which n-grams are taken
MAX_CHARS_OF_WORDS = 10_000  # characters of a text from which words are taken
# Features of each kind; the most frequent ones of more.
MAX_GRAMS, MAX_SHORT, MAX_WORDS = 200_000, 10_000, 200_000
MIN_WORDS = 4  # mean number of words between spaces from which on texts have words
LENGTHS = (1, 2, 3)  # lengths of the n-grams whose overlap is counted
ROW_BITS = max(LENGTHS) * BITS  # bits of an n-gram's number; those above hold its row


def gram_features(
    texts_a: list[str], texts_b: list[str] | None, max_texts: int, block: int
) -> tuple[Any, np.ndarray | None]:
    """Compute TF-IDF values of 1- to 4-grams of characters within words.

    A text a becomes a vector. A pair (a, b) becomes |a − b| (differences) and a ∘ b, the elementwise product (overlap),
    followed by a, b and 20 numbers on both.

    Args:
        texts_a: N texts.
        texts_b: the second texts of N pairs; None for single texts.
        max_texts: the number of texts that n-grams are taken from; a random part of more.
        block: the number of rows that are computed at a time, below 65,536.

    Returns:
        (grams, shared). `grams[rows]` is a sparse float32 matrix; for a pair |a − b|, a ∘ b, a, b and `shared`.
        `shared` is a float32 array (N, 20): cosine, lengths and overlaps of each pair, and their squares; None for
        single texts.
    """
    grams = CharGrams(range(1, 5), within_words=True, min_texts=2, max_grams=MAX_GRAMS)
    texts_a, texts_b, matrix = _fitted(grams, texts_a, texts_b, max_texts)
    if texts_b is None:
        return matrix, None
    rows = np.array_split(np.arange(len(texts_a)), -(-len(texts_a) // block))
    shared = np.concatenate([_Pairs(texts_a, texts_b, grams).shared(some) for some in rows])
    return _Pairs(texts_a, texts_b, grams, shared), shared


def bigram_features(texts_a: list[str], texts_b: list[str] | None, max_texts: int) -> Any:
    """Compute TF-IDF values of 1- and 2-grams of characters, also across words; of pairs |a − b| and a ∘ b.

    The arguments are those of `gram_features`. `[rows]` of what is returned is a sparse float32 matrix.
    """
    grams = CharGrams(range(1, 3), within_words=False, min_texts=1, max_grams=MAX_SHORT)
    texts_a, texts_b, matrix = _fitted(grams, texts_a, texts_b, max_texts)
    return matrix if texts_b is None else _Pairs(texts_a, texts_b, grams)


def _fitted(grams, texts_a, texts_b, max_texts):
    """Fit n-grams to texts; return the part of each text that they are taken from, and the matrix of single texts."""
    texts_a = [text[:MAX_CHARS] for text in texts_a]
    texts_b = texts_b and [text[:MAX_CHARS] for text in texts_b]
    part = _part(texts_a + (texts_b or []), max_texts)
    matrix = grams.fit_transform([*part, "?"])[:-1]  # one more text, so that there is an n-gram in any case
    if texts_b is not None:
        return texts_a, texts_b, None
    return texts_a, None, matrix if len(part) == len(texts_a) else grams.transform(texts_a)


class _Pairs:
    """Compute the features of pairs when rows are asked for: those of all pairs would take most of the memory.

    They are |a − b| and a ∘ b; with `more`, numbers of each pair, also a, b and these.
    """

    def __init__(
        self, texts_a: list[str], texts_b: list[str], grams: CharGrams, more: np.ndarray | None = None
    ) -> None:
        self.texts, self.grams, self.more = (texts_a, texts_b), grams, more

    def __getitem__(self, rows: np.ndarray) -> Any:
        from scipy import sparse

        a, b = self._texts(rows)
        first, second = self.grams.transform(a), self.grams.transform(b)
        both = _of_pair(first, second)
        if self.more is None:
            return both
        return sparse.hstack([both, first, second, self.more[rows]], "csr", np.float32)

    def shared(self, rows: np.ndarray) -> np.ndarray:
        """Return `_shared` of some pairs."""
        a, b = self._texts(rows)
        product = self.grams.transform(a).multiply(self.grams.transform(b))
        return _shared(a, b, np.asarray(product.sum(axis=1)).ravel())

    def _texts(self, rows):
        return [[texts[row] for row in rows] for texts in self.texts]


def word_features(texts_a: list[str], texts_b: list[str] | None, max_texts: int) -> Any | None:
    """Compute TF-IDF values of words and pairs of neighboring words, a sparse float32 matrix (N, words).

    A pair of texts (a, b) becomes |a − b| and a ∘ b.

    Args:
        texts_a: N texts.
        texts_b: the second texts of N pairs; None for single texts.
        max_texts: the number of texts that words are taken from; a random part of more.

    Returns:
        The matrix; None if the texts are written without spaces, or are too short.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts_a = [text[:MAX_CHARS_OF_WORDS] for text in texts_a]
    texts_b = texts_b and [text[:MAX_CHARS_OF_WORDS] for text in texts_b]
    texts = _part(texts_a + (texts_b or []), max_texts)
    if np.mean([len(text.split()) for text in texts]) < MIN_WORDS:
        return None
    options = {"ngram_range": (1, 2), "sublinear_tf": True, "max_features": MAX_WORDS, "dtype": np.float32}
    words = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b", **options)
    fitted = words.fit_transform([*texts, "?a"])
    if texts == texts_a:  # single texts, all of them
        return fitted[:-1]
    first = words.transform(texts_a)
    return first if texts_b is None else _of_pair(first, words.transform(texts_b))


def _of_pair(first, second):
    """Return |a − b| and a ∘ b of pairs, sparse float32 (N, 2 · columns)."""
    from scipy import sparse

    return sparse.hstack([abs(first - second), first.multiply(second)], "csr", np.float32)


def _part(texts, max_texts):
    """Return the texts, or a random part of more than `max_texts`."""
    if len(texts) <= max_texts:
        return texts
    return [texts[i] for i in np.random.default_rng([0, 3]).choice(len(texts), max_texts, replace=False)]


def _shared(texts_a, texts_b, cosine):
    """Compute 20 numbers per pair, from 0 to about 1: cosine, lengths, and overlaps of the sets of n-grams."""
    shorter, longer = np.sort([[len(t) for t in texts_a], [len(t) for t in texts_b]], axis=0).clip(1)
    columns = [cosine, shorter / longer, np.log1p(shorter) / 5, np.log1p(longer) / 5]
    for n in LENGTHS:
        a, b = _distinct(texts_a, n), _distinct(texts_b, n)
        rows = [
            (found >> np.uint64(ROW_BITS)).astype(np.int64) for found in (a, b, np.intersect1d(a, b, True))
        ]
        of_a, of_b, both = (np.bincount(some, minlength=len(texts_a)) for some in rows)
        columns += [both / (of_a + of_b - both).clip(1), both / np.minimum(of_a, of_b).clip(1)]
    values = np.stack(columns, axis=1)
    return np.hstack([values, values**2]).astype(np.float32)


def _distinct(texts, n):
    """Return the distinct n-grams of all texts, ascending: the row in the upper bits, the n-gram's number below."""
    rows, numbers = numbered(texts, [n])
    return np.unique(rows << np.uint64(ROW_BITS) | numbers)
