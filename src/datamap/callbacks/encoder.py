"""Find the encoder in a model, and compute the mean of its last layer's outputs over the tokens of each sample."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from datamap.signals.arrays import as_array
from datamap.signals.embeddings import mean_over_tokens


def encoder_of(model: Any) -> Any | None:
    """Return the part of a model that its head reads, as Transformers and PaddleNLP name it; None if it has none."""
    if hasattr(model, "get_base_model"):  # of PEFT, which wraps the model
        model = model.get_base_model()
    found = getattr(model, "base_model", None)
    if found is None or found is model:
        found = getattr(model, getattr(model, "base_model_prefix", None) or "base_model", None)
    return None if found is model or not hasattr(found, "forward") else found


def mean_outputs(output: Any, batch: Mapping[str, Any], pad: int | None) -> list[np.ndarray] | None:
    """Return the mean output over the tokens of each sample, and over each text of pairs if segments tell them apart.

    Args:
        output: what an encoder returned, alone, first in a tuple, or as `last_hidden_state`: a tensor (samples, tokens,
            width) or (samples, channels, height, width).
        batch: what it was given; `attention_mask`, else `input_ids` that are not `pad`, tell which tokens count.
        pad: id of the token that fills samples up; None = unknown.

    Returns:
        One float32 array (samples, width), or two for pairs; None if the output has another shape.
    """
    states = getattr(output, "last_hidden_state", None)
    if states is None:
        states = output[0] if isinstance(output, tuple | list) else output
    states = as_array(states, "the encoder's output")
    if states.ndim == 4:
        return [states.mean(axis=(2, 3), dtype=np.float32)]
    if states.ndim != 3:
        return None
    counted = _counted(batch, states.shape[:2], pad)
    segments = _of_tokens(batch, "token_type_ids", states.shape[:2])
    if segments is not None:
        texts = [counted & (segments == 0), counted & (segments == 1)]
        if all(text.any(axis=1).all() for text in texts):
            return [mean_over_tokens(states, text) for text in texts]
    return [mean_over_tokens(states, counted)]


def _counted(batch, shape, pad):
    """Return which tokens count, bool (samples, tokens)."""
    mask = _of_tokens(batch, "attention_mask", shape)
    if mask is not None:
        return mask > 0
    ids = _of_tokens(batch, "input_ids", shape)
    return np.ones(shape, bool) if ids is None or pad is None else ids != pad


def _of_tokens(batch, name, shape):
    """Return an entry of a batch that has one number per token; None if it has none."""
    found = batch.get(name) if isinstance(batch, Mapping) else None
    array = None if found is None else as_array(found, name)
    return array if array is not None and array.shape == shape else None
