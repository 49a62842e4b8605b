"""Load models from local folders, which PaddleNLP's `save_pretrained` or Hugging Face has written."""

import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datamap.errors import ModelError, first_few
from datamap.log import say
from datamap.paddle_backend import weights
from datamap.paddle_backend.classifier import Classifier
from datamap.paddle_backend.framework import paddle, transformers

# model_type in config.json of Hugging Face → PaddleNLP's prefix of its classes.
FAMILIES = {"bert": "Bert", "ernie": "Ernie", "roberta": "Roberta"}
UNPICKLES = "ErnieTinyTokenizer"  # the one tokenizer of PaddleNLP that unpickles a file
_OUTPUTS = re.compile(r"classifier\.(out_proj\.)?(weight|bias)")
_NUMBERED = re.compile("LABEL_[0-9]+")  # what PaddleNLP and Hugging Face call classes that nobody has named
_OF_A_RUN = re.compile(r"/[0-9a-f]{32}/artifacts(/|$)")  # where MLflow's stores keep artifacts


def load(folder: Path, classes: Sequence[str], head: str, trust_pickle: bool) -> Classifier:
    """Load the model and tokenizer of a folder.

    Args:
        folder: a folder with config.json, a vocabulary and weights (`weights.find_files`).
        classes: names of the classes that the model predicts; none for its encoder alone.
        head: the end of the name of PaddleNLP's model class.
        trust_pickle: allow a pickle to call any function, and to be an artifact of a run.

    Raises:
        ModelError: a file is missing, damaged or not trusted, or the files do not match.
    """
    files = weights.find_files(folder)
    if (
        files[0].name in weights.PICKLES
        and _OF_A_RUN.search(folder.resolve().as_posix())
        and not trust_pickle
    ):
        raise ModelError(
            f"{files[0]} is a pickle among a run's artifacts, which others may have written, so it was not loaded; "
            "save the model as safetensors, or set model.trust_pickle=true"
        )
    settings = _json(folder / "config.json")
    arrays, count = weights.read(files, trust_pickle), len(classes) or 1
    if weights.have_torch_names(arrays):
        family = _family(folder, settings)
        config = getattr(transformers, f"{family}Config").from_pretrained(
            str(folder), num_labels=count, use_cache=False
        )
        model = getattr(transformers, f"{family}For{head}")(config)
        _set_weights(model, weights.from_torch(arrays), _places(settings, classes, head), folder)
        return Classifier(model, _tokenizer(folder, family))
    if not trust_pickle and UNPICKLES in _json(folder / "tokenizer_config.json").values():
        raise ModelError(f"{folder}: {UNPICKLES} unpickles a file; set model.trust_pickle=true to allow it")
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder))
    config = transformers.AutoConfig.from_pretrained(str(folder), num_labels=count, use_cache=False)
    model = getattr(transformers, f"AutoModelFor{head}").from_config(config, dtype="float32")
    _set_weights(model, arrays, _places(settings, classes, head), folder)
    return Classifier(model, tokenizer)


def _family(folder: Path, settings: dict) -> str:
    kind = settings.get("model_type")
    if kind not in FAMILIES:
        raise ModelError(
            f"{folder} holds PyTorch weights of model_type {kind!r}, and only {', '.join(FAMILIES)} can be loaded; "
            "convert the model with PaddleNLP first"
        )
    return FAMILIES[kind]


def _json(file: Path) -> dict:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"model.name_or_path={file.parent}: the folder has no {file.name}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} is damaged: {error}") from error
    if not isinstance(found, dict):
        raise ModelError(f"{file} is damaged: it is not a JSON object")
    return found


def _set_weights(model: Any, arrays: dict[str, np.ndarray], places: list[int] | None, folder: Path) -> None:
    """Set a new model's weights to those of a folder; only the head may be missing there, or predict other classes."""
    prefix = f"{model.base_model_prefix}."
    if not any(name.startswith(prefix) for name in arrays):  # saved without a head
        arrays = {name if name.startswith("classifier.") else prefix + name: a for name, a in arrays.items()}
    wanted = {name: list(value.shape) for name, value in model.state_dict().items()}
    fitting = {
        name: arrays[name]
        for name in wanted
        if name in arrays and list(arrays[name].shape) == wanted[name] and (places or not _is_output(name))
    }
    lacking = [name for name in wanted if name not in fitting and not _of_head(name, prefix)]
    if lacking:
        raise ModelError(
            f"{folder}: config.json does not match the weights: {first_few(lacking, 3)} is missing or has another shape"
        )
    unknown = [n for n in arrays if not (n in wanted or _of_head(n, prefix) or n.endswith("_ids"))]
    if unknown:
        raise ModelError(
            f"{folder}: config.json does not match the weights: its model has no {first_few(unknown, 3)}"
        )
    odd = [name for name, array in fitting.items() if not np.isfinite(array).all()]
    if odd:
        raise ModelError(
            f"{folder}: {first_few(odd, 3)} has numbers that are not finite; save the model again"
        )
    if places != [] and any(name in arrays and name not in fitting for name in wanted):
        other = "note: the classifier in {folder} predicts other classes, so training starts with a new one"
        say(other, folder=folder)
    state = {
        name: paddle.to_tensor(array[..., places] if _is_output(name) else array)
        for name, array in fitting.items()
    }
    model.set_state_dict({**model.state_dict(), **state})


def _is_output(name: str) -> bool:
    """Tell whether a parameter is of a head's last layer, whose last axis is the classes."""
    return _OUTPUTS.fullmatch(name) is not None


def _places(settings: dict[str, Any], classes: Sequence[str], head: str) -> list[int] | None:
    """Return the index of each class in a folder's head; None if the head predicts something else, [] for no classes.

    Where the folder or the data number their classes instead of naming them, the order is taken to be the same.

    Args:
        settings: config.json of the folder.
        classes: names of the classes that are trained.
        head: the end of the name of PaddleNLP's model class.
    """
    kinds = settings.get("architectures")
    if isinstance(kinds, list) and kinds and not any(str(kind).endswith(f"For{head}") for kind in kinds):
        return None
    given = settings.get("id2label")
    known: dict[str, Any] = given if isinstance(given, dict) else {}
    names = list(known.values())
    if _are_numbers(names) or _are_numbers(classes):
        return list(range(len(classes)))
    if len(names) != len(classes) or set(names) != set(classes):
        return None
    index = {name: int(key) for key, name in known.items()}
    return [index[name] for name in classes]


def _are_numbers(names: Sequence[Any]) -> bool:
    return all(
        not isinstance(name, str) or name == str(k) or _NUMBERED.fullmatch(name) is not None
        for k, name in enumerate(names)
    )


def _of_head(name: str, prefix: str) -> bool:
    return not name.startswith(prefix) or name.startswith(f"{prefix}pooler.")


def _tokenizer(folder: Path, family: str) -> Any:
    """Load the tokenizer of a Hugging Face folder."""
    pieces, merges = folder / "vocab.json", folder / "merges.txt"
    if family == "Roberta" and pieces.is_file() and merges.is_file():
        return transformers.RobertaBPETokenizer(str(pieces), str(merges))
    named = folder / "tokenizer_config.json"
    lower = _json(named).get("do_lower_case", True) if named.is_file() else True
    if (folder / "vocab.txt").is_file():
        return transformers.BertTokenizer(str(folder / "vocab.txt"), do_lower_case=bool(lower))
    with tempfile.TemporaryDirectory() as scratch:
        vocabulary = Path(scratch, "vocab.txt")
        vocabulary.write_text("\n".join(_word_pieces(folder / "tokenizer.json")) + "\n", encoding="utf-8")
        return transformers.BertTokenizer(str(vocabulary), do_lower_case=bool(lower))


def _word_pieces(file: Path) -> list[str]:
    """Read the vocabulary of a tokenizer.json, in the order of its token ids."""
    if not file.is_file():
        raise ModelError(
            f"model.name_or_path={file.parent}: the folder has neither vocab.txt nor tokenizer.json"
        )
    model = _json(file).get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) and model.get("type") == "WordPiece" else None
    if not isinstance(vocabulary, dict) or sorted(vocabulary.values()) != list(range(len(vocabulary))):
        raise ModelError(f"{file} has no WordPiece vocabulary with token ids from 0; put vocab.txt beside it")
    return sorted(vocabulary, key=vocabulary.__getitem__)
