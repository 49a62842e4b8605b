"""Printed lines: no passwords, no terminal escapes, on any standard output; and what enters Markdown."""

import contextlib
import os
import pty
import re
import subprocess
import sys
import time

import pytest

from conftest import ROOT
from datamap.log import clear_starting, printable, reporting, show_starting, silence
from datamap.tracking import descriptions
from datamap.training.bars import observed_batches, steps, tokenized_texts
from datamap.translations import Amount

HOSTILE = "x](javascript:alert(1)) ![p](http://p) <img src=x> `c` | **b**"


def printed(code, stdout=subprocess.PIPE, **environment):
    return subprocess.run(
        [sys.executable, "-c", f"from datamap.log import say\n{code}"],
        env={"PYTHONPATH": str(ROOT / "src"), **environment}, stdout=stdout, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip


def test_a_name_cannot_control_the_terminal():
    done = printed(r"say('label \x1b[2J\x1b]0;title\x07 \u202e abc\r\x9b1m')", PYTHONIOENCODING="utf-8")
    assert done.stdout.decode() == "label ?[2J?]0;title? ? abc??1m\n"
    assert printable("两行\n\t文本\u2028next: rm") == "两行 \t文本?next: rm"  # nor begin a line of its own


def test_passwords_are_not_printed():
    done = printed("say('store postgresql://ann:s3/c@r3t@db/x and http://h/?token=s3cr3t')")
    assert done.stdout.decode() == "store postgresql://ann:***@db/x and http://h/?token=***\n"


def test_a_full_standard_output_ends_nothing():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = printed("say('a'); say('b'); import sys; print('done', file=sys.stderr)", full)
    assert done.returncode == 0
    assert done.stderr.decode().splitlines() == [
        "note: writing to standard output failed ([Errno 28] No space left on device); the work continues",
        "done",
    ]


def test_an_output_of_ascii_shows_codes():
    done = printed("say('类别 yes')", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"\\u7c7b\\u522b yes\n", b"")


@pytest.mark.parametrize(
    "text",
    [
        descriptions.describe_comparison([(HOSTILE, "#/a"), ("b", "#/b")], {"rank_correlation": 1.0}, 3, 0.1),
        descriptions.describe_curated(
            HOSTILE,
            "#/a",
            "clean",
            {"samples": 1, "samples_before": 2, "relabelled": 0},
            "curated.tsv",
            "datamap x='`y`'",
        ),
    ],
)
def test_names_are_shown_in_markdown_as_they_are(text):
    assert (
        r"[x\]\(javascript:alert\(1\)\) !\[p\]\(http://p\) &lt;img src=x&gt; \`c\` \| \*\*b\*\*](#/a)" in text
    )
    assert "`` datamap x='`y`' ``" in text or "curated" not in text


def test_a_comparison_says_which_runs_learnt_too_little():
    runs, agreement = [("a", "#/a"), ("b", "#/b")], {"rank_correlation": 1.0}
    assert "no single run explains it" in descriptions.describe_comparison(runs, agreement, 3, 0.1)
    text = descriptions.describe_comparison(runs, agreement, 3, 0.1, ["b_1"])
    assert (
        r"But b\_1 learned too little to tell which samples are hard." in text
        and "no single run explains it" not in text
    )


TERMINAL = """
from datamap.cli import entry as cli
from datamap.training.bars import observed_batches
cli.run("summarize", ["run_id=none"])
print(list(observed_batches(range(3))))
"""


def test_lines_stand_apart_from_a_progress_bar(tmp_path):
    """On one terminal, as `2>&1` shows it, the bar is wiped before a line of ours and drawn again after it."""
    bar = "import tqdm; from datamap.log import say\nfor n in tqdm.tqdm(range(3)): say('line {n}', n=n)"
    done = subprocess.run(
        [sys.executable, "-c", bar], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, check=True, text=True,
    )  # fmt: skip
    shown = done.stdout.replace("\r", "\n").splitlines()
    assert [line for line in shown if line.startswith("line")] == ["line 0", "line 1", "line 2"], done.stdout
    assert not any("line" in line for line in shown if "|" in line), done.stdout


def test_a_log_says_within_an_epoch_how_far_it_is(monkeypatch, capsys):
    monkeypatch.setattr("datamap.training.bars.HEARTBEAT", 0)
    assert list(observed_batches(range(3))) == [0, 1, 2]
    assert re.fullmatch(r"(\d\d:\d\d:\d\d  [012] of 3 in this pass\n){3}", capsys.readouterr().out)


def test_work_that_takes_its_time_says_what_it_is(monkeypatch, capsys):
    """It is said once, while the work goes on, and neither of quick work nor where nothing is to be said."""
    monkeypatch.setattr("datamap.log._beginning", "")
    monkeypatch.setattr("datamap.log.QUIET_SECONDS", 0.2)
    with reporting("fetching {files} of run {run}", files=Amount(2, "file"), run="3f2a"):
        time.sleep(0.6)
        assert capsys.readouterr().out == "fetching 2 files of run 3f2a\n"
    with reporting("quick work"):
        pass
    with silence(), reporting("silent work"):
        time.sleep(0.4)
    assert capsys.readouterr().out == ""


def test_long_work_says_that_it_goes_on(monkeypatch, capsys):
    monkeypatch.setattr("datamap.log._beginning", "")
    monkeypatch.setattr("datamap.log.QUIET_SECONDS", 0.1)
    monkeypatch.setattr("datamap.log.REPEAT_SECONDS", 0.5)
    with reporting("reading {file}", file="summary.tsv"):
        time.sleep(1.3)
    assert capsys.readouterr().out.splitlines() == [
        "reading summary.tsv",
        "still reading summary.tsv (1 s)",
        "still reading summary.tsv (1 s)",
    ]


def test_short_waits_for_a_server_are_told_once_a_second_has_passed_in_silence(monkeypatch, capsys):
    monkeypatch.setattr("datamap.log._beginning", "")
    monkeypatch.setattr("datamap.log._told", time.monotonic() - 5)
    for _ in range(2):
        with reporting("waiting", True):
            time.sleep(0.4)
    assert capsys.readouterr().out == "waiting\n"
    with reporting("waiting here"):
        time.sleep(0.4)
    assert capsys.readouterr().out == ""


def test_a_terminal_is_told_in_the_environments_language_what_goes_on(monkeypatch, capsys):
    monkeypatch.setenv("DATAMAP_LANG", "zh")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    show_starting()
    clear_starting()
    assert [list(bar([1])) for bar in (steps, tokenized_texts, observed_batches)] == [[1]] * 3
    shown = capsys.readouterr().err
    assert all(word in shown for word in ("正在启动 …", "步/s", " 段文本（分词）", " 批（观测）")), shown


def read_all(terminal):
    """Yield what a terminal shows until the last process has left it."""
    with contextlib.suppress(OSError):  # EIO: there is nobody
        while True:
            yield os.read(terminal, 4096)


def test_a_terminal_without_a_size_shows_that_something_goes_on(tmp_path):
    """As of `docker run -t` or `script`: a start at once, and bars."""
    ours, theirs = pty.openpty()  # 0 columns wide
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    done = subprocess.run(
        [sys.executable, "-c", TERMINAL], stderr=theirs, stdin=theirs, stdout=subprocess.PIPE, cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT / "src")}, check=True,
    )  # fmt: skip
    os.close(theirs)
    shown = b"".join(read_all(ours)).decode()
    assert shown.startswith("starting …\r          \r") and "error: " in shown
    assert "0/3 [" in shown and "batches observed" in shown
    assert done.stdout.decode().strip() == "[0, 1, 2]"
