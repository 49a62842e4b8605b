"""Model and tokenizer: pretrained by name, from a local folder, or a small ERNIE from scratch.

Importing this module imports paddle and paddlenlp (several seconds): only training does.
"""

import contextlib
import shutil
import tempfile
import warnings
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from datamap.data.dataset import Samples
from datamap.errors import ModelError
from datamap.training.framework import paddle, transformers
from datamap.training.tokens import Tokens

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


class Classifier(NamedTuple):
    """A paddle Layer (input_ids, token_type_ids) → logits (samples, classes), and its tokenizer."""

    model: Any
    tokenizer: Any


def build(options: Any, texts: Iterable[str], classes: int) -> Classifier:
    """Model and tokenizer as `conf/model/*.yaml` describes them.

    Args:
        options: `config.ModelConfig`.
        texts: all training texts; a model from scratch takes its vocabulary from them.
        classes: how many classes the model tells apart.
    Returns:
        the classifier.
    Raises:
        ModelError: the name or folder cannot be loaded, or the sizes do not fit; says what to do instead.
    """
    if options.name_or_path:
        return _load(options.name_or_path, classes)
    scratch = options.scratch
    if scratch.hidden_size % scratch.heads:
        raise ModelError(
            f"model.scratch.hidden_size={scratch.hidden_size} is not a multiple of model.scratch.heads={scratch.heads}"
        )
    tokenizer = character_tokenizer(texts)
    config = transformers.ErnieConfig(
        vocab_size=len(tokenizer),
        num_labels=classes,
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
    return Classifier(transformers.ErnieForSequenceClassification(config), tokenizer)


def _load(name, classes):
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name)
        model = transformers.AutoModelForSequenceClassification.from_pretrained(name, num_labels=classes)
    except Exception as error:  # paddlenlp raises all sorts here, and its messages mislead
        raise ModelError(f"model {name!r} cannot be loaded: {_reason(name, error)}") from error
    return Classifier(model, tokenizer)


def _reason(name, error):
    if Path(name).is_dir():
        files = sorted(path.name for path in Path(name).iterdir())
        return (
            f"the folder should hold what PaddleNLP's save_pretrained writes (config.json, "
            f"vocab.txt, model_state.pdparams or model.safetensors), it holds "
            f"{', '.join(files) or 'nothing'} ({_first_line(error)})"
        )
    return (
        "there is no such folder and it could not be downloaded (no network, or no such name); give a "
        "local folder with model.name_or_path=<folder>, or train a small model with model=tiny"
    )


def _first_line(error):
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"


def character_tokenizer(texts: Iterable[str]) -> Any:
    """ErnieTokenizer whose vocabulary is the characters of `texts`, commonest first.

    Latin letters and digits also stand as word pieces (`##a`), so that no word is unknown.
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


@contextlib.contextmanager
def first_token_only(model: Any) -> Iterator[None]:
    """While it lasts, the last layer of an ERNIE works out the first token alone.

    The classifier reads no other, so that the logits are the same (up to rounding) for less work: of
    2 layers nearly half of the second is saved. Models of other kinds are left as they are.
    """
    if not isinstance(model, transformers.ErnieForSequenceClassification):
        yield
        return
    layers = model.ernie.encoder.layers
    index = len(layers) - 1
    last = layers[index]
    layers[index] = _FirstToken(last)
    try:
        yield
    finally:
        layers[index] = last


class _FirstToken(paddle.nn.Layer):
    """A transformer layer in evaluation mode, for the first token only: (samples, 1, width)."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, tokens, src_mask=None, **_):
        layer, first = self.layer, tokens[:, :1]
        first = layer.norm1(first + layer.self_attn(first, tokens, tokens, src_mask))
        return layer.norm2(first + layer.linear2(layer.activation(layer.linear1(first))))


def encode(tokenizer: Any, samples: Samples, max_length: int) -> Tokens:
    """`Tokens` of the samples, each cut to `max_length`."""
    # Of a text that is too long the rest is cut; paddlenlp warns that it does not return it.
    warnings.filterwarnings("ignore", "Be aware, overflowing tokens", UserWarning)
    pairs = zip(samples.texts_a, samples.texts_b or [None] * len(samples), strict=True)
    encoded = (tokenizer(text_a, text_b, max_length=max_length, truncation=True) for text_a, text_b in pairs)
    return Tokens.of([(e["input_ids"], e["token_type_ids"]) for e in encoded])
