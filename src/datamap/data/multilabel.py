"""Read texts that have several labels: joined in one cell, as a list, or as columns of 0 and 1."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from datamap.data import files, lookalikes, names, originals, rows, tables
from datamap.data.rewriting import SEPARATORS, listed
from datamap.data.rows import BadRows, Columns, Problem
from datamap.data.table import Form, Table, bit
from datamap.data.units import UnitDataset
from datamap.errors import DataError, first_few
from datamap.schema import DIRTY, NORMAL, Task
from datamap.translations import translate

MIN_BITS = 0.5  # share of 0 and 1 from which on a column is one of them, and other values in it are mistakes


class Labeled(NamedTuple):
    """Hold one usable text: the names of its labels, and of those whose value is wrong on purpose."""

    id: str
    line: int
    text: str
    labels: list[str]
    wrong: list[str]


VECTOR = "; a vector of 0 and 1 needs a column for each label"


class Places(NamedTuple):
    """Say where labels stand in a row.

    Attributes:
        places: {column of `COLUMNS`: its position}, of those that there are.
        indicators: {label: position of its column of 0 and 1}; empty where one cell has the labels.
        separator: what stands between the labels of a cell.
        blank: tells whether an empty cell means that a text has no label, as no cell holds a list.
    """

    places: dict[str, int]
    indicators: dict[str, int]
    separator: str | None
    blank: bool


def load(
    path: str | Path,
    columns: Columns,
    skip_bad: bool = False,
    class_names: Sequence[str] | None = None,
    name: str | None = None,
    form: Form = Form(),  # noqa: B008
    separator: str | None = None,
) -> UnitDataset:
    """Read a file of texts with several labels; a text may have none of them.

    Args:
        path: a file or folder that `dataset.load_samples` reads.
        columns: as there; `label` may also be a list of columns of 0 and 1. With auto and no column of labels, all
            columns of 0 and 1 are taken. s_label names the labels whose value is wrong on purpose.
        skip_bad: leave out malformed rows and list them in `bad_rows`, instead of raising an error.
        class_names: the allowed labels; None allows all that occur.
        name: the file's name in messages and in the run; None for its path.
        form: header, encoding and delimiter.
        separator: what stands between the labels of a cell; None detects it.

    Raises:
        DataError: the file is unreadable or a row malformed; the message names file, line and column.
    """
    path, name = Path(path), name or str(path)
    known = {c for c in columns.values() if isinstance(c, str) and c != "auto"}
    given = columns.get("label", "auto")
    known |= set(given if isinstance(given, list) else ())
    table = tables.read(path, form._replace(known=known, lists=True))
    layout, notes = _layout(table, columns, name, separator, class_names)
    bad_rows = BadRows(name, skip_bad, table.unit)
    # Their names are kept apart from our own columns'.
    indicated = {f"={label}": place for label, place in layout.indicators.items()}
    found: dict[str, int | None] = {**dict.fromkeys(names.COLUMNS), **layout.places, **indicated}
    shown = table.names or range(table.width)
    samples = rows.usable(
        table, found, bad_rows, lambda row, line, values: _sample(row, line, values, layout, shown)
    )
    order = list(layout.indicators) or table.classes.get(layout.places.get("label", -1), [])
    made = _dataset(name, samples, bad_rows, class_names, order, shown, layout)
    if class_names is None and not layout.indicators:
        counts = Counter(label for sample in samples for label in sample.labels)
        notes += lookalikes.notes(counts)
        joined = _joined(made.class_names, layout.separator)
        one_label = "read as one label each, because labels are separated by {separator!r}: {labels}"
        if joined:
            shown_labels = lookalikes.shown(joined, counts, "row")
            notes.append(translate(one_label, separator=layout.separator, labels=shown_labels))
    original = originals.original_of_table(
        table, path.suffix.lower(), layout.places, made.lines, layout.indicators, layout.separator
    )
    told = rows.notes_of_file(name, notes)
    return replace(made, notes=told, separator=layout.separator, original=original)


# ---------------------------------------------------------------------- where the labels stand


def _layout(
    table: Table, columns: Columns, name: str, separator: str | None, class_names: Sequence[str] | None
) -> tuple[Places, list[str]]:
    given_columns = columns.get("label", "auto")
    own = {**columns, "text_b": None} | ({"label": None} if isinstance(given_columns, list) else {})
    found = rows.find_columns(table, own, name, required=("text_a",))
    places = {key: place for key, place in found.items() if place is not None}
    indicators: dict[str, Any] = {}
    notes = [*table.notes, *rows.notes_on_columns(table, own, found)]
    if given_columns == []:
        raise DataError(f"{name}: data.columns.label=[] names no column; name at least one")
    if isinstance(given_columns, list):
        for label in given_columns:
            place: Any = rows.position("label", label, table, name)
            indicators[table.names[place] if table.names else str(label)] = place
    elif "label" not in places:
        indicators = _indicators(table, places, class_names, name)
        if not indicators:
            there = first_few(table.names or range(table.width), 20)
            raise DataError(
                f"{name} has neither a column of labels nor columns of 0 and 1 (columns: {there}); name them: "
                "data.columns.label=<name> or data.columns.label=[<name>,<name>]"
            )
        notes.append(
            translate("labels are taken from the columns {columns}", columns=first_few(indicators, 20))
        )
    if indicators:
        return Places(places, indicators, None, False), notes
    values = table.column(places["label"])
    given = separator or _separator(values)
    if given and not separator:
        notes.append(translate("its labels are separated by {separator!r}", separator=given))
    blank = not any(isinstance(value, list) for value in values)
    return Places(places, {}, given, blank), notes


def _indicators(
    table: Table, places: Mapping[str, int], class_names: Sequence[str] | None, name: str
) -> dict[str, int]:
    """Return the columns of 0 and 1 that have no other meaning; for development data, those of the training data.

    A column with few other values counts, too, so that these are reported.
    """
    header = table.names or []
    free = {column: place for place, column in enumerate(header) if place not in places.values()}
    if class_names is not None:
        lost = [label for label in class_names if label not in free]
        if lost and len(lost) < len(class_names):
            raise DataError(
                f"{name} has no column {first_few(lost)} (columns: {first_few(header, 20)}), which is a label of the "
                "training data"
            )
        return {label: free[label] for label in class_names if label in free}
    return {column: place for column, place in free.items() if _share_of_bits(table, place) >= MIN_BITS}


def _share_of_bits(table: Table, place: int) -> float:
    values = [value for row, value in enumerate(table.column(place)) if row not in table.problems]
    return sum(bit(value) is not None for value in values) / max(1, len(values))


def _separator(values: Iterable[Any]) -> str | None:
    """Return the separator that most cells have; None if no cell has one."""
    counts: Counter[str] = Counter()
    for value in values:
        if isinstance(value, str) and listed(value) is None:
            counts.update(set(value.strip()) & set(SEPARATORS))
    return max(SEPARATORS, key=lambda one: (counts[one], -SEPARATORS.index(one))) if counts else None


# ---------------------------------------------------------------------- rows


def _sample(
    row: int, line: int, values: Mapping[str, Any], layout: Places, shown: Sequence[Any]
) -> Labeled | Problem:
    places, indicators = layout.places, layout.indicators
    readers: dict[str, Callable[[Any], Any]] = {"id": rows.word_of, "text_a": rows.text_of}
    readers["label"] = lambda value: labels_of(value, layout.separator, layout.blank)
    readers["s_label"] = lambda value: labels_of(value, layout.separator, True)
    cells: dict[str, Any] = {"id": str(row), "s_label": [], "label": []}
    for key in places:
        if key in readers:
            try:
                cells[key] = readers[key](values[key])
            except ValueError as error:
                return Problem(str(error), shown[places[key]])
    for key in ("id", "text_a"):
        if not cells[key].strip():
            return Problem("empty", shown[places[key]])
    for label, place in indicators.items():
        present = bit(values[f"={label}"])
        if present is None:
            return Problem(
                f"{values[f'={label}']!r} is neither 0 nor 1; if the column is not a label, name the label columns: "
                "data.columns.label=[<name>,<name>]",
                shown[place],
            )
        cells["label"] += [label] * present
    return Labeled(cells["id"], line, cells["text_a"], cells["label"], cells["s_label"])


def labels_of(value: Any, separator: str | None, blank: bool = True) -> list[str]:
    """Return the labels in a cell: of a list, of a list as JSON, or of a text in which a separator divides them.

    Args:
        value: the cell.
        separator: what stands between two labels; None: a text is one label.
        blank: allow an empty cell, which means that there is no label.

    Raises:
        ValueError: a label is empty or occurs twice, or the cell holds something else.

    >>> labels_of("price|service", "|"), labels_of('["price"]', None), labels_of("", "|")
    (['price', 'service'], ['price'], [])
    """
    if isinstance(value, str):
        value = (listed(value) or (value,))[0]
        if value[:2] in ('["', "['"):
            raise ValueError(f'{value[:40]!r} looks like a list but cannot be parsed; write it as ["a", "b"]')
    if not isinstance(value, list):
        text = rows.word_of(value)
        if not text and not blank:
            raise ValueError("missing; give [] where a text has no label")
        value = (text.split(separator) if separator else [text]) if text else []
    labels = [rows.word_of(label) for label in value]
    if "" in labels:
        raise ValueError(f"label {labels.index('') + 1} of {len(labels)} has no name")
    twice = [label for label, count in Counter(labels).items() if count > 1]
    if twice:
        raise ValueError(
            f"label {twice[0]!r} occurs twice{VECTOR if set(labels) <= {'0', '1'} else '; name each once'}"
        )
    return labels


# ---------------------------------------------------------------------- the data set


def _dataset(
    path: str,
    samples: list[Labeled],
    bad_rows: BadRows,
    class_names: Sequence[str] | None,
    order: Sequence[str],
    shown: Sequence[Any],
    layout: Places,
) -> UnitDataset:
    column = shown[layout.places["label"]] if "label" in layout.places else None
    if class_names is None:
        there = {label for sample in samples for label in sample.labels} | set(layout.indicators)
        class_names = rows.class_order(there, order)
        if not class_names:
            raise DataError(
                f"{path}, column {column}: no text has a label; name another: data.columns.label="
            )
        if len(class_names) == 1 and all(sample.labels for sample in samples):
            raise DataError(
                f"{path}: every text has {class_names[0]!r}, the only label; training needs texts without it, or "
                "more labels"
            )
    known = set(class_names)
    usable = []
    for sample in samples:
        unknown = [label for label in sample.labels if label not in known]
        wrong = [label for label in sample.wrong if label not in known]
        if unknown:
            text = f"label {unknown[0]!r} is unknown (the training data has {first_few(class_names, 20)})"
            bad_rows.report(sample.line, Problem(text, column))
        elif wrong:
            text = f"{wrong[0]!r} is not a label; if the column means something else, set data.columns.s_label=null"
            bad_rows.report(sample.line, Problem(text, shown[layout.places["s_label"]]))
        else:
            usable.append(sample)
    if not usable:
        raise DataError(f"{path} has no usable row ({len(bad_rows.bad):,} bad ones)")
    if len(usable) * len(class_names) > files.MAX_CELLS:
        raise DataError(
            f"{path} has {len(usable):,} texts of {len(class_names):,} different labels; at most {files.MAX_CELLS:,} "
            "pairs of both are read: is data.columns.label= the right column?"
        )
    return UnitDataset(
        task=Task.MULTILABEL,
        path=path,
        ids=rows.ids_of([sample.id for sample in usable]),
        texts_a=[sample.text for sample in usable],
        words=None,
        labels=_indicator_rows([sample.labels for sample in usable], class_names).astype(np.int64),
        planted=np.where(_indicator_rows([sample.wrong for sample in usable], class_names), DIRTY, NORMAL),
        class_names=tuple(class_names),
        lines=[sample.line for sample in usable],
        bad_rows=bad_rows.bad,
    )


def _joined(class_names: Iterable[str], separator: str | None) -> list[str]:
    """Return the labels that contain another separator, as in files that several people edited."""
    names = set(class_names)
    return sorted(
        name
        for name in names
        for other in SEPARATORS
        if other != separator and other in name and {part.strip() for part in name.split(other)} <= names
    )


def _indicator_rows(chosen: Sequence[Sequence[str]], names: Sequence[str]) -> np.ndarray:
    """Return bool (samples, labels): true where a sample's list has the label."""
    index = {name: number for number, name in enumerate(names)}
    found = np.zeros((len(chosen), len(names)), bool)
    for row, labels in enumerate(chosen):
        found[row, [index[label] for label in labels]] = True
    return found
