"""Forks of the process that runs the tests, taken before its first test: it has imported what processes of ours need.

`forkserver.FORKS` would start a Python that imports MLflow and Paddle anew, for ten seconds in each worker of pytest.
"""

import logging
import multiprocessing
import os
import select
import sys
from multiprocessing import forkserver, resource_tracker, util
from unittest import mock

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
        sys.settrace(None)  # coverage
        logging.root.handlers.clear()  # of pytest
        forkserver._forkserver.__init__()  # its lock is held
        forkserver._forkserver.ensure_running = bool  # for the processes of these processes it runs already
        listener, _ = passed
        if listener in select.select(passed, [], [])[0]:  # else the session ended, and nobody needed it
            exec(arguments[-1])
    finally:
        os._exit(0)
