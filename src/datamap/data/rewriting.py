"""Change labels, tags and ids in the text of a row, in the form that it has."""

import ast
import contextlib
import io
import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from datamap.data import rows

if TYPE_CHECKING:
    from datamap.data.originals import Layout

BLANKS = re.compile(r"[^ \t\r\n]+")  # cells between blanks
SEPARATORS = "|;,、；，/+ \t"  # between labels; of two that occur equally often, the first one is taken
# How lists stand in cells: (reader, writer); pandas writes those of Python.
LISTS: tuple[tuple[Callable[[str], Any], Callable[[list], str]], ...] = (
    (json.loads, partial(json.dumps, ensure_ascii=False)),
    (ast.literal_eval, repr),
)
OPPOSITE = {"0": "1", "1": "0", "0.0": "1.0", "1.0": "0.0", "true": "false", "false": "true"}


class Change(NamedTuple):
    """Say what changes in a sample.

    Attributes:
        place: the token's place in its sentence, or the label's index.
        name: the new tag, or the label.
        present: several labels: true if the sample has the label from now on.
    """

    place: int
    name: str
    present: bool | None = None


def relabeled(layout: "Layout", text: str, changes: Sequence[Change]) -> str:
    """Return the text of a row with other labels or tags."""
    if layout.kind == "conll":
        return _with_tags(layout, text, changes)
    if layout.kind == "delimited":
        cells, end = _split(layout, text)
        for change in changes:
            place = layout.indicators.get(change.name, layout.places.get("label", 0))
            cells[place] = quoted(_changed(layout, _bare(layout, cells[place]), change), layout)
        return layout.delimiter.join(cells) + end
    row, end = json.loads(text), text[len(text.rstrip()) :]
    header = layout.header or []
    for change in changes:
        key = header[layout.indicators.get(change.name, layout.places.get("label", 0))]
        row[key] = _changed(layout, row.get(key), change)
    return json.dumps(row, ensure_ascii=False) + end


def with_id(layout: "Layout", text: str, id: Any, name: str) -> str:
    """Return the text of a row with the sample's id."""
    if layout.kind == "conll":
        return f"# id = {id}\n{text}"
    if layout.kind == "delimited":
        return _appended(layout, text, str(id))
    end = text[len(text.rstrip()) :]
    return json.dumps({**json.loads(text), name: id}, ensure_ascii=False) + end


def with_id_column(layout: "Layout", head: str, name: str) -> str:
    """Return what stands above the first row, with a further column in the header if there is one."""
    if layout.kind != "delimited" or layout.header is None:
        return head
    start = head.rstrip("\r\n").rfind("\n") + 1
    return head[:start] + _appended(layout, head[start:], name)


def _appended(layout: "Layout", text: str, cell: str) -> str:
    cells, end = _split(layout, text)
    filled = [*cells, *[""] * (layout.width - len(cells))]
    return layout.delimiter.join([*filled, quoted(cell, layout)]) + end


# ---------------------------------------------------------------------- CoNLL


def lines_of(text: str) -> list[str]:
    """Return the lines of a text with their ends; Python's `splitlines` knows further ends."""
    return list(io.StringIO(text, newline=""))


def _with_tags(layout: "Layout", text: str, changes: Sequence[Change]) -> str:
    lines = lines_of(text)
    for change in changes:
        lines[change.place] = _with_tag(layout, lines[change.place], change.name)
    return "".join(lines)


def _with_tag(layout: "Layout", line: str, tag: str) -> str:
    place = layout.places["label"]
    if layout.delimiter:
        body = line.rstrip("\r\n")
        cells = body.split(layout.delimiter)
        cells[place] = tag
        return layout.delimiter.join(cells) + line[len(body) :]
    start, end = list(BLANKS.finditer(line))[place].span()
    return line[:start] + tag + line[end:]


# ---------------------------------------------------------------------- cells


def _split(layout: "Layout", text: str) -> tuple[list[str], str]:
    """Return (the cells of a row of delimited text, with their quotation marks, the line end and what follows)."""
    body = text.rstrip("\r\n")
    by = layout.delimiter
    if not layout.quoted:
        return body.split(by), text[len(body) :]
    cell = re.compile(rf'("(?:[^"]|"")*"|[^{re.escape(by)}]*)({re.escape(by)}|\Z)')
    cells, position = [], 0
    while found := cell.match(body, position):
        cells.append(found[1])
        position = found.end()
        if not found[2]:
            break
    return cells, text[len(body) :]


def _bare(layout: "Layout", cell: str) -> str:
    return cell[1:-1].replace('""', '"') if layout.quoted and cell.startswith('"') else cell


def quoted(cell: str, layout: "Layout") -> str:
    """Return a cell in quotation marks if it needs them."""
    special = (layout.delimiter, '"', "\n", "\r")
    needed = layout.quoted and any(sign in cell for sign in special)
    return '"' + cell.replace('"', '""') + '"' if needed else cell


def _changed(layout: "Layout", value: Any, change: Change) -> Any:
    """Return a cell with another tag of one of its tokens, with or without a label, or with the other of 0 and 1."""
    if change.present is None:
        tags = list(value)
        tags[change.place] = _alike(change.name, tags[change.place])
        return tags
    if change.name in layout.indicators:
        return _flipped(value)
    found = listed(value) if isinstance(value, str) else None
    if found:
        return found[1](_with_label(found[0], change))
    if isinstance(value, list):
        return _with_label(value, change)
    return _with_word("" if value is None else str(value), change, layout.separator or SEPARATORS[0])


def listed(cell: str) -> tuple[list, Callable[[list], str]] | None:
    """Return (the list that a cell holds as JSON or as Python writes it, what writes a list so); None for a text."""
    if cell.lstrip().startswith("["):
        for read, write in LISTS:
            with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                found = read(cell.strip())
                if isinstance(found, list):
                    return found, write
    return None


def _alike(name: str, old: Any) -> Any:
    return int(name) if type(old) is int else name


def _with_label(labels: list, change: Change) -> list:
    if not change.present:
        return [label for label in labels if rows.word_of(label) != change.name]
    return [*labels, _alike(change.name, labels[0] if labels else change.name)]


def _with_word(cell: str, change: Change, separator: str) -> str:
    words = cell.split(separator) if cell.strip() else []
    if not change.present:
        left = [word for word in words if rows.word_of(word) != change.name]
        return separator.join(left).strip()
    blank = " " if len(words) > 1 and words[1].startswith(" ") else ""
    return separator.join([*words, blank * bool(words) + change.name])


def _flipped(value: Any) -> Any:
    """Return the other of 0 and 1 in the same notation: 1, 1.0, "TRUE", true."""
    if not isinstance(value, str):
        return type(value)(not value)
    word = value.strip()
    other = OPPOSITE[word.lower()]
    same = {word.lower(): other, word.upper(): other.upper(), word.capitalize(): other.capitalize()}
    return same[word]
