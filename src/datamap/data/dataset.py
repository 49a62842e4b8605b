"""Read labeled texts: read rows, find columns, check every row, and draw samples."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from datamap.data import lookalikes, rows, tables
from datamap.data.advice import advice
from datamap.data.names import COLUMNS
from datamap.data.rows import BadRows, Columns, Sample
from datamap.data.table import Form, Table
from datamap.data.units import D, Dataset, UnitDataset
from datamap.digests import digest_of
from datamap.errors import DataError, first_few, reason
from datamap.schema import DIRTY, Task
from datamap.tasks import units

if TYPE_CHECKING:
    import pandas as pd

NO_HEADER = (
    "; if this row names the columns, set data.header=true, data.columns.text_a= and data.columns.label=",
    "; if this row names the columns, name them text_a, label and id",
)


@dataclass(frozen=True, kw_only=True)
class TextDataset(Dataset):
    """Hold labeled texts or text pairs."""

    task: ClassVar[Task] = Task.CLASSIFICATION
    labels: np.ndarray
    planted: np.ndarray

    @property
    def digest(self) -> str:
        """Return the first 16 hex digits of the SHA-256 over everything that training sees."""
        content = [self.ids, self.texts_a, self.texts_b, self.labels.tolist(), self.planted.tolist()]
        return digest_of(json.dumps(content, ensure_ascii=False))[:16]

    def frame(self) -> "pd.DataFrame":
        """Return the samples as a DataFrame: id, text_a, text_b (for pairs), label, s_label."""
        import pandas as pd

        texts = {"text_a": self.texts_a} | ({"text_b": self.texts_b} if self.texts_b else {})
        return pd.DataFrame({"id": self.ids, **texts, "label": self.labels, "s_label": self.planted})


AnyDataset = TextDataset | UnitDataset


def load_samples(
    path: str | Path,
    columns: Columns,
    header: bool | None = None,
    skip_bad: bool = False,
    class_names: Sequence[str] | None = None,
    name: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    to_train: bool = True,
) -> TextDataset:
    """Read a file of labeled texts; texts stay exactly as they are, labels and ids lose surrounding blanks.

    Args:
        path: .tsv, .csv, .txt, .json, .jsonl, .xlsx or .parquet, or a folder of Hugging Face's save_to_disk.
        columns: {"text_a": …, "text_b": …, "label": …, "s_label": …, "id": …}. A value is a column's name, its position
            from 0, None (no such column) or "auto": found by its name in `COLUMNS` or a well-known alias. Without a
            header, "auto" assumes the order text_a, text_b, label, s_label; or text_a, label for two columns.
        header: True if the first line names the columns; None detects it.
        skip_bad: leave out malformed rows and list them in `bad_rows`, instead of raising an error.
        class_names: the allowed classes; None allows all that occur, sorted.
        name: the file's name in messages and in the run; None for its path.
        encoding: the name of an encoding in Python; None for UTF-8, or another encoding if that is certain.
        delimiter: one character, or a word (tab, comma, semicolon, pipe); None detects it.
        to_train: refuse classes that occur once, and a single class, from which nothing can be learned.

    Raises:
        DataError: the file is unreadable, a column is missing, or a row is malformed (wrong number of columns, empty
            text, missing or unknown label, repeated id, a class that occurs once, bytes that are not UTF-8); the
            message names file and line.
    """
    known = {c for c in columns.values() if isinstance(c, str) and c != "auto"}
    table = tables.read(Path(path), Form(header, encoding, delimiter, known))
    return _samples(name or str(path), table, columns, skip_bad, class_names, to_train)


def load_named(name: str, columns: Columns, skip_bad: bool = False) -> tuple[TextDataset, TextDataset]:
    """Load the (training, development) samples of a data set that PaddleNLP knows by name.

    Raises:
        DataError: PaddleNLP cannot download the data set and has no copy.
    """
    from paddlenlp.datasets import load_dataset

    try:
        parts = load_dataset(name, splits=["train", "dev"])
    except Exception as error:  # PaddleNLP raises many types when it is offline
        raise DataError(
            f"PaddleNLP cannot load data set {name!r} ({reason(error)}); "
            "give a local copy: data.path=<file> data.dev_path=<file>"
        ) from error
    train, dev = (_named_table(part) for part in parts)
    samples = _samples(name, train, columns, skip_bad, None)
    return samples, _samples(f"{name} (dev)", dev, columns, skip_bad, samples.class_names)


def _named_table(part: Sequence[dict[str, Any]]) -> Table:
    """Return one split of a PaddleNLP data set of text pairs as a table."""
    keys = ("query", "title", "label")
    names = list(COLUMNS[:3])
    return Table(names, 3, range(1, len(part) + 1), lambda n: [record[keys[n]] for record in part])


def _samples(
    path: str,
    table: Table,
    columns: Columns,
    skip_bad: bool,
    class_names: Sequence[str] | None,
    to_train: bool = True,
) -> TextDataset:
    found, bad_rows = rows.find_columns(table, columns, path), BadRows(path, skip_bad, table.unit)
    samples = rows.usable(table, found, bad_rows, rows.labeled)
    notes = [*table.notes, *rows.notes_on_columns(table, columns, found)]
    if class_names is None:
        if to_train:
            samples = rows.without_lone(samples, bad_rows, "" if table.names else advice(*NO_HEADER))
        order = table.classes.get(found["label"] or 0, ())
        class_names = rows.class_order({sample.label for sample in samples}, order)
        notes += lookalikes.notes([sample.label for sample in samples])
    samples = rows.without_unknown(samples, class_names, bad_rows)
    if not samples:
        raise DataError(f"{path} has no usable row ({len(bad_rows.bad):,} bad ones)")
    if to_train and len(class_names) < 2:
        raise DataError(
            f"{path} has only {len(class_names)} class ({first_few(class_names)}); a classifier needs two"
        )
    pairs = found["text_b"] is not None
    made = _columnar(path, samples, pairs, tuple(class_names))
    return replace(made, bad_rows=bad_rows.bad, notes=rows.notes_of_file(path, notes))


def _columnar(path: str, samples: list[Sample], pairs: bool, class_names: tuple[str, ...]) -> TextDataset:
    index = {name: number for number, name in enumerate(class_names)}
    return TextDataset(
        path=path,
        ids=rows.ids_of([sample.id for sample in samples]),
        texts_a=[sample.text_a for sample in samples],
        texts_b=[sample.text_b for sample in samples] if pairs else None,
        labels=np.array([index[sample.label] for sample in samples], np.int64),
        planted=np.array([sample.planted for sample in samples], np.int64),
        class_names=class_names,
        lines=[sample.line for sample in samples],
    )


def draw(samples: D, count: int, seed: int) -> D:
    """Draw `count` random samples, in their file's order; all of them if there are no more.

    Raises:
        DataError: a class was drawn only once.
    """
    if count >= len(samples):
        return samples
    rows = np.sort(np.random.default_rng([seed, 1]).choice(len(samples), count, replace=False))
    return part(samples, rows, f"data.sample={count}")


def select_by_id(
    key: str, wanted: Sequence[str], known: Iterable, where: str, in_units: bool = False
) -> np.ndarray:
    """Tell which samples a key names by their ids.

    Args:
        key: the key's name in messages.
        wanted: the ids that it gives.
        known: ids of the samples there are.
        where: what has these samples, for messages.
        in_units: an id may be that of a unit, which names the unit's sample.

    Returns:
        bool (samples,), True for a sample that is named.

    Raises:
        DataError: no sample has a given id.
    """
    ids = [str(one) for one in known]
    wanted = units.sample_ids_of(wanted, set(ids)) if in_units else wanted
    asked = set(wanted)
    unknown = asked.difference(ids)
    if unknown:
        missing = first_few([one for one in wanted if one in unknown])
        raise DataError(f"{key}: {where} has no sample {missing}")
    return np.array([one in asked for one in ids], bool)


def part(samples: D, rows: np.ndarray, key: str) -> D:
    """Return the samples at `rows`, which a key chose.

    Raises:
        DataError: nothing can be learned from them: they are of one class, or a class has only one sample.
    """
    chosen: Any = samples.take(rows)
    if isinstance(chosen, TextDataset):
        _refuse_lone(samples, chosen, key)
    return chosen


def _refuse_lone(samples: Any, chosen: TextDataset, key: str) -> None:
    lone = np.flatnonzero(np.bincount(chosen.labels)[chosen.labels] == 1)
    if len(lone):
        name, line = samples.class_names[chosen.labels[lone[0]]], chosen.lines[lone[0]]
        raise DataError(
            f"{samples.path}, line {line}: {key} chose class {name!r} only once; choose more samples"
            + (", or use another data.seed" if key.startswith("data.sample") else "")
        )
    if len(set(chosen.labels.tolist())) < 2:
        raise DataError(f"{samples.path}: {key} chose samples of one class; a classifier needs two")


def flip_labels(samples: TextDataset, ratio: float, seed: int) -> TextDataset:
    """Plant dirty labels: give `ratio` of the samples another random class, and kind 2."""
    count = round(ratio * len(samples))
    generator = np.random.default_rng([seed, 2])
    chosen = generator.choice(len(samples), count, replace=False)
    labels, planted = samples.labels.copy(), samples.planted.copy()
    classes = len(samples.class_names)
    labels[chosen] = (labels[chosen] + generator.integers(1, classes, count)) % classes
    planted[chosen] = DIRTY
    return replace(samples, labels=labels, planted=planted)
