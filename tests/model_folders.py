"""Small model folders with random weights."""

from pathlib import Path

import torch
import transformers

from datamap.paddle_backend import modeling
from datamap.paddle_backend.framework import paddle
from datamap.paddle_backend.framework import transformers as paddlenlp

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


def paddle_nlp(folder, head, names, safe=True):
    """Save a small model of random weights whose head has these classes, None for no head; return the model."""
    paddle.seed(4)
    classes = {"num_labels": names or 2}
    if isinstance(names, tuple):
        classes = {"id2label": dict(enumerate(names)), "label2id": {n: k for k, n in enumerate(names)}}
    model = getattr(paddlenlp, f"ErnieFor{head}")(paddlenlp.ErnieConfig(vocab_size=40, **SIZES, **classes))
    (model if names else model.ernie).save_pretrained(str(folder), safe_serialization=safe)
    modeling.character_tokenizer(["".join(WORDS[5:])]).save_pretrained(str(folder))
    model.eval()
    return model
