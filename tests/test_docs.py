"""README and docs: both languages say the same, every link leads somewhere, tables agree with the code."""

import re
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from datamap import schema
from docs_pages import BLOCK, blocks, text_of

READMES = ("README.md", "README.zh-CN.md")
DOCS = ROOT / "docs"
TRANSLATED = sorted(path.name for path in (DOCS / "zh").glob("*.md"))
PAGES = [
    *READMES,
    "CONTRIBUTING.md",
    *sorted(path.relative_to(ROOT).as_posix() for path in DOCS.rglob("*.md")),
]


def prose(name):
    """A page without its blocks of code."""
    return re.sub(BLOCK, "", text_of(name), flags=re.MULTILINE | re.DOTALL)


def links(name):
    return re.findall(r"\]\(([^)\s]+)\)", prose(name))


@pytest.mark.parametrize(
    "pair", [READMES, *((f"docs/{name}", f"docs/zh/{name}") for name in TRANSLATED)], ids=lambda pair: pair[0]
)
def test_both_languages_have_the_same_code_pictures_and_links(pair):
    english, chinese = pair
    assert blocks(english) == blocks(chinese)
    found = []
    for name in pair:
        targets = [link for link in links(name) if not link.startswith(("http", "README"))]
        found.append([(ROOT / name).parent.joinpath(link).resolve() for link in targets])
    untranslated = [
        Path(str(path).replace("/docs/zh/", "/docs/").replace("-zh.png", ".png")) for path in found[1]
    ]
    assert sorted(found[0]) == sorted(untranslated)
    first, second = (re.findall("^#+ ", prose(name), re.M) for name in pair)
    assert first == second


def numbers(name):
    """Return the numbers of a page in order of size, but not those of links and of names."""
    text = re.sub(r"\]\([^)]*\)|<!--.*?-->", " ", text_of(name), flags=re.DOTALL)
    found = re.findall(r"(?<![\w.])(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(?: ?(million|万))?", text)
    scale = {"": 1, "million": 10**6, "万": 10**4}
    return sorted(float(whole.replace(",", "") + part) * scale[unit] for whole, part, unit in found)


@pytest.mark.parametrize(
    "pair", [READMES, *((f"docs/{name}", f"docs/zh/{name}") for name in TRANSLATED)], ids=lambda pair: pair[0]
)
def test_both_languages_have_the_same_numbers(pair):
    """Percentages, thresholds, defaults, and what was measured."""
    english, chinese = map(numbers, pair)
    assert english == chinese


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name):
    for link in links(name):
        if link.startswith(("http://127.0.0.1", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.is_file(), f"{name}: {link}"
        if anchor:
            headings = re.findall("^#+ (.*)", target.read_text(encoding="utf-8"), re.M)
            assert anchor in [re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings], (
                f"{name}: {link}"
            )


def test_the_site_builds_without_warnings(shell, tmp_path):
    """`make docs`."""
    done = shell(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")], cwd=ROOT
    )
    assert done.code == 0, done.err
    assert "WARNING" not in done.err
    pages = {path.relative_to(DOCS).with_suffix(".html").as_posix() for path in DOCS.rglob("*.md")}
    assert pages <= {path.relative_to(tmp_path / "site").as_posix() for path in tmp_path.rglob("*.html")}
    assert not list(tmp_path.rglob("*.py"))
    assert "cdn" not in (tmp_path / "site" / "index.html").read_text()


@pytest.mark.parametrize("name", ["docs/summary.md", "docs/zh/summary.md"])
def test_the_table_of_columns_is_the_contract(name):
    assert re.findall(r"^\| `(\w+)` \|", text_of(name), re.MULTILINE) == [
        *schema.SUMMARY_COLUMNS,
        *schema.FURTHER_COLUMNS,
    ]


def known_names():
    """Keys of all commands, and arguments of what notebooks call and of its callbacks."""
    import inspect

    import datamap
    from datamap.callbacks.trainer import TrainerRecording
    from datamap.config import STEPS, list_keys

    recorder = datamap.SignalRecorder
    called = [*(getattr(datamap, name) for name in datamap.__all__), recorder.record, recorder.commit]
    called.append(TrainerRecording)
    arguments = {argument for function in called for argument in inspect.signature(function).parameters}
    groups = {"data", "engine", "model", "regions", "tracking"}
    foreign = {"axis", "drop_last", "report_to", "remove_unused_columns", "resume_from_checkpoint"}
    foreign |= {"deepspeed", "fsdp", "packing_strategy", "precompute_ref_log_probs"}
    return {key for step in STEPS.values() for key in list_keys(step)} | arguments | groups | foreign


@pytest.mark.parametrize("name", [name for name in PAGES if name != "CONTRIBUTING.md"])
def test_every_key_that_is_named_exists(name):
    quoted = " ".join(re.findall(r"`([^`]+)`", prose(name)))
    named = set(re.findall(r"(?<![\w.&?/-])([a-z][a-z_.]*)=", quoted))
    assert named <= known_names(), named - known_names()


def test_every_command_that_is_named_exists():
    from datamap.cli.entry import COMMANDS

    for name in PAGES:
        lines = [*re.findall(r"`([^`\n]+)`", text_of(name)), *text_of(name).splitlines()]
        named = {found[1] for line in lines if (found := re.match(r"datamap ([a-z]+)\b", line))}
        assert named <= {*COMMANDS}, name


def test_the_design_names_the_artifacts_and_the_keys_of_a_record():
    text = text_of("docs/design.md")
    paths = [value for name, value in vars(schema).items() if name.endswith(("_FILE", "_DIR", "_METRIC"))]
    assert [path for path in paths if path not in text] == []
    record = text.split("### A signal record")[1].split("\n#")[0]
    assert re.findall(r"^\| `(\w+)` \|", record, re.MULTILINE) == [*schema.SIGNAL_COLUMNS]


def test_places_that_contributing_names_exist():
    for path in re.findall(r"`([\w/]+\.(?:py|md|yaml)|[\w/]+/)`", text_of("CONTRIBUTING.md")):
        assert path == "site/" or any((ROOT / folder / path).exists() for folder in ("", "src/datamap")), path
