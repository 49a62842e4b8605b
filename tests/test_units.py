"""Units within samples: tokens and several labels."""

import io
import json
import re
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from scipy.special import expit
from sklearn.metrics import average_precision_score

import datamap
from datamap import schema
from datamap.errors import ConfigError, DataError, SignalError
from datamap.labels import blocks, diagnosis, sequences, unit_witnesses
from datamap.labels.balance import balance_errors
from datamap.labels.posterior import infer
from datamap.maps.options import MapOptions
from datamap.schema import Task
from datamap.signals import align
from datamap.tasks import rows, units
from datamap.tasks.definitions import tables_of
from datamap.tracking.store import Store
from explored import data_of, unpacked_json

TOKENS = [
    {"id": "s1", "tokens": ["Ann", "saw", "Paris"], "tags": ["B-PER", "O", "B-LOC"]},
    {"id": "s2", "tokens": ["Bob", "ran"], "tags": ["B-PER", "O"]},
]
TAGS = ["O", "B-PER", "B-LOC"]
PIECES = {  # of s1 and s2: special tokens and second pieces have no tag
    "ids": ["s1", "s2"],
    "labels": [[-100, 1, -100, 0, 2], [-100, 1, 0, -100, -100]],
}


def table_of(task, **given):
    return tables_of(Task(task))(given.pop("ids"), "here", **given)


def test_a_row_per_token_that_has_a_tag():
    logits = np.zeros((2, 5, 3))
    logits[0, 1] = np.log([0.25, 0.5, 0.25])
    table = table_of(
        "tokens", **PIECES, logits=logits, noisy_labels=[[0, 2, 0, 0, 0], [0] * 5], reward=PIECES["labels"]
    )
    assert table["id"].to_pylist() == ["s1:0", "s1:1", "s1:2", "s2:0", "s2:1"]
    assert table["label"].to_pylist() == [1, 0, 2, 1, 0]
    first = table.to_pylist()[0]
    assert first["label_probs"] == pytest.approx(0.5) and first["correct"] and first["noisy_label"] == 2
    assert first["margin"] == pytest.approx(np.log(2)) and first["loss"] == pytest.approx(np.log(2))
    assert first["reward"] == 1


def test_sequences_of_any_length_give_the_same_rows():
    logits = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    padded = table_of("tokens", **PIECES, logits=logits)
    cut = [[-100, 1, -100, 0, 2], [-100, 1, 0]]
    assert table_of("tokens", ids=["s1", "s2"], labels=cut, logits=[logits[0], logits[1, :3]]).equals(padded)


def test_a_row_per_label_of_each_sample():
    table = table_of("multilabel", ids=[7, 8], labels=[[1, 0], [0, 0]], probs=[[0.75, 0.5], [0.25, 1.0]])
    assert table["id"].to_pylist() == ["7:0", "7:1", "8:0", "8:1"]
    assert table["label"].to_pylist() == [1, 0, 0, 0]
    assert table["correct"].to_pylist() == [True, False, True, False]  # p = 0.5 says that the label is given
    assert table["label_probs"].to_pylist()[:3] == pytest.approx([0.75, 0.5, 0.75])
    assert table["margin"].to_pylist()[0] == pytest.approx(np.log(3))
    assert "probs" not in table.column_names


REFUSED = {
    "give labels= and either": ("tokens", {"logits": None}),
    "logits has 4 tokens, labels 5, id s1": ("tokens", {"logits": np.zeros((2, 4, 3))}),
    "logits of sample 0 of the batch has shape": ("tokens", {"logits": np.zeros((2, 5))}),
    "label is not in 0..2, id s1:0": (
        "tokens",
        {"labels": [[-100, 3, -100, 0, 2], [-100, 1, 0, -100, -100]]},
    ),
    "scores are not finite": ("tokens", {"logits": np.full((2, 5, 3), np.nan)}),
    "reward has 2 tokens, labels 5": ("tokens", {"reward": [[1, 2], [1, 2]]}),
    "labels must be numbers, not O, O": ("tokens", {"labels": [["O"] * 5] * 2}),
    "logits must be numbers, not x, x": ("tokens", {"logits": [["x"] * 5] * 2}),
    "labels must be numbers, not food, price": ("multilabel", {"labels": [["food"], ["price"]]}),
    "a label is not 0 or 1, id 7:1": ("multilabel", {"labels": [[0, 2], [1, 1]]}),
    r"logits has shape \(2, 3\)": ("multilabel", {"logits": np.zeros((2, 3))}),
    "logits are not finite": ("multilabel", {"logits": np.full((2, 2), np.inf)}),
    "probabilities are not from 0 to 1": ("multilabel", {"logits": None, "probs": np.full((2, 2), 2.0)}),
    "token_logprobs= belongs to SignalRecorder": ("multilabel", {"token_logprobs": [[1.0], [2.0]]}),
}


@pytest.mark.parametrize("message", REFUSED)
def test_bad_outputs_are_refused_in_one_line(message):
    task, outputs = REFUSED[message]
    good = {
        "tokens": {**PIECES, "logits": np.zeros((2, 5, 3))},
        "multilabel": {"ids": [7, 8], "labels": [[0, 1], [1, 1]], "logits": np.zeros((2, 2))},
    }[task]
    given = {name: value for name, value in {**good, **outputs}.items() if value is not None}
    with pytest.raises(SignalError, match=message) as caught:
        table_of(task, **given)
    assert "\n" not in str(caught.value)


def test_scores_of_samples_are_those_of_cleanlab():
    from cleanlab.internal.multilabel_scorer import exponential_moving_average

    values = np.random.default_rng(1).uniform(size=(20, 7))
    expected = exponential_moving_average(values, alpha=units.ALPHA)
    groups = np.repeat(np.arange(20), 7)
    assert np.allclose(units.exponential_average(values.ravel(), groups), expected)
    assert np.array_equal(values.ravel()[units.worst_rows(values.ravel(), groups)], values.min(axis=1))


def test_ids_come_apart_again():
    samples, positions = units.split(["a:b:0", "中\n文:12", ":3"])
    assert samples.to_pylist() == ["a:b", "中\n文", ""] and positions.tolist() == [0, 12, 3]
    with pytest.raises(ValueError, match="id a is not <sample>:<position>"):
        units.split(["b:1", "a"])


BAD_ROWS = {
    "row 2 has no tokens": ("tokens", [TOKENS[0], {"text": "x"}]),
    "row 1: tags has 1 tags for 3 tokens": ("tokens", [{**TOKENS[0], "tags": ["O"]}]),
    "row 1: tags: 'B-ORG' is not a class": ("tokens", [{**TOKENS[0], "tags": ["B-ORG", "O", "O"]}]),
    "row 1: tags: 3 is not a class": ("tokens", [{**TOKENS[0], "tags": [3, 0, 0]}]),
    "row 1: tokens: 5 is not a text": ("tokens", [{**TOKENS[0], "tokens": ["a", 5, "b"]}]),
    "row 1: labels: 'sprot' is not a class": ("multilabel", [{"text": "x", "labels": ["sprot"]}]),
    "row 1: labels: 'a,b' is not a list": ("multilabel", [{"text": "x", "labels": "a,b"}]),
}


@pytest.mark.parametrize("message", BAD_ROWS)
def test_bad_rows_are_refused_in_one_line(message):
    task, given = BAD_ROWS[message]
    with pytest.raises(DataError, match=message):
        rows.read(given, Task(task), TAGS)


def test_rows_say_which_labels_their_units_have():
    found = rows.read([*TOKENS, {"words": ["x", "y"], "tags": [-100, 2]}], Task.TOKENS, TAGS)
    assert found.labels.tolist() == [1, 0, 2, 1, 0, 2] and found.counts.tolist() == [3, 2, 1]
    assert found.rows_of(np.array([1, 2, 2]), np.array([1, 0, 1])).tolist() == [4, 5, -1]
    found = rows.read([{"labels": ["b"]}, {"labels": [1, 0]}, {"labels": []}], Task.MULTILABEL, ["a", "b"])
    assert found.labels.tolist() == [0, 1, 1, 0, 0, 0]


def test_a_run_keeps_its_task_names_and_rows(store):
    recorder = datamap.SignalRecorder(TAGS, TOKENS, task="tokens")
    with recorder:
        recorder.record(**PIECES, logits=np.zeros((2, 5, 3)))
        recorder.commit(1)
    run = recorder.run
    assert run.task().task is Task.TOKENS and run.class_names() == tuple(TAGS)
    lines = run.artifacts.read("data/samples.jsonl").splitlines()
    assert [json.loads(line) for line in lines] == TOKENS
    with datamap.SignalRecorder(
        ["a", "b"], [{"id": 7, "text": "x", "labels": ["a"]}], task="multilabel"
    ) as recorder:
        recorder.record([7], [[1, 0]], probs=[[0.5, 0.5]])
        recorder.commit(1)
    assert recorder.run.task().label_names == ["a", "b"] and recorder.run.class_names() == (
        "absent",
        "present",
    )


def test_labels_that_differ_from_the_samples_are_refused(store):
    with datamap.SignalRecorder(TAGS, TOKENS, task="tokens") as recorder:
        recorder.record(["s1"], [[0, 0, 2]], logits=np.zeros((1, 3, 3)))
        with pytest.raises(SignalError, match="samples= has another label .counted from 0., id s1:0"):
            recorder.commit(1)
    with datamap.SignalRecorder(TAGS, TOKENS, task="tokens") as recorder:
        recorder.record(["s3"], [[0]], logits=np.zeros((1, 1, 3)))
        with pytest.raises(SignalError, match="samples= has no id s3"):
            recorder.commit(1)
    with datamap.SignalRecorder(["a", "b", "c"], task="multilabel") as recorder:
        recorder.record([7], [[1, 0]], probs=[[0.5, 0.5]])
        with pytest.raises(SignalError, match="the model has 2 labels, class_names= 3"):
            recorder.commit(1)
    with pytest.raises(ConfigError, match="has no classes"):
        datamap.SignalRecorder(["a"], task="scores")


NAMES = ["O", "B-PER", "B-LOC", "I-LOC"]
WORDS = {
    "B-PER": ["Ann", "Bob", "Carl", "Dora"],
    "B-LOC": ["Rome", "Oslo", "Lima"],
    "O": ["saw", "met", "left", "for"],
}
WRONG = tuple(range(3, 80, 7))  # sentences whose first tag is wrong


def sentences():
    random = np.random.default_rng(0)
    made = []
    for number in range(80):
        tags = ["B-PER", "O", "B-LOC"] if number % 2 else ["B-PER", "O", "B-PER", "O", "B-LOC"]
        words = [str(random.choice(WORDS[tag])) for tag in tags]
        made.append({"id": f"s{number}", "words": words, "ner_tags": tags, "note": number})
    for number in WRONG:
        made[number]["ner_tags"] = ["B-LOC", *made[number]["ner_tags"][1:]]
    return made


def recorded(task, names, samples, labels, right, planted):
    """Record a model that comes to know the right labels; `labels`, `right`, `planted`: one array per sample."""
    with datamap.SignalRecorder(names, samples, task=task, run_name=task) as recorder:
        for epoch in (1, 2, 3, 4):
            if task == "tokens":
                outputs = [np.eye(len(names))[one] * epoch for one in right]
            else:
                outputs = np.where(right, epoch, -epoch)
            recorder.record([row["id"] for row in samples], labels, logits=outputs, noisy_labels=planted)
            recorder.commit(epoch)
    return recorder.run


@pytest.fixture
def tokens_run(store):
    return recorded_sentences()


def recorded_sentences():
    samples = sentences()
    labels = [np.array([NAMES.index(tag) for tag in row["ner_tags"]]) for row in samples]
    right = [one.copy() for one in labels]
    for number in WRONG:
        right[number][0] = 1
    planted = [2 * (one != other) for one, other in zip(labels, right, strict=True)]
    return recorded("tokens", NAMES, samples, labels, right, planted)


TOPICS = {"sport": "ball goal team match", "food": "soup bread rice salt", "war": "tank army fire front"}


def documents():
    random = np.random.default_rng(1)
    made = []
    for number in range(120):
        chosen = [name for name in TOPICS if random.uniform() < 0.5]
        words = [word for name in chosen for word in TOPICS[name].split()] + [
            "and",
            "the",
            "of",
            "with",
            "to",
        ]
        made.append({"id": number, "text": " ".join(random.permutation(words)), "labels": chosen})
    return made


@pytest.fixture
def labels_run(store):
    samples, names = documents(), list(TOPICS)
    right = np.array([[name in row["labels"] for name in names] for row in samples])
    given = right.copy()
    for number in WRONG:
        given[number, 0] = ~given[number, 0]
        samples[number]["labels"] = [name for name, there in zip(names, given[number], strict=True) if there]
    return recorded("multilabel", names, samples, given.astype(int), right, 2 * (given != right))


def table(run, name):
    return pd.read_csv(io.BytesIO(run.artifacts.read(name)), sep="\t", keep_default_na=False)


def curated(command, client, run, *options):
    made = command("curate", f"run_id={run.run_id}", *options)
    assert made.code == 0, made
    newest = client.search_runs(["1"], max_results=1)[0]
    path = client.download_artifacts(newest.info.run_id, "curated.jsonl")
    return [json.loads(line) for line in Path(path).read_bytes().splitlines()]


def test_wrong_tags_are_found_and_corrected_in_the_rows_own_keys(tokens_run, command, client):
    said = command("diagnose", f"run_id={tokens_run.run_id}")
    assert "planted dirty tokens: auroc 1.000" in said.out and "dirty tokens against the rest" in said.out
    assert "diagnosis.tsv: 320 tokens, most likely wrong first" in said.out
    assert "diagnosis_samples.tsv ranks each sample by its worst token" in said.out
    first = table(tokens_run, "diagnosis.tsv").head(len(WRONG))
    assert set(first["id"]) == {f"s{number}:0" for number in WRONG}
    assert set(first["proposed"]) == {"B-PER"}
    assert first["why"].str.endswith("; an entity of another type").all()
    assert first["text_a"].str.match(r"\[\w+\] ").all()
    of_samples = table(tokens_run, "diagnosis_samples.tsv").head(len(WRONG))
    assert set(of_samples["id"]) == {f"s{number}" for number in WRONG} and set(of_samples["worst"]) == {0}
    assert list(of_samples)[:3] == ["score", "label", "proposed"]  # what is beside the texts is not in view
    assert of_samples["text_a"].str.match(r"\[\w+\] ").all()  # the worst token
    assert command("diagnose", f"run_id={tokens_run.run_id}", "texts=false").code == 0
    assert "text_a" not in {*table(tokens_run, "diagnosis.tsv"), *table(tokens_run, "diagnosis_samples.tsv")}
    relabeled = curated(command, client, tokens_run, "keep=relabelled", f"share={len(WRONG) / 320}")
    right = [{**row, "ner_tags": ["B-PER", *row["ner_tags"][1:]]} for row in sentences()]
    assert relabeled == right
    clean = curated(command, client, tokens_run, "keep=clean", f"share={len(WRONG) / 80}")
    assert clean == [row for number, row in enumerate(sentences()) if number not in WRONG]


@pytest.mark.parametrize("name", ["tokens_run", "labels_run"])
def test_a_diagnosis_is_written_some_units_at_a_time(name, request, command, monkeypatch):
    run = request.getfixturevalue(name)
    command("diagnose", f"run_id={run.run_id}")
    files = (schema.DIAGNOSIS_FILE, schema.UNITS_DIAGNOSIS_FILE)
    whole = [run.artifacts.read(file) for file in files]
    sizes, made = [], diagnosis.Diagnosis._table
    monkeypatch.setattr(diagnosis.Diagnosis, "_table", lambda *a: sizes.append(len(a[1])) or made(*a))
    monkeypatch.setattr(blocks, "ROWS", 50)
    monkeypatch.setattr(align, "BLOCK", 50)
    command("diagnose", f"run_id={run.run_id}")
    assert max(sizes) == 50
    assert [run.artifacts.read(file) for file in files] == whole


def test_wrong_labels_of_several_are_found_and_corrected(labels_run, command, client):
    said = command("diagnose", f"run_id={labels_run.run_id}")
    assert "diagnosis.tsv: 360 labels, most likely wrong first" in said.out
    first = table(labels_run, "diagnosis.tsv").head(len(WRONG))
    assert set(first["id"]) == {f"{number}:0" for number in WRONG}
    assert first["text_a"].str.startswith("[sport] ").all()
    assert {"absent", "present"} >= set(first["label"])
    relabeled = curated(command, client, labels_run, "keep=relabelled", f"share={len(WRONG) / 360}")
    assert [sorted(row["labels"]) for row in relabeled] == [sorted(row["labels"]) for row in documents()]


def test_clean_drops_a_sample_only_for_a_unit_that_is_likelier_wrong_than_right(labels_run, command, client):
    command("diagnose", f"run_id={labels_run.run_id}")
    likely = int((table(labels_run, "diagnosis_samples.tsv")["score"] > 0.5).sum())
    assert 0 < likely < 30
    client.log_metric(labels_run.run_id, "mislabelled/estimate", 30, step=99)
    assert len(curated(command, client, labels_run, "keep=clean")) == len(documents()) - likely


@pytest.mark.parametrize("name", ["tokens_run", "labels_run"])
def test_rules_by_what_was_learned_choose_samples_by_their_worst_unit(name, request, command, client):
    run = request.getfixturevalue(name)
    command("diagnose", f"run_id={run.run_id}")
    samples = table(run, "summary_samples.tsv")
    for keep, column in (("ambiguous", "label_var"), ("both_ends", "avg_probs")):
        kept = {str(row["id"]) for row in curated(command, client, run, f"keep={keep}", "share=0.5")}
        assert len(kept) == len(samples) // 2
        best = samples.sort_values(column, ascending=False, kind="stable")["id"].astype(str)
        assert set(best[: len(kept) // 2]) <= kept


@pytest.mark.parametrize(("name", "samples"), [("tokens_run", ["s1", "s7"]), ("labels_run", [1, 7])])
def test_ids_name_samples_or_units_of_them(name, samples, request, command, client):
    run = request.getfixturevalue(name)
    for ids in (f"{samples[0]},{samples[1]}", f"{samples[0]}:0,{samples[1]}:1,{samples[1]}:0"):
        kept = curated(command, client, run, "keep=matching", f"ids=[{ids}]")
        assert [row["id"] for row in kept] == samples
    refused = command("curate", f"run_id={run.run_id}", "keep=matching", "ids=['x:1']")
    assert (refused.code, "has no sample x:1" in refused.err) == (2, True)


def test_a_sample_is_as_sure_as_its_worst_unit(tokens_run, command):
    said = command("summarize", f"run_id={tokens_run.run_id}")
    assert "summary_samples.tsv: 80 samples, each by its worst token" in said.out
    rows, samples = table(tokens_run, "summary.tsv"), table(tokens_run, "summary_samples.tsv")
    assert list(samples)[:5] == ["id", "average", "worst", "units", list(rows)[1]] and len(samples) == 80
    of = rows["id"].str.rsplit(":", n=1).str[0]
    assert np.allclose(samples["avg_probs"], rows.groupby(of, sort=False)["avg_probs"].min())
    assert samples["units"].tolist() == rows.groupby(of, sort=False).size().tolist()


def test_a_map_of_units_or_of_samples_and_a_page_that_names_both(tokens_run, command, client):
    said = command("plot", f"run_id={tokens_run.run_id}", "color=label", "marginals=true")
    assert said.code == 0 and "maps/data_map-color_label-marginals.png" in said.out
    said = command("plot", f"run_id={tokens_run.run_id}", "unit=sample", "color=units", "lang=zh")
    assert said.code == 0 and "maps/data_map-color_units-samples.png" in said.out, said
    note = client.get_run(tokens_run.run_id).data.tags["mlflow.note.content"]
    assert "80 个样本的 320 个词元" in note and "平均每个词元遗忘" in note and "样本从未" not in note
    command("diagnose", f"run_id={tokens_run.run_id}", "lang=en")
    note = client.get_run(tokens_run.run_id).data.tags["mlflow.note.content"]
    assert "**320 tokens of 80 samples over 4 observations.**" in note
    assert "of the tokens were never predicted correctly" in note
    assert "read the samples, each ranked by its worst token" in note


def test_a_map_names_its_units_and_the_states_of_labels_in_its_language(labels_run, command):
    command("diagnose", f"run_id={labels_run.run_id}")
    run = datamap.load_run(labels_run.run_id)
    figure = run.map(color="label", marginals=True)
    shown = " ".join(text.get_text() for text in figure.findobj(Text))
    assert "360 labels, 4 observations" in shown and "samples" not in shown
    assert {"sport", "food", "war"} <= set(re.findall(r"\w+", shown)) and "present" not in shown
    shown = [text.get_text() for text in run.map(facet="label", lang="zh").findobj(Text)]
    assert [f"{name} (120)" in shown for name in TOPICS] == [True] * 3 and "360 个标签" in " ".join(shown)
    page = data_of(run.explorer(lang="zh").content.decode())
    assert page["classes"] == ["没有", "有"]
    assert "absent" not in " ".join(unpacked_json(page["texts"]["why"]))


def test_maps_count_what_they_show():
    from datamap.maps import figures, plans

    plan = plans.make_plan(MapOptions(criterion="avg_probs", threshold=0.5))
    lines = [figures.heading_lines("", plan, 1200, 3000, 4, lang, "token")[0] for lang in ("en", "zh")]
    assert lines == [
        "1,200 of 3,000 tokens, avg_probs ≥ 0.5, 4 observations",
        "3,000 个词元中的 1,200 个，avg_probs ≥ 0.5，4 次观测",
    ]


def test_runs_of_units_are_compared_exported_and_imported(tokens_run, labels_run, command, client, tmp_path):
    again = recorded_sentences()
    said = command("compare", f"runs=[{tokens_run.run_id},{again.run_id}]")
    assert said.code == 0 and "among the hardest 10% of every run: 32 tokens" in said.out, said.out
    for run in (tokens_run, labels_run):
        folder = tmp_path / run.run_id
        assert command("export_signals", f"run_id={run.run_id}", f"folder={folder}").code == 0
        said = command("import_signals", f"path={folder}", f"texts={folder / 'samples.jsonl'}")
        assert said.code == 0 and "4 observations of 3" in said.out, said.err
        imported = said.out.partition("run ")[2].split()[0]
        for name in (
            "labels.json",
            "task.json",
            "data/samples.jsonl",
            "signals/epoch_0004-00000-of-00001.jsonl",
        ):
            path = client.download_artifacts(imported, name)
            assert Path(path).read_bytes() == run.artifacts.read(name)


def test_what_units_cannot_do_is_refused_in_one_line(tokens_run, command):
    for script, options, message in (
        ("curate", ["keep=clean", "balance=true"], "tokens"),
        ("diagnose", ["encoder=x"], "cannot judge tokens, because they embed whole sentences"),
    ):
        refused = command(script, f"run_id={tokens_run.run_id}", *options)
        assert (refused.code, refused.err.count("\n")) == (2, 1) and message in refused.err, refused.err


def test_no_witness_of_a_unit_has_seen_a_label_of_its_sample():
    tokens = [["x"], ["x"], ["x", "x"], ["x"], ["x"], ["x"]]
    samples, places = np.array([0, 1, 2, 2, 3, 4, 5]), np.array([0, 0, 0, 1, 0, 0, 0])
    labels = np.array([0, 0, 1, 1, 0, 0, 0])  # only the sample with two tokens has the tag 1
    found = unit_witnesses.predict_tokens(tokens, samples, places, labels, 2)
    for probs in found.values():
        assert (probs[2:4, 1] < 0.02).all()


@pytest.mark.parametrize("name", ["tokens_run", "labels_run"])
def test_exported_signals_import_to_the_same_summary(name, request, command, client):
    run = request.getfixturevalue(name)
    assert command("summarize", f"run_id={run.run_id}").code == 0
    assert command("export_signals", f"run_id={run.run_id}", "folder=out").code == 0
    made = command("import_signals", "path=out", "texts=out/samples.jsonl")
    unit = "tokens" if name == "tokens_run" else "labels"
    assert (
        made.code == 0 and f"4 observations of {320 if unit == 'tokens' else 360} {unit} imported" in made.out
    ), made
    again = Store().run(client.search_runs(["1"], max_results=1)[0].info.run_id)
    assert again.run_id != run.run_id and command("summarize", f"run_id={again.run_id}").code == 0
    for path in ("summary.tsv", "summary_samples.tsv", "task.json", "labels.json", "data/samples.jsonl"):
        assert again.artifacts.read(path) == run.artifacts.read(path), path


SHARD = "epoch_0001-00000-of-00001.jsonl"
BAD_FILES = {
    "id 7 is not <sample>:<position>": ("tokens", "7", 0),
    "label of id 7:0 is not 0 or 1": ("multilabel", "7:0", 2),
    "position 2, but 2 label_names": ("multilabel", "7:2", 1),
}


@pytest.mark.parametrize("message", BAD_FILES)
def test_files_whose_ids_or_labels_are_of_no_unit_are_refused(message, command, tmp_path):
    task, key, label = BAD_FILES[message]
    names = {"label_names": ["a", "b"]} if task == "multilabel" else {}
    (tmp_path / "task.json").write_text(json.dumps({"task": task, **names}))
    record = {"id": key, "label": label, "correct": True, "label_probs": 0.9}
    (tmp_path / SHARD).write_text(json.dumps(record) + "\n")
    refused = command("import_signals", f"path={tmp_path}")
    assert refused.code == 2 and message in refused.err and refused.err.count("\n") == 1


BAD_IMPORTS = {
    "texts=rows.jsonl: id repeated: 7": [{"id": 7, "text": "x"}, {"id": 7, "text": "y"}],
    "texts=rows.jsonl: some ids are numbers": [{"id": 7, "text": "x"}, {"id": "8", "text": "y"}],
    "texts=rows.jsonl: row 1: labels: 'c' is not a class (a, b)": [{"id": 7, "text": "x", "labels": ["c"]}],
    "texts=rows.jsonl has no id 7; it must have every sample": [{"id": 8, "text": "x"}],
}


@pytest.mark.parametrize("message", BAD_IMPORTS)
def test_rows_that_do_not_fit_imported_units_are_named_as_the_user_gave_them(message, command, tmp_path):
    (tmp_path / "task.json").write_text(json.dumps({"task": "multilabel", "label_names": ["a", "b"]}))
    records = [{"id": f"7:{n}", "label": n, "correct": True, "label_probs": 0.9} for n in (0, 1)]
    (tmp_path / SHARD).write_text("".join(json.dumps(record) + "\n" for record in records))
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in BAD_IMPORTS[message]))
    refused = command("import_signals", f"path={tmp_path}", "texts=rows.jsonl")
    assert refused.code == 2 and message in refused.err and refused.err.count("\n") == 1
    assert "samples=" not in refused.out + refused.err


def test_a_witness_of_labels_is_not_held_back_by_regularization():
    """A word that names a label is enough, though few texts have it."""
    random = np.random.default_rng(0)
    labels = (random.random((300, 2)) < 0.1).astype(np.int64)
    texts = [f"一段普通的话{'甲乙' * a}{'丙丁' * b}" for a, b in labels]
    samples, positions = np.repeat(np.arange(300), 2), np.tile(np.arange(2), 300)
    (found,) = unit_witnesses.predict_labels(texts, None, samples, positions, labels.ravel()).values()
    assert found[labels.ravel() == 1, 1].min() > 0.7


def test_the_tags_of_a_sentence_are_those_of_all_sequences():
    """The marginals of the chain, against a sum over all sequences of tags."""
    random, classes, size = np.random.default_rng(0), 3, 4
    samples = np.repeat(np.arange(6), size)
    places, labels = np.tile(np.arange(size), 6), random.integers(0, classes, 6 * size)
    probs = random.dirichlet(np.ones(classes), len(labels))
    train, held_out = np.flatnonzero(samples > 0), np.flatnonzero(samples == 0)
    shuffled = random.permutation(held_out)
    found = sequences.smooth_tags(probs, labels, samples, places, [(train, shuffled), (held_out, train)])

    frequencies = (np.bincount(labels[train], minlength=classes) + 1) / (len(train) + classes)
    tags = [classes, *(tag for part in labels[train].reshape(-1, size) for tag in [*part, classes])]
    counts = np.tile((np.bincount(tags) + 1) / len(tags), (classes + 1, 1))
    np.add.at(counts, (tags[:-1], tags[1:]), 1)
    follows = counts / counts.sum(axis=1, keepdims=True)
    expected = np.zeros((size, classes))
    for path in product(range(classes), repeat=size):
        weight = follows[[classes, *path], [*path, classes]].prod()
        weight *= ((probs[held_out, path] / frequencies[list(path)]) ** sequences.EMISSION).prod()
        expected[range(size), path] += weight
    np.testing.assert_allclose(found[held_out], expected / expected.sum(axis=1, keepdims=True))


def test_a_missed_entity_is_likelier_than_an_invented_one():
    """Witnesses doubt both alike, but most tokens are of no entity: labels say how easily either happens."""
    labels = np.array([0] * 950 + [1] * 50)
    witnesses = np.eye(2)[labels] * 0.9 + 0.05
    doubted = [0, 950]
    witnesses[doubted] = 0.5
    run = np.full((1000, 2), 0.5)
    posterior, _ = infer(witnesses, labels, run, np.zeros(1000, np.int64))
    missed, invented = 1 - posterior[doubted, labels[doubted]]
    assert missed > 50 * invented  # 37 times if errors did not depend on how frequent classes are


def test_a_run_that_knows_only_how_frequent_labels_are_tells_nothing():
    """A label that most texts have, and one that few have: the run repeats its frequency, whatever the text."""
    random, count = np.random.default_rng(0), 400
    columns = np.tile([0, 1], count)
    truth = (random.random(2 * count) < np.array([0.6, 0.05])[columns]).astype(np.int64)
    labels = np.where(random.random(2 * count) < 0.05, 1 - truth, truth)
    witnesses = np.eye(2)[truth] * 0.6 + 0.2
    own = np.array([labels[columns == column].mean() for column in (0, 1)])[columns]
    alone, _ = infer(witnesses, labels, np.full((2 * count, 2), 0.5), columns)
    both, _ = infer(witnesses, labels, np.stack([1 - own, own], axis=1), columns)
    np.testing.assert_allclose(both, alone, atol=0.05)


@pytest.mark.parametrize("even", [False, True])
def test_errors_are_found_whether_they_go_one_way_or_come_anywhere(even):
    """Labels that are missed, or units that are flipped with equal chance: the surest predictions show which it is."""
    random, count = np.random.default_rng(0), 20_000
    truth = (random.random(count) < 0.05).astype(np.int64)
    wrong = random.random(count) < (0.01 if even else 0.2 * truth)
    labels, columns = np.where(wrong, 1 - truth, truth), np.zeros(count, np.int64)
    doubts = expit(3 * np.where(truth, 1, -1) + 1.5 * random.normal(size=count) - 1)
    witnesses = np.stack([1 - doubts, doubts], axis=1)
    before, _ = infer(witnesses, labels, np.full((count, 2), 0.5), columns)
    after = balance_errors(before.copy(), witnesses, labels, columns)
    np.testing.assert_allclose(after.sum(axis=1), 1)
    assert (after >= 0).all()
    precision = [average_precision_score(wrong, 1 - p[np.arange(count), labels]) for p in (before, after)]
    assert precision[1] > (1.5 * precision[0] if even else 0.95 * precision[0])


def test_a_reason_is_given_where_only_models_of_a_text_judge_its_labels(labels_run, command):
    command("diagnose", f"run_id={labels_run.run_id}")
    first = table(labels_run, "diagnosis.tsv").head(len(WRONG))
    assert first["why"].str.contains("; its (?:characters|words) suggest (?:absent|present) ").all(), first[
        "why"
    ].tolist()
