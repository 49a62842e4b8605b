"""Predict the class of each token or label by quick models that have seen no label of the same sample.

Folds consist of whole samples: a model that has seen other tags of a sentence would know the sentence's errors.
"""

import unicodedata
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from datamap.labels import embedding_witness, sequences, witnesses
from datamap.labels import features as text_features
from datamap.labels.blocks import by_rows
from datamap.labels.witnesses import FOLDS, linear, mix_with_frequencies, out_of_fold

MAX_TOKENS = 100_000  # tokens that a model trains on; a random part if there are more
COLUMNS = 1 << 18  # of the hashed features of tokens
PASSES = 8  # passes over many tokens; more passes only teach the model the wrong tags
STEPS = 100_000  # smallest number of tokens that a model sees, in as many passes as necessary
BACKOFF = 1.0  # weight of the more general count against the more specific one, in tokens
MAX_DOUBLE = 1 << 22  # probabilities that are held in double precision; larger tables use single precision
MIN_LABELED = 2  # samples that must have a label, and that must lack it, for a model of it


def predict_tokens(
    tokens: Sequence[list[str]],
    samples: np.ndarray,
    places: np.ndarray,
    labels: np.ndarray,
    classes: int,
) -> dict[str, np.ndarray]:
    """Predict a distribution over the tags for every token.

    Args:
        tokens: tokens of each sample.
        samples: int (N,), the row of `tokens` of each token that has a tag; −1 for one without text.
        places: int (N,), its place in the sample; −1 for one without text.
        labels: int (N,), the given tags.
        classes: the number of tags C.

    Returns:
        {witness: float64 (N, C), rows sum to 1}: "window", a logistic regression on the token, its beginning, end and
        shape, and the two tokens on each side; "sequence", the same with how often one tag follows another; "lexicon",
        how often the token has each tag elsewhere, between the same neighbors if they occur. {} if no two tags occur
        twice.

    >>> sentences, samples, places = [["Ann", "runs"]] * 8, np.repeat(range(8), 2), np.tile([0, 1], 8)
    >>> tags = np.tile([1, 0], 8)  # a name, and none
    >>> tags[0] = 0  # a wrong tag, which the other sentences contradict
    >>> predict_tokens(sentences, samples, places, tags, 2)["lexicon"][0].argmax()
    1
    """
    if (np.bincount(labels, minlength=classes) > 1).sum() < 2 or (places < 0).any():
        return {}
    folds = _folds_of_samples(samples)
    values = _TokenFeatures(tokens, samples, places)
    window = _window(values, labels, classes, folds)
    return {
        "window": window,
        "sequence": _mixed(sequences.smooth_tags(window, labels, samples, places, folds), labels),
        "lexicon": _mixed(_lexicon(tokens, samples, places, labels, classes, folds), labels),
    }


def _mixed(probs, labels):
    """Return `witnesses.mix_with_frequencies`, of many cells in single precision."""
    kind = np.float32 if probs.size > MAX_DOUBLE else np.float64
    return by_rows(lambda some: mix_with_frequencies(some, labels).astype(kind), probs)


class _TokenFeatures:
    """Hash the features of tokens when they are asked for: those of a million tokens take half a gigabyte."""

    def __init__(self, tokens: Sequence[list[str]], samples: np.ndarray, places: np.ndarray) -> None:
        from sklearn.feature_extraction import FeatureHasher

        self.tokens, self.samples, self.places = tokens, samples, places
        self.hasher = FeatureHasher(COLUMNS, input_type="string", dtype=np.float32, alternate_sign=False)

    def __getitem__(self, rows: np.ndarray) -> Any:
        return self.hasher.transform(features(self.tokens, self.samples[rows], self.places[rows]))


def _window(values, labels, classes, folds):
    """Return the probabilities (N, C) of a model of all tags together, each for samples that it was not trained on."""
    from sklearn.linear_model import LogisticRegression

    def make(rows):
        passes = max(PASSES, STEPS // rows)
        return LogisticRegression(C=1, max_iter=passes, solver="saga", random_state=0)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The max_iter was reached")
        return _mixed(out_of_fold(make, values, labels, classes, folds, MAX_TOKENS), labels)


def _folds_of_samples(samples: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return [(rows to train on, rows held out)]; all units of a sample are in the same fold."""
    distinct, groups = np.unique(samples, return_inverse=True)
    count = min(FOLDS, max(2, len(distinct)))
    fold = np.random.default_rng([0, 5]).permutation(len(distinct)) % count
    return [(np.flatnonzero(fold[groups] != k), np.flatnonzero(fold[groups] == k)) for k in range(count)]


def features(tokens: Sequence[list[str]], samples: np.ndarray, places: np.ndarray) -> Iterator[list[str]]:
    """Yield the features of each token as strings."""
    known: dict[str, list[str]] = {}  # of a token by itself
    for row, place in zip(samples.tolist(), places.tolist(), strict=True):
        own = tokens[row]
        token = own[place]
        if token not in known:
            known[token] = _of_token(token)
        near = [own[i].lower() if 0 <= i < len(own) else "\0" for i in range(place - 2, place + 3)]
        yield [
            *known[token],
            f"-1={near[1]}",
            f"+1={near[3]}",
            f"-2={near[0]}",
            f"+2={near[4]}",
            f"-10={near[1]}\1{near[2]}",
            f"01={near[2]}\1{near[3]}",
            f"-2-1={near[0]}\1{near[1]}",
            f"12={near[3]}\1{near[4]}",
            f"-1s={_shape(own[place - 1]) if place else ''}",
            f"+1s={_shape(own[place + 1]) if place + 1 < len(own) else ''}",
        ]


def _of_token(token: str) -> list[str]:
    low = token.lower()
    ends = [f"^{low[:size]}" for size in (1, 2, 3)] + [f"{low[-size:]}$" for size in (1, 2, 3)]
    return [f"0={low}", f"s={_shape(token)}", *ends, "bias"]


def _shape(token: str) -> str:
    """Return the kinds of a token's characters, each once in a row: "McDonald" has the shape "LuLlLuLl"."""
    kinds: list[str] = []
    for char in token[:20]:
        kind = unicodedata.category(char)
        if not kinds or kinds[-1] != kind:
            kinds.append(kind)
    return "".join(kinds)


def _lexicon(tokens, samples, places, labels, classes, folds):
    """Return how often each token has each tag in the samples of other folds (N, C), by counts with backoff.

    The distribution of a token between its two neighbors is (n(c) + k p(c)) / (n + k), where p is that of the token by
    itself, which in turn has the frequencies of the tags for p.
    """
    codes = _coded(tokens, samples, places)
    found = np.zeros((len(labels), classes))
    for train, held_out in folds:
        probs = np.tile(
            np.bincount(labels[train], minlength=classes) / max(1, len(train)), (len(held_out), 1)
        )
        for code in codes:
            cells = code[train] * classes + labels[train]
            counts = np.bincount(cells, minlength=(code.max() + 1) * classes).reshape(-1, classes)[
                code[held_out]
            ]
            probs = (counts + BACKOFF * probs) / (counts.sum(axis=1, keepdims=True) + BACKOFF)
        found[held_out] = probs
    return found


def _coded(tokens, samples, places):
    """Return equal numbers for equal tokens, and for equal tokens between equal neighbors: two int arrays (N,)."""
    known: dict[str, int] = {"": 0}  # no neighbor
    flat = np.array([0, *(known.setdefault(t.lower(), len(known)) for own in tokens for t in [*own, ""]), 0])
    starts = np.cumsum([1, *(len(own) + 1 for own in tokens)])
    own = starts[samples] + places
    words, size = flat[own], len(known)
    pairs = np.unique(flat[own - 1] * size + words, return_inverse=True)[1]
    return words, np.unique(pairs * size + flat[own + 1], return_inverse=True)[1]


def predict_labels(
    texts_a: list[str],
    texts_b: list[str] | None,
    samples: np.ndarray,
    positions: np.ndarray,
    labels: np.ndarray,
) -> dict[str, np.ndarray]:
    """Predict for every sample and label whether the sample has the label, each label by models of its own.

    Args:
        texts_a: the text of each sample.
        texts_b: the second texts of pairs; None for single texts.
        samples: int (N,), the row in `texts_a` of each unit.
        positions: int (N,), the label's index.
        labels: int (N,), 1 where the sample has the label, else 0.

    Returns:
        {witness: float64 (N, 2), rows sum to 1}: "bigrams" and, for texts with spaces, "words", as in
        `witnesses.predict_unseen`. A label that fewer than `MIN_LABELED` samples have, or lack, gets its frequency.

    >>> texts, has_label = ["goal!", "vote"] * 8, np.array([1, 0] * 8)
    >>> has_label[0] = 0  # a missing label, which the other texts suggest
    >>> predict_labels(texts, None, np.arange(16), np.zeros(16, int), has_label)["bigrams"][0].argmax()
    1
    """
    kinds = {"bigrams": text_features.bigram_features, "words": text_features.word_features}
    values = {name: features_of(texts_a, texts_b, witnesses.MAX_ROWS) for name, features_of in kinds.items()}
    make = linear(2 * (int(positions.max()) + 1), 10, 10)

    def judged(matrix, rows, given):
        folds = witnesses.folds_of(given)
        return mix_with_frequencies(out_of_fold(make, matrix[samples[rows]], given, 2, folds), given)

    return {
        name: _of_each_label(positions, labels, partial(judged, matrix))
        for name, matrix in values.items()
        if matrix is not None
    }


def predict_from_embeddings(
    first: np.ndarray,
    second: np.ndarray | None,
    samples: np.ndarray,
    positions: np.ndarray,
    labels: np.ndarray,
) -> np.ndarray:
    """Predict for every sample and label whether the sample has the label, from the samples' embeddings.

    Args:
        first: float (samples, D), the embeddings of the samples, or of the first texts of pairs.
        second: float (samples, D), those of the second ones; None for single texts.
        samples: int (N,), the row in `first` of each unit.
        positions: int (N,), the label's index.
        labels: int (N,), 1 where the sample has the label, else 0.

    Returns:
        float64 (N, 2), rows sum to 1: of each label by models of its own, as `embedding_witness.predict` makes them.
    """

    def judged(rows, given):
        own = samples[rows]
        return embedding_witness.predict(first[own], None if second is None else second[own], given, 2)

    return _of_each_label(positions, labels, judged)


def _of_each_label(
    positions: np.ndarray, labels: np.ndarray, judged: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return (N, 2) of `judged` for the units of each label; of labels too rare, or too common, their frequencies."""
    probs = np.zeros((len(labels), 2), np.float32 if 2 * len(labels) > MAX_DOUBLE else np.float64)
    units, ends = np.argsort(positions, kind="stable"), np.append(0, np.cumsum(np.bincount(positions)))
    for start, end in pairwise(ends):
        rows = units[start:end]
        given = labels[rows]
        counts = np.bincount(given, minlength=2)
        few = min(counts) < MIN_LABELED
        probs[rows] = counts / max(1, len(given)) if few else judged(rows, given)
    return probs
