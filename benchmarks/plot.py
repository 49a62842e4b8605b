"""Drawing a map: ours against matplotlib's scatter, called class by class on Python lists as simple code does.

    python benchmarks/plot.py [rounds=5] [sizes=240000,10000000] [dpi=600]

Interleaved, medians, each drawing in a process of its own, from the columns in memory to the bytes of a PNG.
Goals (issue 4): 240,000 samples at 600 dpi in a quarter of the time; 10,000,000 within 30 s and 4 GB.
"""

import io
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

OURS_ONLY = 1_000_000  # samples; of more, lists take too long


def summary(samples):
    """Columns of a made-up summary with the shape of real maps: most samples easy, some in every corner."""
    random = np.random.default_rng(0)
    mean = random.beta(5, 1.2, samples)
    variance = mean * (1 - mean) * random.beta(2, 3, samples)
    right = np.clip(np.round(random.normal(mean, 0.15) * 10), 0, 10) / 10
    return pd.DataFrame({"label_var": variance, "avg_probs": mean, "correct_ratio": right})


def lists(frame, dpi):
    """One scatter a class, each from lists picked row by row."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 5.4))
    FigureCanvasAgg(figure)
    ax = figure.subplots()
    rows = list(zip(frame["label_var"], frame["avg_probs"], frame["correct_ratio"], strict=True))
    bounds = [0, 0.2, 0.4, 0.6, 0.8, 1, 1.1]
    for marker, low, high in zip("Xvds^o", bounds, bounds[1:], strict=False):
        xs, ys = [], []
        for x, y, ratio in rows:
            if low <= ratio < high:
                xs.append(x)
                ys.append(y)
        ax.scatter(xs, ys, s=4, marker=marker, label=f"{low} to {high}")
    ax.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def ours(frame, dpi):
    from datamap.maps import canvas, figures

    return canvas.png(canvas.pixels(figures.draw_map(frame, dpi=dpi)))


WAYS = {"lists": lists, "ours": ours}


def one(way, samples, dpi):
    """Print [seconds, peak MB of the process with its libraries] of one drawing."""
    import matplotlib.figure  # noqa: F401  its import is not measured

    from datamap.maps import figures

    figures.draw_map(summary(10))  # fonts are looked up
    frame = summary(int(samples))
    start = time.perf_counter()
    assert WAYS[way](frame, int(dpi)).startswith(b"\x89PNG")
    print(
        json.dumps([time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024])
    )


def main(rounds=5, sizes="240000,10000000", dpi=600):
    """Print a Markdown table."""
    print("| samples | dpi | way | seconds | × lists | peak MB |\n|---:|---:|---|---:|---:|---:|")
    for samples in map(int, sizes.split(",")):
        ways = ["ours"] if samples > OURS_ONLY else list(WAYS)
        found = {way: [] for way in ways}
        for _ in range(int(rounds)):
            for way in ways:
                command = [sys.executable, __file__, "--one", way, str(samples), str(dpi)]
                found[way].append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
        seconds = {way: statistics.median(f[0] for f in values) for way, values in found.items()}
        for way in ways:
            ratio = f"{seconds[way] / seconds['lists']:.2f}" if "lists" in seconds else ""
            peak = max(f[1] for f in found[way])
            print(f"| {samples:,} | {dpi} | {way} | {seconds[way]:.2f} | {ratio} | {peak:,.0f} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(*sys.argv[2:])
    else:
        main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
