"""docs/your-own-training.md and docs/paddle.md: every Python block runs as it is."""

import re
import sys

import pytest

from docs_pages import blocks, text_of
from trainers import pytestmark as pytestmark

PAGES = ("docs/your-own-training.md", "docs/zh/your-own-training.md")
# The pages of PyTorch's trainers run in its environment: tests/pytorch/test_pages.py.
PYTHON = [
    code for page in (PAGES[0], "docs/paddle.md") for language, code in blocks(page) if language == "python"
]
EXAMPLES = [code for code in PYTHON if "autolog" not in code]  # test_autolog.py has that one


def test_the_signature_is_the_codes():
    import inspect

    import datamap

    typed = inspect.signature(datamap.SignalRecorder)
    untyped = [parameter.replace(annotation=parameter.empty) for parameter in typed.parameters.values()]
    signature = typed.replace(parameters=untyped, return_annotation=typed.empty)
    for page in PAGES:
        assert f"`datamap.SignalRecorder{signature}`".replace("'", '"') in text_of(page)


@pytest.mark.parametrize(
    "code", EXAMPLES, ids=[re.search("import (?!numpy|pandas|datamap)(\\w+)|$", c)[1] for c in EXAMPLES]
)
def test_every_example_runs_in_an_empty_folder_and_can_be_summarized(
    store, capsys, command, monkeypatch, code
):
    monkeypatch.setattr(sys, "argv", ["-c"])
    exec(compile(code, PAGES[0], "exec"), {"__name__": "__main__"})
    out = capsys.readouterr().out
    run_id = re.search(r"^next: datamap summarize run_id=(\w+)$", out, re.MULTILINE)[1]
    assert command("summarize", f"run_id={run_id}").code == 0
