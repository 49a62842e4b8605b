"""A model with its tokenizer, and texts as the model takes them."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from datamap.data.dataset import Samples
from datamap.errors import ModelError
from datamap.training.framework import paddle, transformers
from datamap.training.tokens import Tokens


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


def encode(classifier: Classifier, samples: Samples, max_length: int) -> Tokens:
    """`Tokens` of the samples, each cut to `max_length`.

    Raises:
        ModelError: a text has more tokens than the model has positions, or the vocabulary is not the model's.
    """
    config = classifier.model.config
    # Of a text that is too long the rest is cut; paddlenlp warns that it does not return it.
    warnings.filterwarnings("ignore", "Be aware, overflowing tokens", UserWarning)
    seconds: list[str] | list[None] = samples.texts_b or [None] * len(samples)
    pairs = zip(samples.texts_a, seconds, strict=True)
    encoded = (
        classifier.tokenizer(text_a, text_b, max_length=max_length, truncation=True)
        for text_a, text_b in pairs
    )
    tokens = Tokens.of(
        [(e["input_ids"], e.get("token_type_ids", [0] * len(e["input_ids"]))) for e in encoded]
    )
    if config.type_vocab_size < 2:  # RoBERTa does not tell the two texts of a pair apart
        tokens = Tokens(tokens.ids, np.zeros_like(tokens.segments), tokens.lengths, tokens.starts)
    # RoBERTa counts positions from the one after its padding.
    positions = config.max_position_embeddings - (config.pad_token_id + 1) * (config.model_type == "roberta")
    longest = int(tokens.lengths.max())
    if longest > positions:
        raise ModelError(
            f"a text has {longest} tokens, and the model takes {positions}: trainer.max_length={positions} cuts it"
        )
    if tokens.ids.max() >= config.vocab_size:
        raise ModelError(
            f"the tokenizer gives token {tokens.ids.max()}, and the model knows {config.vocab_size}: "
            "vocabulary and weights are of different models"
        )
    return tokens
