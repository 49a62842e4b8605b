"""Turn texts and text pairs into numbers: n-grams of characters, words, and how much two texts share."""

from typing import Any

import numpy as np

MAX_CHARS = 1_000  # of a text that n-grams of characters are taken from; words are taken from all of it
MIN_WORDS = 4  # mean number of words between spaces from which on texts have words
LENGTHS = (1, 2, 3)  # lengths of the n-grams whose overlap is counted


def of_texts(
    texts_a: list[str], texts_b: list[str] | None, max_texts: int, block: int, seed: int
) -> tuple[Any, Any, np.ndarray | None]:
    """Compute the features by which simple models tell classes apart.

    A text a becomes a vector of TF-IDF values. A pair (a, b) becomes |a − b| and a ∘ b, the elementwise product: what
    the texts differ in, and what they share.

    Args:
        texts_a: N texts.
        texts_b: the second texts of N pairs; None for single texts.
        max_texts: the number of texts that n-grams are taken from; a random part of more.
        block: the number of rows that are computed at a time.
        seed: seed of the random part.

    Returns:
        (grams, bigrams, shared). `grams` is a sparse float32 matrix of N rows: 1- to 4-grams of characters within
        words; for a pair |a − b|, a ∘ b, a, b and `shared`. `bigrams` has 1- and 2-grams across words; for a pair
        |a − b| and a ∘ b. `shared` is a float32 array (N, 20): cosine, lengths and overlaps of each pair, and their
        squares; None for single texts.
    """
    from scipy import sparse

    texts_a = [text[:MAX_CHARS] for text in texts_a]
    texts_b = texts_b and [text[:MAX_CHARS] for text in texts_b]
    long, short = _fitted(texts_a + (texts_b or []), max_texts, seed)
    if texts_b is None:
        return long.transform(texts_a), short.transform(texts_a), None
    grams, bigrams, numbers = [], [], []
    for start in range(0, len(texts_a), block):
        a, b = texts_a[start : start + block], texts_b[start : start + block]
        first, second = long.transform(a), long.transform(b)
        product = first.multiply(second).tocsr()
        shared = _shared(a, b, np.asarray(product.sum(axis=1)).ravel())
        grams.append(sparse.hstack([abs(first - second), product, first, second, shared], "csr", np.float32))
        first, second = short.transform(a), short.transform(b)
        bigrams.append(_of_pair(first, second))
        numbers.append(shared)
    return sparse.vstack(grams, "csr"), sparse.vstack(bigrams, "csr"), np.concatenate(numbers)


def of_words(texts_a: list[str], texts_b: list[str] | None, max_texts: int, seed: int) -> Any | None:
    """Compute TF-IDF values of words and pairs of neighboring words, a sparse float32 matrix (N, words).

    A pair of texts (a, b) becomes |a − b| and a ∘ b.

    Args:
        texts_a: N texts.
        texts_b: the second texts of N pairs; None for single texts.
        max_texts: the number of texts that words are taken from; a random part of more.
        seed: seed of the random part.

    Returns:
        The matrix; None if the texts are written without spaces, or are too short.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = _part(texts_a + (texts_b or []), max_texts, seed)
    if np.mean([len(text.split()) for text in texts]) < MIN_WORDS:
        return None
    options = {"ngram_range": (1, 2), "sublinear_tf": True, "max_features": 200_000, "dtype": np.float32}
    words = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b", **options).fit([*texts, "?a"])
    first = words.transform(texts_a)
    return first if texts_b is None else _of_pair(first, words.transform(texts_b))


def _of_pair(first, second):
    """Return |a − b| and a ∘ b of pairs, sparse float32 (N, 2 · columns)."""
    from scipy import sparse

    return sparse.hstack([abs(first - second), first.multiply(second)], "csr", np.float32)


def _part(texts, max_texts, seed):
    """Return the texts, or a random part of more than `max_texts`."""
    if len(texts) <= max_texts:
        return texts
    return [texts[i] for i in np.random.default_rng([seed, 3]).choice(len(texts), max_texts, replace=False)]


def _fitted(texts, max_texts, seed):
    """Fit two TfidfVectorizers: of 1- to 4-grams within words, and of 1- and 2-grams across words."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = _part(texts, max_texts, seed)
    options = {"max_features": 200_000, "dtype": np.float32}
    words = {"analyzer": "char_wb", "ngram_range": (1, 4), "sublinear_tf": True, **options}
    short = TfidfVectorizer(analyzer="char", ngram_range=(1, 2), **options).fit([*texts, "?"])
    try:
        return TfidfVectorizer(min_df=2, **words).fit(texts), short
    except ValueError:  # no two texts share an n-gram
        return TfidfVectorizer(**words).fit([*texts, "?"]), short


def _shared(texts_a, texts_b, cosine):
    """Compute 20 numbers per pair, from 0 to about 1: cosine, lengths, and overlaps of the sets of n-grams."""
    shorter, longer = np.sort([[len(t) for t in texts_a], [len(t) for t in texts_b]], axis=0).clip(1)
    columns = [cosine, shorter / longer, np.log1p(shorter) / 5, np.log1p(longer) / 5]
    for n in LENGTHS:
        sets = [(_grams(a, n), _grams(b, n)) for a, b in zip(texts_a, texts_b, strict=True)]
        both = np.array([len(a & b) for a, b in sets])
        either = np.array([len(a | b) for a, b in sets]).clip(1)
        fewer = np.array([min(len(a), len(b)) for a, b in sets]).clip(1)
        columns += [both / either, both / fewer]
    values = np.stack(columns, axis=1)
    return np.hstack([values, values**2]).astype(np.float32)


def _grams(text, n):
    return {text[i : i + n] for i in range(len(text) - n + 1)}
