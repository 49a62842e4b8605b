"""Read CoNLL files: one token a line with its tag in the last column, and a blank line after each sentence."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from datamap.data import delimited_text, files, rewriting, rows
from datamap.data.originals import Layout, Original, Row
from datamap.data.rows import BadRows, Columns, Problem
from datamap.data.table import Form
from datamap.data.units import Tagged
from datamap.errors import DataError, counted
from datamap.schema import KINDS

DOCUMENT = "-DOCSTART-"  # CoNLL-2003's line between documents
COMMENT = re.compile(r"#\s*([\w.]+)\s*=\s*(.*)")  # `# id = 7`
BLANKS = re.compile(r"[ \t]+")
ID_NAMES = ("id", "sent_id")
EXAMPLE = "a line has a token and its tag"


class _Line(NamedTuple):
    number: int
    cells: list[str]
    text: str


class _Block(NamedTuple):
    """Hold the lines of a sentence, and its id if a comment names it."""

    id: str | None
    lines: list[_Line]


_Places = dict[str, int]  # {column of `names.COLUMNS`: its position}; s_label is missing where there is none


def read(
    path: Path, name: str, form: Form, columns: Columns, bad_rows: BadRows
) -> tuple[list[Tagged], list[str], Original]:
    """Return (the usable sentences of a file, notes on what was detected, the file's text of each sentence).

    Columns are divided by tabs if most lines have one and blanks do not give all lines as many columns, else by blanks.
    Lines that begin with `#` before a sentence's first token are comments, of which `# id = …` (or `# sent_id = …`)
    names the sentence.

    Args:
        path: the file.
        name: its name in messages.
        form: encoding and delimiter.
        columns: positions of the tokens (text_a), the tags (label) and the planted kinds (s_label), from 0; auto is the
            first column, the last column, and none.
        bad_rows: collects the other sentences.

    Raises:
        DataError: the file is unreadable, has no token, or lacks a column.
    """
    text, notes, encoding = files.decoded(files.content(path), name, form.encoding)
    files.check_rows(text.count("\n"), 0, name)
    given = delimited_text.given_delimiter(form.delimiter)
    by = _delimiter(text) if given is None else given
    lines = _lines(text, by)
    of_tokens = [line for line in lines if line.cells and not _is_aside(line.text)]
    if not of_tokens:
        raise DataError(f"{name} has no token; {EXAMPLE}")
    width = Counter(len(line.cells) for line in of_tokens).most_common(1)[0][0]
    if width < 2:
        raise DataError(
            f"{name}, line {of_tokens[0].number}: 1 column; {EXAMPLE}, separated by a tab or a blank (data.delimiter=)"
        )
    places, blocks = _places(columns, width, name), list(_blocks(lines, width))
    with_ids = columns.get("id", "auto") is not None and any(block.id is not None for block in blocks)
    sentences = list(_sentences(blocks, width, places, with_ids, bad_rows))
    documents, texts = _texts(text, lines, blocks)
    layout = Layout(
        kind="conll",
        suffix=".conll",
        places=places,
        width=width,
        encoding=encoding,
        numbered=not with_ids,
        delimiter=by,
        documents=documents,
    )
    return sentences, notes, Original(layout, [texts[one.lines[0]] for one in sentences])


def _is_aside(line: str) -> bool:
    """Tell whether a line looks like a comment, or stands between documents."""
    return line.startswith(("#", DOCUMENT))


def _delimiter(text: str) -> str:
    """Detect what divides columns: a tab, or "" for blanks."""
    lines = [line for line in map(str.strip, text.splitlines()) if line and not _is_aside(line)]
    tabbed = sum("\t" in line for line in lines)
    widths = {len(BLANKS.split(line)) for line in lines}
    return "\t" if tabbed == len(lines) or (2 * tabbed > len(lines) and len(widths) > 1) else ""


def _lines(text: str, by: str) -> list[_Line]:
    """Return all lines; blank ones have no cells."""
    found = []
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        bare = line.strip(" \t")
        cells = (line.split(by) if by else BLANKS.split(bare)) if bare else []
        found.append(_Line(number, cells, bare))
    return found


def _blocks(lines: list[_Line], width: int) -> Iterator[_Block]:
    """Yield the sentences; comments and lines between documents are left out."""
    block = _Block(None, [])
    for line in lines:
        said = None if block.lines else COMMENT.fullmatch(line.text)
        if said:
            if said[1].lower() in ID_NAMES:
                block = _Block(said[2].strip(), [])
        elif not line.cells or line.text.startswith(DOCUMENT):
            if block.lines:
                yield block
                block = _Block(None, [])
        elif block.lines or len(line.cells) == width or not line.text.startswith("#"):
            block.lines.append(line)
    if block.lines:
        yield block


def _texts(text: str, lines: list[_Line], blocks: list[_Block]) -> tuple[list[str], dict[int, Row]]:
    """Return (the lines that begin each document, {line of a sentence's first token: the file's text of it})."""
    given = rewriting.lines_of(text)
    documents, found, start = [""], dict[int, Row](), 0
    for block in blocks:
        first, last = block.lines[0].number - 1, block.lines[-1].number
        markers = [n + 1 for n in range(start, first) if lines[n].text.startswith(DOCUMENT)]
        if markers:
            end = _after_blanks(lines, markers[-1], len(given))
            documents.append("".join(given[start:end]))
            start = end
        end = _after_blanks(lines, last, len(given))
        found[first + 1] = Row("".join(given[first:end]), "".join(given[start:first]), len(documents) - 1)
        start = end
    return documents, found


def _after_blanks(lines: list[_Line], start: int, end: int) -> int:
    while start < end and not lines[start].cells:
        start += 1
    return start


def _places(columns: Columns, width: int, name: str) -> _Places:
    automatic = {"text_a": 0, "label": width - 1, "s_label": None}
    found: dict[str, int | None] = {}
    for key, usual in automatic.items():
        given: Any = columns.get(key, "auto")
        if isinstance(given, str) and given != "auto":
            raise DataError(
                f"{name}: data.columns.{key}={given}: a CoNLL file names no columns; "
                f"give a position from 0 to {width - 1}"
            )
        if type(given) is int and given >= width:
            raise DataError(
                f"{name}: data.columns.{key}={given} is out of range; lines have columns 0 to {width - 1}"
            )
        found[key] = usual if given == "auto" else given
    if found["text_a"] is None or found["label"] is None:
        raise DataError(
            f"{name}: data.columns.text_a and data.columns.label need a position from 0 to {width - 1}"
        )
    return {key: place for key, place in found.items() if place is not None}


def _sentences(
    blocks: list[_Block], width: int, places: _Places, with_ids: bool, bad_rows: BadRows
) -> Iterator[Tagged]:
    seen: dict[str, int] = {}
    for row, block in enumerate(blocks):
        first = block.lines[0].number
        problem = next(filter(None, (_problem(line, width, places) for line in block.lines)), None)
        if problem:
            bad_rows.report(*problem)
            continue
        id = str(row) if not with_ids else block.id or ""
        if not id:
            bad_rows.report(
                first,
                "no line `# id = …` before this sentence, as others have; or number all: data.columns.id=null",
            )
        elif id in seen:
            bad_rows.report(
                first,
                f"id {id!r} occurs in line {seen[id]} already; to number the sentences instead: data.columns.id=null",
            )
        else:
            seen[id] = first
            yield Tagged(
                id=id,
                words=[line.cells[places["text_a"]] for line in block.lines],
                tags=[line.cells[places["label"]].strip() for line in block.lines],
                kinds=[
                    int(line.cells[places["s_label"]]) if "s_label" in places else 0 for line in block.lines
                ],
                lines=[line.number for line in block.lines],
                column=places["label"],
            )


def _problem(line: _Line, width: int, places: _Places) -> tuple[int, str | Problem] | None:
    """Return (line, what is wrong with it); None if it can be used."""
    cells = line.cells
    if len(cells) != width:
        return (
            line.number,
            f"{counted(len(cells), 'column')} instead of {width}; a blank line ends a sentence",
        )
    for place, what in ((places["text_a"], "token"), (places["label"], "tag")):
        try:
            text = rows.text_of(cells[place])
        except ValueError as error:
            return line.number, Problem(f"the {what} {error}", place)
        if not text or (what == "tag" and not text.strip()):
            return line.number, Problem(f"the {what} is empty", place)
    planted = places.get("s_label")
    if planted is not None and cells[planted] not in map(str, KINDS):
        problem = f"s_label {cells[planted]!r} is not 0 (normal), 1 (hard) or 2 (dirty)"
        return line.number, Problem(problem, planted)
    return None
