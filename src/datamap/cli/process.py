"""Set up a process for our own command; importing datamap or calling its API must change nothing of a process."""

import atexit
import contextlib
import ctypes
import gc
import io
import logging
import os
import signal
import sys

from omegaconf import OmegaConf

from datamap.log import own_lines
from datamap.places import DEMO
from datamap.program import in_project
from datamap.tracking import addresses

ENVIRONMENT = {
    # Arrow's own pool does not return memory: 100 MB for a summary of 240,000 samples (benchmarks/summarize.py).
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # Downloads in parts cost two more requests for each file, and one that asks whether the server has them.
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # our own line has the run's address
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # MLflow's 7 take four silent minutes; tracking.client retries
}


def begin(beginning: str = "") -> None:
    """Set the environment, signal handlers, garbage collector and logging of a process that runs our own command.

    Call it before MLflow and Arrow are imported, because they read the environment then.

    Args:
        beginning: text at the beginning of each line that the process prints.
    """
    _open_closed_streams()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM ends the command as Ctrl-C does
    # Imports make many objects and no garbage; collecting as often as usual takes a quarter of the wall time of a
    # short command (benchmarks/startup.py).
    gc.set_threshold(200_000, 20, 100)
    atexit.register(_freeze)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # This logger prints "Creating initial tables…", and tracebacks of errors that are raised as well (a full disk).
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    _share_memory()
    register_resolvers()
    addresses.remember_environment()
    in_project({})
    own_lines(beginning)


def _share_memory() -> None:
    """Let all threads of a process on Linux take memory from one place.

    By default each has its own, and what it has freed there is of no use to others (benchmarks/startup.py).
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # a C library other than glibc
            ctypes.CDLL(None).mallopt(-8, 1)  # M_ARENA_MAX


def register_resolvers() -> None:
    """Register the resolver by which YAML files name a file of the demo data: `${demo:demo.tsv}`."""
    OmegaConf.register_new_resolver("demo", lambda name: str(DEMO / name), replace=True)


def _open_closed_streams() -> None:
    """Open the null device in place of each standard stream that was closed (`>&-`).

    Otherwise the next opened file would get the stream's number, and output would go into that file.
    """
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif name != "stdin" and isinstance(stream, io.TextIOWrapper):
            # Else Chinese text would end a command on a terminal without Unicode.
            stream.reconfigure(errors="backslashreplace")


def _freeze() -> None:
    """Exempt all objects from the garbage collections at Python's exit, which take half a second, with Paddle two.

    A process group of Paddle that is not collected may abort the process.
    """
    distributed = sys.modules.get("paddle.distributed")
    # After Ctrl-C during the import, the function or the package is not there.
    has_group = getattr(distributed, "is_initialized", bool)
    if not has_group():
        gc.freeze()
