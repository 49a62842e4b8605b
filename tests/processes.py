"""Commands of ours in real processes that a warm process forks: each would import MLflow and Paddle for ten seconds."""

import contextlib
import json
import os
import runpy
import signal
import socket
import sys
import tempfile
import threading
from multiprocessing.connection import Connection, wait
from pathlib import Path

from warm import FORKS

ROOT = Path(__file__).resolve().parents[1]

FORKS.set_forkserver_preload(
    [
        "datamap.cli.entry",
        "datamap.cli.multirun",
        "datamap.paddle_backend.trainer",
        *(
            f"datamap.pipeline.{step}"
            for step in (
                "compare",
                "curate",
                "explorer",
                "import_signals",
                "plot",
                "review",
                "train",
                "upload",
            )
        ),
        "datamap.recording.recorder",
        "datamap.review.app",
        "uvicorn",
        "mlflow.cli",
        "mlflow.server.fastapi_app",
    ]
)


class Process:
    """A command in a process group of its own, in a folder (this one), with the calls of `subprocess.Popen`.

    What it prints is in `stdout`, or goes to the file `log`. The command `mlflow` is MLflow's own; a path is that of
    another script.
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
        """Return what it prints until its end."""
        with self.stdout:
            printed = self.stdout.read()
        self.wait(timeout)
        return printed


def _run(writer, folder, environment, log, command, arguments):
    os.setsid()
    printed = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT) if log else writer.fileno()
    _enter(folder, environment, printed, printed)
    writer.close()
    if command.endswith(".py"):
        _run_script([command, *arguments])
    sys.argv = [str(ROOT / "src" / f"{command}.py"), *arguments]
    sys.exit(_mlflow(arguments) if command == "mlflow" else _step(command, arguments))


def _step(command, arguments):
    from datamap.cli import entry

    return entry.run(command, arguments)


def _run_script(arguments):
    sys.argv = arguments
    sys.path.insert(0, str(Path(arguments[0]).resolve().parent))
    runpy.run_path(arguments[0], run_name="__main__")
    sys.exit()


def _enter(folder, environment, out, err):
    """Have what a new process has: a folder, an environment, streams, and no handler of Ctrl-C but Python's."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    for number, printed in ((1, out), (2, err)):
        os.dup2(printed, number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", 1, encoding="utf-8") for number in (1, 2))
    signal.signal(signal.SIGINT, signal.default_int_handler)


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


# Runs where `python script arguments…` would: it has a process of the tests do it, and ends as that one does.
PYTHON = f"""#!{sys.executable} -IS
import json, os, socket, sys

with socket.socket(socket.AF_UNIX) as there:
    there.connect(os.environ["WARM_PYTHON"])
    asked = [os.getcwd(), dict(os.environ), sys.argv[1:]]
    socket.send_fds(there, [json.dumps(asked).encode() + b"\\n"], [1, 2])
    sys.exit(int(there.makefile().read()))
"""


@contextlib.contextmanager
def warm_python():
    """Path of a program that runs scripts as Python does, and the environment that it needs."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        program = Path(folder, "python")
        program.write_text(PYTHON)
        program.chmod(0o755)
        listener.bind(f"{folder}/socket")
        listener.listen()
        threading.Thread(target=_accept, args=(listener,), daemon=True).start()
        yield program, {"WARM_PYTHON": f"{folder}/socket"}


def _accept(listener):
    with contextlib.suppress(OSError):  # it was closed
        while True:
            threading.Thread(target=_answer, args=(listener.accept()[0],), daemon=True).start()


def _answer(client):
    """Run what a program asks for; end it where the program is ended."""
    with client:
        text, streams, *_ = socket.recv_fds(client, 1 << 20, 2)
        while not text.endswith(b"\n"):
            text += client.recv(1 << 20)
        streams = [Connection(number, readable=False) for number in streams]
        process = FORKS.Process(target=_script, args=(*json.loads(text), *streams))
        process.start()
        for stream in streams:
            stream.close()
        if process.sentinel not in wait([process.sentinel, client]):
            process.terminate()
        process.join()
        with contextlib.suppress(OSError):
            client.sendall(str(process.exitcode).encode())


def _script(folder, environment, arguments, out, err):
    _enter(folder, environment, out.fileno(), err.fileno())
    out.close()
    err.close()
    _run_script(arguments)
