"""When a run's explorer is made, what of the diagnosis is in it, and when it is left as it is."""

import numpy as np
import pandas as pd
import pytest

import datamap
from conftest import local
from datamap import schema
from datamap.tracking.hidden_tags import DIGEST_TAG
from explored import data_of, texts_of, unpacked

TEXTS = pd.DataFrame({"id": range(40), "text_a": ["one text"] * 40})


@pytest.fixture
def run(store):
    """Id of a run without training: 40 samples, three observations, the first four labels wrong."""
    random = np.random.default_rng(0)
    labels = np.arange(40) % 2
    right = np.clip(0.75 + 0.15 * random.random((3, 40)), 0, 1)
    right[:, :4] = 0.1
    with datamap.SignalRecorder(class_names=["=no", "yes"], samples=TEXTS) as recorder:
        for epoch in (1, 2, 3):
            probs = np.empty((40, 2))
            probs[np.arange(40), labels], probs[np.arange(40), 1 - labels] = (
                right[epoch - 1],
                1 - right[epoch - 1],
            )
            recorder.record(range(40), labels, probs=probs)
            recorder.commit(epoch)
    return recorder.run_id


def file_of(client, run_id):
    return local(client, run_id, schema.EXPLORER_FILE)


def test_the_explorer_shows_the_diagnosis(run, command, client):
    assert command("plot", f"run_id={run}").code == 0
    page = data_of(file_of(client, run).read_text())
    assert page["proposed"] is None and "score" not in page["columns"]
    assert page["next"]["command"] == f"python src/diagnose.py run_id={run}"
    outcome = command("diagnose", f"run_id={run}")
    assert outcome.code == 0 and "maps/explorer.html" in outcome.out
    page = data_of(file_of(client, run).read_text())
    diagnosis = datamap.diagnose(run).set_index("id").loc[range(40)]
    assert np.allclose(unpacked(page["columns"]["score"], "<f4"), diagnosis["score"])
    names = np.array(["=no", "yes"])
    proposed = [names[k] if k < 2 else "" for k in unpacked(page["proposed"], "<u2")]
    assert proposed == diagnosis["proposed"].astype(object).fillna("").tolist()
    assert {"=no", "yes"} == set(proposed[:4])
    assert texts_of(file_of(client, run))["why"] == diagnosis["why"].tolist()
    assert page["next"]["command"] == f"python src/review.py run_id={run}"
    assert [rule["name"] for rule in page["groupings"]["proposed"]] == ["=no", "yes", "other", "no value"]
    assert page["limits"]["score"] == pytest.approx([-0.025, 1.025])


def test_the_explorer_shows_ranks_where_scores_only_order(run, command, client):
    assert command("plot", f"run_id={run}").code == 0
    diagnosis = datamap.diagnose(run)
    assert set(diagnosis["evidence"]) == {"order only"}
    page = data_of(file_of(client, run).read_text())
    places = pd.Series(range(1, 41), diagnosis["id"]).loc[range(40)]
    assert unpacked(page["columns"]["rank"], "<f4").tolist() == places.tolist()
    assert "not a probability" in page["meanings"]["score"]

    file = local(client, run, schema.DIAGNOSIS_FILE)
    file.write_text(file.read_text().replace("order only", "probability"))
    client.delete_tag(run, f"{DIGEST_TAG}{schema.DIAGNOSIS_FILE}")
    assert command("plot", f"run_id={run}").code == 0
    page = data_of(file_of(client, run).read_text())
    assert "rank" not in page["columns"] and "score" in page["columns"]
    assert page["meanings"]["score"].startswith("probability that the label is wrong")


def test_a_diagnosis_alone_makes_no_explorer_and_names_none(run, command, client):
    outcome = command("diagnose", f"run_id={run}")
    assert outcome.code == 0 and "explorer" not in outcome.out
    assert not file_of(client, run).exists()
    assert "explorer" not in client.get_run(run).data.tags["mlflow.note.content"]


def test_the_explorer_is_made_anew_only_where_something_in_it_changed(run, command, client):
    def plotted(*overrides):
        assert command("plot", f"run_id={run}", *overrides).code == 0
        return file_of(client, run).stat().st_mtime_ns

    first = plotted()
    assert plotted() == first
    assert plotted("use_f_times=0", "name=other") == first
    second = plotted("lang=zh")
    assert second > first
    assert command("diagnose", f"run_id={run}", "lang=zh").code == 0
    third = plotted("lang=zh")
    assert third > second
    assert plotted("lang=zh") == third
    assert command("summarize", f"run_id={run}", "until=2").code == 0
    fourth = plotted("lang=zh")
    assert fourth > third
    file_of(client, run).write_text("half")  # what an interrupted upload leaves
    assert plotted("lang=zh") > fourth
    assert data_of(file_of(client, run).read_text())["numbers"] == [1, 2]
    file_of(client, run).unlink()
    plotted("lang=zh")
    assert data_of(file_of(client, run).read_text())["title"]


@pytest.mark.parametrize("damaged", ["id\tscore\n1\t2\n", "id\tscore\tproposed\twhy\n"])
def test_a_damaged_diagnosis_is_left_out(run, command, client, damaged):
    assert command("diagnose", f"run_id={run}").code == 0
    local(client, run, schema.DIAGNOSIS_FILE).write_text(damaged)
    client.delete_tag(run, f"{DIGEST_TAG}{schema.DIAGNOSIS_FILE}")  # whoever logs can leave the digest out
    outcome = command("plot", f"run_id={run}")
    assert outcome.code == 0 and "note: the explorer shows no diagnosis" in outcome.out
    assert data_of(file_of(client, run).read_text())["proposed"] is None


def test_embeddings_are_a_second_layout(run, command, client):
    assert command("plot", f"run_id={run}").code == 0
    assert "embedding_1" not in data_of(file_of(client, run).read_text())["columns"]
    vectors = np.random.default_rng(1).normal(size=(40, 8)) + 5 * np.eye(8)[np.arange(40) // 20]
    np.save("mine.npy", vectors)
    assert command("diagnose", f"run_id={run}", "embeddings=mine.npy").code == 0  # makes the explorer anew
    page = data_of(file_of(client, run).read_text())
    first, second = (unpacked(page["columns"][name], "<f4") for name in ("embedding_1", "embedding_2"))
    assert (first[:20] > 0).all() != (first[20:] > 0).all()  # the two halves of the samples are apart
    assert first.std() > second.std()
    low, high = page["limits"]["embedding_1"]
    assert low < first.min() and first.max() < high
    local(client, run, schema.EMBEDDINGS_FILE).write_bytes(b"half")
    client.delete_tag(run, f"{DIGEST_TAG}{schema.EMBEDDINGS_FILE}")
    outcome = command("plot", f"run_id={run}")
    assert outcome.code == 0 and "note: the explorer shows no embeddings" in outcome.out
    assert "embedding_1" not in data_of(file_of(client, run).read_text())["columns"]
