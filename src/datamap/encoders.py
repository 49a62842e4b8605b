"""Make embeddings of texts by a pretrained encoder, with whichever library is installed and can load it."""

import contextlib
import functools
import os
import re
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import requests

from datamap.errors import ConfigError, ModelError, shortened
from datamap.log import reporting
from datamap.signals.embeddings import mean_over_tokens

BATCH = 32  # texts that are encoded at a time
MAX_TOKENS = 256  # of a text that are used
HUB_TIMEOUT = 5  # seconds that the hub has to answer; the libraries would retry each file for a minute

Encoder = Callable[[Sequence[str]], np.ndarray]  # texts → float (texts, width)


def encode(name: str, texts: Sequence[str]) -> np.ndarray:
    """Return the embedding of each text, float32 (texts, width).

    Libraries are tried in the order of `LIBRARIES`; the first one that is installed and can use the encoder is used.
    Unless the library says how to pool, an embedding is the mean of the last layer over the text's tokens.

    Args:
        name: folder of the encoder, or a name that the library knows and may download.
        texts: texts of any length; what is beyond `MAX_TOKENS` tokens is left out.

    Raises:
        ConfigError: the name is empty.
        ModelError: no library that is installed can load the encoder, or encode the texts with it.
    """
    problems: list[str] = []
    if not name.strip():
        raise ConfigError("encoder= is empty; give the folder or the name of an encoder")
    if name.startswith((".", "/", "~")) and not Path(name).is_dir():
        raise ModelError(f"encoder={name}: no such folder")
    is_unreachable = functools.cache(_is_unreachable)
    for library, load in LIBRARIES.items():
        if find_spec(library) is None:
            problems.append(f"{library} is not installed")
            continue
        source, hub = name, "" if Path(name).is_dir() else _hub(library)
        if hub and is_unreachable(hub):
            source = _cached(library, name)
            if not source:
                problems.append(f"{library}: {hub} is unreachable, and its cache has no such encoder")
                continue
        try:
            with reporting("loading {encoder} with {library}", encoder=name, library=library):
                encoder = load(source)
            return _in_batches(encoder, texts)
        except Exception as error:  # each library raises errors of its own, some not before the first text
            problems.append(f"{library}: {shortened(error, 120)}")
    raise ModelError(
        f"encoder={name} cannot be used ({'; '.join(problems)}); give the folder of an encoder, or the name of one "
        "that can be downloaded"
    )


def _hub(library: str) -> str:
    """Return the address of the hub that a library downloads from; "" where it is unknown."""
    if library == "paddlenlp":  # it takes 10 s to import, so that its sources are read instead
        file = (
            Path(str(getattr(find_spec(library), "origin", ""))).with_name("utils")
            / "download/bos_download.py"
        )
        found = re.search(r'"PPNLP_ENDPOINT", "(.+?)"', file.read_text("utf-8")) if file.exists() else None
        return os.environ.get("PPNLP_ENDPOINT") or (found[1] if found else "")
    if find_spec("huggingface_hub") is None:
        return ""
    from huggingface_hub import constants

    return constants.ENDPOINT


def _is_unreachable(hub: str) -> bool:
    """Tell whether a hub gives no answer, or must not be asked, so that only its cache can be used."""
    from huggingface_hub import constants

    with contextlib.suppress(requests.RequestException):
        if hub != constants.ENDPOINT or not constants.HF_HUB_OFFLINE:
            requests.head(hub, timeout=HUB_TIMEOUT)
            return False
    return True


def _cached(library: str, name: str) -> str:
    """Return what loads an encoder from the cache of a library's hub, "" where it has none."""
    if library == "paddlenlp":
        home = os.environ.get("PPNLP_HOME") or Path.home() / ".paddlenlp"
        return name if any(Path(home, "models", name).glob("*")) else ""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    for known in (name, f"sentence-transformers/{name}"):  # which is left out in that library's names
        with contextlib.suppress(LocalEntryNotFoundError, HFValidationError):
            return snapshot_download(known, local_files_only=True)
    return ""


def _in_batches(encoder, texts):
    """Encode texts of similar length together, so that little is padding."""
    order = np.argsort([len(text) for text in texts], kind="stable")
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    parts = [encoder([texts[row] for row in batch]) for batch in batches]
    found = np.empty((len(texts), parts[0].shape[1]), np.float32)
    found[order] = np.concatenate(parts)
    return found


def _sentence_transformers(name: str) -> Encoder:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(name)
    return lambda texts: model.encode(list(texts), batch_size=BATCH, show_progress_bar=False)


def _transformers(name: str) -> Encoder:
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(name), AutoModel.from_pretrained(name).eval()
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token  # the mask leaves padding out
    longest = min(MAX_TOKENS, tokenizer.model_max_length, _positions(model.config))

    def encoder(texts: Sequence[str]) -> np.ndarray:
        given = tokenizer(list(texts), padding=True, truncation=True, max_length=longest, return_tensors="pt")
        with torch.no_grad():
            states = model(**given).last_hidden_state.float().numpy()
        return mean_over_tokens(states, given["attention_mask"].numpy())

    return encoder


def _positions(config: Any) -> int:
    """Return the number of tokens that a model has positions for; RoBERTa counts from the one after its padding."""
    positions = getattr(config, "max_position_embeddings", None) or MAX_TOKENS
    return positions - ((config.pad_token_id or 0) + 1) * ("roberta" in config.model_type)


def _paddlenlp(name: str) -> Encoder:
    from datamap.paddle_backend.encoder import text_encoder

    return text_encoder(name, MAX_TOKENS)


def _model2vec(name: str) -> Encoder:
    from model2vec import StaticModel

    model = StaticModel.from_pretrained(name)
    return lambda texts: model.encode(list(texts))


# Library → function that loads an encoder with it, in the order in which they are tried.
LIBRARIES: dict[str, Callable[[str], Encoder]] = {
    "sentence_transformers": _sentence_transformers,
    "transformers": _transformers,
    "paddlenlp": _paddlenlp,
    "model2vec": _model2vec,
}
