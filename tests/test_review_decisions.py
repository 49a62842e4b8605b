"""Decisions: lines, what counts, who agrees; kept by several processes and through damage."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from conftest import ROOT
from datamap.errors import DataError
from datamap.review import decisions, storage
from datamap.review.decisions import Decision
from datamap.review.journal import Journal


def decided(key, action, new=None, who="a", second=0, old="x"):
    return Decision(str(key), action, old, new, who, f"2026-01-01T00:00:{second:02}.000000+00:00", 0.5)


def test_lines_read_back_whatever_the_names_hold():
    one = decided("i\n1", "label", 'b\u2028"\\', who="王\x01")
    assert decisions.line(one).count(b"\n") == 1
    assert decisions.parse(decisions.line(one) * 2) == ([one, one], 0)


@pytest.mark.parametrize(
    "damage",
    [
        b'{"id": "7", "acti', b"\xff\xfe", b"[]", b"7", b"[" * 9999, b'{"id": "1"}', b"\x00",
        json.dumps({**decided(1, "keep", "x")._asdict(), "action": "erase"}).encode(),
        json.dumps({**decided(1, "keep", "x")._asdict(), "new_label": None}).encode(),
        json.dumps({**decided(1, "drop")._asdict(), "new_label": 3}).encode(),
        json.dumps({**decided(1, "drop")._asdict(), "score": "much"}).encode(),
    ],
)  # fmt: skip
def test_lines_that_are_no_decision_are_counted_and_left_out(damage):
    good = decisions.line(decided(1, "drop"))
    assert decisions.parse(good + damage + b"\n" + good) == ([decided(1, "drop")] * 2, 1)


def test_a_file_without_any_decision_is_damaged():
    with pytest.raises(DataError, match=r"review/decisions\.jsonl is damaged"):
        decisions.of_files([("review/decisions.jsonl", b"a\nb\n")])


def test_of_a_reviewer_the_newest_counts_and_undo_takes_it_back():
    found = decisions.outcome(
        [
            decided(1, "keep", "x", second=2), decided(1, "label", "y", second=1),
            decided(2, "drop"), decided(2, "undo", second=1),
            decided(3, "unsure"), decided(3, "label", "y", who="b"),
            decided(4, "unsure"),
            decided(5, "drop"), decided(5, "label", "y", who="b"),
            decided(6, "drop"), decided(6, "drop", who="b"),
        ]
    )  # fmt: skip
    assert found == ({"1": "x", "3": "y", "6": None}, ["4"], ["5"], ["a", "b"], 5)


def test_kappa_of_the_two_who_share_most():
    """Of ten samples Ann calls 6 x and Bob 5, both agree in 7: p_o = 0.7, p_e = 0.5, kappa = 0.4."""
    ann, bob = "xxxxxxyyyy", "xxxxyyyyyx"
    journal = Journal(pa.array(range(10)))
    journal.add(decided(i, "label", said, who="Ann") for i, said in enumerate(ann))
    journal.add(decided(i, "label", said, who="Bob") for i, said in enumerate(bob))
    journal.add([decided(1, "keep", "x", who="Eve"), decided(2, "unsure", who="Dan")])
    assert sum(a == b for a, b in zip(ann, bob, strict=True)) == 7
    agreement = journal.agreement()
    assert agreement[:2] == (("Ann", "Bob"), 10)
    assert agreement.kappa == pytest.approx(0.4)
    assert sorted(journal.conflicts) == [4, 5, 9]


def test_kappa_is_undefined_where_there_is_one_label():
    journal = Journal(pa.array(range(3)))
    journal.add(decided(i, "keep", "x", who=who) for i in range(3) for who in "ab")
    assert journal.agreement() == (("a", "b"), 3, None)


def test_what_a_journal_says_of_a_sample():
    journal = Journal(pa.array(["p", "q", "r"]))
    journal.add(
        [decided("q", "drop", who="b", second=1), decided("q", "keep", "x"), decided("nowhere", "drop")]
    )
    assert journal.unknown == 1
    assert journal.decision(1, "a").action == "keep"
    assert journal.decision(1, "c").action == "drop"
    assert journal.verdicts() == {1: True}
    journal.add([decided("q", "undo", who="b", second=2)])
    assert (journal.verdicts(), journal.conflicts) == ({1: False}, set())
    assert np.flatnonzero(journal.decided(3, None)).tolist() == [1]


def test_a_torn_line_of_a_killed_server_spoils_none(tmp_path):
    writer, reader = storage.Appended(tmp_path), storage.Appended(tmp_path)
    assert reader.new() == []
    writer.append(decided(1, "drop"))
    file = tmp_path / "review" / "decisions.jsonl"
    file.write_bytes(file.read_bytes() + b'{"id": "2", "ac')
    assert reader.new() == [decided(1, "drop")]
    writer.append(decided(3, "drop"))
    assert (reader.new(), reader.torn) == ([decided(3, "drop")], 1)


WRITER = """
import sys
from pathlib import Path
from datamap.review import decisions, storage
kept = storage.Appended(Path(sys.argv[1]))
for n in range(200):
    kept.append(decisions.Decision(str(n), "keep", "x", "x" * 300, sys.argv[2], str(n), 0))
"""


def test_two_processes_write_whole_lines(tmp_path):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), who], cwd=ROOT / "src") for who in "ab"
    ]
    assert [process.wait() for process in writers] == [0, 0]
    found, torn = decisions.parse((tmp_path / "review" / "decisions.jsonl").read_bytes())
    assert torn == 0
    assert sorted((one.who, int(one.id)) for one in found) == [(who, n) for who in "ab" for n in range(200)]
