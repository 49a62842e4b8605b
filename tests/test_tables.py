"""Forms of tables: what is written reads back exactly, what is damaged is named, nothing is guessed in silence."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamap.data import dataset, spreadsheet
from datamap.errors import DataError, SummaryError
from datamap.pipeline import stored_diagnosis
from datamap.summaries import tsv

AUTO = dict.fromkeys(dataset.COLUMNS, "auto")
ODD = [
    'said "0" ', '"', '""', '"quoted"', "tab\there", "three\nlines\r\nhere", "a\rb", " blanks ", "=1+1", "'=x",
    "a\u2028b",     "x" * 200_000, ",;", "auto", "id", "\\", "\x00\x1b[31m",
]  # fmt: skip


def load(path, **columns):
    return dataset.load_samples(path, {**AUTO, **columns})


def write_samples(path, texts_a, texts_b=None):
    """Write what `train` logs as data/samples.tsv and `curate` as curated.tsv."""
    labels = ["no", "yes"] * len(texts_a)
    pairs = {} if texts_b is None else {"text_b": texts_b}
    columns = {"id": range(len(texts_a)), "text_a": texts_a, **pairs, "label": labels[: len(texts_a)]}
    path.write_bytes(b"".join(tsv.lines(pd.DataFrame(columns))))
    return path


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("pairs", [True, False])
def test_texts_round_trip_exactly_through_files_of_ours(tmp_path, odd, pairs):
    texts = ["a", odd, "b", odd, odd + "c", f"d{odd}"]
    path = write_samples(tmp_path / "samples.tsv", texts, texts[::-1] if pairs else None)
    samples = load(path, **({} if pairs else {"text_b": None}))
    assert samples.texts_a == texts
    assert samples.texts_b == (texts[::-1] if pairs else None)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])).filter(str.strip), min_size=4, max_size=6))
def test_any_text_round_trips_exactly(tmp_path_factory, texts):
    path = write_samples(tmp_path_factory.mktemp("x") / "curated.tsv", texts, texts)
    assert load(path).texts_a == load(path).texts_b == texts


def test_lines_of_rows_after_a_text_of_several_lines(tmp_path):
    path = write_samples(tmp_path / "x.tsv", ["one\ntwo\nthree", "b", "c", "d"], ["e", " ", "f", "g"])
    with pytest.raises(DataError, match="x.tsv, line 5: text_b is empty"):
        load(path)


def test_a_quoted_file_with_a_row_too_short_is_still_read_with_its_quotes(tmp_path):
    path = tmp_path / "x.tsv"
    rows = ["text_a\ttext_b\tlabel", *(f'"a\t{n}"\t"b"\t{n % 2}' for n in range(4)), '"only\tone"']
    path.write_text("\n".join(rows) + "\n")
    with pytest.raises(DataError, match="line 6: 1 column instead of 3"):
        load(path)


@pytest.mark.parametrize("name", ["samples.tsv", "x.csv"])
def test_a_quoted_file_that_is_cut_off_is_refused_with_the_line(tmp_path, name):
    texts = [f'say "{n}"\nand more' for n in range(9)]
    frame = pd.DataFrame({"text_a": texts, "text_b": texts, "label": np.arange(9) % 2})
    frame.to_csv(
        tmp_path / name, sep="\t" if name.endswith("tsv") else ",", index=False, quoting=csv.QUOTE_ALL
    )
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: content.rindex(b"and more")])
    with pytest.raises(DataError, match=f"{name}, line 26: a quotation mark is never closed"):
        load(tmp_path / name)


def test_texts_of_a_file_without_quotes_that_all_begin_with_one(tmp_path):
    path = tmp_path / "x.tsv"
    texts = ['"Yes," she said', '"No', '"" nothing', '"a"b']
    path.write_text("".join(f"{text}\tb\t{n % 2}\n" for n, text in enumerate(texts)))
    assert load(path).texts_a == texts


def test_utf16_as_spreadsheets_save_it(tmp_path):
    text = "text_a\ttext_b\tlabel\r\n" + "".join(f"猫{n}\t狗\t{n % 2}\r\n" for n in range(4))
    (tmp_path / "x.tsv").write_bytes(text.encode("utf-16"))
    assert load(tmp_path / "x.tsv").texts_a == ["猫0", "猫1", "猫2", "猫3"]
    (tmp_path / "x.tsv").write_bytes(text.encode("utf-16")[:-1])
    with pytest.raises(DataError, match="x.tsv, line 5: not UTF-16"):
        load(tmp_path / "x.tsv")


# ---------------------------------------------------------------------- columns


def rows_file(path, *rows):
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_cell_that_says_auto_is_no_header(tmp_path):
    path = rows_file(
        tmp_path / "x.tsv", *((text, "b", n % 2) for n, text in enumerate(["auto", "c", "d", "e"]))
    )
    assert load(path).texts_a == ["auto", "c", "d", "e"]


@pytest.mark.parametrize("name", ["gold", "is_error", "s_labels"])
def test_positions_are_for_files_without_a_header(tmp_path, name):
    path = rows_file(
        tmp_path / "x.tsv", ["text_a", "text_b", "label", name], *[("a", "b", n % 2, 1) for n in range(4)]
    )
    assert load(path).planted.tolist() == [0] * 4
    assert load(path, s_label=name).planted.tolist() == [1] * 4
    rows_file(path, ["text_a", "other", "label", name], *[("a", "b", n % 2, 1) for n in range(4)])
    assert load(path).texts_b is None
    assert load(path).notes == [
        f"{path}: reading single texts: it has no column text_b (to name it: data.columns.text_b=)"
    ]
    with pytest.raises(
        DataError, match=f"no column for label .columns: text_a, other, labl, {name}.; name it:"
    ):
        load(rows_file(path, ["text_a", "other", "labl", name], ("a", "b", 0, 1)))


@pytest.mark.parametrize("wanted", [1.5, True, ["a"]])
def test_a_column_is_a_name_or_a_position(tmp_path, wanted):
    path = rows_file(tmp_path / "x.tsv", ("a", "b", 0))
    with pytest.raises(DataError, match="give a column's name, its position from 0, null or auto"):
        load(path, text_a=wanted)


def test_a_name_of_two_columns_is_refused(tmp_path):
    path = rows_file(tmp_path / "x.tsv", ["text_a", "text_b", "label", "label"], ("a", "b", 0, 1))
    with pytest.raises(DataError, match="2 columns named 'label'"):
        load(path)


@pytest.mark.parametrize("order", [1, -1])
def test_classes_that_are_the_same_number_have_one_order(tmp_path, order):
    labels = ["1", "01", "001", "0"][::order]
    path = rows_file(tmp_path / "x.tsv", *(("a", "b", label) for label in labels * 2))
    assert load(path).class_names == ("0", "001", "01", "1")


@pytest.mark.parametrize(
    "odd", ["²", "①", "--5", "5" * 5000, str(2**63), str(-(2**63) - 1), "-0", "+1", "1_0", "٣", "1.0"]
)
def test_ids_that_are_no_whole_numbers_of_64_bits_are_strings(tmp_path, odd):
    ids = ["7", odd, "-1", str(2**63 - 1)]
    path = rows_file(
        tmp_path / "x.tsv",
        ["id", "text_a", "text_b", "label"],
        *((i, "a", "b", n % 2) for n, i in enumerate(ids)),
    )
    assert load(path).ids == ids
    path = rows_file(
        path,
        ["id", "text_a", "text_b", "label"],
        *((i, "a", "b", n % 2) for n, i in enumerate([7, -1, 0, 2**63 - 1])),
    )
    assert load(path).ids == [7, -1, 0, 2**63 - 1]


# ---------------------------------------------------------------------- JSON and Parquet


GOOD = [{"text_a": "a", "text_b": "b", "label": n % 2} for n in range(6)]


def typed(path, bad):
    """A JSONL or Parquet file whose second row has these values."""
    rows = [GOOD[0], {**GOOD[1], **bad}, *GOOD[2:]]
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pd.DataFrame(rows).to_parquet(path)
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ({"label": float("nan")}, "label is empty"),
        ({"label": None}, "label is empty"),
        ({"label": float("inf")}, "label is inf, not a finite number"),
        ({"text_b": None}, "text_b is empty"),
        ({"s_label": 7.0}, "s_label '7' is not 0"),
    ],
)
def test_values_that_are_missing_or_not_finite(tmp_path, suffix, bad, problem):
    path = typed(tmp_path / f"x{suffix}", bad)
    with pytest.raises(DataError, match=f"x{suffix}, (line|row) 2: {problem}"):
        load(path)
    skipped = dataset.load_samples(path, AUTO, skip_bad=True)
    assert [(row.line, row.problem[: len(problem)]) for row in skipped.bad_rows][0] == (2, problem)


@pytest.mark.parametrize("bad", [{"text_a": ["a"]}, {"label": {"a": 1}}])
def test_lists_and_objects_are_no_texts(tmp_path, bad):
    (key,) = bad
    with pytest.raises(DataError, match=f"line 2: {key} is a (list|dict), not a text or a number"):
        load(typed(tmp_path / "x.jsonl", bad))


def test_whole_numbers_that_pandas_made_floats_are_whole_again(tmp_path):
    frame = pd.DataFrame(GOOD[:4]).assign(s_label=[None, 1, 2, 0], id=[1.0, 2.0, 3.0, 4.0])
    frame["label"] = frame["label"].astype(float)
    frame.to_parquet(tmp_path / "x.parquet")
    samples = load(tmp_path / "x.parquet")
    assert (samples.class_names, samples.ids, samples.planted.tolist()) == (
        ("0", "1"),
        [1, 2, 3, 4],
        [0, 1, 2, 0],
    )


def test_binary_columns_of_parquet_are_utf8(tmp_path):
    frame = pd.DataFrame({"text_a": ["猫".encode()] * 4, "text_b": [b"b"] * 4, "label": [b"x", b"y"] * 2})
    frame.to_parquet(tmp_path / "x.parquet")
    samples = load(tmp_path / "x.parquet")
    assert (samples.texts_a, samples.class_names) == (["猫"] * 4, ("x", "y"))
    frame.loc[2, "text_a"] = b"\xff"
    frame.to_parquet(tmp_path / "x.parquet")
    with pytest.raises(DataError, match="row 3: text_a has bytes that are not UTF-8"):
        load(tmp_path / "x.parquet")


def test_a_parquet_file_in_a_folder_that_looks_like_a_partition(tmp_path):
    (tmp_path / "label=7").mkdir()
    assert load(typed(tmp_path / "label=7" / "x.parquet", {})).class_names == ("0", "1")


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "bad", [DEEP, '{"text_a": ' + DEEP, DEEP + "]" * 100_000, '{"a": ' * 5000 + "1" + "}" * 5000]
)
def test_json_that_is_nested_too_deep(tmp_path, bad):
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join([json.dumps(GOOD[0]), bad, *map(json.dumps, GOOD[1:])]))
    with pytest.raises(DataError, match="x.jsonl, line 2: (not a JSON object|the JSON is nested too deep)"):
        load(path)
    assert [row.line for row in dataset.load_samples(path, AUTO, skip_bad=True).bad_rows] == [2]


def test_a_file_of_nothing_but_bad_rows(tmp_path):
    (tmp_path / "x.jsonl").write_text("{\n[]\n")
    with pytest.raises(
        DataError, match="x.jsonl, line 1: not a JSON object: .*; all other rows are unusable too"
    ):
        dataset.load_samples(tmp_path / "x.jsonl", AUTO, skip_bad=True)


@pytest.mark.parametrize("bad", ["7", '"text_a is fine"', "[1]", "1" * 5000])
def test_json_that_is_no_object(tmp_path, bad):
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join([json.dumps(GOOD[0]), bad]))
    with pytest.raises(DataError, match="line 2: not a JSON object"):
        load(path)


# ---------------------------------------------------------------------- files that cannot be read


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "folder.tsv").mkdir()
    (tmp_path / "broken.tsv").symlink_to("/proc/self/mem")  # reading it is an error for root too
    (tmp_path / "loop.tsv").symlink_to(tmp_path / "loop.tsv")
    for path, problem in {
        tmp_path / "folder.tsv": ": the folder was not written by Hugging Face's save_to_disk",
        tmp_path / "broken.tsv": " has no rows",
        tmp_path / f"{'x' * 5000}.tsv": ": cannot be read (File name too long)",
        tmp_path / "no\0.tsv": ": no such file",
        tmp_path / "loop.tsv": "",
        tmp_path / "broken.tsv" / "x.tsv": "",
    }.items():
        with pytest.raises(DataError) as caught:
            load(path)
        assert str(caught.value).startswith(f"{path}{problem}")


# ---------------------------------------------------------------------- spreadsheets


FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "'=1", "''@x"]


@pytest.mark.parametrize("text", [*FORMULAS, "-1", "+1.5", "a", "'a", "", "-"])
def test_formulas_are_guarded_and_read_back_exactly(text):
    frame = pd.DataFrame({"id": ["x"], "label": [text], "proposed": [text], "score": [0.5], "text_a": [text]})
    content = b"".join(tsv.lines(spreadsheet.guarded(frame)))
    cells = list(csv.reader(content.decode().splitlines(keepends=True), delimiter="\t"))[1]
    assert cells[-1][:1] not in {"=", "+", "-", "@", "\t", "\r", "＝"} or text in {"-1", "+1.5"}
    again = stored_diagnosis.frame_of(content)
    assert again.loc[0, ["label", "proposed"]].tolist() == [text, text]


def test_corrections_that_excel_saved(tmp_path):
    frame = pd.DataFrame({"id": ["007", "8"], "label": ["差", "1"], "proposed": "好", "score": [0.5, 1.0]})
    frame.to_excel(tmp_path / "x.xlsx", index=False)
    again = spreadsheet.read((tmp_path / "x.xlsx").read_bytes(), "x.xlsx", ("id", "label"))
    assert again.drop(columns="score").to_dict("list") == frame.drop(columns="score").to_dict("list")
    text = "id;label;proposed;score;text_a\r\n007;差评;好评;0.5;这部电影很好，我喜欢看\r\n8;好评;差评;1;质量太差了\r\n"
    again = spreadsheet.read(text.encode("gb18030"), "x.csv", ("id", "label"))
    assert again["label"].tolist() == ["差评", "好评"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c[:15], "no column proposed"),
        (lambda c: c.replace(b"0.5", b"5"), "score '5' in row 2 is not a number from 0 to 1"),
        (lambda c: c.replace(b"0.5", b"nan"), "score 'nan' in row 2 is not a number"),
        (lambda c: c.replace(b'"no"', b'"\xff"'), "UTF8"),
        (lambda c: c.replace(b'"no"', b'"no"\t\t\t\t\t8'), "Expected 5 columns, got 10"),
        (lambda c: b"".join(c.splitlines(True)[:1]), "it has no rows"),
        (lambda c: c + c.splitlines(True)[1], "an id occurs twice"),
        (lambda c: b"", "no column id"),
    ],
)
def test_a_damaged_diagnosis_is_named(change, message):
    frame = pd.DataFrame(
        {"id": [1, 2], "label": "no", "proposed": "yes", "score": [0.5, 0.25], "text_a": "a text"}
    )
    with pytest.raises(SummaryError, match=f"^diagnosis.tsv is damaged: .*{message}"):
        stored_diagnosis.frame_of(change(b"".join(tsv.lines(frame))))
