"""Measure how fast the page of `datamap review` is in a real Chromium.

    python benchmarks/review_page.py [sizes=1500,100000,1000000] [count=60]

Of a run of generated pairs (benchmarks/review.py), in milliseconds: from opening the address to the first sample with
all that is known of it, and to the map; from a key to the painted next sample, a key every 0.4 s and as fast as can be;
from a scroll to the end of the list to its rows. Median and worst. Chromium has no graphics card here.
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(ROOT / "tests"), str(ROOT / "src")]  # after benchmarks/, which has a review.py too

import chromium  # noqa: E402
from review import Page, make, waited  # noqa: E402

# The time of each key to the next frame that is painted, and whether that shows another sample, with its reasons.
WATCH = """() => {
  window.taken = [];
  addEventListener("keydown", (event) => {
    const before = datamapReview.here.row;
    requestAnimationFrame(() => setTimeout(() => {
      const { row, sample } = datamapReview.here;
      taken.push([performance.now() - event.timeStamp, row !== before && sample?.why !== undefined]);
    }));
  }, true);
}"""
END = """async () => {
  const list = document.getElementById("list"), start = performance.now();
  list.scrollTop = list.scrollHeight;
  const isThere = () => datamapReview.queue.briefAt(datamapReview.queue.length - 1);
  while (!isThere()) await new Promise((done) => setTimeout(done, 5));
  return performance.now() - start;
}"""


def until(page, condition):
    """Seconds until a condition of the page holds."""
    start = time.perf_counter()
    while not page.evaluate(condition):
        page.wait_for_timeout(5)
    return time.perf_counter() - start


def keys(page, count, pause):
    """[milliseconds] of keys; each shows the next sample with its reasons."""
    page.evaluate("window.taken.length = 0")
    for k in range(count):
        page.keyboard.press("k" if k % 3 else "d")
        page.wait_for_timeout(pause)
    page.wait_for_timeout(500)
    found = page.evaluate("window.taken")
    late = sum(not shown for _, shown in found)
    if late:
        print(f"note: {late} of {count} keys showed a part of the sample first")
    return [milliseconds for milliseconds, _ in found]


def measured(browser, address, count):
    """{what: [milliseconds]} of the page at an address."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    start = time.perf_counter()
    page.goto(address, wait_until="commit")
    until(page, "window.datamapReview?.here.sample?.why !== undefined")
    found = {"first sample": [1000 * (time.perf_counter() - start)]}
    until(page, "Boolean(datamapReview.map)")
    found["map"] = [1000 * (time.perf_counter() - start)]
    page.evaluate(WATCH)
    page.wait_for_timeout(2000)
    found["next sample"] = keys(page, count, 400)
    found["next sample, keys at once"] = keys(page, count, 0)
    found["end of the list"] = [page.evaluate(END)]
    page.close()
    return found


def serve(run_id, count):
    """Return what `measured` gives of a run, once its server has read all."""
    from playwright.sync_api import sync_playwright

    command = [sys.executable, str(ROOT / "src/review.py"), f"run_id={run_id}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    address = next(line for line in process.stdout if "token=" in line).split("http://")[1].split()[0]
    try:
        waited(Page(f"http://{address} "), "/api/neighbors/0", "ready")
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=chromium.PATH, args=chromium.FLAGS)
            return measured(browser, f"http://{address}", count)
    finally:
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        process.wait()


def main(sizes="1500,100000,1000000", count="60"):
    """Markdown: one column a size."""
    found = {}
    for size in map(int, sizes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            found[size] = serve(make(size, 8), int(count))
            os.chdir("/")
    print("| median / worst, ms | " + " | ".join(f"{size:,} samples" for size in found) + " |")
    print("|---|" + "---:|" * len(found))
    for name in next(iter(found.values())):
        cells = [
            " / ".join(f"{n:,.0f}" for n in {statistics.median(of[name]): 0, max(of[name]): 0})
            for of in found.values()
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
