"""One trial of each fault of `make faults` (save the full disk, which needs root), so that CI notices."""

import sys

import numpy as np
import pytest

from conftest import ROOT


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import faults

    faults.lab = faults.Lab(tmp_path_factory.mktemp("lab"))
    yield faults
    sys.path.remove(str(ROOT / "benchmarks"))


@pytest.mark.parametrize("name", ["training killed", "server killed", "server lost", "two writers", "reader"])
def test_nothing_is_lost(faults, name):
    assert faults.faults()[name](faults.lab, np.random.default_rng(7)) == (True, 0, 0)


def test_every_damage_is_named(faults):
    import damage

    for trial in damage.DAMAGES.values():
        for number in range(3):
            assert trial(faults.lab, np.random.default_rng(number)) == (True, 0, 0), trial.__doc__
