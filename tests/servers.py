"""Real MLflow servers, which a warm process forks: `mlflow server` imports MLflow twice for eight seconds."""

import contextlib
import shutil
import ssl
import time
import urllib.request

from conftest import free_port
from processes import Process


@contextlib.contextmanager
def mlflow_server(folder, database):
    """Address of a real `mlflow server` with a copy of `database` in `folder`; artifacts go through it."""
    folder.mkdir(exist_ok=True)
    shutil.copy(database, folder / "mlflow.db")
    with server_of(folder, "sqlite:///mlflow.db") as address:
        yield address


@contextlib.contextmanager
def server_of(folder, store, *options, certificate=None):
    """Address of a real `mlflow server` in `folder` over a store; over TLS where it has a certificate."""
    port = free_port()
    arguments = [
        "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--backend-store-uri", store,
        "--artifacts-destination", "./artifacts", *options,
    ]  # fmt: skip
    # Its background jobs start four more processes, and nothing here needs them.
    environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    process = Process("mlflow", arguments, folder / "log", folder, **environment)
    address = f"http{'s' if certificate else ''}://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/health", process, folder / "log", certificate)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def wait_for(address, process, log, certificate=None):
    trusted = ssl.create_default_context(cafile=certificate)
    for _ in range(480):
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5, context=trusted):
            return
        time.sleep(0.25)
    raise AssertionError(f"{address} did not answer\n{log.read_text()}")
