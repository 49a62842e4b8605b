"""The contents of a review: samples joined, histories, neighbors, and estimates from decisions."""

import contextlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from datamap.data import spreadsheet
from datamap.errors import DataError, SummaryError
from datamap.pipeline.stored_diagnosis import is_probable, table_of
from datamap.review import estimates, samples
from datamap.review.histories import Histories
from datamap.review.neighbors import Neighbors
from datamap.signals import compute, shards
from datamap.summaries import tsv

SUMMARY = pd.DataFrame(
    {"id": ["a", "=b", "c"], "label": [0, 1, 4], "label_var": [0.1, 0.0, 0.2], "avg_probs": [0.5, 1.0, 0.2]}
)
DIAGNOSIS = pd.DataFrame(
    {
        "id": ["c", "a", "=b"],
        "score": [0.9, 0.5, 0.1],
        "label": ["4", "=no", "yes"],
        "proposed": ["=no", "6", ""],
        "region": ["noisy", "hard", "easy"],
        "why": ["never", "", "x"],
    }
)


def diagnosis_of(frame):
    content = b"".join(tsv.lines(spreadsheet.guarded(frame)))
    return table_of(content)


def test_samples_are_joined_by_id_in_the_summarys_order():
    found = samples.join_samples(SUMMARY, diagnosis_of(DIAGNOSIS), {}, ("=no", "yes"))
    assert found.names == ("=no", "yes", "2", "3", "4", "5", "6")
    assert found.labels.tolist() == [0, 1, 4]
    assert found.proposed.tolist() == [6, -1, 0]
    assert found.scores.tolist() == pytest.approx([0.5, 0.1, 0.9])
    assert found.regions.tolist() == [2, 0, 3]
    assert found.ranks.tolist() == [2, 3, 1]
    assert found.why.to_pylist() == ["", "x", "never"]
    assert [found.row_of(key) for key in ("=b", "'=b", "")] == [1, -1, -1]


@pytest.mark.parametrize(
    ("values", "probable"),
    [
        (["probability"] * 3, True),
        (["概率"] * 3, True),
        (["order only"] * 3, False),
        (["概率", "", "概率"], False),
        (None, False),
    ],
)
def test_a_score_is_a_probability_only_where_the_diagnosis_says_so(values, probable):
    frame = (
        DIAGNOSIS if values is None else DIAGNOSIS.assign(evidence=values)
    )  # older diagnoses have no such column
    for columns in (None, ["id", "score", "evidence"]):
        content = b"".join(tsv.lines(spreadsheet.guarded(frame)))
        assert is_probable(table_of(content, columns)["evidence"].unique().to_pylist()) == probable


@pytest.mark.parametrize("key", ["007", "+7", "7.0", "", "x", "٧", "9" * 30, "-0"])
def test_ids_that_are_numbers_are_written_in_one_way(key):
    numbered = samples.join_samples(
        SUMMARY.assign(id=[7, 8, -9]), diagnosis_of(DIAGNOSIS.assign(id=[-9, 7, 8])), {}, ()
    )
    assert numbered.row_of(key) == -1
    assert [numbered.row_of(known) for known in ("7", "8", "-9")] == [0, 1, 2]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (DIAGNOSIS[:2], "diagnosis.tsv lacks 1 sample of the run"),
        (DIAGNOSIS.assign(score="much"), "score 'much' in row 2 is not a number from 0 to 1"),
    ],
)
def test_a_diagnosis_that_does_not_fit(frame, message):
    with pytest.raises((DataError, SummaryError), match=message):
        samples.join_samples(SUMMARY, diagnosis_of(frame), {}, ("=no", "yes"))


class Folder(dict):
    """Artifacts in memory."""

    @contextlib.contextmanager
    def local(self, path, sha256=None):
        yield self[path]


def test_histories_of_all_samples():
    folder, observed = Folder(), {}
    for number in (1, 2):
        probs = np.array([[0.25, 0.75], [0.5, 0.5], [0.9, 0.1]][:: 3 - 2 * number])  # in another order, too
        table = compute.signal_table([0, 1, 2][:: 3 - 2 * number], [1, 0, 1][:: 3 - 2 * number], probs=probs)
        ((shard, content),) = shards.encoded(table, "epoch", number, 9, "parquet")
        folder[shard.path], observed[number] = content, [shard]
    found = Histories()
    assert found.history(0) is None
    found.load(folder, observed, pa.array([0, 1, 2]))
    expected = {"numbers": [1, 2], "label_probs": [0.75, 0.75], "correct": [True, True], "predicted": [1, 1]}
    assert found.history(0) == expected


def test_neighbors_are_the_most_similar_others():
    texts = [f"how do I change word{n:03} of my account" for n in range(50)]
    texts += ["怎么换手机壳", "手机壳怎么换啊", "北京天气怎么样", ""]
    found = Neighbors()
    assert found.nearest(0) is None
    found.build([pa.chunked_array([pa.array(texts)])])
    near = found.nearest(50)
    assert near[0][0] == 51
    assert 0.3 < near[0][1] <= 1
    assert [len(found.nearest(0)), len(found.nearest(53))] == [8, 0]
    values = [similarity for _, similarity in found.nearest(0)]
    assert values == sorted(values, reverse=True)


def test_neighbors_by_embeddings():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(60, 16)) + 50  # a common direction, as encoders have it
    vectors[7] = vectors[3] + 0.01
    found = Neighbors()
    found.build([pa.chunked_array([pa.array(["the same text"] * 60)])], vectors)
    near = found.nearest(3)
    assert near[0] == (7, pytest.approx(1, abs=0.01))
    centered = vectors - vectors.mean(axis=0)
    cosines = centered @ centered[3] / np.linalg.norm(centered, axis=1) / np.linalg.norm(centered[3])
    best = [row for row in np.argsort(-cosines) if row != 3][:8]
    assert [row for row, _ in near] == best
    assert all(value > 0 for _, value in near)


def test_neighbors_without_texts():
    found = Neighbors()
    found.build([])
    assert found.nearest(0) == []


def simulated(seed, offset, slope, count=3000):
    """(scores, which labels are wrong) where P(wrong) is a line in the score's log-odds."""
    random = np.random.default_rng(seed)
    odds = random.normal(-3, 2, count)
    scores = (1 / (1 + np.exp(-odds))).astype(np.float32)
    return scores, random.random(count) < 1 / (1 + np.exp(-(offset + slope * odds)))


@pytest.mark.parametrize(("offset", "slope"), [(0, 1), (-1, 0.7), (1, 1.3)])
def test_the_range_of_what_remains_holds_the_truth(offset, slope):
    hits, runs = 0, 40
    for seed in range(runs):
        scores, wrong = simulated(seed, offset, slope)
        order = (-scores).argsort()
        first = order[:300].tolist()
        estimate = {"count": 100, "low": 0, "high": 300, "known": seed % 2 == 0}
        lesson = estimates.ScoreCalibrator(scores, estimate).estimate(
            order, first, {row: bool(wrong[row]) for row in first}, "en"
        )
        assert lesson.wrong == wrong[first].sum()
        hits += lesson.remaining["low"] <= wrong.sum() - lesson.wrong <= lesson.remaining["high"]
    assert hits >= 0.8 * runs  # 90 % are meant


def test_before_any_decision_the_estimate_of_diagnose_counts():
    scores, _ = simulated(0, 0, 1)
    order = (-scores).argsort()
    few, many = (
        estimates.ScoreCalibrator(scores, {"count": count, "low": 0, "high": 900, "known": True}).estimate(
            order, [], {}, "en"
        )
        for count in (20, 600)
    )
    assert few.suggested < many.suggested
    assert few.precision is few.remaining is None
    assert few.advice == "Review 20 more to learn how far the score can be trusted."


def test_it_pays_to_stop_where_nothing_is_found():
    scores, wrong = simulated(0, -3, 1)
    order = (-scores).argsort()
    calibrator = estimates.ScoreCalibrator(scores, None)
    first = order[:600].tolist()
    lesson = calibrator.estimate(order, first, {row: bool(wrong[row]) for row in first}, "en")
    assert lesson.advice.startswith("You can stop: only about ")
    everything = calibrator.estimate(order, range(3000), dict(enumerate(wrong.tolist())), "zh")
    assert (everything.advice, everything.remaining["high"]) == ("已全部审核。", 0)
