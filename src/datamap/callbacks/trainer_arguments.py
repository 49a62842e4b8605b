"""Read from a Trainer's arguments what the pass over the samples needs, and refuse what it cannot do."""

from typing import Any

from datamap.errors import ConfigError
from datamap.processes import Processes


def refuse_split_models(args: Any, processes: Processes) -> None:
    """Raise ConfigError if processes train that have not joined, or that hold parts of one model."""
    if args.world_size > 1 and processes.count == 1:
        raise ConfigError(
            f"DataMapCallback: {args.world_size} devices train together, but not as processes of torch.distributed or "
            "paddle.distributed, which it needs; use one, or datamap.SignalRecorder in your own loop"
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
            f"label_names={names}: one key holds all labels here; use datamap.SignalRecorder in your own loop"
        )
    return names[0]
