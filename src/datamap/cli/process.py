"""What is set for a whole process: for one of our own command only, never by importing datamap or calling its API."""

import atexit
import gc
import io
import logging
import os
import signal
import sys

from omegaconf import OmegaConf

from datamap.log import own_lines
from datamap.places import DEMO

ENVIRONMENT = {
    # Arrow's own pool keeps what was once used: 100 MB of a summary of 240,000 samples (benchmarks/summarize.py).
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # MLflow's 7 take four minutes, without a word
}


def begin(beginning: str = "") -> None:
    """Make this process our own command's; each line that it prints begins with a text.

    Call it before MLflow and Arrow are imported, which read the environment then.
    """
    _open_closed_streams()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill is a Ctrl-C
    # Imports make many objects and no garbage: looking for some as often as usual takes a quarter of the
    # wall time of a short command (benchmarks/startup.py).
    gc.set_threshold(200_000, 20, 100)
    atexit.register(_freeze)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # Of "Creating initial tables…", and of tracebacks for what is raised anyway (a full disk).
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    register_resolvers()
    own_lines(beginning)


def register_resolvers() -> None:
    """Let YAML files name a file of the demo data: `${demo:demo.tsv}`."""
    OmegaConf.register_new_resolver("demo", lambda name: str(DEMO / name), replace=True)


def _open_closed_streams() -> None:
    """Give the command a stream in place of each that was closed (`>&-`), whose number a file would get."""
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif name != "stdin" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that has no Chinese ends no command


def _freeze() -> None:
    """At its end Python looks several times more, half a second of a short command: what is frozen it leaves alone."""
    if "paddle" not in sys.modules:  # a process group of Paddle's that is left alone may abort the process
        gc.freeze()
