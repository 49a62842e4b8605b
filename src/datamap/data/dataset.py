"""Labelled texts from files: rows read, columns found, every row checked, samples drawn."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from datamap.data.textfiles import Row, read_rows
from datamap.errors import DataError, did_you_mean, first_few
from datamap.schema import DIRTY, KINDS

COLUMNS = ("text_a", "text_b", "label", "s_label", "id")
POSITIONS = {"text_a": 0, "text_b": 1, "label": 2, "s_label": 3}  # the original's order


class BadRow(NamedTuple):
    """A row that was left out, and why."""

    path: str
    line: int
    problem: str


@dataclass(frozen=True)
class Samples:
    """Labelled texts or text pairs.

    `ids` are ints or strings, `labels` and `s_labels` int64 arrays (samples,); `texts_b` is None
    for single texts. `lines` are the samples' lines in `path`; `bad_rows` were left out.
    """

    path: str
    ids: list
    texts_a: list
    texts_b: list | None
    labels: np.ndarray
    s_labels: np.ndarray
    class_names: tuple
    lines: list
    bad_rows: list = field(default_factory=list)

    def __len__(self):
        return len(self.ids)

    @property
    def digest(self):
        """SHA-256 over everything that training sees, the first 16 hex digits."""
        content = [self.ids, self.texts_a, self.texts_b, self.labels.tolist(), self.s_labels.tolist()]
        text = json.dumps(content, ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def frame(self):
        """The samples as a DataFrame: id, text_a, text_b where there is one, label, s_label."""
        import pandas as pd

        texts = {"text_a": self.texts_a} | ({"text_b": self.texts_b} if self.texts_b else {})
        return pd.DataFrame({"id": self.ids, **texts, "label": self.labels, "s_label": self.s_labels})

    def take(self, rows):
        """The samples at `rows`, in that order."""

        def pick(values):
            return None if values is None else [values[row] for row in rows]

        return replace(
            self,
            ids=pick(self.ids),
            texts_a=pick(self.texts_a),
            texts_b=pick(self.texts_b),
            labels=self.labels[rows],
            s_labels=self.s_labels[rows],
            lines=pick(self.lines),
        )


def load_samples(path, columns, header=None, skip_bad=False, class_names=None, name=None):
    """Read a file of labelled texts.

    Args:
        path: .tsv, .csv, .jsonl or .parquet, UTF-8 with or without a byte-order mark.
        columns: {"text_a": …, "text_b": …, "label": …, "s_label": …, "id": …}, each the name of a
            column, its position from 0, None (there is none) or "auto" (by the name in `COLUMNS`,
            else by the original's order text_a text_b label [s_label]).
        header: whether the first line names the columns; None = find out.
        skip_bad: leave malformed rows out and name them in `bad_rows`, instead of an error.
        class_names: the classes that labels must be of; None = those that occur, sorted.
        name: what the file is called in messages and in the run; None = its path.
    Raises:
        DataError: the file cannot be read, a column is not there, or a row is malformed (wrong
            column count, empty text, no label, unknown label, id given twice, a class that occurs
            once, bytes that are not UTF-8), with file and line.
    """
    known = {*COLUMNS, *(c for c in columns.values() if isinstance(c, str))}
    return _samples(name or str(path), *read_rows(Path(path), header, known), columns, skip_bad, class_names)


def load_named(name, columns, header=None, skip_bad=False):
    """The (training, development) samples of a data set that PaddleNLP knows by name.

    Raises:
        DataError: PaddleNLP cannot download it and has no copy.
    """
    from paddlenlp.datasets import load_dataset

    try:
        parts = load_dataset(name, splits=["train", "dev"])
    except Exception as error:  # paddlenlp raises all sorts when it is offline
        raise DataError(
            f"data set {name!r} cannot be loaded by PaddleNLP ({str(error).strip().splitlines()[0]}); "
            "give a local copy with data.path=<file> data.dev_path=<file>"
        ) from error
    train, dev = (_named_rows(part) for part in parts)
    samples = _samples(name, *train, columns, skip_bad, None)
    return samples, _samples(f"{name} (dev)", *dev, columns, skip_bad, samples.class_names)


def _named_rows(part):
    """(column names, [Row]) of one split of a PaddleNLP data set of text pairs."""
    keys = ("query", "title", "label")
    return list(COLUMNS[:3]), [Row(n, [record[key] for key in keys]) for n, record in enumerate(part, 1)]


def _samples(path, names, rows, columns, skip_bad, class_names):
    places = _find_columns(names, rows, columns, path)
    reader = _RowReader(path, places, len(names or ()) or _usual_width(rows), skip_bad)
    samples = reader.read(rows)
    if class_names is None:
        samples = _drop_lone_classes(samples, reader)
        class_names = _sorted_classes(set(samples["label"]))
    return _to_samples(samples, tuple(class_names), reader)


def draw(samples, count, seed):
    """`count` random samples in their file's order; all of them when there are no more."""
    if count >= len(samples):
        return samples
    rows = np.random.default_rng([seed, 1]).choice(len(samples), count, replace=False)
    drawn = samples.take(np.sort(rows))
    lone = np.flatnonzero(np.bincount(drawn.labels)[drawn.labels] == 1)
    if len(lone):
        name, line = samples.class_names[drawn.labels[lone[0]]], drawn.lines[lone[0]]
        raise DataError(
            f"{samples.path}, line {line}: data.sample={count} drew class {name!r} only once; "
            "draw more samples or use another seed"
        )
    return drawn


def flip_labels(samples, ratio, seed):
    """Plant dirty labels: give `ratio` of the samples another class and s_label 2."""
    count = round(ratio * len(samples))
    generator = np.random.default_rng([seed, 2])
    rows = generator.choice(len(samples), count, replace=False)
    labels, s_labels = samples.labels.copy(), samples.s_labels.copy()
    classes = len(samples.class_names)
    labels[rows] = (labels[rows] + generator.integers(1, classes, count)) % classes
    s_labels[rows] = DIRTY
    return replace(samples, labels=labels, s_labels=s_labels)


def _usual_width(rows):
    widths = [len(row.fields) for row in rows]
    return max(set(widths), key=widths.count)


def _find_columns(names, rows, columns, path):
    """{column: position in a row, or None}."""
    width = len(names) if names else _usual_width(rows)
    places = {c: _place(c, columns.get(c, "auto"), names, width, path) for c in COLUMNS}
    named = {c for c in COLUMNS if names and columns.get(c, "auto") == "auto" and c in names}
    for column, position in POSITIONS.items():
        free = position not in [places[c] for c in COLUMNS if c != column]
        if columns.get(column, "auto") == "auto" and column not in named and position < width and free:
            places[column] = position
    for column in ("text_a", "text_b", "label"):
        if places[column] is None and columns.get(column, "auto") is not None:
            raise DataError(
                f"{path}: no column for {column} among {first_few(names or range(width), 20)}; name it "
                f"with data.columns.{column}= (for single texts: data.columns.text_b=null)"
            )
    return places


def _place(column, wanted, names, width, path):
    if wanted is None:
        return None
    if isinstance(wanted, int):
        if not 0 <= wanted < width:
            raise DataError(f"{path}: data.columns.{column}={wanted}, but rows have columns 0 to {width - 1}")
        return wanted
    if wanted == "auto":
        return names.index(column) if names and column in names else None
    if not names or wanted not in names:
        there = f"columns: {first_few(names, 20)}" if names else "the file has no header"
        hint = did_you_mean(wanted, names or [])
        raise DataError(f"{path}: no column {wanted!r} for data.columns.{column}{hint} ({there})")
    return names.index(wanted)


class _RowReader:
    """Checks rows one by one; an unusable one is an error, or is noted when `skip_bad`."""

    def __init__(self, path, places, width, skip_bad):
        self.path, self.places, self.width, self.skip_bad = path, places, width, skip_bad
        self.bad = []

    def refuse(self, line, problem):
        if not self.skip_bad:
            raise DataError(
                f"{self.path}, line {line}: {problem} (data.on_bad_row=skip leaves such rows out)"
            )
        self.bad.append(BadRow(self.path, line, problem))

    def read(self, rows):
        """Columns of the good rows: {"line": […], "text_a": […], …}."""
        good, seen = [], {}
        for number, row in enumerate(rows):
            sample = self._sample(row, number)
            if isinstance(sample, str):
                self.refuse(row.line, sample)
            elif sample["id"] in seen:
                self.refuse(row.line, f"id {sample['id']!r} was given in line {seen[sample['id']]} already")
            else:
                seen[sample["id"]] = row.line
                good.append(sample)
        if not good:
            raise DataError(f"{self.path}: no usable row ({len(self.bad)} bad ones)")
        return {key: [sample[key] for sample in good] for key in good[0]}

    def _sample(self, row, number):
        """The row's values, or what is wrong with it as a string."""
        if isinstance(row.fields, str):
            return row.fields
        if len(row.fields) != self.width:
            return f"{len(row.fields)} columns instead of {self.width}"
        cells = {c: _cell(row.fields, place) for c, place in self.places.items()}
        problem = _problem(cells, self.places)
        if problem:
            return problem
        kind = cells["s_label"] or "0"
        if self.places["id"] is None:
            cells["id"] = number
        return {**cells, "line": row.line, "s_label": int(kind)}


def _cell(fields, place):
    """A row's value as text; ids that are ints stay ints."""
    value = None if place is None else fields[place]
    return "" if value is None else str(value).strip()


def _problem(cells, places):
    for column, text in cells.items():
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            return f"{column} has bytes that are not UTF-8"
        if not text and places[column] is not None and column != "s_label":
            return f"{column} is empty"
    if cells["s_label"] not in {"", *map(str, KINDS)}:
        return (
            f"s_label {cells['s_label']!r} is not 0 (normal), 1 (hard) or 2 (dirty); "
            "if that column is something else, say data.columns.s_label=null"
        )
    return None


def _drop_lone_classes(samples, reader):
    """Refuse the samples of classes that occur once: they can be neither learnt nor compared."""
    labels = samples["label"]
    lone = {label for label, count in Counter(labels).items() if count == 1}
    if not lone:
        return samples
    for line, label in zip(samples["line"], labels, strict=True):
        if label in lone:
            reader.refuse(line, f"class {label!r} occurs only once")
    keep = [row for row, label in enumerate(labels) if label not in lone]
    return {key: [values[row] for row in keep] for key, values in samples.items()}


def _sorted_classes(labels):
    try:
        return sorted(labels, key=int)
    except ValueError:
        return sorted(labels)


def _to_samples(samples, class_names, reader):
    index = {name: number for number, name in enumerate(class_names)}
    unknown = [row for row, label in enumerate(samples["label"]) if label not in index]
    for row in unknown:
        label = samples["label"][row]
        known = f"the training data has {first_few(class_names, 20)}"
        reader.refuse(samples["line"][row], f"class {label!r} is not known ({known})")
    keep = sorted(set(range(len(samples["label"]))) - set(unknown))
    if len(class_names) < 2:
        raise DataError(
            f"{reader.path}: only {len(class_names)} class ({first_few(class_names)}); a classifier needs two"
        )
    return Samples(
        path=reader.path,
        ids=_ids([samples["id"][row] for row in keep]),
        texts_a=[samples["text_a"][row] for row in keep],
        texts_b=None if reader.places["text_b"] is None else [samples["text_b"][row] for row in keep],
        labels=np.array([index[samples["label"][row]] for row in keep], np.int64),
        s_labels=np.array([samples["s_label"][row] for row in keep], np.int64),
        class_names=class_names,
        lines=[samples["line"][row] for row in keep],
        bad_rows=reader.bad,
    )


def _ids(ids):
    """Ints when all of them are ints as they stand (no leading zeros), else strings."""
    as_written = all(str(i).lstrip("-").isdigit() and str(int(i)) == str(i) for i in ids)
    return [int(i) for i in ids] if as_written else [str(i) for i in ids]
