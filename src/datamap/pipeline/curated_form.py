"""Say with which keys a curated file of a training file's own form is read, and read it so."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from datamap import schema
from datamap.data import delimited_text, files, multilabel, names, tokens
from datamap.data.originals import Layout
from datamap.data.table import Form
from datamap.data.units import UnitDataset
from datamap.errors import DataError
from datamap.schema import Task
from datamap.tracking.run import Run

# Names of columns and separators reach a command only if they are this harmless; a stranger may have made the run.
HARMLESS = re.compile(r"[^'\"\\\\$]{1,80}")
PLAIN = re.compile(r"(?!(?:null|true|false|nan|inf)$)[A-Za-z_][A-Za-z0-9_-]*")


class ReadingKeys(NamedTuple):
    """Hold the keys with which a file is read, in the syntax of the command line.

    Attributes:
        options: {key of `data`: value}.
        fits_others: tells whether they also fit files of the form that the training file had.
    """

    options: dict[str, str]
    fits_others: bool


def reading_keys(
    source: Run, layout: Layout, id_name: str | None, planted: bool, content: bytes
) -> tuple[ReadingKeys, UnitDataset]:
    """Return (the keys with which a curated file is read, what is read): no more keys than needed.

    Args:
        source: run of the training file.
        layout: how the file is written.
        id_name: the column of ids that was added; None if none was.
        planted: true if the planted kinds are no longer known.
        content: the file's bytes.

    Raises:
        DataError: the file could not be trained on.
    """
    given = (source.config("train") or {}).get("data") or {}
    columns = dict(_columns(layout, given.get("columns") or {}, id_name))
    if planted:
        columns["s_label"] = None
    detected = files.decoded(content, "").encoding == layout.encoding
    encoding = layout.encoding if given.get("encoding") or not detected else None
    separator = layout.separator if _is_harmless(layout.separator or "") else None
    form: dict[str, Any] = {"header": given.get("header"), "encoding": encoding, "delimiter": None}
    form["delimiter"] = _word(layout.delimiter) if given.get("delimiter") else None
    task = source.task().task
    try:
        read = _read(task, layout, content, columns, form, separator)
    except DataError:
        if layout.kind != "delimited" or given.get("delimiter"):
            raise
        form |= {"delimiter": _word(layout.delimiter), "header": layout.header is not None}
        read = _read(task, layout, content, columns, form, separator)
    options = {f"data.columns.{name}": value for name, value in columns.items()}
    options |= {f"data.{key}": value for key, value in form.items() if value is not None}
    options |= {"data.label_separator": separator} if separator else {}
    added = id_name is not None and "id" in columns
    return ReadingKeys({key: _shown(value) for key, value in options.items()}, not added), read


def _columns(layout: Layout, given: Mapping[str, Any], id_name: str | None) -> Iterator[tuple[str, Any]]:
    """Yield (column, its name or position) of those that are not found without being named."""
    by_position = layout.kind == "delimited" and layout.header is None
    for name in names.COLUMNS:
        wanted = given.get(name, "auto")
        if name == "id" and id_name is not None and layout.kind != "conll":
            if by_position:
                yield name, layout.width
            elif wanted != "auto" or id_name != "id":
                yield name, id_name
        elif name == "label" and layout.indicators:
            if all(map(_is_harmless, layout.indicators)):
                yield name, list(layout.indicators)
        elif name == "id" and id_name is not None:
            continue  # CoNLL has them in comments
        elif wanted != "auto" or (by_position and id_name is not None):
            yield name, _reference(layout, layout.places.get(name))


def _reference(layout: Layout, place: int | None) -> str | int | None:
    if place is None or layout.header is None:
        return place
    name = layout.header[place]
    return name if _is_harmless(name) and layout.header.count(name) == 1 else place


def _is_harmless(text: str) -> bool:
    return bool(HARMLESS.fullmatch(text)) and text.isprintable()


def _word(delimiter: str) -> str | None:
    words = {sign: word for word, sign in delimited_text.WORDS.items() if word.isalpha()}
    return words.get(delimiter, delimiter) or None


def _read(
    task: Task,
    layout: Layout,
    content: bytes,
    columns: Mapping[str, Any],
    form: Mapping[str, Any],
    separator: Any,
) -> UnitDataset:
    """Read the file as training will read it, so that one that cannot be trained on is never logged."""
    name = f"{schema.CURATED_STEM}{layout.suffix}"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, name)
        file.write_bytes(content)
        if task is Task.TOKENS:
            return tokens.load(file, columns, name=name, form=Form(**form))
        return multilabel.load(file, columns, name=name, form=Form(**form), separator=separator)


def _shown(value: Any) -> str:
    """Return a value as Hydra reads it."""
    if isinstance(value, list):
        return f"[{','.join(map(_shown, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value) if isinstance(value, int) or PLAIN.fullmatch(value) else f"'{value}'"
