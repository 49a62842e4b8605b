"""Provide what benchmarks of commands share: a run of random signals in its own store, and the costs of a command."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))
ROWS = 100_000  # records per shard: the default of train and of the recorder


def make(folder, samples, observations, format="auto"):
    """`made` in a process of its own: the peak memory of a process counts for those that it starts."""
    command = [sys.executable, __file__, str(folder), str(samples), str(observations), format]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1]


def made(folder, samples, observations, format):
    """Make a store in `folder` with one run: signals of two classes, in the contract's files; returns its id."""
    import numpy as np

    from datamap import schema
    from datamap.signals import shards
    from datamap.tracking.store import Store

    format = schema.chosen_format(format, samples)
    Path(folder).mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    labels, ease = random.integers(0, 2, samples), random.normal(0, 1, samples)
    with _inside(folder):
        store = Store(create=True)
        with store.new_run("benchmark") as run:
            for number in range(1, observations + 1):
                made = []
                for shard, content in _shards(random, labels, ease, number, format):
                    run.log_bytes(content, shard.path)
                    made.append(shard)
                run.log_bytes(shards.checksums(made), made[0].checksums_path)
                run.log_metrics({"signals.rows": samples}, number)
            return run.run_id


@contextlib.contextmanager
def _inside(folder):
    before = Path.cwd()
    os.chdir(folder)
    yield
    os.chdir(before)


def _shards(random, labels, ease, number, format):
    import numpy as np

    from datamap.schema import Shard
    from datamap.signals import compute, shards

    count = -(-len(labels) // ROWS)
    for index in range(count):
        some = slice(index * ROWS, (index + 1) * ROWS)
        mine = labels[some]
        scores = (ease[some] + 0.3 * number + random.normal(0, 1, len(mine))) * np.where(mine == 1, 1, -1)
        logits = np.stack([-scores, scores], axis=1).astype(np.float32)
        ids = np.arange(index * ROWS, index * ROWS + len(mine))
        table = compute.signal_table(ids, mine, logits=logits)
        yield shards.sealed(table, Shard("epoch", number, index, count, format))


def cost(command, cwd):
    """(wall seconds, CPU seconds of user and system, peak MB) of a process that must end well."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise RuntimeError(f"{command}: {errors.decode()}")
    return time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


if __name__ == "__main__":
    print(made(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
