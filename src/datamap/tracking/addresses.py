"""Compose addresses of pages in MLflow's UI."""

import os
import shlex
from pathlib import Path
from urllib.parse import unquote, urlparse

from datamap.program import invocation

# Without this, a new browser opens MLflow's view for LLM traces, which has no link to the runs (MLflow 3.17).
TRAINING_VIEW = "?workflowType=machine_learning"

_of_shell: str | None = None  # value of MLFLOW_TRACKING_URI when our own command began


def is_server(tracking_uri: str) -> bool:
    """Tell whether a tracking store is a server, which has a UI of its own."""
    return urlparse(tracking_uri).scheme in ("http", "https")


def run_page(experiment_id: str, run_id: str, artifact: str = "") -> str:
    """Return the address, within the UI, of a run or of one of its artifacts."""
    return f"#/experiments/{experiment_id}/runs/{run_id}{f'/artifacts/{artifact}' if artifact else ''}"


def runs_page(experiment_id: str) -> str:
    """Return the address, within the UI, of an experiment's runs."""
    return f"#/experiments/{experiment_id}/runs"


def address(tracking_uri: str, page: str) -> str:
    """Return the address of a page for a browser: at the store's own server, else where `mlflow ui` will serve it."""
    local = f"http://127.0.0.1:{os.environ.get('MLFLOW_PORT', 5000)}"
    server = tracking_uri.rstrip("/") if is_server(tracking_uri) else local
    return f"{server}/{page}{TRAINING_VIEW}"


def is_default(tracking_uri: str) -> bool:
    """Tell whether a store is the one that MLflow uses in this folder by default."""
    # MLflow writes the characters of the folder as %20 or %E5.
    return unquote(tracking_uri) in ("sqlite:///mlflow.db", f"sqlite:///{Path.cwd()}/mlflow.db")


def remember_environment() -> None:
    """Remember MLFLOW_TRACKING_URI as the user's shell has it; our own command calls this before MLflow sets it."""
    global _of_shell
    _of_shell = os.environ.get("MLFLOW_TRACKING_URI") or None


def options(tracking_uri: str) -> list[str]:
    """Return the overrides by which a command in this folder finds a store: [] for the store in use there."""
    in_use = tracking_uri == _of_shell if _of_shell else is_default(tracking_uri)
    return [] if in_use else [f"tracking.uri={tracking_uri}"]


def command(name: str, run_id: str, tracking_uri: str, *arguments: str) -> str:
    """Return the command line of one of our commands on a run, for a shell in this folder."""
    return invocation(name, f"run_id={run_id}", *arguments, *options(tracking_uri))


def serving(tracking_uri: str) -> str:
    """Return the command that serves a store's UI on this machine; "" for a server, which serves its own.

    >>> serving("https://mlflow.example")
    ''
    """
    if is_server(tracking_uri):
        return ""
    if not is_default(tracking_uri):
        return f"mlflow ui --backend-store-uri {shlex.quote(tracking_uri)}"
    return "make ui" if Path("src/datamap").is_dir() else "mlflow ui"
