"""Files as spreadsheets, annotation tools and pandas write them: read as they were meant, or refused with the cause."""

import csv
import datetime
import io
import json
import os
import random

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamap.data import dataset, delimited_text, files
from datamap.errors import ConfigError, DataError
from datamap.summaries import tsv

AUTO = dict.fromkeys(dataset.COLUMNS, "auto")
TEXTS = ["甲", 'say ""no""', 'he said "yes"', "two\nlines", "a\ttab", "b", "c, d", "e"]
FRAME = pd.DataFrame({"text_a": TEXTS, "label": ["差评", "好评"] * 4})
TEXT = st.text(st.characters(exclude_categories=["Cs"])).filter(str.strip)


def load(path, columns=None, **options):
    return dataset.load_samples(path, {**AUTO, **(columns or {})}, **options)


def text_file(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def refusal(path, **options):
    with pytest.raises(DataError) as caught:
        load(path, **options)
    return str(caught.value)


# ---------------------------------------------------------------------- quotes in a TSV


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
@pytest.mark.parametrize(
    "texts", [TEXTS, ['a "b"', "c", "d", "e"], ["a", "b\nc", "d", "e"], ["a\tb", "c", "d", "e"]]
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_tsv_is_read_as_pandas_wrote_it(tmp_path, quoting, texts, end):
    frame = pd.DataFrame({"text_a": texts, "label": (["x", "y"] * 4)[: len(texts)]})
    frame.to_csv(tmp_path / "x.tsv", sep="\t", index=False, quoting=quoting, lineterminator=end)
    assert load(tmp_path / "x.tsv").texts_a == texts


@given(st.lists(TEXT, min_size=4, max_size=8), st.sampled_from(["\t", ",", ";"]))
@settings(deadline=None)
def test_any_text_is_read_back_as_a_writer_of_csv_wrote_it(tmp_path_factory, texts, delimiter):
    frame = pd.DataFrame({"text_a": [*texts, 'one "quoted"'], "label": (["x", "y"] * 5)[: len(texts) + 1]})
    path = tmp_path_factory.mktemp("x") / ("x.tsv" if delimiter == "\t" else "x.csv")
    frame.to_csv(path, sep=delimiter, index=False, lineterminator="\r\n")
    assert load(path).texts_a == [*texts, 'one "quoted"']


@pytest.mark.parametrize(
    "texts",
    [
        ['"Yes," she said', "b", '"', "d"],
        ['"Yes"', "b", 'a "b" c', "d"],
        ['"begins', "b", 'ends"', "d"],
        ['"two', 'lines"', "c", "d"],
        ['"Hello, Kitty"', "b", "c", "d"],
    ],
)
def test_a_tsv_without_quotes_keeps_those_of_its_texts(tmp_path, texts):
    rows = "".join(f"{text}\t{n % 2}\n" for n, text in enumerate(texts))
    assert load(text_file(tmp_path / "x.tsv", "text_a\tlabel\n" + rows)).texts_a == texts
    rows = "".join(f"b\t{text}\t{n % 2}\n" for n, text in enumerate(texts))
    assert load(text_file(tmp_path / "x.tsv", rows)).texts_b == texts


def test_unicode_text_of_excel_quotes_commas_too(tmp_path):
    rows = 'text_a\tlabel\r\n"a, b"\tx\r\n"c, d"\ty\r\n"e ""f"""\tx\r\ng\ty\r\n'
    samples = load(text_file(tmp_path / "x.txt", rows, "utf-16"))
    assert samples.texts_a == ["a, b", "c, d", 'e "f"', "g"]
    assert any("UTF-16" in note for note in samples.notes)


def test_the_process_keeps_its_limit_of_cells(tmp_path):
    limit = csv.field_size_limit()
    one, two = (delimited_text.records("a,b\n" * 3, ",") for _ in range(2))
    next(one), next(two), list(one), list(two)
    assert load(text_file(tmp_path / "x.csv", f'text_a,label\n"{"x" * 200_000}",0\nb,1\nc,0\nd,1\n')).ids == [
        0,
        1,
        2,
        3,
    ]
    assert csv.field_size_limit() == limit


# ---------------------------------------------------------------------- broken rows


@pytest.mark.parametrize("suffix", ["tsv", "csv"])
@pytest.mark.parametrize(
    ("header", "bad"),
    [
        ("text_a,label", ["first half", "second half,x"]),
        ("text_a,label", ["one", "two", "three,x"]),
        ("id,text_a,label", ["7,first", "second,x"]),
        ("label,text_a", ["x,first", "second"]),
        ("label,text_a", ["x,first", "second", "third"]),
    ],
)
def test_no_part_of_a_broken_row_becomes_a_sample(tmp_path, suffix, header, bad):
    def row(n):
        values = {"id": f"k{n}", "text_a": f"t{n}", "label": "xy"[n % 2]}
        return ",".join(values[name] for name in header.split(","))

    lines = [header, *map(row, range(4)), *bad, *map(row, range(4, 10))]
    text = "".join(f"{line}\n" for line in lines)
    path = text_file(tmp_path / f"x.{suffix}", text if suffix == "csv" else text.replace(",", "\t"))
    samples = load(path, skip_bad=True)
    assert set(samples.texts_a) <= {f"t{n}" for n in range(10)}
    assert len(samples) >= 8
    assert "line 6" in refusal(path) or "line 7" in refusal(path)


def test_blank_rows_trailing_columns_and_a_second_header(tmp_path):
    text = "text_a,label,,\na,x,,\nb,y,,\n,,,\ntext_a,label,,\nc,x,,\nd,y,,\n,,,\n\n"
    path = text_file(tmp_path / "x.csv", text)
    assert "line 5: repeats the header" in refusal(path)
    assert load(path, skip_bad=True).texts_a == ["a", "b", "c", "d"]


# ---------------------------------------------------------------------- delimiters and encodings


@pytest.mark.parametrize("delimiter", ";\t|,")
@pytest.mark.parametrize("name", ["x.csv", "x.txt", "x.tsv"])
@pytest.mark.parametrize("header", [True, False])
def test_delimiters_are_found(tmp_path, delimiter, name, header):
    texts = ["a", "b c", "d", "e", "f", "g"]
    frame = pd.DataFrame({"text_a": texts, "label": ["x", "y"] * 3})
    frame.to_csv(tmp_path / name, sep=delimiter, index=False, header=header)
    samples = load(tmp_path / name)
    assert (samples.texts_a, samples.class_names) == (texts, ("x", "y"))
    assert bool(samples.notes) == (delimiter != ("," if name == "x.csv" else "\t"))


def test_semicolons_of_a_file_with_commas_in_its_texts(tmp_path):
    rows = "".join(f"so, {'well, ' * (n % 3)}{n};{'xy'[n % 2]}\n" for n in range(8))
    assert load(text_file(tmp_path / "x.csv", rows)).class_names == ("x", "y")
    assert load(text_file(tmp_path / "x.csv", rows), delimiter="semicolon").class_names == ("x", "y")


def test_the_first_line_of_excel(tmp_path):
    samples = load(text_file(tmp_path / "x.csv", "sep=;\r\ntext_a;label\r\na;x\r\nb;y\r\nc;x\r\nd;y\r\n"))
    assert (samples.texts_a, samples.lines) == (["a", "b", "c", "d"], [3, 4, 5, 6])


def test_delimiters_and_encodings_that_are_none(tmp_path):
    path = text_file(tmp_path / "x.csv", "text_a,label\na,x\n")
    for wrong in ("", ";;", '"', "\n"):
        with pytest.raises(ConfigError, match="data.delimiter=.*: give one character, or tab"):
            load(path, delimiter=wrong)
    for wrong in ("", "utf8000", "hex", "a\0b"):
        with pytest.raises(ConfigError, match="data.encoding=.* is unknown"):
            load(path, encoding=wrong)


CHINESE = "text_a,label\n" + "".join(
    f"这部电影很{word}，我喜欢看,{'好差'[n % 2]}\n" for n, word in enumerate("好差长短")
)


@pytest.mark.parametrize(
    "encoding", ["gb18030", "gbk", "gb2312", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"]
)
def test_encodings_that_are_certain_are_read(tmp_path, encoding):
    samples = load(text_file(tmp_path / "x.csv", CHINESE, encoding))
    assert samples.texts_a[0] == "这部电影很好，我喜欢看"
    assert bool(samples.notes) == (encoding != "utf-8-sig")


@pytest.mark.parametrize(
    ("encoding", "texts"),
    [
        ("cp1252", "déjà vu é"),
        ("big5", "這部電影很好看"),
        ("euc-kr", "안녕하세요 반갑습니다"),
        ("shift-jis", "これは良い映画でした"),
        ("euc-jp", "これは良い映画でした"),
        ("koi8-r", "хороший фильм"),
    ],
)
def test_encodings_that_are_not_certain_are_refused_with_the_key(tmp_path, encoding, texts):
    path = text_file(tmp_path / "x.csv", "text_a,label\n" + f"{texts},x\n{texts}!,y\n" * 4, encoding)
    assert (
        "x.csv, line 2: text_a has bytes that are not UTF-8; to name the file's encoding: data.encoding="
        in refusal(path)
    )
    assert load(path, encoding=encoding).texts_a[0] == texts


def test_a_file_that_is_not_in_the_encoding_given(tmp_path):
    path = text_file(tmp_path / "x.csv", CHINESE)
    assert "x.csv, line 2: not ascii" in refusal(path, encoding="ascii")


def test_one_broken_row_does_not_change_the_encoding_of_a_file(tmp_path):
    path = text_file(tmp_path / "x.csv", CHINESE)
    path.write_bytes(path.read_bytes() + "中文,好\n".encode("gbk"))
    assert "x.csv, line 6: text_a has bytes that are not UTF-8" in refusal(path)
    assert len(load(path, skip_bad=True)) == 4


# ---------------------------------------------------------------------- names of columns


@pytest.mark.parametrize(
    "header",
    [
        "Text_A,TEXT_B,Label",
        "句子1,句子2,标签",
        "sentence1,sentence2,label",
        "\ufeff文本1, 文本2 ,情感倾向",
        "Ｔｅｘｔ A,text-b,Label",
    ],
)
def test_headers_in_other_words(tmp_path, header):
    path = text_file(tmp_path / "x.csv", f"{header}\n" + "a,b,x\nc,d,y\n" * 2)
    if "text-b" in header:
        assert load(path, {"text_b": "text-b"}).texts_b == ["b", "d"] * 2
        return
    samples = load(path)
    assert (samples.texts_a, samples.texts_b) == (["a", "c"] * 2, ["b", "d"] * 2)
    assert "text_a is column" in samples.notes[0]


def test_a_header_in_words_that_are_not_known(tmp_path):
    path = text_file(tmp_path / "x.csv", "甲列,乙列,丙列\n" + "a,b,x\nc,d,y\n" * 2)
    message = refusal(path)
    assert (
        "line 1: class '丙列' occurs only once; if this row names the columns, set data.header=true"
        in message
    )
    assert "no column for text_a (columns: 甲列, 乙列, 丙列)" in refusal(path, header=True)


def test_two_columns_that_may_be_the_text(tmp_path):
    path = text_file(tmp_path / "x.csv", "text,content,label\n" + "a,b,x\nc,d,y\n" * 2)
    assert "text_a may be text, content; name it: data.columns.text_a=" in refusal(path)
    assert load(path, {"text_a": "content"}).texts_a == ["b", "d"] * 2


def test_columns_of_pandas_and_ids_of_excel(tmp_path):
    path = text_file(
        tmp_path / "x.csv",
        'Unnamed: 0,id,text_a,label\n0,="001",a,x\n1,="002",b,y\n2,"=""003""",c,x\n3,004,d,y\n',
    )
    assert load(path).ids == ["001", "002", "003", "004"]


# ---------------------------------------------------------------------- labels that look alike


def test_labels_that_look_alike_are_named(tmp_path):
    labels = ["Yes", "yes", "YES\u200b", "caf\u00e9", "cafe\u0301", "１", "1", "1.0", "other"]
    rows = "".join(f"t{n},{label}\n" for n, label in enumerate(labels * 2))
    samples = load(text_file(tmp_path / "x.csv", "text_a,label\n" + rows))
    assert len(samples.class_names) == 9
    (note,) = samples.notes
    for shown in (
        "'Yes' (2 rows) and 'yes' (2 rows) and 'YES\\u200b'",
        r"'caf\xe9' (2 rows) and 'cafe\u0301'",
        "'１'",
        "'1.0'",
    ):
        assert shown in note
    assert "other" not in note


# ---------------------------------------------------------------------- workbooks


def workbook(path, rows, *more):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for title in more:
        book.create_sheet(title).append(["x"])
    book.save(path)
    return path


def test_a_workbook(tmp_path):
    day = datetime.datetime(2024, 1, 5)
    rows = [
        ["id", "text_a", "label", None],
        ["007", "a\nb", 1.0],
        ["008", 'say "x"', 0],
        [None] * 3,
        [day, 3.5, 1],
        [9, "d", 0],
    ]
    samples = load(workbook(tmp_path / "x.xlsx", rows, "other"))
    assert samples.texts_a == ["a\nb", 'say "x"', "3.5", "d"]
    assert (samples.ids, samples.class_names) == (["007", "008", "2024-01-05", "9"], ("0", "1"))
    assert samples.lines == [2, 3, 5, 6]
    assert "reading the first of its 2 sheets, 'Sheet'" in samples.notes[0]


def test_titles_above_the_header_of_a_workbook(tmp_path):
    rows = [
        ["Annotation of May", None, None],
        [],
        ["文本", "标签", "who"],
        ["a", "x", "ann"],
        ["b", "y", "bob"],
        ["c", "x"],
        ["d", "y"],
    ]
    samples = load(workbook(tmp_path / "x.xlsx", rows))
    assert samples.texts_a == ["a", "b", "c", "d"]
    assert "row 3 holds the column names" in samples.notes[0]


def test_a_workbook_with_a_bad_row_and_one_that_is_damaged(tmp_path):
    path = workbook(tmp_path / "x.xlsx", [["text_a", "label"], ["a", "x"], ["b", None], ["c", "x"]])
    assert "x.xlsx, row 3: label is empty" in refusal(path)
    content = path.read_bytes()
    for damage in (content[:200], content[:-200], content.replace(b"xl/workbook.xml", b"xl/workbook.xmm")):
        path.write_bytes(damage)
        assert "not a workbook" in refusal(path)


# ---------------------------------------------------------------------- JSON


RECORDS = FRAME.to_dict("records")


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(RECORDS),
        json.dumps(RECORDS, indent=2),
        "\n".join(map(json.dumps, RECORDS)),
        *(FRAME.to_json(orient=orient) for orient in ("records", "columns", "index", "split", "table")),
        FRAME.to_json(orient="records", lines=True),
        json.dumps(FRAME.to_dict("list")),
    ],
    ids=range(10),
)
@pytest.mark.parametrize("name", ["x.json", "x.jsonl"])
def test_json(tmp_path, text, name):
    samples = load(text_file(tmp_path / name, text))
    assert (samples.texts_a, samples.class_names) == (TEXTS, ("好评", "差评"))


def test_labels_of_annotation_tools(tmp_path):
    rows = [{"id": n, "text": f"t{n}", "label": [label]} for n, label in enumerate("xyxy")]
    path = text_file(tmp_path / "x.jsonl", "\n".join(map(json.dumps, rows)))
    assert load(path).class_names == ("x", "y")
    rows[1]["label"] = ["x", "y"]
    path = text_file(tmp_path / "x.json", json.dumps(rows))
    assert "x.json, row 2: label has 2 values; give one per sample" in refusal(path)


def test_exports_of_label_studio(tmp_path):
    path = text_file(
        tmp_path / "x.csv", "text,id,sentiment,annotator\n" + "a,7,x,1\nb,8,y,1\nc,9,x,1\nd,1,y,1\n"
    )
    assert (
        "no column for label (columns: text, id, sentiment, annotator); name it: data.columns.label="
        in refusal(path)
    )
    samples = load(path, {"label": "sentiment"})
    assert (samples.texts_a, samples.ids) == (["a", "b", "c", "d"], [7, 8, 9, 1])
    path = text_file(tmp_path / "x.json", json.dumps([{"id": 1, "annotations": [], "data": {"text": "a"}}]))
    assert "export from Label Studio as JSON-MIN or CSV" in refusal(path)


def test_json_that_is_no_rows(tmp_path):
    assert "row 2: not a JSON object, but a int" in refusal(
        text_file(tmp_path / "x.json", f"[{json.dumps(RECORDS[0])}, 7]")
    )
    assert "no rows" in refusal(text_file(tmp_path / "x.json", "[]"))


# ---------------------------------------------------------------------- Hugging Face


def class_label(table, names):
    features = {
        "label": {"names": names, "_type": "ClassLabel"},
        "text_a": {"dtype": "string", "_type": "Value"},
    }
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def test_class_names_of_parquet_and_of_a_folder(tmp_path):
    table = class_label(pa.table({"text_a": list("abcdef"), "label": [1, 0, 1, 0, 1, 0]}), ["pos", "neg"])
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    folder = tmp_path / "disk"
    folder.mkdir()
    parts = [table.slice(0, 2), table.slice(2)]
    for number, part in enumerate(parts):
        with pa.ipc.new_stream(folder / f"data-{number}.arrow", table.schema) as writer:
            writer.write_table(part)
    names = [{"filename": f"data-{number}.arrow"} for number in range(2)]
    (folder / "state.json").write_text(json.dumps({"_data_files": names}))
    for path in (tmp_path / "x.parquet", folder):
        samples = load(path)
        assert (samples.texts_a, samples.class_names) == (list("abcdef"), ("pos", "neg"))
        assert samples.labels.tolist() == [1, 0, 1, 0, 1, 0]
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "../../etc/passwd"}]}))
    assert "no such file" in refusal(folder)
    (tmp_path / "dataset_dict.json").write_text("{}")
    assert f"splits (disk); name one: {tmp_path}/disk" in refusal(tmp_path)


def test_a_sample_without_a_class_and_metadata_of_others(tmp_path):
    table = class_label(pa.table({"text_a": list("abcd"), "label": [1, -1, 1, 0]}), ["pos", "neg"])
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    assert "x.parquet, row 2: label is empty" in refusal(tmp_path / "x.parquet")
    for other in ("[", "7", '{"info": {"features": [1]}}', '{"info": {"features": {"label": 1}}}'):
        table = pa.table({"text_a": list("abcd"), "label": [1, 0, 1, 0]}).replace_schema_metadata(
            {"huggingface": other}
        )
        pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
        assert load(tmp_path / "x.parquet").class_names == ("0", "1")


# ---------------------------------------------------------------------- what never ends, and what is too large


@pytest.mark.parametrize("target", ["/dev/zero", "/proc/kmsg", "fifo", "/dev/tty"])
@pytest.mark.parametrize("suffix", ["tsv", "csv", "jsonl", "parquet", "xlsx"])
def test_what_never_ends_is_not_read(tmp_path, target, suffix):
    path = tmp_path / f"x.{suffix}"
    if target == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(target)
    assert any(
        words in refusal(path)
        for words in ("not a regular file", "no rows", "not a workbook", "not a Parquet")
    )


def test_sizes_are_checked_before_rows_are_made(tmp_path, monkeypatch):
    path = tmp_path / "x.tsv"
    with path.open("wb") as file:
        file.truncate(1 << 41)
    assert "2,048.0 GiB; at most 1 GiB are read" in refusal(path)
    table = pa.table(
        {"text_a": pa.array(["a"]).dictionary_encode().take([0] * 6_000_000), "label": pa.nulls(6_000_000)}
    )
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    assert "6,000,000 rows; at most 5,000,000 are read" in refusal(tmp_path / "x.parquet")
    monkeypatch.setattr(files, "MAX_BYTES", 1 << 20)
    table = pa.table({"text_a": ["x" * 10_000] * 2_000, "label": ["x", "y"] * 1_000})
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    assert "GiB" in refusal(tmp_path / "x.parquet")
    monkeypatch.setattr(files, "MAX_CELLS", 1_000)
    assert "cells; at most 1,000" in refusal(text_file(path, "text_a\tlabel\n" + "\t" * 2_000))


# ---------------------------------------------------------------------- what is read is written back the same


def written(path, texts, labels):
    """A file of these columns, in the format of its name."""
    frame = pd.DataFrame({"text_a": texts, "label": labels})
    if path.suffix in (".tsv", ".csv", ".txt"):
        frame.to_csv(path, sep="," if path.suffix == ".csv" else "\t", index=False, quoting=csv.QUOTE_ALL)
    elif path.suffix == ".json":
        frame.to_json(path, orient="records")
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_parquet(path)
    return path


@given(
    st.lists(TEXT, min_size=4, max_size=6), st.sampled_from(["tsv", "csv", "txt", "json", "jsonl", "parquet"])
)
@settings(deadline=None)
def test_any_text_of_any_format_is_the_same_in_the_files_that_we_write(tmp_path_factory, texts, suffix):
    folder = tmp_path_factory.mktemp("x")
    samples = load(written(folder / f"x.{suffix}", texts, (["x", "y"] * 3)[: len(texts)]))
    assert samples.texts_a == texts
    frame = samples.frame().assign(label=[samples.class_names[label] for label in samples.labels])
    (folder / "curated.tsv").write_bytes(b"".join(tsv.lines(frame)))
    again = load(folder / "curated.tsv")
    assert (again.texts_a, again.ids, again.class_names) == (texts, samples.ids, samples.class_names)
    assert again.digest == samples.digest


def test_lone_surrogates_are_refused(tmp_path):
    path = text_file(tmp_path / "x.json", json.dumps([{"text_a": "\ud800", "label": 1}]))
    assert "row 1: text_a has bytes that are not UTF-8" in refusal(path)


@pytest.mark.parametrize("seed", range(3))
def test_random_bytes_are_refused_in_one_line(tmp_path, seed):
    generator = random.Random(seed)
    for suffix in ("tsv", "csv", "txt", "json", "jsonl", "parquet", "xlsx"):
        (tmp_path / f"x.{suffix}").write_bytes(generator.randbytes(2000))
        assert "\n" not in refusal(tmp_path / f"x.{suffix}").replace("\\n", "")


def test_rows_as_csv_reads_them():
    text = 'a,b\n"c ""d""","e\nf"\r\n\n,\n"",g\r\n'
    rows = [record.cells for record in delimited_text.records(text, ",")]
    assert rows == list(csv.reader(io.StringIO(text, newline="")))
    assert [record.line for record in delimited_text.records(text, ",")] == [1, 2, 4, 5, 6]
