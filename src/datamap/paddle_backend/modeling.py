"""Build model and tokenizer: pretrained by name, from a local folder, or a small ERNIE from scratch."""

import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from datamap.errors import ModelError, reason
from datamap.paddle_backend import folders
from datamap.paddle_backend.classifier import Classifier
from datamap.paddle_backend.framework import transformers

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def build(
    options: Any, texts: Iterable[str], classes: Sequence[str], head: str = "SequenceClassification"
) -> Classifier:
    """Build the model and tokenizer that `conf/model/*.yaml` describes.

    Args:
        options: `config.ModelConfig`.
        texts: all training texts; a model from scratch gets its vocabulary from them.
        classes: names of the classes that the model predicts; none for the encoder of a pretrained one alone.
        head: the end of the name of PaddleNLP's model class, such as SequenceClassification.

    Raises:
        ModelError: the model cannot be loaded, or its sizes do not match; the message says what to do.
    """
    if options.name_or_path:
        return pretrained(options.name_or_path, classes, head, options.trust_pickle)
    scratch = options.scratch
    if scratch.hidden_size % scratch.heads:
        raise ModelError(
            f"model.scratch.hidden_size={scratch.hidden_size} is not a multiple of model.scratch.heads={scratch.heads}"
        )
    tokenizer = character_tokenizer(texts)
    config = transformers.ErnieConfig(
        vocab_size=len(tokenizer),
        num_labels=len(classes),
        pad_token_id=tokenizer.pad_token_id,
        max_position_embeddings=max(options.max_length, 64),
        hidden_dropout_prob=scratch.dropout,
        attention_probs_dropout_prob=scratch.dropout,
        num_hidden_layers=scratch.layers,
        hidden_size=scratch.hidden_size,
        intermediate_size=scratch.intermediate_size,
        num_attention_heads=scratch.heads,
        initializer_range=scratch.initializer_range,
    )
    return Classifier(getattr(transformers, f"ErnieFor{head}")(config), tokenizer)


def pretrained(
    name: str, classes: Sequence[str], head: str = "SequenceClassification", trust_pickle: bool = False
) -> Classifier:
    """Load a model that was trained before (arguments: `build`; `name` is a folder, or a name that PaddleNLP knows).

    Raises:
        ModelError: the model cannot be loaded.
    """
    try:
        if Path(name).is_dir():
            return folders.load(Path(name), classes, head, trust_pickle)
        if Path(name).exists() or "://" in name:
            raise ModelError(
                f"model.name_or_path={name} is neither a model's name nor a folder; give one of them"
            )
        tokenizer = transformers.AutoTokenizer.from_pretrained(name)
        load = getattr(transformers, f"AutoModelFor{head}").from_pretrained
        return Classifier(load(name, num_labels=len(classes) or 1, use_cache=False), tokenizer)
    except ModelError:
        raise
    except Exception as error:  # PaddleNLP raises errors of many types, and its messages mislead
        raise ModelError(f"the model {name!r} cannot be loaded: {_problem(name, error)}") from error


def _problem(name: str, error: Exception) -> str:
    if Path(name).is_dir():
        return f"{type(error).__name__}: {reason(error)}"
    return (
        "it is not a folder, and its download failed (no network, or an unknown name); set "
        "model.name_or_path=<folder>, "
        "or train a small model with model=tiny"
    )


def character_tokenizer(texts: Iterable[str]) -> Any:
    """Create an ErnieTokenizer whose vocabulary is the characters of `texts`, the most frequent first.

    ASCII letters and digits are also word pieces (`##a`), so that no word is unknown.
    """
    counts = Counter("".join(texts).lower())
    letters = sorted((c for c in counts if not c.isspace()), key=lambda c: (-counts[c], c))
    pieces = [f"##{c}" for c in letters if c.isalnum() and ord(c) < 128]
    folder = tempfile.mkdtemp()
    vocabulary = Path(folder, "vocab.txt")
    vocabulary.write_text("\n".join([*SPECIAL_TOKENS, *letters, *pieces]) + "\n", encoding="utf-8")
    tokenizer = transformers.ErnieTokenizer(str(vocabulary))
    # save_pretrained copies the file, so it must live as long as its tokenizer.
    weakref.finalize(tokenizer, shutil.rmtree, folder, ignore_errors=True)
    return tokenizer
