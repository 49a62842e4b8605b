"""Wall time of summarize and plot against a bare process that imports MLflow and reads the run.

    python benchmarks/startup.py run_id=<id> [rounds=7]      in the folder of the store

Interleaved, medians. Goal (issue 2): each at most 1.5 times the bare process.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

SRC = Path(__file__).resolve().parents[1] / "src"


def seconds(command):
    """Wall time of a command that must end well."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    return time.perf_counter() - start


def main(run_id, rounds=7):
    """Print a table: step, median seconds, ratio to the bare process."""
    commands = {
        "bare": ["-c", f"import mlflow; mlflow.get_run('{run_id}')"],
        "summarize": [str(SRC / "summarize.py"), f"run_id={run_id}"],
        "plot": [str(SRC / "plot.py"), f"run_id={run_id}"],
    }
    times = {name: [] for name in commands}
    for _ in range(int(rounds) + 1):  # the first round warms the file cache and is not counted
        for name, command in commands.items():
            times[name].append(seconds(command))
    medians = {name: statistics.median(found[1:]) for name, found in times.items()}
    print("| process | seconds | × bare |\n|---|---:|---:|")
    for name, median in medians.items():
        print(f"| {name} | {median:.2f} | {median / medians['bare']:.2f} |")


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
