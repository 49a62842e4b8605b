"""docs/your-own-training: every Python block runs as it is, and both languages have the same ones."""

import re
import sys

import pytest

from conftest import ROOT

FILES = ("your-own-training.md", "your-own-training.zh-CN.md")


def text_of(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def blocks(name):
    return re.findall(r"^```(\w+)\n(.*?)^```", text_of(name), re.MULTILINE | re.DOTALL)


PYTHON = [code for language, code in blocks(FILES[0]) if language == "python"]


def test_both_languages_have_the_same_code_and_the_same_names():
    first, second = FILES
    assert blocks(first) == blocks(second)
    assert len(PYTHON) == 6
    assert re.findall("^### (.*)", text_of(first), re.M) == re.findall("^### (.*)", text_of(second), re.M)


def test_the_signature_is_the_codes():
    import inspect

    import datamap

    signature = inspect.signature(datamap.SignalRecorder)
    assert f"`datamap.SignalRecorder{signature}`".replace("'", '"') in text_of(FILES[0])


@pytest.mark.parametrize(
    "code", PYTHON, ids=[re.search("import (?!numpy|pandas|datamap)(\\w+)|$", c)[1] for c in PYTHON]
)
def test_every_example_runs_in_an_empty_folder_and_can_be_summarized(store, shell, command, code):
    outcome = shell([sys.executable, "-c", code], PYTHONPATH=str(ROOT / "src"))
    assert outcome.code == 0, outcome.err
    run_id = re.search(r"^next: datamap summarize run_id=(\w+)$", outcome.out, re.MULTILINE)[1]
    assert command("summarize", f"run_id={run_id}").code == 0
