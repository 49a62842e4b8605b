"""What is printed: no passwords, no terminal escapes, on any standard output; and what enters Markdown."""

import subprocess
import sys

import pytest

from conftest import ROOT
from datamap.log import printable
from datamap.tracking import descriptions

HOSTILE = "x](javascript:alert(1)) ![p](http://p) <img src=x> `c` | **b**"


def printed(code, stdout=subprocess.PIPE, **environment):
    return subprocess.run(
        [sys.executable, "-c", f"from datamap.log import say\n{code}"],
        env={"PYTHONPATH": str(ROOT / "src"), **environment}, stdout=stdout, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip


def test_a_name_cannot_control_the_terminal():
    done = printed(r"say('label \x1b[2J\x1b]0;title\x07 \u202e abc\r\x9b1m')", PYTHONIOENCODING="utf-8")
    assert done.stdout.decode() == "label ?[2J?]0;title? ? abc??1m\n"
    assert printable("两行\n\t文本") == "两行\n\t文本"


def test_passwords_are_not_printed():
    done = printed("say('store postgresql://ann:s3/c@r3t@db/x and http://h/?token=s3cr3t')")
    assert done.stdout.decode() == "store postgresql://ann:***@db/x and http://h/?token=***\n"


def test_a_full_standard_output_ends_nothing():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = printed("say('a'); say('b'); import sys; print('done', file=sys.stderr)", full)
    assert done.returncode == 0
    assert done.stderr.decode().splitlines() == [
        "note: standard output takes nothing more ([Errno 28] No space left on device); the work goes on",
        "done",
    ]


def test_an_output_of_ascii_shows_codes():
    done = printed("say('类别 yes')", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"\\u7c7b\\u522b yes\n", b"")


@pytest.mark.parametrize(
    "text",
    [
        descriptions.of_comparison([(HOSTILE, "#/a"), ("b", "#/b")], {"rank_correlation": 1.0}, 3, 0.1),
        descriptions.of_curated(
            HOSTILE, "#/a", "clean", {"samples": 1, "samples_before": 2, "relabelled": 0}, "datamap x='`y`'"
        ),
    ],
)
def test_names_are_shown_in_markdown_as_they_are(text):
    assert (
        r"[x\]\(javascript:alert\(1\)\) !\[p\]\(http://p\) &lt;img src=x&gt; \`c\` \| \*\*b\*\*](#/a)" in text
    )
    assert "`` datamap x='`y`' ``" in text or "curated" not in text
