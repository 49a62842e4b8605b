"""Whole commands as a user types them: wall time, CPU time and peak memory of `summarize` and `plot`, then and now.

    python benchmarks/startup.py [rounds=5] [sizes=1500x3,240000x5] [format=auto] [steps=summarize,plot,again]
                                 [original=<tutorials/data_map of TrustAI>]

Beside them the floor: a process that imports MLflow, composes Hydra's config and reads the run (`bare`). "Then" is
commit 774311c, in a worktree of its own. Interleaved; medians, of memory the maximum. `plot` draws a run's first map
and makes its explorer; `again` is the same call once more, and `600 dpi` is `again` with that. The original's
scripts, where their folder is given, draw at 600 dpi, too, and have no explorer. Goals (issue 14):
`summarize` and `plot` of 240,000 × 5 within 2.5 s and 300 MB each, `summarize` of 10,000,000 × 10 within 1 GB.
"""

import contextlib
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import runs

THEN = "774311c"
BARE = """
import mlflow, hydra
with hydra.initialize_config_dir({conf!r}, version_base="1.3"):
    hydra.compose("summarize", ["run_id=x"])
mlflow.MlflowClient().get_run({run_id!r})
"""
ARGUMENTS = {"summarize": [], "plot": [], "again": [], "600 dpi": ["dpi=600"]}
ORIGINAL = {"summarize": "sample_stat_summary.py", "600 dpi": "plot_map.py"}


@contextlib.contextmanager
def worktree(folder):
    """The source of `THEN`."""
    git = ["git", "-C", str(runs.ROOT), "worktree"]
    subprocess.run([*git, "add", "--detach", folder, THEN], check=True, capture_output=True)
    yield Path(folder)
    subprocess.run([*git, "remove", "--force", folder], check=True)


def command(step, run_id, root):
    """Return what a user of the version in `root` types."""
    script = root / "src" / ("summarize.py" if step == "summarize" else "plot.py")
    return [sys.executable, str(script), f"run_id={run_id}", *ARGUMENTS[step]]


def prepare_original(scripts, folder):
    """Make the folder of the original's scripts, in a process of its own for the sake of memory (`runs.make`)."""
    (artifacts,) = (path.parent for path in Path(folder, "now").glob("mlruns/1/*/artifacts/signals"))
    script = Path(__file__).with_name("original.py")
    subprocess.run([sys.executable, script, scripts, artifacts, Path(folder, "original")], check=True)


def measured(samples, observations, format, steps, rounds, then, original):
    """{(process, version): [(wall seconds, CPU seconds, MB), …]}; each version has a run of its own."""
    roots = {"then": then, "now": runs.ROOT}
    with tempfile.TemporaryDirectory() as folder:
        made = {v: runs.make(Path(folder, v), samples, observations, format) for v in roots}
        bare = BARE.format(conf=str(runs.ROOT / "conf"), run_id=made["now"])
        if original:
            prepare_original(original, folder)
        found = {("bare", ""): []}
        for _ in range(rounds):
            found["bare", ""].append(runs.cost([sys.executable, "-c", bare], Path(folder, "now")))
            for step in steps:
                for version, root in roots.items():
                    if step == "plot":
                        for page in Path(folder, version).glob("mlruns/1/*/artifacts/maps/explorer.html"):
                            page.unlink()
                    cost = runs.cost(command(step, made[version], root), Path(folder, version))
                    found.setdefault((step, version), []).append(cost)
                if original and step in ORIGINAL:
                    cost = runs.cost([sys.executable, ORIGINAL[step]], Path(folder, "original"))
                    found.setdefault((step, "original"), []).append(cost)
        return found


def main(rounds=5, sizes="1500x3,240000x5", format="auto", steps="summarize,plot,again,600 dpi", original=""):
    """Print a Markdown table."""
    print("| samples × observations | process | version | seconds | CPU s | CPU, × bare | peak MB |")
    print("|---|---|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder, worktree(f"{folder}/then") as then:
        for size in sizes.split(","):
            samples, observations = map(int, size.split("x"))
            found = measured(samples, observations, format, steps.split(","), int(rounds), then, original)
            medians = {
                process: [statistics.median(f[i] for f in values) for i in (0, 1)]
                for process, values in found.items()
            }
            for (process, version), (seconds, cpu) in medians.items():
                print(
                    f"| {samples:,} × {observations} | {process} | {version} | {seconds:.2f} | {cpu:.2f} | "
                    f"{cpu / medians['bare', ''][1]:.2f} | {max(f[2] for f in found[process, version]):,.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
