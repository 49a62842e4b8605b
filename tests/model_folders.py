"""Small model folders with random weights."""

from pathlib import Path

import torch
import transformers

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"怎么换手机壳如何更多少钱", *map(str, range(10))]
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}


def hugging_face(folder, kind="Bert", head="Model", **saved):
    """A small model with random weights and a vocabulary, as transformers saves them; the model."""
    torch.manual_seed(1)
    sizes = {"vocab_size": 64, "max_position_embeddings": 40, **SIZES}
    if kind == "Ernie":
        sizes |= {"use_task_id": True, "task_type_vocab_size": 3}
    if kind == "Roberta":
        sizes |= {"type_vocab_size": 1, "pad_token_id": 1}
    model = getattr(transformers, f"{kind}{head}")(getattr(transformers, f"{kind}Config")(**sizes)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder, **saved)
    Path(folder, "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return model
