"""Run all benchmarks and write their tables into docs/benchmarks.md (`make bench`)."""

import subprocess
import sys
from pathlib import Path

from faults import machine

ROOT = Path(__file__).resolve().parents[1]


def output(script, *arguments):
    """Return what a script prints; its progress goes to the terminal."""
    command = [sys.executable, str(ROOT / script), *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    print(done.stdout, flush=True)
    return done.stdout


def main():
    """Each table between its markers; what stands around them stays."""
    path = ROOT / "docs" / "benchmarks.md"
    tables = {
        "machine": f"{machine()}.\n",
        "startup": output("benchmarks/startup.py"),
        "memory": output(
            "benchmarks/startup.py", "rounds=1", "sizes=10000000x10", "format=parquet", "steps=summarize"
        ),
        "cluster": output("benchmarks/cluster.py"),
        "train": output("benchmarks/train.py"),
        "collect": output("benchmarks/collect.py"),
        "summarize": output("benchmarks/summarize.py"),
        "plot": output("benchmarks/plot.py"),
        "explorer": output("benchmarks/explorer.py"),
    }
    text = path.read_text(encoding="utf-8")
    for name, table in tables.items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        before, rest = text.split(begin)
        text = before + begin + table + end + rest.split(end)[1]
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
