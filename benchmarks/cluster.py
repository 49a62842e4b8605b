"""`summarize engine=dask` on 1, 2 and 4 workers of a cluster on this machine, beside `engine=local`.

    python benchmarks/cluster.py [rounds=3] [samples=1000000] [observations=5] [format=parquet]

Whole commands against a scheduler and workers that are processes of their own, one thread each. Interleaved,
medians. The model of docs/benchmarks.md has its constants from the CPU seconds and bytes that this prints.
"""

import contextlib
import importlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import runs

DASK = str(Path(sys.executable).parent / "dask")
WORKERS = (1, 2, 4)


@contextlib.contextmanager
def cluster(folder, workers, port):
    """(address, the workers' processes) of a cluster; it ends with the block."""
    address = f"tcp://127.0.0.1:{port}"
    environment = {**os.environ, "PYTHONPATH": str(runs.ROOT / "src")}
    commands = [
        [DASK, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"],
        *[[DASK, "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]] * workers,
    ]
    log = Path(folder, f"cluster{port}.log")
    with log.open("w") as output, contextlib.ExitStack() as stack:
        started = []
        for command in commands:
            process = subprocess.Popen(command, env=environment, cwd=folder, stdout=output, stderr=output)
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
            started.append(process)
        while log.read_text().count("Starting established connection") < 2 * workers:
            time.sleep(0.2)
        yield address, started[1:]


def warm_up(address):
    """Let each worker import what it needs: that is not measured."""
    from dask.distributed import Client

    with Client(address) as client:
        client.run(importlib.import_module, "datamap.tracking.store")
        client.run(importlib.import_module, "datamap.summaries.reduction")


def used(processes):
    """(CPU seconds, bytes read by calls) of processes so far."""
    seconds = read = 0
    for process in processes:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        read += int(Path(f"/proc/{process.pid}/io").read_text().split()[1])
    return seconds, read


def measured(folder, run_id, address=None, processes=()):
    """(seconds, CPU seconds of this process, of the workers, MB that the workers read)."""
    engine = ["engine=dask", f"engine.address={address}"] if address else []
    command = [sys.executable, str(runs.ROOT / "src" / "summarize.py"), f"run_id={run_id}", *engine]
    before = used(processes)
    seconds, here, _ = runs.cost(command, folder)
    after = used(processes)
    return seconds, here, after[0] - before[0], (after[1] - before[1]) / 1e6


def main(rounds=3, samples=1_000_000, observations=5, format="parquet"):
    """Print a Markdown table."""
    samples, observations = int(samples), int(observations)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        run_id = runs.make(folder, samples, observations, format)
        ways = {"local": (None, ())}
        for number, workers in enumerate(WORKERS):
            ways[f"dask, {workers}"] = stack.enter_context(cluster(folder, workers, 18800 + number))
        found = {way: [] for way in ways}
        for address, _ in list(ways.values())[1:]:
            warm_up(address)
        for _ in range(int(rounds)):
            for way, (address, processes) in ways.items():
                found[way].append(measured(folder, run_id, address, processes))
    medians = {
        way: [statistics.median(f[i] for f in values) for i in range(4)] for way, values in found.items()
    }
    one = medians["dask, 1"][0]
    print(
        "| engine, workers | seconds | one worker / this | CPU s here | CPU s of workers | workers read, MB |\n"
        "|---|---:|---:|---:|---:|---:|"
    )
    for way, (seconds, here, there, read) in medians.items():
        print(f"| {way} | {seconds:.2f} | {one / seconds:.2f} | {here:.2f} | {there:.2f} | {read:,.0f} |")


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
