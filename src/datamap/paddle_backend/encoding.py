"""Encode texts as token ids and segment ids."""

import warnings
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from datamap.data.dataset import AnyDataset
from datamap.data.units import UnitDataset
from datamap.errors import ModelError
from datamap.paddle_backend import word_pieces
from datamap.paddle_backend.classifier import Classifier
from datamap.paddle_backend.tokens import Tokens, Words

Encoded = tuple[list[int], list[int]]  # token ids, segment ids


def encode(
    classifier: Classifier,
    samples: AnyDataset,
    max_length: int,
    bar: Callable[[Iterable], Iterable] = iter,
) -> Tokens:
    """Encode the samples, and truncate each to `max_length` tokens (`encode_texts`, `encode_words`)."""
    if isinstance(samples, UnitDataset) and samples.words is not None:
        return encode_words(classifier, samples.words, max_length, bar)
    return encode_texts(classifier, samples.texts_a, samples.texts_b, max_length, bar)


def encode_texts(
    classifier: Classifier,
    texts_a: Sequence[str],
    texts_b: Sequence[str] | None,
    max_length: int,
    bar: Callable[[Iterable], Iterable] = iter,
) -> Tokens:
    """Encode texts or pairs of texts, and truncate each to `max_length` tokens.

    Args:
        classifier: the model and the tokenizer to use.
        texts_a: the texts.
        texts_b: the second texts of pairs; None for single texts.
        max_length: largest number of tokens of a sample.
        bar: wraps the iterable of the samples, such as tqdm.

    Raises:
        ModelError: a text has more tokens than the model has positions, or model and tokenizer do not match.
    """
    seconds: Sequence[str] | list[None] = texts_b or [None] * len(texts_a)
    pairs = bar(list(zip(texts_a, seconds, strict=True)))
    encode_pairs = encode_fast if word_pieces.supports(classifier.tokenizer) else encode_by_tokenizer
    tokens = Tokens.from_lists(encode_pairs(classifier.tokenizer, pairs, max_length))
    return _fitting(tokens, classifier.model.config)


def _fitting(tokens: Tokens, config: Any) -> Tokens:
    """Return tokens as a model takes them; raise ModelError if they are too many, or beyond its vocabulary."""
    if config.type_vocab_size < 2:  # RoBERTa has no segments for the two texts of a pair
        none = np.zeros_like(tokens.segments)
        tokens = Tokens(tokens.ids, none, tokens.lengths, tokens.starts, tokens.words)
    # RoBERTa counts positions from the one after its padding.
    positions = config.max_position_embeddings - (config.pad_token_id + 1) * (config.model_type == "roberta")
    longest = int(tokens.lengths.max())
    if longest > positions:
        raise ModelError(
            f"a text has {longest} tokens, but the model accepts at most {positions}; "
            f"set trainer.max_length={positions}"
        )
    if tokens.ids.max() >= config.vocab_size:
        raise ModelError(
            f"the tokenizer returns token id {tokens.ids.max()}, but the model has {config.vocab_size} tokens; "
            "use the vocabulary that belongs to the weights"
        )
    return tokens


def encode_words(
    classifier: Classifier,
    sentences: Sequence[Sequence[str]],
    max_length: int,
    bar: Callable[[Iterable], Iterable] = iter,
) -> Tokens:
    """Encode sentences word by word, and truncate each to `max_length` tokens.

    The first piece of a word stands for the word. A word that the tokenizer drops, such as a blank, is an unknown one.

    Args:
        classifier: the model and the tokenizer to use.
        sentences: the words of each sentence.
        max_length: largest number of tokens of a sentence; words beyond it are left out.
        bar: wraps the iterable of the sentences, such as tqdm.

    Raises:
        ModelError: a sentence has more tokens than the model has positions, or model and tokenizer do not match.
    """
    tokenizer = classifier.tokenizer
    frame, pieces_of = _Frame(tokenizer, paired=False), _pieces(tokenizer)
    room, first = max_length - frame.special, len(frame.before)
    positions, counts = array("i"), array("q")

    def encoded() -> Iterator[Encoded]:
        for words in bar(sentences):
            ids: list[int] = []
            before = len(positions)
            for word in words:
                if len(ids) >= room:
                    break
                positions.append(first + len(ids))
                ids += pieces_of(word) or [tokenizer.unk_token_id]
            counts.append(len(positions) - before)
            yield frame.around(ids, [], max_length)

    tokens = Tokens.from_lists(encoded())
    found = Words.from_counts(np.array(positions, np.int32), np.array(counts, np.int64))
    tokens = Tokens(tokens.ids, tokens.segments, tokens.lengths, tokens.starts, found)
    return _fitting(tokens, classifier.model.config)


def _pieces(tokenizer: Any) -> Callable[[str], list[int]]:
    """Return a function that encodes a word without special tokens."""
    if word_pieces.supports(tokenizer):
        return word_pieces.WordPieces(tokenizer).ids
    return lambda word: tokenizer.convert_tokens_to_ids(tokenizer.tokenize(word))


def encode_by_tokenizer(tokenizer: Any, pairs: Iterable, max_length: int) -> Iterator[Encoded]:
    """Encode (text, text or None) pairs with a call of the tokenizer for each."""
    # PaddleNLP warns for each truncated text that it does not return the rest.
    warnings.filterwarnings("ignore", "Be aware, overflowing tokens", UserWarning)
    for text_a, text_b in pairs:
        found = tokenizer(text_a, text_b, max_length=max_length, truncation=True)
        ids = found["input_ids"]
        yield ids, found.get("token_type_ids", [0] * len(ids))


def encode_fast(tokenizer: Any, pairs: Iterable, max_length: int) -> Iterator[Encoded]:
    """Encode (text, text or None) pairs with `WordPieces`, for tokenizers that `word_pieces.supports`."""
    pieces = word_pieces.WordPieces(tokenizer)
    pair, single = _Frame(tokenizer, paired=True), _Frame(tokenizer, paired=False)
    for text_a, text_b in pairs:
        if text_b is None:
            yield single.around(pieces.ids(text_a), [], max_length)
        else:
            yield pair.around(pieces.ids(text_a), pieces.ids(text_b), max_length)


class _Frame:
    """Put special tokens around and between texts, as the tokenizer does."""

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
        """Encode a sample of one or two texts; truncate the longer text more, the second one first if both are long."""
        room = max_length - self.special
        b = b[: max(room - len(a), room // 2)]
        a = a[: room - len(b)]
        before, between, after = self.segments
        ids = [*self.before, *a, *self.between, *b, *self.after]
        return ids, [*before, *[self.first] * len(a), *between, *self.second * len(b), *after]
