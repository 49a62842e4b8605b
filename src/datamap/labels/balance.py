"""Balance the kinds of errors in units: most units have the same class, and errors go either way.

Most tokens are outside of entities, and a text lacks most labels. Whether entities are missed or invented depends on
the annotators' habits, which no model of the texts knows. Its most confident predictions show it, by the labels that
differ.
"""

import numpy as np

from datamap.labels.blocks import ROWS
from datamap.labels.most_confident import SHARES, most_confident
from datamap.labels.witnesses import part_of
from datamap.signals.compute import label_values

# Pseudo-counts: right predictions of a class, and errors in the proportions of the previous posterior.
PRIOR = 5.0
MAX_ROWS = 100_000  # rows that the weights are fitted to; a random part if there are more
ROUNDS = 50  # of the weights; they change little after them
MISSED, INVENTED, CONFUSED = range(3)


def balance_errors(
    posterior: np.ndarray, witnesses: np.ndarray, labels: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Weigh the kinds of error so that each is as frequent as the most confident predictions of the witnesses say.

    Let m be the most frequent class of a unit's column, y its label and c ≠ y its true class. An error is "missed" if y
    = m, "invented" if c = m, and "confused" otherwise. The number of errors of kind K is estimated as in
    `counting.estimate`, with S_c the most confident predictions of class c and n_c the number of given labels c:

        N_K = Σ_c n_c · |{x in S_c of kind K, y ≠ c}| / (|S_c| + `PRIOR`)

    The posterior becomes p(c) ∝ p(c) w_K for c ≠ y. The weights w_K are chosen so that the posterior expects N_K errors
    of each kind, plus `PRIOR` errors in the previous proportions.

    Args:
        posterior: float (N, C), rows that sum to 1 (`posterior.infer`). It is overwritten, which saves memory.
        witnesses: float (N, C), distributions of models that never saw the labels.
        labels: int (N,), y: the given labels.
        columns: int (N,), which units have the same frequencies.

    Returns:
        The same array with the new posterior, rows that sum to 1.

    >>> labels = np.array([1, 0, 0, 0] * 50)  # the witnesses say that no label is 1
    >>> witnesses = np.tile([0.9, 0.1], (200, 1))
    >>> posterior = np.eye(2)[labels] * 0.8 + 0.1
    >>> found = balance_errors(posterior.copy(), witnesses, labels, np.zeros(200, int))
    >>> bool(posterior[0, 1] > found[0, 1]), bool(posterior[1, 0] < found[1, 0])
    (True, True)
    """
    counts = np.zeros((int(columns.max()) + 1, posterior.shape[1]))
    np.add.at(counts, (columns, labels), 1)
    common = counts.argmax(axis=1)[columns]
    part = part_of(np.arange(len(labels)), MAX_ROWS)
    said = _masses(posterior[part], labels[part], common[part])
    before = said.sum(axis=0)
    wanted = _counted(witnesses, labels, common) + PRIOR * before / max(before.sum(), 1e-300)
    wanted, weights = wanted * len(part) / len(labels), np.ones(3)
    for _ in range(ROUNDS):
        now = said * weights
        now /= (1 - said.sum(axis=1) + now.sum(axis=1)).clip(1e-300)[:, None]
        weights *= wanted / now.sum(axis=0).clip(1e-300)
    for start in range(0, len(labels), ROWS):
        rows = slice(start, start + ROWS)
        posterior[rows] = _weighed(weights, posterior[rows], labels[rows], common[rows])
    return posterior


def _counted(witnesses, labels, common):
    """Return the estimated number of errors of each kind (3,)."""
    given, found = np.bincount(labels, minlength=witnesses.shape[1]), np.zeros(3)
    for share in SHARES:
        for label, rows in most_confident(witnesses, share).items():
            rows, size = rows[labels[rows] != label], len(rows)
            kinds = _kinds(label, labels[rows], common[rows])
            found += given[label] / (size + PRIOR) * np.bincount(kinds, minlength=3)
    return found / len(SHARES)


def _kinds(true, labels, common):
    """Return the kind of error of labels, where the true class is another one."""
    return np.where(labels == common, MISSED, np.where(true == common, INVENTED, CONFUSED))


def _masses(posterior, labels, common):
    """Return the probability of each kind of error (N, 3)."""
    wrong, outside = 1 - label_values(posterior, labels), label_values(posterior, common)
    missed = labels == common
    outside = np.where(missed, 0, outside)
    return np.stack([wrong * missed, outside, (wrong - outside).clip(0) * ~missed], axis=1)


def _weighed(weights, posterior, labels, common):
    classes = np.arange(posterior.shape[1])
    factors = weights[_kinds(classes, labels[:, None], common[:, None])]
    factors[np.arange(len(labels)), labels] = 1
    found = posterior * factors
    return found / found.sum(axis=1, keepdims=True)
