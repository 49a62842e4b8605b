"""Texts as the model takes them."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from datamap.data.dataset import Samples
from datamap.errors import ModelError
from datamap.paddle_backend import word_pieces
from datamap.paddle_backend.classifier import Classifier
from datamap.paddle_backend.tokens import Tokens

Encoded = tuple[list[int], list[int]]  # token ids, segment ids


def encode(
    classifier: Classifier,
    samples: Samples,
    max_length: int,
    bar: Callable[[Iterable], Iterable] = iter,
) -> Tokens:
    """`Tokens` of the samples, each cut to `max_length`.

    Args:
        bar: wraps the iterable of the samples, such as tqdm.
    Raises:
        ModelError: a text has more tokens than the model has positions, or the vocabulary is not the model's.
    """
    seconds: list[str] | list[None] = samples.texts_b or [None] * len(samples)
    pairs = bar(list(zip(samples.texts_a, seconds, strict=True)))
    way = by_word_pieces if word_pieces.fit(classifier.tokenizer) else by_tokenizer
    tokens = Tokens.of(way(classifier.tokenizer, pairs, max_length))
    config = classifier.model.config
    if config.type_vocab_size < 2:  # RoBERTa does not tell the two texts of a pair apart
        tokens = Tokens(tokens.ids, np.zeros_like(tokens.segments), tokens.lengths, tokens.starts)
    _check(tokens, config)
    return tokens


def by_tokenizer(tokenizer: Any, pairs: Iterable, max_length: int) -> Iterator[Encoded]:
    """Encode (text, text or None) pairs, each by a call of the tokenizer."""
    # Of a text that is too long the rest is cut; paddlenlp warns that it does not return it.
    warnings.filterwarnings("ignore", "Be aware, overflowing tokens", UserWarning)
    for text_a, text_b in pairs:
        found = tokenizer(text_a, text_b, max_length=max_length, truncation=True)
        ids = found["input_ids"]
        yield ids, found.get("token_type_ids", [0] * len(ids))


def by_word_pieces(tokenizer: Any, pairs: Iterable, max_length: int) -> Iterator[Encoded]:
    """The same for tokenizers of which `word_pieces.fit`."""
    pieces = word_pieces.WordPieces(tokenizer)
    pair, single = _Frame(tokenizer, paired=True), _Frame(tokenizer, paired=False)
    for text_a, text_b in pairs:
        if text_b is None:
            yield single.around(pieces.ids(text_a), [], max_length)
        else:
            yield pair.around(pieces.ids(text_a), pieces.ids(text_b), max_length)


class _Frame:
    """The special tokens around and between texts, as the tokenizer puts them."""

    def __init__(self, tokenizer: Any, paired: bool) -> None:
        texts = ([-1], [-2]) if paired else ([-1],)
        ids = tokenizer.build_inputs_with_special_tokens(*texts)
        segments = tokenizer.create_token_type_ids_from_sequences(*texts)
        if "token_type_ids" not in tokenizer.model_input_names:
            segments = [0] * len(ids)
        first = ids.index(-1)
        second = ids.index(-2) if paired else len(ids)
        self.special = len(ids) - len(texts)
        self.before, self.between, self.after = ids[:first], ids[first + 1 : second], ids[second + 1 :]
        self.first, self.second = segments[first], segments[second:][:1]
        self.segments = segments[:first], segments[first + 1 : second], segments[second + 1 :]

    def around(self, a: list[int], b: list[int], max_length: int) -> Encoded:
        """A sample of one or two texts; of the longer one more is cut, of two alike the second's end first."""
        room = max_length - self.special
        b = b[: max(room - len(a), room // 2)]
        a = a[: room - len(b)]
        before, between, after = self.segments
        ids = [*self.before, *a, *self.between, *b, *self.after]
        return ids, [*before, *[self.first] * len(a), *between, *self.second * len(b), *after]


def _check(tokens: Tokens, config: Any) -> None:
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
