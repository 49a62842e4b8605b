"""Rules of curation: which samples stay, with which labels; and what an edited diagnosis may look like."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamap.data import spreadsheet
from datamap.errors import DataError
from datamap.labels import curation
from datamap.tracking.store import Store
from reviewed import made_run


def samples_of(count=8):
    """Samples 0 … n−1 with a rising score, a falling confidence, and labels no, yes, no, yes …"""
    places = np.arange(count)
    return pd.DataFrame(
        {
            "id": places,
            "label": np.where(places % 2, "yes", "no"),
            "proposed": np.where(places % 2, "no", "yes"),
            "score": places / count,
            "rank": places[::-1],
            "avg_probs": 1 - places / count,
            "label_var": np.where(places < count // 2, places / 100, 0.0),
            "correct_times": np.where(places == count - 1, 0, 3),
            "forgetting_times": np.where(places == 2, 2, 0),
        }
    )


def kept(choice):
    return np.flatnonzero(choice.kept).tolist()


def test_clean_drops_the_highest_scores_and_leaves_the_labels():
    choice = curation.clean(samples_of(), 3)
    assert kept(choice) == [0, 1, 2, 3, 4]
    assert choice.labels.tolist() == samples_of()["label"].tolist()


def test_relabelled_gives_the_highest_scores_the_proposed_label():
    choice = curation.relabelled(samples_of(), 2)
    assert choice.kept.all()
    assert choice.labels.tolist() == ["no", "yes", "no", "yes", "no", "yes", "yes", "no"]


def test_nothing_is_relabelled_where_nothing_is_proposed():
    samples = samples_of().assign(proposed="")
    assert curation.relabelled(samples, 8).labels.tolist() == samples["label"].tolist()


def test_ambiguous_keeps_the_largest_variance():
    assert kept(curation.ambiguous(samples_of(), 2)) == [2, 3]


def test_both_ends_keeps_as_many_easy_ones():
    assert kept(curation.both_ends(samples_of(), 4)) == [0, 1, 2, 3]
    assert kept(curation.both_ends(samples_of(), 3)) == [0, 1, 3]


def test_forgettable_keeps_the_forgotten_and_the_never_learnt():
    assert kept(curation.forgettable(samples_of(), 0)) == [2, 7]


@pytest.mark.parametrize("rule", curation.RULES)
def test_balanced_keeps_as_many_of_each_class(rule):
    choice = curation.RULES[rule](samples_of().assign(label=["no"] * 6 + ["yes"] * 2), 4)
    found = curation.balance_classes(choice)
    counts = pd.Series(found.labels[found.kept]).value_counts()
    assert counts.nunique() == 1
    assert not (found.kept & ~choice.kept).any()


def test_balanced_keeps_the_rules_best():
    samples = samples_of().assign(label=["no"] * 6 + ["yes"] * 2)
    assert kept(curation.balance_classes(curation.clean(samples, 0))) == [0, 1, 6, 7]


def test_balanced_leaves_both_ends_of_the_larger_class():
    """Of 20 samples 10 are varied and 10 easy; class no has 14 of them, class yes 3 of each end."""
    samples = samples_of(20).assign(
        label=["no"] * 7 + ["yes"] * 3 + ["yes"] * 3 + ["no"] * 7,
        label_var=[0.1] * 10 + [0.0] * 10,
        avg_probs=[0.5] * 10 + [0.9] * 10,
    )
    found = curation.balance_classes(curation.both_ends(samples, 20))
    assert (found.kept[:7].sum(), found.kept[13:].sum()) == (3, 3)
    assert found.kept[7:13].all()


def test_balanced_keeps_the_never_learnt_first():
    samples = samples_of().assign(label=["no"] * 6 + ["yes"] * 2, correct_times=[3, 0, 3, 3, 3, 3, 0, 3])
    assert kept(curation.balance_classes(curation.forgettable(samples, 0))) == [1, 6]


def test_a_class_with_one_sample_left_goes():
    choice, lone = curation.drop_lone_samples(
        curation.clean(samples_of().assign(label=["no"] * 7 + ["yes"]), 0)
    )
    assert (kept(choice), lone) == ([0, 1, 2, 3, 4, 5, 6], ["yes"])


def test_ties_of_the_rounded_score_follow_the_diagnosis():
    samples = samples_of(2).assign(score=0.9, rank=[1, 0])
    assert kept(curation.clean(samples, 1)) == [0]


def corrections(content, ids=range(8), class_names=("no", "yes")):
    return curation.corrections(
        spreadsheet.read(content, "my.tsv", ("id", "label")), "my.tsv", ids, class_names
    )


def edited(text):
    return corrections(text.encode())


def decided(rule, samples, labels, count=3):
    return curation.apply_decisions(curation.RULES[rule](samples, count), samples, labels)


@pytest.mark.parametrize("rule", curation.RULES)
@pytest.mark.parametrize("balance", [False, True])
@given(
    labels=st.dictionaries(st.sampled_from([str(k) for k in range(8)]), st.sampled_from(["no", "yes", None]))
)
def test_decisions_of_people_win_in_every_rule(rule, balance, labels):
    samples = samples_of()
    given_labels = samples["label"].to_numpy(object)
    choice = decided(rule, samples, labels)
    choice, _ = curation.keep_every_class(choice, given_labels, choice.order, 0.5)
    choice = curation.balance_classes(choice) if balance and choice.kept.any() else choice
    for key, label in labels.items():
        assert choice.kept[int(key)] == (label is not None)
        assert label in (None, choice.labels[int(key)])
    others = [row for row in range(8) if str(row) not in labels]
    untouched = curation.RULES[rule](samples, 3)
    assert set(choice.labels[others]) <= {*untouched.labels[others], *given_labels[others]}


def test_corrections_from_a_spreadsheet():
    labels = edited('\ufeffid\tlabel\twhy\r\n3\t"no"\t"a ""b"""\r\n0\tdrop\t\r\n1\tyes\tx\r\n')
    choice = decided("corrected", samples_of(), labels)
    assert kept(choice) == [1, 2, 3, 4, 5, 6, 7]
    assert choice.labels[3] == "no"
    assert choice.labels[1:3].tolist() == ["yes", "no"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id\tlabel\n1\tyse\n", "my.tsv, row 2: the run has no class 'yse'; did you mean yes? (classes: "),
        ("id\tlabel\n1\tyes\n77\tno\n", "my.tsv, row 3: the run has no id 77"),
        ("id\tlabel\n1\tyes\n1\tno\n", "my.tsv, row 3: id 1 is named twice"),
        ("id|label\n1|yes\n", "my.tsv has no column id (columns: id|label); save it as .xlsx"),
        ("", "my.tsv has no rows; save it as .xlsx"),
        ("id\tid\tlabel\n", "my.tsv has several columns id (columns: id, id, label); save it"),
        ('id\tlabel\n1\t"no\n', "my.tsv, line 2: a quotation mark is never closed; save it as .xlsx"),
        ("\n\t\n", "my.tsv has no rows; save it as .xlsx"),
        ("\nid\tlabel\n1\tmaybe\n", "my.tsv, row 3: the run has no class 'maybe'"),
        ("id\tlabel\n\n1\tno\tyes\n", "my.tsv, row 3: 3 columns instead of 2; save it as .xlsx"),
    ],
)  # fmt: skip
def test_corrections_that_cannot_be_used(text, message):
    with pytest.raises(DataError) as caught:
        edited(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        "id\tlabel\r\n1\tno\r\n2\tDrop\r\n".encode("utf-16"),  # Excel's "Unicode text"
        'id,label,why\n1,no,"a, b"\n2, drop ,\n,,\n'.encode("utf-8-sig"),  # "CSV UTF-8", with an empty row
        b"id\tlabel\r1\tno\r2\tdrop\r",  # line ends of old Mac programs
        b"\n;\nid;label\n\n1;no\n2;drop\n",  # empty rows above the header
    ],
)
def test_corrections_as_spreadsheets_save_them(content):
    assert corrections(content) == {"1": "no", "2": None}


def test_lost_zeros_and_names_with_spaces():
    with pytest.raises(DataError, match=r"the run has no id 7 \(leading zeros lost\? it has 007\)"):
        corrections(b"id\tlabel\n7\tno\n", ["007"])
    assert corrections(b"id\tlabel\n7\tno\n", [7], (" no", "yes")) == {"7": " no"}


def test_corrections_in_another_encoding():
    with pytest.raises(DataError, match="my.tsv, line 2: not UTF-8; save it as .xlsx"):
        corrections("id\tlabel\n1\t是\n".encode("gbk"), [1], ("是", "否"))


def test_a_class_named_drop_is_a_class():
    names = ("Drop", "keep")
    assert corrections(b"id\tlabel\n1\tDrop\n2\tkeep\n", class_names=names) == {"1": "Drop", "2": "keep"}
    assert corrections(b"id\tlabel\n1\t<drop>\n2\t<Drop>\n", class_names=names) == {"1": None, "2": None}
    with pytest.raises(DataError, match="the run has no class 'drop'.*classes: Drop, keep; or <drop>"):
        corrections(b"id\tlabel\n1\tdrop\n", class_names=names)


def test_an_unedited_diagnosis_changes_nothing():
    samples = samples_of().assign(label=["drop", "keep"] * 4)
    content = samples[["id", "label"]].to_csv(sep="\t", index=False).encode()
    choice = decided("corrected", samples, corrections(content, samples["id"], ("drop", "keep")))
    assert choice.kept.all()
    assert choice.labels.tolist() == samples["label"].tolist()


def test_texts_of_several_lines_and_short_rows():
    content = b'id\ttext_a\tlabel\n1\t"a\nb"\tno\n2\tx\n'
    with pytest.raises(DataError, match="my.tsv, row 3: the run has no class ''"):
        corrections(content)
    assert corrections(content.replace(b"2\tx", b"2\tx\tyes")) == {"1": "no", "2": "yes"}


def test_curate_keeps_only_the_ids_that_it_is_given(store, command, tmp_path):
    run_id = made_run()
    kept = ["s2", "s0", "s7", "s8", "s12", "s1"]

    def ids_of(*rule):
        done = command("curate", f"run_id={run_id}", *rule)
        assert done.code == 0, done.err
        new = re.search(r"runs:/(\w+)/curated.tsv", done.out)[1]
        return pd.read_csv(io.BytesIO(Store().run(new).artifacts.read("curated.tsv")), sep="\t")[
            "id"
        ].tolist()

    in_order = sorted(kept, key=lambda one: int(one[1:]))
    assert ids_of("keep=matching", f"ids=[{','.join(kept)}]") == in_order
    (tmp_path / "ids.txt").write_text("".join(f"{one}\r\n" for one in kept))
    assert ids_of("keep=matching", f"ids={tmp_path}/ids.txt") == in_order
    Store().run(run_id).log_text("\n".join(kept), "selections/mine.txt")
    assert ids_of("keep=matching", f"ids=runs:/{run_id}/selections/mine.txt") == in_order
    assert set(ids_of("keep=clean", "share=0.02", f"ids=[{','.join(kept)}]")) <= set(kept)
    done = command("curate", f"run_id={run_id}", "keep=matching", "ids=[s1,s1000,'007']")
    assert (done.code, done.err.strip()) == (2, f"error: ids: run {run_id} has no sample s1000, 007")
