"""Hold a model with its tokenizer."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from datamap.paddle_backend.framework import paddle, transformers


class Classifier(NamedTuple):
    """Hold a Paddle layer, (input_ids, token_type_ids) → logits (samples, classes), and its tokenizer."""

    model: Any
    tokenizer: Any


@contextlib.contextmanager
def first_token_only(model: Any) -> Iterator[None]:
    """Let the last layer of an ERNIE compute the first token only, until the context ends.

    The classifier reads no other token, so the logits stay the same up to rounding, and the last layer takes about half
    of the time. Other models are not changed.
    """
    if not isinstance(model, transformers.ErnieForSequenceClassification):
        yield
        return
    layers = model.ernie.encoder.layers
    index = len(layers) - 1
    last = layers[index]
    layers[index] = _FirstToken(last)
    try:
        yield
    finally:
        layers[index] = last


class _FirstToken(paddle.nn.Layer):
    """Compute the first token of a transformer layer in evaluation mode: (samples, 1, width)."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, tokens: Any, src_mask: Any = None, **_: Any) -> Any:
        """Compute the layer's output for the first token, which attends to all tokens."""
        layer, first = self.layer, tokens[:, :1]
        first = layer.norm1(first + layer.self_attn(first, tokens, tokens, src_mask))
        return layer.norm2(first + layer.linear2(layer.activation(layer.linear1(first))))
