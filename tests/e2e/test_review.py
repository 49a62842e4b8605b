"""The review page in a real Chromium, on the real server: what a reviewer sees, presses, loses and gets back."""

import contextlib
import json
import os
import re
import signal

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe

import chromium
import datamap
from conftest import SMALL_MODEL, local
from datamap import schema
from reviewed import label_run, made_run, serving, token_run, until

HOSTILE = [
    '<img src=x onerror="window.hacked=1">',
    "</script><script>window.hacked=1</script>",
    "javascript:window.hacked=1 ${window.hacked=1}",
    "\u202eright to left, from here on\u2066 and isolated",
    "nul \0 and \ufeff and \u2028 and half a pair",
    "家庭👨‍👩‍👧‍👦 and ไทย and עברית",
    "long " * 20_000,
    "unbroken" * 5_000,
    "\n\n\n   \t spaces   ",
    "",
]


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    assert chromium.PATH, "these tests need a Chromium; make test installs one"
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=chromium.PATH, args=chromium.FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, empty_store):
    """With an empty store; servers that tests share keep their addresses there too."""
    folder = tmp_path_factory.mktemp("reviewed")
    (folder / "mlflow.db").write_bytes(empty_store.read_bytes())
    return folder


@pytest.fixture(scope="module")
def store_uri(folder):
    return f"sqlite:///{folder}/mlflow.db"


@pytest.fixture(scope="module")
def server(folder, store_uri):
    """The server of 40 samples in three classes; tests share it, each as a reviewer of its own."""
    with serving(made_run(uri=store_uri), f"tracking.uri={store_uri}", XDG_STATE_HOME=str(folder)) as served:
        yield served


@contextlib.contextmanager
def reviewing(browser, run_id, uri, *options, who="anna"):
    """(server, page) of a run's review."""
    with serving(run_id, f"tracking.uri={uri}", *options) as server, opened(browser, server, who) as page:
        yield server, page


@contextlib.contextmanager
def opened(browser, server, who="anna", size=(1440, 900), path=None, **options):
    """The page of a reviewer, once a sample is shown; what a script of the page throws fails the test."""
    width, height = size
    with contextlib.closing(
        browser.new_context(viewport={"width": width, "height": height}, **options)
    ) as context:
        context.add_init_script(f"localStorage['datamap.reviewer'] ??= {json.dumps(who)}")
        context.set_default_timeout(30_000)
        page, errors = context.new_page(), []
        page.on("pageerror", lambda error: errors.append(error))
        page.goto(path or f"{server.base}/?token={server.token}")
        if not path:
            wait(page, "datamapReview.here.sample?.why !== undefined && Boolean(datamapReview.map)")
        yield page
        assert not errors


@pytest.fixture
def page(browser, server, request):
    with opened(browser, server, request.node.name) as page:
        yield page


def wait(page, condition, arg=None):
    """Return when a condition of the page holds (`wait_for_function` would need a policy that allows eval)."""
    until(lambda: page.evaluate(condition, arg))


def shown(page):
    """Id of the sample in the middle."""
    return page.evaluate("datamapReview.here.sample.id")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)
    wait(page, "!datamapReview.outbox.waiting.length")


def decisions_of(server, page, who):
    """[(id, action, new label)] that the server has of a reviewer, for the samples of the page's queue."""
    rows = page.evaluate("[...datamapReview.queue.rows]")
    found = [server(f"/api/sample/{row}", who=who)[1]["decisions"] for row in rows]
    return {d["id"]: (d["action"], d["new_label"]) for of in found for d in of if d["who"] == who}


def test_a_sample_is_shown_with_all_that_is_known_of_it(page, server):
    sample = server("/api/sample/" + str(page.evaluate("datamapReview.here.row")))[1]
    card = page.locator("#middle")
    card.locator("svg.history circle").first.wait_for()
    card.locator(".neighbors button").first.wait_for()
    assert card.locator(".text p").inner_text() == sample["text_a"]
    assert card.locator(".why").inner_text() == sample["why"]
    assert page.locator("#keep .class-name").inner_text() == f"class {sample['label']}"
    assert page.locator("#accept .class-name").inner_text() == f"class {sample['proposed']}"
    assert card.locator("svg.history circle").count() == 2
    assert card.locator(".neighbors button").count() == 8
    assert page.locator("#queue-count span").inner_text() == "40 samples"
    assert page.locator("[role=option][aria-selected=true]").count() == 1
    # Most likely wrong first: every seventh label is.
    assert int(sample["id"][1:]) % 7 == 3


def test_neighbors_that_come_late_leave_the_card_alone(browser, server, request):
    with opened(browser, server, request.node.name) as page:
        asked = []

        def late(route):
            asked.append(route.request.url)
            if asked.count(asked[-1]) > 1:
                return route.continue_()
            return route.fulfill(json={"rows": [], "ready": False})

        page.route("**/neighbors/*", late)
        page.reload()
        wait(page, "Boolean(datamapReview.here.sample?.history)")
        page.evaluate("window.before = document.querySelector('#card .text')")
        page.locator(".neighbors button").first.wait_for()
        assert page.evaluate("window.before.isConnected")


@pytest.mark.parametrize("probable", [False, True])
def test_the_score_is_a_rank_unless_it_is_a_probability(browser, server, request, probable):
    with opened(browser, server, request.node.name) as page:
        page.route(
            "**/api/run", lambda route: route.fulfill(json=route.fetch().json() | {"probable": probable})
        )
        page.reload()
        wait(page, "datamapReview.here.sample?.why !== undefined")
        wait(page, "document.querySelectorAll('.row-score').length > 2")
        scores = page.evaluate("[0, 1, 2].map((k) => datamapReview.queue.briefAt(k).score.toFixed(2))")
        rows = page.locator(".row-score")
        assert rows.all_inner_texts()[:3] == (scores if probable else ["rank 1", "rank 2", "rank 3"])
        wait(page, "Boolean(datamapReview.map)")
        legend = page.locator("#map-legend li").all_inner_texts()
        if probable:
            assert legend[0] == "score" and set(legend[1:]) <= {"0–0.25", "0.25–0.5", "0.5–0.75", "0.75–1"}
        else:
            assert legend[0] == "rank 1–2" and legend[-1].endswith("–40")
        orders = page.locator("select:has([value=uncertain])")
        assert orders.count() == probable  # what only orders has no middle
        hint = "probability that the label is wrong" if probable else "rank in the diagnosis"
        assert rows.first.get_attribute("title") == hint
        head = page.locator("#card header").inner_text()
        assert (f"score {scores[0]}" in head, "rank 1" in head) == (probable, not probable)


def test_each_key_is_a_decision(page, server, request):
    who = request.node.name
    first = page.evaluate("[...datamapReview.queue.rows.slice(0, 8)]").copy()
    ids = [server(f"/api/sample/{row}")[1]["id"] for row in first]
    proposed = page.locator("#accept .class-name").inner_text()
    press(page, "Enter", "k", "2", "d", "u", "j", "ArrowLeft", "p")
    found = decisions_of(server, page, who)
    given = [f"class {server(f'/api/sample/{row}')[1]['label']}" for row in first]
    assert found[ids[0]] == ("label", proposed)
    assert found[ids[1]] == ("keep", given[1])
    assert found[ids[2]] == (("keep", given[2]) if given[2] == "class 1" else ("label", "class 1"))
    assert [found[ids[k]] for k in (3, 4)] == [("drop", None), ("unsure", None)]
    assert set(found) == set(ids[:6])  # skipping decides nothing, nor does going back
    assert shown(page) == ids[6]
    press(page, "z", "z")
    assert shown(page) == ids[4]
    page.reload()
    wait(page, "datamapReview.here.sample?.why !== undefined")
    assert shown(page) == ids[4]  # what is decided is not asked again
    assert page.evaluate("datamapReview.queue.length") == 40 - 4


def test_each_button_does_what_its_key_does(page, server, request):
    ids = []
    for button in ("keep", "accept", "drop", "unsure", "skip"):
        ids.append(shown(page))
        page.locator(f"#{button}").click()
        wait(page, "id => datamapReview.here.sample.id !== id", arg=ids[-1])
    page.locator("#back").click()
    page.locator("#choices button").first.click()
    wait(page, "!datamapReview.outbox.waiting.length")
    page.keyboard.press("Enter")  # the button has no focus any more: this takes the proposal
    press(page)
    found = decisions_of(server, page, request.node.name)
    assert [found[id][0] for id in ids[:4]] == ["keep", "label", "drop", "unsure"]
    assert ids[4] in found and len(found) == 6
    page.locator("#undo").click()
    press(page)
    assert page.get_by_text("undone").count() == 1


def test_a_key_that_is_held_down_decides_once_and_no_key_decides_in_a_field(page, server, request):
    page.keyboard.down("k")
    for _ in range(5):
        page.keyboard.down("k")  # repeats
    page.keyboard.up("k")
    page.locator("#search").fill("question")
    page.locator("#search").press("k")
    page.locator("#show-help").press("Enter")
    page.keyboard.press("d")
    page.keyboard.press("Escape")
    wait(page, "document.activeElement.id === 'card'")  # Enter would open the list of keys again otherwise
    press(page)
    assert server("/api/progress", who=request.node.name)[1]["mine"] == 1


def test_filters_and_the_map_choose_what_is_reviewed(page):
    def count():
        page.wait_for_timeout(900)  # until typing has paused
        return page.evaluate("datamapReview.queue.length")

    page.locator("#search").fill("NUMBER 3")
    assert count() == 11  # 3, 30 to 39
    page.locator("#search").fill("no such words")
    assert count() == 0 and not page.locator("#verdicts").is_visible()
    page.locator("#search").fill("")
    assert count() == 40 and page.locator("#verdicts").is_visible()
    page.locator("#show-filters").click()
    page.locator("#filters select").nth(2).select_option("easy")
    easy = count()
    assert 0 < easy < 40
    assert page.locator("#show-filters").inner_text() == "Filters · 1"
    page.get_by_role("button", name="clear filters").click()
    page.get_by_label("score from").fill("0.9")
    high = count()
    assert high < 40
    page.get_by_role("button", name="clear filters").click()
    assert count() == 40
    area = page.locator("#map").bounding_box()
    x, y = page.evaluate("datamapReview.map.scatter.positionOf(datamapReview.queue.rows[0])")
    page.mouse.move(area["x"] + x - 9, area["y"] + y - 9)
    page.mouse.down()
    for dx, dy in ((9, -9), (9, 9), (-9, 9), (-9, -8)):
        page.mouse.move(area["x"] + x + dx, area["y"] + y + dy, steps=3)
    page.mouse.up()
    assert 0 < count() < 40
    page.get_by_role("button", name="all", exact=True).click()
    assert count() == 40
    page.mouse.move(area["x"] + x, area["y"] + y)
    page.mouse.wheel(0, -1500)  # what is in view is reviewed
    assert 0 < count() < 40
    page.mouse.dblclick(area["x"] + x, area["y"] + y)
    assert count() == 40


SIDEWAYS = """() => [...document.querySelectorAll("body *")]
  .filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > innerWidth + 0.5)
  .filter((one) => !one.closest(".unseen, #map, bdi, #tally"))
  .map((one) => `${one.tagName} ${one.id} ${one.textContent.slice(0, 99)}`)"""


def test_on_a_phone_nothing_is_cut_and_the_keys_are_above_the_neighbors(browser, server, request):
    with opened(browser, server, request.node.name, (390, 844)) as page:
        page.locator("#more .neighbors button").first.wait_for()
        assert page.evaluate(SIDEWAYS) == []
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        text, keys, more, list_, map_ = (
            page.locator(name).bounding_box() for name in ("#card", "#actions", "#more", "#list", "#map")
        )
        assert text["y"] < keys["y"] < more["y"] < list_["y"] < map_["y"]
        assert keys["y"] + keys["height"] <= 844
        page.locator("#map").scroll_into_view_if_needed()
        press(page, "k")
        wait(
            page, "document.getElementById('card-name')?.getBoundingClientRect().top >= 0"
        )  # the next sample


def test_the_map_has_the_runs_regions_in_the_colors_of_the_theme(browser, server, request):
    with opened(browser, server, request.node.name) as page:
        assert [region["name"] for region in page.evaluate("datamapReview.map.scatter.data.regions")] == [
            "easy to learn", "hard to learn", "noisy?", "ambiguous",
        ]  # fmt: skip
        page.emulate_media(color_scheme="dark")
        wait(page, "Math.max(...datamapReview.map.scatter.colorAt(60, 40)) < 90")


def test_a_selection_is_saved_in_the_run_and_curated(page, server, store_uri, command):
    page.locator("#search").fill("number 3")
    wait(page, "datamapReview.queue.length === 11")
    page.locator("#save-selection").click()
    wait(page, "document.getElementById('said').textContent.includes('11 ids are saved')")
    told = page.locator("#said").inner_text()
    done = command("curate", *[word for word in told.split() if "=" in word])
    assert "11 of 40 samples" in done.out, done.err


def test_escape_ends_a_search(page):
    page.locator("#search").fill("number 3")
    wait(page, "datamapReview.queue.length === 11")
    page.locator("#search").press("Escape")
    wait(page, "datamapReview.queue.length === 40")
    assert page.locator("#search").input_value() == ""
    assert page.evaluate("document.activeElement.id") == "card"
    page.locator("#search").fill("number 3")
    page.locator("#search").press("Escape")  # before the list is filtered
    page.wait_for_timeout(600)
    assert page.evaluate("[datamapReview.queue.length, datamapReview.queue.filter.text]") == [40, None]


def test_a_disk_that_takes_nothing_is_told_and_the_decision_waits(page):
    said = {"error": "decisions.jsonl: No space left on device"}
    page.route("**/api/decisions", lambda route: route.fulfill(status=503, json=said))
    page.keyboard.press("k")
    page.get_by_text(
        "(decisions.jsonl: No space left on device); trying again. 1 decision is kept"
    ).wait_for()
    page.unroute("**/api/decisions")
    press(page)
    page.locator("#trouble").wait_for(state="hidden")


def test_a_jump_goes_to_any_id_and_says_where_there_is_none(page):
    page.keyboard.press("g")
    page.locator("#jump-id").fill("nobody")
    page.keyboard.press("Enter")
    page.get_by_text("no sample has the id nobody").wait_for()
    page.locator("#jump-id").fill("s22")
    page.keyboard.press("Enter")
    wait(page, "datamapReview.here.sample?.id === 's22'")
    assert page.evaluate("datamapReview.queue.rows[datamapReview.here.index]") == 22


def test_the_list_goes_with_the_keyboard(page):
    page.locator("#list").focus()
    page.keyboard.press("End")
    wait(page, "datamapReview.here.index === 39")
    # In one step: scrolling draws the rows anew, so that one that was found before may be gone.
    wait(
        page,
        """(() => {
          const list = document.querySelector("#list");
          const row = document.querySelector("[role=option][aria-selected=true]");
          return row?.id === list.getAttribute("aria-activedescendant")
            && row.getBoundingClientRect().bottom <= list.getBoundingClientRect().bottom + 1;
        })()""",
    )
    page.keyboard.press("ArrowUp")
    wait(page, "datamapReview.here.index === 38")


def test_one_of_150_classes_is_found_by_its_name(browser, store_uri):
    run_id = made_run(classes=150, samples=300, uri=store_uri)
    with reviewing(browser, run_id, store_uri) as (server, page):
        id = shown(page)
        page.keyboard.press("/")
        page.keyboard.type("class 14")
        assert page.locator("#class-list [role=option]").count() == 11  # 14, 140 to 149
        for key in ("ArrowDown", "ArrowDown", "Enter"):
            page.keyboard.press(key)
        press(page)
        assert decisions_of(server, page, "anna") == {id: ("label", "class 141")}
        page.keyboard.press("l")
        page.keyboard.type("nothing like it")
        page.keyboard.press("Enter")
        page.get_by_text("no class has such a name").wait_for()
        page.keyboard.press("Escape")
        assert len(decisions_of(server, page, "anna")) == 1


def test_two_reviewers_see_each_other(browser, store_uri):
    with (
        serving(made_run(uri=store_uri), f"tracking.uri={store_uri}") as server,
        contextlib.ExitStack() as stack,
    ):
        anna, li = (stack.enter_context(opened(browser, server, who)) for who in ("anna", "李"))
        press(anna, "Enter", "k", "Enter", "k")
        press(li, "Enter", "Enter", "k", "k")
        for page in (anna, li):
            page.get_by_role("button", name="reviewers disagree on 2: show them").wait_for()
            assert "agreement (kappa)" in page.locator("#facts").inner_text()
        assert "anna" in anna.locator("#facts").inner_text() and "李" in anna.locator("#facts").inner_text()
        anna.get_by_role("button", name="reviewers disagree on 2").click()
        wait(anna, "datamapReview.queue.length === 2")
        anna.get_by_text("Reviewers disagree", exact=True).wait_for()
        decided = anna.locator("#card .decided")
        assert "李" in decided.inner_text()
        # They agree: the conflict goes, also for the other one.
        press(anna, "Enter")
        li.get_by_role("button", name="reviewers disagree on 1: show it").wait_for()


OPENED = {
    "page": (),
    "filters": ("#show-filters",),
    "help": ("?",),
    "classes": ("Escape", "l"),
    "jump": ("Escape", "g"),
}


@pytest.fixture(scope="module")
def chinese(folder, store_uri):
    """The server of another such run, in Chinese."""
    options = (f"tracking.uri={store_uri}", "lang=zh")
    with serving(made_run(uri=store_uri), *options, XDG_STATE_HOME=str(folder)) as served:
        yield served


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("served", ["server", "chinese"])
def test_nothing_keeps_people_out(browser, served, scheme, request):
    """axe-core, on the page and on all that opens over it, the contrast of its texts in both themes."""
    with opened(browser, request.getfixturevalue(served), who="王", color_scheme=scheme) as page:
        press(page, "Enter", "k")
        page.locator("#more .neighbors button").first.wait_for()
        for name, steps in OPENED.items():
            for step in steps:
                page.locator(step).click() if step.startswith("#") else page.keyboard.press(step)
            found = Axe().run(page)
            assert not found.response["violations"], f"{name}: {found.generate_report()}"


ENGLISH = """() => {
  const isEnglish = (text) => /[a-z]{3}/i.test(text ?? "");
  const theirs = "script, style, bdi, kbd, .text, .row-text, .why, title, #run, #announced, #card-name, " +
    "select:has([value='2'])";
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    if (isEnglish(node.data) && !node.parentElement.closest(theirs)) found.push(node.data);
  }
  for (const one of document.querySelectorAll("*")) {
    found.push(...[one.ariaLabel, one.placeholder, one.closest("bdi") ? "" : one.title].filter(isEnglish));
  }
  return found;
}"""


def test_the_chinese_page_is_chinese(browser, chinese):
    with opened(browser, chinese, who="李") as page:
        press(page, "Enter", "k", "d", "u", "z")
        page.locator("#more .neighbors button").first.wait_for()
        allowed = ("kappa", "label_var", "Enter", "Esc")
        assert [text for text in page.evaluate(ENGLISH) if not any(word in text for word in allowed)] == []
        assert page.title().endswith("审核")
        assert page.locator("html").get_attribute("lang") == "zh-CN"


def test_hostile_texts_stay_texts(browser, store_uri):
    texts = [HOSTILE[n % len(HOSTILE)] for n in range(40)]
    run_id = made_run(uri=store_uri, texts={"text_a": texts, "text_b": texts[::-1]})
    with reviewing(browser, run_id, store_uri, who="<b>anna</b>") as (server, page):
        for k in range(12):
            row = page.evaluate("datamapReview.here.row")
            wait(page, "datamapReview.here.sample.why !== undefined")
            sample = server(f"/api/sample/{row}")[1]
            found = page.locator("#card .text p").evaluate_all("all => all.map((one) => one.textContent)")
            assert found == [sample["text_a"], sample["text_b"]]
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            keep = page.locator("#keep").bounding_box()
            assert keep["y"] + keep["height"] < 900  # no text pushes the buttons away
            press(page, "Enter" if k % 2 else "k")
        assert page.evaluate("window.hacked") is None
        assert page.locator("#card b, #card img, #card script, #list img").count() == 0


def test_a_wrong_token_is_told_and_shows_nothing(browser, server):
    with opened(browser, server, path=f"{server.base}/?token=wrong") as page:
        assert "wrong or missing token" in page.locator("body").inner_text()
        assert page.locator("button, input").count() == 0


ATTEMPT = """async ([url, token]) => {
  const [headers, body] = [{ "X-Token": token }, JSON.stringify({ row: 0, action: "drop" })];
  const tries = [{ headers }, { method: "POST", body, mode: "no-cors" }, { method: "POST", body, headers }];
  const told = (answer) => answer.type + answer.status;
  return Promise.all(tries.map((one) => fetch(url, one).then(told, () => "refused")));
}"""


def test_another_page_can_neither_read_nor_decide(browser, server):
    """A page of another origin that has even the token: the browser and the server both refuse."""
    with contextlib.closing(browser.new_context()) as context:
        page, empty = context.new_page(), {"body": "<!doctype html>", "content_type": "text/html"}
        page.route("http://evil.test/", lambda route: route.fulfill(**empty))
        page.goto("http://evil.test/")
        before = server("/api/sample/0")[1]["decisions"]
        found = page.evaluate(ATTEMPT, [f"{server.base}/api/decisions", server.token])
        assert "refused" in found and set(found) <= {"refused", "opaque0"}
        assert server("/api/sample/0")[1]["decisions"] == before
        assert server("/api/run", Origin="http://evil.test")[0] == 403


def test_a_killed_server_loses_no_key(browser, store_uri):
    run_id = made_run(uri=store_uri)
    options = (f"tracking.uri={store_uri}",)
    with serving(run_id, *options) as server, opened(browser, server) as page:
        press(page, "k")
        ids = [shown(page)]
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        for key in ("Enter", "d"):
            page.keyboard.press(key)
            ids.append(shown(page))
        page.get_by_text("The server does not answer.").wait_for()
        page.get_by_text("2 decisions are kept in this browser and will be sent.").wait_for()
        assert f"datamap review run_id={run_id}" in page.locator("#trouble").inner_text()
        with serving(run_id, *options) as again:
            assert (again.base, again.token) == (server.base, server.token)
            wait(page, "!datamapReview.outbox.waiting.length && document.getElementById('trouble').hidden")
            found = decisions_of(again, page, "anna")
            assert [found[id][0] for id in ids[:2]] == ["label", "drop"]
            assert len(found) == 3
            press(page, "u")
            assert decisions_of(again, page, "anna")[ids[2]] == ("unsure", None)


def test_what_the_server_refuses_is_said_and_taken_back(page):
    first = shown(page)
    page.route("**/api/decisions", lambda route: route.fulfill(status=400, json={"error": "no such class"}))
    press(page, "Enter")
    page.get_by_text("no such class").wait_for()
    assert page.locator("#list .mark:not([title])").count() == 0  # others decided too: theirs are titled
    page.keyboard.press("ArrowLeft")
    assert shown(page) == first and page.locator("#accept").get_attribute("aria-pressed") == "false"


def test_a_server_with_another_address_is_named_and_the_decision_waits(page):
    page.route("**/api/decisions", lambda route: route.fulfill(status=403, json={"error": "wrong token"}))
    page.keyboard.press("k")
    page.get_by_text(
        "restarted at another address: open the one that it printed. 1 decision is kept"
    ).wait_for()
    page.unroute("**/api/decisions")
    press(page)
    page.locator("#trouble").wait_for(state="hidden")


def test_decisions_of_a_closed_page_are_sent_when_it_opens_again(browser, server):
    with contextlib.closing(browser.new_context()) as context:
        context.add_init_script("localStorage['datamap.reviewer'] = 'closed'")

        def new_page():
            page = context.new_page()
            page.goto(f"{server.base}/?token={server.token}")
            wait(page, "datamapReview.here.sample?.why !== undefined")
            return page

        def decided():
            return server("/api/progress", who="closed")[1]["mine"]

        page = new_page()
        context.set_offline(True)
        page.keyboard.press("d")
        page.get_by_text("1 decision is kept").wait_for()
        page.close()
        assert decided() == 0
        context.set_offline(False)
        page = new_page()
        wait(page, "!datamapReview.outbox.waiting.length")
        assert decided() == 1


def new_labels(keys, samples):
    """{id: label that a key gives, None where it drops the sample}; an unsure one keeps its label."""
    found = {}
    for key, sample in zip(keys, samples, strict=True):
        given, proposed = sample["label"], sample["proposed"]
        label = {"k": given, "u": given, "d": None, "0": 0, "1": 1}.get(key, proposed)
        found[int(sample["id"])] = label
    return found


def test_the_whole_loop_on_the_demo(browser, command, client):
    """train → diagnose → review 50 samples by the keyboard → curate → train."""
    trained = command("train", *SMALL_MODEL, "trainer.epochs=2", "data.sample=300")
    assert trained.code == 0, trained.err
    run_id = trained.out.split()[1]
    assert command("diagnose", f"run_id={run_id}").code == 0
    keys = ["Enter", "k", "d", "u", "0", "1", "p", "k", "Enter", "d"] * 5
    with serving(run_id) as server, opened(browser, server) as page:
        rows = page.evaluate("[...datamapReview.queue.rows.slice(0, 50)]")
        samples = [server(f"/api/sample/{row}")[1] for row in rows]
        # Enter and p take a proposal, which not every one of the first 50 has.
        keys = [
            "0" if key in ("p", "Enter") and s["proposed"] is None else key
            for key, s in zip(keys, samples, strict=True)
        ]
        assert "p" in keys
        for key in keys:
            wait(page, "datamapReview.here.sample?.why !== undefined")
            page.keyboard.press(key)
        press(page)
        wait(page, "document.getElementById('tally').textContent.startsWith('50 of')")
        expected = new_labels(keys, samples)
    curated = command("curate", f"run_id={run_id}", "keep=corrected")
    assert curated.code == 0, curated.err
    made = re.findall(r"^run (\w+)  \(", curated.out, re.MULTILINE)[-1]
    before, after = (
        pd.read_csv(local(client, *of), sep="\t", index_col="id")["label"]
        for of in ((run_id, schema.SAMPLES_FILE), (made, schema.CURATED_FILE))
    )
    assert None not in [label for key, label in zip(keys, expected.values(), strict=True) if key == "p"]
    right = before.astype(object)
    right.update(pd.Series(expected, dtype=object))
    right = right.drop([id for id, label in expected.items() if label is None])
    assert after.to_dict() == right.to_dict()
    assert sum(right != before[right.index]) >= 5
    again = command(
        "train", "data=file", f"data.path=runs:/{made}/curated.tsv", *SMALL_MODEL, "trainer.epochs=1"
    )
    assert again.code == 0, again.err


def test_a_completion_is_kept_or_dropped(browser, store_uri):
    rows = [{"prompt": f"prompt {n} " + "x" * 900 * n, "completion": f"answer {n}"} for n in range(6)]
    with datamap.SignalRecorder(samples=rows, task="generation", tracking_uri=store_uri) as recorder:
        for epoch in (1, 2):
            log_probs = [[-n - 0.5] for n in range(6)]
            recorder.record(range(6), token_logprobs=log_probs, token_correct=[[n < 3] for n in range(6)])
            recorder.commit(epoch)
    with reviewing(browser, recorder.run_id, store_uri) as (server, page):
        wait(page, "datamapReview.here.sample?.id === '5' && document.querySelector('.text h3')")
        card = page.locator("#card")
        assert card.locator(".text h3").all_inner_texts() == ["Prompt", "Completion"]
        assert card.locator("button.more").inner_text() == "show all 4509 characters"
        for name in ("#accept", "#choices"):
            assert not page.locator(name).is_visible()
        assert page.locator("#keep").inner_text().split() == ["K", "Keep", "it"]
        assert not page.locator(".row-labels .given").count()
        press(page, "d", "k")
        assert {key: action for key, (action, _) in decisions_of(server, page, "anna").items()} == {
            "5": "drop",
            "4": "keep",
        }


def test_tokens_are_reviewed_in_their_sentence(browser, store_uri, command, monkeypatch, folder):
    run_id, truth = token_run(store_uri)
    with reviewing(browser, run_id, store_uri) as (server, page):
        assert page.locator("#queue-count span").inner_text() == f"{sum(map(len, truth.values()))} tokens"
        wrong = {f"s{n}:0" for n in range(30) if n % 7 == 3}
        found = set()
        for _ in wrong:
            wait(page, "document.querySelector('mark.token')")
            assert shown(page) not in found
            found.add(shown(page))
            here, n = page.locator("mark.token"), int(shown(page)[1:].split(":")[0])
            assert here.inner_text().split() == [("Ann", "Bob", "Eve")[n % 3], "O"]
            sentence = page.locator(".sentence").inner_text().split()
            assert sentence[2:4] == ["Li", "I-PER"] and "Rome" in sentence or "York" in sentence
            press(page, "Enter")  # takes the proposal
        assert found == wrong  # most likely wrong first
        first = shown(page)
        press(page, "/")
        page.keyboard.type("I-L")  # another tag by typing
        press(page, "Enter")
        assert decisions_of(server, page, "anna")[first] == ("label", "I-LOC")
        press(page, "z")
        assert shown(page) == first
        assert not Axe().run(page).response["violations"]
        row = server("/api/find?id=s1:3", who="anna")[1]["row"]  # New of "New York"
        page.keyboard.press("g")
        page.locator("#jump-id").fill("s1:3")
        page.keyboard.press("Enter")
        wait(page, "(row) => datamapReview.here.sample?.row === row && datamapReview.here.sample.parts", row)
        press(page, "Shift+ArrowLeft")
        york = server(f"/api/sample/{row + 1}", who="anna")[1]["decision"]
        assert (york["id"], york["new_label"]) == ("s1:4", "O")
        assert page.locator(".token.tagged").count() == 3 and shown(page) == "s1:3"
        press(page, "z")
        assert page.locator(".token.tagged").count() == 4 and shown(page) == "s1:3"
        press(page, "Control+Shift+ArrowRight")  # York alone is the place
        changed = [server(f"/api/sample/{row + k}", who="anna")[1]["decision"] for k in (0, 1)]
        assert [(one["id"], one["new_label"]) for one in changed] == [("s1:3", "O"), ("s1:4", "B-LOC")]
        press(page, "z")
        assert page.locator(".token.tagged").count() == 4 and shown(page) == "s1:3"
        server.process.kill()
        server.process.wait(60)
        page.locator("#keep").click()
        wait(page, "datamapReview.outbox.waiting.length === 1")
    with serving(run_id, f"tracking.uri={store_uri}") as server, opened(browser, server, "ben") as page:
        row = server("/api/find?id=s3:0", who="ben")[1]["row"]
        sample = server(f"/api/sample/{row}", who="ben")[1]
        assert [(one["who"], one["new_label"]) for one in sample["decisions"]] == [("anna", "B-PER")]
        assert [part["text"] for part in sample["parts"]] == ["Ann", "Li", "saw", "New", "York", "."]
        assert sample["parts"][0]["decision"]["new_label"] == "B-PER"
        server.decide(row, "keep", who="ben")
        assert server("/api/progress")[1]["conflicts"] == [row]
    monkeypatch.chdir(folder)
    done = command("curate", f"run_id={run_id}", f"tracking.uri={store_uri}", "keep=corrected")
    assert "3 labels changed in 3 samples" in done.out, (
        done.out + done.err
    )  # two reviewers disagree on the fourth


def test_one_key_takes_all_proposals_of_a_sentence(browser, store_uri):
    run_id, _ = token_run(store_uri, wrong=2)
    with reviewing(browser, run_id, store_uri) as (server, page):
        button = page.locator("#accept-all")
        wait(page, "document.querySelector('button.token')")
        assert button.inner_text().split() == ["⇧↵", "Accept", "all", "proposals", "(2)"]
        first = shown(page)
        sentence = first.partition(":")[0]
        both = {f"{sentence}:0": ("label", "B-PER"), f"{sentence}:1": ("label", "I-PER")}
        page.keyboard.press("Shift+Enter")
        wait(page, "datamapReview.decisions.steps.length === 1")
        press(page)
        assert decisions_of(server, page, "anna") == both
        assert not shown(page).startswith(f"{sentence}:")  # on to the next sentence
        press(page, "z")  # one step back
        assert {kind for kind, _ in decisions_of(server, page, "anna").values()} == {"undo"}
        assert shown(page) == first
        other = next(name for name in both if name != first)
        rows = {name: server(f"/api/find?id={name}", who="anna")[1]["row"] for name in both}
        server.decide(rows[other], "keep", who="ben")
        wait(page, "datamapReview.here.sample?.parts?.filter((part) => part.decision).length === 1")
        assert not button.is_visible()  # nobody's decision is overruled
        page.keyboard.press("Shift+Enter")
        wait(page, "datamapReview.decisions.steps.length === 1")
        press(page)
        assert decisions_of(server, page, "anna") == {first: both[first], other: ("undo", None)}
        press(page, "?")
        assert "accept all proposals in the sentence" in page.locator("#help-keys").inner_text()


def test_labels_of_a_text_are_reviewed_the_doubtful_ones_first(browser, store_uri):
    with reviewing(browser, label_run(store_uri), store_uri, "lang=zh") as (server, page):
        wait(page, "document.querySelector('.labels')")
        assert page.locator("#queue-count span").inner_text() == "120 个标签"
        number, label = map(int, shown(page).split(":"))
        assert number % 7 == 3 and label == number % 3
        first_label = page.locator(".labels button").first.inner_text()
        assert first_label.split() == [("sports", "politics", "economy")[label], "没有", "→", "有"]
        assert page.locator(".labels [aria-current]").count() == 1
        first = shown(page)
        press(page, "Enter")
        assert decisions_of(server, page, "anna")[first] == ("label", "present")
        press(page, "z", "d")
        assert decisions_of(server, page, "anna")[first] == ("drop", None)
        press(page, "z")
        page.keyboard.press("Shift+Enter")
        wait(page, "datamapReview.decisions.steps.length === 1")
        press(page)
        assert decisions_of(server, page, "anna") == {first: ("label", "present")}
        press(page, "z", "d", "?")
        assert "采用该文本的全部建议" in page.locator("#help-keys").inner_text()
        press(page, "Escape")
        page.locator(".labels button").last.click()
        wait(page, "(first) => datamapReview.here.sample && datamapReview.here.sample.id !== first", first)
        assert not Axe().run(page).response["violations"]
        assert [text for text in page.evaluate(ENGLISH) if "Enter" not in text] == []
