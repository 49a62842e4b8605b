"""Keep a training file's text of each sample verbatim, and write a file in the same format from it."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, TypeAdapter

from datamap.data import rewriting, rows
from datamap.data.rewriting import Change
from datamap.data.table import Table

Place = Annotated[int, Field(ge=0)]


class Row(NamedTuple):
    """Hold a file's text of a sample.

    Attributes:
        text: its row, or the lines of its tokens, with the blank lines that follow.
        above: CoNLL: the comments above its first token.
        document: CoNLL: index of its document in `Layout.documents`.
    """

    text: str
    above: str = ""
    document: Place = 0


@dataclass(frozen=True)
class Layout:
    r"""Say how a training file is written.

    Attributes:
        kind: CoNLL lines, delimited text, an object of JSON per line, or an array of them.
        suffix: of the file that is written, such as ".tsv".
        encoding: as Python names it.
        places: {column of `names.COLUMNS`: its position}, of those that there are.
        header: names of the columns; None if the file has none.
        width: the number of columns.
        numbered: true if the file has no ids, so that samples have their row's number.
        indicators: {label: position of its column of 0 and 1}.
        separator: what stands between the labels of a cell.
        delimiter: of CoNLL and delimited text; "" for blanks.
        quoted: true if quotation marks stand around cells, as in a CSV.
        head: the text above the first row.
        documents: lines of CoNLL that begin a document, "" where a sentence is in none.
    """

    kind: Literal["conll", "delimited", "lines", "array"]
    suffix: Annotated[str, Field(pattern=r"^\.[a-z]{3,7}$")]
    places: dict[str, Place]
    width: Place
    encoding: str = "utf-8"
    header: list[str] | None = None
    numbered: bool = True
    indicators: dict[str, Place] = field(default_factory=dict)
    separator: str | None = None
    delimiter: Annotated[str, Field(max_length=1)] = ""
    quoted: bool = False
    head: str = ""
    documents: list[str] = field(default_factory=lambda: [""])


@dataclass(frozen=True)
class Original:
    """Hold a training file's text of each sample.

    Attributes:
        layout: how the file is written.
        rows: of each sample; of a file, or of the chosen ones of a data set.
    """

    layout: Layout
    rows: Sequence[Row]

    def take(self, rows: Sequence[int]) -> "Original":
        """Return the file's text of the samples at `rows`."""
        return replace(self, rows=[self.rows[row] for row in rows])

    def dumps(self) -> bytes:
        """Return it as lines of JSON: the layout, then a list for each sample (`Row`)."""
        lines = (json.dumps(one, ensure_ascii=False) for one in (asdict(self.layout), *self.rows))
        # A lone surrogate stands for a byte that is not UTF-8.
        return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")

    @classmethod
    def loads(cls, content: bytes) -> "Original":
        """Return what `dumps` wrote.

        Raises:
            ValueError: the content is something else.
        """
        first, *lines = content.decode("utf-8", "surrogatepass").rstrip("\n").split("\n")
        layout = TypeAdapter(Layout).validate_python(json.loads(first))
        rows = TypeAdapter(list[Row]).validate_python([json.loads(line) for line in lines])
        if any(row.document >= len(layout.documents) for row in rows):
            raise ValueError("a document is unknown")
        return cls(layout, rows)

    def written(
        self, kept: Sequence[int], changes: Mapping[int, Sequence[Change]], ids: Sequence[Any] | None
    ) -> bytes:
        """Return a file of the kept samples; what does not change is written as it was.

        Args:
            kept: their rows, ascending.
            changes: {row: what changes in it}.
            ids: of all samples, to write them where the file has none; None to write none.
        """
        layout = self.layout
        head = layout.head if ids is None else rewriting.with_id_column(layout, layout.head, self.id_name)
        parts, begun = [], 0
        for row in kept:
            text, above, document = self.rows[row]
            text = rewriting.relabeled(layout, text, changes[row]) if row in changes else text
            text = text if ids is None else rewriting.with_id(layout, text, ids[row], self.id_name)
            parts.append((layout.documents[document] if document != begun else "") + above + text)
            begun = document
        body = "[\n" + ",\n".join(parts) + "\n]\n" if layout.kind == "array" else "".join(parts)
        strict = "surrogateescape" if layout.encoding.lower().startswith("utf-8") else "strict"
        return (head + body).encode(layout.encoding, strict)

    @property
    def id_name(self) -> str:
        """Return the name of a column of ids that the file does not have."""
        taken = {name.strip().lower() for name in self.layout.header or ()}
        return "id" if "id" not in taken else "datamap_id"


def original_of_table(
    table: Table,
    suffix: str,
    places: dict[str, int],
    lines: Sequence[int],
    indicators: dict[str, int],
    separator: str | None,
) -> Original:
    """Return the text of the rows of a table that begin at `lines`."""
    written = table.written
    layout = Layout(
        kind="lines",
        suffix=".jsonl",
        places=places,
        width=table.width,
        header=table.names,
        numbered="id" not in places,
        indicators=indicators,
        separator=separator,
    )
    if written is None and suffix == ".xlsx":
        return _of_sheet(table, layout, lines)
    if written is None:
        array = suffix == ".json"
        layout = replace(layout, kind="array", suffix=suffix) if array else layout
        end = "" if array else "\n"
        return Original(layout, [Row(f"{text}{end}") for text in _objects(table, lines)])
    pieces, head = _pieces(written.text, table.lines)
    layout = replace(layout, suffix=suffix, encoding=written.encoding)
    if written.delimiter:
        layout = replace(
            layout, kind="delimited", delimiter=written.delimiter, quoted=written.quoted, head=head
        )
    return Original(layout, [Row(pieces[line]) for line in lines])


def _pieces(text: str, lines: Sequence[int]) -> tuple[dict[int, str], str]:
    """Return ({line on which a row begins: its text, with all up to the next row}, the text above the first row)."""
    text = text if "\n" in text else text.replace("\r", "\n")
    given = list(io.StringIO(text, newline="\n"))
    ends = [*(line - 1 for line in lines[1:]), len(given)]
    found = {line: "".join(given[line - 1 : end]) for line, end in zip(lines, ends, strict=True)}
    return found, "".join(given[: lines[0] - 1])


def _cells(table: Table, lines: Sequence[int]) -> list[list[Any]]:
    """Return the cells of the rows that begin at `lines`; class indices become names."""
    row_of = {line: row for row, line in enumerate(table.lines)}
    columns = [table.named(place) for place in range(table.width)]
    return [[column[row_of[line]] for column in columns] for line in lines]


def _objects(table: Table, lines: Sequence[int]) -> list[str]:
    names = table.names or list(map(str, range(table.width)))
    return [
        json.dumps(dict(zip(names, cells, strict=True)), ensure_ascii=False, default=str)
        for cells in _cells(table, lines)
    ]


def _of_sheet(table: Table, layout: Layout, lines: Sequence[int]) -> Original:
    """Return the rows of a workbook as those of a CSV; Excel reads it as UTF-8 where it has a byte-order mark."""
    layout = replace(
        layout, kind="delimited", suffix=".csv", encoding="utf-8-sig", delimiter=",", quoted=True
    )

    def line(cells: Sequence[Any]) -> str:
        return ",".join(rewriting.quoted(rows.shown(cell), layout) for cell in cells) + "\r\n"

    head = line(table.names) if table.names else ""
    return Original(replace(layout, head=head), [Row(line(cells)) for cells in _cells(table, lines)])
