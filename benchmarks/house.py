"""Measure the house: files and lines per folder, functions, parameters, import depth, share of typed functions.

    python benchmarks/house.py [folder of a clone …]

Lines of a function go from `def` to its end, without the docstring; parameters are without self and cls. Public is what
has no leading underscore, nor a class with one around it; typed is what names the types of all parameters and of
the result.
"""

import ast
import statistics
import sys
from functools import cache
from pathlib import Path


def functions(tree, public=True):
    """(node, whether it is public, whether it is a method) of every function."""
    for node in ast.iter_child_nodes(tree):
        named = public and not (getattr(node, "name", None) or "").startswith("_")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, named, isinstance(tree, ast.ClassDef)
            yield from functions(node, False)
        else:
            yield from functions(node, named if isinstance(node, ast.ClassDef) else public)


def length(node):
    doc = node.body[0] if ast.get_docstring(node) else None
    return node.end_lineno - node.lineno + 1 - (doc.end_lineno - doc.lineno + 1 if doc else 0)


def parameters(node, method):
    args = node.args
    found = [*args.posonlyargs, *args.args, *args.kwonlyargs, *filter(None, (args.vararg, args.kwarg))]
    static = any(getattr(decorator, "id", "") == "staticmethod" for decorator in node.decorator_list)
    return found[1:] if method and not static else found


def is_typed(node, method):
    return bool(node.returns) and all(parameter.annotation for parameter in parameters(node, method))


def chain(modules):
    """The longest chain of imports among our modules, without those inside functions, as a list of names."""

    def imported(name):
        for node in modules[name].body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("datamap"):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
                yield node.module

    @cache
    def longest(name):
        below = [longest(other) for other in set(imported(name)) & set(modules) - {name}]
        return [name, *max(below, key=len, default=[])]

    return max(map(longest, modules), key=len)


def measure(clone):
    """Rows (what, value) for one clone."""
    source = Path(clone, "src")
    paths = sorted((source / "datamap").rglob("*.py"))
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}
    found = [entry for tree in trees.values() for entry in functions(tree)]
    lengths = sorted(length(node) for node, _, _ in found)
    counts = [len(parameters(node, method)) for node, _, method in found]
    files = [len(path.read_text(encoding="utf-8").splitlines()) for path in paths]
    public = [(node, method) for node, named, method in found if named]
    typed = [node for node, method in public if is_typed(node, method)]
    folders = {}
    for path in paths:
        folders.setdefault(path.parent.relative_to(source).as_posix(), []).append(path)
    modules = {".".join(path.relative_to(source).with_suffix("").parts): tree for path, tree in trees.items()}
    deepest = chain({name.removesuffix(".__init__"): tree for name, tree in modules.items()})
    yield "files in `src/datamap/`", str(len(paths))
    yield (
        "folders; files per folder, median and most",
        (
            f"{len(folders)}; {statistics.median(map(len, folders.values())):g}, {max(map(len, folders.values()))}"
        ),
    )
    yield "lines; per file, median and most", f"{sum(files):,}; {statistics.median(files):g}, {max(files)}"
    yield "functions", f"{len(found):,}"
    yield (
        "lines per function, median / 90 % / most",
        (f"{statistics.median(lengths):g} / {lengths[int(0.9 * len(lengths))]} / {lengths[-1]}"),
    )
    yield "parameters, median / most", f"{statistics.median(counts):g} / {max(counts)}"
    yield "longest chain of imports", f"{len(deepest)} modules"
    yield "public functions with types", f"{len(typed)} of {len(public)} ({len(typed) / len(public):.0%})"


def main():
    clones = sys.argv[1:] or [Path(__file__).parents[1]]
    columns = [dict(measure(clone)) for clone in clones]
    print(f"| measure | {' | '.join(map(str, clones))} |\n|---|{'---:|' * len(clones)}")
    for what in columns[0]:
        print(f"| {what} | {' | '.join(column[what] for column in columns)} |")


if __name__ == "__main__":
    main()
