"""Data Map: dataset cartography inside MLflow."""

__version__ = "0.1.0"
__all__ = ["SignalRecorder", "draw_map"]


def __getattr__(name):
    """What is public, loaded when it is used: matplotlib takes half a second to import, mlflow three."""
    if name == "SignalRecorder":
        from datamap.recording.recorder import SignalRecorder

        return SignalRecorder
    if name == "draw_map":
        from datamap.maps.figures import draw_map

        return draw_map
    raise AttributeError(f"module 'datamap' has no attribute {name!r}")
