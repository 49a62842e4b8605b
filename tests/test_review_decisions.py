"""Decisions: lines, what counts, who agrees; kept by several processes and through damage."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from conftest import ROOT
from datamap.errors import DataError, TrackingError
from datamap.review import decisions, storage
from datamap.review.decisions import Decision
from datamap.review.journal import Journal


def decided(key, action, new=None, who="a", second=0, old="x", turn=0):
    return Decision(str(key), action, old, new, who, f"2026-01-01T00:00:{second:02}.000000+00:00", 0.5, turn)


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
        json.dumps({**decided(1, "drop")._asdict(), "score": 10**400}).encode(),
        json.dumps({**decided(1, "drop")._asdict(), "score": float("nan")}).encode(),
        json.dumps({**decided(1, "drop")._asdict(), "id": None}).encode(),
        json.dumps({**decided(1, "drop")._asdict(), "id": "\ud800"}).encode(),
        json.dumps({**decided(1, "drop")._asdict(), "who": "\ud800"}).encode(),
        json.dumps({**decided(1, "drop")._asdict(), "who": "w" * 101}).encode(),
        json.dumps({**decided(1, "drop")._asdict(), "turn": -1}).encode(),
        json.dumps({**decided(1, "drop")._asdict(), "action": ["drop"]}).encode(),
        b'{"id": ' + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_lines_that_are_no_decision_are_counted_and_left_out(damage):
    good = decisions.line(decided(1, "drop"))
    assert decisions.parse(good + damage + b"\n" + good) == ([decided(1, "drop")] * 2, 1)


def test_a_file_without_any_decision_is_damaged():
    with pytest.raises(DataError, match=r"review/decisions\.jsonl is damaged"):
        decisions.parse_files([("review/decisions.jsonl", b"a\nb\n")])


def test_of_a_reviewer_the_last_one_counts_and_undo_takes_it_back():
    found = decisions.outcome(
        [
            decided(1, "label", "y", second=2), decided(1, "keep", "x", second=1),
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
    journal.update(
        [
            *(decided(i, "label", said, who="Ann") for i, said in enumerate(ann)),
            *(decided(i, "label", said, who="Bob") for i, said in enumerate(bob)),
            decided(1, "keep", "x", who="Eve"), decided(2, "unsure", who="Dan"),
        ]
    )  # fmt: skip
    assert sum(a == b for a, b in zip(ann, bob, strict=True)) == 7
    agreement = journal.agreement()
    assert (agreement["reviewers"], agreement["both"]) == (("Ann", "Bob"), 10)
    assert agreement["kappa"] == pytest.approx(0.4)
    assert sorted(journal.conflicts) == [4, 5, 9]


def test_kappa_is_undefined_where_there_is_one_label():
    journal = Journal(pa.array(range(3)))
    journal.update([decided(i, "keep", "x", who=who) for i in range(3) for who in "ab"])
    assert journal.agreement() == {"reviewers": ("a", "b"), "both": 3, "kappa": None}


def test_what_a_journal_says_of_a_sample():
    journal = Journal(pa.array(["p", "q", "r"]))
    made = [decided("q", "keep", "x"), decided("q", "drop", who="b"), decided("nowhere", "drop")]
    journal.update(made)
    assert journal.unknown == 1
    assert journal.decision(1, "a").action == "keep"
    assert journal.decision(1, "c").action == "drop"
    assert journal.verdicts() == {1: True}
    journal.update([*made, decided("q", "undo", who="b")])
    assert (journal.verdicts(), journal.conflicts) == ({1: False}, set())
    assert np.flatnonzero(journal.decided(3, None)).tolist() == [1]


def test_a_torn_line_of_a_killed_server_spoils_none(tmp_path):
    writer, reader = storage.AppendingStorage(tmp_path), storage.AppendingStorage(tmp_path)
    assert reader.all() == []
    writer.append(decided(1, "drop"))
    file = tmp_path / "review" / "decisions.jsonl"
    file.write_bytes(file.read_bytes() + b'{"id": "2", "ac')
    assert reader.all() == [decided(1, "drop", turn=1)]
    writer.append(decided(3, "drop"))
    assert (reader.all(), reader.torn) == ([decided(1, "drop", turn=1), decided(3, "drop", turn=2)], 1)


WRITER = """
import sys
from pathlib import Path
from datamap.review import decisions, storage
kept = storage.AppendingStorage(Path(sys.argv[1]))
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


# ---------------------------------------------------------------- files that somebody else touches


def said(kept):
    """[(id, action, new label)] of what a storage holds, each decision once."""
    return [(one.id, one.action, one.new_label) for one in dict.fromkeys(kept.all())]


TOUCHES = {
    "deleted": lambda file: file.unlink(),
    "deleted with its folder": lambda file: shutil.rmtree(file.parent),
    "emptied": lambda file: file.write_bytes(b""),
    "moved out of the run": lambda file: file.rename(file.parents[2] / "elsewhere.jsonl"),
    "moved within the run": lambda file: file.rename(file.with_name("decisions-old.jsonl")),
    "cut in a line": lambda file: file.write_bytes(file.read_bytes()[:-40]),
    "cut at its beginning": lambda file: file.write_bytes(file.read_bytes()[30:]),
    "first line taken out": lambda file: file.write_bytes(file.read_bytes().partition(b"\n")[2]),
    "replaced by another file": lambda file: (file.unlink(), file.write_bytes(b"something else\n" * 40)),
    "turned round": lambda file: file.write_bytes(b"".join(file.read_bytes().splitlines(True)[::-1])),
    "saved as UTF-16": lambda file: file.write_bytes(file.read_text().encode("utf-16")),
}


@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
@pytest.mark.parametrize("looks", [True, False])
def test_what_was_answered_is_kept_whatever_becomes_of_the_file(tmp_path, touch, looks):
    (tmp_path / "run").mkdir()
    kept = storage.AppendingStorage(tmp_path / "run")
    kept.append(decided(1, "keep", "x"))
    kept.append(decided(2, "drop"))
    touch(tmp_path / "run" / "review" / "decisions.jsonl")
    if looks:  # a page that asks how far the review is
        assert sorted(said(kept)) == [("1", "keep", "x"), ("2", "drop", None)]
    kept.append(decided(3, "label", "y"))
    everything = [("1", "keep", "x"), ("2", "drop", None), ("3", "label", "y")]
    assert sorted(said(kept)) == sorted(said(storage.AppendingStorage(tmp_path / "run"))) == everything
    assert said(kept)[-1] == everything[-1]


@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
def test_two_servers_that_write_again_come_to_the_same(tmp_path, touch):
    one, other = storage.AppendingStorage(tmp_path), storage.AppendingStorage(tmp_path)
    one.append(decided(1, "keep", "x"))
    one.append(decided(2, "drop"))
    assert len(other.all()) == 2
    other.append(decided(3, "drop", who="b"))
    touch(tmp_path / "review" / "decisions.jsonl")
    one.append(decided(4, "drop"))
    one.all(), other.all()  # each writes again what only it knows
    sizes = set()
    for _ in range(3):
        assert {id for id, *_ in said(one)} == {id for id, *_ in said(other)} == {"1", "2", "3", "4"}
        sizes.add((tmp_path / "review" / "decisions.jsonl").stat().st_size)
    assert len(sizes) == 1


def test_an_edited_line_has_the_last_word_but_not_over_later_decisions(tmp_path):
    kept = storage.AppendingStorage(tmp_path)
    kept.append(decided(1, "label", "y"))
    kept.append(decided(2, "label", "y"))
    kept.append(decided(2, "label", "z"))
    file = tmp_path / "review" / "decisions.jsonl"
    file.write_text(file.read_text().replace('"new_label": "y"', '"new_label": "w"'))
    assert decisions.outcome(kept.all()).labels == {"1": "w", "2": "z"}
    assert decisions.outcome(storage.AppendingStorage(tmp_path).all()).labels == {"1": "w", "2": "z"}


def test_a_file_that_is_none_and_a_run_that_is_gone_are_errors(tmp_path):
    kept = storage.AppendingStorage(tmp_path / "run")
    with pytest.raises(TrackingError, match="No such file"):
        kept.append(decided(1, "drop"))
    (tmp_path / "run" / "review").mkdir(parents=True)
    os.mkfifo(tmp_path / "run" / "review" / "decisions.jsonl")  # reading it would never return
    with pytest.raises(TrackingError, match="is not a regular file"):
        kept.all()


FULL = """
import resource, signal, sys
from pathlib import Path
from datamap.errors import TrackingError
from datamap.review import decisions, storage
file = Path("review/decisions.jsonl")
def append(id):
    kept.append(decisions.Decision(id, "drop", "x", None, "a", "now", 0))
kept = storage.AppendingStorage(Path().resolve())
append("1")
before = file.read_bytes()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, resource.RLIM_INFINITY))  # as a disk that is full
for _ in range(2):
    try:
        append("2")
    except TrackingError as error:
        assert "File too large" in str(error), error
    else:
        raise AssertionError
    assert file.read_bytes() == before
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
append("3")
others = storage.AppendingStorage(Path().resolve())
assert [one.id for one in kept.all()] == [one.id for one in others.all()] == ["1", "3"]
"""


def test_a_line_that_the_disk_takes_in_part_is_taken_back(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", FULL], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_order_of_lines_counts_not_the_clock(tmp_path):
    kept = storage.AppendingStorage(tmp_path)
    journal = Journal(pa.array(["1", "2"]))
    for one in (
        decided(1, "keep", "x", second=50), decided(1, "label", "y", second=10), decided(2, "drop", second=50),
        decided(2, "undo", second=9), decided(1, "drop", who="b", second=1),
    ):  # fmt: skip
        kept.append(one)
        journal.update(kept.all())
    assert journal.of[0]["a"].new_label == "y" and 1 not in journal.of
    assert journal.decision(0, "c").who == "b"
    assert decisions.outcome(kept.all()).labels == {} and decisions.outcome(kept.all()).conflicts == ["1"]


class Bucket:
    """Artifacts of a store that appends nothing."""

    def __init__(self):
        self.content, self.artifacts = {}, self

    def files(self, folder):
        return list(self.content)

    def log_bytes(self, content, path):
        self.content[path] = content

    def read(self, path):
        return self.content[path]


def test_sessions_with_other_clocks_are_put_in_order_by_turns(monkeypatch):
    bucket = Bucket()
    for second, (action, new) in zip(
        (50, 40, 10), (("keep", "x"), ("label", "y"), ("label", "z")), strict=True
    ):
        session = storage.ReplacingStorage(bucket)
        session.all()
        session.append(decided(1, action, new, second=second))
        assert decisions.outcome(session.all()).labels == {"1": new}
    files = storage.read_files(bucket)
    assert len(files) == 3
    assert decisions.outcome(decisions.parse_files(files)[0]).labels == {"1": "z"}


@pytest.mark.parametrize("touch", ["deleted", "emptied", "cut"])
def test_in_a_bucket_too_what_was_answered_is_written_again(monkeypatch, touch):
    monkeypatch.setattr(storage, "EVERY", 0)
    bucket = Bucket()
    ended, session = storage.ReplacingStorage(bucket), storage.ReplacingStorage(bucket)
    ended.append(decided(1, "drop"))
    session.append(decided(2, "drop"))
    assert sorted(said(session)) == [("1", "drop", None), ("2", "drop", None)]
    for path in list(bucket.content):
        content = bucket.content.pop(path)
        if touch != "deleted":
            bucket.content[path] = b"" if touch == "emptied" else content[:-30]
    assert sorted(said(session)) == [("1", "drop", None), ("2", "drop", None)]
    found = decisions.parse_files(storage.read_files(bucket))[0]
    assert {one.id for one in found} == {"1", "2"}
