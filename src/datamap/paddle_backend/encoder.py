"""Compute embeddings: the mean of a Paddle encoder's last layer over the tokens of each text."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from datamap.paddle_backend import modeling
from datamap.paddle_backend.classifier import Classifier
from datamap.paddle_backend.encoding import encode_texts
from datamap.paddle_backend.framework import paddle
from datamap.paddle_backend.tokens import Tokens
from datamap.signals.embeddings import mean_over_tokens


def mean_outputs(
    classifier: Classifier, tokens: Tokens, batch_size: int, bar: Callable[[Iterable], Iterable] = iter
) -> np.ndarray:
    """Return the mean output of the encoder's last layer over each text's tokens, float32 (texts, width).

    The model is in evaluation mode meanwhile, and draws no random numbers.

    Args:
        classifier: the model, whose head is not used, and its tokenizer.
        tokens: the tokens of the texts.
        batch_size: number of texts in a batch.
        bar: wraps the iterable of the batches.
    """
    model, pad = classifier.model, classifier.tokenizer.pad_token_id
    encoder = getattr(model, model.base_model_prefix)
    batches = tokens.sorted_batches(np.arange(len(tokens)), batch_size)
    training, parts = model.training, []
    model.eval()
    with paddle.no_grad():
        for batch in bar(batches):
            ids, segments = tokens.batch(batch, pad)
            states = encoder(paddle.to_tensor(ids), paddle.to_tensor(segments))[0].astype("float32").numpy()
            inside = np.arange(states.shape[1]) < tokens.lengths[batch, None]
            parts.append(mean_over_tokens(states, inside))
    model.train() if training else model.eval()
    found = np.empty((len(tokens), parts[0].shape[1]), np.float32)
    found[np.concatenate(batches)] = np.concatenate(parts)
    return found


def text_encoder(name: str, max_length: int) -> Callable[[Sequence[str]], np.ndarray]:
    """Load the encoder of a folder or of a name that PaddleNLP knows: a function of texts.

    Raises:
        ModelError: the model cannot be loaded.
    """
    classifier = modeling.pretrained(name, ())

    def encoder(texts: Sequence[str]) -> np.ndarray:
        return mean_outputs(classifier, encode_texts(classifier, texts, None, max_length), len(texts))

    return encoder
