"""Add our callback to every Trainer that a script makes, without a change in it (`datamap.autolog`)."""

import contextlib
import functools
import importlib
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import wrapt

from datamap.errors import reason

# The module that defines a Trainer → the module of our callback for it.
TRAINERS = {
    "transformers.trainer": "transformers",
    "paddlenlp.trainer.trainer": "paddlenlp",
    "paddleformers.trainer.trainer": "paddleformers",
    "lightning.pytorch.trainer.trainer": "lightning",
    "pytorch_lightning.trainer.trainer": "lightning",
}
_options: dict[str, Any] | None = None  # arguments of the callbacks to add; None = autolog is off
_originals: dict[str, Callable] = {}  # module → the original __init__ of its Trainer


def autolog(
    *,
    class_names: Sequence[str] | None = None,
    samples: Any = None,
    ids: Iterable[Any] | None = None,
    disable: bool = False,
) -> None:
    """Record the signals of every training by the `Trainer` of Hugging Face, PaddleNLP, PaddleFormers or Lightning.

    Add a `DataMapCallback` (docs/your-own-training.md) to each Trainer that is made afterwards, even if its library is
    imported later, and to Trainers of subclasses such as TRL's; a Trainer that already has one keeps it. Signals go
    into the active MLflow run, else into a new run of the experiment `datamap`. If recording fails, Python
    warns and the training continues.

    Args:
        class_names: names of the classes by index.
        samples: DataFrame with the columns id and text_a and, if there are any, text_b, label and s_label.
        ids: ids of the training samples in the dataset's order, for all but Lightning; None = the dataset's column
            `id`, else row numbers. Lightning's `training_step` returns the ids itself.
        disable: turn recording off for Trainers that are made from now on.

    >>> datamap.autolog(class_names=["no", "yes"])  # before `Trainer(…).train()`
    >>> datamap.autolog(disable=True)
    """
    global _options
    _options = None if disable else {"class_names": class_names, "samples": samples, "ids": ids}
    if disable:
        for name, original in _originals.items():
            importlib.import_module(name).Trainer.__init__ = original
        _originals.clear()
        return
    for name in TRAINERS:
        wrapt.register_post_import_hook(_patch, name)


def _patch(module: Any) -> None:
    name = module.__name__
    if _options is None or name in _originals:
        return
    original = _originals[name] = module.Trainer.__init__

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if _options is not None:
            try:
                _add_callback(self, TRAINERS[name], dict(_options))
            except Exception as error:  # a bug of ours, or a version that nobody tried
                _warn(error)

    module.Trainer.__init__ = init


def _add_callback(trainer: Any, framework: str, options: dict[str, Any]) -> None:
    """Add our callback to a Trainer that has none."""
    kind = importlib.import_module(f"datamap.callbacks.{framework}").DataMapCallback
    lightning = framework == "lightning"
    given = trainer.callbacks if lightning else trainer.callback_handler.callbacks
    if any(isinstance(callback, kind) for callback in given):
        return
    if lightning:
        del options["ids"]  # Lightning's `ids` is a key of what the step returns
    elif options["ids"] is None:
        options["ids"] = _column_of_ids(trainer)
    callback = kind(**options)
    for name in (name for name in dir(kind) if name.startswith("on_")):
        setattr(callback, name, _forgiving(callback, getattr(callback, name)))
    given.append(callback)


def _column_of_ids(trainer: Any) -> Any:
    """Return the column `id` of the training dataset, which the Trainer may remove; None if it has none."""
    dataset = getattr(trainer, "train_dataset", None)
    if hasattr(dataset, "__len__") and "id" in (getattr(dataset, "column_names", None) or ()):
        return list(dataset["id"])  # type: ignore[index]
    return None


def _warn(error: Exception) -> None:
    warnings.warn(f"datamap.autolog: this training is not recorded: {reason(error)}", stacklevel=3)


def _forgiving(callback: Any, event: Callable) -> Callable:
    """Return an event's method that warns instead of raising, and then turns the callback off."""

    @functools.wraps(event)
    def forgiving(*args: Any, **kwargs: Any) -> Any:
        if getattr(callback, "refused", False):
            return None
        try:
            return event(*args, **kwargs)
        except Exception as error:
            callback.refused = True
            _warn(error)
            if callback.recorder:
                with contextlib.suppress(Exception):
                    callback.recorder.__exit__(type(error), error, None)
            return None

    return forgiving
