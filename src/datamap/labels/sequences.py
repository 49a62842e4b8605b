"""Predict the tags of a sentence jointly: the order of tags is informative beyond single tokens."""

from collections.abc import Iterator

import numpy as np

EMISSION = (
    0.5  # weight of single tokens' predictions: their models have seen the neighbors, which would count twice
)
MAX_CELLS = 1 << 21  # of tokens times tags that are computed together


def smooth_tags(
    probs: np.ndarray,
    labels: np.ndarray,
    samples: np.ndarray,
    places: np.ndarray,
    folds: list[tuple[np.ndarray, np.ndarray]],
) -> np.ndarray:
    """Correct predictions of single tokens by how often one tag follows another.

    The tags z_1 … z_n of a sentence form a hidden Markov chain, whose marginals the forward-backward algorithm computes
    (Rabiner 1989, sec. III):

        p(z_1 … z_n) ∝ Π_t (p_t(z_t) / f(z_t))^w P(z_t | z_{t−1}) · P(end | z_n),  w = `EMISSION`

    with the predictions p_t and the frequencies of the tags f; both ends of a sentence count as one more tag. How often
    tags follow each other is counted in the given tags of other folds, so that no sentence judges its own tags.

    Args:
        probs: float (N, C), predictions of models that saw no tag of the same sentence, none of them 0.
        labels: int (N,), the given tags.
        samples: int (N,), the sentence of each token.
        places: int (N,), its place there.
        folds: [(rows to count, rows to predict)] of whole sentences.

    Returns:
        float64 (N, C), rows that sum to 1.

    >>> rows, labels = np.arange(40), np.array([0, 1] * 20)  # every sentence is 0 1; the last token is doubtful
    >>> probs = np.append(np.eye(2)[labels[:-1]] * 0.8 + 0.1, [[0.5, 0.5]], axis=0)
    >>> found = smooth_tags(probs, labels, rows // 2, rows % 2, [(rows[:20], rows[20:]), (rows[20:], rows[:20])])
    >>> bool(found[-1, 1] > 0.9)
    True
    """
    found = np.empty(probs.shape)
    order = np.lexsort((places, samples))
    for train, held_out in folds:
        trained = np.zeros(len(labels), bool)
        trained[train] = True
        follows = _follows(labels, samples, order[trained[order]], probs.shape[1])
        frequencies = np.bincount(labels[train], minlength=probs.shape[1]) + 1.0
        ratios = frequencies.sum() / frequencies
        predicted = np.zeros(len(labels), bool)
        predicted[held_out] = True
        rows = order[predicted[order]]
        for places_of, inside in _sentences(samples[rows], probs.shape[1]):
            own = rows[places_of]
            emitted = (probs[own] * ratios) ** EMISSION
            found[own[inside]] = _marginals(emitted, inside, follows)[inside]
    return found


def _follows(labels, samples, rows, classes):
    """Return P(next tag | tag) (C + 1, C + 1) of sorted rows; index C is the end of a sentence and what precedes it."""
    ends = np.flatnonzero(np.diff(samples[rows], prepend=-1, append=-1))
    tags = np.insert(labels[rows], ends, classes)
    counts = np.bincount(tags[:-1] * (classes + 1) + tags[1:], minlength=(classes + 1) ** 2)
    counts = counts.reshape(classes + 1, classes + 1) + (np.bincount(tags, minlength=classes + 1) + 1) / max(
        1, len(tags)
    )
    return counts / counts.sum(axis=1, keepdims=True)


def _sentences(samples: np.ndarray, classes: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (rows of tokens, which of them exist), two arrays (sentences, longest one), of sorted tokens.

    Sentences of similar length come together.
    """
    starts = np.flatnonzero(np.diff(samples, prepend=-1))
    lengths = np.diff(np.append(starts, len(samples)))
    order = np.argsort(lengths, kind="stable")
    first = 0
    while first < len(order):
        # As lengths ascend, the last sentence of a part is its longest.
        fits = lengths[order[first:]] * np.arange(1, len(order) - first + 1) * classes <= MAX_CELLS
        own = order[first : first + max(1, int(fits.sum()))]
        steps = np.arange(lengths[own].max())
        inside = steps < lengths[own][:, None]
        yield np.where(inside, starts[own][:, None] + steps, 0), inside
        first += len(own)


def _marginals(emitted, inside, follows):
    """Return the distribution of each tag (sentences, longest, C), given the predictions for the whole sentence."""
    first, last, inner = follows[-1, :-1], follows[:-1, -1], follows[:-1, :-1]
    lengths, forward = inside.sum(axis=1), np.empty_like(emitted)
    for step in range(emitted.shape[1]):
        before = forward[:, step - 1] @ inner if step else first
        forward[:, step] = _normalized(before * emitted[:, step])
    backward = last
    for step in reversed(range(emitted.shape[1])):
        at_end = (lengths == step + 1)[:, None]
        behind = np.where(at_end, last, backward)
        forward[:, step] = _normalized(forward[:, step] * behind)
        backward = _normalized(behind * emitted[:, step]) @ inner.T
    return forward


def _normalized(values):
    return values / values.sum(axis=-1, keepdims=True)
