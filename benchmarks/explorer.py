"""The explorer in a headless Chromium with software WebGL: frames a second beside libraries, and opening a page.

    python benchmarks/explorer.py [sizes=100000,1000000] [rounds=3] [observations=5]

The first table pans a map of generated points, three seconds a round, ways interleaved, medians: `canvas` is ours
(web/scripts); `webgl` is one draw call over all points, as the explorer did it before; the libraries are fetched
with npm, in the versions below, and bundled with esbuild. A frame counts when its pixels are there (`readPixels`);
`ms a frame` is processor time of all the browser's processes, which depends less on what else the machine does. The
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
LICENSES = {"canvas": "ours", "webgl": "ours", "regl-scatterplot": "MIT", "deck.gl": "MIT"}
SLOW = 200_000  # points, beyond which the libraries are measured once


def bundles(folder):
    """{way: its script}, the libraries minified into one file each."""
    from datamap.web import pages

    packages = [f"{name}@{version}" for name, version in (LIBRARIES | BUILD).items()]
    subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", *packages], cwd=folder, check=True, stdout=sys.stderr
    )
    found = {
        "canvas": pages.bundle([ROOT / "src/datamap/web/scripts/scatter.js"]),
        "webgl": "",
    }
    for way in ("regl-scatterplot", "deck.gl"):
        command = ["npx", "esbuild", "--bundle", "--minify", "--format=iife", "--log-level=error"]
        source = (WAYS / f"{way}.entry.js").read_bytes()
        done = subprocess.run(command, cwd=folder, check=True, input=source, stdout=subprocess.PIPE)
        found[way] = done.stdout.decode()
    return found


def processor_seconds(browser):
    """Of all processes of the browser so far: what a frame costs whatever else the machine does."""
    session = browser.new_browser_cdp_session()
    found = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return sum(process["cpuTime"] for process in found)


def paced(browser, page, draws):
    """{all, near: frames a second, all_ms, near_ms: ms of processor time a frame} of `draws`, an object on the page."""
    found = {}
    for part in ("all", "near"):
        before = processor_seconds(browser)
        run = page.evaluate(f"frames({draws}.{part})")
        found[part] = run["count"] / run["seconds"]
        found[f"{part}_ms"] = 1000 * (processor_seconds(browser) - before) / run["count"]
    return found


def panned(browser, way, script, points):
    """{made: ms until the map is drawn, and what `paced` says}."""
    page = browser.new_page(viewport={"width": 1100, "height": 600})
    page.set_content('<div id="stage" style="position: relative; width: 1100px; height: 560px"></div>')
    for content in (script or ";", (WAYS / "points.js").read_text(), (WAYS / f"{way}.js").read_text()):
        page.add_script_tag(content=content)
    made = page.evaluate(
        "async (points) => { window.way = await prepared(points); return way.made; }", points
    )
    found = {"made": made, **paced(browser, page, "way")}
    page.close()
    return found


def medians_of(rounds):
    """{key: median} of the rounds' numbers."""
    return {key: statistics.median(found[key] for found in rounds) for key in rounds[0]}


def pan(browser, sizes, rounds):
    """Print the table of ways."""
    with tempfile.TemporaryDirectory() as folder:
        scripts = bundles(folder)
    columns = (
        "kB inlined (gzip)",
        "ms to draw",
        "frames a second",
        "zoomed in",
        "ms a frame",
        "zoomed in",
        "× webgl",
    )
    print(f"| points | way | license | {' | '.join(columns)} |\n|---:|---|---|{'---:|' * len(columns)}")
    for points in sizes:
        found = {way: [] for way in scripts}
        for number in range(rounds):
            for way, script in scripts.items():
                if number == 0 or points < SLOW or way == "canvas":
                    found[way].append(panned(browser, way, script, points))
        medians = {way: medians_of(values) for way, values in found.items()}
        for way, median in medians.items():
            packed = len(gzip.compress(scripts[way].encode()))
            inlined = f"{len(scripts[way]) / 1000:.0f} ({packed / 1000:.0f})" if scripts[way] else ""
            numbers = [f"{median[key]:,.1f}" for key in ("all", "near", "all_ms", "near_ms")]
            ratio = f"{median['all_ms'] / medians['webgl']['all_ms']:.2f}"
            cells = [f"{points:,}", way, LICENSES[way], inlined, f"{median['made']:,.0f}", *numbers, ratio]
            print(f"| {' | '.join(cells)} |", flush=True)


def run_of(samples, observations):
    """(summary, histories) of a generated run with a model's shape: most samples learned, some wrong, some wavering."""
    import pyarrow as pa

    from datamap.signals.observations import Observations
    from datamap.signals.trajectories import Trajectories
    from datamap.summaries.dynamics import summarize

    random = np.random.default_rng(0)
    ease, noise = random.beta(5, 1.2, samples), random.gamma(1.2, 0.08, samples)
    wrong = random.random(samples) < 0.06
    learned = np.linspace(0.45, 1, observations)[:, None]
    level = np.where(wrong, 1 - ease, ease) * learned + (1 - learned) / 2
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
    """{open: seconds until the page can be used, open_s: of processor time, and what `paced` says}."""
    page = browser.new_context(viewport={"width": 1400, "height": 1000}, bypass_csp=True).new_page()
    before, start = processor_seconds(browser), time.perf_counter()
    page.goto(f"file://{path}")
    page.wait_for_function("window.dataMap", polling=10)
    found = {"open": time.perf_counter() - start, "open_s": processor_seconds(browser) - before}
    page.add_script_tag(content=(WAYS / "points.js").read_text())
    page.evaluate("window.way = pannedBy(dataMap.scatter)")
    found |= paced(browser, page, "way")
    page.close()
    return found


def open_pages(browser, sizes, rounds, observations):
    """Print the table of files."""
    from datamap.maps import explorer

    columns = (
        "seconds to make", "MiB of the file", "seconds to open", "of processor time", "frames a second", "zoomed in",
        "ms a frame", "zoomed in",
    )  # fmt: skip
    print(f"\n| samples × observations | {' | '.join(columns)} |\n|---:|{'---:|' * len(columns)}")
    for samples in sizes:
        summary, histories = run_of(samples, observations)
        start = time.process_time()
        content = explorer.build_page(summary, histories, lambda rows: {}, ("no", "yes"))
        made = time.process_time() - start
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "explorer.html")
            path.write_bytes(content)
            found = medians_of([opened(browser, path) for _ in range(rounds)])
        keys = "open", "open_s", "all", "near", "all_ms", "near_ms"
        numbers = [made, len(content) / 2**20, *(found[key] for key in keys)]
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
