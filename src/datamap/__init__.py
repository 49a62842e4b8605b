"""Dataset cartography inside MLflow: train → signals → summary → map."""

__version__ = "0.1.0"
