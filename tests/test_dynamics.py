"""The reducer against the oracle, and for what must not change it."""

import json
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamap import schema
from datamap.errors import SignalError
from datamap.signals.compute import Outputs, log_softmax, margin
from datamap.signals.observations import Observations
from datamap.summaries import dynamics, tsv
from reference import reduce_probs, reduce_records

PROBABILITY = st.floats(0, 1, allow_nan=False, width=32)
MOMENT = st.tuples(PROBABILITY, st.booleans())  # correct is recorded, not inferred from the probability


@st.composite
def histories(draw, missing=False):
    """Random observations: T lists of records, over the same samples (or some of them)."""
    samples, observations = draw(st.integers(1, 6)), draw(st.integers(1, 8))
    labels = draw(st.lists(st.integers(0, 4), min_size=samples, max_size=samples))
    result = []
    for _ in range(observations):
        moments = draw(st.lists(MOMENT, min_size=samples, max_size=samples))
        result.append(
            [
                {"id": i, "label": label, "noisy_label": label % 3, "correct": correct, "label_probs": p}
                for i, (label, (p, correct)) in enumerate(zip(labels, moments, strict=True))
            ]
        )
    if missing:
        result = [[r for r in records if draw(st.booleans())] for records in result]
        result = [records for records in result if records]
    return result


def observations_of(records, **options):
    tables = [(n, pa.Table.from_pylist(r)) for n, r in enumerate(records, 1)]
    return Observations.from_tables(tables, **options)


def assert_equals_oracle(records, summary):
    expected = reduce_records(records)
    assert summary["id"].tolist() == list(expected)
    for row in summary.to_dict("records"):
        for column, value in expected[row["id"]].items():
            assert math.isclose(row[column], value, rel_tol=1e-9, abs_tol=1e-9), (column, row, value)


@settings(max_examples=100, deadline=None)
@given(histories())
def test_equals_the_oracle(records):
    assert_equals_oracle(records, dynamics.summarize(observations_of(records)))


@settings(max_examples=100, deadline=None)
@given(histories(missing=True))
def test_equals_the_oracle_with_missing_samples(records):
    if records:
        assert_equals_oracle(records, dynamics.summarize(observations_of(records, allow_missing=True)))


def test_missing_observations_of_a_long_history_keep_their_order():
    random = np.random.default_rng(0)
    records = [
        [{"id": i, "label": 0, "correct": bool(random.random() < 0.5), "label_probs": random.random()}
         for i in range(20) if random.random() < 0.7]
        for _ in range(60)
    ]  # fmt: skip
    assert_equals_oracle(records, dynamics.summarize(observations_of(records, allow_missing=True)))


@pytest.mark.parametrize("correct", [True, False])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_always_or_never_right(correct, count):
    row = {"id": 7, "label": 1, "noisy_label": 2, "correct": correct, "label_probs": 0.25}
    summary = dynamics.summarize(observations_of([[row]] * count)).iloc[0]
    assert summary["correct_times"] == (count if correct else 0)
    assert summary["label_var"] == 0
    events = ["forgetting_times", "learnt_times", "first_forget", "first_learn"]
    assert summary[events].tolist() == [0, 0, 0, 0]
    assert summary["s_label"] == 2


def test_columns_are_the_contract_then_further_ones():
    row = {"id": "a", "label": 0, "correct": True, "label_probs": 0.5, "grade": 2.0}
    summary = dynamics.summarize(observations_of([[row], [{**row, "grade": 4.0}]]))
    assert summary.columns.tolist() == [*schema.SUMMARY_COLUMNS, "aleatoric", "grade_mean"]
    assert summary["grade_mean"].tolist() == [3.0]


def test_columns_of_any_printable_name_are_read_again():
    names = ('a"b', '"', '""', '"quoted"', "a b", "中文", "a,b", "a.b")
    row = {"id": "a", "label": 0, "correct": True, "label_probs": 0.5, **dict.fromkeys(names, 2.0)}
    summary = dynamics.summarize(observations_of([[row]]), extra=dict.fromkeys(names, ["mean"]))
    read = tsv.read(b"".join(tsv.lines(summary)))
    assert read.columns.tolist() == summary.columns.tolist()
    assert {f"{name}_mean" for name in names} <= set(read.columns)


def test_reductions_by_config():
    row = {"id": "a", "label": 0, "correct": True, "label_probs": 0.5, "grade": 2.0, "loss": 1.0}
    observed = observations_of([[row], [{**row, "grade": 4.0}], [{**row, "grade": 9.0}]])
    summary = dynamics.summarize(observed, extra={"grade": ["last", "first", "min", "max", "var", "mean"]})
    columns = [f"grade_{name}" for name in ("last", "first", "min", "max", "var", "mean")]
    assert summary.columns.tolist()[-7:] == [*columns, "loss_mean"]
    assert summary[columns].iloc[0].tolist() == pytest.approx([9, 2, 2, 9, 26 / 3, 5])


def test_an_unknown_further_signal_is_named():
    row = {"id": "a", "label": 0, "correct": True, "label_probs": 0.5, "grade": 2.0}
    with pytest.raises(SignalError, match="extra: the run has no signal 'grad'; did you mean grade"):
        dynamics.summarize(observations_of([[row]]), extra={"grad": ["mean"]})


@st.composite
def predictions(draw):
    """(T, N, C) probabilities that sum to 1, and labels (N,)."""
    shape = draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(st.integers(2, 5))
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, draw(st.sampled_from([0.1, 1, 10])), shape)
    probs = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    return probs, generator.integers(0, shape[2], shape[1])


@settings(max_examples=100, deadline=None)
@given(predictions(), st.integers(1, 4))
def test_statistics_of_all_classes_against_plain_python(case, first):
    probs, labels = case
    records = [
        [
            {
                "id": i,
                "label": int(k),
                "correct": int(p.argmax()) == k,
                "label_probs": p[k],
                "probs": p.tolist(),
            }
            for i, (p, k) in enumerate(zip(row, labels, strict=True))
        ]
        for row in probs
    ]
    summary = dynamics.summarize(observations_of(records), el2n_observations=first)
    expected = [reduce_probs([row[i]["probs"] for row in records], k, first) for i, k in enumerate(labels)]
    for column in expected[0]:
        np.testing.assert_allclose(summary[column], [e[column] for e in expected], rtol=1e-9, atol=1e-9)


def test_a_recorded_margin_is_not_worked_out_again():
    row = {"id": 1, "label": 0, "correct": False, "label_probs": 0.0, "probs": [0.0, 1.0]}
    assert dynamics.summarize(observations_of([[row]]))["margin_mean"][0] == pytest.approx(math.log(1e-7))
    assert dynamics.summarize(observations_of([[{**row, "margin": -150.0}]]))["margin_mean"][0] == -150


def test_margin_of_logits_and_of_their_probabilities_agree():
    logits = np.array([[2.0, -1.0, 0.5], [0.0, 3.0, 3.0]])
    outputs = Outputs(np.array([0, 1]), None, None, log_softmax(logits))
    assert margin(outputs) == pytest.approx([1.5, 0.0])


@settings(max_examples=50, deadline=None)
@given(histories(), st.randoms())
def test_order_of_records_changes_only_the_order_of_rows(records, random):
    before = dynamics.summarize(observations_of(records)).set_index("id")
    shuffled = [random.sample(r, len(r)) for r in records]
    after = dynamics.summarize(observations_of(shuffled)).set_index("id").loc[before.index]
    pd.testing.assert_frame_equal(before, after)


def test_moments_are_taken_in_float64():
    values = np.array([[1e-8], [3e-8]], np.float32).astype(float)
    records = [[{"id": 0, "label": 0, "correct": False, "label_probs": float(v)}] for v in values[:, 0]]
    summary = dynamics.summarize(observations_of(records))
    assert math.isclose(summary["label_var"][0], values.var(), rel_tol=1e-12)


def test_tsv_reads_back_exactly():
    records = [[{"id": "a\tb", "label": 0, "correct": True, "label_probs": 1 / 3}]]
    text = dynamics.summarize(observations_of(records)).to_csv(sep="\t", index=False)
    assert repr(1 / 3) in text
    assert json.dumps("a\tb").strip('"').replace("\\t", "\t") in text
