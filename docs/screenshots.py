"""Take the pictures of the README from a real MLflow server in a real Chromium.

    pip install playwright && apt-get install chromium
    python docs/screenshots.py <folder with mlflow.db of a sweep>

The sweep, and what is drawn of it (the second line for each seed):

    python src/train.py -m seed=1,2,3
    python src/plot.py run_id=<seed=1> dirty_label=true
    python src/plot.py run_id=<seed=1> use_f_times=0
    python src/plot.py run_id=<seed=1> facet=label color=label contours=true
    python src/diagnose.py run_id=<seed=1>
"""

import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from mlflow import MlflowClient
from PIL import Image
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import chromium  # noqa: E402

IMAGES = Path(__file__).parent / "images"
SOURCE = Path(__file__).resolve().parents[1] / "src"
PORT = 5056
SERVER = f"http://127.0.0.1:{PORT}"


def wait_for_server():
    """Return when the server answers."""
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{SERVER}/health", timeout=2)
            return
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"{SERVER} does not answer")


def take(page, experiment, run, compared):
    """Visit the pages one after the other and save what they show."""

    def shot(name):
        page.wait_for_timeout(2500)
        page.screenshot(path=IMAGES / f"{name}.png")

    address = f"{SERVER}/#/experiments/{experiment}/runs/{run}"
    page.goto(address)
    page.get_by_text("Show more").first.click()
    shot("overview")
    page.goto(f"{address}/artifacts")
    page.get_by_text("maps", exact=True).click()
    page.get_by_text("diagnosis.tsv").click()
    page.set_viewport_size({"width": 1440, "height": 760})
    shot("diagnosis")
    page.set_viewport_size({"width": 1280, "height": 800})
    take_explorer(page, shot)
    page.goto(f"{SERVER}/#/experiments/{experiment}/runs?compareRunsMode=CHART")
    page.locator("img[src*='comparison']").first.click()
    shot("three-runs")
    page.goto(f"{SERVER}/#/experiments/{experiment}/runs/{compared}")
    page.get_by_text("Show more").first.click()
    shot("compared")


def take_explorer(page, shot):
    """The explorer in the artifact viewer: a sample under the pointer, then the noisy corner selected."""
    page.get_by_text("explorer.html").click()
    frame = page.frame_locator("iframe.mlflow-html-iframe")
    frame.locator("#choose-color").select_option("s_label")
    page.wait_for_timeout(1000)
    inside = next(f for f in page.frames if f.evaluate("Boolean(window.dataMap)"))
    box = page.locator("iframe.mlflow-html-iframe").bounding_box()
    # The first of the table, lowest avg_probs, is the worst sample.
    worst = int(frame.locator("tbody td").first.inner_text())
    x, y = inside.evaluate(f"dataMap.positionOf({worst})")
    page.mouse.move(box["x"] + x, box["y"] + y)
    shot("explorer")
    frame.get_by_role("button", name="box").click()
    stage = frame.locator("#stage").bounding_box()
    left, bottom = stage["x"] + 58, stage["y"] + stage["height"] - 42
    page.mouse.move(left, bottom)
    page.mouse.down()
    page.mouse.move(left + 0.3 * stage["width"], bottom - 0.3 * stage["height"], steps=5)
    page.mouse.up()
    page.mouse.move(left + 0.5 * stage["width"], bottom + 60, steps=3)
    shot("explorer-selection")


def take_review(browser, folder, run):
    """The review page in both languages, with a few decisions; they stay in the run."""
    for lang, name in (("en", "review"), ("zh", "review-zh")):
        command = [sys.executable, SOURCE / "review.py", f"run_id={run}", "reviewer=anna", f"lang={lang}"]
        server = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
        try:
            line = next(line for line in server.stdout if "token=" in line)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(re.search(r"http\S+", line)[0])
            page.locator("#more .neighbors button").first.wait_for(timeout=60_000)
            for key in ("Enter", "k", "Enter", "Enter", "d", "Enter", "u", "Enter"):
                page.keyboard.press(key)
                page.wait_for_timeout(500)
            page.wait_for_timeout(2500)
            page.screenshot(path=IMAGES / f"{name}.png")
        finally:
            server.terminate()


def main(folder):
    """Serve the store in `folder`, take the screenshots and copy the maps of run seed=1."""
    IMAGES.mkdir(exist_ok=True)
    client = MlflowClient(f"sqlite:///{Path(folder).resolve()}/mlflow.db")
    experiment = client.get_experiment_by_name("datamap").experiment_id
    run = client.search_runs([experiment], "run_name = 'seed=1'")[0].info
    compared = client.search_runs([experiment], "run_name = 'seed=1,2,3'")[0].info
    pictures = {
        "map-dirty": Path(run.artifact_uri, "maps", "dirty_map.png"),
        "map-forgetting": Path(run.artifact_uri, "maps", "forgetting_map.png"),
        "map-facets": Path(run.artifact_uri, "maps", "data_map-color_label-facet_label-contours.png"),
        "comparison": Path(compared.artifact_uri, "maps", "comparison.png"),
        "movement": Path(compared.artifact_uri, "maps", "movement-1.png"),
    }
    for name, path in pictures.items():
        shutil.copy(path, IMAGES / f"{name}.png")
    server = subprocess.Popen(["mlflow", "server", "--port", str(PORT)], cwd=folder)
    try:
        wait_for_server()
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=chromium.PATH, args=chromium.FLAGS)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.add_init_script(chromium.SETTINGS)
            take(page, experiment, run.run_id, compared.run_id)
            take_review(browser, folder, run.run_id)
            browser.close()
        for name in IMAGES.glob("*.png"):  # 256 colors are enough, in a third of the bytes
            picture = Image.open(name)
            method = Image.Quantize.FASTOCTREE if picture.mode == "RGBA" else Image.Quantize.MEDIANCUT
            if picture.mode != "P":
                picture.quantize(256, method, dither=Image.Dither.NONE).save(name, optimize=True)
    finally:
        server.terminate()


if __name__ == "__main__":
    main(sys.argv[1])
