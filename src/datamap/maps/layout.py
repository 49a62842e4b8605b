"""Lay samples out on a plane by their embeddings, so that similar ones are near each other."""

from importlib.util import find_spec

import numpy as np

COLUMNS = ("embedding_1", "embedding_2")  # of the explorer
MAX_BY_UMAP = 20_000  # samples; it takes half a minute or more of processor time
MAX_FITTED = 50_000  # samples from which the components are computed; a random part if there are more


def layout(vectors: np.ndarray) -> np.ndarray:
    """Return two coordinates for each embedding, float32 (samples, 2).

    They are UMAP's (McInnes et al. 2018) where `umap-learn` is installed and there are at most `MAX_BY_UMAP` samples,
    else the first two principal components.

    Args:
        vectors: float (samples, width).

    >>> layout(np.array([[0.0, 0], [1, 0], [2, 0]]))[:, 0].tolist()
    [-1.0, 0.0, 1.0]
    """
    if find_spec("umap") and 10 < len(vectors) <= MAX_BY_UMAP:
        from umap import UMAP

        return UMAP(random_state=0, n_jobs=1).fit_transform(vectors).astype(np.float32)
    return _principal(vectors)


def _principal(vectors):
    """Return the first two principal components; each points to where its largest weight is positive."""
    rows = np.arange(len(vectors))
    if len(rows) > MAX_FITTED:
        rows = np.sort(np.random.default_rng(0).choice(rows, MAX_FITTED, replace=False))
    center = vectors[rows].mean(axis=0)
    part = vectors[rows] - center
    _, axes = np.linalg.eigh(part.T @ part)
    axes = axes[:, :-3:-1]
    if axes.shape[1] < 2:  # embeddings of one number
        axes = np.hstack([axes, np.zeros((len(axes), 1))])
    axes = axes * np.where(axes[abs(axes).argmax(axis=0), [0, 1]] < 0, -1, 1)
    return ((vectors - center) @ axes).astype(np.float32)
