"""Files of labeled texts: forms that are read, rows that are refused, rows that are drawn."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datamap.data import dataset
from datamap.errors import DataError
from datamap.summaries import tsv

AUTO = dict.fromkeys(dataset.COLUMNS, "auto")
ROWS = [("甲乙", "乙甲", 0, 0), ("丙", '丁"', 1, 2), ("戊", "己", 1, 1), ("庚", "辛", 0, 0)]
NAMES = ["text_a", "text_b", "label", "s_label"]


def write(path, lines, end="\n", start=b"", encoding="utf-8"):
    path.write_bytes(start + (end.join(lines) + end).encode(encoding))
    return path


def load(path, columns=None, **options):
    return dataset.load_samples(path, {**AUTO, **(columns or {})}, **options)


def tsv_lines(rows):
    return ["\t".join(map(str, row)) for row in rows]


FORMS = {
    "positions": lambda p: write(p / "x.tsv", tsv_lines(ROWS)),
    "header": lambda p: write(p / "x.tsv", tsv_lines([NAMES, *ROWS])),
    "crlf and byte-order mark": lambda p: write(
        p / "x.tsv", tsv_lines([NAMES, *ROWS]), "\r\n", b"\xef\xbb\xbf"
    ),
    "all quoted": lambda p: (
        pd.DataFrame(ROWS, columns=NAMES).to_csv(p / "x.tsv", sep="\t", index=False, quoting=2) or p / "x.tsv"
    ),
    "our samples.tsv": lambda p: (
        (p / "x.tsv").write_bytes(b"".join(tsv.lines(pd.DataFrame(ROWS, columns=NAMES)))) and p / "x.tsv"
    ),
    "other order": lambda p: write(p / "x.tsv", tsv_lines([NAMES[::-1], *(row[::-1] for row in ROWS)])),
    "empty lines": lambda p: write(p / "x.tsv", ["", *tsv_lines(ROWS), ""]),
    "csv": lambda p: pd.DataFrame(ROWS, columns=NAMES).to_csv(p / "x.csv", index=False) or p / "x.csv",
    "jsonl": lambda p: write(p / "x.jsonl", [json.dumps(dict(zip(NAMES, r, strict=True))) for r in ROWS]),
    "parquet": lambda p: pd.DataFrame(ROWS, columns=NAMES).to_parquet(p / "x.parquet") or p / "x.parquet",
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(tmp_path, form):
    samples = load(FORMS[form](tmp_path))
    assert samples.texts_a == [row[0] for row in ROWS]
    assert samples.texts_b == [row[1] for row in ROWS]
    assert samples.labels.tolist() == [0, 1, 1, 0]
    assert samples.planted.tolist() == [0, 2, 1, 0]
    assert samples.ids == [0, 1, 2, 3]
    assert samples.class_names == ("0", "1")


@pytest.mark.parametrize("odd", ['"好"', '"好"吗', '"'])
def test_quotation_marks_of_some_rows_mean_themselves(tmp_path, odd):
    samples = load(write(tmp_path / "x.tsv", tsv_lines([*ROWS, (odd, "辛", 0, 0)])))
    assert samples.texts_a[-1] == odd
    assert samples.texts_b[1] == '丁"'


def test_named_and_numbered_columns(tmp_path):
    path = write(
        tmp_path / "x.tsv",
        tsv_lines(
            [
                ["nr", "question", "kind", "class"],
                *(
                    ("a7", "q", "x", "no"),
                    ("a8", "r", "x", "yes"),
                    ("a9", "s", "x", "no"),
                    ("b1", "t", "x", "yes"),
                ),
            ]
        ),
    )
    columns = {"text_a": "question", "text_b": None, "label": 3, "s_label": None, "id": "nr"}
    samples = load(path, columns, header=True)
    assert samples.texts_b is None
    assert samples.ids == ["a7", "a8", "a9", "b1"]
    assert samples.class_names == ("no", "yes")
    assert samples.labels.tolist() == [0, 1, 0, 1]


def test_classes_that_are_numbers_are_sorted_as_numbers(tmp_path):
    path = write(tmp_path / "x.tsv", tsv_lines([("a", "b", label) for label in (10, 9, 10, 9)]))
    assert load(path).class_names == ("9", "10")


def test_ids_with_leading_zeros_stay_strings(tmp_path):
    path = write(
        tmp_path / "x.tsv", tsv_lines([["id", *NAMES[:3]], *([f"00{n}", "a", "b", n % 2] for n in range(4))])
    )
    assert load(path).ids == ["000", "001", "002", "003"]


BAD_LINES = {
    "line 3: 2 columns instead of 4": "只有\t两列",
    "line 3: text_b is empty": "甲\t \t1\t0",
    "line 3: label is empty": "甲\t乙\t\t0",
    "line 3: text_a has bytes that are not UTF-8": "BYTES\t乙\t1\t0",
    "line 3: s_label '9' is not 0 .normal.": "甲\t乙\t1\t9",
    "line 3: class 'lone' occurs only once": "甲\t乙\tlone\t0",
}


def bad_file(path, bad):
    lines = tsv_lines(ROWS)
    write(path, [*lines[:2], bad, *lines[2:]])
    path.write_bytes(path.read_bytes().replace(b"BYTES", b"\xd6\xd0"))
    return path


@pytest.mark.parametrize("message", BAD_LINES)
def test_malformed_rows_are_named(tmp_path, message):
    with pytest.raises(DataError, match=f"x.tsv, {message}"):
        load(bad_file(tmp_path / "x.tsv", BAD_LINES[message]))


@pytest.mark.parametrize("message", BAD_LINES)
def test_malformed_rows_can_be_left_out(tmp_path, message):
    samples = load(bad_file(tmp_path / "x.tsv", BAD_LINES[message]), skip_bad=True)
    assert samples.ids == [0, 1, 3, 4]  # the row numbers of the file
    assert samples.labels.tolist() == [0, 1, 1, 0]
    assert [row.line for row in samples.bad_rows] == [3]


def test_repeated_id_is_named_with_both_lines(tmp_path):
    path = write(
        tmp_path / "x.tsv",
        tsv_lines([["id", *NAMES[:3]], ["k", "a", "b", 1], ["l", "a", "b", 0], ["k", "c", "d", 1]]),
    )
    with pytest.raises(
        DataError,
        match="line 4: id 'k' occurs in line 2 already; to number the rows instead: data.columns.id=null",
    ):
        load(path)


def test_bad_records_of_jsonl(tmp_path):
    good = [json.dumps(dict(zip(NAMES, row, strict=True))) for row in ROWS]
    with pytest.raises(DataError, match="line 2: not a JSON object"):
        load(write(tmp_path / "x.jsonl", [good[0], '{"text_a": ', *good[1:]]))
    with pytest.raises(DataError, match="line 5: text_b is empty"):
        load(write(tmp_path / "x.jsonl", [*good, '{"text_a": "a", "label": 1}']))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.xls", "", "unknown format; save it as .xlsx"),
        ("x.xlsx", "", "is not a workbook, or is protected by a password"),
        ("none.tsv", None, "no such file"),
        ("x.tsv", "", "no rows"),
        ("x.tsv", "a\tb\n", "class 'b' occurs only once; if this row names the columns"),
        ("x.tsv", "a\n", "no column for label .columns: 0.;"),
        ("x.tsv", "a\tb\t1\nc\td\t1\n", "only 1 class"),
        ("x.parquet", "nonsense", "not a Parquet file"),
    ],
)
def test_unusable_files(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        load(tmp_path / name)


def test_unknown_columns(tmp_path):
    path = write(tmp_path / "x.tsv", tsv_lines([NAMES, *ROWS]))
    with pytest.raises(DataError, match=r"no column 'lable' for data.columns.label; did you mean label\?"):
        load(path, {"label": "lable"})
    with pytest.raises(DataError, match="data.columns.text_a=9 is out of range; rows have columns 0 to 3"):
        load(path, {"text_a": 9})


def test_dev_file_has_the_training_classes(tmp_path):
    with pytest.raises(DataError, match=r"line 3: class '1' is unknown \(the training data has 0, 2\)"):
        load(write(tmp_path / "x.tsv", tsv_lines([NAMES, ROWS[0], ROWS[1]])), class_names=("0", "2"))


def test_a_dev_file_of_other_classes_alone_is_refused_also_where_rows_are_skipped(tmp_path):
    path = write(tmp_path / "x.tsv", tsv_lines(ROWS))
    with pytest.raises(DataError, match="no usable row .4 bad ones."):
        load(path, class_names=("a", "b"), skip_bad=True)


@pytest.fixture
def many(tmp_path):
    return load(write(tmp_path / "x.tsv", tsv_lines([(f"a{n}", f"b{n}", n % 3) for n in range(300)])))


def test_draw_keeps_order_and_row_numbers(many):
    drawn = dataset.draw(many, 100, seed=1)
    assert len(drawn) == 100
    assert drawn.ids == sorted(drawn.ids)
    assert [f"a{i}" for i in drawn.ids] == drawn.texts_a
    assert drawn.ids == dataset.draw(many, 100, seed=1).ids != dataset.draw(many, 100, seed=2).ids
    assert dataset.draw(many, 1000, seed=1) is many


def test_drawing_a_class_once_is_refused(many):
    with pytest.raises(
        DataError, match="chose class '.' only once; choose more samples, or use another data.seed"
    ):
        dataset.draw(many, 2, seed=1)


@pytest.mark.parametrize("ratio", [0.1, 0.5, 1.0])
def test_flipped_labels_are_other_classes_and_marked(many, ratio):
    flipped = dataset.flip_labels(many, ratio, seed=1)
    changed = flipped.labels != many.labels
    assert changed.sum() == round(300 * ratio)
    assert np.array_equal(flipped.planted == 2, changed)
    assert set(flipped.labels) <= {0, 1, 2}
    again = dataset.flip_labels(many, ratio, seed=1)
    assert np.array_equal(flipped.labels, again.labels)


def test_digest_changes_with_the_data(many):
    assert many.digest == dataset.draw(many, 300, 1).digest
    assert many.digest != dataset.flip_labels(many, 0.1, 1).digest


@pytest.mark.parametrize("message", BAD_LINES)
def test_malformed_rows_end_training_before_it_begins(command, tmp_path, message):
    outcome = command("train", "data=file", f"data.path={bad_file(tmp_path / 'x.tsv', BAD_LINES[message])}")
    assert outcome.code == 2
    assert re.fullmatch(f"error: .*x.tsv, {message}.*\n", outcome.err)
    assert not list(Path().iterdir())  # no store, no run


@pytest.fixture
def lcqmc(monkeypatch, tmp_path):
    """PaddleNLP's own loader of LCQMC, its cache in a folder of ours and its download on a dead port."""
    from paddlenlp.datasets import lcqmc
    from paddlenlp.utils import downloader

    loader = lcqmc.LCQMC
    monkeypatch.setattr(lcqmc, "DATA_HOME", str(tmp_path))
    monkeypatch.setattr(loader, "URL", "http://127.0.0.1:9/lcqmc.zip")
    monkeypatch.setattr(loader, "SPLITS", {k: v._replace(md5=None) for k, v in loader.SPLITS.items()})
    monkeypatch.setattr(downloader, "DOWNLOAD_RETRY_LIMIT", 1)
    return tmp_path / "LCQMC" / "lcqmc" / "lcqmc"


def test_lcqmc_is_loaded_by_paddlenlp(lcqmc):
    lcqmc.mkdir(parents=True)
    for part in ("train", "dev"):
        write(lcqmc / f"{part}.tsv", tsv_lines([(f"{part}{n}", "b", n % 2) for n in range(4)]))
    train, dev = dataset.load_named("lcqmc", AUTO)
    assert train.texts_a == ["train0", "train1", "train2", "train3"]
    assert dev.labels.tolist() == [0, 1, 0, 1]
    assert train.class_names == dev.class_names == ("0", "1")


def test_lcqmc_without_a_network_says_what_to_do(lcqmc):
    with pytest.raises(
        DataError, match="PaddleNLP cannot load data set 'lcqmc' .*give a local copy: data.path="
    ):
        dataset.load_named("lcqmc", AUTO)
