"""Forks of the process that runs the tests, taken before its first test: it has imported what processes of ours need.

Without `stand_by`, `FORKS` starts a Python that imports MLflow and Paddle anew, ten seconds in each worker of pytest.
"""

import contextlib
import logging
import multiprocessing
import os
import select
import sys
import threading
import traceback
import warnings
from multiprocessing import forkserver, resource_tracker, util
from multiprocessing.util import spawnv_passfds
from pathlib import Path
from unittest import mock

import pytest
from tqdm import tqdm

FORKS = multiprocessing.get_context("forkserver")


def stand_by():
    """Make a copy of this process the server of `FORKS`; it imports what they preload when the first is asked for."""
    resource_tracker.ensure_running()
    with mock.patch.object(util, "spawnv_passfds", _fork):
        forkserver.ensure_running()


def _fork(executable, arguments, passed):
    """Do what `spawnv_passfds` does, with a copy of this process."""
    if pid := os.fork():
        return pid
    try:
        util.spawnv_passfds = spawnv_passfds  # these processes start others as Python does
        tqdm.set_lock(
            threading.RLock()
        )  # its own would be one of all processes, which those that are killed leak
        sys.settrace(None)  # of coverage, which would keep nothing of these processes
        threading.settrace(None)
        logging.root.handlers.clear()  # of pytest, which has nothing to check here
        pytest.mark._config = None
        _warn_as_python_does()
        forkserver._forkserver.__init__()  # its lock is held
        forkserver._forkserver.ensure_running = bool  # for the processes of these processes it runs already
        listener, alive = passed
        for number in (int(file.name) for file in Path("/dev/fd").iterdir()):
            with contextlib.suppress(OSError):
                if number != alive and os.path.sameopenfile(number, alive):
                    os.close(number)  # the end that the worker holds while it lives
        if listener in select.select(passed, [], [])[0]:  # else the session ended, and nobody needed it
            exec(arguments[-1])
    except Exception:  # the next process would be forked by another server, which imports everything anew
        traceback.print_exc()
    finally:
        os._exit(0)


def _warn_as_python_does():
    """Undo pytest's filters, by which a warning of somebody's is an error."""
    warnings.resetwarnings()
    for kind in (ResourceWarning, ImportWarning, PendingDeprecationWarning, DeprecationWarning):
        warnings.simplefilter("ignore", kind)
    warnings.filterwarnings("default", category=DeprecationWarning, module="__main__")
