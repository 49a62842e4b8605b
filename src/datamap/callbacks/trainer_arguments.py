"""Read the task and the key of the labels from a Trainer's arguments, its model and outputs; refuse split models."""

from collections.abc import Mapping
from typing import Any

from datamap.callbacks.framework import unwrapped
from datamap.errors import ConfigError
from datamap.processes import Processes
from datamap.schema import Task
from datamap.tasks.definitions import DEFINITIONS

MAX_TAGS = 1_000  # classes up to which a model counts as a tagger by the shape of its outputs alone


def task_of(model: Any, args: Any) -> Task:
    """Return what a Trainer trains, by its arguments and its model."""
    if type(args).__name__ == "DPOConfig":
        return Task.SCORES
    model = unwrapped(model)
    names = [
        kind.__name__ for part in (model, getattr(model, "base_model", None)) for kind in type(part).__mro__
    ]
    inner = getattr(getattr(model, "base_model", None), "model", None)  # PEFT wraps the model
    names += [kind.__name__ for kind in type(inner).__mro__]
    problem = getattr(getattr(model, "config", None), "problem_type", None)
    if problem == "multi_label_classification":
        return Task.MULTILABEL
    if any(name.endswith("ForConditionalGeneration") for name in names):
        raise ConfigError(
            f"{type(model).__name__} is not a causal language model; use datamap.SignalRecorder(task='generation') in "
            "your own loop"
        )
    heads = {"ForCausalLM": Task.GENERATION, "ForTokenClassification": Task.TOKENS}
    found = (task for end, task in heads.items() if any(name.endswith(end) for name in names))
    return next(found, Task.CLASSIFICATION)


def task_of_outputs(labels: Any, scores: Any) -> Task:
    """Return what a model does whose labels and logits (or probabilities) have these shapes.

    Beyond `MAX_TAGS`, classes of tokens are a vocabulary.
    """
    own, shape = (tuple(getattr(values, "shape", ())) for values in (labels, scores))
    if len(own) == 2 and len(shape) == 3 and shape[2] <= MAX_TAGS:
        return Task.TOKENS
    return Task.MULTILABEL if own == shape and len(shape) == 2 and shape[1] > 1 else Task.CLASSIFICATION


def names_of(model: Any, task: Task) -> list[str] | None:
    """Return the names that the model's config gives the units' classes; None if it gives none of its own."""
    names = getattr(getattr(model, "config", None), "id2label", None)
    if not DEFINITIONS[task].unit or not isinstance(names, Mapping) or set(names) != set(range(len(names))):
        return None
    found = [names[index] for index in range(len(names))]
    return None if any(name == f"LABEL_{index}" for index, name in enumerate(found)) else found


def refuse_split_models(args: Any, processes: Processes) -> None:
    """Raise ConfigError if processes train that have not joined, or that hold parts of one model."""
    if args.world_size > 1 and processes.count == 1:
        raise ConfigError(
            f"DataMapCallback: {args.world_size} devices train in one process, but each needs its own: start them by "
            "torch.distributed or paddle.distributed, or use one device"
        )
    parallel = getattr(args, "parallelism_config", None)
    parts = [
        (name, getattr(args, name, 1)) for name in ("tensor_parallel_degree", "pipeline_parallel_degree")
    ]
    parts += [(name, getattr(parallel, name, 1)) for name in ("tp_size", "cp_size", "sp_size")]
    for name, count in parts:
        if isinstance(count, int) and count > 1:
            raise ConfigError(
                f"{name}={count}: DataMapCallback needs a whole model per process (data parallel, FSDP or ZeRO); "
                "use datamap.SignalRecorder in your own loop"
            )


def label_name(args: Any) -> str:
    """Return the key of the labels in a batch, as the Trainer's arguments name it.

    Raises:
        ConfigError: the arguments name several keys.
    """
    names = args.label_names or ["labels"]
    if len(names) != 1:
        raise ConfigError(
            f"label_names={names}: only one key of labels is supported; use datamap.SignalRecorder in your own loop"
        )
    return names[0]
