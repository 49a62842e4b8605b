"""Ctrl-C and SIGTERM at any moment of each command: what is left behind, and does a second call complete?

    python benchmarks/interrupts.py [trials=20] [only=<command>;<command>] [seed=0] [table=yes]

`make faults` runs it too and puts the table into docs/reliability.md, `table=no` only prints it. The exit code is 1
where a trial failed.
"""

import contextlib
import hashlib
import json
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from forked import Child, call, preload

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))
SAMPLES, OBSERVATIONS = 2_000, 6


class Lab:
    """A store with two diagnosed runs of signals, a folder of signals, and a spool; copied for each trial."""

    def __init__(self, folder):
        preload(
            [
                "datamap.maps.explorer",
                "datamap.cli.entry",
                *(
                    f"datamap.pipeline.{step}"
                    for step in ("compare", "curate", "import_signals", "plot", "upload")
                ),
                "datamap.recording.recorder",
            ]
        )
        self.folder, self._count, self._seconds = Path(folder), 0, {}
        self.made = self.folder / "room"
        self.made.mkdir()
        assert Child(self.made, _make).wait() == 0, (self.made / "log").read_text()
        self.runs, self.spooled = json.loads((self.made / "made.json").read_text())

    def commands(self):
        """{command: its arguments}."""
        first, second = self.runs
        return {
            "summarize": [f"run_id={first}"],
            "plot": [f"run_id={first}"],
            "diagnose": [f"run_id={first}"],
            "curate": [f"run_id={first}", "keep=clean", "share=0.1"],
            "compare": [f"runs=[{first},{second}]"],
            "import": ["path=foreign"],
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

    def start(self, room, command):
        """The command in a process of its own, its output in room/log."""
        return Child(room, call, command, self.commands()[command])

    def seconds(self, command):
        """Return the seconds that an undisturbed call takes."""
        if command not in self._seconds:
            room, start = self.room(), time.monotonic()
            assert self.start(room, command).wait() == 0, (room / "log").read_text()
            self._seconds[command] = time.monotonic() - start
            shutil.rmtree(room)
        return self._seconds[command]


def _make():
    runs = [_record(number) for number in (1, 2)]
    Path("made.json").write_text(json.dumps([runs, _spool()]))
    for run_id in runs:
        for command in ("summarize", "diagnose"):
            assert call(command, [f"run_id={run_id}"]) == 0
    shutil.copytree(next(Path.cwd().glob(f"mlruns/*/{runs[0]}/artifacts/signals")), "foreign")


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
    from datamap.tracking.delivery import Delivery
    from datamap.tracking.outbox import Outbox
    from datamap.tracking.run import Run
    from datamap.tracking.store import Store

    def away(*_):
        raise TrackingError("the store is away")

    log_bytes, Run.log_bytes = Run.log_bytes, away
    try:
        with contextlib.suppress(TrackingError), Store().new_run("spooled") as run:
            run.begin()
            with Outbox(run, 0, "datamap-spool") as outbox:
                for number in range(1, OBSERVATIONS + 1):
                    files = [(f"signals/{number}.bin", bytes(100_000))]
                    outbox.put(Delivery(number, files.copy, {"signals.rows": 1}))
    finally:
        Run.log_bytes = log_bytes
    return run.run_id


def trial(lab, command, generator):
    """(completed, runs left RUNNING, half artifacts, tracebacks) of a call that is interrupted, and of a second one."""
    room = lab.room()
    moment = generator.uniform(0, 1) * lab.seconds(command)
    child = lab.start(room, command)
    if child.wait(moment) is None:
        child.send_signal(generator.choice([signal.SIGINT, signal.SIGTERM]))
    code = child.wait()
    running, half = left(room, lab.spooled if command == "upload" else None)
    log = (room / "log").read_text()
    unstarted = code in (-signal.SIGTERM, 1) and len(log) == (lab.made / "log").stat().st_size
    assert code in (0, 130) or unstarted, (code, log)
    if "Traceback" in log:
        print(log[log.index("Traceback") - 200 :], file=sys.stderr)
    again = lab.start(room, command).wait()
    if command == "upload":
        again = (again and "nothing is spooled" not in (room / "log").read_text()) or not _uploaded(
            room, lab.spooled
        )
    still, broken = left(room)
    shutil.rmtree(room)
    return not again and not still and not broken, running, half, log.count("Traceback")


def left(room, uploading=None):
    """(runs that are RUNNING, artifacts that are not what was logged) in a room's store.

    The run whose uploads wait is as it was before.
    """
    from datamap.tracking.hidden_tags import DIGEST_TAG

    running = half = 0
    with contextlib.closing(sqlite3.connect(room / "mlflow.db")) as store:
        for run_id, status, folder in store.execute(
            "SELECT run_uuid, status, artifact_uri FROM runs"
        ).fetchall():
            running += status == "RUNNING" and run_id != uploading
            query = "SELECT key, value FROM tags WHERE run_uuid = ? AND key LIKE ?"
            for key, digests in store.execute(query, (run_id, f"{DIGEST_TAG}%")).fetchall():
                file = Path(folder, key.removeprefix(DIGEST_TAG))
                half += file.exists() and hashlib.sha256(file.read_bytes()).hexdigest() not in digests.split()
            half += sum(not path.stat().st_size for path in Path(folder).rglob("*"))
    return running, half


def _uploaded(room, run_id):
    with contextlib.closing(sqlite3.connect(room / "mlflow.db")) as store:
        query = "SELECT DISTINCT step FROM metrics WHERE run_uuid = ? AND key = 'signals.rows'"
        steps = {step for (step,) in store.execute(query, (run_id,))}
        (status,) = store.execute("SELECT status FROM runs WHERE run_uuid = ?", (run_id,)).fetchone()
    return status == "FINISHED" and steps == set(range(1, OBSERVATIONS + 1))


def main(trials=20, only=None, seed=0, table="yes"):
    """Interrupt each command (or `only` some); each puts its row into the table of docs/reliability.md.

    Returns the exit code: 1 where a trial failed.
    """
    from faults import machine, write_table

    rows, failed = {}, False
    head = [
        f"Measured by `python benchmarks/interrupts.py`: {machine()}.\n",
        "| command | interrupted | second call completes | left RUNNING | half artifacts | tracebacks | s a trial |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(folder)
        for place, command in enumerate(lab.commands()):
            if only and command not in only.split(";"):
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
            failed |= (completed, running, half) != (int(trials), 0, 0)
            if table == "yes":
                write_table("interrupts", head, rows, list(lab.commands()))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(**dict(argument.split("=", 1) for argument in sys.argv[1:])))
