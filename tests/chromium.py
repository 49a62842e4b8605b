"""Start a Chromium for tests and docs/screenshots.py, and set MLflow's UI up in it."""

import shutil

PATH = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    # Of 22 seconds of CPU for eight windows nine remain: only WebGL needs the GPU that SwiftShader plays, and nobody
    # looks at the browser's own bars.
    "--disable-gpu-compositing", "--disable-gpu-rasterization",
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,InitialWebUI,WebUIReloadButton",
]  # fmt: skip
# The UI's view for training runs, without the panel of its assistant.
SETTINGS = """
try {
  localStorage.setItem('mlflow.workflowType_v1', '"machine_learning"');
  localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');
  localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false');
} catch (sandboxed) {}
"""
