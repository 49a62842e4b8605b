"""SignalRecorder accepts what `summarize` reads, and refuses at once, in one line, what it cannot use."""

import contextlib
import enum
import itertools
import json
import os
import time
from pathlib import Path
from typing import NamedTuple

import ml_dtypes
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from mlflow import MlflowClient
from transformers.modeling_outputs import SequenceClassifierOutput

import datamap
from anything import ANYTHING, SCALARS, taken
from datamap import schema
from datamap.config import defaults
from datamap.errors import ConfigError, DataError, DataMapError, SignalError
from datamap.pipeline.summarize import summarize_run
from datamap.recording import arguments
from datamap.recording.metadata import Metadata
from datamap.recording.reference import Reference
from datamap.signals import compute, shards
from datamap.signals.compute import signal_table
from datamap.summaries import reduction, tsv
from datamap.tracking.store import Store

EYE = {"labels": [0, 1], "logits": np.eye(2)}
TEXTS = {"id": [7, 8], "text_a": ["x", "y"]}


def records(run_id):
    folder = Path(MlflowClient().get_run(run_id).info.artifact_uri, "signals")
    return [
        json.loads(line) for line in (folder / "epoch_0001-00000-of-00001.jsonl").read_text().splitlines()
    ]


def test_a_probability_a_little_above_1_counts_as_1(store, command):
    with datamap.SignalRecorder() as recorder:
        recorder.record([7, 8], [0, 1], probs=np.array([[1.0000001, 0], [0, 1.0005]]))
        recorder.commit(1)
    assert [r["label_probs"] for r in records(recorder.run_id)] == [1, 1]
    assert command("summarize", f"run_id={recorder.run_id}").code == 0


def test_extreme_logits_have_a_finite_loss(store, command):
    with datamap.SignalRecorder() as recorder:
        recorder.record([7, 8], [0, 1], logits=[[-1.7e308, 1.7e308], [3e38, -3e38]])
        recorder.commit(1)
    assert [r["loss"] for r in records(recorder.run_id)] == pytest.approx([3.4028235e38] * 2)
    assert command("summarize", f"run_id={recorder.run_id}").code == 0


def test_empty_batches_are_no_observation(store):
    with datamap.SignalRecorder() as recorder:
        recorder.record([], [], logits=[])
        with pytest.raises(SignalError, match="observation 1: nothing was recorded"):
            recorder.commit(1)
        recorder.record([7, 8], **EYE)
        recorder.record(np.zeros(0, int), np.zeros(0, int), logits=np.zeros((0, 2)))
        recorder.commit(1)
    assert recorder.run.committed() == {1: 2}


REFUSED = {
    "id is beyond 64 bits, id 18446744073709551615": {"ids": np.array([7, 2**64 - 1], np.uint64)},
    "ids must be whole numbers below 2\\^63 or strings, not 7, 1180591620717411303424": {"ids": [7, 2**70]},
    "ids must be valid Unicode": {"ids": ["a", "\ud800"]},
    "noisy_labels: planted kinds are 0, 1 or 2, id 8": {"noisy_labels": [0, 9]},
    "must be numbers, not a, b, c": {"logits": [["a", "b"], ["c", "d"]]},
    "not finite": {"logits": np.array([[1, 0], [np.inf, 0]])},
    "expected .n,., .n,. and .n, classes.": {"ids": [], "labels": [1], "logits": [[0, 1]]},
    "one class: a classifier has two or more": {"labels": [0, 0], "logits": np.zeros((2, 1)).reshape(2, 1, 1)[:, :, 0]},
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_batches_that_no_summary_could_be_made_of(message):
    collector = compute.ObservationCollector(lambda number, table: None)
    with pytest.raises(
        SignalError, match=message if "one class" not in message else "one per sample"
    ) as caught:
        collector.record(**{"ids": [7, 8], **EYE, **REFUSED[message]})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("number", "metrics", "message"),
    [
        (2**70, {}, "observation 1180591620717411303424: numbers go from 1 to 9007199254740992"),
        (1, {"bad\nname": 1.0}, "metric 'bad.nname'"),
        (1, {"a//b": 1.0}, "metric 'a//b'"),
        (1, {"x" * 300: 1.0}, "metric 'xxx"),
        (1, {7: 1.0}, "metric 7: a name is a string"),
        (1, {"signals.rows": 1.0}, "metric 'signals.rows' is Data Map's own"),
    ],
)
def test_numbers_and_metrics_that_no_store_takes(store, number, metrics, message):
    start = time.monotonic()
    with datamap.SignalRecorder() as recorder:
        recorder.record([7, 8], **EYE)
        with pytest.raises(SignalError, match=message) as caught:
            recorder.commit(number, metrics)
        recorder.commit(1)  # nothing was lost
    assert "\n" not in str(caught.value)
    assert recorder.run.committed() == {1: 2}
    assert time.monotonic() - start < 20


CHANGED = {
    "observation 2: label of id 7 is 1, but 0 in observation 1": {"labels": [1, 1]},
    "observation 2: noisy_label of id 8 is 2, but 0 in observation 1": {"noisy_labels": [0, 2]},
    "observation 2: 3 classes, but 2 in observation 1": {"logits": np.eye(3)[:2]},
    "observation 2: ids are strings, but numbers in observation 1": {"ids": ["7", "8"]},
}


@pytest.mark.parametrize("message", CHANGED)
def test_observations_that_do_not_fit_the_first_one(store, message):
    with datamap.SignalRecorder() as recorder:
        recorder.record([7, 8], **EYE)
        recorder.commit(1)
        recorder.record(**{"ids": [7, 8], **EYE, **CHANGED[message]})
        with pytest.raises(SignalError, match=message):
            recorder.commit(2)


def test_batches_of_different_classes(store):
    collector = compute.ObservationCollector(lambda number, table: None)
    collector.record([7], [0], logits=[[1, 0]])
    collector.record([8], [1], logits=[[1, 0, 0]])
    with pytest.raises(SignalError, match="observation 1: batches of 2 and of 3 classes"):
        collector.commit(1)


def test_a_closed_recorder_takes_nothing(store):
    recorder = datamap.SignalRecorder()
    recorder.close()
    with pytest.raises(SignalError, match="its recorder is closed"):
        recorder.record([7, 8], **EYE)


@pytest.mark.parametrize(
    ("names", "samples", "error", "message"),
    [
        (["1", 1.0], None, ConfigError, "class_names=: '1' occurs twice"),
        (["a", ""], None, ConfigError, "class_names=: a name is empty"),
        (["a", None], None, ConfigError, "class_names=: None is not a name"),
        ("no", None, ConfigError, "class_names='no': give a list of names"),
        (None, {**TEXTS, "s_label": [0, 7]}, DataError, "samples=: s_label is 0, 1 or 2, id 8"),
        (None, {**TEXTS, "s_label": [0, None]}, DataError, "samples=: s_label is 0, 1 or 2, id 8"),
        (["a", "b"], {**TEXTS, "label": ["a", "c"]}, DataError, "samples=: label 'c' is not in class_names=, id 8"),
        (["a", "b"], {**TEXTS, "label": [0, 2]}, DataError, "samples=: label 2 is not in class_names=, id 8"),
        (None, {**TEXTS, "label": ["a", "b"]}, ConfigError, "samples= names its labels: give class_names="),
        (None, {**TEXTS, "id": [7, None]}, DataError, "samples=: id is empty, row 2"),
        (None, 7, DataError, "samples=: not a table"),
    ],
)  # fmt: skip
def test_arguments_that_later_steps_could_not_use(store, names, samples, error, message):
    with pytest.raises(error, match=message):
        datamap.SignalRecorder(names, samples)
    assert not MlflowClient().search_runs(["0"])  # refused before a run is made


def test_names_that_are_numbers_are_the_same_class_however_they_are_written(store, command):
    texts = {**TEXTS, "label": [1.0, 2.0]}
    with datamap.SignalRecorder([1, 2], {**texts, "label": ["1", "2"]}) as recorder:
        recorder.record([7, 8], **EYE)
        recorder.commit(1)
    assert command("summarize", f"run_id={recorder.run_id}").code == 0
    with (
        pytest.raises(SignalError, match="samples= has another label, id 7, 8"),
        datamap.SignalRecorder(["1", "2"], {**texts, "label": ["2", "1"]}) as recorder,
    ):
        recorder.record([7, 8], **EYE)
        recorder.commit(1)


# ---------------------------------------------------------------- any arrays

NUMBERS = st.one_of(
    arrays.floating_dtypes(endianness="="), arrays.integer_dtypes(), arrays.unsigned_integer_dtypes()
)


@st.composite
def batches(draw):
    """Arguments of `record`, most of them nearly right."""
    rows, classes = draw(st.integers(0, 4)), draw(st.integers(1, 4))
    ids = draw(st.one_of(
        st.lists(st.integers(-(2**64), 2**64), min_size=rows, max_size=rows, unique=True),
        st.lists(st.text(max_size=4), min_size=rows, max_size=rows, unique=True),
        st.just(list(range(rows))), arrays.arrays(NUMBERS, rows),
    ))  # fmt: skip
    labels = draw(st.one_of(
        st.lists(st.integers(-1, classes), min_size=rows, max_size=rows), arrays.arrays(NUMBERS, rows),
        st.just([0] * rows),
    ))  # fmt: skip
    scores = draw(
        st.one_of(arrays.arrays(NUMBERS, (rows, classes)), arrays.arrays(NUMBERS, arrays.array_shapes()))
    )
    kind = draw(st.sampled_from(["logits", "probs", "softmax"]))
    if kind == "softmax" and scores.ndim == 2 and scores.size:
        with np.errstate(all="ignore"):
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
            scores = scores / scores.sum(axis=1, keepdims=True)
    kinds = draw(st.one_of(st.none(), st.lists(st.integers(-1, 3), min_size=rows, max_size=rows)))
    return {
        "ids": ids,
        "labels": labels,
        "logits" if kind == "logits" else "probs": scores,
        "noisy_labels": kinds,
    }


OBSERVATIONS = st.lists(st.lists(batches(), max_size=2), max_size=2)
FORMATS = st.sampled_from(["jsonl", "parquet"])
BRIEF = settings(
    deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


def feed(recorder, observations):
    """Record and commit until something is refused; the number of observations that were taken."""
    for number, parts in enumerate(observations, 1):
        try:
            for part in parts:
                recorder.record(**part)
            recorder.commit(number)
        except DataMapError:
            return number - 1
    return len(observations)


@settings(BRIEF, max_examples=int(os.environ.get("DATAMAP_FUZZ_EXAMPLES", 150)))
@given(observations=OBSERVATIONS, format=FORMATS)
def test_what_it_accepts_is_reduced(tmp_path, observations, format):
    written, rows = {}, {}

    def write(number, table):
        if rows:
            reference[0].check(number, table)
        reference.append(Reference.from_table(number, table))
        rows[number] = table.num_rows
        written.update(shards.files(table, "epoch", number, 3, format))

    reference = []
    count = feed(compute.ObservationCollector(write), observations)
    assert len(rows) == count
    if count:
        found = [shard for shard in map(schema.parse_shard, written) if shard]
        whole, _ = shards.complete_observations(found, rows)
        parts = reduction.in_process(Written(written), shards.groups(whole, True), reduction.Options(True))
        reduction.write(parts, tmp_path / "summary.tsv", rows)
        summary = tsv.read(tmp_path / "summary.tsv")
        assert set(summary["id"]) == set().union(*(r.samples["id"].to_pylist() for r in reference))
        assert np.isfinite(summary.select_dtypes("number")).all(axis=None)


class Written(NamedTuple):
    """Artifacts in memory."""

    files: dict

    def read(self, path):
        return bytes(self.files[path])

    def local(self, path, sha256=None):
        return contextlib.nullcontext(self.read(path))


@settings(BRIEF, max_examples=6)
@given(observations=OBSERVATIONS, format=FORMATS)
def test_what_it_accepts_summarize_reads(store, observations, format):
    with datamap.SignalRecorder(format=format) as recorder:
        count = feed(recorder, [[{"ids": [0, 1], **EYE}], *observations])
    run = Store().run(recorder.run_id)
    assert len(run.committed()) == count
    summarize_run(run, defaults("summarize", run_id=run.run_id, allow_missing=True))
    assert run.has("summary.tsv")


def test_more_classes_than_a_run_holds_are_refused_when_they_are_recorded():
    with pytest.raises(ConfigError, match="more than 65,536 names"):
        arguments.checked_names(itertools.count())
    with pytest.raises(SignalError, match="65,537 classes; a run holds at most 65,536"):
        signal_table([1], [0], logits=np.zeros((1, 65_537)))


def test_many_class_names_take_no_quadratic_time():
    started = time.monotonic()
    assert len(arguments.checked_names(range(60_000))) == 60_000
    assert time.monotonic() - started < 5


# ---------------------------------------------------------------- values of all kinds

COLUMNS = st.sampled_from(["id", "text_a", "text_b", "label", "s_label"])
ARRAYS = st.sampled_from(["ids", "labels", "logits", "noisy_labels"])
MANY = settings(BRIEF, max_examples=int(os.environ.get("DATAMAP_FUZZ_EXAMPLES", 150)))


@MANY
@given(column=COLUMNS, names=ANYTHING, samples=ANYTHING, values=ANYTHING)
def test_class_names_and_samples_of_any_kind_are_taken_or_refused(column, names, samples, values):
    good, metadata = taken(Metadata.from_arguments, names, None)
    if good and names is not None:
        assert all(isinstance(name, str) and name.strip() for name in metadata.class_names)
    taken(Metadata.from_arguments, None, samples)
    good, metadata = taken(
        Metadata.from_arguments, ["a", "b"], {"id": [0, 1], "text_a": ["x", "y"], column: values}
    )
    if good:  # and may be given again, as the callbacks do
        assert Metadata.from_arguments(*metadata).samples.equals(metadata.samples)


@MANY
@given(name=ARRAYS, values=ANYTHING)
def test_arrays_of_any_kind_are_taken_or_refused(name, values):
    tables = []
    collector = compute.ObservationCollector(lambda number, table: tables.append(table))
    if taken(collector.record, **{"ids": [7, 8], **EYE, name: values})[0] and collector._batches:
        collector.commit(1)
        assert tables[0].num_rows == 2 or name == "ids"


@MANY
@given(key=SCALARS, value=ANYTHING)
def test_metrics_numbers_tags_and_names_of_any_kind_are_taken_or_refused(key, value):
    taken(arguments.metrics, value)
    taken(arguments.metrics, {key: 1})
    taken(arguments.metrics, {"loss": value})
    taken(arguments.observation_number, value)
    taken(arguments.choice, "format", value, schema.FORMATS)
    for run in (
        (value, None, None),
        (None, value, None),
        (None, None, value),
        (None, None, {"tag": value}),
    ):
        taken(arguments.new_run, *run)


@settings(BRIEF, max_examples=10)
@given(
    values=st.fixed_dictionaries(
        {"class_names": ANYTHING, "samples": ANYTHING, "run_name": ANYTHING, "tags": ANYTHING}
    )
)
def test_a_run_holds_what_was_taken(store, values):
    good = {name: value for name, value in values.items() if taken_alone(name, value)}
    with datamap.SignalRecorder(**good) as recorder:
        recorder.record([0, 1], **EYE)
        committed, _ = taken(recorder.commit, 1)
    run = Store().run(recorder.run_id)
    assert run.committed() == ({1: 2} if committed else {})
    assert run.has("labels.json") == (good.get("class_names") is not None)
    assert run.has("data/samples.tsv") == (good.get("samples") is not None)


def taken_alone(name, value):
    """Tell whether a recorder accepts an argument that is no iterator, which would be used up."""
    if hasattr(value, "__next__"):
        return False
    if name in ("class_names", "samples"):
        return taken(lambda: Metadata.from_arguments(**{"class_names": None, "samples": None, name: value}))[
            0
        ]
    return taken(lambda: arguments.new_run(**{"run_id": None, "run_name": None, "tags": None, name: value}))[
        0
    ]


GOOD = np.array([[0.5, -1.25], [2.0, 0.375]])  # exact in bfloat16


@pytest.mark.parametrize(
    "scores",
    [
        GOOD.astype(ml_dtypes.bfloat16),
        GOOD.astype(object),
        torch.tensor(GOOD, dtype=torch.bfloat16),
        pd.DataFrame(GOOD).astype("Float32"),
        pd.DataFrame(GOOD).astype("double[pyarrow]"),
        pd.Series(list(GOOD)),
        np.ma.masked_array(GOOD, mask=False),
    ],
)
def test_scores_of_other_types_are_good_input(scores):
    expected = signal_table([7, 8], [0, 1], logits=GOOD)
    labels = np.array([0, 1], object)
    assert signal_table(np.array([7, 8], object), labels, logits=scores).equals(expected)


def test_what_the_extension_types_of_pandas_say():
    label = pd.Series([0, 1], dtype="Int64")
    for good in (
        label,
        label.astype("int64[pyarrow]"),
        pd.Categorical.from_codes([0, 1], ["a", "b"]),
        label.astype("category"),
    ):
        assert arguments.sample_table({**TEXTS, "label": good}, ("a", "b"))["label"].tolist() in (
            [0, 1],
            ["a", "b"],
        )
    label[1] = pd.NA
    with pytest.raises(DataError, match="samples=: label is empty, id 8"):
        arguments.sample_table({**TEXTS, "label": label}, ("a", "b"))


class Sentiment(enum.Enum):
    POS, NEG = 1, 0


def test_class_names_in_no_order_are_refused_and_an_enum_gives_its_members():
    with pytest.raises(ConfigError, match="class_names={.*give a list of names, by class index"):
        arguments.checked_names({"neg", "pos"})
    assert arguments.checked_names(Sentiment) == ("NEG", "POS")  # by their values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ids": [("f", 1), ("f", 2)]}, r"ids \(2, 2\): give one number or string per sample"),
        ({"ids": [1, "x"]}, "ids: some values are numbers, others strings"),
        (
            {"logits": SequenceClassifierOutput(logits=torch.eye(2))},
            "logits: a SequenceClassifierOutput .*give its .logits",
        ),
        ({"logits": torch.eye(2).to_sparse()}, "logits: a Tensor is not an array"),
        ({"labels": pd.Series([0, None], dtype="Int64")}, "label is missing, id 8"),
        ({"ids": itertools.count()}, "ids: more than 1,000,000 values of an iterator"),
        ({"ids": ["x" * 9999, "a\nb"], "logits": [[np.nan, 0]] * 2}, "not finite"),
    ],
)
def test_a_message_speaks_of_the_argument_that_is_wrong(values, message):
    with pytest.raises(SignalError, match=message) as caught:
        signal_table(**{"ids": [7, 8], **EYE, **values})
    assert len(str(caught.value)) < 250 and "\n" not in str(caught.value)
