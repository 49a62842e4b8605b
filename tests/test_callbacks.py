"""The callbacks in real trainers on tiny models: signals equal the logits computed by hand."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from datamap.callbacks.encoder import mean_outputs
from datamap.errors import ConfigError, SignalError
from datamap.schema import Task
from datamap.signals import embeddings
from trainers import (
    DOCUMENTS,
    FRAMEWORKS,
    ROWS,
    SENTENCES,
    TAGS,
    TOKENS,
    N,
    broken,
    callback_of,
    check,
    records,
    status,
    unit_training,
    units_of,
)
from trainers import pytestmark as pytestmark


@pytest.fixture(params=FRAMEWORKS)
def framework(request, store):
    return request.param


def test_trainers_record_every_sample_after_each_epoch(framework, command):
    callback = callback_of(framework, class_names=["low", "high"])
    training = FRAMEWORKS[framework](callback)
    training.trainer.train()
    run_id = callback.recorder.run_id
    assert (status(run_id), list(callback.recorder.run.committed().items())) == ("FINISHED", [(1, N), (2, N)])
    check(records(run_id, 2), [row["id"] for row in ROWS], training.logits())
    assert records(run_id, 1) != records(run_id, 2)
    outcome = command("summarize", f"run_id={run_id}")
    assert f"{N} samples over 2 observations" in outcome.out, outcome.err


def test_the_tags_of_tokens_are_recorded(framework, command):
    callback = callback_of(framework)
    unit_training(framework, callback, SENTENCES, TAGS).trainer.train()
    run = callback.recorder.run
    assert run.task().task is Task.TOKENS and sorted(run.committed()) == [1, 2]
    assert run.class_names() == tuple(TAGS)  # of the model's config
    found = records(run.run_id, 2)
    assert {record["id"]: record["label"] for record in found} == units_of(SENTENCES)
    assert {len(record["probs"]) for record in found} == {3}
    assert command("summarize", f"run_id={run.run_id}").code == 0


@pytest.mark.parametrize("whole", [False, True])
def test_several_labels_are_recorded(framework, whole):
    rows = [{**row, "labels": list(map(int, row["labels"]))} for row in DOCUMENTS] if whole else DOCUMENTS
    callback = callback_of(framework, class_names=["a", "b", "c"], every=3)
    training = unit_training(framework, callback, rows, num_train_epochs=1, max_steps=4)
    if whole:  # frameworks' losses need floats
        collate = training.trainer.data_collator
        training.trainer.data_collator = lambda some: {
            name: value
            if name == "input_ids"
            else value.astype("float32")
            if framework == "paddlenlp"
            else value.float()
            for name, value in collate(some).items()
        }
    training.trainer.train()
    run = callback.recorder.run
    assert run.task().label_names == ["a", "b", "c"] and sorted(run.committed()) == [3, 4]
    folder = MlflowClient().download_artifacts(run.run_id, "signals")
    lines = next(Path(folder).glob("step_000004*.jsonl")).read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    assert {record["id"]: record["label"] for record in found} == units_of(DOCUMENTS)
    present = {
        f"s{n}:{k}": value >= 0 for n, row in enumerate(training.logits()) for k, value in enumerate(row)
    }
    assert {record["id"]: bool(record["pred_label"]) for record in found} == present


def test_a_collator_that_reorders_sentences_is_refused(framework):
    training = unit_training(framework, callback_of(framework), SENTENCES)
    collate = training.trainer.data_collator
    training.trainer.data_collator = lambda some: collate(some[::-1])
    with pytest.raises(ConfigError, match="the collator leaves rows out, reorders them"):
        training.trainer.train()


def drawing(framework, collate):
    """Return a collator that draws from every random state, as one that augments its rows does."""

    def drawn(rows):
        random.random()
        np.random.random()  # noqa: NPY002
        if framework == "transformers":  # Paddle's loader collates in a thread, at any moment
            import torch

            torch.rand(1)
        return collate(rows)

    return drawn


def test_training_goes_on_as_without_the_callback(framework):
    weights, states = [], []
    for callback in (None, callback_of(framework)):
        training = FRAMEWORKS[framework](callback)
        training.trainer.data_collator = drawing(framework, training.trainer.data_collator)
        training.trainer.train()
        weights.append(training.weights())
        states.append((random.random(), np.random.random()))  # noqa: NPY002
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))
    assert states[0] == states[1]


def test_every_part_of_a_model_gets_its_mode_back(framework):
    from datamap.callbacks.framework import evaluation_mode

    callback = callback_of(framework)
    model = FRAMEWORKS[framework]().model
    model.train()
    parts = list(callback.modules(model))
    parts[-1].eval()  # frozen by the user
    with pytest.raises(OSError, match="x"), evaluation_mode(callback.modules(model)):
        assert not any(part.training for part in parts)
        raise OSError("x")
    assert [part.training for part in parts] == [True] * (len(parts) - 1) + [False]


def test_a_training_that_raises_in_with_fails_at_once(framework):
    with pytest.raises(OSError, match="model lost"), callback_of(framework) as callback:
        training = FRAMEWORKS[framework](callback)
        on_epoch_end = callback.on_epoch_end

        def breaking(*arguments, **options):
            on_epoch_end(*arguments, **options)
            training.model.register_forward_pre_hook(broken)

        callback.on_epoch_end = breaking
        training.trainer.train()
    assert status(callback.recorder.run_id) == "FAILED"
    assert callback.recorder.run.committed() == {1: N}


def test_a_training_after_one_that_raised_ends_its_run(framework):
    callback = callback_of(framework)
    training = FRAMEWORKS[framework](callback)
    hook = training.model.register_forward_pre_hook(broken)
    with pytest.raises(OSError, match="model lost"):
        training.trainer.train()
    first = callback.recorder.run_id
    assert status(first) == "RUNNING"
    hook.remove()
    training.trainer.train()
    assert (status(first), status(callback.recorder.run_id)) == ("FAILED", "FINISHED")


def test_ids_given_and_row_numbers(framework):
    rows = [{key: value for key, value in row.items() if key != "id"} for row in ROWS]
    for given, expected in ((None, range(N)), (range(100, 100 + N), range(100, 100 + N))):
        callback = callback_of(framework, given)
        FRAMEWORKS[framework](callback, rows, num_train_epochs=1).trainer.train()
        assert [record["id"] for record in records(callback.recorder.run_id, 1)] == list(expected)
    with (
        callback_of(framework, [1, 2]) as callback,
        pytest.raises(ConfigError, match="ids= has 2 ids, but the"),
    ):
        FRAMEWORKS[framework](callback, rows, num_train_epochs=1).trainer.train()


def test_devices_that_are_no_processes_are_refused(framework):
    training = FRAMEWORKS[framework]()

    class Arguments:
        world_size = 2

    with pytest.raises(ConfigError, match="2 devices train in one process, but each needs its own"):
        callback_of(framework).on_train_begin(Arguments, training.trainer.state, training.trainer.control)
    assert not MlflowClient().search_runs(["0"])


def test_labels_are_called_as_the_trainers_arguments_call_them(framework):
    rows = [{**row, "target": row["labels"]} for row in ROWS]
    rows = [{key: value for key, value in row.items() if key != "labels"} for row in rows]
    callback = callback_of(framework)
    training = FRAMEWORKS[framework](callback, rows, num_train_epochs=1, label_names=["target"])
    forward, collate = training.model.forward, training.trainer.data_collator
    if framework == "paddlenlp":
        import paddle

        training.trainer.criterion = lambda output, labels: paddle.nn.functional.cross_entropy(
            output, labels[0]
        )
        training.trainer.data_collator = lambda rows: {
            key: paddle.to_tensor([row[key] for row in rows]) for key in ("input_ids", "target")
        }
    else:
        training.model.forward = lambda input_ids, target=None: forward(input_ids=input_ids, labels=target)
        training.trainer._signature_columns = ["input_ids", "target"]
        training.trainer.data_collator = collate
    training.trainer.train()
    check(
        records(callback.recorder.run_id, 1),
        [row["id"] for row in ROWS],
        training.logits(),
    )


def test_ids_and_outputs_that_cannot_be_used():
    from datamap.callbacks.classification import labels_and_logits

    class Model:
        def forward(self, x, labels):
            return {"loss": 1} if x else (1, "logits", labels)

        __call__ = forward

    with pytest.raises(SignalError, match="batch of the training dataset has no 'labels' .it has: x, y"):
        labels_and_logits(Model(), {"x": 1, "y": 2})
    with pytest.raises(SignalError, match="output has no 'logits' .it has: loss"):
        labels_and_logits(Model(), {"x": 1, "labels": 2})
    assert labels_and_logits(Model(), {"x": 0, "labels": 2}) == (2, "logits")


def test_trainers_record_embeddings_of_the_encoder_before_the_first_step(framework, command):
    callback = callback_of(framework, class_names=["low", "high"])
    training = FRAMEWORKS[framework](callback)
    training.model.eval()
    if framework == "transformers":
        import torch

        with torch.no_grad():
            states = training.model.base_model(input_ids=torch.tensor(TOKENS)).last_hidden_state.numpy()
    else:
        import paddle

        with paddle.no_grad():
            states = training.model.ernie(paddle.to_tensor(TOKENS))[0].numpy()
    training.trainer.train()
    run_id = callback.recorder.run_id
    found = embeddings.read(callback.recorder.run.artifacts.folder / "embeddings/embeddings.parquet")
    assert found.ids.to_pylist() == [row["id"] for row in ROWS]
    np.testing.assert_allclose(found.first, states.mean(axis=1), atol=2e-3)
    assert command("diagnose", f"run_id={run_id}", "score=embeddings").code == 0
    silent = callback_of(framework, embeddings=False)
    FRAMEWORKS[framework](silent).trainer.train()
    assert not silent.recorder.run.files("embeddings")


@pytest.mark.parametrize(
    ("output", "batch", "expected"),
    [
        (np.ones((2, 3, 4)), {}, [(2, 4)]),
        ((np.ones((2, 3, 4)),), {"attention_mask": [[1, 1, 0], [1, 0, 0]]}, [(2, 4)]),
        (np.ones((2, 4, 5, 5)), {"pixel_values": 1}, [(2, 4)]),
        (np.ones((2, 3, 4)), {"token_type_ids": [[0, 0, 1], [0, 1, 1]]}, [(2, 4), (2, 4)]),
        (np.ones((2, 3, 4)), {"token_type_ids": [[0, 0, 0], [0, 1, 1]]}, [(2, 4)]),
        (np.ones((2, 4)), {}, None),
    ],
)
def test_the_mean_output_of_what_encoders_return(output, batch, expected):
    found = mean_outputs(output, batch, 0)
    assert expected == (None if found is None else [part.shape for part in found])
    assert found is None or all((part == 1).all() for part in found)


def test_only_tokens_that_count_are_in_the_mean():
    states = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    (masked,) = mean_outputs(states, {"input_ids": np.array([[5, 0, 0], [5, 6, 0]])}, 0)
    assert masked.tolist() == [[0, 1], [7, 8]]
