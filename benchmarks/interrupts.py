"""Ctrl-C and SIGTERM at any moment of each command: what is left behind, and does a second call complete?

    python benchmarks/interrupts.py [trials=20] [only=<command>] [seed=0]

`make faults` runs it too and puts the table into docs/reliability.md.
"""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))
CHILDREN = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
SAMPLES, OBSERVATIONS = 2_000, 6
MADE = "room"  # name of the folder in which everything is made; copies are moved to their own


class Lab:
    """A store with two diagnosed runs of signals, a folder of signals, and a spool; copied for each trial."""

    def __init__(self, folder):
        self.folder, self._count, self._seconds = Path(folder), 0, {}
        self.made = self.folder / MADE
        self.made.mkdir()
        with _chdir(self.made):
            self.runs = [_record(number) for number in (1, 2)]
            self.spooled = _spool()
        for run_id in self.runs:
            self.check(["summarize", f"run_id={run_id}"], self.made)
            self.check(["diagnose", f"run_id={run_id}"], self.made)
        shutil.copytree(
            next(self.made.glob(f"mlruns/*/{self.runs[0]}/artifacts/signals")), self.made / "foreign"
        )

    def commands(self):
        """{command: its arguments}."""
        first, second = self.runs
        return {
            "summarize": [f"run_id={first}"],
            "plot": [f"run_id={first}"],
            "diagnose": [f"run_id={first}"],
            "curate": [f"run_id={first}", "keep=clean"],
            "compare": [f"runs=[{first},{second}]"],
            "import_signals": ["path=foreign"],
            "upload": [],
        }

    def room(self):
        """A copy of all that was made, with its addresses."""
        self._count += 1
        room = self.folder / f"copy{self._count}"
        shutil.copytree(self.made, room)
        with contextlib.closing(sqlite3.connect(room / "mlflow.db")) as store:
            for table, column in (("runs", "artifact_uri"), ("experiments", "artifact_location")):
                store.execute(
                    f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (str(self.made), str(room))
                )
            store.commit()
        for note in room.glob("datamap-spool/*/*/delivery.json"):
            note.write_text(note.read_text().replace(str(self.made), str(room)))
        return room

    def start(self, room, command, *arguments):
        """The command in a process of its own, its output in room/log."""
        with (room / "log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, str(ROOT / "src" / f"{command}.py"), *arguments],
                cwd=room, stdout=log, stderr=log, start_new_session=True, env=CHILDREN,
            )  # fmt: skip

    def check(self, call, room):
        code = self.start(room, *call).wait(300)
        assert code == 0, (room / "log").read_text()

    def seconds(self, command):
        """How long an undisturbed call takes."""
        if command not in self._seconds:
            room, start = self.room(), time.monotonic()
            self.check([command, *self.commands()[command]], room)
            self._seconds[command] = time.monotonic() - start
            shutil.rmtree(room)
        return self._seconds[command]


@contextlib.contextmanager
def _chdir(folder):
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _record(seed):
    """Id of a run of random signals, made by the recorder."""
    import datamap

    generator = np.random.default_rng(seed)
    labels = np.arange(SAMPLES) % 2
    samples = {"id": range(SAMPLES), "text_a": [f"text {n}" for n in range(SAMPLES)], "label": labels}
    with datamap.SignalRecorder(["no", "yes"], samples, run_name=f"run {seed}") as recorder:
        for epoch in range(1, OBSERVATIONS + 1):
            logits = generator.normal(size=(SAMPLES, 2)) + 0.4 * epoch * np.eye(2)[labels]
            recorder.record(np.arange(SAMPLES), labels, logits=logits)
            recorder.commit(epoch)
    return recorder.run_id


def _spool():
    """Id of a run whose observations wait in the spool."""
    from datamap.errors import TrackingError
    from datamap.tracking.outbox import Delivery, Outbox
    from datamap.tracking.run import Run
    from datamap.tracking.store import Store

    def away(*_):
        raise TrackingError("the store is away")

    log_bytes, Run.log_bytes = Run.log_bytes, away
    try:
        with contextlib.suppress(TrackingError), Store().new_run("spooled") as run:
            run.begin()
            with Outbox(run, 0, "datamap-spool", print) as outbox:
                for number in range(1, OBSERVATIONS + 1):
                    files = [(f"signals/{number}.bin", bytes(100_000))]
                    outbox.put(Delivery(number, files.copy, {"signals.rows": 1}))
    finally:
        Run.log_bytes = log_bytes
    return run.run_id


def trial(lab, command, generator):
    """(completed, runs left RUNNING, half artifacts, tracebacks) of a call that is interrupted, and of a second one."""
    room = lab.room()
    low = generator.choice([0.05, 0.6])  # half of the moments lie where the work is done, not the imports
    moment = generator.uniform(low, 1) * lab.seconds(command)
    process = lab.start(room, command, *lab.commands()[command])
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(moment)
    if process.poll() is None:
        process.send_signal(generator.choice([signal.SIGINT, signal.SIGTERM]))
    code = process.wait(60)
    running, half = left(room, lab if command == "upload" else None)
    traces = (room / "log").read_text().count("Traceback")
    again = lab.start(room, command, *lab.commands()[command]).wait(300)
    log = (room / "log").read_text()
    if command == "upload":
        again = 0 if again == 0 or "nothing is spooled" in log else again
        again = again or not _uploaded(room, lab.spooled)
    still, broken = left(room)
    assert code in (0, 130, -signal.SIGINT, -signal.SIGTERM), (code, log)
    shutil.rmtree(room)
    return not again and not still and not broken, running, half, traces


def left(room, uploading=None):
    """(runs that are RUNNING, artifacts that are not what was logged) in a room's store."""
    from mlflow import MlflowClient

    from datamap.errors import TrackingError
    from datamap.tracking.artifacts import RENEWED_BY, Artifacts

    client = MlflowClient(f"sqlite:///{room}/mlflow.db")
    running, half = 0, 0
    for run in client.search_runs([e.experiment_id for e in client.search_experiments()]):
        uploads = uploading and run.info.run_id == uploading.spooled
        running += run.info.status == "RUNNING" and not uploads
        artifacts = Artifacts(client.tracking_uri, run.info.run_id, run.info.artifact_uri)
        for path in RENEWED_BY:
            try:
                artifacts.find(path)
            except TrackingError:
                half += 1
        config = Path(run.info.artifact_uri, "config")
        half += sum(not path.stat().st_size for path in config.glob("*"))
    return running, half


def _uploaded(room, run_id):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{room}/mlflow.db")
    steps = {metric.step for metric in client.get_metric_history(run_id, "signals.rows")}
    return client.get_run(run_id).info.status == "FINISHED" and steps == set(range(1, OBSERVATIONS + 1))


def main(trials=20, only=None, seed=0):
    """Interrupt each command (or `only` one); each puts its row into the table of docs/reliability.md."""
    from faults import machine, write_table

    rows = {}
    head = [
        f"Measured by `python benchmarks/interrupts.py`: {machine()}.\n",
        "| command | interrupted | second call completes | left RUNNING | half artifacts | tracebacks | s a trial |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(folder)
        for place, command in enumerate(lab.commands()):
            if only and only != command:
                continue
            start = time.monotonic()
            results = [
                trial(lab, command, np.random.default_rng([int(seed), place, number]))
                for number in range(int(trials))
            ]
            completed, running, half, traces = (
                sum(map(int, column)) for column in zip(*results, strict=True)
            )
            seconds = (time.monotonic() - start) / int(trials)
            rows[command] = (
                f"| **{command}** | {trials} | {completed} | {running} | {half} | {traces} | {seconds:.1f} |"
            )
            print(rows[command], flush=True)
            write_table("interrupts", head, rows, list(lab.commands()))


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
