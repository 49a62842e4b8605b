"""Tell whether the head of a model folder predicts the classes that are trained, and where it has each of them."""

import re
from collections.abc import Sequence
from typing import Any

_OUTPUTS = re.compile(r"classifier\.(out_proj\.)?(weight|bias)")
_NUMBERED = re.compile("LABEL_[0-9]+")  # what PaddleNLP and Hugging Face call classes that nobody has named


def is_output(name: str) -> bool:
    """Tell whether a parameter is of a head's last layer, whose last axis is the classes."""
    return _OUTPUTS.fullmatch(name) is not None


def places(settings: dict[str, Any], classes: Sequence[str], head: str) -> list[int] | None:
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
