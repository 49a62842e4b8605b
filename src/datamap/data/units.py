"""Hold labeled samples, and those of several units: sentences whose tokens have tags, or texts with several labels."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from datamap.data import rows
from datamap.data.originals import Original
from datamap.data.rows import BadRow, BadRows, Problem
from datamap.digests import digest_of
from datamap.errors import DataError, first_few
from datamap.schema import Task
from datamap.tasks.rows import joined

if TYPE_CHECKING:
    import pandas as pd

D = TypeVar("D", bound="Dataset")
PER_SAMPLE = (
    "ids",
    "texts_a",
    "texts_b",
    "words",
    "labels",
    "planted",
    "lines",
)  # attributes with a value for each


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Hold labeled samples of a file.

    Attributes:
        path: the file, or its name in messages.
        ids: ints or strings, unique.
        texts_a: the text of each sample, or the first one.
        texts_b: the second text; None for single texts.
        words: the tokens of each sample; None for other tasks.
        labels: int64 (samples,), class indices; of units see `UnitDataset`.
        planted: int64, planted kinds (`schema.KINDS`), of the same shape.
        class_names: names of the classes, by index.
        lines: the line of each sample in the file.
        bad_rows: the rows that were left out.
        notes: lines that tell people what was detected in the file.
        original: the file's text of each sample, for tasks whose samples have units.
    """

    path: str
    ids: list[int] | list[str]
    texts_a: list[str]
    texts_b: list[str] | None = None
    words: list[list[str]] | None = None
    labels: Any
    planted: Any
    class_names: tuple[str, ...]
    lines: list[int]
    bad_rows: list[BadRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    original: Original | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def take(self: D, rows: Iterable[int]) -> D:
        """Return the samples at `rows`, in that order."""
        chosen = [int(row) for row in rows]

        def pick(values: Any) -> Any:
            if values is None:
                return None
            return values[chosen] if isinstance(values, np.ndarray) else [values[row] for row in chosen]

        taken = {name: pick(getattr(self, name)) for name in PER_SAMPLE}
        return replace(self, **taken, original=self.original and self.original.take(chosen))


@dataclass(frozen=True, kw_only=True)
class UnitDataset(Dataset):
    """Hold samples of several units.

    Attributes:
        task: tokens or multilabel.
        texts_a: the text of each sample; its tokens joined (`tasks.rows.joined`).
        labels: int64, for each sample the tag's index of each token, or 0 or 1 for each label: (samples, labels).
        class_names: the tags, or the labels, by index.
        separator: what stands between the labels of a cell; None where nothing does.
    """

    task: Task
    labels: Sequence[np.ndarray] | np.ndarray
    planted: Sequence[np.ndarray] | np.ndarray
    separator: str | None = None

    @property
    def digest(self) -> str:
        """Return the first 16 hex digits of the SHA-256 over everything that training sees."""
        arrays = [[one.tolist() for one in part] for part in (self.labels, self.planted)]
        content = [self.ids, self.words or self.texts_a, self.class_names, *arrays]
        return digest_of(json.dumps(content, ensure_ascii=False))[:16]

    def frame(self) -> "pd.DataFrame":
        """Return the samples as a DataFrame: id, text_a."""
        import pandas as pd

        return pd.DataFrame({"id": self.ids, "text_a": self.texts_a})

    def json_lines(self) -> bytes:
        """Return a JSON object per line for each sample: id, tokens and tags; or id, text and labels."""
        return b"".join(
            json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in map(self.record, range(len(self)))
        )

    def record(self, row: int) -> dict[str, Any]:
        """Return a sample as `json_lines` writes it."""
        labels = self.labels[row]
        if self.words is not None:
            tags = [self.class_names[label] for label in labels]
            return {"id": self.ids[row], "tokens": self.words[row], "tags": tags}
        names = [self.class_names[index] for index in np.flatnonzero(labels)]
        return {"id": self.ids[row], "text": self.texts_a[row], "labels": names}


class Tagged(NamedTuple):
    """Hold one usable sentence.

    Attributes:
        id: the sentence's id.
        words: its tokens.
        tags: the tag of each token.
        kinds: the planted kind of each token.
        lines: the line of each token in the file, from 1; one for all where a line holds a sentence.
        column: the column of the tags, for messages.
    """

    id: str
    words: list[str]
    tags: list[str]
    kinds: list[int]
    lines: list[int]
    column: str | int


def tagged_dataset(
    path: str,
    sentences: list[Tagged],
    bad_rows: BadRows,
    class_names: Sequence[str] | None,
    order: Sequence[str] = (),
) -> UnitDataset:
    """Return sentences with tags as a data set.

    Args:
        path: the file, for messages.
        sentences: the usable sentences.
        bad_rows: collects the others.
        class_names: the allowed tags; None allows all that occur.
        order: tags in an order of the file's own, before all others.

    Raises:
        DataError: a tag is unknown, no sentence is left, or all tokens have one tag.
    """
    if class_names is None:
        class_names = sorted_tags({tag for one in sentences for tag in one.tags}, order)
        if len(class_names) == 1:
            raise DataError(f"{path} has only the tag {class_names[0]!r}; a tagger needs two")
    index = {name: number for number, name in enumerate(class_names)}
    usable = []
    for one in sentences:
        unknown = next((place for place, tag in enumerate(one.tags) if tag not in index), None)
        if unknown is None:
            usable.append(one)
        else:
            line = one.lines[min(unknown, len(one.lines) - 1)]
            known = f"the training data has {first_few(class_names, 20)}"
            text = f"tag {one.tags[unknown]!r} of token {unknown + 1} is unknown ({known})"
            bad_rows.report(line, Problem(text, one.column))
    if not usable:
        raise DataError(f"{path} has no usable sentence ({len(bad_rows.bad):,} bad ones)")
    words = [one.words for one in usable]
    return UnitDataset(
        task=Task.TOKENS,
        path=path,
        ids=rows.ids_of([one.id for one in usable]),
        texts_a=list(map(joined, words)),
        words=words,
        labels=[np.array([index[tag] for tag in one.tags], np.int64) for one in usable],
        planted=[np.array(one.kinds, np.int64) for one in usable],
        class_names=tuple(class_names),
        lines=[one.lines[0] for one in usable],
        bad_rows=bad_rows.bad,
    )


def sorted_tags(tags: Iterable[str], order: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the tags: those of `order` first, then O, then the others by entity type and prefix.

    >>> sorted_tags({"I-PER", "B-PER", "O", "B-LOC"})
    ('O', 'B-LOC', 'B-PER', 'I-PER')
    """
    there = set(tags)
    first = [name for name in order if name in there]
    return (*first, *sorted(there - set(first), key=lambda tag: (tag != "O", *tag.partition("-")[::-1])))
