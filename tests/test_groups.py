"""Which group a sample is in, and which samples a map shows."""

import numpy as np
import pandas as pd
import pytest

from datamap.errors import MapError
from datamap.maps import groups


def frame(**columns):
    return pd.DataFrame(columns)


def members(found):
    return {group.name: np.flatnonzero(group.mask).tolist() for group in found}


def test_correctness_has_six_groups_with_closed_lower_ends():
    ratios = [0, 0.2, 0.4, 3 / 5, 0.6000000000000001, 0.8, 0.99, 1]
    assert members(groups.by_correctness(frame(correct_ratio=ratios))) == {
        "0 to 0.2": [0],
        "0.2 to 0.4": [1],
        "0.4 to 0.6": [2],
        "0.6 to 0.8": [3, 4],
        "0.8 to 1": [5, 6],
        "1 (always right)": [7],
    }


def test_forgetting_groups():
    summary = frame(forgetting_times=[0, 0, 0, 1, 2, 3, 9], correct_ratio=[0, 0.5, 1, 0.5, 0.5, 0.5, 0.5])
    assert members(groups.by_forgetting(summary)) == {
        "never right": [0],
        "forgotten 3 times or more": [5, 6],
        "forgotten twice": [4],
        "forgotten once": [3],
        "learnt and kept": [1],
        "always right": [2],
    }


def test_learning_groups():
    summary = frame(learnt_times=[0, 0, 0, 1, 2, 3, 9], correct_ratio=[0, 0.5, 1, 0.5, 0.5, 0.5, 0.5])
    assert members(groups.by_learning(summary)) == {
        "never right": [0],
        "learnt 3 times or more": [5, 6],
        "learnt twice": [4],
        "learnt once": [3],
        "right at first, lost": [1],
        "always right": [2],
    }


def test_kinds():
    found = members(groups.by_kind(frame(s_label=[0, 2, 1, 0])))
    assert found == {"normal": [0, 3], "hard": [2], "dirty (flipped label)": [1]}


@pytest.mark.parametrize("name", groups.GROUPINGS)
def test_every_sample_is_in_exactly_one_group(name):
    random = np.random.default_rng(0)
    summary = frame(
        correct_ratio=random.integers(0, 6, 500) / 5,
        forgetting_times=random.integers(0, 5, 500),
        learnt_times=random.integers(0, 5, 500),
        s_label=random.integers(0, 3, 500),
    )
    found = groups.GROUPINGS[name](summary)
    assert (sum(group.mask.astype(int) for group in found) == 1).all()
    assert len({group.color for group in found}) == len({group.marker for group in found}) == len(found)


PLANS = [
    ({}, "data_map", "correctness", []),
    (
        {"criterion": "forgetting_times", "threshold": 1},
        "data_map-forgetting_times_ge_1",
        "correctness",
        ["forgetting_times ≥ 1"],
    ),
    ({"use_f_times": 0}, "forgetting_map", "forgetting", []),
    ({"use_f_times": 2}, "forgetting_map-forgetting_times_ge_2", "forgetting", ["forgetting_times ≥ 2"]),
    (
        {"use_l_times": 1, "criterion": "avg_probs", "threshold": 0.5},
        "learnt_map-learnt_times_ge_1-avg_probs_ge_0.5",
        "learning",
        ["learnt_times ≥ 1", "avg_probs ≥ 0.5"],
    ),
    ({"dirty_label": True}, "dirty_map", "kind", []),
]


@pytest.mark.parametrize(("options", "name", "grouping", "filters"), PLANS)
def test_plan(options, name, grouping, filters):
    plan = groups.plan(**options)
    assert (plan.name, plan.grouping, [str(f) for f in plan.filters]) == (name, grouping, filters)


def test_two_colourings_at_once_are_refused():
    with pytest.raises(MapError, match="use_f_times and use_l_times both choose the colours"):
        groups.plan(use_f_times=0, use_l_times=0)


def test_filters():
    summary = frame(forgetting_times=[0, 1, 2], text=["a", "b", "c"])
    kept = groups.select(summary, [groups.Filter("forgetting_times", 1)])
    assert kept["forgetting_times"].tolist() == [1, 2]
    with pytest.raises(
        MapError, match=r"no sample has forgetting_times ≥ 3: it runs from 0 to 2 over 3 samples"
    ):
        groups.select(summary, [groups.Filter("forgetting_times", 3)])
    with pytest.raises(
        MapError, match=r"'forgeting_times' is not a numeric column.*did you mean forgetting_times\?"
    ):
        groups.select(summary, [groups.Filter("forgeting_times", 3)])
    with pytest.raises(MapError, match="'text' is not a numeric column"):
        groups.select(summary, [groups.Filter("text", 3)])
