"""Measure the house: files, lines, functions, parameters, imports and circles of `src/datamap`.

    python benchmarks/house.py [folder of a clone or revision of this repository …]

For example `python benchmarks/house.py 3e867e7 .` compares that commit with the working tree. Below the table stand the
circles and the late imports of the last column.

- Code lines are neither blank, nor comments alone, nor docstrings.
- Lines of a function go from `def` to its end, without the docstring; parameters are without self and cls.
- Public is what has no leading underscore, nor a class with one around it; typed is what names the types of all
  parameters and of the result.
- A chain of imports counts those at the top of modules. A circle is a group of modules that reach each other, by
  imports inside functions too. Imports for type checkers do not count.
- A late import stands inside a function, and neither brings a heavy or optional library nor a module that does.
"""

import ast
import io
import statistics
import subprocess
import sys
import tarfile
import tempfile
import tokenize
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Libraries that take a tenth of a second or more to import, that only an extra installs, or that Windows lacks.
HEAVY = {
    "PIL", "accelerate", "charset_normalizer", "cleanlab", "dask", "distributed", "huggingface_hub", "hydra",
    "joblib", "lightning", "matplotlib", "ml_dtypes", "mlflow", "model2vec", "openpyxl", "paddle", "paddlenlp",
    "pandas", "psutil", "pyarrow", "pytorch_lightning", "requests", "resource", "scipy",
    "sentence_transformers", "seqeval", "sklearn", "sqlalchemy", "starlette", "threadpoolctl", "torch", "tqdm",
    "transformers", "umap", "uvicorn",
}  # fmt: skip
SILENT = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
    tokenize.ENDMARKER,
}  # fmt: skip


def functions(tree, public=True):
    """Yield (node, whether it is public, whether it is a method) of every function."""
    for node in ast.iter_child_nodes(tree):
        named = public and not (getattr(node, "name", None) or "").startswith("_")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, named, isinstance(tree, ast.ClassDef)
            yield from functions(node, False)
        else:
            yield from functions(node, named if isinstance(node, ast.ClassDef) else public)


def length(node):
    """Count the lines of a function."""
    return node.end_lineno - node.lineno + 1 - len(_docstring(node))


def _docstring(node):
    """Return the range of lines that a docstring takes."""
    first = node.body[0] if node.body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        return range(first.lineno, first.end_lineno + 1)
    return range(0)


def code_lines(text, tree):
    """Count the lines that hold code."""
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in SILENT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            lines.difference_update(_docstring(node))
    return len(lines)


def parameters(node, method):
    """List the parameters of a function."""
    args = node.args
    found = [*args.posonlyargs, *args.args, *args.kwonlyargs, *filter(None, (args.vararg, args.kwarg))]
    static = any(getattr(decorator, "id", "") == "staticmethod" for decorator in node.decorator_list)
    return found[1:] if method and not static else found


def is_typed(node, method):
    """Tell whether a function names all its types."""
    return bool(node.returns) and all(parameter.annotation for parameter in parameters(node, method))


def imports(tree, late=False):
    """Yield (name, whether it is imported inside a function); of `from a import b` both `a` and `a.b`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module, late
            yield from ((f"{node.module}.{alias.name}", late) for alias in node.names)
        elif not (isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")):
            yield from imports(node, late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def closure(edges):
    """Return {name: every name that it reaches}."""
    reached = {name: set(others) for name, others in edges.items()}
    changed = True
    while changed:
        changed = False
        for others in reached.values():
            more = set().union(*(reached[other] for other in others)) - others
            others |= more
            changed = changed or bool(more)
    return reached


def circles(edges):
    """List the groups of modules that reach each other."""
    reached = closure(edges)
    groups = {frozenset(b for b in reached[a] if a in reached[b]) for a in reached if a in reached[a]}
    return sorted(map(sorted, groups))


def late_imports(trees):
    """List "module imports name" of imports inside functions that bring no heavy library."""
    early = {name: {n for n, late in imports(tree) if not late} for name, tree in trees.items()}
    reached = closure({name: found & trees.keys() - {name} for name, found in early.items()})
    heavy = {
        name
        for name in trees
        if any(_top(other) in HEAVY for module in {name, *reached[name]} for other in early[module])
    }
    found = []
    for name, tree in trees.items():
        named = {n for n, late in imports(tree) if late}
        packages = {n for n in named if n in trees and any(other.startswith(f"{n}.") for other in named)}
        ours = (named & trees.keys()) - heavy - packages
        light = {_top(n) for n in named} - HEAVY - {"datamap"}
        found += [f"{name} imports {n}" for n in sorted(ours | light)]
    return found


def _top(name):
    return name.partition(".")[0]


def chain(edges):
    """Return the longest chain of imports as a list of names."""

    @cache
    def longest(name):
        return [name, *max((longest(other) for other in edges[name]), key=len, default=[])]

    return max(map(longest, edges), key=len)


def read(clone):
    """Return ({path from src/: text}, {path from src/: tree}) of a clone."""
    source = Path(clone, "src")
    paths = sorted((source / "datamap").rglob("*.py"))
    texts = {path.relative_to(source): path.read_text(encoding="utf-8") for path in paths}
    return texts, {path: ast.parse(text) for path, text in texts.items()}


def measure(clone):
    """Return ({measure: value}, notes) of a clone."""
    texts, trees = read(clone)
    modules = {".".join(p.with_suffix("").parts).removesuffix(".__init__"): tree for p, tree in trees.items()}
    every = {name: {n for n, _ in imports(tree)} & modules.keys() - {name} for name, tree in modules.items()}
    early = {
        name: {n for n, late in imports(tree) if not late} & modules.keys() - {name}
        for name, tree in modules.items()
    }
    found, late = circles(every), late_imports(modules)
    rows = dict(_of_files(texts, trees)) | dict(_of_functions(trees))
    rows["longest chain of imports"] = f"{len(chain(early))} modules" if not circles(early) else "endless"
    rows["circles of modules"] = str(len(found))
    rows["imports inside functions for nothing heavy"] = str(len(late))
    return rows, [*(f"circle: {' ↔ '.join(circle)}" for circle in found), *(f"late: {line}" for line in late)]


def _of_files(texts, trees):
    files = [len(text.splitlines()) for text in texts.values()]
    code = [code_lines(text, trees[path]) for path, text in texts.items()]
    folders = {}
    for path in texts:
        folders.setdefault(path.parent, []).append(path)
    sizes = [len(paths) for paths in folders.values()]
    yield "files in `src/datamap/`", str(len(texts))
    yield (
        "folders; files per folder, median and most",
        f"{len(folders)}; {statistics.median(sizes):g}, {max(sizes)}",
    )
    yield "lines; per file, median and most", f"{sum(files):,}; {statistics.median(files):g}, {max(files)}"
    yield "code lines; per file, median and most", f"{sum(code):,}; {statistics.median(code):g}, {max(code)}"


def _of_functions(trees):
    found = [entry for tree in trees.values() for entry in functions(tree)]
    lengths = sorted(length(node) for node, _, _ in found)
    counts = [len(parameters(node, method)) for node, _, method in found]
    public = [(node, method) for node, named, method in found if named]
    typed = [node for node, method in public if is_typed(node, method)]
    yield "functions", f"{len(found):,}"
    yield (
        "lines per function, median / 90 % / most",
        f"{statistics.median(lengths):g} / {lengths[int(0.9 * len(lengths))]} / {lengths[-1]}",
    )
    yield "parameters, median / most", f"{statistics.median(counts):g} / {max(counts)}"
    yield "public functions with types", f"{len(typed)} of {len(public)} ({len(typed) / len(public):.0%})"


def measure_revision(revision):
    """Measure a commit of this repository."""
    archive = subprocess.run(
        ["git", "archive", revision, "src"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        return measure(folder)


def main():
    """Print the table, a column for each clone or revision."""
    names = sys.argv[1:] or [ROOT]
    measured = [measure(name) if Path(name).is_dir() else measure_revision(name) for name in names]
    columns = [rows for rows, _ in measured]
    print(f"| measure | {' | '.join(map(str, names))} |\n|---|{'---:|' * len(names)}")
    for what in columns[0]:
        print(f"| {what} | {' | '.join(column[what] for column in columns)} |")
    print()
    for note in measured[-1][1]:
        print(note)


if __name__ == "__main__":
    main()
