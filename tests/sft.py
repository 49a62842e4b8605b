"""A tiny Llama in TRL's SFTTrainer, with prompts and completions of a word per token."""

import json

from mlflow import MlflowClient

from conftest import local

ROWS = [
    {"id": f"s{5 * a + b}", "prompt": f"what is {a} plus {b} ?", "completion": f" it is {a + b} ."}
    for a in range(4)
    for b in range(5)
]


def tokenizer_of(rows):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = sorted({word for row in rows for word in (row["prompt"] + row["completion"]).split()})
    vocabulary = {word: number for number, word in enumerate(["<pad>", "<eos>", "<unk>", *words])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    )


def training(*callbacks, rows=ROWS, adapters=None, **arguments):
    """A tiny Llama in TRL's SFTTrainer."""
    import datasets
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    from trl import SFTConfig, SFTTrainer

    torch.manual_seed(0)
    tokenizer = tokenizer_of(rows)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=64,
    )  # fmt: skip
    options = {
        "output_dir": "out", "max_length": 32, "per_device_train_batch_size": 4, "per_device_eval_batch_size": 3,
        "num_train_epochs": 1, "report_to": "none", "save_strategy": "no", "disable_tqdm": True, "use_cpu": True,
        "bf16": False, "learning_rate": 1e-2, "remove_unused_columns": False,
    } | arguments  # fmt: skip
    return SFTTrainer(
        LlamaForCausalLM(config),
        SFTConfig(**options),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=list(callbacks),
        peft_config=adapters,
    )


def records(run_id, name):
    text = local(MlflowClient(), run_id, f"signals/{name}-00000-of-00001.jsonl").read_text(encoding="utf-8")
    return {record["id"]: record for record in map(json.loads, text.splitlines())}
