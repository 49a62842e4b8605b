"""Word pieces at speed: PaddleNLP's own tokenizer, asked once for each character and once for each word."""

import re
import unicodedata
from typing import Any

from datamap.paddle_backend.framework import transformers

ASK = "\0"  # stands for a character that depends on its neighbours; no tokenizer keeps it
MOST_WORDS = 1_000_000  # remembered at a time


class WordPieces:
    """`ids(text)` is what the tokenizer makes of a text without special tokens, some fifteen times faster.

    A tokenizer of BERT or ERNIE treats each character alike wherever it stands: it drops, lowers, spaces
    or keeps it. So what becomes of it between two letters holds for all texts, and the rest is words,
    of which each has its pieces. The few texts of which that is not true go to the tokenizer itself.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.characters, self.words = _Characters(tokenizer), _Words(tokenizer)
        special = {*tokenizer.unique_no_split_tokens, *tokenizer.all_special_tokens}
        self.special = re.compile("|".join(map(re.escape, special)), re.IGNORECASE)

    def ids(self, text: str) -> list[int]:
        """Token ids of a text."""
        words = text.translate(self.characters)
        if ASK in words or self.special.search(text):
            return self.tokenizer.convert_tokens_to_ids(self.tokenizer.tokenize(text))
        return [piece for word in words.split() for piece in self.words[word]]


def fit(tokenizer: Any) -> bool:
    """Whether `WordPieces` gives what this tokenizer gives."""
    return (
        type(tokenizer) in (transformers.BertTokenizer, transformers.ErnieTokenizer)
        and getattr(tokenizer, "do_basic_tokenize", True)
        and not tokenizer.basic_tokenizer.never_split
        and not tokenizer.split_special_tokens
        and tokenizer.truncation_side == "right"
    )


class _Characters(dict):
    """Code point → what the tokenizer makes of it before it looks for words; for `str.translate`."""

    def __init__(self, tokenizer: Any) -> None:
        super().__init__()
        self.basic, self.lower = tokenizer.basic_tokenizer, tokenizer.do_lower_case

    def __missing__(self, code: int) -> str:
        character = chr(code).lower() if self.lower else chr(code)
        # Marks are put into an order among themselves. Those that are not dropped are rare.
        found = " ".join(self.basic.tokenize(f"x{character}x"))[1:-1]
        self[code] = ASK if any(map(unicodedata.combining, found)) else found
        return self[code]


class _Words(dict):
    """Word → ids of its pieces."""

    def __init__(self, tokenizer: Any) -> None:
        super().__init__()
        self.tokenizer = tokenizer

    def __missing__(self, word: str) -> tuple[int, ...]:
        if len(self) >= MOST_WORDS:
            self.clear()
        pieces = self.tokenizer.wordpiece_tokenizer.tokenize(word)
        self[word] = tuple(self.tokenizer.convert_tokens_to_ids(pieces))
        return self[word]
