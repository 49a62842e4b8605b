"""The callbacks in real trainers on tiny models: signals equal the logits computed by hand."""

import random
import sys

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient

from conftest import ROOT
from datamap.callbacks.encoder import mean_outputs
from datamap.errors import ConfigError, DataMapError, SignalError
from datamap.signals import embeddings
from trainers import (
    FRAMEWORKS,
    ROWS,
    TOKENS,
    HuggingFace,
    N,
    broken,
    callback_of,
    check,
    lightning_training,
    records,
)
from trainers import pytestmark as pytestmark


def status(run_id):
    return MlflowClient().get_run(run_id).info.status


# ---------------------------------------------------------------- Hugging Face


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
    from datamap.callbacks.trainer import evaluation_mode

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


def test_several_processes_are_refused(framework):
    training = FRAMEWORKS[framework]()

    class Arguments:
        world_size = 2

    with pytest.raises(ConfigError, match="records in one process, but 2 train together: use one"):
        callback_of(framework).on_train_begin(Arguments, training.trainer.state, training.trainer.control)
    assert not MlflowClient().search_runs(["0"])


@pytest.mark.parametrize("order", [1, -1])
def test_ids_follow_rows_through_a_collator_that_leaves_out_and_reorders(store, order):
    import torch

    def collate(rows):
        rows = [row for row in rows if row["input_ids"][1] < 30][::order]
        return {key: torch.tensor([row[key] for row in rows]) for key in ("input_ids", "labels")}

    callback = callback_of("transformers")
    training = HuggingFace(callback, ROWS, num_train_epochs=1, remove_unused_columns=False)
    training.trainer.data_collator = collate
    training.trainer.train()
    found = {record["id"]: record["label"] for record in records(callback.recorder.run_id, 1)}
    assert found == {row["id"]: row["labels"] for row in ROWS if row["input_ids"][1] < 30}


TEXTS = {"id": [row["id"] for row in ROWS], "text_a": ["x"] * N, "label": [row["labels"] for row in ROWS]}
UNUSABLE = {
    "ids= has 19 ids, but the training dataset 20 samples": {"ids": range(N - 1)},
    "ids must be whole numbers below 2^63 or strings, not None": {"ids": [*"abcdefghijklmnopqrs", None]},
    "the first batch of the training dataset: the model has 2 classes, class_names= 3": {"class_names": list("abc")},
    "the training dataset: samples= has no id s19": {"samples": {name: some[:-1] for name, some in TEXTS.items()}},
    "the training dataset: samples= has another label, id s0": {
        "samples": {**TEXTS, "label": [1 - TEXTS["label"][0], *TEXTS["label"][1:]]}
    },
    "class_names=: 'a' occurs twice": {"class_names": iter("aa")},
}  # fmt: skip


def no_run():
    client = MlflowClient()
    return not client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])


@pytest.mark.parametrize("message", UNUSABLE)
def test_what_is_known_before_training_is_refused_then(store, message):
    training = HuggingFace(callback_of("transformers", **UNUSABLE[message]))
    with pytest.raises(DataMapError) as caught:
        training.trainer.train()
    assert message in str(caught.value)
    assert (training.trainer.state.global_step, no_run()) == (0, True)


def test_datasets_and_collators_that_cannot_be_followed_are_refused_before_training(store):
    import torch

    def nothing(rows):
        return {"input_ids": torch.zeros((0, 6), dtype=int), "labels": torch.zeros(0, dtype=int)}

    def one_hot(rows):
        batch = HuggingFace().trainer.data_collator(rows)
        return {**batch, "labels": torch.nn.functional.one_hot(batch["labels"], 2).float()}

    def by_label(rows):
        rows = sorted(rows, key=lambda row: row["labels"])
        return {key: torch.tensor([row[key] for row in rows]) for key in ("input_ids", "labels")}

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(ROWS)

    for collate, message in (
        (nothing, "the collator leaves out all rows"),
        (one_hot, "several labels per sample are not supported"),
        (by_label, "ids cannot follow rows through the collator"),
    ):
        training = HuggingFace(callback_of("transformers"), remove_unused_columns=False)
        training.trainer.data_collator = collate
        with pytest.raises(DataMapError, match=message):
            training.trainer.train()
    with pytest.raises(ConfigError, match="Stream has no length"):
        HuggingFace(callback_of("transformers"), Stream(), max_steps=3).trainer.train()
    assert no_run()


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
        TEXTS["id"],
        training.logits(),
    )


@pytest.mark.parametrize("removed", [True, False])
def test_ids_of_a_dataset_whose_columns_are_removed(store, removed):
    import datasets

    data = datasets.Dataset.from_list(ROWS)
    callback = callback_of("transformers", data["id"] if removed else None)
    HuggingFace(callback, data, num_train_epochs=1, remove_unused_columns=removed).trainer.train()
    assert [record["id"] for record in records(callback.recorder.run_id, 1)] == data["id"][:]


def test_signals_go_into_the_run_of_transformers_own_mlflow_callback(store, monkeypatch):
    callback = callback_of("transformers")
    HuggingFace(callback, report_to="mlflow", num_train_epochs=1).trainer.train()
    run = MlflowClient().get_run(callback.recorder.run_id)
    assert {"train_loss", "signals.rows"} <= set(run.data.metrics)
    assert (run.info.status, mlflow.active_run()) == ("FINISHED", None)


def test_a_partial_last_epoch_counts(store):
    callback = callback_of("transformers")
    HuggingFace(callback, max_steps=7).trainer.train()  # an epoch has 5
    assert list(callback.recorder.run.committed()) == [1, 2]


def test_ids_and_outputs_that_cannot_be_used():
    from datamap.callbacks.trainer import labels_and_logits, sample_ids

    with pytest.raises(ConfigError, match="generator has no length: DataMapCallback needs"):
        sample_ids(row for row in ROWS)

    class Model:
        def forward(self, x, labels):
            return {"loss": 1} if x else (1, "logits", labels)

        __call__ = forward

    with pytest.raises(SignalError, match="batch of the training dataset has no 'labels' .it has: x, y"):
        labels_and_logits(Model(), {"x": 1, "y": 2})
    with pytest.raises(SignalError, match="output has no 'logits' .it has: loss"):
        labels_and_logits(Model(), {"x": 1, "labels": 2})
    assert labels_and_logits(Model(), {"x": 0, "labels": 2}) == (2, "logits")


def test_a_process_that_dies_in_training_leaves_a_failed_run(store, shell):
    code = (
        "import trainers as t\n"
        "training = t.HuggingFace(t.callback_of('transformers'))\n"
        "training.model.register_forward_pre_hook(t.broken)\n"
        "training.trainer.train()\n"
    )
    outcome = shell([sys.executable, "-c", code], PYTHONPATH=f"{ROOT / 'src'}:{ROOT / 'tests'}")
    assert "model lost" in outcome.err
    (run,) = MlflowClient().search_runs(["1"])
    assert run.info.status == "FAILED"


# ---------------------------------------------------------------- Lightning


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_lightning_records_what_the_step_returns(store, command, package):
    pytest.importorskip(package)  # imported before the callback, as users do
    callback = callback_of("lightning")
    seen = lightning_training(package, callback)
    run_id = callback.recorder.run_id
    assert status(run_id) == "FINISHED"
    for epoch in (1, 2):
        found = sorted(records(run_id, epoch), key=lambda record: int(record["id"][1:]))
        check(found, [row["id"] for row in ROWS], np.array([seen[epoch, row["id"]] for row in ROWS]))
    assert command("summarize", f"run_id={run_id}").code == 0


def test_lightning_training_that_raises_fails_the_run(store):
    callback = callback_of("lightning")
    with pytest.raises(OSError, match="step lost"):
        lightning_training("lightning.pytorch", callback, broken=1)
    assert (status(callback.recorder.run_id), callback.recorder.run.committed()) == ("FAILED", {1: N})


@pytest.mark.filterwarnings("ignore:.*`training_step` returned `None`")
def test_lightning_may_skip_batches(store):
    callback = callback_of("lightning")
    lightning_training("lightning.pytorch", callback, skipped=1)
    assert (status(callback.recorder.run_id), callback.recorder.run.committed()) == (
        "FINISHED",
        {1: N - 4, 2: N - 4},
    )


@pytest.mark.parametrize(
    "output", [lambda loss: loss, lambda loss: {"loss": loss, "ids": [1], "logits": loss}]
)
def test_lightning_says_what_a_step_must_return(store, output):
    callback = callback_of("lightning", logits="scores")
    with pytest.raises(SignalError, match="let it return {'loss': …, 'ids': …, 'labels': …, 'scores': …}"):
        lightning_training("lightning.pytorch", callback, output=output)
    assert status(callback.recorder.run_id) == "FAILED"


BASES = """
import importlib, sys
from datamap.callbacks import lightning as ours

def base(*imported, absent=()):
    for name in [name for name in sys.modules if name.partition(".")[0] in ("lightning", "pytorch_lightning")]:
        del sys.modules[name]
    sys.modules.update(dict.fromkeys(absent))
    for name in imported:
        importlib.import_module(name)
    return importlib.reload(ours).DataMapCallback.__mro__[1].__module__

print(base("pytorch_lightning"), base(absent=["lightning"]), base("lightning.pytorch"), base())
"""


def test_lightning_without_its_own_package(shell, tmp_path):
    """Where only `pytorch_lightning` is installed, or the user works with it, its `Callback` is the base.

    Empty packages of these names stand for the real ones, which take ten seconds to import.
    """
    for package in ("lightning", "lightning/pytorch", "pytorch_lightning"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("class Callback: pass\n")
    outcome = shell([sys.executable, "-c", BASES], PYTHONPATH=f"{tmp_path}:{ROOT / 'src'}")
    user = "pytorch_lightning pytorch_lightning lightning.pytorch lightning.pytorch\n"
    assert outcome.out == user, outcome.err


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
