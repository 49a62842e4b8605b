"""One trial of some faults and of each interrupt of `make faults`, by its programs, so that CI notices."""

import pytest

from conftest import ROOT
from processes import Process


@pytest.mark.parametrize(
    ("program", "only"),
    [
        ("faults", "training killed;server killed;truncated, jsonl;swapped, jsonl"),
        ("interrupts", "summarize;plot;diagnose;curate;compare;import;upload"),
    ],
)
def test_nothing_is_lost(program, only):
    script = str(ROOT / "benchmarks" / f"{program}.py")
    process = Process(script, ["trials=1", f"only={only}", "table=no"])
    printed = process.rest()
    assert process.returncode == 0, printed
    assert printed.count("| **") == len(only.split(";")), printed
