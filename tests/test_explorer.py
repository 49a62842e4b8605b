"""The explorer's file: which samples are in it, what its data say, that texts stay data. The page itself: e2e."""

import contextlib
import re

import numpy as np
import pandas as pd
import pytest

from datamap import schema
from datamap.maps import explorer, explorer_data
from datamap.signals import compute, shards, trajectories
from datamap.signals.trajectories import Trajectories
from datamap.summaries import tsv
from explored import by_rows, data_of, unpacked, unpacked_json


def frame(count, **columns):
    zeros = {name: np.zeros(count) for name in schema.SUMMARY_COLUMNS}
    ints = {"id": np.arange(count), "label": np.zeros(count, int), "s_label": np.zeros(count, int)}
    times = {"forgetting_times": np.zeros(count, int), "learnt_times": np.zeros(count, int)}
    return pd.DataFrame(zeros | ints | times | {"correct_ratio": np.ones(count)} | columns)


def histories(count, observations=2):
    shape = (observations, count)
    return Trajectories((1, 2)[:observations], np.full(shape, 0.5, np.float32), np.ones(shape, bool), None)


def test_a_subsample_keeps_the_rare_ones_and_is_the_same_each_time():
    label = np.zeros(5000, int)
    label[[7, 4000]] = 1
    forgotten = np.zeros(5000, int)
    forgotten[123] = 5
    full = frame(5000, label=label, forgetting_times=forgotten)
    rows = explorer.subsample(full, count=200)
    assert len(rows) == 200
    assert {7, 123, 4000} <= set(rows.tolist())
    assert np.array_equal(rows, explorer.subsample(full, count=200))
    assert np.array_equal(np.unique(rows), rows)
    assert len(explorer.subsample(full)) == 5000


def test_the_page_says_that_it_is_a_subsample():
    full = frame(90_000, label_var=np.linspace(0, 0.2, 90_000), label=np.arange(90_000) % 2)
    page = data_of(
        explorer.build_page(
            frame(3), histories(3), by_rows(), full=explorer.Appearance.from_summary(full)
        ).decode()
    )
    assert page["note"].startswith("3 of 90,000 samples: all of rare groups")
    # Colors and scales are the map's, which is of all.
    assert page["limits"]["label_var"] == pytest.approx([-0.005, 0.205])
    assert [rule["name"] for rule in page["groupings"]["label"]] == ["0", "1", "no value"]


def test_numbers_come_back_from_the_page():
    probs = np.array([[0.25, np.nan], [1.0, 0.0]], np.float32)
    found = Trajectories((3, 5), probs, np.array([[1, 0], [1, 0]], bool), np.array([[1, -1], [2, 0]]))
    full = frame(2, avg_probs=[0.625, 0.0])
    data = data_of(explorer.build_page(full, found, by_rows(text_a=["甲", "乙"]), ("a", "b", "c")).decode())

    scaled = unpacked(data["probs"], "<u2")
    assert scaled[1] == data["levels"] + 1
    assert np.allclose(scaled[[0, 2, 3]] / 65534, [0.25, 1, 0], atol=1e-5)
    assert unpacked(data["predicted"], "<u2").tolist() == [1, explorer_data.MISSING, 2, 0]
    assert unpacked(data["columns"]["avg_probs"], "<f4").tolist() == [0.625, 0]
    assert (data["numbers"], data["classes"]) == ([3, 5], ["a", "b", "c"])
    assert unpacked_json(data["texts"]["text_a"]) == ["甲", "乙"]


def large(count, observations):
    """Summary, histories and texts of random numbers, which deflate least."""
    random = np.random.default_rng(0)
    found = Trajectories(
        tuple(range(1, observations + 1)),
        random.random((observations, count), np.float32),
        random.random((observations, count)) > 0.5,
        None,
    )
    texts = {"text_a": [f"{n} {value:.9f}" for n, value in enumerate(random.random(count))]}
    return frame(count, avg_probs=random.random(count), label_var=random.random(count)), found, texts


def test_a_page_holds_what_mlflows_viewer_opens():
    summary, found, texts = large(3000, 12)
    bytes_of = {}
    for room in (1 << 20, 120_000, 60_000):
        data = explorer_data.pack_samples(summary, found, by_rows(**texts), None, room)
        bytes_of[room] = explorer_data._size(data)
        assert bytes_of[room] <= room
        assert data["numbers"][0] == 1 and data["numbers"][-1] == 12
        kept = len(data["numbers"])
        shape = unpacked(data["probs"], "<u2").reshape(kept, 3000)
        assert np.allclose(shape[-1] / data["levels"], found.label_probs[-1], atol=1e-4)
        if room == 1 << 20:
            assert kept == 12 and data["textRows"] is None
    assert 2 <= kept < 12
    # The texts of those with the lowest avg_probs.
    rows = unpacked(data["textRows"], "<u4")
    assert 0 < len(rows) == data["textCount"] < 3000
    assert set(rows) == set(np.argsort(summary["avg_probs"])[: len(rows)])
    assert unpacked_json(data["texts"]["text_a"]) == [texts["text_a"][row] for row in rows]
    note = explorer._note(summary, None, data, 12, "token", "en").split("; ")
    assert note[:2] == ["3,000 tokens", f"replay: {kept} of 12 observations"]
    assert note[2] == f"texts: the {len(rows):,} most likely wrong by avg_probs"


def test_numbers_of_a_large_run_have_four_digits(monkeypatch):
    summary, found, _ = large(500, 3)
    big = np.r_[np.nan, np.inf, -np.inf, 1e300, np.full(496, 123456.0)]
    summary = summary.assign(big=big, count=np.arange(500) + 2**20)
    monkeypatch.setattr(explorer_data, "MAX_EXACT", 100)
    data = explorer_data.pack_samples(summary, found, by_rows(), None)
    assert data["levels"] == 254
    assert np.allclose(
        unpacked(data["probs"], "u1") / 254, found.label_probs.reshape(-1), atol=0.5 / 254 + 1e-6
    )
    columns = {name: unpacked(packed, "<f4") for name, packed in data["columns"].items()}
    assert np.allclose(columns["avg_probs"], summary["avg_probs"], rtol=2e-4)
    assert np.array_equal(columns["count"], summary["count"])
    assert np.isnan(columns["big"][0]) and list(columns["big"][1:4]) == [np.inf, -np.inf, np.inf]
    assert unpacked(data["ids"]["numbers"], "<i4").tolist() == summary["id"].tolist()


def test_more_columns_leave_room_for_fewer_samples():
    assert explorer_data.max_samples(schema.SUMMARY_COLUMNS | schema.FURTHER_COLUMNS) == 1_000_000
    assert 200_000 < explorer_data.max_samples(range(60)) < 400_000


HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--",
    "$data ${x} \u2028 \ud800",
    '"\\u003c',
    "<img src=x onerror=1>",
]


def test_no_text_can_end_the_data():
    texts = by_rows(text_a=HOSTILE, text_b=HOSTILE[::-1])
    page = explorer.build_page(frame(len(HOSTILE)), histories(len(HOSTILE)), texts, title="<b>").decode()
    assert page.count("<script") == 2 and page.count("</script") == 2
    assert "<img" not in page and "<!--" not in page
    found = data_of(page)
    assert unpacked_json(found["texts"]["text_a"]) == [text.replace("\ud800", "?") for text in HOSTILE]
    assert found["title"] == "<b>"


def test_only_our_own_script_may_run():
    page = explorer.build_page(frame(1), histories(1), by_rows()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


class Folder(dict):
    """Artifacts in memory."""

    @contextlib.contextmanager
    def local(self, path, sha256=None):
        yield self[path]


@pytest.mark.parametrize("format", schema.FORMATS)
def test_trajectories_of_some_samples_over_shards(format):
    probs = np.random.default_rng(0).dirichlet([1, 1], (2, 7)).astype(np.float32)
    folder, full = Folder(), {}
    for number in (1, 2):
        tables = []
        recorder = compute.ObservationCollector(lambda _, table, to=tables: to.append(table))
        recorder.record(list("abcdefg"), np.arange(7) % 2, probs=probs[number - 1])
        recorder.commit(number)
        full[number] = []
        for shard, content in shards.encoded(tables[0], "epoch", number, 3, format):
            folder[shard.path] = content
            full[number].append(shard)
    found = trajectories.read(folder, full, ["f", "a", "nobody"])
    label = np.array([1, 0])
    for t in (0, 1):
        rows = probs[t][[5, 0]]
        assert np.allclose(found.label_probs[t, :2], rows[[0, 1], label], atol=1e-6)
        assert found.predicted[t].tolist() == [*rows.argmax(axis=1), -1]
        assert found.correct[t].tolist() == [*(rows.argmax(axis=1) == label), False]
    assert np.isnan(found.label_probs[:, 2]).all()


def test_texts_are_found_by_id():
    content = b"".join(
        tsv.lines(pd.DataFrame({"id": ["x", "7"], "text_a": ['tab\there "q"', "乙"], "label": [0, 1]}))
    )
    assert tsv.texts_of(content, [7, "x", "z"]) == {"text_a": ["乙", 'tab\there "q"', ""]}


def test_texts_of_any_length_and_line_ends_are_read_as_they_were_written(tmp_path, monkeypatch):
    hostile = ['a\r\nb "q"', "\0nul", '"', "\r", "\n" * 50, '""\r\n""' * 20, "x" * 700, "中"]
    table = pd.DataFrame({"id": range(800), "text_a": hostile * 100, "text_b": hostile[::-1] * 100})
    content = b"".join(tsv.lines(table))
    file = tmp_path / "samples.tsv"
    file.write_bytes(content)
    for size, source in ((1, content), (64, file), (1000, content), (1 << 24, file)):
        monkeypatch.setattr(tsv, "PART", size)
        found = tsv.text_table(source, "samples.tsv", ["id", "text_b", "text_a"]).to_pandas()
        pd.testing.assert_frame_equal(found[table.columns], table.astype(str), check_dtype=False)
    monkeypatch.undo()
    long = pd.DataFrame({"id": ["a", "b"], "text_a": ["x" * 3_000_000, '"\r\n' * 500_000]})
    assert tsv.texts_of(b"".join(tsv.lines(long)), ["b", "a"])["text_a"] == long["text_a"].tolist()[::-1]
    assert tsv.text_table(b"id\ttext_a\n", "samples.tsv", ["id"]).num_rows == 0


def test_ids_keep_their_leading_zeros():
    for ids in (["007", "8"], ["a", "b"], [7, 8]):
        content = b"".join(tsv.lines(frame(2, id=ids)))
        assert tsv.read(content)["id"].tolist() == ids


def test_some_columns_and_some_rows_of_a_summary(tmp_path):
    full = frame(
        90_000, avg_probs=np.r_[np.zeros(80_000), np.full(10_000, 0.5)]
    )  # many blocks, floats come late
    path = tmp_path / "summary.tsv"
    path.write_bytes(b"".join(tsv.lines(full)))
    rows = np.array([0, 7, 79_999, 80_001, 89_999])
    pd.testing.assert_frame_equal(
        tsv.read_rows(path, rows), full.iloc[rows].reset_index(drop=True), check_dtype=False
    )
    short = tsv.read_rows(path, rows, single=True)
    assert {str(kind) for kind in short.dtypes[1:]} == {"int32", "float32"}
    pd.testing.assert_frame_equal(short, full.iloc[rows].reset_index(drop=True), check_dtype=False, rtol=1e-6)
    some = tsv.read(path, {"label", "avg_probs"})
    assert some.columns.tolist() == ["label", "avg_probs"]
    assert some["avg_probs"].sum() == 5000
    assert tsv.read(path, {"nobody"}).columns.tolist() == list(full.columns)
    path.write_bytes(b"".join(tsv.lines(full.assign(further=np.arange(90_000) * 1e300))))
    assert tsv.read_rows(path, rows, single=True)["further"].tolist() == (rows * 1e300).tolist()
