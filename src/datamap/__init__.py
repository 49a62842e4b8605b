"""Data Map: dataset cartography inside MLflow.

    with datamap.SignalRecorder(class_names, samples) as recorder:  # in a training loop; `autolog` for a Trainer
        recorder.record(ids, labels, logits=logits)                 # each batch
        recorder.commit(epoch)                                      # after each epoch
    datamap.summarize()                                             # log into the newest run, and return a DataFrame:
    datamap.diagnose()                                              # `plot`, `curate` and `compare` do so, too
    run = datamap.load_run()                                        # only read: summary, diagnosis, decisions,
    run.explorer()                                                  # map and explorer

What a user can mend raises a `DataMapError`.
"""

import importlib
from typing import TYPE_CHECKING, Any

from datamap.errors import (
    ConfigError,
    DataError,
    DataMapError,
    MapError,
    ModelError,
    RunLostError,
    SignalError,
    SummaryError,
    TrackingError,
    TrainingError,
)

if TYPE_CHECKING:
    from datamap.api import LoadedRun, compare, curate, diagnose, load_run, plot, summarize
    from datamap.api import diagnosis as diagnosis
    from datamap.api import explore as explore
    from datamap.api import summary as summary
    from datamap.callbacks.autolog import autolog
    from datamap.maps.figures import draw_map
    from datamap.maps.options import MapOptions
    from datamap.recording.recorder import SignalRecorder

__version__ = "0.1.0"
__all__ = [
    "ConfigError",
    "DataError",
    "DataMapError",
    "LoadedRun",
    "MapError",
    "MapOptions",
    "ModelError",
    "RunLostError",
    "SignalError",
    "SignalRecorder",
    "SummaryError",
    "TrackingError",
    "TrainingError",
    "autolog",
    "compare",
    "curate",
    "diagnose",
    "draw_map",
    "load_run",
    "plot",
    "summarize",
]

_HOMES = {
    "LoadedRun": "api",
    "MapOptions": "maps.options",
    "SignalRecorder": "recording.recorder",
    "autolog": "callbacks.autolog",
    "compare": "api",
    "curate": "api",
    "diagnose": "api",
    "draw_map": "maps.figures",
    "load_run": "api",
    "plot": "api",
    "summarize": "api",
    "diagnosis": "api",  # these three are deprecated
    "explore": "api",
    "summary": "api",
}


if not TYPE_CHECKING:  # a type checker would accept any name

    def __getattr__(name: str) -> Any:
        """Import a public name when it is first used, because importing matplotlib and MLflow takes seconds."""
        if name not in _HOMES:
            raise AttributeError(f"module 'datamap' has no attribute {name!r}")
        return getattr(importlib.import_module(f"datamap.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
