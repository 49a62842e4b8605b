"""Real faults, each at many seeded moments: what is lost, and does the run end as an undisturbed one?

    python benchmarks/faults.py [trials=20] [only=<name>;<name>] [seed=0] [table=yes]

`make faults` runs all and puts the table into docs/reliability.md, `table=no` only prints it. The exit code is 1
where a trial failed. Needs Linux; the full disk is a small tmpfs, which only root may mount.
"""

import contextlib
import hashlib
import os
import platform
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
from forked import Child, call, preload, serve

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"  # of this script's own questions

SMALL = [
    "trainer.max_length=24", "model.scratch.hidden_size=16", "model.scratch.intermediate_size=16",
    "model.scratch.heads=2", "model.scratch.layers=1", "signals.shard_rows=20",
]  # fmt: skip


class Lab:
    """A folder with a small data set, an empty store to copy, and undisturbed runs to compare with."""

    def __init__(self, folder):
        from mlflow import MlflowClient

        preload([
            "datamap.cli.entry", "datamap.pipeline.train", "datamap.paddle_backend.trainer", "mlflow.cli",
            "mlflow.server.fastapi_app", "uvicorn",
        ])  # fmt: skip
        self.folder = Path(folder)
        self.data = self.folder / "pairs.tsv"
        rows = [f"怎么换手机壳{n}\t手机壳{'如何更换' if n % 2 else '多少钱'}{n}\t{n % 2}" for n in range(48)]
        self.data.write_text("\n".join(rows) + "\n", encoding="utf-8")
        self.empty = self.folder / "empty.db"
        MlflowClient(f"sqlite:///{self.empty}").search_experiments()
        self._references, self._count = {}, 0

    def room(self):
        """A new folder with an empty store."""
        self._count += 1
        room = self.folder / f"room{self._count}"
        room.mkdir()
        shutil.copy(self.empty, room / "mlflow.db")
        return room

    def start(self, room, *arguments, script="train"):
        """A step in a process group of its own, its output in room/log."""
        return Child(room, call, script, list(arguments))

    def only_run(self, room):
        return only_run(room)

    def training(self, epochs, *more):
        return ["data=file", f"data.path={self.data}", f"trainer.epochs={epochs}", *SMALL, *more]

    def reference(self, epochs):
        """(signals of an undisturbed run, seconds that it took)."""
        if epochs not in self._references:
            room, start = self.room(), time.monotonic()
            assert self.start(room, *self.training(epochs)).wait(300) == 0, (room / "log").read_text()
            self._references[epochs] = (signals_of(*only_run(room)), time.monotonic() - start)
        return self._references[epochs]


def only_run(room, uri=None):
    """(client, the room's one run), or (client, None)."""
    from mlflow import MlflowClient

    client = MlflowClient(uri or f"sqlite:///{room}/mlflow.db")
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    assert len(runs) <= 1, "more than one run"
    return client, (runs[0] if runs else None)


def signals_of(client, run):
    """{file name: SHA-256} of the committed observations' files of a run."""
    from datamap.tracking.artifacts import Artifacts

    committed = {m.step for m in client.get_metric_history(run.info.run_id, "signals.rows")}
    artifacts = Artifacts(client.tracking_uri, run.info.run_id, run.info.artifact_uri)
    paths = [file.path for file in client.list_artifacts(run.info.run_id, "signals")]
    paths = [path for path in paths if int(re.search(r"epoch_(\d+)", path).group(1)) in committed]
    return {path: hashlib.sha256(artifacts.read(path)).hexdigest() for path in paths}


def outcome(room, reference, uri=None):
    """(survived, observations lost, files that differ) of the room's run against the reference."""
    client, run = only_run(room, uri)
    found = signals_of(client, run) if run else {}
    lost = {path for path in reference if path.endswith(".sha256")} - set(found)
    differ = [path for path, digest in found.items() if reference.get(path) != digest]
    return bool(run) and run.info.status == "FINISHED" and not lost and not differ, len(lost), len(differ)


def wait_for(condition, seconds=60):
    """Wait until a condition holds; False when it never does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def kill(process):
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
        os.killpg(process.pid, signal.SIGKILL)  # it has none in its first moments
    process.wait(30)


def no_traceback(room):
    return "Traceback" not in (room / "log").read_text()


def kill_training(lab, generator):
    """kill -9 of training at any moment from its start to its end; then resume=true"""
    reference, seconds = lab.reference(25)
    room = lab.room()
    process = lab.start(room, *lab.training(25))
    process.wait(generator.uniform(0.1, seconds))
    kill(process)
    _, run = only_run(room)
    if run is None or not run.inputs.dataset_inputs:  # before it began to train: nothing is there to lose
        shutil.rmtree(room)
        room = lab.room()
        assert lab.start(room, *lab.training(25)).wait(300) == 0
    elif run.info.status != "FINISHED":
        assert lab.start(room, "resume=true", f"run_id={run.info.run_id}").wait(300) == 0, room
    return outcome(room, reference)


class Server:
    """A real `mlflow server` that can be killed and brought back."""

    def __init__(self, room):
        self.room = room
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        options = ["--port", str(self.port), "--workers", "1", "--backend-store-uri", "sqlite:///mlflow.db",
                   "--artifacts-destination", "./artifacts"]  # fmt: skip
        self.process = Child(self.room, serve, options, log=self.room / "server.log")
        assert wait_for(self.is_up, 120), (self.room / "server.log").read_text()

    def is_up(self):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=5):
            return True
        return False

    def kill(self):
        kill(self.process)


def kill_server(lab, generator, retry_seconds=120):
    """kill -9 of `mlflow server` while training logs; it is back within tracking.retry_seconds"""
    reference, _ = lab.reference(12)
    room = lab.room()
    server = Server(room)
    try:
        options = [f"tracking.uri={server.uri}", f"tracking.retry_seconds={retry_seconds}"]
        process = lab.start(room, *lab.training(12, *options))
        assert wait_for(lambda: "  loss " in (room / "log").read_text(), 120), (room / "log").read_text()
        time.sleep(generator.uniform(0, 2))
        server.kill()
        if retry_seconds > 60:
            time.sleep(generator.uniform(0, 3))
            server.start()
        code = process.wait(300)
        late = not server.is_up()
        if late:
            server.start()
        if code == 2:
            upload = lab.start(room, f"tracking.uri={server.uri}", script="upload")
            assert upload.wait(120) == 0, (room / "log").read_text()
        assert code in (0, 2) and no_traceback(room), (room / "log").read_text()
        return outcome(room, reference, server.uri)
    finally:
        server.kill()


def lose_server(lab, generator):
    """the same, but the server comes back too late: observations are spooled; then src/upload.py"""
    return kill_server(lab, generator, retry_seconds=2)


def full_disk(lab, generator, spool=None):
    """the disk of store and spool fills up (a small tmpfs); then room is made and resume=true"""
    reference, _ = lab.reference(25)
    room, kept = lab.room(), lab.room()
    size = lab.empty.stat().st_size // 1024 + int(generator.integers(100, 500))  # a run takes some 700 KB
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(room)], check=True)
    try:
        shutil.copy(lab.empty, room / "mlflow.db")
        options = ["tracking.retry_seconds=1", f"tracking.spool={spool or room / 'spool'}"]
        code = Child(room, call, "train", lab.training(25, *options), log=kept / "log").wait()
        assert code == 2 and no_traceback(kept), (kept / "log").read_text()
        subprocess.run(["mount", "-o", "remount,size=200m", str(room)], check=True)
        if spool:
            assert lab.start(room, f"folder={spool}", script="upload").wait(120) == 0, room
        else:
            _, run = only_run(room)
            assert lab.start(room, "resume=true", f"run_id={run.info.run_id}").wait(300) == 0, room
        return outcome(room, reference)
    finally:
        subprocess.run(["umount", "-l", str(room)], check=True)


def full_store(lab, generator):
    """the disk of the store fills up, the spool is on another; then room is made and src/upload.py"""
    return full_disk(lab, generator, spool=lab.folder / f"spool{generator.integers(1 << 60)}")


def two_writers(lab, generator):
    """a second process takes the run over with resume=true while the first, for a while asleep, still trains"""
    reference, _ = lab.reference(60)
    room = lab.room()
    first = lab.start(room, *lab.training(60))
    assert wait_for(lambda: "  loss " in (room / "log").read_text(), 120), (room / "log").read_text()
    time.sleep(generator.uniform(0, 1))
    sleep_unlocked(first, room / "mlflow.db")  # or, on a fast machine, it could end before the second begins
    _, run = only_run(room)
    second = lab.start(room, "resume=true", f"run_id={run.info.run_id}")
    assert wait_for(lambda: writer(room) != writer_of(run), 120), (room / "log").read_text()
    time.sleep(generator.uniform(0, 1))
    first.send_signal(signal.SIGCONT)
    codes, log = (first.wait(300), second.wait(300)), (room / "log").read_text()
    assert codes == (2, 0) and no_traceback(room), (codes, log)
    assert "another process has begun to write into run" in log, log
    return outcome(room, reference)


def sleep_unlocked(process, database):
    """SIGSTOP at a moment when the process holds no lock of its SQLite store."""
    while True:
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.05)  # until it does
        try:
            with contextlib.closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as store:
                store.execute("BEGIN EXCLUSIVE")
                return
        except sqlite3.OperationalError:
            process.send_signal(signal.SIGCONT)
            time.sleep(0.02)


def writer(room):
    return writer_of(only_run(room)[1])


def writer_of(run):
    return run.data.tags["mlflow.datamap.writer"]


def reader(lab, generator):
    """summarize while training writes: equals what the observations so far give, or says that there are none"""
    from damage import expected_summary, summarize

    from datamap.errors import DataMapError

    lab.reference(60)
    room = lab.room()
    process = lab.start(room, *lab.training(60))
    assert wait_for(lambda: only_run(room)[1] is not None, 120), (room / "log").read_text()
    time.sleep(generator.uniform(0, 2))
    reads = right = 0
    while process.poll() is None:
        client, run = only_run(room)
        try:
            found, count = summarize(client, run)
        except DataMapError as error:
            reads, right = reads + 1, right + ("has no signals" in str(error))
            continue
        reads, right = reads + 1, right + (found == expected_summary(client, run, count))
    return process.wait() == 0 and right == reads, 0, reads - right


def faults():
    """{name: trial}: what the table has, in its order."""
    from damage import DAMAGES

    return {
        "training killed": kill_training,
        "server killed": kill_server,
        "server lost": lose_server,
        "disk full": full_disk,
        "store full": full_store,
        "two writers": two_writers,
        "reader": reader,
        **DAMAGES,
    }


def machine():
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()).group(1)
    memory = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text()).group(1)) / 1e6
    return (
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores of {model}, {memory:.0f} GB, "
        f"Python {platform.python_version()}"
    )


def main(trials=20, only=None, seed=0, table="yes"):
    """Run the faults (or `only` some); each puts its row into the table of docs/reliability.md when it is done.

    Returns the exit code: 1 where a trial failed.
    """
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(folder)
        for place, (name, trial) in enumerate(faults().items()):
            if only and name not in only.split(";"):
                continue
            results, start = [], time.monotonic()
            for number in range(int(trials)):
                results.append(trial(lab, np.random.default_rng([int(seed), place, number])))
            survived, lost, differ = (sum(map(int, column)) for column in zip(*results, strict=True))
            what = " ".join(trial.__doc__.split())
            seconds = (time.monotonic() - start) / int(trials)
            row = f"| **{name}**: {what} | {trials} | {survived} | {lost} | {differ} | {seconds:.1f} |"
            print(row, flush=True)
            failed |= (survived, lost, differ) != (int(trials), 0, 0)
            if table == "yes":
                write_row(name, row)
    return int(failed)


def write_row(name, row):
    """Put a fault's row into the table, instead of the one of before."""
    head = [
        f"Measured by `make faults`: {machine()}.\n",
        "| fault | tried | survived | observations lost | files that differ | s a trial |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    write_table("table", head, {name: row}, list(faults()))


def write_table(table, head, rows, order):
    """Put rows {bold name: line} into a table of docs/reliability.md, instead of those of the same names."""
    path = ROOT / "docs" / "reliability.md"
    begin, end = f"<!-- {table}: begin -->\n", f"<!-- {table}: end -->"
    before, rest = path.read_text(encoding="utf-8").split(begin)
    old, after = rest.split(end)
    known = {line.split("**")[1]: line for line in old.splitlines() if "**" in line} | rows
    lines = [*head, *(known[name] for name in order if name in known)]
    path.write_text(before + begin + "\n".join(lines) + "\n" + end + after, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(**dict(argument.split("=", 1) for argument in sys.argv[1:])))
