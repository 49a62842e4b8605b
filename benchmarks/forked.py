"""Processes that a process forks which has imported all: a trial then takes a second, not ten."""

import multiprocessing
import os
import signal
import sys
import tempfile

FORKS = multiprocessing.get_context("forkserver")
preload = FORKS.set_forkserver_preload


class Child:
    """A process in a group of its own that works in a folder; its output is in the file `log`, by default there."""

    def __init__(self, folder, work, *arguments, log=None):
        log = log or folder / "log"
        log.touch()
        self._process = FORKS.Process(target=_work, args=(folder, log, work, arguments))
        self._process.start()
        self.pid = self._process.pid

    def send_signal(self, number):
        os.kill(self.pid, number)

    def poll(self):
        """The exit code; None while it goes on."""
        return self._process.exitcode

    def wait(self, seconds=300):
        """The exit code; None where it goes on for longer."""
        self._process.join(seconds)
        return self.poll()


def _work(folder, log, work, arguments):
    os.setsid()
    os.chdir(folder)
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        del os.environ[name]
    log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", 1, encoding="utf-8") for number in (1, 2))
    tempfile.tempdir = None  # that of this process's environment
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(work(*arguments) or 0)


def call(command, arguments):
    """Run a command of ours; returns its exit code."""
    from datamap.cli import entry

    sys.argv = ["datamap", command, *arguments]
    return entry.run(command, arguments)


def serve(arguments):
    """Run `mlflow server` in this process; the command itself starts another, which imports MLflow once more."""
    import mlflow.cli
    import mlflow.server
    import uvicorn

    def in_this_process(command, extra_env, **_):
        os.environ.update(extra_env)
        sys.exit(uvicorn.main(command[3:]))  # behind `python -m uvicorn`

    mlflow.server._exec_cmd = in_this_process
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    mlflow.cli.cli(["server", *arguments])
