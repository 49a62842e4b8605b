"""Tasks other than classification: what is recorded, held against plain Python, and what every step makes of it."""

import enum
import io
import itertools
import json
import math
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow import MlflowClient

import datamap
from anything import ANYTHING, taken
from datamap.errors import ConfigError, DataError, SignalError, TrackingError
from datamap.labels import conditions
from datamap.recording import examples
from datamap.schema import Task
from datamap.signals import shards
from datamap.signals.compute import ObservationCollector
from datamap.summaries import tsv
from datamap.tasks import generation
from datamap.tasks.definitions import DEFINITIONS, tables_of

VOCABULARY = 11


def table_of(task, ids, border=0.5, **outputs):
    return tables_of(Task(task), border)(ids, "here", **outputs)


# ---------------------------------------------------------------- definitions, in plain Python


def softmax(scores):
    top = max(scores)
    weights = [math.exp(score - top) for score in scores]
    return [weight / sum(weights) for weight in weights]


def of_completion(logits, labels, border):
    """Compute the signals of one sample's tokens by their definition; −100 is no target."""
    log_probs, right, margins = [], [], []
    for scores, label in zip(logits, labels, strict=True):
        if label == -100:
            continue
        probs = softmax(scores)
        log_probs.append(math.log(probs[label]))
        right.append(max(range(len(scores)), key=lambda k: (scores[k], -k)) == label)
        margins.append(math.log(probs[label]) - max(math.log(p) for k, p in enumerate(probs) if k != label))
    count = len(log_probs)
    loss = -sum(log_probs) / count
    return {
        "loss": loss,
        "label_probs": math.exp(-loss),
        "token_prob": sum(map(math.exp, log_probs)) / count,
        "token_accuracy": sum(right) / count,
        "tokens": count,
        "margin": sum(margins) / count,
        "correct": sum(right) / count > border,
        "label": 0,
        "noisy_label": 0,
    }


def a_batch(seed, samples=5, longest=9):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest, samples)
    logits = [rng.normal(scale=3, size=(length, VOCABULARY)).astype(np.float32) for length in lengths]
    labels = [
        np.where(rng.random(len(z)) < 0.5, z.argmax(1), rng.integers(0, VOCABULARY, len(z))) for z in logits
    ]
    for one in labels:
        one[: rng.integers(0, len(one))] = -100
    return logits, labels


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("border", [0.5, 0.0, 0.9])
def test_generation_is_as_defined(seed, border):
    logits, labels = a_batch(seed)
    table = table_of("generation", range(5), border, logits=logits, labels=labels)
    for row, z, y in zip(table.to_pylist(), logits, labels, strict=True):
        expected = of_completion(z.tolist(), y.tolist(), border)
        assert {key: row[key] for key in expected} == pytest.approx(expected, rel=2e-5, abs=2e-5)


def test_logits_are_taken_some_tokens_at_a_time(monkeypatch):
    logits, labels = a_batch(3)
    whole = table_of("generation", range(5), logits=logits, labels=labels)
    seen, as_array = [], generation.as_array

    def counted(values, name):
        seen.append(np.asarray(values).size)
        return as_array(values, name)

    monkeypatch.setattr(generation, "MAX_LOGITS", 2 * VOCABULARY)
    monkeypatch.setattr(generation, "as_array", counted)
    assert table_of("generation", range(5), logits=logits, labels=labels).equals(whole)
    assert max(seen) == 2 * VOCABULARY


def test_a_large_vocabulary_needs_little_memory_beside_the_logits():
    logits = np.zeros((2, 48, 150_000), np.float32)  # 58 MB
    labels = np.ones((2, 48), int)
    tracemalloc.start()
    try:
        table_of("generation", [1, 2], logits=logits, labels=labels)
        assert tracemalloc.get_traced_memory()[1] < 30e6  # docs/your-own-training.md says 26 MB
    finally:
        tracemalloc.stop()


def target_numbers(logits, labels):
    """(log-probabilities, truths, margins) of each token, those of tokens without a label included."""
    found = [generation.token_signals(z, np.maximum(y, 0)) for z, y in zip(logits, labels, strict=True)]
    return [list(values) for values in zip(*found, strict=True)]


def padded(rows, fill):
    width = max(map(len, rows))
    return np.stack(
        [np.pad(np.asarray(row, float), (0, width - len(row)), constant_values=fill) for row in rows]
    )


FORMS = [
    "lists",
    "arrays",
    "padded",
    "padded.nan",
    "torch",
    "torch.padded",
    "paddle.padded",
    "object",
    "pandas",
]


def in_form(rows, form, fill):
    """Return the numbers as lists, arrays, tensors or columns; short rows are filled up where the form needs it."""
    if form == "lists":
        return [[float(value) for value in row] for row in rows]
    if form == "arrays":
        return tuple(np.asarray(row, np.float32) for row in rows)
    if form == "pandas":
        return pd.Series([np.asarray(row, np.float32) for row in rows])
    if form == "object":
        made = np.empty(len(rows), object)
        made[:] = [list(map(float, row)) for row in rows]
        return made
    if form == "torch":
        import torch

        return [torch.tensor(np.asarray(row, np.float32), requires_grad=True) for row in rows]
    table = padded(rows, np.nan if form == "padded.nan" and fill else fill).astype(np.float32)
    if form == "torch.padded":
        import torch

        return torch.tensor(table)
    if form == "paddle.padded":
        import paddle

        return paddle.to_tensor(table)
    return table


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(4))
def test_ragged_padded_and_tensors_give_the_same_bytes(form, seed):
    logits, labels = a_batch(seed)
    log_probs, right, margins = (
        [np.asarray(row, np.float32) for row in rows] for rows in target_numbers(logits, labels)
    )
    masks = [(y != -100).astype(np.float32) for y in labels]
    kept = [
        [row[mask == 1] for row, mask in zip(rows, masks, strict=True)]
        for rows in (log_probs, right, margins)
    ]
    plain = table_of(
        "generation", range(5), token_logprobs=kept[0], token_correct=kept[1], token_margins=kept[2]
    )
    made = table_of(
        "generation",
        range(5),
        token_logprobs=in_form(log_probs, form, 7.0),  # above 0: refused, if padding counted
        token_correct=in_form(right, form, 0.0),
        token_margins=in_form(margins, form, 7.0),
        mask=in_form(masks, form, 0.0),
    )
    assert shards.encode(made, "jsonl") == shards.encode(plain, "jsonl")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.floats(-50, 0, width=32), min_size=1, max_size=40), min_size=1, max_size=8))
def test_a_sample_has_the_same_bytes_in_any_batch(rows):
    right = [[value > -1 for value in row] for row in rows]
    whole = table_of("generation", range(len(rows)), token_logprobs=rows, token_correct=right)
    alone = [
        table_of("generation", [n], token_logprobs=[row], token_correct=[ok])
        for n, (row, ok) in enumerate(zip(rows, right, strict=True))
    ]
    assert shards.encode(whole, "jsonl") == b"".join(shards.encode(one, "jsonl") for one in alone)
    mask = np.zeros((len(rows), max(map(len, rows)) + 3))
    for n, row in enumerate(rows):
        mask[n, : len(row)] = 1
    wide = table_of(
        "generation",
        range(len(rows)),
        token_logprobs=np.pad(padded(rows, np.nan), ((0, 0), (0, 3)), constant_values=np.inf),
        token_correct=np.pad(padded(right, 9), ((0, 0), (0, 3))),
        mask=mask.astype(bool),
    )
    assert shards.encode(wide, "jsonl") == shards.encode(whole, "jsonl")


def test_scores_are_as_defined():
    rows = table_of("scores", ["a", "b"], loss=[0.25, 2.0], reward=[1, -3]).to_pylist()
    assert [row["label_probs"] for row in rows] == pytest.approx([math.exp(-0.25), math.exp(-2)], rel=1e-15)
    assert [row["correct"] for row in rows] == [True, False]  # confidence from 0.5 on
    assert [(row["label"], row["reward"]) for row in rows] == [(0, 1.0), (0, -3.0)]
    (row,) = table_of("scores", [1], confidence=[0.875], correct=[0]).to_pylist()
    assert (row["label_probs"], row["correct"], "loss" in row) == (0.875, False, False)
    (row,) = table_of("scores", [1], confidence=[[0.5]], margin=[-2.5], noisy_labels=[2]).to_pylist()
    assert (row["correct"], row["margin"], row["noisy_label"]) == (True, -2.5, 2)


def test_every_task_has_its_definition_and_says_it():
    assert set(DEFINITIONS) == set(Task)
    for definition in DEFINITIONS.values():
        assert definition.correct
        assert definition.keywords


# ---------------------------------------------------------------- what is refused

GENERATED = {"ids": [7, 8], "token_logprobs": [[-1.0, -2.0], [-3.0]], "token_correct": [[1, 0], [1]]}
REFUSED = {
    "give token_logprobs= and token_correct=": ("generation", {"token_correct": None}),
    "token_correct has 1 tokens, token_logprobs 2, id 7; give one for each token": (
        "generation", {"token_correct": [[1], [1]]}),
    "mask has 3 tokens, token_logprobs 2, id 7": ("generation", {"mask": [[1, 1, 1], [1]]}),
    "mask has 1 sequences for 2 ids": ("generation", {"mask": [[1, 1]]}),
    r"mask is not true or false .1 or 0., id 8": ("generation", {"mask": [[1, 1], [2]]}),
    "no target token; leave the sample out of the batch, id 8": ("generation", {"mask": [[1, 0], [0]]}),
    "log-probability is not finite, id 8": ("generation", {"token_logprobs": [[-1, -2], [np.nan]]}),
    "log-probability is above 0; give ln p, not p, id 7": ("generation", {"token_logprobs": [[0.5, -2], [-1]]}),
    r"token_correct is not true or false .1 or 0., id 7": ("generation", {"token_correct": [[0.5, 1], [1]]}),
    "token_logprobs has shape .2,.; give a sequence": ("generation", {"token_logprobs": np.zeros(2)}),
    r"confidence= belongs to SignalRecorder.task='scores'.; task='generation' accepts token_logprobs": (
        "generation", {"confidence": [0.5, 0.5]}),
    "signal tokens is Data Map's own": ("generation", {"tokens": [1, 2]}),
    "with logits= give labels= and": ("generation", {"logits": np.zeros((2, 2, 4))}),
    "give mask=labels != -100": ("generation", {"labels": [[1, 2], [3]]}),
    r"logits= belongs to SignalRecorder.task='classification'.; task='scores' accepts": (
        "scores", {"logits": np.eye(2), "confidence": [0, 1]}),
    "labels= belongs to SignalRecorder.task='classification'": ("scores", {"labels": [0, 1]}),
    r"give confidence= .from 0 to 1. or loss=": ("scores", {"reward": [0, 1]}),
    "confidence is not from 0 to 1; give other numbers another name, id 8": ("scores", {"confidence": [0, 1.5]}),
    "confidence is not finite .NaN, infinite or beyond 3.4e38.; give a number, id 7": (
        "scores", {"confidence": [np.nan, 1]}),
    "loss is negative; give it another name, such as nll=, id 7": ("scores", {"loss": [-1, 1]}),
    "loss has shape .3,.; give one number per sample .2 ids": ("scores", {"loss": [1, 1, 1]}),
    "loss must be numbers, not": ("scores", {"loss": ["a", "b"]}),
    "reward is not finite": ("scores", {"loss": [1, 1], "reward": [np.inf, 0]}),
    r"correct is not true or false .1 or 0., id 8": ("scores", {"loss": [1, 1], "correct": [1, 0.5]}),
    "signal pred_label is Data Map's own; choose another name": ("scores", {"loss": [1, 1], "pred_label": [1, 1]}),
    "planted kinds are 0, 1 or 2, id 8": ("scores", {"loss": [1, 1], "noisy_labels": [0, 3]}),
    r"token_logprobs= belongs to SignalRecorder.task='generation'.; task='classification' accepts labels, logits": (
        "classification", {"labels": [0, 1], "token_logprobs": [[-1], [-1]]}),
    r"confidence= belongs to SignalRecorder.task='scores'": (
        "classification", {"labels": [0, 1], "probs": np.eye(2), "confidence": [1, 1]}),
    "signal entropy is Data Map's own": (
        "classification", {"labels": [0, 1], "probs": np.eye(2), "entropy": [1, 1]}),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_bad_input_is_refused_in_one_line(message):
    task, outputs = REFUSED[message]
    base = GENERATED if task == "generation" else {"ids": [7, 8]}
    given = {name: value for name, value in {**base, **outputs}.items() if value is not None}
    if "logits" in outputs and task == "generation":
        given = {"ids": [7, 8], **outputs}
    with pytest.raises(SignalError, match=message) as caught:
        table_of(task, given.pop("ids"), **given)
    assert "\n" not in str(caught.value)


GOOD = {
    Task.CLASSIFICATION: {"ids": [7, 8], "labels": [0, 1], "probs": np.eye(2)},
    Task.GENERATION: {**GENERATED, "mask": [[1, 1], [1]], "token_margins": [[1, 2], [3]]},
    Task.SCORES: {"ids": [7, 8], "loss": [0.5, 1.0], "confidence": [0.5, 1], "correct": [1, 0]},
    Task.TOKENS: {"ids": [7, 8], "labels": [[0, -100], [1, 0]], "probs": np.full((2, 2, 2), 0.5)},
    Task.MULTILABEL: {"ids": [7, 8], "labels": [[0, 1], [1, 1]], "logits": np.eye(2)},
}


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(list(Task)), st.data())
def test_anything_is_taken_or_refused_in_one_line(task, data):
    names = [*GOOD[task], *DEFINITIONS[task].keywords, "noisy_labels", "reward"]
    outputs = {**GOOD[task], data.draw(st.sampled_from(names)): data.draw(ANYTHING)}
    ids = outputs.pop("ids")
    accepted, table = taken(table_of, task, ids, **outputs)
    if accepted and table is not None:
        for format in ("jsonl", "parquet"):  # what is taken can be summarized
            shard, content = next(shards.encoded(table, "epoch", 1, 100, format))
            assert shards.decode(content, shard).num_rows == table.num_rows


@pytest.mark.parametrize(
    "output", [enum.Enum("Output", "LOW HIGH"), {1, 2}, {1: 2, 3: 4}, np.array(5)], ids=repr
)
@pytest.mark.parametrize("name", ["probs", "logits"])
@pytest.mark.parametrize(
    "task", [Task.CLASSIFICATION, Task.GENERATION, Task.TOKENS, Task.MULTILABEL], ids=str
)
def test_what_is_no_sequence_of_arrays_is_refused(task, name, output):
    labels = {Task.CLASSIFICATION: [0, 1], Task.MULTILABEL: [[0, 1], [1, 1]]}.get(task, [[0, 1], [1]])
    with pytest.raises(SignalError):
        table_of(task, [7, 8], labels=labels, **{name: output})


def test_rounding_is_not_refused():
    (row,) = table_of("scores", [1], loss=[-1e-7]).to_pylist()
    assert row["label_probs"] == 1
    (row,) = table_of("scores", [1], confidence=np.array([1.0000001], np.float32)).to_pylist()
    assert row["label_probs"] == 1
    (row,) = table_of("generation", [1], token_logprobs=[[1e-6, 0]], token_correct=[[1, 1]]).to_pylist()
    assert (row["loss"], row["label_probs"], row["token_prob"]) == (0, 1, 1)


@pytest.mark.parametrize("value", [1e300, -1e300, 3.5e38])
def test_numbers_that_no_sum_can_hold_are_refused(value):
    for outputs in ({"loss": [0.5], "reward": [value]}, {"confidence": [0.5], "margin": [value]}):
        with pytest.raises(SignalError, match="is not finite"):
            table_of("scores", [1], **outputs)
    for outputs in (
        {"token_logprobs": [[-abs(value)]]},
        {"token_logprobs": [[-1.0]], "token_margins": [[value]]},
    ):
        with pytest.raises(SignalError, match="is not finite"):
            table_of("generation", [1], token_correct=[[1]], **outputs)


def test_ids_are_read_once():
    assert table_of("scores", iter([1, 2]), loss=[1, 2])["id"].to_pylist() == [1, 2]
    assert table_of("classification", iter("ab"), labels=[0, 1], probs=np.eye(2), reward=[1, 2]).num_rows == 2


BAD_LOGITS = {
    r"logits\[t\] predicts labels\[t\], so shift both .*logits\[:, :-1\], labels\[:, 1:\]": {
        "logits": np.zeros((1, 3, 4))},
    "logits of id 7 are not finite floats": {"logits": np.full((1, 2, 4), np.nan)},
    "label 9 is not a token in 0..3": {"labels": [[1, 9]]},
    "no target token": {"labels": [[-100, -100]]},
    "mask has 1 tokens, labels 2, id 7": {"mask": [[1]]},
    "for 1 ids": {"logits": np.zeros((2, 2, 4))},
    "labels has 2 sequences for 1 ids": {"labels": [[1, 2], [1, 2]], "mask": [[1, 1]]},
    "but no token_…=": {"token_correct": [[1, 1]]},
}  # fmt: skip


@pytest.mark.parametrize("message", BAD_LOGITS)
def test_bad_logits_are_refused_in_one_line(message):
    outputs = {"labels": [[1, 2]], "logits": np.zeros((1, 2, 4), np.float32), **BAD_LOGITS[message]}
    with pytest.raises(SignalError, match=message) as caught:
        table_of("generation", [7], **outputs)
    assert "\n" not in str(caught.value)


def test_an_empty_batch_adds_nothing():
    assert table_of("scores", [], loss=[]) is None
    assert table_of("generation", [], token_logprobs=[], token_correct=[]) is None


def test_arguments_of_other_tasks_are_refused(store):
    with pytest.raises(
        ConfigError, match="task='ner': choose one of classification, generation, scores, tokens, multilabel"
    ):
        datamap.SignalRecorder(task="ner")
    with pytest.raises(ConfigError, match="class_names=: task='scores' has no classes; leave it out"):
        datamap.SignalRecorder(["a"], task="scores")
    with pytest.raises(ConfigError, match="correct_above= is for task='generation'"):
        datamap.SignalRecorder(task="scores", correct_above=0.9)
    with pytest.raises(ConfigError, match="correct_above=2 is out of range"):
        datamap.SignalRecorder(task="generation", correct_above=2)


def test_what_is_refused_loses_nothing_that_was_recorded(store):
    with datamap.SignalRecorder(task="scores") as recorder:
        recorder.record([1], loss=[0.5], reward=[1])
        with pytest.raises(SignalError, match="a batch lacks reward; give every batch the same signals"):
            recorder.record([2], loss=[0.5])
        with pytest.raises(SignalError, match="reward is not finite"):
            recorder.record([2], loss=[0.5], reward=[np.nan])
        recorder.record([2], loss=[0.5], reward=[1.5])
        assert recorder.commit(1).num_rows == 2
        with pytest.raises(SignalError, match="a batch adds steps"):
            recorder.record([1], loss=[0.5], reward=[2], steps=[1])
    assert recorder.run.committed() == {1: 2}


def test_a_run_keeps_its_task(store):
    with datamap.SignalRecorder(task="generation") as recorder:
        pass
    tags = MlflowClient().get_run(recorder.run_id).data.tags
    assert tags["datamap.task"] == "generation"
    path = Path(MlflowClient().get_run(recorder.run_id).info.artifact_uri, "task.json")
    assert json.loads(path.read_text()) == {
        "task": "generation",
        "correct": "more than correct_above of the target tokens are the most probable ones",
        "correct_above": 0.5,
        "signals": generation.SIGNALS,
    }
    for other in ({"task": "scores"}, {"task": "generation", "correct_above": 0.8}, {}):
        with pytest.raises(
            TrackingError, match="records task=generation and correct_above=0.5 and cannot continue as"
        ):
            datamap.SignalRecorder(run_id=recorder.run_id, **other)
    path.write_text('{"task": "dreams"}')
    with pytest.raises(TrackingError, match="task.json is damaged"):
        datamap.load_run(recorder.run_id)


def test_batches_of_processes_with_other_signals_are_named():
    collector = ObservationCollector(lambda *_: None, tables_of(Task.SCORES))
    collector.record([1], loss=[0.5], reward=[1])
    collector._batches.append(table_of("scores", [2], loss=[0.5]))  # as another process recorded it
    with pytest.raises(SignalError, match="observation 1: some batches have reward, others not"):
        collector.commit(1)


def test_a_resumed_run_keeps_its_task_and_its_signals(store):
    with datamap.SignalRecorder(task="scores") as first:
        first.record([1], loss=[0.5], reward=[1])
        first.commit(1)
    for task in ("generation", "classification"):
        with pytest.raises(TrackingError, match=f"records task=scores and cannot continue as task={task}"):
            datamap.SignalRecorder(run_id=first.run_id, task=task, resume=True)
    with datamap.SignalRecorder(run_id=first.run_id, task="scores", resume=True) as recorder:
        recorder.record([1], loss=[0.25])
        with pytest.raises(SignalError, match="observation 2 lacks reward, unlike observation 1"):
            recorder.commit(2)
    with datamap.SignalRecorder() as classes:
        classes.record([1], [0], probs=[[0.5, 0.5]])
        classes.commit(1)
    with pytest.raises(TrackingError, match="records task=classification and cannot continue as task=scores"):
        datamap.SignalRecorder(run_id=classes.run_id, task="scores", resume=True)


# ---------------------------------------------------------------- examples: the rows as they were given

ROWS = {
    "prompt": [{"prompt": "p", "completion": "c", "x": 1}, ("p", "c")],
    "messages": [
        {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]},
        ("user: hi", "yes"),
    ],
    "sharegpt": [
        {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "yes"}]},
        ("human: hi", "yes"),
    ],
    "alpaca": [{"instruction": "add", "input": "1 2", "output": "3"}, ("add\n\n1 2", "3")],
    "chosen": [{"prompt": "p", "chosen": "good", "rejected": "bad"}, ("p", "good")],
    "turns": [
        {"prompt": [{"role": "user", "content": "p"}], "completion": [{"role": "assistant", "content": "c"}]},
        ("p", "c"),
    ],
    "text": [{"text": "all"}, ("all", None)],
    "none": [{"features": [1, 2]}, ('{"features": [1, 2]}', None)],
}


@pytest.mark.parametrize("kind", ROWS)
def test_prompts_and_completions_are_found(kind, capsys):
    row, (first, second) = ROWS[kind]
    found = examples.examples_of([row])
    assert found.table["text_a"].tolist() == [first]
    assert ("text_b" in found.table) == (second is not None)
    assert second is None or found.table["text_b"].tolist() == [second]
    assert json.loads(found.lines) == row
    assert ("whole rows are shown" in capsys.readouterr().out) == (kind == "none")


def test_examples_of_any_table_keep_their_rows():
    import datasets

    rows = [
        {"id": "a", "messages": [{"role": "user", "content": "é\n"}], "n": 1},
        {"id": "b", "messages": [], "n": 2},
    ]
    expected = examples.examples_of(rows)
    for made in (datasets.Dataset.from_list(rows), pd.DataFrame(rows), pa.Table.from_pylist(rows[:1])):
        found = examples.examples_of(made)
        assert found.lines == b"".join(expected.lines.splitlines(keepends=True)[: len(found.table)])
    assert examples.examples_of(expected) is expected
    assert examples.examples_of([{"text": "x"}, {"text": "y"}]).table["id"].tolist() == [0, 1]
    assert len(examples.examples_of([{"text": "x" * 300_000}]).table["text_a"][0]) == examples.MAX_TEXT
    assert json.loads(examples.examples_of(pd.DataFrame({"text": ["a", None]})).lines.splitlines()[1]) == {
        "text": None
    }


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        ANYTHING,
        st.lists(
            st.dictionaries(
                st.sampled_from(["id", "text", "prompt", "messages", "s_label", "input"]), ANYTHING
            ),
            max_size=3,
        ),
    )
)
def test_any_samples_are_taken_or_refused_in_one_line(samples):
    accepted, found = taken(examples.examples_of, samples)
    if accepted:
        table = pd.read_csv(io.BytesIO(b"".join(tsv.lines(found.table))), sep="\t", dtype=str)
        assert len(table) == len(found.lines.splitlines())
        assert all(isinstance(json.loads(line), dict) for line in found.lines.splitlines())


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([], "no rows"),
        (3, "not a table"),
        (itertools.count(), "not a table .more than 1,000,000 values of an iterator"),
        ({"id": [0], "text": itertools.count()}, "not a table .more than 1,000,000 values of an iterator"),
        ([itertools.count()], "not a table .more than 1,000,000 values of an iterator"),
        ([{"id": 1, "text": "a"}, {"id": 1, "text": "b"}], "id repeated: 1"),
        ([{"text": object()}], "row 1 cannot be written as JSON .a object."),
        ([{"text": "a", "s_label": 7}], "s_label is 0, 1 or 2"),
    ],
)
def test_bad_examples_are_refused_in_one_line(samples, message):
    with pytest.raises(DataError, match=message) as caught:
        examples.examples_of(samples)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- conditions of curate


@pytest.mark.parametrize(
    "text", ["", "x", "x >", "x ~ 1", "x > y", "x > 1 or y > 2", "a > 1 and", "x > 1; y"]
)
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(ConfigError, match="is not a condition; write column <= >= == != < > number"):
        conditions.parse(text)


def test_conditions_are_as_written():
    frame = pd.DataFrame({"my col": [1.0, 2.0, np.nan], "n": [1, 2, 3], "text": ["a", "b", "c"]})
    for text, expected in {
        "my col >= 1.5": [0, 1, 0], "n!=2 and n <= 2": [1, 0, 0], "my col != 1": [0, 1, 0], "n == 3": [0, 0, 1],
        "n < 1e9 and n > -1": [1, 1, 1],
    }.items():  # fmt: skip
        assert conditions.matching_rows(frame, conditions.parse(text)).tolist() == list(
            map(bool, expected)
        ), text
    with pytest.raises(ConfigError, match="no numeric column mycol; did you mean my col"):
        conditions.matching_rows(frame, conditions.parse("mycol > 1"))
    with pytest.raises(ConfigError, match="no numeric column text"):
        conditions.matching_rows(frame, conditions.parse("text > 1"))


# ---------------------------------------------------------------- every step, on a real store

COUNT = 24


def chat(n):
    turns = [
        {"role": "user", "content": f"问 {n} " + "x" * 60 * n},
        {"role": "assistant", "content": f"答 {n}"},
    ]
    return {"messages": turns, "source": "web"}


def chats():
    return [chat(n) for n in range(COUNT)]


def record_generation(seed=0, **options):
    rng = np.random.default_rng(seed)
    with datamap.SignalRecorder(task="generation", **{"samples": chats(), **options}) as recorder:
        for epoch in (1, 2, 3):
            log_probs = [
                -rng.exponential(0.2 + 2 / epoch + 6 * (n < 4), size=1 + n % 7).astype(np.float32)
                for n in range(COUNT)
            ]
            recorder.record(
                range(COUNT), token_logprobs=log_probs, token_correct=[row > -0.7 for row in log_probs],
                token_margins=log_probs, noisy_labels=[2 * (n < 4) for n in range(COUNT)],
            )  # fmt: skip
            recorder.commit(epoch)
    return recorder.run_id


def curated(run_id):
    (child,) = MlflowClient().search_runs(["1"], f"params.source_run = '{run_id}'", max_results=1)
    return Path(child.info.artifact_uri), child


def test_every_step_works_on_a_generation(store, command):
    run_id = record_generation()
    of_run = f"run_id={run_id}"
    assert command("summarize", of_run).code == 0
    assert command("plot", of_run, "color=tokens_mean", "criterion=token_accuracy_mean").code == 0
    done = command("diagnose", of_run)
    assert done.code == 0
    assert "diagnosis.tsv: 24 samples, hard or wrong ones first, read them: " in done.out
    assert "most likely" not in done.out
    assert re.search(r"^  1\.  \S+  ", done.out, re.MULTILINE)  # a rank, since the scores only order
    assert "planted dirty samples: auroc 1.000" in done.out
    loaded = datamap.load_run(run_id)
    assert loaded.task == "generation"
    summary, diagnosis = loaded.summary(), loaded.diagnosis()
    assert list(summary)[:13] == [
        "id", "label", "s_label", "correct_times", "correct_ratio", "avg_probs", "label_var", "max_label_probs",
        "min_label_probs", "forgetting_times", "learnt_times", "first_forget", "first_learn",
    ]  # fmt: skip
    assert {"loss_mean", "margin_mean", "token_prob_mean", "token_accuracy_mean", "tokens_mean"} <= set(
        summary
    )
    assert diagnosis["id"].tolist() == summary.sort_values("avg_probs", kind="stable")["id"].tolist()
    assert re.fullmatch(
        r"(never predicted correctly|right in \d of 3 observations)(; forgotten \d ×)?; mean loss \d+\.\d\d; "
        r"\d+% of \d target tokens right",
        diagnosis["why"][0],
    )
    assert diagnosis["text_b"][0].startswith("答 ")
    assert diagnosis["text_a"].str.len().max() < 1001
    assert '"labeled": false' in loaded.explorer().content.decode()
    again = datamap.diagnose(run_id, embeddings=np.random.default_rng(0).normal(size=(COUNT, 5)))
    pd.testing.assert_frame_equal(again, diagnosis)
    made = datamap.curate(run_id, keep="matching", where="score < 0.5")
    assert (made.task, len(again)) == ("generation", COUNT)


def test_curate_writes_the_rows_that_were_given(store, command):
    run_id = record_generation()
    where = "correct_times > 0 and tokens_mean <= 5"
    done = command("curate", f"run_id={run_id}", "keep=matching", f"where={where}")
    assert done.code == 0, done.err
    summary = datamap.load_run(run_id).summary()
    kept = summary.query(where)["id"].tolist()
    folder, run = curated(run_id)
    expected = [json.dumps(chats()[n], ensure_ascii=False) for n in kept]
    assert (folder / "curated.jsonl").read_text(encoding="utf-8").splitlines() == expected
    assert 0 < len(kept) < COUNT
    assert run.data.params["where"] == where
    assert re.search(
        r"^next: mlflow artifacts download --artifact-uri runs:/\w+/curated.jsonl", done.out, re.M
    )
    # What is kept trains again: it is a training file of the same columns.
    again = [json.loads(line) for line in (folder / "curated.jsonl").read_bytes().splitlines()]
    assert examples.examples_of(again).table["text_b"].tolist() == [f"答 {n}" for n in kept]


def test_rows_that_were_never_observed_are_named(store, command):
    with datamap.SignalRecorder(samples=chats(), task="scores") as recorder:
        recorder.record([3, 1], loss=[0.5, 1.0])
        recorder.commit(1)
    done = command("curate", f"run_id={recorder.run_id}", "keep=matching", "where=correct_times >= 0")
    assert "note: leaving out 22 rows of the training file that have no signals" in done.out
    lines = (curated(recorder.run_id)[0] / "curated.jsonl").read_text(encoding="utf-8").splitlines()
    assert lines == [json.dumps(chat(n), ensure_ascii=False) for n in (1, 3)]  # in the file's order


def test_conditions_go_with_labeled_texts_too(store, command):
    rng = np.random.default_rng(0)
    samples = pd.DataFrame(
        {"id": range(20), "text_a": [f"text {n}" for n in range(20)], "label": [0, 1] * 10}
    )
    with datamap.SignalRecorder(["no", "yes"], samples) as recorder:
        for epoch in (1, 2, 3):
            probs = rng.random((20, 2))
            recorder.record(
                range(20), samples["label"], probs=probs / probs.sum(1, keepdims=True), size=range(20)
            )
            recorder.commit(epoch)
    done = command(
        "curate", f"run_id={recorder.run_id}", "keep=matching", "where=size_mean < 9 and avg_probs > 0.4"
    )
    assert done.code == 0, done.err
    summary = datamap.load_run(recorder.run_id).summary()
    found = pd.read_csv(curated(recorder.run_id)[0] / "curated.tsv", sep="\t")
    assert found["id"].tolist() == summary.query("size_mean < 9 and avg_probs > 0.4")["id"].tolist()
    # No care for classes brings back what a condition excludes.
    for rule in ("keep=matching", "keep=clean"):
        few = command(
            "curate",
            f"run_id={recorder.run_id}",
            rule,
            "share=0" if "clean" in rule else "balance=false",
            "where=size_mean < 2",
        )
        assert few.code == 2 and "the rule leaves no sample" in few.err, few.err + few.out


@pytest.mark.parametrize(
    ("rule", "chosen"),
    [
        (["keep=clean", "share=0.25"], lambda s: s["avg_probs"].rank() > 6),
        (["keep=ambiguous", "share=0.5"], lambda s: s["label_var"].rank(ascending=False) <= 12),
        (["keep=ambiguous", "share=0.5", "where=tokens_mean < 4"],
         lambda s: (s["label_var"].rank(ascending=False) <= 12) & (s["tokens_mean"] < 4)),
        (["keep=clean", "threshold=0.9"], lambda s: (1 - s["avg_probs"]).round(4) < 0.9),
    ],
)  # fmt: skip
def test_rules_without_classes(store, command, rule, chosen):
    run_id = record_generation()
    assert command("curate", f"run_id={run_id}", *rule).code == 0
    summary = datamap.load_run(run_id).summary()
    lines = (curated(run_id)[0] / "curated.jsonl").read_text(encoding="utf-8").splitlines()
    assert lines == [json.dumps(chats()[n], ensure_ascii=False) for n in summary["id"][chosen(summary)]]


CANNOT = {
    ("diagnose", "score=linear"): "has no classes; choose score=combined, confidence, aum, forgetting",
    ("plot", "color=label"): "has no classes; choose another column, such as correct_ratio",
    ("plot", "facet=label"): "has no classes; choose another column",
    ("curate", "keep=relabelled"): "has no classes; choose keep=clean, corrected, matching, ambiguous",
    ("curate", "keep=ambiguous", "balance=true"): "balance=true: run .* has no classes",
    ("curate", "keep=clean"): "the number of wrong samples is unknown; give share= or threshold=",
    ("curate", "keep=matching"): "keep=matching: give where=",
    ("curate", "keep=matching", "ids=[0,77]"): r"ids: run \w+ has no sample 77$",
    ("curate", "keep=matching", "ids=7"): r"ids=7: give a list of ids, as in ids=\[7,12\], or a file",
    ("curate", "keep=matching", "ids=[]"): "it names no sample",
    ("curate", "keep=matching", "ids=none.txt"): "ids=none.txt: no such file",
    ("curate", "keep=matching", "where=loss > 1"): r"no numeric column loss; did you mean loss_mean",
    ("curate", "keep=matching", "where=loss_mean < 0"): "the rule leaves no sample",
    (
        "curate",
        "keep=matching",
        "where=loss_mean < nan",
    ): "'loss_mean < nan' is not a condition; write column",
    ("curate", "keep=corrected"): "has no decisions of a review",
}


def test_what_a_task_cannot_do_is_refused_in_one_line(store, command):
    run_id = record_generation()
    for (step, *rest), message in CANNOT.items():
        done = command(step, f"run_id={run_id}", *rest)
        assert (done.code, done.err.strip().count("\n")) == (2, 0), done.err
        assert re.search(message, done.err), done.err
    with datamap.SignalRecorder(task="scores") as recorder:
        recorder.record(range(COUNT), loss=[1.0] * COUNT)
        recorder.commit(1)
    done = command("compare", f"runs=[{run_id},{recorder.run_id}]")
    assert done.code == 2
    assert re.search("is of generation, run .* of scores; compare runs of one task", done.err)
    assert command("curate", f"run_id={recorder.run_id}", "keep=ambiguous").code == 2  # it has no rows


def test_a_decision_drops_a_row(store, command, tmp_path):
    run_id = record_generation()
    assert command("diagnose", f"run_id={run_id}").code == 0
    edited = tmp_path / "edited.tsv"
    edited.write_text("id\tlabel\n3\tdrop\n5\t0\n")
    assert command("curate", f"run_id={run_id}", "keep=corrected", f"corrections={edited}").code == 0
    lines = (curated(run_id)[0] / "curated.jsonl").read_text(encoding="utf-8").splitlines()
    assert lines == [json.dumps(row, ensure_ascii=False) for n, row in enumerate(chats()) if n != 3]


def test_compare_export_and_import(store, command):
    run_id, other = record_generation(), record_generation(1)
    done = command("compare", f"runs=[{run_id},{other}]")
    assert done.code == 0
    assert "learned too little" not in done.out  # there is no class to guess
    assert command("export_signals", f"run_id={run_id}", "folder=out").code == 0
    done = command("import_signals", "path=out", "texts=out/samples.jsonl")
    assert done.code == 0, done.err
    new = re.search(r"run (\w{32})", done.out)[1]
    assert command("summarize", f"run_id={new}").code == 0
    assert command("summarize", f"run_id={run_id}").code == 0
    pd.testing.assert_frame_equal(datamap.load_run(new).summary(), datamap.load_run(run_id).summary())
    assert datamap.load_run(new).task == "generation"
    assert command("curate", f"run_id={new}", "keep=ambiguous").code == 0
    lines = Path("out/samples.jsonl").read_text(encoding="utf-8").splitlines()
    Path("few.jsonl").write_text("\n".join(lines[:3]))
    done = command("import_signals", "path=out", "texts=few.jsonl")
    assert done.code == 2
    assert "texts=few.jsonl: no row for 21 samples of out, id 3, 4" in done.err


@pytest.mark.parametrize("format", ["jsonl", "parquet"])
def test_scores_alone_make_a_map(store, command, format):
    rewards = np.random.default_rng(0).normal(size=(3, 10)).round(3)
    with datamap.SignalRecorder(task="scores", format=format, unit="step") as recorder:
        for step, reward in zip((100, 200, 300), rewards, strict=True):
            recorder.record([f"p{n}" for n in range(10)], loss=np.exp(-reward), **{"reward gap": reward})
            recorder.commit(step)
    for step in ("summarize", "plot", "diagnose"):
        assert command(step, f"run_id={recorder.run_id}").code == 0
    summary = datamap.load_run(recorder.run_id).summary()
    assert summary["reward gap_mean"].to_numpy() == pytest.approx(rewards.mean(0))
    assert summary["avg_probs"].to_numpy() == pytest.approx(np.exp(-np.exp(-rewards)).mean(0))
    assert summary["correct_times"].tolist() == (np.exp(-np.exp(-rewards)) >= 0.5).sum(0).tolist()


def test_classification_takes_signals_of_ones_own(store):
    with datamap.SignalRecorder() as recorder:
        recorder.record([1, 2], [0, 1], probs=[[0.9, 0.1], [0.5, 0.5]], length=[3, 9])
        recorder.commit(1)
    assert datamap.summarize(recorder.run_id)["length_mean"].tolist() == [3, 9]
    assert datamap.load_run(recorder.run_id).task == "classification"
