"""A person's view: the MLflow UI and the explorer in a real Chromium, on a real server."""

import contextlib
import io
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from axe_playwright_python.sync_playwright import Axe

import chromium
from conftest import PAIRS, SMALL_MODEL
from datamap import schema
from datamap.cli.entry import run
from datamap.maps import cards, explorer, groups
from datamap.signals.observations import Observations
from datamap.signals.trajectories import Trajectories
from datamap.summaries.dynamics import summarize
from datamap.web import pages
from explored import by_rows
from servers import mlflow_server

HOSTILE = [
    '<img src=x onerror="top.hacked=window.hacked=1">',
    "</script><script>window.hacked=1</script>",
    "<!--<script>",
    "javascript:window.hacked=1",
    '"><svg onload=window.hacked=1>',
    "${window.hacked=1}",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory, empty_store):
    """A server with a multirun of three seeds on texts that would like to be markup."""
    folder = tmp_path_factory.mktemp("site")
    rows = [
        f"{a}{n}\t{b}{n}\t{'<b>相同</b>' if label else '不同'}" for n in range(6) for a, b, label in PAIRS
    ]
    rows += [f"{text}\t{text}\t{'<b>相同</b>' if n % 2 else '不同'}" for n, text in enumerate(HOSTILE)]
    (folder / "pairs.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    with mlflow_server(folder / "server", empty_store) as address, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["datamap"])
        store = f"tracking.uri={address}"
        options = ["data=file", "data.path=pairs.tsv", *SMALL_MODEL, store, "tracking.run_name=sweep"]
        assert run("train", ["-m", "seed=1,2,3", "trainer.jobs=1", *options]) == 0
        from mlflow import MlflowClient

        client = MlflowClient(address)
        runs = client.search_runs(["1"], "metrics.`signals.rows` > 0")
        parent = client.search_runs(["1"], "tags.`datamap.compared` != ''")[0]
        assert run("diagnose", [f"run_id={runs[0].info.run_id}", store]) == 0
        yield SimpleNamespace(
            address=f"{address}/#/experiments/1/runs",
            run=runs[0].info.run_id,
            parent=parent.info.run_id,
        )


def until(page, expression):
    """Wait until an expression is true; Playwright's own waiting is what the page's policy forbids (eval)."""
    for _ in range(600):
        if page.evaluate(f"Boolean({expression})"):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"never true: {expression}")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    assert chromium.PATH, "these tests need a Chromium; make test installs one"
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=chromium.PATH, args=chromium.FLAGS)
        yield started
        started.close()


@pytest.fixture
def page(browser):
    """A new window; what a script of the page throws fails the test."""
    with contextlib.closing(browser.new_context(viewport={"width": 1400, "height": 1000})) as context:
        context.add_init_script(chromium.SETTINGS)
        context.set_default_timeout(60_000)
        page, errors = context.new_page(), []
        page.on("pageerror", lambda error: errors.append(error))
        yield page
        assert not errors


@pytest.mark.parametrize("width, height", [(1366, 768), (1920, 1080)])
def test_the_runs_page_shows_the_map_in_a_card(page, site, width, height):
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{site.address}/{site.run}/model-metrics")
    page.get_by_text("maps/data_map").first.wait_for()
    image = page.locator("img[src*='maps']").first
    image.wait_for()
    assert image.evaluate("picture => picture.complete && picture.naturalWidth") > 100
    # The card shows the upper part of a picture, where the map is.
    shown = image.evaluate("""picture => {
        let card = picture;
        while (getComputedStyle(card).overflowY !== 'auto') card = card.parentElement;
        const [inner, outer] = [picture.getBoundingClientRect(), card.getBoundingClientRect()];
        // Below the params, and not below an empty part of the card.
        const above = inner.top - picture.closest("div[class*=css]").getBoundingClientRect().top;
        return [(Math.min(inner.bottom, outer.bottom) - inner.top) / inner.height, above];
    }""")
    assert shown[0] > cards.MAP_SHARE - 0.01 and shown[1] < 2


def test_the_runs_page_says_what_it_holds(page, site):
    page.goto(f"{site.address}/{site.run}")
    page.get_by_text("42 samples over 3 observations.", exact=True).wait_for()
    page.goto(f"{site.address}/{site.parent}")
    page.get_by_text("Among the hardest").wait_for()
    with page.context.expect_page() as child:  # links of a description open a new tab
        page.get_by_role("link", name="seed=2").first.click()
    child.value.get_by_text("42 samples over 3 observations.", exact=True).wait_for()


def test_the_diagnosis_is_a_table_whose_first_columns_tell(page, site):
    page.goto(f"{site.address}/{site.run}/artifacts")
    page.get_by_text("diagnosis.tsv").first.click()
    for column in ("score", "label", "proposed", "text_a"):
        cell = page.get_by_text(column, exact=True).first
        cell.wait_for()
        assert cell.evaluate("c => c.getBoundingClientRect().right <= innerWidth"), column
    page.get_by_text("相同").first.wait_for()
    assert page.evaluate("window.hacked") is None
    page.goto(f"{site.address}/{site.run}")
    page.get_by_text("read the samples, most likely wrong first").wait_for()


def test_the_artifact_viewer_shows_picture_table_and_explorer(page, site):
    page.goto(f"{site.address}/{site.run}/artifacts")
    page.get_by_text("summary.tsv").first.click()
    page.get_by_text("avg_probs").first.wait_for()
    page.get_by_text("maps", exact=True).click()
    page.get_by_text("data_map.png").click()
    page.locator("img[src^='blob:']").first.wait_for()
    page.get_by_text("explorer.html").click()
    frame = page.frame_locator("iframe.mlflow-html-iframe")
    frame.get_by_text("42 samples").wait_for()
    inside = next(f for f in page.frames if f.evaluate("Boolean(window.dataMap)"))
    assert len(inside.evaluate("dataMap.shown()")) == 42
    # MLflow's frame forbids downloads: the page says so and offers the text.
    frame.get_by_role("button", name="download TSV").click()
    frame.get_by_text("forbids downloads").wait_for()
    assert (
        frame.locator("#plain")
        .input_value()
        .startswith("id\trank\tlabel\tproposed\tpred_label\ttext_a\ttext_b\twhy\t")
    )
    assert not page.evaluate("window.hacked") and not inside.evaluate("window.hacked")


def test_the_chart_view_of_three_runs_shows_three_maps(page, site):
    page.goto(f"{site.address}?compareRunsMode=CHART")
    page.locator(".ag-cell-wrapper", has_text="sweep").locator("button").first.click()  # its children
    page.get_by_text("maps/data_map").first.wait_for()
    page.wait_for_function("document.querySelectorAll(\"img[src*='data_map']\").length >= 3")


@pytest.fixture(scope="module")
def explorer_file(tmp_path_factory):
    """An explorer of 42 samples that lie apart, the last ones with hostile texts."""
    random = np.random.default_rng(0)
    right = np.linspace(0.02, 0.98, 42)
    probs = np.clip(right + random.normal(0, 0.2, (3, 42)) * np.array([[1], [0.5], [0.2]]), 0, 1)
    labels = np.arange(42) % 2
    correct = probs > 0.5
    observed = Observations(
        (1, 2, 3), pa.array(range(42)), labels, labels * 0, correct, probs, {"loss": -np.log(probs + 0.01)}
    )
    history = Trajectories(
        (1, 2, 3), probs.astype(np.float32), correct, np.where(correct, labels, 1 - labels)
    )
    texts = [f"{a}{n}" for n in range(6) for a, _, _ in PAIRS] + HOSTILE
    page = explorer.build_page(
        summarize(observed),
        history,
        by_rows(text_a=texts, text_b=texts[::-1]),
        ("不同", "<b>相同</b>"),
        title="<i>run</i>",
    )
    path = tmp_path_factory.mktemp("explorer") / "explorer.html"
    path.write_bytes(page)
    return path


@pytest.fixture
def opened(page, explorer_file):
    page.goto(f"file://{explorer_file}")
    until(page, "window.dataMap")
    return page


def shown(page):
    return page.evaluate("dataMap.shown()")


def table_of(page):
    """Return what would be copied or downloaded, by id."""
    return pd.read_csv(io.StringIO(page.evaluate("dataMap.tsv()")), sep="\t", index_col="id")


def rows(page):
    return page.locator("tbody tr").count()


def drag(page, *points):
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=4)
    page.mouse.up()


def test_points_are_drawn_in_their_colors(opened):
    for id, group in zip(
        opened.evaluate("dataMap.shown()"), opened.evaluate("dataMap.groups()"), strict=True
    ):
        color = opened.evaluate(f"dataMap.colorOf({id})")
        rule = next(rule for rule in groups.CORRECTNESS if rule.name == group)
        wanted = [int(rule.color[k : k + 2], 16) for k in (1, 3, 5)]
        assert max(abs(a - b) for a, b in zip(color, wanted, strict=True)) < 70, (id, group, color)


def test_the_page_is_dark_where_people_want_it_so(opened):
    ground = "dataMap.scatter.colorAt(70, 45)"
    assert min(opened.evaluate(ground)) > 200
    opened.emulate_media(color_scheme="dark")
    until(opened, f"Math.max(...{ground}) < 90")
    assert max(opened.evaluate("dataMap.colorOf(20)")) > 90
    assert not Axe().run(opened).response["violations"]


def test_hover_shows_texts_labels_and_history(opened):
    opened.mouse.move(*opened.evaluate("dataMap.positionOf(20)"))
    tip = opened.locator("#tip")
    tip.wait_for()
    words = table_of(opened).loc[20]
    assert tip.locator(".text").all_inner_texts() == [words["text_a"], words["text_b"]]
    assert f"label {words['label']} · predicted {words['pred_label']}" in tip.inner_text()
    assert tip.locator(".facts").inner_text().startswith("id 20 · ")
    assert tip.locator("svg.history circle").count() == 3
    opened.mouse.move(5, 5)
    tip.wait_for(state="hidden")


def test_search_range_and_legend_filter(opened):
    opened.locator("#search").fill("信用卡")
    found = table_of(opened)
    assert (found["text_a"] + found["text_b"]).str.contains("信用卡").all()
    assert rows(opened) == len(shown(opened)) == len(found) < 42
    opened.locator("#search").fill("")
    opened.locator("#add-filter").click()
    opened.locator(".filter select").select_option("avg_probs")
    table = table_of(opened)
    middle = table["avg_probs"].median()
    opened.locator(".filter input").first.fill(str(middle))
    assert sorted(map(int, shown(opened))) == sorted(table.index[table["avg_probs"] >= middle])
    opened.locator(".filter input").first.fill("x")
    assert opened.locator(".filter input.wrong").count() == 1
    opened.locator(".filter button").click()
    assert len(shown(opened)) == 42
    opened.locator("#choose-color").select_option("label")
    opened.locator("#legend button").first.click()
    assert set(table_of(opened)["label"]) == {
        "不同"
    }  # the first of the legend, which reads upwards, is hidden


def test_axes_can_be_chosen(opened):
    before = opened.evaluate("dataMap.positionOf(0)")
    opened.locator("#choose-x").select_option("loss_mean")
    assert opened.evaluate("dataMap.positionOf(0)") != before


@pytest.mark.parametrize("mode", ["lasso", "box"])
def test_select_makes_a_table_to_download(opened, mode, tmp_path):
    opened.get_by_role("button", name=mode, exact=True).click()
    x, y = opened.evaluate("dataMap.positionOf(7)")
    corners = [(x - 6, y - 6), (x + 6, y - 6), (x + 6, y + 6), (x - 6, y + 6)]
    drag(opened, *(corners if mode == "lasso" else corners[::2]))
    chosen = opened.evaluate("dataMap.selected()")
    assert "7" in chosen and len(chosen) < 42
    assert rows(opened) == len(chosen)
    assert f"{len(chosen)} selected" in opened.locator("#count").inner_text()
    with opened.expect_download() as waiting:
        opened.get_by_role("button", name="download TSV").click()
    file = tmp_path / "chosen.tsv"
    waiting.value.save_as(file)
    assert waiting.value.suggested_filename == "samples.tsv"
    assert sorted(pd.read_csv(file, sep="\t", dtype=str)["id"]) == sorted(chosen)
    opened.get_by_role("button", name="clear selection").click()
    assert rows(opened) == 42


def test_what_is_not_selected_is_grey_and_below(opened):
    red, green, blue = opened.evaluate("dataMap.colorOf(30)")
    assert max(red, green, blue) - min(red, green, blue) > 40
    opened.evaluate("dataMap.select([dataMap.samples.rowOf('7')])")
    red, green, blue = opened.evaluate("dataMap.colorOf(30)")
    assert max(red, green, blue) - min(red, green, blue) < 12
    assert opened.evaluate("dataMap.samples.idOf(dataMap.scatter.inView.at(-1))") == "7"
    assert (
        opened.locator("th button", has_text="forgetting_times")
        .get_attribute("title")
        .startswith("forgetting events")
    )
    assert len(opened.locator("td.number").first.inner_text()) <= 8


def test_copy_puts_the_table_on_the_clipboard(opened):
    opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened.get_by_role("button", name="copy TSV").click()
    opened.get_by_text("copied").wait_for()
    assert opened.evaluate("navigator.clipboard.readText()") == opened.evaluate("dataMap.tsv()")


def test_what_is_selected_is_copied_as_an_override_or_a_command(diagnosed):
    page, *_ = diagnosed
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("dataMap.select([1, 4])")
    for button, text in (
        ("copy-train", f"'data.ids=[{ODD[1]},2]'"),
        ("copy-curate", f"{CURATE} 'ids=[{ODD[1]},2]'"),
    ):
        page.locator(f"#{button}").click()
        assert page.evaluate("navigator.clipboard.readText()") == text
    page.evaluate("dataMap.samples.idOf = (row) => `it's ${row}`")
    with page.expect_download() as waiting:
        page.locator("#copy-curate").click()
    assert page.evaluate("navigator.clipboard.readText()") == f"{CURATE} 'ids=ids.txt'"
    assert waiting.value.suggested_filename == "ids.txt"


def test_the_slider_replays_the_epochs(opened):
    final = table_of(opened)
    opened.locator("#epoch").fill("1")
    assert opened.locator("#epoch-name").inner_text() == "epoch 1 / 3"
    first = table_of(opened)
    assert (first["label_var"] == 0).all() and (first["forgetting_times"] == 0).all()
    assert set(first["correct_ratio"]) <= {0, 1}
    opened.locator("#epoch").fill("3")
    again = table_of(opened).loc[final.index]
    pd.testing.assert_frame_equal(again, final, rtol=1e-4, atol=1e-4)
    opened.evaluate("""() => {
      const name = document.getElementById('epoch-name');
      window.seen = [];
      new MutationObserver(() => seen.push(name.textContent)).observe(name, { childList: true });
    }""")
    play = opened.locator("#play")
    assert play.inner_text() == ""  # its sign is drawn: not every machine has a font with it
    play.click()
    assert play.get_attribute("aria-pressed") == "true"
    until(opened, "window.seen.length >= 3")
    assert opened.evaluate("seen") == ["epoch 1 / 3", "epoch 2 / 3", "epoch 3 / 3"]


def test_hostile_texts_do_nothing(opened):
    for n in range(len(HOSTILE)):
        opened.mouse.move(*opened.evaluate(f"dataMap.positionOf({36 + n})"))
        opened.locator("#tip").wait_for()
    opened.locator("#search").fill("<")
    assert {"36", "37", "38", "40"} <= set(shown(opened))
    cells = opened.locator("tbody td.text").all_inner_texts()
    assert {text for text in HOSTILE if "<" in text} <= set(cells)
    assert opened.locator("#legend b, #tip img, table img, table script, table b").count() == 0
    assert opened.evaluate("window.hacked") is None


COMMAND = "datamap review run_id=0123456789abcdef0123456789abcdef"
WHY = by_rows(why=[f"why {n}" for n in range(60)])
CURATE = "datamap curate run_id=0123456789abcdef0123456789abcdef keep=matching"


@pytest.fixture
def diagnosed(page, odd, odd_summary, tmp_path):
    """An explorer of a run that has a diagnosis: odd rows are scored, and some have another class proposed."""
    history = Trajectories(odd.numbers, odd.label_probs.astype(np.float32), odd.correct, None)
    scores = np.arange(60) % 7 / 7
    proposed = np.where(scores > 0.5, (odd.labels + 1) % 9, -1)
    diagnosis = pd.DataFrame({"score": scores, "proposed": proposed})
    step = "Review the labels, most likely wrong first:", COMMAND
    content = explorer.build_page(
        odd_summary, history, WHY, NAMES, diagnosis=diagnosis, next_step=step, curate=CURATE
    )
    (tmp_path / "diagnosed.html").write_bytes(content)
    page.goto(f"file://{tmp_path}/diagnosed.html")
    until(page, "window.dataMap")
    return page, scores, proposed


def test_the_diagnosis_sorts_colours_and_filters(diagnosed):
    page, scores, proposed = diagnosed
    table = table_of(page)
    assert table["score"].is_monotonic_decreasing  # most likely wrong first
    ordered = table.loc[ODD]
    assert np.allclose(ordered["score"], scores, atol=1e-6)
    named = np.where(proposed < 0, "", np.array(NAMES, object)[proposed])
    assert (ordered["proposed"].fillna("").to_numpy() == named).all()
    assert ordered["why"].tolist() == [f"why {n}" for n in range(60)]
    page.locator("#choose-color").select_option("score")
    assert len(set(page.evaluate("dataMap.groups()"))) == 6
    assert "score: probability that the label is wrong" in page.locator("#meanings").inner_text()
    page.locator("#choose-color").select_option("proposed")
    assert page.evaluate("dataMap.groups()").count("no value") == (proposed < 0).sum()
    page.locator("#add-filter").click()
    assert page.locator(".filter select").input_value() == "score"
    page.locator(".filter input").first.fill("0.5")
    assert len(shown(page)) == (scores >= 0.5).sum()
    page.locator("#search").fill("why 13")
    assert shown(page) == ["11"]


def test_ranks_are_shown_where_scores_only_order(page, odd, odd_summary, tmp_path):
    history = Trajectories(odd.numbers, odd.label_probs.astype(np.float32), odd.correct, None)
    ranks = np.arange(60)[::-1] + 1
    values = {"score": 1.0, "rank": ranks, "proposed": -1}
    diagnosis = pd.DataFrame(values)
    content = explorer.build_page(odd_summary, history, WHY, NAMES, diagnosis=diagnosis, lang="zh")
    (tmp_path / "ranked.html").write_bytes(content)
    page.goto(f"file://{tmp_path}/ranked.html")
    until(page, "window.dataMap")
    table = table_of(page)
    assert table["rank"].tolist() == sorted(ranks)
    heads = page.locator("thead").inner_text()
    assert "rank ▲" in heads and "score" not in heads
    first = str(table.index[0])
    page.mouse.move(*page.evaluate("id => dataMap.positionOf(id)", first))
    assert "第 1 位" in page.locator("#tip").inner_text()
    page.locator("#add-filter").click()
    assert page.locator(".filter select").input_value() == "score"


def test_without_classes_no_label_is_shown_and_long_texts_are_folded(page, odd, odd_summary, tmp_path):
    history = Trajectories(odd.numbers, odd.label_probs.astype(np.float32), odd.correct, None)
    texts = by_rows(
        text_a=[f"prompt {n} " + "😀" * 5000 for n in range(60)], text_b=[f"short {n}" for n in range(60)]
    )
    content = explorer.build_page(odd_summary, history, texts, labeled=False)
    (tmp_path / "unlabeled.html").write_bytes(content)
    page.goto(f"file://{tmp_path}/unlabeled.html")
    until(page, "window.dataMap")
    heads = page.locator("thead").inner_text()
    assert "text_b" in heads and "label" not in heads
    colors = page.locator("#choose-color option").all_inner_texts()
    assert "avg_probs" in colors and not {"label", "pred_label", "proposed"} & set(colors)
    cell = page.locator("tbody td.text").first
    folded = cell.locator("span").inner_text()
    assert 380 < len(folded.encode("utf-16-le")) / 2 < 410 and folded.endswith("😀…")
    cell.locator("button").click()
    assert len(cell.locator("span").inner_text()) > 5000
    assert cell.locator("button").inner_text() == "show less"
    cell.locator("button").click()
    assert cell.locator("span").inner_text() == folded
    page.locator("tbody tr").first.hover()
    page.locator("tbody tr").nth(1).hover()
    assert "mean confidence: low = hard, or wrong" in page.locator("#meanings").inner_text()
    assert len(page.evaluate("dataMap.tsv()").splitlines()[1]) > 5000  # the copy has the whole texts


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_selection_stays_when_samples_are_laid_out_by_embeddings(page, odd, odd_summary, tmp_path, lang):
    history = Trajectories(odd.numbers, odd.label_probs.astype(np.float32), odd.correct, None)
    places = np.random.default_rng(0).normal(size=(60, 2))
    summary = odd_summary.assign(embedding_1=places[:, 0], embedding_2=places[:, 1])
    (tmp_path / "laid_out.html").write_bytes(
        explorer.build_page(summary, history, by_rows(), NAMES, lang=lang)
    )
    page.goto(f"file://{tmp_path}/laid_out.html")
    until(page, "window.dataMap")
    by_map, by_embeddings = page.locator("#layouts button").all()
    assert by_embeddings.inner_text() == {"en": "embeddings", "zh": "嵌入空间"}[lang]
    assert [b.get_attribute("aria-pressed") for b in (by_map, by_embeddings)] == ["true", "false"]
    chosen = page.evaluate("dataMap.shown()")[:5]
    page.evaluate(f"dataMap.select({chosen}.map(dataMap.samples.rowOf))")
    before = page.evaluate(f"dataMap.positionOf({chosen[0]!r})")
    by_embeddings.click()
    assert page.evaluate("dataMap.scatter.data.labels") == {"x": "embedding_1", "y": "embedding_2"}
    assert page.evaluate(f"dataMap.positionOf({chosen[0]!r})") != before
    assert page.evaluate("dataMap.selected()") == chosen
    assert page.locator("#choose-x").input_value() == "embedding_1"
    assert [b.get_attribute("aria-pressed") for b in (by_map, by_embeddings)] == ["false", "true"]
    page.locator("#choose-x").select_option("avg_probs")
    assert [b.get_attribute("aria-pressed") for b in (by_map, by_embeddings)] == ["false", "false"]
    by_map.click()
    assert page.evaluate(f"dataMap.positionOf({chosen[0]!r})") == pytest.approx(before)
    assert page.evaluate("dataMap.selected()") == chosen


def test_a_run_without_embeddings_has_one_layout(opened):
    assert opened.locator("#layouts").is_hidden()


def test_the_page_says_how_to_start_the_review(diagnosed):
    page, *_ = diagnosed
    assert page.locator("#next-says").inner_text() == "Review the labels, most likely wrong first:"
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#next-copy").click()
    page.get_by_text("copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == COMMAND


def test_a_row_under_the_pointer_has_a_ring_on_the_map_while_it_is_there(diagnosed):
    page, *_ = diagnosed
    rings = """() => { const front = document.querySelectorAll('#stage canvas')[1], c = front.getContext('2d');
      return c.getImageData(0, 0, front.width, front.height).data.some((v) => v > 0); }"""
    assert not page.evaluate(rings)
    page.locator("tbody tr").nth(2).hover()
    assert page.evaluate(rings)
    page.locator("thead button", has_text="avg_probs").hover()
    assert not page.evaluate(rings)
    page.locator("tbody tr").nth(2).hover()
    page.locator("#search").fill("why 1")  # the table is made anew under the pointer
    page.mouse.move(2, 2)
    assert not page.evaluate(rings)


def test_many_samples_are_densities_and_few_are_points(page, tmp_path):
    """120,000 samples: numbers have four digits, and only the texts of some are there."""
    random, count = np.random.default_rng(5), 120_000
    probs = random.beta(4, 1, (2, count))
    labels = random.integers(0, 2, count)
    correct = probs > 0.5
    observed = Observations((1, 2), pa.array(range(count)), labels, labels * 0, correct, probs, {})
    history = Trajectories((1, 2), probs.astype(np.float32), correct, None)
    texts = [f"{n} {value:.12f}" for n, value in enumerate(random.random(count))]
    summary = summarize(observed)
    content = explorer.build_page(summary, history, by_rows(text_a=texts))
    (tmp_path / "many.html").write_bytes(content)
    page.goto(f"file://{tmp_path}/many.html")
    until(page, "window.dataMap")
    assert len(page.evaluate("dataMap.scatter.inView")) == count
    assert rows(page) == 200
    lowest = int(summary["avg_probs"].idxmin())
    assert page.locator("tbody td").first.inner_text() == str(lowest)
    assert page.locator("tbody td.text").first.inner_text() == texts[lowest]
    x, y = page.evaluate(f"dataMap.positionOf({lowest})")
    page.mouse.move(x, y)
    for _ in range(5):  # a wheel tells whole pixels
        page.mouse.wheel(0, -400)
    until(page, "dataMap.scatter.inView.length < 5000")
    assert lowest in page.evaluate("[...dataMap.scatter.inView]")
    page.mouse.dblclick(x, y)
    until(page, f"dataMap.scatter.inView.length === {count}")


ODD = [2**53 + 1, 2**53 + 3, *range(58)]  # JavaScript would round the first two to the same number


@pytest.fixture(scope="module")
def odd():
    """Observations of 60 samples in nine classes, some missing here and there."""
    random = np.random.default_rng(3)
    present = random.random((6, 60)) > 0.2
    present[0] = True
    probs = random.random((6, 60))
    labels = random.integers(0, 9, 60)
    correct = (random.random((6, 60)) > 0.4) & present
    correct[:, :5], correct[:, 5:9] = False, present[:, 5:9]  # never right, always right
    return Observations(
        tuple(range(1, 7)), pa.array(ODD), labels, random.integers(0, 3, 60), correct, probs, {}, present
    )


@pytest.fixture(scope="module")
def odd_summary(odd):
    extra = np.arange(60.0)
    extra[[3, 4, 5, 6]] = np.nan, np.inf, -np.inf, 1e300
    return summarize(odd).assign(extra=extra, few=np.arange(60) // 20, constructor=1.5)


NAMES = ("normal", "hard", "other", "$x_{$", "", "<b>", "toString", "e", "f")


@pytest.fixture
def odd_page(page, odd, odd_summary, tmp_path):
    history = Trajectories(
        odd.numbers, np.where(odd.present, odd.label_probs, np.nan).astype(np.float32), odd.correct, None
    )
    content = explorer.build_page(odd_summary, history, by_rows(), NAMES, title="odd", lang="zh")
    (tmp_path / "odd.html").write_bytes(content)
    page.goto(f"file://{tmp_path}/odd.html")
    until(page, "window.dataMap")
    return page


def test_ids_are_copied_as_they_are(odd_page):
    lines = odd_page.evaluate("dataMap.tsv()").splitlines()
    assert sorted(int(line.split("\t")[0]) for line in lines[1:]) == sorted(ODD)
    assert set(table_of(odd_page)["constructor"]) == {
        1.5
    }  # a column that is called like what every object has
    odd_page.locator("th button").first.click()
    assert odd_page.locator("tbody td").first.inner_text() == "0"
    odd_page.locator("th button").first.click()
    assert odd_page.locator("tbody td").first.inner_text() == str(2**53 + 3)


def test_a_sample_has_the_colour_that_it_has_on_the_map(odd_page, odd_summary):
    """Column by column, of all numeric columns: groups are decided twice, in Python and on the page."""
    for column in odd_summary.columns.drop("id"):
        odd_page.locator("#choose-color").select_option(column)
        found = groups.split(odd_summary, groups.rules_of(odd_summary, column, NAMES, "zh"), "zh")
        expected = [next(group.name for group in found if group.mask[i]) for i in range(60)]
        assert odd_page.evaluate("dataMap.groups()") == expected, column


def test_replayed_columns_are_those_of_a_shorter_training(odd_page, odd):
    """Column by column, at every observation: statistics are worked out twice, in Python and on the page."""
    for count in range(1, 7):
        odd_page.locator("#epoch").fill(str(count))
        parts = {name: getattr(odd, name)[:count] for name in ("correct", "label_probs", "present")}
        expected = summarize(replace(odd, numbers=odd.numbers[:count], **parts)).set_index("id")
        found = table_of(odd_page).loc[expected.index]
        for column in schema.SUMMARY_COLUMNS:
            if column not in ("id", "label"):
                np.testing.assert_allclose(
                    found[column], expected[column], atol=2e-4, err_msg=f"{column} {count}"
                )


def test_what_has_no_number_comes_last(odd_page):
    up, down = odd_page.evaluate("""() => [false, true].map((down) => {
      const { samples } = dataMap, rows = [...Array(samples.count).keys()];
      return rows.sort(comparison(samples, samples.columns, "extra", down)).map((i) => samples.columns.extra[i]);
    })""")
    assert np.isnan(up[-1]) and np.isnan(down[-1])
    assert up[:-1] == sorted(up[:-1]) and down[:-1] == sorted(down[:-1], reverse=True)


MAP = """(count) => {
  const stage = document.getElementById("stage");
  stage.replaceChildren();
  let seed = 1;
  const random = () => { seed = (seed * 1664525 + 1013904223) >>> 0; return seed / 4294967296; };
  const x = Float32Array.from({ length: count }, random), y = Float32Array.from({ length: count }, random);
  window.chosen = null;
  window.scatter = createScatter(stage, { onSelect: (rows, polygon) => { window.chosen = [[...rows], polygon]; } });
  scatter.set({
    x, y, group: Uint8Array.from(x, (v) => (v < 0.5 ? 0 : 1)), colors: ["#a50026", "#1f3b73"],
    limits: { x: [0, 1], y: [0, 1] },
  });
}"""


@pytest.mark.parametrize("count", [300, 200_000])  # as points, as densities
def test_colours_are_those_of_the_groups_and_grey_where_nothing_is_selected(page, count):
    page.set_content('<div id="stage" style="position: relative; width: 600px; height: 400px"></div>')
    web = explorer.PAGE.parents[1] / "web"
    page.add_style_tag(path=web / "theme.css")
    page.add_script_tag(content=pages.bundle([web / "scripts" / "scatter.js"]))
    page.evaluate(MAP, count)
    left, right = page.evaluate("""() => [0, 1].map((side) => {
      const row = scatter.inView.findLast((i) => (scatter.data.x[i] >= 0.5) === Boolean(side));
      return scatter.colorAt(...scatter.positionOf(row));
    })""")
    assert left[0] > left[2] + 60 and right[2] > right[0] + 40
    page.evaluate("""() => {
      const selected = Uint8Array.from(scatter.data.x, (v) => (v > 0.6 && v < 0.8 ? 1 : 0));
      scatter.set({ selected });
    }""")
    found = page.evaluate("""() => {
      const { x } = scatter.data, row = (low, high) => scatter.inView.findLast((i) => x[i] > low && x[i] < high);
      return [row(0.1, 0.4), row(0.65, 0.75)].map((i) => scatter.colorAt(...scatter.positionOf(i)));
    }""")
    assert max(found[0]) - min(found[0]) < 4 and min(found[0]) > 180
    assert found[1][2] > found[1][0] + 40
