"""Read the rows of training files whose samples have several units: tokens with tags, and texts with several labels."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from datamap.errors import DataError, first_few, shortened
from datamap.schema import Task
from datamap.tasks.task import IGNORED

TOKEN_KEYS = ("tokens", "words")  # keys of a row, as data sets name them
TAG_KEYS = ("tags", "ner_tags", "pos_tags", "labels")
LABEL_KEYS = ("labels", "label")
WINDOW = 12  # tokens on each side of a token that is shown by itself
_CJK = re.compile("[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")  # with their punctuation


class Given(NamedTuple):
    """Hold the tokens and labels that rows give for their samples' units.

    Attributes:
        tokens: the tokens of each sample; () for texts with several labels.
        labels: int32, the class index of each unit of all samples, in order.
        counts: int64 (samples,), the units of each sample; 0 where a row says nothing of them.
        key: the key of the rows that holds them; None if no row has it.
    """

    tokens: Sequence[list[str]]
    labels: np.ndarray
    counts: np.ndarray
    key: str | None

    def rows_of(self, samples: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Return the row of `labels` of each unit, −1 where the rows say nothing of it."""
        starts = np.cumsum(self.counts) - self.counts
        known = (samples >= 0) & (positions < self.counts[samples])
        return np.where(known, starts[samples] + positions, -1)


def read(rows: Sequence[Mapping], task: Task, names: Sequence[str] | None, where: str = "samples=") -> Given:
    """Read tokens and labels from rows.

    Args:
        rows: rows of a training file. Of tokens: lists of texts under "tokens" or "words", and lists of as many tags
            under "tags", "ner_tags", "pos_tags" or "labels", as names or class indices; null or −100 means no tag. Of
            several labels: under "labels" or "label" a list of names, or a list of one 0 or 1 per label.
        task: the task.
        names: class names (labels' names) by index; None = unknown.
        where: beginning of error messages.

    Raises:
        DataError: a row has no tokens, another number of tags than tokens, or a label that names no class.
    """
    index = {name: number for number, name in enumerate(names or ())}
    keys = TAG_KEYS if task is Task.TOKENS else LABEL_KEYS
    key = next((key for key in keys if any(key in row for row in rows)), None)
    tokens: list[list[str]] = []
    found: list[np.ndarray] = []
    for number, row in enumerate(rows, start=1):
        here = f"{where}: row {number}"
        own = _tokens(row, here) if task is Task.TOKENS else None
        if own is not None:
            tokens.append(own)
        value = None if key is None else row.get(key)
        if value is None:
            found.append(np.zeros(0, np.int32))
        elif own is not None:
            found.append(np.array(_tags(value, own, index, names, f"{here}: {key}"), np.int32))
        else:
            found.append(np.array(_label_vector(value, index, names, f"{here}: {key}"), np.int32))
    counts = np.array([len(labels) for labels in found], np.int64)
    return Given(tokens, np.concatenate([*found, np.zeros(0, np.int32)]), counts, key)


def _listed(value: Any, here: str) -> list:
    value = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(value, list | tuple):
        raise DataError(f"{here}: {shortened(value)} is not a list")
    return list(value)


def _tokens(row: Mapping, here: str) -> list[str]:
    key = next((key for key in TOKEN_KEYS if key in row), None)
    if key is None:
        raise DataError(
            f"{here} has no tokens (keys: {first_few(row, 10)}); give a list of texts under 'tokens'"
        )
    tokens = _listed(row[key], f"{here}: {key}")
    odd = next((token for token in tokens if not isinstance(token, str) or not token), None)
    if odd is not None or not tokens:
        raise DataError(f"{here}: {key}: {'no token' if not tokens else f'{shortened(odd)} is not a text'}")
    return tokens


def _tags(value: Any, tokens: list[str], index: Mapping[str, int], names: Any, here: str) -> list[int]:
    """Return the class indices of the tokens that have a tag."""
    tags = _listed(value, here)
    if len(tags) != len(tokens):
        raise DataError(f"{here} has {len(tags)} tags for {len(tokens)} tokens")
    return [_class(tag, index, names, here) for tag in tags if tag is not None and tag != IGNORED]


def _label_vector(value: Any, index: Mapping[str, int], names: Any, here: str) -> list[int]:
    """Return 0 or 1 for each label."""
    given = _listed(value, here)
    if is_vector(given, names):
        return [int(one) for one in given]
    if names is None:
        raise DataError(f"{here} names labels: give class_names=, by label index")
    chosen = {_class(one, index, names, here, numbers=False) for one in given}
    return [int(label in chosen) for label in range(len(names))]


def is_vector(given: Sequence, names: Sequence[str] | None) -> bool:
    """Tell whether a row's labels are one 0 or 1 for each label, and no list of names."""
    if not given or (names is not None and len(given) != len(names)):
        return False
    return all(isinstance(one, int | float | np.number) and one in (0, 1) for one in given)


def _class(value: Any, index: Mapping[str, int], names: Any, here: str, numbers: bool = True) -> int:
    """Return a class index from a name or, if `numbers`, from an index."""
    if isinstance(value, str):
        if names is None:
            raise DataError(f"{here} names its classes: give class_names=, by class index")
        if value not in index:
            raise DataError(f"{here}: {shortened(value)} is not a class ({first_few(names, 20)})")
        return index[value]
    whole = numbers and isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= 0
    if not whole or (names is not None and value >= len(names)):
        raise DataError(
            f"{here}: {shortened(value)} is not a class" + (f" ({first_few(names, 20)})" if names else "")
        )
    return int(value)


def joined(tokens: Iterable[str]) -> str:
    """Join tokens to a text: characters of Chinese and Japanese without spaces, other tokens with spaces.

    >>> joined(["In", "Paris", "."]), joined(["在", "北", "京"])
    ('In Paris .', '在北京')
    """
    parts: list[str] = []
    for token in tokens:
        if parts and not (_CJK.match(token[0]) and _CJK.match(parts[-1][-1])):
            parts.append(" ")
        parts.append(token)
    return "".join(parts)


def marked(tokens: Sequence[str], place: int) -> str:
    """Return the text around a token, with the token in brackets.

    >>> marked(["In", "Paris", "."], 1)
    'In [Paris] .'
    """
    start, end = max(0, place - WINDOW), place + WINDOW + 1
    before, after = joined(tokens[start:place]), joined(tokens[place + 1 : end])
    parts = ["…" if start else "", before, f"[{tokens[place]}]", after, "…" if end < len(tokens) else ""]
    return " ".join(part for part in parts if part)


def tagged_places(row: Mapping, key: str | None, count: int) -> np.ndarray:
    """Return the places of a row's tokens that have a tag; of all `count` tokens where the row has no tags."""
    tags = None if key is None else row.get(key)
    if tags is None:
        return np.arange(count)
    return np.array([place for place, tag in enumerate(tags) if tag is not None and tag != IGNORED], np.int64)
