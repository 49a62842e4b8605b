"""Sentences with tags and texts with several labels: each form is read alike, each mistake is named with its place."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest

from datamap.data import dataset, multilabel, tokens
from datamap.data.originals import Original
from datamap.data.rewriting import Change
from datamap.data.table import Form
from datamap.errors import DataError

AUTO = dict.fromkeys(dataset.COLUMNS, "auto")
WORDS = [["张", "三", "在", "北", "京"], ["我", "#", "好"]]
TAGS = [["B-PER", "I-PER", "O", "B-LOC", "I-LOC"], ["O", "O", "O"]]
CONLL = "张 B-PER\n三 I-PER\n在 O\n北 B-LOC\n京 I-LOC\n\n我 O\n# O\n好 O\n"


def write(path, content):
    path.write_text(content, encoding="utf-8")
    return path


def json_lines(path, rows):
    return write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


SENTENCES = [{"tokens": words, "tags": tags} for words, tags in zip(WORDS, TAGS, strict=True)]
TOKEN_FORMS = {
    "blanks": lambda p: write(p / "x.conll", CONLL),
    "tabs": lambda p: write(p / "x.tsv", CONLL.replace(" ", "\t")),
    "crlf, comments, documents": lambda p: write(
        p / "x.txt", "-DOCSTART- O\n\n# a comment of words\n" + CONLL.replace("\n", "\r\n") + "\r\n\r\n"
    ),
    "four columns": lambda p: write(p / "x.bio", CONLL.replace(" ", " NN x ")),
    "jsonl": lambda p: json_lines(p / "x.jsonl", SENTENCES),
    "json": lambda p: write(p / "x.json", json.dumps(SENTENCES)),
    "text as characters": lambda p: json_lines(
        p / "x.jsonl", [{"text": "".join(s["tokens"]), "labels": s["tags"]} for s in SENTENCES]
    ),
    "parquet": lambda p: pd.DataFrame(SENTENCES).to_parquet(p / "x.parquet") or p / "x.parquet",
}


@pytest.mark.parametrize("form", TOKEN_FORMS)
def test_forms_of_tokens(tmp_path, form):
    found = tokens.load(TOKEN_FORMS[form](tmp_path), AUTO)
    assert found.words == WORDS
    assert found.class_names == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert [[found.class_names[tag] for tag in tags] for tags in found.labels] == TAGS
    assert found.ids == [0, 1]
    assert found.texts_a == ["张三在北京", "我 # 好"]
    lines = [json.loads(line) for line in found.json_lines().splitlines()]
    assert lines == [{"id": row, **one} for row, one in enumerate(SENTENCES)]


def test_ids_kinds_and_other_columns(tmp_path):
    file = write(tmp_path / "x.conll", "# id = a\n# by = me\nx\t0\tO\ny\t2\tB\n\n# sent_id = b\nz\t1\tB\n")
    found = tokens.load(file, AUTO | {"s_label": 1})
    assert (found.ids, found.lines) == (["a", "b"], [3, 7])
    assert [one.tolist() for one in found.planted] == [[0, 2], [1]]
    assert tokens.load(file, AUTO | {"id": None}).ids == [0, 1]
    assert tokens.load(file, AUTO | {"label": 1}).class_names == ("0", "1", "2")
    rows = [{"n": "s", "w": ["x", "y"], "t": [1, 0], "s_label": [0, 2]}]
    named = tokens.load(
        json_lines(tmp_path / "x.jsonl", rows), AUTO | {"text_a": "w", "label": "t", "id": "n"}
    )
    assert (named.ids, named.class_names, named.planted[0].tolist()) == (["s"], ("0", "1"), [0, 2])


def test_names_of_tags_of_a_data_set(tmp_path):
    """Hugging Face's lists of ClassLabels hold indices, and their names in the schema."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = {"feature": {"names": ["O", "B-X", "A"], "_type": "ClassLabel"}, "_type": "Sequence"}
    info = {"info": {"features": {"tokens": {"_type": "Sequence"}, "ner_tags": names}}}
    table = pa.table({"tokens": [["a", "b"]], "pos_tags": [[7, 8]], "ner_tags": [[1, 0]]})
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(info)}), tmp_path / "x.parquet")
    found = tokens.load(tmp_path / "x.parquet", AUTO)
    assert (found.class_names, found.labels[0].tolist()) == (("O", "B-X"), [1, 0])
    assert found.notes == [f"{tmp_path / 'x.parquet'}: label is column 'ner_tags'"]


ROW = {"tokens": ["a", "b"], "tags": ["O", "B"]}


def made(file, content):
    """A file of a text, of bytes, or of objects."""
    if isinstance(content, bytes):
        file.write_bytes(content)
        return file
    return write(file, content) if isinstance(content, str) else json_lines(file, content)


BAD_TOKENS = {
    "too few tags": ("x.jsonl", [ROW, ROW | {"tags": ["O"]}], "line 2, column tags: 1 tag for 2 tokens"),
    "too many tags": ("x.jsonl", [ROW | {"tags": ["O"] * 3}], "line 1, column tags: 3 tags for 2 tokens"),
    "no tokens": ("x.jsonl", [ROW, {"tokens": [], "tags": []}], "line 2, column tokens: no token"),
    "empty token": ("x.jsonl", [ROW, ROW | {"tokens": ["a", ""]}], "line 2, column tokens: token 2 is empty"),
    "no tag": ("x.jsonl", [ROW, ROW | {"tags": ["O", None]}], "line 2, column tags: the tag of token 2 is"),
    "tags in a text": ("x.jsonl", [ROW, ROW | {"tags": "O B"}], "line 2, column tags: not a list"),
    "tokens missing": ("x.jsonl", [ROW, {"tags": ["O"]}], "line 2, column tokens: no token"),
    "odd kinds": ("x.jsonl", [ROW | {"s_label": [0, 7]}], "line 1, column s_label: not a list of 0"),
    "kinds too short": ("x.jsonl", [ROW | {"s_label": [0]}], "line 1, column s_label: 1 value for 2 tokens"),
    "id twice": ("x.jsonl", [ROW | {"id": 1}, ROW | {"id": 1}], "line 2: id '1' occurs in line 1 already"),
    "no column of tags": (
        "x.jsonl",
        [{"tokens": ["a"], "x": ["O"]}],
        "no column for label (columns: tokens, x)",
    ),
    "one tag": ("x.jsonl", [{"tokens": ["a"], "tags": ["O"]}], "only the tag 'O'; a tagger needs two"),
    "line without tag": ("x.conll", "a O\nb\nc B\n", "line 2: 1 column instead of 2"),
    "empty tag": ("x.conll", "a\tO\nb\t\nc\tB\n", "line 2, column 1: the tag is empty"),
    "no tag at all": ("x.conll", "a\nb\n", "line 1: 1 column; a line has a token and its tag"),
    "no token at all": ("x.conll", "\n\n", "no token; a line has a token and its tag"),
    "documents without a token": (
        "x.conll",
        "-DOCSTART- -X- O\n\n-DOCSTART-\n",
        "no token; a line has a token and its tag",
    ),
    "a blank among tabs": ("x.conll", "a b\tO\nb c\tB\nd B\n", "line 3: 1 column instead of 2"),
    "a padded tag": (
        "x.jsonl",
        [ROW, ROW | {"tags": [-100, 1]}],
        "line 2, column tags: the tag of token 1 is -100",
    ),
    "a packed file": ("x.conll.gz", gzip.compress(b"a O\n"), "is compressed (gzip); decompress it first"),
    "ids of some": ("x.conll", "# id = 1\na O\n\nb B\n", "line 4: no line `# id = …` before this sentence"),
    "id of two": ("x.conll", "# id = 1\na O\n\n# id = 1\nb B\n", "line 5: id '1' occurs in line 2 already"),
}


@pytest.mark.parametrize("case", BAD_TOKENS)
def test_bad_tokens_are_refused_with_file_line_and_column(tmp_path, case):
    name, content, expected = BAD_TOKENS[case]
    file = made(tmp_path / name, content)
    with pytest.raises(DataError) as refused:
        tokens.load(file, AUTO)
    assert expected in str(refused.value)
    assert str(refused.value).startswith(str(file)) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"label": "tag"},
            "data.columns.label=tag: a CoNLL file names no columns; give a position from 0 to 1",
        ),
        ({"label": 2}, "data.columns.label=2 is out of range; lines have columns 0 to 1"),
        ({"text_a": None}, "data.columns.text_a and data.columns.label need a position from 0 to 1"),
        ({"s_label": 1}, "line 1, column 1: s_label 'B-PER' is not 0 (normal), 1 (hard) or 2 (dirty)"),
    ],
)
def test_columns_that_a_conll_file_does_not_have(tmp_path, given, expected):
    with pytest.raises(DataError) as refused:
        tokens.load(write(tmp_path / "x.conll", CONLL), AUTO | given)
    assert expected in str(refused.value)


def test_unknown_tags_of_development_data_are_refused(tmp_path):
    conll = write(tmp_path / "x.conll", "a x O\nb x B\n\nc x O\nd x Q\n")
    rows = json_lines(tmp_path / "x.jsonl", [ROW, ROW | {"tags": ["O", "Q"]}])
    for file, place in ((conll, "line 5, column 2"), (rows, "line 2, column tags")):
        with pytest.raises(DataError) as refused:
            tokens.load(file, AUTO, class_names=["O", "B"])
        assert f"{place}: tag 'Q' of token 2 is unknown (the training data has O, B)" in str(refused.value)


def test_bad_sentences_can_be_skipped(tmp_path):
    file = json_lines(tmp_path / "x.jsonl", [ROW, ROW | {"tags": ["O"]}, ROW])
    found = tokens.load(file, AUTO, skip_bad=True)
    assert (found.ids, [row.line for row in found.bad_rows]) == ([0, 2], [2])
    assert found.bad_rows[0].problem == "column tags: 1 tag for 2 tokens"
    with pytest.raises(DataError, match="has no usable row"):
        tokens.load(json_lines(file, [ROW | {"tags": ["O"]}]), AUTO, skip_bad=True)


@pytest.mark.parametrize("odd", ["# by\tme\na O\nb B\n", "a O\nb\tB\n", "a\tO\nb B\n", "a\t O\nb  B\n"])
def test_blanks_and_tabs_may_be_mixed_where_each_line_has_a_tag(tmp_path, odd):
    found = tokens.load(write(tmp_path / "x.conll", odd), AUTO)
    assert (found.words, found.class_names) == ([["a", "b"]], ("O", "B"))


def test_tags_that_look_alike_are_noted(tmp_path):
    found = tokens.load(write(tmp_path / "x.conll", "a B-PER\nb b-per\nc O\n"), AUTO)
    assert "similar class names stay separate: 'B-PER' (1 token) and 'b-per' (1 token)" in found.notes[0]


# ---------------------------------------------------------------------- several labels

TEXTS = ["甲", "乙", "丙", "丁"]
LABELS = [["价格", "物流"], [], ["物流"], ["价格"]]
NAMES = ("价格", "物流")


def test_a_tag_without_its_place_in_an_entity_is_noted(tmp_path):
    found = tokens.load(write(tmp_path / "x.conll", CONLL + "\n王 B-PER\n在 O\n上 LOC\n"), AUTO)
    (note,) = found.notes
    assert note.endswith("x.conll: " + NO_PLACE.format("LOC (1 token)"))
    assert tokens.load(write(tmp_path / "y.conll", "我 PN\n看 VV\n"), AUTO).notes == []


NO_PLACE = (
    "some tags lack the B- or I- of the others: {}; entities are compared only if every tag except O has one"
)


def bits(labels):
    return [int(name in labels) for name in NAMES]


LABEL_FORMS = {
    "joined": lambda p: write(
        p / "x.tsv",
        "text_a\tlabel\n" + "".join(f"{t}\t{'|'.join(n)}\n" for t, n in zip(TEXTS, LABELS, strict=True)),
    ),
    "joined, other names": lambda p: write(
        p / "x.csv",
        "文本,标签\n" + "".join(f"{t},{';'.join(n)}\n" for t, n in zip(TEXTS, LABELS, strict=True)),
    ),
    "list": lambda p: json_lines(
        p / "x.jsonl", [{"text": t, "labels": n} for t, n in zip(TEXTS, LABELS, strict=True)]
    ),
    "list in a cell": lambda p: (
        pd.DataFrame({"text_a": TEXTS, "label": [json.dumps(n) for n in LABELS]}).to_csv(
            p / "x.csv", index=False
        )
        or p / "x.csv"
    ),
    "columns of 0 and 1": lambda p: write(
        p / "x.tsv",
        "text_a\t价格\t物流\tnote\n"
        + "".join(f"{t}\t{bits(n)[0]}\t{bits(n)[1]}\tx\n" for t, n in zip(TEXTS, LABELS, strict=True)),
    ),
    "columns of true and false": lambda p: json_lines(
        p / "x.jsonl",
        [{"text": t, "价格": "价格" in n, "物流": "物流" in n} for t, n in zip(TEXTS, LABELS, strict=True)],
    ),
    "parquet": lambda p: (
        pd.DataFrame({"text": TEXTS, "labels": LABELS}).to_parquet(p / "x.parquet") or p / "x.parquet"
    ),
}


@pytest.mark.parametrize("form", LABEL_FORMS)
def test_forms_of_several_labels(tmp_path, form):
    found = multilabel.load(LABEL_FORMS[form](tmp_path), AUTO)
    assert found.texts_a == TEXTS
    assert found.class_names == NAMES
    assert found.labels.tolist() == [bits(names) for names in LABELS]
    lines = [json.loads(line) for line in found.json_lines().splitlines()]
    assert [(line["text"], line["labels"]) for line in lines] == list(zip(TEXTS, LABELS, strict=True))
    again = multilabel.load(LABEL_FORMS[form](tmp_path), AUTO, class_names=found.class_names)
    assert again.digest == found.digest


def test_columns_of_labels_are_named_in_order(tmp_path):
    file = write(tmp_path / "x.tsv", "text_a\ta\tseen\tb\nx\t1\t0\t0\ny\t0\t1\t1\n")
    found = multilabel.load(file, AUTO | {"label": ["b", "a"]})
    assert (found.class_names, found.labels.tolist()) == (("b", "a"), [[0, 1], [1, 0]])
    assert multilabel.load(file, AUTO).class_names == ("a", "seen", "b")


def test_a_separator_is_detected_or_given(tmp_path):
    file = write(tmp_path / "x.tsv", "text_a\tlabel\nx\ta, b;c\ny\tb;c\n")
    found = multilabel.load(file, AUTO)
    assert (found.separator, found.class_names) == (";", ("a, b", "b", "c"))
    assert found.notes == [f"{file}: its labels are separated by ';'"]
    assert multilabel.load(file, AUTO, separator=",").class_names == ("a", "b;c")


def test_labels_that_another_separator_joins_are_noted(tmp_path):
    found = multilabel.load(write(tmp_path / "x.tsv", "text\tlabels\na\tx|y\nb\tz\nc\tx,z\nd\tz|y\n"), AUTO)
    assert found.class_names == ("x", "x,z", "y", "z")
    assert found.notes[-1].endswith(
        "read as one label each, because labels are separated by '|': x,z (1 row)"
    )


def test_a_label_that_every_text_has_teaches_nothing(tmp_path):
    with pytest.raises(
        DataError, match="every text has 'x', the only label; training needs texts without it"
    ):
        multilabel.load(write(tmp_path / "x.tsv", "text\tlabels\na\tx\nb\tx\n"), AUTO)


def test_labels_that_are_wrong_on_purpose(tmp_path):
    file = write(tmp_path / "x.tsv", "text_a\tlabel\ts_label\nx\ta|b\tb|c\ny\tc\t\n")
    assert multilabel.load(file, AUTO).planted.tolist() == [[0, 2, 2], [0, 0, 0]]


TEXT = {"text": "x", "labels": ["a", "b"]}
BAD_LABELS = {
    "no name in a list": (
        "x.jsonl",
        [TEXT, TEXT | {"labels": ["a", ""]}],
        "line 2, column labels: label 2 of 2 has no",
    ),
    "null in a list": (
        "x.jsonl",
        [TEXT, TEXT | {"labels": [None]}],
        "line 2, column labels: label 1 of 1 has no name",
    ),
    "no list": (
        "x.jsonl",
        [TEXT, {"text": "y"}],
        "line 2, column labels: missing; give [] where a text has no label",
    ),
    "an object": ("x.jsonl", [TEXT, TEXT | {"labels": {"a": 1}}], "line 2, column labels: is a dict"),
    "a vector": (
        "x.jsonl",
        [TEXT, TEXT | {"labels": [0, 1, 0]}],
        "line 2, column labels: label '0' occurs twice",
    ),
    "nothing between": (
        "x.tsv",
        "text_a\tlabel\nx\ta|b\ny\ta||b\n",
        "line 3, column label: label 2 of 3 has no name",
    ),
    "a separator alone": (
        "x.tsv",
        "text_a\tlabel\nx\ta|b\ny\t|\n",
        "line 3, column label: label 1 of 2 has no name",
    ),
    "no label at all": ("x.jsonl", [TEXT | {"labels": []}], "column labels: no text has a label"),
    "no columns": ("x.tsv", "text_a\tn\nx\t5\n", "neither a column of labels nor columns of 0 and 1"),
    "a list that does not end": (
        "x.tsv",
        "text_a\tlabel\nx\ta\ny\t['a',\n",
        "line 3, column label: \"['a',\" looks like a list",
    ),
    "one cell that is neither 0 nor 1": (
        "x.csv",
        "content,a,b\nx,0,1\ny,1,0\nz,2,0\n",
        "line 4, column a: '2' is neither 0 nor 1; if the column is not a label, name the label columns",
    ),
    "a label for each text": (
        "x.tsv",
        "text_a\tlabel\n" + "".join(f"x\t{n}\n" for n in range(7100)),
        "7,100 texts of 7,100 different labels; at most 50,000,000 pairs",
    ),
    "empty text": ("x.jsonl", [TEXT, TEXT | {"text": " "}], "line 2, column text: empty"),
    "unknown planted": (
        "x.tsv",
        "text_a\tlabel\ts_label\nx\ta|b\t2\n",
        "line 2, column s_label: '2' is not a label",
    ),
}


@pytest.mark.parametrize("case", BAD_LABELS)
def test_bad_labels_are_refused_with_file_line_and_column(tmp_path, case):
    name, content, expected = BAD_LABELS[case]
    file = made(tmp_path / name, content)
    with pytest.raises(DataError) as refused:
        multilabel.load(file, AUTO)
    assert expected in str(refused.value)
    assert str(refused.value).startswith(str(file)) and "\n" not in str(refused.value)


def test_unknown_labels_and_odd_cells(tmp_path):
    file = json_lines(tmp_path / "x.jsonl", [TEXT, TEXT | {"labels": ["q"]}])
    with pytest.raises(
        DataError, match=r"line 2, column labels: label 'q' is unknown \(the training data has a, b\)"
    ):
        multilabel.load(file, AUTO, class_names=["a", "b"])
    file = write(tmp_path / "x.tsv", "text_a\ta\tb\nx\t1\t0\ny\t0\t2\n")
    with pytest.raises(DataError, match="line 3, column b: '2' is neither 0 nor 1"):
        multilabel.load(file, AUTO | {"label": ["a", "b"]})
    with pytest.raises(DataError, match="no column 'c'"):
        multilabel.load(file, AUTO | {"label": ["a", "c"]})
    with pytest.raises(DataError, match=r"data\.columns\.label=\[\] names no column"):
        multilabel.load(file, AUTO | {"label": []})
    with pytest.raises(DataError, match=r"has no column c \(columns: text_a, a, b\), which is a label"):
        multilabel.load(file, AUTO, class_names=["a", "c"])


def test_columns_of_labels_by_position_have_the_headers_names(tmp_path):
    file = write(tmp_path / "x.tsv", "text\ta\tb\nx\t1\t0\ny\t0\t1\n")
    assert multilabel.load(file, AUTO | {"label": [2, 1]}).class_names == ("b", "a")


def test_lists_in_cells_as_python_writes_them(tmp_path):
    file = write(tmp_path / "x.csv", "text,labels\nx,\"['a', 'b']\"\ny,[]\nz,[odd]|a\n")
    found = multilabel.load(file, AUTO)
    assert (found.class_names, found.labels.tolist()) == (
        ("[odd]", "a", "b"),
        [[0, 1, 1], [0, 0, 0], [1, 1, 0]],
    )


def test_take_keeps_units_with_their_samples(tmp_path):
    sentences = tokens.load(TOKEN_FORMS["blanks"](tmp_path), AUTO).take([1])
    assert (sentences.words, sentences.ids, len(sentences.labels[0])) == ([WORDS[1]], [1], 3)
    texts = multilabel.load(LABEL_FORMS["list"](tmp_path), AUTO).take([3, 0])
    assert (texts.ids, texts.labels.tolist()) == ([3, 0], [[1, 0], [1, 1]])
    assert isinstance(texts.labels, np.ndarray)


def test_a_given_delimiter_and_encoding(tmp_path):
    file = tmp_path / "x.conll"
    file.write_bytes("北,B\n京,I\n".encode("gb18030"))
    assert tokens.load(file, AUTO, form=Form(encoding="gb18030", delimiter="comma")).words == [["北", "京"]]


# ---------------------------------------------------------------------- files of the same form

COMMENTED = (
    "# made by me\n-DOCSTART- -X- O\n\n# id = a\n# by = x\n张  NN  B-PER\n三  NN  I-PER\n\n# id = b\n我 P O\n# P O\n\n"
    "-DOCSTART- -X- O\n\n# id = c\n好 A O"
)
JOINED = 'sep=;\r\n文本;标签;n\r\n甲;a|b;1\r\n"乙;""x""\ny";b;2\r\n丙;;3\r\n'
BITS = "text_a\tn\ta\tb\nx\t7\t1\tFALSE\ny\t7\t0\tTRUE\n"
SAME_FORM = {  # name, content, reader, columns, kept rows, changes, ids, expected
    "all of a CoNLL file": ("x.conll", COMMENTED, tokens, {}, [0, 1, 2], {}, None, COMMENTED),
    "a document without its first sentence": (
        "x.conll", COMMENTED, tokens, {}, [1, 2], {1: [Change(0, "B-PER")]}, None,
        "# made by me\n-DOCSTART- -X- O\n\n# id = b\n我 P B-PER\n# P O\n\n-DOCSTART- -X- O\n\n# id = c\n好 A O",
    ),
    "tabs, carriage returns, ids": (
        "x.txt", "a\tx\tO\r\nb\ty\tB\r\n\r\nc\tz\tO\r\n", tokens, {"label": 2}, [1], {1: [Change(0, "B")]}, [7, 8],
        "# id = 8\nc\tz\tB\r\n",
    ),
    "tags in JSON": (
        "x.jsonl", '{"tokens": ["a","b"],"tags":["O","B"], "n":1}\n{"text":"", "tokens":["\\u2028"],"tags":["O"]}\n',
        tokens, {}, [0, 1], {1: [Change(0, "B")]}, None,
        '{"tokens": ["a","b"],"tags":["O","B"], "n":1}\n{"text": "", "tokens": ["\u2028"], "tags": ["B"]}\n',
    ),
    "an array": (
        "x.json", '[{"text": "x", "labels": ["a"], "n": 1},\n {"text": "y", "labels": ["b"]}]', multilabel, {}, [0, 1],
        {1: [Change(0, "a", True)]}, None,
        '[\n{"text": "x", "labels": ["a"], "n": 1},\n{"text": "y", "labels": ["b", "a"], "n": null}\n]\n',
    ),
    "cells in quotes": (
        "x.csv", JOINED, multilabel, {}, [1, 2], {1: [Change(0, "a", True), Change(1, "b", False)]}, None,
        "sep=;\r\n文本;标签;n\r\n\"乙;\"\"x\"\"\ny\";a;2\r\n丙;;3\r\n",
    ),
    "columns of 0 and 1, ids": (
        "x.tsv", BITS, multilabel, {}, [1], {1: [Change(0, "a", True), Change(1, "b", False)]}, [0, 1],
        "text_a\tn\ta\tb\tid\ny\t7\t1\tFALSE\t1\n",
    ),
    "no header": (
        "x.tsv", 'x\ta, b\ny "\tb\n', multilabel, {}, [1], {1: [Change(0, "a", True)]}, [0, 1], 'y "\tb,a\t1\n',
    ),
    "a list in a cell": (
        "x.csv", 'text_a,label\nx,"[""a"", ""b""]"\ny,[]\n', multilabel, {}, [0, 1],
        {0: [Change(0, "a", False)], 1: [Change(1, "b", True)]}, None,
        'text_a,label\nx,"[""b""]"\ny,"[""b""]"\n',
    ),
    "lists of Python, a bracket": (
        "x.csv", "text,labels\nx,\"['a', 'b']\"\ny,[]\nz,[odd]|a\n", multilabel, {}, [0, 1, 2],
        {0: [Change(1, "a", False)], 1: [Change(2, "b", True)], 2: [Change(1, "a", False)]}, None,
        "text,labels\nx,['b']\ny,\"[\"\"b\"\"]\"\nz,[odd]\n",
    ),
    "another encoding": (
        "x.tsv", "text_a\tlabel\n甲\ta|b\n乙\tb\n", multilabel, {}, [0, 1], {0: [Change(0, "a", False)]}, None,
        "text_a\tlabel\n甲\tb\n乙\tb\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SAME_FORM)
def test_a_file_is_written_in_its_own_form(tmp_path, case):
    name, content, reader, columns, kept, changes, ids, expected = SAME_FORM[case]
    file, encoding = tmp_path / name, "gb18030" if case == "another encoding" else "utf-8"
    file.write_bytes(content.encode(encoding))
    form = Form(encoding=encoding if encoding != "utf-8" else None)
    found = reader.load(file, AUTO | columns, form=form)
    original = Original.loads(found.original.dumps())
    assert original == found.original and len(original.rows) == len(found)
    assert original.written(kept, changes, ids).decode(encoding) == expected
    (tmp_path / f"y{original.layout.suffix}").write_bytes(original.written(range(len(found)), {}, None))
    again = reader.load(tmp_path / f"y{original.layout.suffix}", AUTO | columns, form=form)
    assert again.digest == found.digest


def test_tables_that_are_no_text_become_csv_and_json(tmp_path):
    frame = pd.DataFrame({"文本": ["甲,", "乙"], "标签": ["a|b", None], "n": [1.0, 2.5]})
    frame.to_excel(tmp_path / "x.xlsx", index=False)
    found = multilabel.load(tmp_path / "x.xlsx", AUTO)
    text = found.original.written([0, 1], {1: [Change(0, "a", True)]}, None).decode("utf-8-sig")
    assert text == '文本,标签,n\r\n"甲,",a|b,1\r\n乙,a,2.5\r\n'
    assert found.original.layout.suffix == ".csv"
    pd.DataFrame(SENTENCES).assign(n=[1, 2]).to_parquet(tmp_path / "x.parquet")
    found = tokens.load(tmp_path / "x.parquet", AUTO)
    lines = found.original.written([1], {1: [Change(2, "B-LOC")]}, [0, 1]).decode().splitlines()
    expected = {**SENTENCES[1], "tags": ["O", "O", "B-LOC"], "n": 2, "id": 1}
    assert [json.loads(line) for line in lines] == [expected]
    assert found.take([1]).original.rows == found.original.rows[1:]
