"""Who may import whom (DESIGN, section 2), held against the source."""

import ast
import os
import re
import subprocess
import sys

import pytest

from conftest import ROOT

PACKAGE = ROOT / "src" / "datamap"

# Module → the modules of ours that it may import, at the top or inside a function.
ALLOWED = {
    "__init__": {"maps", "recording"},
    "errors": set(),
    "schema": set(),
    "signals": {"errors"},
    "shards": {"errors", "schema"},
    "observations": {"errors", "signals"},
    "dynamics": {"errors"},
    "reduction": {"dynamics", "errors", "observations", "shards", "signals", "summary"},
    "summary": {"errors", "schema"},
    "class_probs": {"errors", "shards", "signals"},
    "mislabel": {"errors", "signals"},
    "diagnosis": {"mislabel", "wording"},
    "diagnose_step": {
        "class_probs",
        "diagnosis",
        "dynamics",
        "errors",
        "mislabel",
        "observations",
        "regions",
        "schema",
        "shards",
        "steps",
        "story",
        "summary",
        "tracking",
    },
    "curation": {"errors"},
    "curate_step": {
        "curation",
        "dataset",
        "diagnose_step",
        "errors",
        "schema",
        "steps",
        "story",
        "summary",
        "tracking",
    },
    "passes": {"errors"},
    "pass_step": {"modeling", "outbox", "passes", "schema", "shards", "steps", "training"},
    "comparison": {"errors"},
    "groups": {"errors", "schema"},
    "regions": set(),
    "wording": set(),
    "fonts": set(),
    "marks": {"regions"},
    "maps": {"errors", "fonts", "groups", "marks", "regions", "wording"},
    "live": {"maps"},
    "trajectories": {"shards"},
    "explorer": {"groups", "regions", "wording"},
    "story": {"errors"},
    "textfiles": {"errors"},
    "dataset": {"errors", "schema", "textfiles"},
    "tracking": {"errors", "schema"},
    "tokens": set(),
    "checkpoints": {"errors"},
    "modeling": {"errors", "tokens"},
    "ranks": set(),
    "training": {"checkpoints", "errors", "ranks", "schema", "signals", "modeling"},
    "outbox": {"errors"},
    "recording": {"errors", "outbox", "schema", "shards", "signals", "steps", "summary", "tracking"},
    "callbacks/__init__": set(),
    "callbacks/trainer": {"errors", "recording"},
    "callbacks/transformers": {"callbacks/trainer"},
    "callbacks/paddlenlp": {"callbacks/trainer"},
    "callbacks/lightning": {"callbacks/trainer", "errors", "recording"},
    "config": {"errors"},
    "cli": {"config", "errors"},
    "records": {"errors"},
    "foreign": {"errors", "records", "signals"},
    "sources": {"errors", "foreign", "schema", "shards"},
    "import_step": {
        "dataset",
        "errors",
        "foreign",
        "schema",
        "shards",
        "signals",
        "sources",
        "steps",
        "summary",
        "tracking",
    },
    "compare_step": {
        "comparison",
        "errors",
        "groups",
        "maps",
        "schema",
        "steps",
        "story",
        "summary",
        "tracking",
    },
    "sweep": {"cli", "compare_step", "errors", "steps", "tracking", "train_step"},
    "steps": {
        "dynamics",
        "errors",
        "explorer",
        "groups",
        "maps",
        "outbox",
        "reduction",
        "schema",
        "shards",
        "story",
        "summary",
        "tracking",
        "trajectories",
    },
    "train_step": {
        "checkpoints",
        "dataset",
        "errors",
        "live",
        "modeling",
        "outbox",
        "pass_step",
        "ranks",
        "schema",
        "shards",
        "steps",
        "summary",
        "tracking",
        "training",
    },
}
ONLY_IN = {
    "mlflow": {"tracking"},
    "paddle": {"training", "modeling", "ranks", "callbacks/paddlenlp"},
    "paddlenlp": {"training", "modeling", "dataset", "callbacks/paddlenlp"},
    "torch": {"callbacks/transformers"},
    "transformers": {"callbacks/transformers"},
    "lightning": {"callbacks/lightning"},
    "pytorch_lightning": {"callbacks/lightning"},
    "hydra": {"cli"},
    "matplotlib": {"fonts", "maps", "marks"},
    "dask": {"reduction"},
    "cleanlab": {"mislabel"},
    "safetensors": {"checkpoints"},
}


def imports(path):
    """(our modules, other packages) that a file imports anywhere."""
    ours, others = set(), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            whole = node.module == "datamap"
            names = [f"datamap.{alias.name}" for alias in node.names] if whole else [node.module]
        for name in names:
            package, _, rest = name.partition(".")
            if package == "datamap":
                ours.add(re.match(r"(?:callbacks\.)?\w*", rest)[0].replace(".", "/"))
            else:
                others.add(package)
    return ours, others


def test_every_module_has_its_place():
    files = [path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py")]
    assert {file.as_posix() for file in files} == set(ALLOWED)


@pytest.mark.parametrize("module", ALLOWED)
def test_imports_go_one_way(module):
    ours, others = imports(PACKAGE / f"{module}.py")
    assert ours <= ALLOWED[module]
    assert not {package for package in others & set(ONLY_IN) if module not in ONLY_IN[package]}


@pytest.mark.parametrize("script", sorted(path.stem for path in (ROOT / "src").glob("*.py")))
def test_scripts_are_wiring(script):
    path = ROOT / "src" / f"{script}.py"
    ours, others = imports(path)
    assert ours <= {"cli", "steps", "sweep"} | {name for name in ALLOWED if name.endswith("_step")}
    assert others <= {"dataclasses"}
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 30
    assert script not in sys.stdlib_module_names


@pytest.mark.parametrize("argument", ["--help", "run_id=latest"])
@pytest.mark.parametrize("script", ["summarize", "plot", "compare", "diagnose", "import_signals", "export_signals"])
def test_steps_after_training_never_import_paddle(small_run, script, argument):
    if script == "compare" and argument != "--help":
        argument = f"runs=[{small_run},{small_run[::-1]}]"  # fails when it has read the first
    if script == "import_signals" and argument != "--help":
        argument = f"path=mlruns/1/{small_run}/artifacts"
    code = (
        f"import sys, runpy; sys.argv = ['x', '{argument}']\n"
        f"try: runpy.run_path({str(ROOT / 'src' / script) + '.py'!r}, run_name='__main__')\n"
        f"except SystemExit as stop: assert not stop.code or {argument[:4] == 'runs'}, stop.code\n"
        "assert not [m for m in sys.modules if m.startswith('paddle')]\n"
        "assert 'datamap.cli' in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
