"""Predict each sample's class by quick models of the texts that have not seen that sample's label.

They train in seconds on a CPU. A model cannot memorize labels that it has not seen, so its contradictions are
meaningful.
"""

import warnings
from collections.abc import Callable
from multiprocessing.pool import ThreadPool
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from datamap.labels import features, naive_bayes
from datamap.labels.grams import heaviest

NAMES = ("linear", "bigrams", "neighbours", "overlap", "words")
FOLDS = 4
# Rows that a model trains on, and texts that the n-grams are taken from; a random part if there are more.
MAX_ROWS = 20_000
MAX_REFERENCES = 8_000  # samples among which neighbors are sought; a random part if there are more
NEIGHBORS = 30
NEIGHBOR_ROWS = 250  # whose neighbors are sought at a time
MAX_GRAMS = 400  # n-grams of a text, those of largest weight, by which its neighbors are found
BLOCK = 10_000  # rows whose features are held at a time
MAX_JOINT_SIZE = 160_000  # rows times classes; beyond, one model per class is trained instead of one of all
MIN_SHARE = 1e-3  # share that the classes' frequencies get in every distribution, so that none is 0


def predict_unseen(
    texts_a: list[str], texts_b: list[str] | None, labels: np.ndarray, classes: int
) -> dict[str, np.ndarray]:
    """Predict a distribution over classes for every sample, by models that were trained on other samples.

    The samples are split into folds with all classes spread evenly; a model predicts the fold that it was not trained
    on. There are `FOLDS` folds, and fewer where so many samples are outside a fold that a model trains on a part of
    them. Each distribution is mixed with the classes' frequencies, (1 − `MIN_SHARE`) p + `MIN_SHARE` f, so that
    no probability is 0: its logarithm would outweigh all others in the pool.

    Args:
        texts_a: N texts.
        texts_b: the second texts of N pairs; None for single texts.
        labels: int (N,), the given labels.
        classes: the number of classes C.

    Returns:
        {witness: float64 (N, C), rows sum to 1}: "linear", a logistic regression on 1- to 4-grams of characters;
        "bigrams", one on 1- and 2-grams with less regularization; and "neighbours", the labels of the nearest texts
        (SimiFeat, Zhu et al. 2022), or for pairs "overlap", boosted trees on what both texts share. Texts with spaces
        also have "words", a logistic regression on words and pairs of words. For single texts of many classes
        (`MAX_JOINT_SIZE`), "linear" and "words" are naive Bayes on the same. {} if fewer than two classes have two
        samples each.

    >>> texts, labels = ["good", "bad"] * 8, np.array([1, 0] * 8)
    >>> labels[0] = 0  # a wrong label, which the model of the other samples contradicts
    >>> predict_unseen(texts, None, labels, 2)["linear"][0].argmax()
    1
    """
    counts = np.bincount(labels, minlength=classes)
    if (counts > 1).sum() < 2:
        return {}
    folds = folds_of(labels, MAX_ROWS)
    joint = _is_joint(min(len(folds[0][0]), MAX_ROWS), classes)

    def judged(values, inverse, inverse_of_many):
        if texts_b is None and not joint:
            # Logistic regressions take twenty times as long, and rank no better.
            return naive_bayes.predict(values, labels, classes)
        return out_of_fold(linear(classes, inverse, inverse_of_many), values, labels, classes, folds)

    def by_grams():
        grams, shared = features.gram_features(texts_a, texts_b, MAX_ROWS, BLOCK)
        found = {"linear": judged(grams, 1, 3)}
        if shared is None:
            return found | {"neighbours": _neighbors(heaviest(grams, MAX_GRAMS), labels, classes)}
        with threadpool_limits(1, "openmp"):  # the trees are so small that threads mostly wait for each other
            return found | {"overlap": out_of_fold(_trees, shared, labels, classes, folds)}

    def by_bigrams_and_words():
        short = features.bigram_features(texts_a, texts_b, MAX_ROWS)
        found = {"bigrams": out_of_fold(linear(classes, 3, 10), short, labels, classes, folds)}
        del short
        words = features.word_features(texts_a, texts_b, MAX_ROWS)
        return found if words is None else found | {"words": judged(words, 10, 10)}

    # In a thread each: most of what they do is outside of Python's lock. A third thread would only cost memory.
    # scikit-learn changes the process's filters of warnings in each thread, and leaves them changed.
    with warnings.catch_warnings(record=True), ThreadPool(2) as threads:
        some, others = threads.map(lambda function: function(), (by_grams, by_bigrams_and_words), 1)
    found = some | others
    return {name: mix_with_frequencies(found[name], labels) for name in NAMES if name in found}


def part_of(rows: np.ndarray, max_rows: int) -> np.ndarray:
    """Return ascending `rows`, or a random part of `max_rows` of them."""
    if len(rows) <= max_rows:
        return rows
    return np.sort(np.random.default_rng([0, 4]).choice(rows, max_rows, replace=False))


def mix_with_frequencies(probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mix distributions (N, C) with the frequencies of the classes, (1 − `MIN_SHARE`) p + `MIN_SHARE` f.

    >>> mix_with_frequencies(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 1]))
    array([[9.995e-01, 5.000e-04],
           [5.000e-04, 9.995e-01]])
    """
    return (1 - MIN_SHARE) * probs + MIN_SHARE * np.bincount(labels, minlength=probs.shape[1]) / len(labels)


def folds_of(labels: np.ndarray, max_rows: int | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return [(rows to train on, rows held out)] with every class spread evenly.

    There are `FOLDS` folds, or as many as the largest class has samples. With `max_rows`, the number of rows that a
    model trains on at most, there are as few as leave that many outside of each fold.
    """
    from sklearn.model_selection import StratifiedKFold

    count = min(FOLDS, int(np.bincount(labels).max()))
    if max_rows is not None and len(labels) > max_rows:
        count = min(count, -(-len(labels) // (len(labels) - max_rows)))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        return list(StratifiedKFold(count, shuffle=True, random_state=0).split(labels, labels))


def linear(classes: int, inverse: float, inverse_of_many: float) -> Callable[[int], Any]:
    """Return a function that makes a linear model for a number of rows.

    `inverse` is scikit-learn's C, the inverse strength of regularization, for few rows and classes; `inverse_of_many`
    is that for many.
    """
    from sklearn.linear_model import LogisticRegression, SGDClassifier

    def make(rows):
        if _is_joint(rows, classes):
            # The default solver spends most of its time on the columns, which are many times the rows.
            return LogisticRegression(C=inverse, solver="newton-cg", tol=1e-3)
        alpha = 1 / (inverse_of_many * rows)
        options = {"max_iter": 2, "tol": None, "average": True, "random_state": 0}
        return SGDClassifier("log_loss", alpha=alpha, n_jobs=-1, **options)  # threads, a class each

    return make


def _is_joint(rows: int, classes: int) -> bool:
    """Tell whether one linear model of all classes is trained; else there is one per class."""
    return rows * classes <= MAX_JOINT_SIZE


def _trees(rows):
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8, min_samples_leaf=30, random_state=0)


def out_of_fold(
    make: Callable[[int], Any],
    values: Any,
    labels: np.ndarray,
    classes: int,
    folds: list[tuple[np.ndarray, np.ndarray]],
    max_rows: int = MAX_ROWS,
) -> np.ndarray:
    """Return the probabilities (N, C) of models that `make` makes, each for the rows that it was not trained on."""
    random, probs = np.random.default_rng([0, 1]), np.zeros((len(labels), classes))
    for train, held_out in folds:
        if len(train) > max_rows:
            train = np.sort(random.choice(train, max_rows, replace=False))
        if len(np.unique(labels[train])) < 2:  # the random part holds a single class
            probs[held_out, labels[train[0]]] = 1
            continue
        model = make(len(train)).fit(values[train], labels[train])
        for rows in np.array_split(held_out, -(-len(held_out) // BLOCK)):
            probs[np.ix_(rows, model.classes_)] = model.predict_proba(values[rows])
    return probs


def _neighbors(grams, labels, classes):
    """Return the shares of classes (N, C) among the `NEIGHBORS` most similar other texts, weighed by cosine."""
    count = len(labels)
    chosen = np.random.default_rng([0, 2]).permutation(count)[:MAX_REFERENCES]
    chosen.sort()
    others, own = grams[chosen].T.tocsr(), np.full(count, -1)
    own[chosen] = np.arange(len(chosen))
    wanted = min(NEIGHBORS, len(chosen) - 1)

    def votes_of(rows):
        near = (grams[rows] @ others).toarray()
        inside = own[rows] >= 0
        near[np.flatnonzero(inside), own[rows][inside]] = -1
        best = np.argpartition(near, -wanted, axis=1)[:, -wanted:]
        weights = np.take_along_axis(near, best, axis=1)
        places = np.repeat(np.arange(len(rows)), wanted) * classes + labels[chosen[best]].ravel()
        found = np.bincount(places, weights.ravel(), minlength=len(rows) * classes)
        return found.reshape(len(rows), classes)

    with ThreadPool(2) as threads:
        parts = threads.map(votes_of, np.array_split(np.arange(count), -(-count // NEIGHBOR_ROWS)), 1)
    votes = np.concatenate(parts)
    votes += np.bincount(labels, minlength=classes) / count  # one more neighbor of unknown class
    return votes / votes.sum(axis=1, keepdims=True)
