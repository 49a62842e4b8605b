"""A model with its tokenizer."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from datamap.paddle_backend.framework import paddle, transformers


class Classifier(NamedTuple):
    """A paddle Layer (input_ids, token_type_ids) → logits (samples, classes), and its tokenizer."""

    model: Any
    tokenizer: Any


@contextlib.contextmanager
def first_token_only(model: Any) -> Iterator[None]:
    """While it lasts, the last layer of an ERNIE works out the first token alone.

    The classifier reads no other, so that the logits are the same (up to rounding) for less work: of
    2 layers nearly half of the second is saved. Models of other kinds are left as they are.
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
    """A transformer layer in evaluation mode, for the first token only: (samples, 1, width)."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, tokens: Any, src_mask: Any = None, **_: Any) -> Any:
        """What the layer makes of the first token, which looks at all."""
        layer, first = self.layer, tokens[:, :1]
        first = layer.norm1(first + layer.self_attn(first, tokens, tokens, src_mask))
        return layer.norm2(first + layer.linear2(layer.activation(layer.linear1(first))))
