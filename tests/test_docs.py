"""The two READMEs say the same, and their tables agree with the code."""

import re

import pytest

from conftest import ROOT
from datamap import schema

READMES = ("README.md", "README.zh-CN.md")
PYTHON = r"```python\n.*?```"


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name):
    """Fenced blocks of shell commands, in order: [(info, commands), …]."""
    return re.findall(r"^```(sh[^\n]*)\n(.*?)^```", text_of(name), re.MULTILINE | re.DOTALL)


def test_both_readmes_have_the_same_commands_and_pictures():
    first, second = READMES
    assert blocks(first) == blocks(second)
    assert re.findall(PYTHON, text_of(first), re.DOTALL) == re.findall(PYTHON, text_of(second), re.DOTALL)
    linked = [re.findall(r"\]\((docs/[^)]*)\)", text_of(name)) for name in READMES]
    assert linked[0] == [path.replace(".zh-CN.md", ".md") for path in linked[1]]
    for path in {*linked[0], *linked[1]}:
        assert (ROOT / path).is_file(), path


@pytest.mark.parametrize("name", READMES)
def test_the_table_of_columns_is_the_contract(name):
    section = text_of(name).split("### summary.tsv")[1].split("\n#")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [
        *schema.SUMMARY_COLUMNS,
        *schema.FURTHER_COLUMNS,
    ]


@pytest.mark.parametrize("name", READMES)
def test_every_key_that_is_named_exists(name):
    from datamap.commands.config import STEPS, keys

    known = {key for step in STEPS.values() for key in keys(step)} | {"data", "model", "tracking"}
    text = re.sub(PYTHON, "", text_of(name), flags=re.DOTALL)
    named = set(re.findall(r"(?<![\w.&?/-])([a-z][a-z_.]*)=", " ".join(re.findall(r"`([^`]+)`", text))))
    assert named - {"run_id"} <= known, named - known


def test_the_scripts_of_ci_call_the_readmes_test_command():
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert ("sh no-run", "make test\n") in blocks("README.md")
