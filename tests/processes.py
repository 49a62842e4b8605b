"""Commands of ours in real processes that a warm process forks: each would import MLflow and Paddle for ten seconds."""

import multiprocessing
import os
import signal
import sys
import tempfile
from pathlib import Path

from conftest import ROOT

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "datamap.cli.entry",
        "datamap.cli.multirun",
        "datamap.paddle_backend.trainer",
        "datamap.pipeline.train",
        "datamap.pipeline.plot",
        "datamap.pipeline.review",
        "datamap.review.app",
        "uvicorn",
        "mlflow.cli",
        "mlflow.server.fastapi_app",
    ]
)


class Process:
    """A command in a process group of its own, in a folder (this one), with the calls of `subprocess.Popen`.

    What it prints is in `stdout`, or goes to the file `log`. The command `mlflow` is MLflow's own.
    """

    def __init__(self, command, arguments, log=None, folder=None, **environment):
        if log:
            log.touch()
        reader, writer = FORKS.Pipe(duplex=False)
        where = (str(folder or Path.cwd()), {**os.environ, **environment}, str(log or ""))
        self._process = FORKS.Process(target=_run, args=(writer, *where, command, arguments))
        self._process.start()
        writer.close()
        self.stdout = os.fdopen(os.dup(reader.fileno()), encoding="utf-8")
        reader.close()
        self.kill, self.terminate, self.pid = self._process.kill, self._process.terminate, self._process.pid

    def __del__(self):
        self.stdout.close()

    def send_signal(self, number):
        os.kill(self.pid, number)

    def poll(self):
        return self._process.exitcode

    returncode = property(poll)

    def wait(self, timeout=120):
        """The exit code."""
        self._process.join(timeout)
        assert self.returncode is not None, "it goes on"
        return self.returncode

    def rest(self, timeout=120):
        """What it prints until its end."""
        with self.stdout:
            printed = self.stdout.read()
        self.wait(timeout)
        return printed


def _run(writer, folder, environment, log, command, arguments):
    from datamap.cli import entry

    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    printed = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT) if log else writer.fileno()
    for number in (1, 2):
        os.dup2(printed, number)
    writer.close()
    sys.stdout, sys.stderr = (os.fdopen(number, "w", 1, encoding="utf-8") for number in (1, 2))
    sys.argv = [str(ROOT / "src" / f"{command}.py"), *arguments]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(_mlflow(arguments) if command == "mlflow" else entry.run(command, arguments))


def _mlflow(arguments):
    """Run MLflow's own command; `mlflow server` serves in this process, where it would start another."""
    import mlflow.cli
    import mlflow.server
    import uvicorn

    def serve(command, extra_env, **_):
        os.environ.update(extra_env)
        sys.exit(uvicorn.main(command[3:]))  # behind `python -m uvicorn`

    mlflow.server._exec_cmd = serve
    mlflow.cli.cli(arguments)
