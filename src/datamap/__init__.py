"""Data Map: dataset cartography inside MLflow."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datamap.api import compare, diagnosis, explore, summary
    from datamap.callbacks.autolog import autolog
    from datamap.maps.figures import draw_map
    from datamap.recording.recorder import SignalRecorder

__version__ = "0.1.0"
__all__ = ["SignalRecorder", "autolog", "compare", "diagnosis", "draw_map", "explore", "summary"]

_HOMES = {
    "SignalRecorder": "recording.recorder",
    "autolog": "callbacks.autolog",
    "compare": "api",
    "diagnosis": "api",
    "draw_map": "maps.figures",
    "explore": "api",
    "summary": "api",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, because importing matplotlib and MLflow takes seconds."""
    if name not in _HOMES:
        raise AttributeError(f"module 'datamap' has no attribute {name!r}")
    return getattr(importlib.import_module(f"datamap.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
