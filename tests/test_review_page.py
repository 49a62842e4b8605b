"""The review page's arithmetic in Node: differences, keys, long lists; in Chromium what it stores of decisions."""

import contextlib

import pytest

import chromium
from datamap.review import app
from datamap.web import pages
from node import Node

PURE = ("diff", "keys", "sight", "choices", "tags")


def bundle(*names):
    return pages.bundle(app.PAGE / f"{name}.js" for name in names)


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    assert chromium.PATH, "these tests need a Chromium; make test installs one"
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=chromium.PATH, args=chromium.FLAGS)
        yield started
        started.close()


@contextlib.contextmanager
def opened(browser):
    """A page with the module that sends decisions."""
    with contextlib.closing(browser.new_context()) as context:
        found = context.new_page()
        found.route(
            "http://localhost/", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html")
        )
        found.goto("http://localhost/")
        found.add_script_tag(content=bundle("outbox"))
        yield found


@pytest.fixture(scope="module")
def scripts():
    with Node(bundle(*PURE)) as node:
        yield node


@pytest.fixture
def fresh(browser):
    with opened(browser) as page:
        yield page


def marked(scripts, a, b):
    """Both texts, what differs in [brackets]."""
    both = scripts.evaluate("([a, b]) => difference(a, b)", [a, b])
    assert ["".join(run["text"] for run in runs) for runs in both] == [a, b]
    return ["".join(run["text"] if run["same"] else f"[{run['text']}]" for run in runs) for runs in both]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("怎么换手机壳", "怎么买手机壳", ["怎么[换]手机壳", "怎么[买]手机壳"]),
        ("北京天气怎么样", "今天北京天气好吗", ["北京天气[怎么样]", "[今天]北京天气[好吗]"]),
        ("the cat sat down", "the dog sat down", ["the [cat] sat down", "the [dog] sat down"]),
        ("the big cat sat", "the old dog sat", ["the [big cat] sat", "the [old dog] sat"]),
        ("iPhone13 多少钱", "iPhone14 多少钱", ["[iPhone13] 多少钱", "[iPhone14] 多少钱"]),
        ("求助，计算机二级考些什么", "注册会计师好考吗", ["求助，计算机二级考些什么", "注册会计师好考吗"]),
        ("same", "same", ["same", "same"]),
        ("", "all new", ["", "all new"]),
        ("nothing in common", "完全不同的两句话", ["nothing in common", "完全不同的两句话"]),
        ("ok 👍🏽 now", "ok 👍🏿 now", ["ok [👍🏽] now", "ok [👍🏿] now"]),
        ("سلام دنیا", "سلام جهان", ["سلام [دنیا]", "سلام [جهان]"]),
    ],
)  # fmt: skip
def test_what_two_texts_differ_in_is_marked(scripts, a, b, expected):
    assert marked(scripts, a, b) == expected


def test_long_texts_are_compared_in_no_time(scripts):
    a, b = (
        "".join(chr(0x4E00 + n % 5000) for n in range(60_000)),
        "".join(chr(0x4E00 + n % 4999) for n in range(60_000)),
    )
    took = scripts.evaluate(
        "([a, b]) => { const t = performance.now(); difference(a, b); return performance.now() - t; }", [a, b]
    )
    assert took < 5000  # every pair of characters would take minutes


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"key": "k", "code": "KeyK"}, {"name": "keep", "key": "k"}),
        ({"key": "K", "code": "KeyK"}, {"name": "keep", "key": "k"}),
        ({"key": "Process", "code": "KeyK"}, {"name": "keep", "key": "k"}),  # a Chinese input method is on
        ({"key": "л", "code": "KeyK"}, {"name": "keep", "key": "k"}),
        ({"key": "Enter", "code": "Enter"}, {"name": "accept", "key": "Enter"}),
        ({"key": "Enter", "code": "Enter", "shiftKey": True}, {"name": "acceptAll", "key": "Enter"}),
        ({"key": "Enter", "code": "Enter", "shiftKey": True, "repeat": True}, None),
        ({"key": "3", "code": "Digit3"}, {"name": "choice", "key": "3"}),
        ({"key": "/", "code": "Slash"}, {"name": "classes", "key": "/"}),
        ({"key": "?", "code": "Slash"}, {"name": "help", "key": "?"}),
        ({"key": "k", "code": "KeyK", "ctrlKey": True}, None),
        ({"key": "k", "code": "KeyK", "repeat": True}, None),  # held down: one decision
        ({"key": "ArrowRight", "code": "ArrowRight", "repeat": True}, {"name": "skip", "key": "ArrowRight"}),
        ({"key": "ArrowRight", "code": "ArrowRight", "shiftKey": True}, {"name": "widenEnd", "key": "ArrowRight"}),
        (
            {"key": "ArrowRight", "code": "ArrowRight", "shiftKey": True, "ctrlKey": True},
            {"name": "narrowStart", "key": "ArrowRight"},
        ),
        ({"key": "ArrowRight", "code": "ArrowRight", "ctrlKey": True}, None),
        ({"key": "F1", "code": "F1"}, None),
        ({"key": "toString", "code": ""}, None),
        ({"key": "F5", "code": "F5"}, None),
    ],
)  # fmt: skip
def test_a_key_is_one_action(scripts, event, expected):
    assert scripts.evaluate("(event) => actionOf(event)", event) == expected


@pytest.mark.parametrize("total", [1, 10, 1_000, 258_000, 1_000_000, 20_000_000])
def test_every_row_of_a_list_can_be_scrolled_to(scripts, total):
    found = scripts.evaluate(
        """(total) => [0, 1, total >> 1, total - 2, total - 1].filter((k) => k >= 0 && k < total).map((index) => {
          const scroll = scrolledTo(index, 0, 600, total, 58), { first, last, top } = inSight(scroll, 600, total, 58);
          const y = top + (index - first) * 58 - scroll;
          return { index, first, last, y, scroll };
        })""",
        total,
    )
    for row in found:
        assert row["first"] <= row["index"] < row["last"] <= total
        assert -1 <= row["y"] <= 600 - 58 + 1 or total * 58 < 600
        assert row["scroll"] <= 15_000_000


def test_which_classes_the_digits_stand_for(scripts):
    sample = {"label": 3, "proposed": 7, "history": {"predicted": [7, 9, 12, None, 12, 3]}}
    keys = "([sample, classes]) => choicesOf(sample, classes).map(({ key, label }) => [key, label])"
    many = [f"class {n}" for n in range(150)]
    assert scripts.evaluate(keys, [sample, many]) == [["1", 12], ["2", 9]]
    assert scripts.evaluate(keys, [sample, many[:4]]) == [["1", 0], ["2", 1], ["3", 2], ["4", 3]]
    assert scripts.evaluate(keys, [sample | {"history": None}, many]) == []
    assert scripts.evaluate(keys, [sample, ["0", "1"]]) == [["0", 0], ["1", 1]]  # the key is the name


def test_classes_are_found_by_a_part_of_their_name(scripts):
    names = ["set alarm", "Alarm off", "play", "查询天气"]
    assert scripts.evaluate("(c) => classesLike('alarm', c)", names) == [1, 0]
    assert scripts.evaluate("(c) => classesLike('天气', c)", names) == [3]
    assert scripts.evaluate("(c) => classesLike(' ', c)", names) == [0, 1, 2, 3]


def test_tags_of_a_type_have_one_color_and_labels_in_doubt_come_first(scripts):
    colors = scripts.evaluate("colorsOf", ["O", "B-PER", "I-PER", "B-LOC", "NOUN"])
    assert list(colors) == ["PER", "LOC", "NOUN"] and len(set(colors.values())) == 3
    parts = [
        {"row": 0, "label": 0, "proposed": None, "rank": 3},
        {"row": 1, "label": 1, "proposed": None, "rank": 9},
        {"row": 2, "label": 0, "proposed": 1, "rank": 7},
        {"row": 3, "label": 1, "proposed": 0, "rank": 1},
    ]
    assert [part["row"] for part in scripts.evaluate("sortedLabels", parts)] == [3, 2, 1, 0]


def test_only_proposals_that_nobody_decided_on_are_taken_together(scripts):
    parts = [
        {"row": None, "proposed": None},
        {"row": 0, "proposed": None},
        {"row": 1, "proposed": 0},  # index 0 is a label, too
        {"row": 2, "proposed": 3, "decided": True},
    ]
    found = scripts.evaluate("(parts) => openProposals(parts, (part) => part.decided)", parts)
    assert [part["row"] for part in found] == [1]


BIO, BMES = "O B-PER I-PER B-LOC I-LOC", "O B-PER M-PER E-PER S-PER B-LOC M-LOC E-LOC S-LOC"
BILOU, TYPES = "O B-PER I-PER L-PER U-PER", "O PER LOC"


@pytest.mark.parametrize(
    ("scheme", "tags", "at", "border", "moved"),
    [
        (BIO, "O B-PER I-PER O", 1, "end wider", {3: "I-PER"}),
        (BIO, "O B-PER I-PER O", 1, "end narrower", {2: "O"}),
        (BIO, "O B-PER I-PER O", 2, "start wider", {0: "B-PER", 1: "I-PER"}),
        (BIO, "O B-PER I-PER O", 2, "start narrower", {1: "O", 2: "B-PER"}),
        (BIO, "B-PER B-PER", 0, "end wider", {1: "I-PER"}),  # two entities become one
        (BIO, "B-PER B-PER I-PER", 0, "end wider", {1: "I-PER", 2: "B-PER"}),  # the other one loses a token
        (BIO, "B-LOC I-LOC B-PER", 2, "start wider", {1: "B-PER", 2: "I-PER"}),
        (BIO, "B-PER I-LOC", 0, "end wider", {1: "I-PER"}),
        (BIO, "I-PER I-PER O", 0, "end wider", {2: "I-PER"}),  # IOB1: an entity may begin with I
        (BIO, "B-PER", 0, "end wider", None),
        (BIO, "B-PER", 0, "start wider", None),
        (BIO, "B-PER -", 0, "end wider", None),
        (BIO, "B-PER O", 0, "end narrower", None),  # it would be no entity: O is a tag to choose
        (BIO, "O O", 0, "end wider", None),
        (TYPES, "PER O", 0, "end wider", {1: "PER"}),
        (TYPES, "O PER", 1, "start wider", {0: "PER"}),
        (BMES, "B-PER E-PER O", 0, "end wider", {1: "M-PER", 2: "E-PER"}),
        (BMES, "B-PER M-PER E-PER", 0, "end narrower", {1: "E-PER", 2: "O"}),
        (BMES, "B-PER E-PER", 0, "end narrower", {0: "S-PER", 1: "O"}),
        (BMES, "S-PER S-PER O", 1, "end wider", {1: "B-PER", 2: "E-PER"}),
        (BMES, "B-LOC E-LOC S-PER", 2, "start wider", {0: "S-LOC", 1: "B-PER", 2: "E-PER"}),
        (BILOU, "U-PER O", 0, "end wider", {0: "B-PER", 1: "L-PER"}),
        ("O B-PER E-PER S-PER", "B-PER E-PER O", 0, "end wider", None),  # no tag for the middle is known
    ],
)  # fmt: skip
def test_a_border_of_an_entity_moves_by_a_token(scripts, scheme, tags, at, border, moved):
    given = [None if tag == "-" else tag for tag in tags.split()]
    found = scripts.evaluate(
        "([tags, at, start, wider, classes]) => movedBorder(tags, at, start, wider, classes)",
        [given, at, border.startswith("start"), border.endswith("wider"), scheme.split()],
    )
    assert (found and {one["at"]: one["tag"] for one in found}) == moved


OUTBOX = """() => {
  window.log = []; window.away = true;
  const send = async ({ n }) => {
    await new Promise((done) => setTimeout(done, n % 2 ? 15 : 1));
    if (away) throw new TypeError("nobody answers");
    if (n === 3) throw new Refusal(400, "no such class");
    if (!log.includes(n)) log.push(n);
    return n;
  };
  window.taken = []; window.refused = [];
  const told = { taken: ({ n }) => taken.push(n), refused: ({ n }) => refused.push(n), changed() {} };
  window.box = new Outbox("test", send, told);
}"""


def test_decisions_are_sent_in_the_order_of_their_keys(fresh):
    fresh.evaluate(OUTBOX)
    fresh.evaluate("() => { for (let n = 0; n < 6; n++) box.add({ n }); }")
    fresh.wait_for_function("box.state === 'lost'")
    assert fresh.evaluate("[log.length, box.waiting.length]") == [0, 6]
    fresh.evaluate("away = false")
    fresh.wait_for_function("!box.waiting.length")
    assert fresh.evaluate("[taken, refused, box.state]") == [[0, 1, 2, 4, 5], [3], "idle"]


def test_decisions_outlive_their_tab(fresh):
    fresh.evaluate(OUTBOX)
    fresh.evaluate("() => { box.add({ n: 1 }); box.add({ n: 2 }); }")
    fresh.wait_for_function("box.state === 'lost'")
    fresh.reload()
    fresh.add_script_tag(content=bundle("outbox"))
    fresh.evaluate(OUTBOX)
    fresh.evaluate("() => { away = false; box.flush(); }")
    fresh.wait_for_function("!box.waiting.length")
    assert fresh.evaluate("taken") == [1, 2]


def test_what_goes_wrong_on_the_page_keeps_no_decision_from_the_server(fresh):
    fresh.evaluate(OUTBOX)
    errors = []
    fresh.on("pageerror", lambda error: errors.append(str(error)))
    fresh.evaluate("""() => {
      away = false;
      for (const name of ["taken", "refused", "changed"]) {
        box[name] = (item) => { taken.push(item?.n); throw new Error(name); };
      }
      for (let n = 0; n < 6; n++) box.add({ n });
    }""")
    fresh.wait_for_function("!box.waiting.length && !box.flushing")
    fresh.evaluate("box.add({ n: 6 })")
    fresh.wait_for_function("!box.waiting.length && !box.flushing")
    assert fresh.evaluate("log") == [0, 1, 2, 4, 5, 6]
    assert {error.split()[-1] for error in errors} == {"taken", "refused", "changed"}


def test_a_server_that_cannot_keep_a_decision_is_asked_again(fresh):
    fresh.evaluate(OUTBOX)
    fresh.evaluate("""() => {
      away = false;
      window.full = true;
      const send = box.send;
      box.send = (item) => { if (full) throw new Refusal(503, "No space left on device"); return send(item); };
      box.add({ n: 1 });
    }""")
    fresh.wait_for_function("box.state === 'failing'")
    assert fresh.evaluate("[box.reason, box.waiting.length, refused]") == ["No space left on device", 1, []]
    fresh.evaluate("full = false")
    fresh.wait_for_function("!box.waiting.length")
    assert fresh.evaluate("[taken, box.state]") == [[1], "idle"]


@pytest.mark.parametrize("storage", ["full", "damaged", "none"])
def test_decisions_need_no_storage_of_the_browser(fresh, storage):
    fresh.evaluate(OUTBOX)
    fresh.evaluate(
        """(storage) => {
          if (storage === "damaged") localStorage.test = '{"no": "list"}';
          if (storage === "full") Storage.prototype.setItem = () => { throw new Error("quota"); };
          if (storage === "none") Object.defineProperty(window, "localStorage", { get() { throw new Error(); } });
          for (let n = 0; n < 3; n++) box.add({ n });
        }""",
        storage,
    )
    fresh.wait_for_function("box.state === 'lost'")
    assert fresh.evaluate("box.waiting.map(({ n }) => n)") == [0, 1, 2]
    fresh.evaluate("away = false")
    fresh.wait_for_function("!box.waiting.length")
    assert fresh.evaluate("taken") == [0, 1, 2]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_is_one_file_that_runs_no_other_script(lang):
    content = app.review_page(lang).decode()
    assert content.count("<script") == 2 and "unsafe" not in content
    assert " src=" not in content and "http://" not in content.replace("http://www.w3.org/2000/svg", "")
    assert ("保留给定标签" in content) == (lang == "zh")
