"""Read sentences whose tokens have tags: CoNLL files, and rows with a list of tokens and a list of tags."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from datamap.data import conll, lookalikes, names, originals, rows, tables, units
from datamap.data.rows import BadRows, Columns, Problem
from datamap.data.table import Form, Table
from datamap.data.units import Tagged, UnitDataset
from datamap.errors import counted
from datamap.schema import KINDS
from datamap.tasks import entities
from datamap.tasks.task import IGNORED
from datamap.translations import translate

TABLES = (".json", ".jsonl", ".parquet")
CANONICAL = ("tokens", "tags", "text_a", "label", "s_label", "id")


def load(
    path: str | Path,
    columns: Columns,
    skip_bad: bool = False,
    class_names: Sequence[str] | None = None,
    name: str | None = None,
    form: Form = Form(),  # noqa: B008
) -> UnitDataset:
    """Read a file of sentences whose tokens have tags.

    Args:
        path: .json, .jsonl, .parquet or a folder of Hugging Face's save_to_disk, with a list of tokens and a list of
            tags in each row; any other file is CoNLL's (`conll.read`).
        columns: as `dataset.load_samples` has them: text_a are the tokens, label the tags, s_label the planted kinds.
        skip_bad: leave out malformed sentences and list them in `bad_rows`, instead of raising an error.
        class_names: the allowed tags; None allows all that occur.
        name: the file's name in messages and in the run; None for its path.
        form: encoding and delimiter.

    Raises:
        DataError: the file is unreadable or a sentence malformed; the message names file, line and column.
    """
    path, name = Path(path), name or str(path)
    if is_conll(path):
        bad_rows = BadRows(name, skip_bad)
        sentences, notes, original = conll.read(path, name, form, columns, bad_rows)
        found = units.tagged_dataset(name, sentences, bad_rows, class_names)
        row_of = {sentence.lines[0]: row for row, sentence in enumerate(sentences)}
        original = original.take([row_of[line] for line in found.lines])
        notes += _doubts(sentences)
        return replace(found, notes=rows.notes_of_file(name, notes), original=original)
    table = tables.read(path, form._replace(lists=True))
    return _of_table(table, columns, skip_bad, class_names, name, path.suffix.lower())


def is_conll(path: Path) -> bool:
    """Tell whether a file of tokens is read as CoNLL's, because it has no rows of lists."""
    return not (os.path.isdir(path) or path.suffix.lower() in TABLES)  # noqa: PTH112


def _of_table(
    table: Table, columns: Columns, skip_bad: bool, class_names: Sequence[str] | None, name: str, suffix: str
) -> UnitDataset:
    bad_rows = BadRows(name, skip_bad, table.unit)
    found = rows.find_columns(table, {**columns, "text_b": None}, name, names.token_positions)
    there = {key: place for key, place in found.items() if place is not None}
    header = table.names or []
    sentences = rows.usable(
        table, found, bad_rows, lambda row, line, values: _sentence(row, line, values, there, header)
    )
    order = table.classes.get(there["label"], ())
    made = units.tagged_dataset(name, sentences, bad_rows, class_names, order)
    notes = [*table.notes, *_notes(columns, there, header), *_doubts(sentences)]
    original = originals.original_of_table(table, suffix, there, made.lines, {}, None)
    return replace(made, notes=rows.notes_of_file(name, notes), original=original)


def _doubts(sentences: Sequence[Tagged]) -> list[str]:
    """Return notes on tags that may be mistyped: they look alike, or lack the place that the others have."""
    tags = Counter(tag for one in sentences for tag in one.tags)
    bare = entities.without_place(sorted(tags))
    says = "some tags lack the B- or I- of the others: {tags}; entities are compared only if every tag except O has one"
    found = [translate(says, tags=lookalikes.shown(bare, tags, "token"))] if bare else []
    return [*lookalikes.notes(tags, "token"), *found]


def _sentence(
    row: int, line: int, values: Mapping[str, Any], there: Mapping[str, int], header: Sequence[str]
) -> Tagged | Problem:
    cells: dict[str, Any] = {"id": str(row), "s_label": None}
    for key, read in READERS.items():
        if key in there:
            try:
                cells[key] = read(values[key])
            except ValueError as error:
                return Problem(str(error), header[there[key]])
    words = cells["text_a"]
    for key in ("label", "s_label"):
        if cells[key] is not None and len(cells[key]) != len(words):
            given = counted(len(cells[key]), "tag" if key == "label" else "value")
            return Problem(f"{given} for {counted(len(words), 'token')}", header[there[key]])
    kinds = cells["s_label"] or [0] * len(words)
    return Tagged(cells["id"], words, cells["label"], kinds, [line], header[there["label"]])


def _words(value: Any) -> list[str]:
    """Return the tokens of a cell: of a list, or the characters of a text.

    Raises:
        ValueError: there is none, or one is empty.
    """
    words = [rows.text_of(word) for word in value] if isinstance(value, list) else list(rows.text_of(value))
    if not words:
        raise ValueError("no token; leave the sentence out, or give its tokens as a list")
    if "" in words:
        raise ValueError(f"token {words.index('') + 1} is empty")
    return words


def _tags(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise ValueError("not a list; give one tag for each token")
    tags = [rows.word_of(tag) for tag in value]
    if "" in tags:
        raise ValueError(f"the tag of token {tags.index('') + 1} is empty")
    if str(IGNORED) in tags:
        raise ValueError(
            f"the tag of token {tags.index(str(IGNORED)) + 1} is {IGNORED}, which means no tag; give tags of whole "
            "tokens, not of word pieces"
        )
    return tags


def _kinds(value: Any) -> list[int]:
    if not isinstance(value, list) or any(kind not in KINDS or isinstance(kind, bool) for kind in value):
        raise ValueError(
            "not a list of 0 (normal), 1 (hard) and 2 (dirty), one for each token; if the column means something else, "
            "set data.columns.s_label=null"
        )
    return [int(kind) for kind in value]


def _id(value: Any) -> str:
    word = rows.word_of(value)
    if not word:
        raise ValueError("empty")
    return word


READERS = {"id": _id, "text_a": _words, "label": _tags, "s_label": _kinds}


def _notes(columns: Columns, there: Mapping[str, int], header: Sequence[str]) -> list[str]:
    """Return a note on columns that were found by a name other than the usual one."""
    found = [
        translate("{name} is column {column!r}", name=key, column=header[place])
        for key, place in there.items()
        if columns.get(key, "auto") == "auto" and header[place] not in CANONICAL
    ]
    return [translate(", ").join(found)] if found else []
