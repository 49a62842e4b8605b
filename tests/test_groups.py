"""The group of a sample, and the samples that a map shows."""

import numpy as np
import pandas as pd
import pytest

from datamap.errors import MapError
from datamap.maps import groups, plans
from datamap.maps.options import MapOptions


def frame(**columns):
    return pd.DataFrame(columns)


def members(found):
    return {group.name: np.flatnonzero(group.mask).tolist() for group in found}


def split(column, summary, **options):
    return groups.split(summary, groups.rules_of(summary, column, **options), options.get("lang", "en"))


def test_correctness_has_six_groups_with_closed_lower_ends():
    ratios = [0, 0.2, 0.4, 3 / 5, 0.6000000000000001, 0.8, 0.99, 1]
    assert members(split("correct_ratio", frame(correct_ratio=ratios))) == {
        "0 to 0.2": [0],
        "0.2 to 0.4": [1],
        "0.4 to 0.6": [2],
        "0.6 to 0.8": [3, 4],
        "0.8 to 1": [5, 6],
        "1 (always right)": [7],
    }


def test_a_share_is_in_its_group_however_it_was_divided():
    """2 of 5, 4 of 10, … are 0.4, whatever the last bit of the quotient is."""
    shares = [(n * k, n * 5) for n in range(1, 400) for k in range(6)]
    summary = frame(correct_ratio=[right / times for right, times in shares])
    expected = [right * 5 // times for right, times in shares]
    found = split("correct_ratio", summary)
    assert [int(np.flatnonzero([g.mask[i] for g in found])[0]) for i in range(len(shares))] == expected


def test_forgetting_groups():
    summary = frame(forgetting_times=[0, 0, 0, 1, 2, 3, 9], correct_ratio=[0, 0.5, 1, 0.5, 0.5, 0.5, 0.5])
    assert members(split("forgetting_times", summary)) == {
        "never right": [0],
        "forgotten 3 times or more": [5, 6],
        "forgotten twice": [4],
        "forgotten once": [3],
        "learned and kept": [1],
        "always right": [2],
    }


def test_learning_groups():
    summary = frame(learnt_times=[0, 0, 0, 1, 2, 3, 9], correct_ratio=[0, 0.5, 1, 0.5, 0.5, 0.5, 0.5])
    assert members(split("learnt_times", summary)) == {
        "never right": [0],
        "learned 3 times or more": [5, 6],
        "learned twice": [4],
        "learned once": [3],
        "right at first, then forgotten": [1],
        "always right": [2],
    }


def test_kinds():
    found = members(split("s_label", frame(s_label=[0, 2, 1, 0])))
    assert found == {"normal": [0, 3], "hard": [2], "dirty (flipped label)": [1]}


def test_steps_of_a_number_and_what_has_none():
    values = [0, 1, 5.999, 6, np.nan, np.inf, -np.inf, 1e300]
    assert members(split("loss_mean", frame(loss_mean=values))) == {
        "0 to 1": [0], "1 to 2": [1], "2 to 3": [], "3 to 4": [], "4 to 5": [], "5 to 6": [2, 3],
        "no value": [4, 5, 6, 7],
    }  # fmt: skip
    assert members(split("x", frame(x=[2.5, 2.5]))) == {"2.5": [0, 1]}
    assert members(split("x", frame(x=[np.nan, np.nan]))) == {"no value": [0, 1]}
    assert members(split("times", frame(times=[3, 1, 3]))) == {"1": [1], "3": [0, 2]}


def test_the_rare_of_many_classes_share_a_group():
    labels = np.repeat(range(9), [5, 1, 5, 5, 2, 5, 5, 5, 3])
    found = split("label", frame(label=labels), class_names=("normal", "hard", "other"), lang="zh")
    # The users' words stay as they are, whatever the language.
    assert [group.name for group in found] == ["normal", "other", "3", "5", "6", "7", "其他"]
    assert sorted(labels[found[-1].mask]) == [1, 4, 4, 8, 8, 8]


@pytest.mark.parametrize("column", [*groups.GROUPINGS, "label", "loss_mean"])
def test_every_sample_is_in_exactly_one_group(column):
    random = np.random.default_rng(0)
    summary = frame(
        correct_ratio=np.r_[random.integers(0, 6, 499) / 5, np.nan],
        forgetting_times=random.integers(0, 5, 500),
        learnt_times=random.integers(0, 5, 500),
        s_label=random.integers(0, 4, 500),
        label=random.integers(0, 12, 500),
        loss_mean=np.r_[random.normal(size=499), np.inf],
    )
    found = split(column, summary)
    assert (sum(group.mask.astype(int) for group in found) == 1).all()
    assert len({group.color for group in found}) == len({group.marker for group in found}) == len(found)


PLANS = [
    ({}, "data_map", "correct_ratio", []),
    (
        {"criterion": "forgetting_times", "threshold": 1},
        "data_map-forgetting_times_ge_1",
        "correct_ratio",
        ["forgetting_times ≥ 1"],
    ),
    ({"use_f_times": 0}, "forgetting_map", "forgetting_times", []),
    (
        {"use_f_times": 2},
        "forgetting_map-forgetting_times_ge_2",
        "forgetting_times",
        ["forgetting_times ≥ 2"],
    ),
    (
        {"use_l_times": 1, "criterion": "avg_probs", "threshold": 0.5},
        "learnt_map-learnt_times_ge_1-avg_probs_ge_0.5",
        "learnt_times",
        ["learnt_times ≥ 1", "avg_probs ≥ 0.5"],
    ),
    ({"dirty_label": True}, "dirty_map", "s_label", []),
    ({"color": "s_label"}, "dirty_map", "s_label", []),
    (
        {"color": "loss_mean", "facet": "label", "contours": True, "x": "el2n"},
        "data_map-color_loss_mean-x_el2n-facet_label-contours",
        "loss_mean",
        [],
    ),
]


@pytest.mark.parametrize(("options", "name", "color", "filters"), PLANS)
def test_plan(options, name, color, filters):
    plan = plans.make_plan(MapOptions(**options))
    assert (plan.name, plan.color, [str(f) for f in plan.filters]) == (name, color, filters)


def test_two_colourings_at_once_are_refused():
    with pytest.raises(MapError, match="use_f_times and use_l_times both choose the colors"):
        plans.make_plan(MapOptions(use_f_times=0, use_l_times=0))


def test_filters():
    summary = frame(forgetting_times=[0, 1, 2], text=["a", "b", "c"])
    kept = plans.select(summary, [plans.Filter("forgetting_times", 1)])
    assert kept["forgetting_times"].tolist() == [1, 2]
    with pytest.raises(
        MapError, match=r"no sample has forgetting_times ≥ 3: the 3 samples have forgetting_times from 0 to 2"
    ):
        plans.select(summary, [plans.Filter("forgetting_times", 3)])
    with pytest.raises(
        MapError, match=r"=forgeting_times is not a numeric column.*did you mean forgetting_times\?"
    ):
        plans.select(summary, [plans.Filter("forgeting_times", 3)])
    with pytest.raises(MapError, match="=text is not a numeric column"):
        plans.select(summary, [plans.Filter("text", 3)])
