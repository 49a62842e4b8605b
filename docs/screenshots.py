"""Take the pictures of the README from a real MLflow server in a real Chromium.

    pip install playwright && apt-get install chromium
    python docs/screenshots.py <folder with mlflow.db of three runs named seed-1, seed-2, seed-3>

The runs: python src/main.py seed=1 tracking.run_name=seed-1 plot.dirty_label=true, and so on.
"""

import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from mlflow import MlflowClient
from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parent / "images"
PORT = 5056
SERVER = f"http://127.0.0.1:{PORT}"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
# The UI's view for training runs, without the panel of its assistant.
SETTINGS = """
localStorage.setItem('mlflow.workflowType_v1', '"machine_learning"');
localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');
localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false');
"""


def wait_for_server():
    """Return when the server answers."""
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{SERVER}/health", timeout=2)
            return
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"{SERVER} does not answer")


def take(page, experiment, run):
    """Visit the pages one after the other and save what they show."""

    def shot(name):
        page.wait_for_timeout(2500)
        page.screenshot(path=IMAGES / f"{name}.png")

    address = f"{SERVER}/#/experiments/{experiment}/runs/{run}"
    page.goto(f"{address}/model-metrics")
    page.get_by_text("maps/dirty_map").wait_for()
    shot("run-page")
    page.goto(f"{address}/artifacts")
    page.get_by_text("signals", exact=True).click()
    page.get_by_text("maps", exact=True).click()
    page.get_by_text("dirty_map.png").click()
    shot("artifacts")
    page.get_by_text("summary.tsv").click()
    shot("summary-table")
    page.goto(f"{SERVER}/#/experiments/{experiment}/runs?compareRunsMode=CHART")
    page.get_by_text("maps/dirty_map").wait_for()
    page.locator("[data-component-id=fullscreen_button_chartcard]").first.click()
    shot("three-runs")


def main(folder):
    """Serve the store in `folder`, take the screenshots and copy the maps of run seed-1."""
    IMAGES.mkdir(exist_ok=True)
    client = MlflowClient(f"sqlite:///{Path(folder).resolve()}/mlflow.db")
    experiment = client.get_experiment_by_name("datamap").experiment_id
    run = client.search_runs([experiment], "run_name = 'seed-1'")[0].info
    for name in ("dirty", "forgetting"):
        shutil.copy(Path(run.artifact_uri, "maps", f"{name}_map.png"), IMAGES / f"map-{name}.png")
    server = subprocess.Popen(["mlflow", "server", "--port", str(PORT)], cwd=folder)
    try:
        wait_for_server()
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.add_init_script(SETTINGS)
            take(page, experiment, run.run_id)
            browser.close()
    finally:
        server.terminate()


if __name__ == "__main__":
    main(sys.argv[1])
