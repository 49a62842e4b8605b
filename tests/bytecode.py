"""Bytecode for environments that tests make: compiling MLflow and Paddle takes longer than installing them."""

import sys
import sysconfig
from importlib.util import cache_from_source
from pathlib import Path


def share_bytecode(environment):
    """Give an environment the bytecode of the modules of this process whose sources it has, to the byte."""
    ours = Path(sysconfig.get_path("purelib"))
    (theirs,) = environment.glob("lib/*/site-packages")
    for source in [Path(getattr(module, "__file__", None) or "") for module in list(sys.modules.values())]:
        compiled = Path(cache_from_source(source)) if source.suffix == ".py" else source
        if source.is_relative_to(ours) and compiled.suffix == ".pyc" and compiled.exists():
            twin = theirs / source.relative_to(ours)
            if twin.exists() and twin.read_bytes() == source.read_bytes():
                _write(compiled.read_bytes(), twin)


def _write(code, source):
    """Write bytecode as that of a source; it says how old that is (PEP 552)."""
    if code[4:8] == bytes(4):  # else it says which text that has
        code = code[:8] + (int(source.stat().st_mtime) & 0xFFFFFFFF).to_bytes(4, "little") + code[12:]
    target = Path(cache_from_source(source))
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(code)
