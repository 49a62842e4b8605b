"""Signals of a batch, and what is refused where it enters."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from datamap import schema
from datamap.errors import SignalError
from datamap.signals.compute import ObservationCollector, signal_table

LOGITS = arrays(
    np.float32, st.tuples(st.integers(1, 5), st.integers(2, 4)), elements=st.floats(-500, 500, width=32)
)


@given(LOGITS)
def test_signals_follow_their_definitions(logits):
    labels = np.arange(len(logits)) % logits.shape[1]
    rows = signal_table(list(range(len(logits))), labels, logits=logits).to_pylist()
    for row, scores, label in zip(rows, logits.astype(float), labels, strict=True):
        total = sum(math.exp(s - max(scores)) for s in scores)
        loss = math.log(total) - (scores[label] - max(scores))
        assert list(row) == list(schema.SIGNAL_COLUMNS)
        assert math.isclose(row["loss"], loss, rel_tol=1e-5, abs_tol=1e-5)
        assert math.isfinite(row["loss"])
        assert math.isclose(sum(row["probs"]), 1, abs_tol=1e-5)
        assert row["label_probs"] == row["probs"][label]
        assert row["pred_label"] == row["probs"].index(max(row["probs"]))  # the lowest wins a tie
        assert row["correct"] == (row["pred_label"] == row["label"])


def test_a_sure_models_margin_is_that_of_its_logits():
    (row,) = signal_table([1], [0], logits=[[0.0, 150.0]]).to_pylist()
    assert (row["loss"], row["margin"]) == (150, -150)


def test_a_probability_of_0_counts_as_1e_7():
    """One rounded observation must not outweigh nine sure ones: 0 and 1e-6 tell the same."""
    found = []
    for rare in (0.0, 1e-6):
        tables = [signal_table([1], [0], probs=[[0.99, 0.01]])] * 9 + [
            signal_table([1], [0], probs=[[rare, 1 - rare]])
        ]
        found.append(np.mean([table["margin"][0].as_py() for table in tables]))
    assert found == pytest.approx([2.52, 2.75], abs=0.01)


def test_probabilities_may_be_given_instead_of_logits():
    probs = np.array([[0.25, 0.75], [1.0, 0.0]])
    rows = signal_table([1, 2], [1, 1], probs=probs).to_pylist()
    assert [row["label_probs"] for row in rows] == pytest.approx([0.75, 0.0])
    assert math.isclose(rows[0]["loss"], -math.log(0.75), rel_tol=1e-6)
    assert math.isclose(rows[1]["loss"], -math.log(1e-7), rel_tol=1e-6)
    assert rows[1]["probs"] == [1.0, 0.0]  # as given


BAD = {
    "not finite.*id 8": {"ids": [7, 8], "labels": [0, 1], "logits": [[0, 1], [np.nan, 1]]},
    "label is not in 0..1, id 7": {"ids": [7], "labels": [2], "logits": [[0, 1]]},
    "do not sum to 1, id a": {"ids": ["a"], "labels": [0], "probs": [[0.5, 0.6]]},
    "expected": {"ids": [1, 2], "labels": [0], "logits": [[0, 1]]},
    "either logits or probs": {"ids": [1], "labels": [0]},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_numbers_are_refused(message):
    with pytest.raises(SignalError, match=message):
        ObservationCollector(lambda *_: None).record(**BAD[message])


def test_recorder_hands_on_whole_observations():
    got = {}
    recorder = ObservationCollector(got.__setitem__)
    for number in (1, 2):
        recorder.record(["a"], [0], logits=[[1.0, 0.0]])
        recorder.record(["b"], [1], logits=[[1.0, 0.0]], noisy_labels=[2])
        recorder.commit(number)
    assert got[2]["id"].to_pylist() == ["a", "b"]
    assert got[2]["noisy_label"].to_pylist() == [0, 2]


def test_recorder_refuses_what_it_cannot_commit():
    recorder = ObservationCollector(lambda *_: None)
    with pytest.raises(SignalError, match="observation 1: nothing was recorded"):
        recorder.commit(1)
    recorder.record([3], [0], logits=[[1.0, 0.0]])
    recorder.record([3], [0], logits=[[1.0, 0.0]])
    with pytest.raises(SignalError, match="observation 1: id repeated: 3"):
        recorder.commit(1)


def test_schema_table_and_json_agree():
    table = signal_table([0], [0], logits=[[1.0, 0.0]])
    assert table.column_names == list(schema.SIGNAL_COLUMNS)
    json.dumps(table.to_pylist())
