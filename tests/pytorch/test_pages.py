"""The pages of PyTorch's trainers: each script runs as it is, and TRL's all the way to a better training file."""

import json
import re
import runpy
import shlex
import sys

import pytest
from mlflow import MlflowClient

from conftest import ROOT, local
from docs_pages import blocks
from explored import texts_of
from trainers import pytestmark as pytestmark
from trainers import torchrun


def script_of(page):
    return next(code for language, code in blocks(f"docs/{page}.md") if language == "python")


@pytest.mark.parametrize("page", ["transformers", "lightning"])
def test_the_script_runs_in_an_empty_folder_and_can_be_summarized(store, capsys, command, monkeypatch, page):
    monkeypatch.setattr(sys, "argv", ["-c"])
    exec(compile(script_of(page), page, "exec"), {"__name__": "__main__"})
    run_id = re.search(r"^next: datamap summarize run_id=(\w+)$", capsys.readouterr().out, re.MULTILINE)[1]
    assert command("summarize", f"run_id={run_id}").code == 0


def test_sft_on_two_processes_becomes_a_training_file_that_trains_again(
    store, shell, python, command, tmp_path, monkeypatch, capsys
):
    script = tmp_path / "sft.py"
    script.write_text(script_of("trl"), encoding="utf-8")
    there = {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    done = shell(torchrun(2, "--no-python", python, script), **there)
    assert done.code == 0, done.err
    ((_, commands),) = [block for block in blocks("docs/trl.md") if block[0] == "sh no-run"]
    for line in commands.splitlines()[1:]:
        _, step, *arguments = shlex.split(line)
        outcome = command(step, *arguments)
        assert outcome.code == 0, outcome.err
    client = MlflowClient()
    newest, trained = client.search_runs(["1"], order_by=["attributes.start_time DESC"])
    texts = texts_of(local(client, trained.info.run_id, "maps/explorer.html"))
    assert texts["text_a"][0] == "what is 0 plus 0 ?"
    curated = local(client, newest.info.run_id, "curated.jsonl")
    rows = [json.loads(line) for line in curated.read_text(encoding="utf-8").splitlines()]
    assert rows and set(rows[0]) == {"prompt", "completion"}
    monkeypatch.setattr(sys, "argv", [str(script), str(curated)])
    runpy.run_path(str(script), run_name="__main__")
    assert f"of {len(rows)} samples" in capsys.readouterr().out
