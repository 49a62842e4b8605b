"""Texts and text pairs as numbers: n-grams of characters, and how much two texts share."""

from typing import Any

import numpy as np

LENGTHS = (1, 2, 3)  # of the n-grams whose overlap is counted


def of_texts(
    texts_a: list[str], texts_b: list[str] | None, most: int, block: int, seed: int
) -> tuple[Any, Any, np.ndarray | None]:
    """What simple models tell classes by.

    Args:
        texts_a: list of N str; texts_b: the pairs' second texts, or None.
        most: texts that the n-grams are taken from; of more, a random part.
        block: rows that are worked out at a time.
        seed: of that part.
    Returns:
        (sparse float32 matrix of N rows: TF-IDF of 1- to 4-grams within words; of a pair |a − b|, a ∘ b, a, b
        and `shared`; the same of plain 1- and 2-grams, of a pair |a − b| and a ∘ b alone; and `shared`, float32
        array: of each pair cosine, lengths and overlaps, and their squares; None of single texts).
    """
    from scipy import sparse

    long, short = _fitted(texts_a + (texts_b or []), most, seed)
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
        bigrams.append(sparse.hstack([abs(first - second), first.multiply(second)], "csr", np.float32))
        numbers.append(shared)
    return sparse.vstack(grams, "csr"), sparse.vstack(bigrams, "csr"), np.concatenate(numbers)


def _fitted(texts, most, seed):
    """Two TfidfVectorizers: of 1- to 4-grams within words, and of plain 1- and 2-grams."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    if len(texts) > most:
        texts = [texts[i] for i in np.random.default_rng([seed, 3]).choice(len(texts), most, replace=False)]
    options = {"max_features": 200_000, "dtype": np.float32}
    words = {"analyzer": "char_wb", "ngram_range": (1, 4), "sublinear_tf": True, **options}
    short = TfidfVectorizer(analyzer="char", ngram_range=(1, 2), **options).fit([*texts, "?"])
    try:
        return TfidfVectorizer(min_df=2, **words).fit(texts), short
    except ValueError:  # no n-gram is in two texts
        return TfidfVectorizer(**words).fit([*texts, "?"]), short


def _shared(texts_a, texts_b, cosine):
    """(pairs, 20) numbers of 0 to about 1."""
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
