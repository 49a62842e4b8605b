"""Who may import whom (docs/design.md), held against the source."""

import ast
import importlib.util
import os
import subprocess
import sys

import pytest

from conftest import ROOT

PACKAGE = ROOT / "src" / "datamap"

# Package (or module at the top) → those of ours that it may import, at the top or inside a function.
ALLOWED = {
    "__main__": {"cli"},
    "__init__": {"api", "callbacks", "maps", "recording"},
    "api": {"cli", "data", "errors", "pipeline", "schema", "summaries", "tracking"},
    "config": {"errors", "maps", "ranges"},
    "errors": set(),
    "log": {"errors"},
    "program": set(),
    "ranges": {"errors"},
    "schema": set(),
    "translations": {"errors"},
    "signals": {"errors", "schema"},
    "summaries": {"errors", "schema", "signals"},
    "web": set(),
    "maps": {"errors", "ranges", "schema", "translations", "web"},
    "labels": {"errors", "schema", "signals", "translations"},
    "data": {"errors", "schema"},
    "importing": {"errors", "schema", "signals"},
    "review": {"data", "errors", "labels", "schema", "signals", "translations", "web"},
    "paddle_backend": {"data", "errors", "log", "schema", "signals"},
    "training": {
        "config", "data", "errors", "log", "maps", "paddle_backend", "pipeline", "program", "ranges", "schema",
        "signals", "summaries", "tracking",
    },
    "tracking": {"errors", "log", "program", "schema", "translations"},
    "recording": {"errors", "log", "program", "schema", "signals", "summaries", "tracking"},
    "callbacks": {"errors", "recording"},
    "pipeline": {
        "cli", "config", "data", "errors", "importing", "labels", "log", "maps", "paddle_backend", "program", "ranges",
        "review", "schema", "signals", "summaries", "tracking", "training", "translations",
    },
    "cli": {"__version__", "config", "errors", "log", "pipeline", "program", "ranges", "tracking", "training"},
}  # fmt: skip
# What only some may import: a module of ours, or all of a package.
ONLY_IN = {
    "mlflow": {"tracking"},
    "paddle": {"paddle_backend", "callbacks/paddlenlp"},
    "paddlenlp": {"paddle_backend", "data/dataset", "callbacks/paddlenlp"},
    "torch": {"callbacks/transformers"},
    "transformers": {"callbacks/transformers"},
    "lightning": {"callbacks/lightning"},
    "pytorch_lightning": {"callbacks/lightning"},
    "hydra": {"cli/entry", "cli/compose", "cli/overrides"},
    "matplotlib": {"maps"},
    "dask": {"summaries/reduction"},
    "cleanlab": {"labels"},
    "safetensors": {"paddle_backend"},
    "starlette": {"review"},
    "uvicorn": {"review/server"},
}
MODULES = [path.relative_to(PACKAGE).with_suffix("").as_posix() for path in sorted(PACKAGE.rglob("*.py"))]


def imports(path):
    """(our packages or top modules, other packages) that a file imports anywhere."""
    ours, others = set(), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            whole = node.module == "datamap"
            names = (
                [f"datamap.{alias.name}" for alias in node.names if alias.name != "__version__"]
                if whole
                else [node.module]
            )
        for name in names:
            package, _, rest = name.partition(".")
            (ours if package == "datamap" else others).add(
                rest.partition(".")[0] if package == "datamap" else package
            )
    return ours, others


def test_every_module_has_its_place():
    assert {module.partition("/")[0] for module in MODULES} == set(ALLOWED)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module):
    package = module.partition("/")[0]
    ours, others = imports(PACKAGE / f"{module}.py")
    assert ours <= ALLOWED[package] | {package}
    assert not {other for other in others & set(ONLY_IN) if not {module, package} & ONLY_IN[other]}


def test_every_public_function_is_typed():
    spec = importlib.util.spec_from_file_location("house", ROOT / "benchmarks" / "house.py")
    house = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(house)
    untyped, count = [], 0
    for module in MODULES:
        tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
        for node, public, method in house.functions(tree):
            count += public
            if public and not house.is_typed(node, method):
                untyped.append(f"{module}.py:{node.lineno} {node.name}")
    assert count > 300
    assert not untyped


@pytest.mark.parametrize("script", sorted(path.stem for path in (ROOT / "src").glob("*.py")))
def test_scripts_are_wiring(script):
    path = ROOT / "src" / f"{script}.py"
    ours, others = imports(path)
    assert ours == {"cli"}
    assert others <= {"dataclasses"}
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 30
    assert script not in sys.stdlib_module_names


@pytest.mark.parametrize("argument", ["--help", "run_id=latest"])
@pytest.mark.parametrize(
    "script", ["summarize", "plot", "compare", "diagnose", "import_signals", "export_signals"]
)
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
        "assert 'datamap.cli.entry' in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
