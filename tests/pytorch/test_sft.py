"""SFT by TRL's trainer: the signals of target tokens, packed or not, by steps, and what autolog makes of it."""

import copy

import numpy as np
import pytest
from mlflow import MlflowClient

import datamap
from conftest import local
from datamap.errors import ConfigError, DataMapError
from explored import texts_of
from sft import ROWS, records, tokenizer_of, training
from trainers import callback_of
from trainers import pytestmark as pytestmark


def losses(trainer):
    """{id: mean −ln p of its target tokens}, a sample at a time, from all logits."""
    import torch

    found = {}
    trainer.model.eval()
    for row in trainer.train_dataset:
        tokens, labels = torch.tensor([row["input_ids"]]), torch.tensor(row["labels"])
        with torch.no_grad():
            log_probs = trainer.model(input_ids=tokens).logits[0, :-1].log_softmax(-1)
        targets = labels[1:] != -100
        found[row["id"]] = -log_probs[targets, labels[1:][targets]].mean().item()
    return found


def test_signals_of_generation_equal_the_logits_after_every_so_many_steps(store, command):
    callback = callback_of("transformers", every=2, samples=ROWS)
    trainer = training(callback)
    trainer.train()
    run_id = callback.recorder.run_id
    assert list(callback.recorder.run.committed()) == [2, 4, 5]  # and the last step
    found = records(run_id, "step_000005")
    expected = losses(trainer)
    assert list(found) == [row["id"] for row in ROWS]
    np.testing.assert_allclose([found[name]["loss"] for name in expected], list(expected.values()), rtol=1e-4)
    assert {record["tokens"] for record in found.values()} == {5}  # the completion and the end
    for step in ("summarize", "plot"):
        assert command(step, f"run_id={run_id}").code == 0
    texts = texts_of(local(MlflowClient(), run_id, "maps/explorer.html"))
    assert texts["text_a"][0] == "what is 0 plus 0 ?"


def test_packed_sequences_come_out_as_the_samples_that_went_in(store):
    plain = callback_of("transformers", every=100, samples=ROWS)
    training(plain, learning_rate=0.0).train()
    packed = callback_of("transformers", every=100, samples=ROWS)
    trainer = training(packed, learning_rate=0.0, packing=True)
    assert len(trainer.train_dataset) < len(ROWS)
    trainer.train()
    steps = [list(callback.recorder.run.committed())[0] for callback in (plain, packed)]
    one, two = (
        records(callback.recorder.run_id, f"step_{step:06d}")
        for callback, step in zip((plain, packed), steps, strict=True)
    )
    assert {name: record["tokens"] for name, record in one.items()} == {
        name: record["tokens"] for name, record in two.items()
    }
    assert [two[name]["loss"] for name in one] == pytest.approx(
        [record["loss"] for record in one.values()], rel=1e-4
    )


def test_a_subset_of_packed_samples_is_drawn_as_of_unpacked_ones(store):
    found = []
    for packing in (False, True):
        callback = callback_of("transformers", every=100, samples=8, texts=ROWS)
        training(callback, packing=packing).train()
        run = callback.recorder.run
        assert run.tags()["datamap.observed_samples"] == "8 of 20, seed 0"
        found.append(set(records(run.run_id, f"step_{max(run.committed()):06d}")))
    assert found[0] == found[1]


def observed(samples=ROWS, rows=None, collate=None, **arguments):
    """The records of a model that does not change, by id; rows and collator may replace the trainer's own."""
    callback = callback_of("transformers", samples=samples)
    trainer = training(callback, learning_rate=0.0, **arguments)
    if rows:
        trainer.train_dataset, trainer.data_collator = rows, collate
    trainer.train()
    return records(callback.recorder.run_id, "epoch_0001")


def same(one, two):
    losses = [[record["loss"] for record in found.values()] for found in (one, two)]
    return list(one) == list(two) and losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_sequences_that_a_collator_flattens_are_observed_each_by_itself(store):
    from transformers import DataCollatorWithFlattening

    tokenizer, rows = tokenizer_of(ROWS), []
    for row in ROWS:
        prompt, completion = (tokenizer(row[name])["input_ids"] for name in ("prompt", "completion"))
        completion = [*completion, tokenizer.eos_token_id]
        labels = [-100] * len(prompt) + completion
        rows.append({"id": row["id"], "input_ids": prompt + completion, "labels": labels})
    assert same(observed(), observed(rows=rows, collate=DataCollatorWithFlattening(return_seq_idx=True)))


def test_adapters_that_have_not_learned_say_what_the_model_says(store):
    import peft

    adapters = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    assert same(observed(), observed(adapters=adapters))


@pytest.mark.parametrize(
    ("labels", "message"),
    [([-100] * 3, "or none has a target: nothing can be recorded"), (1, "3 input_ids and 1 labels")],
)
def test_rows_without_targets_are_refused_before_training(store, labels, message):
    from transformers import default_data_collator

    rows = [{"id": name, "input_ids": [5, 6, 7], "labels": labels} for name in ("s0", "s1")]
    with pytest.raises(DataMapError, match=message):
        observed(rows=rows, collate=default_data_collator)


def test_packing_that_loses_samples_is_refused_before_training(store):
    for arguments, options, message in (
        ({}, {}, "rows are packed, which drops ids: give samples="),
        ({"samples": ROWS[:-1]}, {}, "a packed sequence is not among samples="),
        ({"samples": ROWS}, {"packing_strategy": "wrapped"}, "'wrapped' cuts samples into pieces"),
    ):
        trainer = training(callback_of("transformers", **arguments), packing=True, **options)
        with pytest.raises(ConfigError, match=message):
            trainer.train()
        assert trainer.state.global_step == 0


def test_autolog_knows_generation_and_the_ids(store):
    datamap.autolog()
    try:
        training(remove_unused_columns=True).train()
    finally:
        datamap.autolog(disable=True)
    (run,) = MlflowClient().search_runs(["1"])
    assert (run.info.status, run.data.tags["datamap.task"]) == ("FINISHED", "generation")
    assert list(records(run.info.run_id, "epoch_0001")) == [row["id"] for row in ROWS]


def test_dpo_records_reward_gaps_as_scores(store, command):
    import datasets
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    from trl import DPOConfig, DPOTrainer

    rows = [
        {"id": row["id"], "prompt": row["prompt"], "chosen": row["completion"], "rejected": " it is not ."}
        for row in ROWS
    ]
    tokenizer = tokenizer_of([*ROWS, {"prompt": "", "completion": "it is not ."}])
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    callback = callback_of("transformers", samples=rows)
    model = LlamaForCausalLM(config)
    trainer = DPOTrainer(
        model,
        ref_model=copy.deepcopy(model),
        args=DPOConfig(
            "out", per_device_train_batch_size=5, num_train_epochs=2, report_to="none", save_strategy="no",
            disable_tqdm=True, use_cpu=True, bf16=False, learning_rate=1e-2, beta=0.3,
            remove_unused_columns=False,
        ),  # fmt: skip
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[callback],
    )  # fmt: skip
    batch = trainer.data_collator([trainer.train_dataset[row] for row in range(len(rows))])

    def gaps():
        trainer.model.eval()
        with torch.no_grad():
            logits = trainer.model(
                input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
            ).logits
        log_probs = logits[:, :-1].log_softmax(-1).gather(2, batch["input_ids"][:, 1:, None])[..., 0]
        chosen, rejected = (log_probs * batch["completion_mask"][:, 1:]).sum(1).chunk(2)
        return (chosen - rejected).numpy()

    before = gaps()
    trainer.train()
    found = records(callback.recorder.run_id, "epoch_0002")
    np.testing.assert_allclose([r["margin"] for r in found.values()], 0.3 * (gaps() - before), atol=1e-4)
    assert command("summarize", f"run_id={callback.recorder.run_id}").code == 0


def test_grpo_has_no_targets_and_trains_on_under_autolog(store):
    import datasets
    from transformers import LlamaConfig, LlamaForCausalLM
    from trl import GRPOConfig, GRPOTrainer

    tokenizer = tokenizer_of(ROWS)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}

    def trainer(*callbacks):
        return GRPOTrainer(
            LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **small)),
            reward_funcs=lambda completions, **columns: [float(len(text) % 3) for text in completions],
            args=GRPOConfig(
                "out",
                per_device_train_batch_size=4,
                num_generations=2,
                max_completion_length=3,
                max_steps=1,
                report_to="none",
                save_strategy="no",
                use_cpu=True,
                bf16=False,
                disable_tqdm=True,
            ),  # fmt: skip
            train_dataset=datasets.Dataset.from_list(ROWS),
            processing_class=tokenizer,
            callbacks=list(callbacks),
        )

    with pytest.raises(
        DataMapError, match="a batch is a list without targets, as in GRPO; record pass rates"
    ):
        trainer(callback_of("transformers", samples=ROWS)).train()
    datamap.autolog()
    try:
        with pytest.warns(UserWarning, match="this training is not recorded: a batch is a list"):
            assert trainer().train().global_step == 1
    finally:
        datamap.autolog(disable=True)
