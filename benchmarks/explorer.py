"""The explorer in a headless Chromium with software WebGL: frames a second beside libraries, and opening a page.

    python benchmarks/explorer.py [sizes=100000,1000000] [rounds=3] [observations=5]

The first table pans a map of generated points, three seconds a round, ways interleaved, medians: `canvas` is ours
(maps/page_scripts); `webgl` is one draw call over all points, as the explorer did it before; the libraries are fetched
with npm, in the versions below, and bundled with esbuild. A frame counts when its pixels are there (`readPixels`). The
second table makes the explorer of a generated run without texts and opens the file. Goals (issue 14): 1,000,000
samples open within 3 s, pan at 20 frames a second or more, and take 60 MB at most.
"""

import gzip
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(ROOT / "src"), str(ROOT / "tests")]  # after benchmarks/

WAYS = Path(__file__).parent / "explorer_ways"
LIBRARIES = {"regl-scatterplot": "1.16.0", "@deck.gl/core": "9.4.0", "@deck.gl/layers": "9.4.0"}
BUILD = {"esbuild": "0.28.2"}
LICENCES = {"canvas": "ours", "webgl": "ours", "regl-scatterplot": "MIT", "deck.gl": "MIT"}
SLOW = 200_000  # points, beyond which the libraries are measured once


def bundles(folder):
    """{way: its script}, the libraries minified into one file each."""
    from datamap import pages

    packages = [f"{name}@{version}" for name, version in (LIBRARIES | BUILD).items()]
    subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", *packages], cwd=folder, check=True, stdout=sys.stderr
    )
    found = {
        "canvas": pages.bundled([ROOT / "src/datamap/maps/page_scripts/scatter.js"]),
        "webgl": "",
    }
    for way in ("regl-scatterplot", "deck.gl"):
        command = ["npx", "esbuild", "--bundle", "--minify", "--format=iife", "--log-level=error"]
        source = (WAYS / f"{way}.entry.js").read_bytes()
        done = subprocess.run(command, cwd=folder, check=True, input=source, stdout=subprocess.PIPE)
        found[way] = done.stdout.decode()
    return found


def panned(browser, way, script, points):
    """{made: ms until the map is drawn, whole and near: frames a second, of all and of a twentieth}."""
    page = browser.new_page(viewport={"width": 1100, "height": 600})
    page.set_content('<div id="stage" style="position: relative; width: 1100px; height: 560px"></div>')
    for content in (script or ";", (WAYS / "points.js").read_text(), (WAYS / f"{way}.js").read_text()):
        page.add_script_tag(content=content)
    found = page.evaluate("points => measured(points)", points)
    page.close()
    return found


def medians_of(rounds):
    """{key: median} of the rounds' numbers."""
    return {key: statistics.median(found[key] for found in rounds) for key in rounds[0]}


def pan(browser, sizes, rounds):
    """Print the table of ways."""
    with tempfile.TemporaryDirectory() as folder:
        scripts = bundles(folder)
    print(
        "| points | way | licence | kB inlined (gzip) | ms to draw | frames a second | zoomed in | × webgl |"
    )
    print("|---:|---|---|---:|---:|---:|---:|---:|")
    for points in sizes:
        found = {way: [] for way in scripts}
        for number in range(rounds):
            for way, script in scripts.items():
                if number == 0 or points < SLOW or way == "canvas":
                    found[way].append(panned(browser, way, script, points))
        medians = {way: medians_of(values) for way, values in found.items()}
        for way, median in medians.items():
            size = len(scripts[way]) / 1000, len(gzip.compress(scripts[way].encode())) / 1000
            ratio = median["all"] / medians["webgl"]["all"]
            inlined = f"{size[0]:.0f} ({size[1]:.0f})" if scripts[way] else ""
            print(f"| {points:,} | {way} | {LICENCES[way]} | {inlined} | {median['made']:,.0f} | {median['all']:.1f} | "
                  f"{median['near']:.1f} | {ratio:.1f} |", flush=True)  # fmt: skip


def run_of(samples, observations):
    """(summary, histories) of a generated run with a model's shape: most samples learnt, some wrong, some wavering."""
    import pyarrow as pa

    from datamap.signals.observations import Observations
    from datamap.signals.trajectories import Trajectories
    from datamap.summaries.dynamics import summarize

    random = np.random.default_rng(0)
    ease, noise = random.beta(5, 1.2, samples), random.gamma(1.2, 0.08, samples)
    wrong = random.random(samples) < 0.06
    learnt = np.linspace(0.45, 1, observations)[:, None]
    level = np.where(wrong, 1 - ease, ease) * learnt + (1 - learnt) / 2
    level = level + random.normal(0, 1, (observations, samples)) * noise
    probs = np.clip(1 / (1 + np.exp(-8 * (level - 0.5))), 1e-6, 1 - 1e-6)
    labels = random.integers(0, 2, samples)
    correct = probs > 0.5
    signals = {"loss": -np.log(probs), "margin": np.log(probs / (1 - probs))}
    numbers = tuple(range(1, observations + 1))
    observed = Observations(numbers, pa.array(range(samples)), labels, 2 * wrong, correct, probs, signals)
    predicted = np.where(correct, labels, 1 - labels).astype(np.int32)
    return summarize(observed), Trajectories(numbers, probs.astype(np.float32), correct, predicted)


def opened(browser, path):
    """{open: seconds until the page can be used, all and near: frames a second while panning, zoomed out and in}."""
    page = browser.new_context(viewport={"width": 1400, "height": 1000}, bypass_csp=True).new_page()
    start = time.perf_counter()
    page.goto(f"file://{path}")
    page.wait_for_function("window.dataMap", polling=10)
    seconds = time.perf_counter() - start
    page.add_script_tag(content=(WAYS / "points.js").read_text())
    found = page.evaluate("pannedBy(dataMap.scatter)")
    page.close()
    return {"open": seconds, **found}


def open_pages(browser, sizes, rounds, observations):
    """Print the table of files."""
    from datamap.maps import explorer

    columns = "seconds to make", "MiB of the file", "seconds to open", "frames a second", "zoomed in"
    print(f"\n| samples × observations | {' | '.join(columns)} |\n|---:|{'---:|' * len(columns)}")
    for samples in sizes:
        summary, histories = run_of(samples, observations)
        start = time.perf_counter()
        content = explorer.page(summary, histories, {}, ("no", "yes"))
        made = time.perf_counter() - start
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "explorer.html")
            path.write_bytes(content)
            found = medians_of([opened(browser, path) for _ in range(rounds)])
        numbers = (made, len(content) / 2**20, found["open"], found["all"], found["near"])
        print(f"| {samples:,} × {observations} | {' | '.join(f'{n:.1f}' for n in numbers)} |", flush=True)


def main(sizes="100000,1000000", rounds=3, observations=5):
    """Print two Markdown tables."""
    from playwright.sync_api import sync_playwright

    import chromium

    sizes, rounds = [int(size) for size in sizes.split(",")], int(rounds)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium.PATH, args=chromium.FLAGS)
        pan(browser, sizes, rounds)
        open_pages(browser, sizes, rounds, int(observations))
        browser.close()


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
