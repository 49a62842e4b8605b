"""One trial of some faults and of each interrupt of `make faults`, by its programs, so that CI notices."""

import sys

import pytest

from conftest import ROOT


@pytest.mark.parametrize(
    ("program", "only"),
    [
        ("faults", "training killed;server killed;truncated, jsonl;swapped, jsonl"),
        ("interrupts", "summarize;plot;diagnose;curate;compare;import;upload"),
    ],
)
def test_nothing_is_lost(shell, program, only):
    script = str(ROOT / "benchmarks" / f"{program}.py")
    done = shell([sys.executable, script, "trials=1", f"only={only}", "table=no"], timeout=580)
    assert done.code == 0, done.out + done.err
    assert done.out.count("| **") == len(only.split(";")), done.out
