"""examples/quickstart.ipynb runs from top to bottom in a kernel of its own, as a reader runs it."""

import html
import re

import nbformat
from nbclient import NotebookClient

from conftest import ROOT
from explored import data_of, unpacked_json

PATH = ROOT / "examples" / "quickstart.ipynb"


def outputs(notebook):
    """All outputs of the code cells, as {MIME type: content}, and printed text as text/plain."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            yield output.get("data") or {"text/plain": output.get("text", "")}


def test_the_notebook_runs_and_finds_the_wrong_labels(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    notebook = nbformat.read(PATH, as_version=4)
    assert not list(outputs(notebook))  # none is stored: what a reader sees is made by the code beside it
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    found = list(outputs(notebook))
    text = "\n".join(output.get("text/plain", "") for output in found)
    assert int(re.search(r"(\d+) of the first 50 are wrong", text)[1]) >= 45
    assert sum("image/png" in output for output in found) == 2
    (page,) = [output["text/html"] for output in found if "<iframe" in output.get("text/html", "")]
    texts = unpacked_json(data_of(html.unescape(page))["texts"]["text_a"])
    assert "digit no. 1796" in texts
    assert (tmp_path / "mlflow.db").exists()
