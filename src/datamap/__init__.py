"""Data Map: dataset cartography inside MLflow."""

__version__ = "0.1.0"
__all__ = ["draw_map"]


def __getattr__(name):
    """`datamap.draw_map`, loaded when it is used: matplotlib takes half a second to import."""
    if name == "draw_map":
        from datamap.maps import draw_map

        return draw_map
    raise AttributeError(f"module 'datamap' has no attribute {name!r}")
