"""Who may import whom (docs/design.md), held against the source."""

import ast
import graphlib
import importlib
import sys

import pytest

from conftest import ROOT

PACKAGE = ROOT / "src" / "datamap"

# Package (or module at the top) → those of ours that it may import, at the top or inside a function.
ALLOWED = {
    "__main__": {"cli"},
    "__init__": {"api", "callbacks", "errors", "maps", "recording"},
    "api": {"config", "data", "errors", "log", "maps", "pipeline", "schema", "tracking"},
    "config": {"errors", "maps", "places", "ranges"},
    "digests": set(),
    "documents": {"schema"},
    "encoders": {"errors", "log", "paddle_backend", "signals"},
    "errors": set(),
    "log": {"errors", "translations"},
    "places": set(),
    "processes": {"errors", "log"},
    "program": set(),
    "ranges": {"errors"},
    "schema": set(),
    "translations": {"errors"},
    "signals": {"digests", "errors", "log", "processes", "program", "schema"},
    "tasks": {"errors", "schema", "signals", "translations"},
    "summaries": {"errors", "schema", "signals"},
    "web": set(),
    "maps": {"errors", "ranges", "schema", "translations", "web"},
    "labels": {"errors", "schema", "signals", "tasks", "translations"},
    "data": {"digests", "errors", "schema", "tasks", "translations"},
    "importing": {"digests", "documents", "errors", "schema", "signals", "translations"},
    "review": {"data", "documents", "errors", "labels", "log", "schema", "signals", "translations", "web"},
    "paddle_backend": {"digests", "data", "errors", "log", "processes", "schema", "signals", "tasks"},
    "training": {
        "config", "data", "documents", "errors", "log", "maps", "paddle_backend", "processes", "program", "ranges",
        "recording", "schema", "signals", "summaries", "tasks", "tracking", "translations",
    },
    "tracking": {"digests", "documents", "errors", "log", "program", "schema", "translations"},
    "recording": {
        "documents", "errors", "log", "processes", "program", "schema", "signals", "summaries", "tasks", "tracking",
        "translations",
    },
    "callbacks": {"errors", "log", "processes", "recording", "schema", "signals", "tasks"},
    "pipeline": {
        "config", "data", "digests", "documents", "encoders", "errors", "importing", "labels", "log", "maps",
        "paddle_backend", "places", "program", "ranges", "recording", "review", "schema", "signals", "summaries",
        "tasks", "tracking", "training", "translations",
    },
    "cli": {
        "__version__", "config", "errors", "log", "pipeline", "places", "program", "ranges", "tracking", "training",
        "translations",
    },
}  # fmt: skip
# What only some may import: a module of ours, or all of a package.
ONLY_IN = {
    "mlflow": {"tracking"},
    "paddle": {"paddle_backend", "callbacks/paddle_recording"},
    "paddlenlp": {"paddle_backend", "data/dataset", "callbacks/paddlenlp"},
    "torch": {"callbacks/generation", "callbacks/preferences", "callbacks/transformers", "encoders"},
    "transformers": {"callbacks/transformers", "encoders"},
    "sentence_transformers": {"encoders"},
    "model2vec": {"encoders"},
    "lightning": {"callbacks/lightning"},
    "pytorch_lightning": {"callbacks/lightning"},
    "hydra": {"cli/entry", "cli/compose", "cli/overrides"},
    "matplotlib": {"maps"},
    "dask": {"summaries/reduction"},
    "cleanlab": {"labels"},
    "safetensors": {"paddle_backend"},
    "starlette": {"review"},
    "uvicorn": {"review/connections"},
    # Windows lacks these.
    "fcntl": set(),
    "grp": set(),
    "pwd": set(),
    "resource": {"review/connections"},
    "termios": set(),
}
MODULES = [path.relative_to(PACKAGE).with_suffix("").as_posix() for path in sorted(PACKAGE.rglob("*.py"))]


def imports(path):
    """(our packages or top modules, other packages that its code runs) that a file imports anywhere."""
    ours, others = set(), set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test).endswith("TYPE_CHECKING")
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
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
            if package == "datamap":
                ours.add(rest.partition(".")[0])
            elif node not in typing_only:
                others.add(package)
    return ours, others


def imported(tree):
    """Yield the modules that run-time code imports anywhere; of `from a import b` both a and a.b."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not (isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")):
            yield from imported(node)


@pytest.mark.parametrize("folder", ["src", "benchmarks", "tests"])
def test_no_modules_import_each_other(folder):
    trees = {
        path.relative_to(ROOT / folder).with_suffix("").as_posix().replace("/", "."): ast.parse(
            path.read_text("utf-8")
        )
        for path in (ROOT / folder).rglob("*.py")
        if "egg-info" not in path.as_posix()
    }
    edges = {name: {*imported(tree)} & trees.keys() for name, tree in trees.items()}
    graphlib.TopologicalSorter(
        edges
    ).prepare()  # refuses circles, also those that imports inside functions hide


def test_every_module_of_callbacks_can_be_imported_and_has_no_doctests():
    """Pytest looks for doctests, and so imports modules, everywhere else; tests/test_api.py runs those of autolog."""
    for module in [name for name in MODULES if name.startswith("callbacks/")]:
        assert module == "callbacks/autolog" or ">>>" not in (PACKAGE / f"{module}.py").read_text(
            encoding="utf-8"
        ), module
        if module != "callbacks/paddleformers":  # its package's pins contradict PaddleNLP's
            importlib.import_module(f"datamap.{module.replace('/', '.')}")


def test_every_module_has_its_place():
    assert {module.partition("/")[0] for module in MODULES} == set(ALLOWED)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module):
    package = module.partition("/")[0]
    ours, others = imports(PACKAGE / f"{module}.py")
    assert ours <= ALLOWED[package] | {package}
    assert not {other for other in others & set(ONLY_IN) if not {module, package} & ONLY_IN[other]}


def untyped(node, public=True):
    """Yield the public functions and methods below a node that do not name all their types."""
    for child in ast.iter_child_nodes(node):
        named = public and not (getattr(child, "name", None) or "").startswith("_")
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            a = child.args
            given = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, [a.vararg, a.kwarg])]
            static = any(getattr(name, "id", "") == "staticmethod" for name in child.decorator_list)
            given = given[isinstance(node, ast.ClassDef) and not static :]
            if named and not (child.returns and all(argument.annotation for argument in given)):
                yield child
        else:
            yield from untyped(child, named if isinstance(child, ast.ClassDef) else public)


@pytest.mark.parametrize("module", MODULES)
def test_every_public_function_is_typed(module):
    tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
    assert [f"{module}.py:{node.lineno} {node.name}" for node in untyped(tree)] == []


def test_a_function_without_types_is_found():
    tree = ast.parse(
        "class A:\n  def f(self, x: int): pass\n  def _g(self, x): pass\ndef h(x: int) -> int: pass"
    )
    assert [node.name for node in untyped(tree)] == ["f"]


@pytest.mark.parametrize("script", sorted(path.stem for path in (ROOT / "src").glob("*.py")))
def test_scripts_are_wiring(script):
    path = ROOT / "src" / f"{script}.py"
    ours, others = imports(path)
    assert ours == {"cli"}
    assert others <= {"dataclasses"}
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 30
    assert script not in sys.stdlib_module_names


STEPS = """
import runpy, sys
for script, argument, code in {calls!r}:
    sys.argv = [script, argument]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as stop:
        assert (stop.code or 0) == code, (script, argument, stop.code)
    assert not [name for name in sys.modules if name.startswith("paddle")], (script, argument)
assert "datamap.cli.entry" in sys.modules
"""


def test_steps_after_training_never_import_paddle(small_run, shell):
    runs = f"runs=[{small_run},{small_run[::-1]}]"  # fails when it has read the first
    steps = {
        "summarize": "run_id=latest", "plot": "run_id=latest", "compare": runs, "diagnose": "run_id=latest",
        "import_signals": f"path=mlruns/1/{small_run}/artifacts", "export_signals": f"run_id={small_run}",
    }  # fmt: skip
    calls = [(script, "--help", 0) for script in steps]
    calls += [(script, argument, 2 if argument == runs else 0) for script, argument in steps.items()]
    calls = [(str(ROOT / "src" / f"{script}.py"), argument, code) for script, argument, code in calls]
    done = shell([sys.executable, "-c", STEPS.format(calls=calls)], PYTHONPATH=str(ROOT / "src"))
    assert done.code == 0, done.err


NEEDLESS = """
import importlib, sys
for step, library in {
    "summarize": "sqlalchemy", "explorer": "matplotlib", "plot": "matplotlib", "diagnose": "matplotlib"
}.items():
    importlib.import_module(f"datamap.pipeline.{step}")
    assert not [name for name in sys.modules if name.startswith(library)], step
"""


def test_what_takes_memory_is_imported_when_it_is_needed(shell):
    """A server needs no database here, and the explorer, which `plot` makes first, no Matplotlib."""
    done = shell([sys.executable, "-c", NEEDLESS], PYTHONPATH=str(ROOT / "src"))
    assert done.code == 0, done.err
