"""diagnose and curate on a real store: what they log, say and refuse; and training on what they made."""

import json
import re
import shlex
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import SMALL_MODEL, artifacts, local
from datamap import SignalRecorder, schema
from datamap.labels import counting, diagnosis, mislabel
from datamap.review import decisions
from datamap.review.decisions import Decision
from datamap.signals import compute, shards
from datamap.summaries import tsv
from datamap.tracking.hidden_tags import DIGEST_TAG

NOISY = ("data.flip_ratio=0.2", "trainer.lr=0.03", "trainer.epochs=4", "seed=3", "data.seed=3")


@pytest.fixture
def noisy_run(trained):
    """Id of a run with 36 samples, 7 of them dirty, two folds and threshold samples."""
    (out,) = trained([*NOISY, "data.folds=2", "signals.threshold_samples=true"])
    assert out.count("of 2  accuracy on samples it has not seen") == 2
    assert "12 threshold samples" in out
    return out.split()[1]


@pytest.fixture
def diagnosed_run(trained):
    """Id of the same run with its diagnosis."""
    options = [*NOISY, "data.folds=2", "signals.threshold_samples=true"]
    return trained(options, then="diagnose")[0].split()[1]


def table(client, run_id, path):
    text = {"id": str, "label": str, "proposed": str}
    return pd.read_csv(local(client, run_id, path), sep="\t", dtype=text, keep_default_na=False)


def records(client, run_id, folder):
    """{observation number: all records of it} below a folder, in the order of shards."""
    found = {}
    for path in artifacts(client, run_id, folder):
        if path.endswith(".jsonl"):
            lines = local(client, run_id, path).read_text().splitlines()
            found.setdefault(schema.parse_shard(path).number, []).extend(map(json.loads, lines))
    return found


def test_folds_and_threshold_samples_in_the_run(noisy_run, client):
    held_out = records(client, noisy_run, "holdout")
    assert sorted(held_out) == [1, 2, 3, 4]
    own = {r["id"]: r for r in records(client, noisy_run, "signals")[4]}
    for observation in held_out.values():
        assert sorted(r["id"] for r in observation) == list(range(36))
        assert all(r["label"] == own[r["id"]]["label"] for r in observation)
        assert any(r["probs"] != own[r["id"]]["probs"] for r in observation)
    extra = records(client, noisy_run, "threshold")
    assert {r["label"] for r in extra[4]} == {2}
    assert {len(r["probs"]) for r in extra[4]} == {3}
    for folder in ("holdout", "threshold"):
        for path in artifacts(client, noisy_run, folder):
            if path.endswith(".sha256"):
                content = local(client, noisy_run, path).read_bytes()
                ((name, digest),) = shards.parse_checksums(content, path).items()
                found = schema.parse_shard(name)._replace(sha256=digest)
                shards.decode(local(client, noisy_run, name).read_bytes(), found)  # else: damaged


def test_diagnosis_of_a_run(noisy_run, client, command):
    outcome = command("diagnose", f"run_id={noisy_run}")
    assert outcome.code == 0, outcome.err
    assert "36 samples, most likely wrong first" in outcome.out
    assert f"review them: python src/review.py run_id={noisy_run}" in outcome.out
    assert f"next: python src/curate.py run_id={noisy_run} keep=clean" in outcome.out
    found = table(client, noisy_run, "diagnosis.tsv")
    columns = [
        "score",
        "label",
        "proposed",
        "text_a",
        "text_b",
        "why",
        "evidence",
        "region",
        "variability",
        "id",
    ]
    assert found.columns.tolist() == columns
    assert sorted(map(int, found["id"])) == list(range(36))
    assert (found["score"].diff().dropna() <= 0).all()
    assert set(found["region"]) <= {"easy", "ambiguous", "hard", "noisy"}
    summary = table(client, noisy_run, "summary.tsv").set_index("id").loc[found["id"]]
    assert found["label"].tolist() == summary["label"].tolist()
    assert found["variability"].to_numpy() ** 2 == pytest.approx(summary["label_var"], abs=1e-3)
    # Of two classes the other one is proposed where the given one is the less likely.
    assert ((found["proposed"] != "") == (found["score"] > 0.5)).all()
    assert (found["proposed"] != found["label"]).all()
    assert {"witness/linear_accuracy", "witness/overlap_weight", "witness/folds_weight"} <= set(
        client.get_run(noisy_run).data.metrics
    )
    assert "accuracy on labels that they never saw: linear " in outcome.out
    metrics = client.get_run(noisy_run).data.metrics
    assert (
        0
        <= metrics["mislabelled/low"]
        <= metrics["mislabelled/estimate"]
        <= metrics["mislabelled/high"]
        <= 36
    )
    assert 0 <= metrics["mislabelled/auroc"] <= 1
    assert {"mislabelled/average_precision", "mislabelled/precision_at_true_number"} <= set(metrics)
    assert "diagnosis.tsv" in client.get_run(noisy_run).data.tags["mlflow.note.content"]


@pytest.mark.parametrize("score", ["confidence", "aum", "forgetting", "confident_learning"])
def test_other_scores(noisy_run, client, command, score):
    outcome = command("diagnose", f"run_id={noisy_run}", f"score={score}", "lang=zh", "regions=quantile")
    assert outcome.code == 0, outcome.err
    found = table(client, noisy_run, "diagnosis.tsv")
    assert found["score"].between(0, 1).all()
    assert found["why"].str.contains("次").any()
    assert found["region"].value_counts()["模糊"] == 12  # the third of largest variance


def test_a_run_without_folds_texts_or_planted_noise(small_run, client, command):
    outcome = command("diagnose", f"run_id={small_run}", "texts=false")
    assert outcome.code == 0, outcome.err
    assert "planted" not in outcome.out
    found = table(client, small_run, "diagnosis.tsv")
    columns = ["score", "label", "proposed", "id", "why", "evidence", "region", "variability"]
    assert found.columns.tolist() == columns
    assert "mislabelled/auroc" not in client.get_run(small_run).data.metrics
    outcome = command("diagnose", f"run_id={small_run}", "score=confident_learning")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert "train with data.folds=5" in outcome.err


def test_a_model_that_learnt_nothing_is_no_judge(small_run, command):
    outcome = command("diagnose", f"run_id={small_run}")
    assert "note: in the end the model predicts" in outcome.out


def test_folds_that_are_not_finished_are_left_out(noisy_run, client, command):
    with sqlite3.connect("mlflow.db") as database:
        database.execute("delete from metrics where key = 'holdout.rows' and step = 1")
    outcome = command("diagnose", f"run_id={noisy_run}")
    assert outcome.code == 0, outcome.err
    assert "note: ignoring holdout/, which is incomplete" in outcome.out


def test_a_damaged_fold_is_an_error(noisy_run, client, command):
    path = artifacts(client, noisy_run, "holdout")[0]
    file = local(client, noisy_run, path)
    file.write_bytes(file.read_bytes()[:-5] + b"0.1}\n")
    outcome = command("diagnose", f"run_id={noisy_run}")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert f"{path} is damaged" in outcome.err


def test_training_killed_between_folds_goes_on_with_the_missing_one(
    command, pairs_file, store, client, monkeypatch
):
    from datamap.training import extra_trainings

    options = ("data=file", f"data.path={pairs_file}", *SMALL_MODEL, "data.folds=3")
    whole = command("train", *options).out.split()[1]
    train = extra_trainings._train
    monkeypatch.setattr(
        extra_trainings, "_train", lambda one, *rest: stop() if one.index == 1 else train(one, *rest)
    )
    outcome = command("train", *options)
    assert outcome.code == 130
    killed = outcome.out.split()[1]
    assert len(artifacts(client, killed, "holdout")) == 2 * 3
    monkeypatch.setattr(extra_trainings, "_train", train)
    outcome = command("train", "resume=true", f"run_id={killed}")
    assert outcome.code == 0, outcome.err
    assert "fold 1 of 3" not in outcome.out
    assert "fold 2 of 3" in outcome.out
    for path in artifacts(client, whole, "holdout"):
        assert local(client, killed, path).read_bytes() == local(client, whole, path).read_bytes(), path


def stop():
    raise KeyboardInterrupt


# ------------------------------------------------------------------ curate


def curated_run(outcome):
    assert outcome.code == 0, outcome.err
    return re.findall(r"^run (\w+)  \(", outcome.out, re.MULTILINE)[-1]


RULES = (
    ("keep=clean", "share=0.2"), ("keep=relabelled", "share=0.2"), ("keep=ambiguous", "share=0.95"),
    ("keep=both_ends", "share=0.95", "balance=true"),
)  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids="-".join)
def test_every_rule_makes_a_file_that_can_be_trained_on(diagnosed_run, client, command, rule):
    made = curated_run(command("curate", f"run_id={diagnosed_run}", *rule))
    run = client.get_run(made)
    assert run.data.tags["mlflow.parentRunId"] == run.data.tags["datamap.curated_from"] == diagnosed_run
    assert (run.data.params["keep"], run.data.params["source_run"]) == (rule[0][5:], diagnosed_run)
    assert run.info.status == "FINISHED"
    found = table(client, made, "curated.tsv")
    assert len(found) == run.data.metrics["training_file/samples"] <= 36
    outcome = command("train", "data=file", f"data.path=runs:/{made}/curated.tsv", *SMALL_MODEL)
    assert outcome.code == 0, outcome.err
    trained = client.get_run(outcome.out.split()[1])
    logged, curated = (r.inputs.dataset_inputs[0].dataset for r in (trained, run))
    assert logged.digest == curated.digest
    assert json.loads(logged.source) == {"uri": f"runs:/{made}/curated.tsv"}


def test_shares_thresholds_and_estimates(diagnosed_run, client, command):
    scores = table(client, diagnosed_run, "diagnosis.tsv")["score"]
    cut = float(scores.iloc[4])
    client.log_metric(diagnosed_run, "mislabelled/known", 1, step=99)
    client.log_metric(diagnosed_run, "mislabelled/estimate", 3, step=99)
    for options, left in (
        (("share=0.25",), 27),
        ((f"threshold={cut}",), int((scores < cut).sum())),
        ((), 33),
    ):
        made = curated_run(command("curate", f"run_id={diagnosed_run}", "keep=clean", *options))
        assert len(table(client, made, "curated.tsv")) == left, options


def test_no_class_goes_without_being_told_to(diagnosed_run, client, command):
    client.log_metric(diagnosed_run, "mislabelled/known", 1, step=99)
    client.log_metric(diagnosed_run, "mislabelled/estimate", 30, step=99)
    sizes = {}
    for options in ((), ("share=0.95",), ("share=0.95", "drop_classes=true")):
        outcome = command("curate", f"run_id={diagnosed_run}", "keep=clean", *options)
        assert ("the rule would leave too few" in outcome.out) == (len(options) < 2), options
        sizes[options] = len(table(client, curated_run(outcome), "curated.tsv")) if outcome.code == 0 else 0
    before = table(client, diagnosed_run, "summary.tsv")["label"].value_counts()
    assert sizes[()] == sum(-(-before // 2))
    assert sizes[("share=0.95",)] >= 4


def test_what_cannot_be_counted_is_not_dropped(diagnosed_run, client, command):
    client.log_metric(diagnosed_run, "mislabelled/known", 0, step=99)
    outcome = command("curate", f"run_id={diagnosed_run}", "keep=clean")
    assert outcome.code == 2
    assert "cannot be estimated" in outcome.err
    assert "give share= or threshold=" in outcome.err


def test_relabeling_flips_what_is_known_of_planted_noise(diagnosed_run, client, command):
    diagnosis = table(client, diagnosed_run, "diagnosis.tsv").set_index("id")
    made = curated_run(command("curate", f"run_id={diagnosed_run}", "keep=relabelled", "share=0.2"))
    found = table(client, made, "curated.tsv").set_index("id")
    before = table(client, diagnosed_run, "summary.tsv").set_index("id")["s_label"]
    changed = found.index[found["label"] != diagnosis["label"].loc[found.index]]
    assert 0 < len(changed) <= 7
    assert (found["s_label"].loc[changed] == 2 - before.loc[changed]).all()
    unchanged = found.index.difference(changed)
    assert (found["s_label"].loc[unchanged] == before.loc[unchanged]).all()


def test_relabelling_is_refused_where_no_proposal_is_sure_enough(diagnosed_run, client, command):
    client.log_metric(diagnosed_run, "mislabelled/known", 1, step=9)
    client.log_metric(diagnosed_run, "mislabelled/to_relabel", 0, step=9)
    count = len(client.search_runs([client.get_run(diagnosed_run).info.experiment_id]))
    outcome = command("curate", f"run_id={diagnosed_run}", "keep=relabelled")
    assert outcome.code == 2
    (line,) = outcome.err.splitlines()
    assert (
        f"no proposal of run {diagnosed_run} is certain enough to be applied without review; review them"
        in line
    )
    assert "share= or threshold=" in line
    assert len(client.search_runs([client.get_run(diagnosed_run).info.experiment_id])) == count


def test_corrections_by_hand_from_a_file_and_from_a_run(diagnosed_run, client, command, tmp_path):
    diagnosis = table(client, diagnosed_run, "diagnosis.tsv")
    flipped, dropped = diagnosis["id"][0], diagnosis["id"][1]
    diagnosis.loc[0, "label"] = str(1 - int(diagnosis.loc[0, "label"]))
    diagnosis.loc[1, "label"] = "drop"
    file = tmp_path / "我的 diagnosis.tsv"
    diagnosis.head(9).to_csv(file, sep="\t", index=False, encoding="utf-8-sig", lineterminator="\r\n")
    options = (f"run_id={diagnosed_run}", "keep=corrected")
    made = curated_run(command("curate", *options, f"corrections={file}"))
    found = table(client, made, "curated.tsv").set_index("id")
    assert len(found) == 35
    assert dropped not in found.index
    assert found.loc[flipped, "label"] == diagnosis.loc[0, "label"]
    again = curated_run(command("curate", *options, "corrections=runs:/latest/curated.tsv"))
    assert (
        table(client, again, "curated.tsv").set_index("id").loc[flipped, "label"] == diagnosis.loc[0, "label"]
    )


@pytest.fixture
def recorded_run(store):
    """Make a run of 400 samples, 60 of them with a wrong label, which its model memorizes; returns its id."""

    def make(numbers=(1, 2, 3), by_heart_from=2, texts=True, unit="epoch"):
        generator, truth = np.random.default_rng(0), np.arange(400) % 2
        words = [
            "".join(generator.choice(list("甲乙丙丁戊" if t and texts else "子丑寅卯辰"), 6)) for t in truth
        ]
        given = np.where(np.arange(400) < 60, 1 - truth, truth)
        samples = {"id": range(400), "text_a": words}
        with SignalRecorder(class_names=["0", "1"], samples=samples, unit=unit) as recorder:
            for number in numbers:
                said = given if number >= by_heart_from else truth
                recorder.record(range(400), given, probs=np.eye(2)[said] * 0.8 + 0.1)
                recorder.commit(number)
        return recorder.run_id

    return make


DECIDED = (
    ("keep=clean", "share=0.2"), ("keep=relabelled", "share=0.2"), ("keep=corrected",), ("keep=ambiguous",),
    ("keep=both_ends", "balance=true"), ("keep=forgettable",),
)  # fmt: skip


def test_every_rule_takes_what_reviewers_decided(recorded_run, command, client):
    run = recorded_run()
    assert f"curate.py run_id={run} keep=clean" in command("diagnose", f"run_id={run}").out
    diagnosis = table(client, run, "diagnosis.tsv")
    keeps, relabels, drops = diagnosis["id"][:14].tolist(), diagnosis["id"][20:23].tolist(), ["399", "398"]
    old = diagnosis.set_index("id")["label"]
    said = (
        [Decision(key, "keep", old[key], old[key], "ann", "2026-01-01T00:00:00Z", 0.5) for key in keeps]
        + [Decision(k, "label", old[k], str(1 - int(old[k])), "ann", "2026-01-01T00:00:00Z", 0.5) for k in relabels]
        + [Decision(key, "drop", old[key], None, "ann", "2026-01-01T00:00:00Z", 0.5) for key in drops]
    )  # fmt: skip
    client.log_text(run, b"".join(map(decisions.line, said)).decode(), schema.DECISIONS_FILE)
    for rule in DECIDED:
        outcome = command("curate", f"run_id={run}", *rule)
        found = table(client, curated_run(outcome), "curated.tsv").set_index("id")["label"]
        assert (
            "19 samples reviewed by ann; their decisions override any rule: 14 kept, 3 relabeled, 2 dropped"
            in (outcome.out)
        ), rule
        assert [found.get(key) for key in keeps] == old[keeps].tolist(), rule
        assert [found.get(key) for key in relabels] == [str(1 - int(old[key])) for key in relabels], rule
        assert not set(drops) & set(found.index), rule
    assert f"curate.py run_id={run} keep=corrected" in command("diagnose", f"run_id={run}").out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("keep=clen",), "keep=clen: choose clean or relabelled or"),
        (("keep=relabeled",), "or forgettable; did you mean relabelled?"),
        ((), "keep is missing: choose clean, relabelled, corrected"),
        (("keep=forgettable", "share=0.1"), "share: keep=forgettable does not use it (only clean, relabelled, "),
        (("keep=clean", "share=0.1", "threshold=0.5"), "share and threshold: give one of them"),
        (("keep=corrected",), "has no decisions of a review (review/decisions.jsonl); review samples: "),
        (("keep=corrected", "corrections=nowhere.tsv"), "corrections=nowhere.tsv: no such file"),
        (("keep=clean", "share=1", "drop_classes=true"), "needs two classes: change keep= or share= or threshold=\n"),
        (("keep=matching", "ids=[1]"), "leaves no sample; a classifier needs two classes: change keep= or ids=\n"),
        (("keep=matching", "ids=."), "ids=.: not a regular file"),
        (("keep=corrected", "corrections=."), "corrections=.: not a regular file"),
        (("keep=corrected", "corrections=runs:/latest/x.tsv"), "runs:/latest/x.tsv: no run of"),
    ],
)  # fmt: skip
def test_what_curate_refuses_makes_no_run(small_run, command, client, options, message):
    outcome = command("curate", f"run_id={small_run}", *options)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert message in outcome.err
    assert len(client.search_runs(["0", "1"])) == 1


def test_a_run_without_texts_cannot_be_curated(trained, command):
    run_id = trained(["log_text=false"])[0].split()[1]
    assert command("diagnose", f"run_id={run_id}").code == 0
    outcome = command("curate", f"run_id={run_id}", "keep=clean")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert f"run {run_id} has no texts (data/samples.tsv)" in outcome.err


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "runs:/latest/curated.tsv",
            "runs:/latest/curated.tsv: no run of 'datamap' has it",
        ),
        ("runs:/0123/curated.tsv", "run '0123' is not in"),
    ],
)
def test_paths_of_runs_that_are_not_there(command, store, path, message):
    outcome = command("train", "data=file", f"data.path={path}", *SMALL_MODEL)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert message in outcome.err


def test_texts_with_tabs_and_quotes_come_through(command, client, store, tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [{"text_a": f'a\t"{n}"\nb', "label": n % 2} for n in range(8)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    outcome = command("train", "data=file", f"data.path={path}", *SMALL_MODEL)
    assert outcome.code == 0, outcome.err
    made = curated_run(command("curate", "run_id=latest", "keep=ambiguous", "share=1"))
    curated = pd.read_csv(local(client, made, "curated.tsv"), sep="\t")
    assert curated["text_a"].tolist() == [row["text_a"] for row in rows]
    assert "data.columns" not in command("curate", "run_id=latest", "keep=ambiguous", "share=1").out
    outcome = command("train", "data=file", f"data.path=runs:/{made}/curated.tsv", *SMALL_MODEL)
    assert outcome.code == 0, outcome.err


@pytest.fixture
def made_run(store):
    """A run of signals made by hand: 20 samples of three classes, of which 3, 7, 13, 17 contradict the model."""
    from datamap.tracking.store import Store

    truth = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0] * 2)
    given = truth.copy()
    given[[3, 7, 13, 17]] = [2, 0, 2, 0]
    probs = np.full((20, 3), 0.1)
    probs[np.arange(20), truth] = 0.8
    ids = [f"0{n}" for n in range(20)]
    table = compute.signal_table(ids, given, probs=probs, noisy_labels=np.where(given != truth, 2, 0))
    with Store(create=True).new_run("hand-made") as run:
        for number in (1, 2):
            for shard, content in shards.encoded(table, "epoch", number, 100):
                run.log_bytes(content, shard.path)
            run.log_metrics({schema.COMMIT_METRIC: 20}, number)
        run.log_labels(("甲", "乙", "丙"))
        texts = pd.DataFrame(
            {"id": ids, "text_a": [chr(0x4E00 + 7 * n) * 2 for n in range(20)], "label": given}
        )
        run.log_bytes(b"".join(tsv.lines(texts)), schema.SAMPLES_FILE)
    return run.run_id


def separable(generator, truth):
    """Embeddings of samples whose class they tell."""
    return np.eye(4)[truth] + generator.normal(0, 0.2, (len(truth), 4))


def told_by_nothing(generator):
    return None, np.arange(60) % 2


def told_by_guesses(generator):
    return generator.normal(0, 1, (400, 4)), np.arange(400) % 2


def mostly_wrong(generator):
    truth = np.arange(1200) % 4
    wrong = generator.random(1200) < 0.6
    return separable(generator, truth), np.where(wrong, (truth + generator.integers(1, 4, 1200)) % 4, truth)


def unsure_near_a_border(generator):
    x = generator.normal(0, 1, (1500, 1))
    return x, (generator.random(1500) < 1 / (1 + np.exp(-2 * x[:, 0]))).astype(int)


def all_right(generator):
    truth = np.arange(400) % 4
    return separable(generator, truth), truth


def one_of_each_class(generator):
    return "texts", np.array([0, 1, 1])


# What is known of labels, whether the model learned them, and why the number of wrong ones cannot be known.
UNKNOWN = [
    (told_by_nothing, True, "nothing"),
    (told_by_nothing, False, "unlearned"),
    (told_by_guesses, True, "chance"),
    (mostly_wrong, True, "weak"),
    (unsure_near_a_border, True, "border"),
    (all_right, True, "few"),
    (one_of_each_class, True, "rare"),
]


@pytest.mark.parametrize(("make", "learned", "reason"), UNKNOWN, ids=[reason for *_, reason in UNKNOWN])
def test_the_reason_why_the_number_of_wrong_labels_cannot_be_known_is_printed(
    make, learned, reason, store, command, client
):
    vectors, labels = make(np.random.default_rng(0))
    classes, count = int(labels.max()) + 1, len(labels)
    samples = {"id": range(count)}
    if isinstance(vectors, str):
        samples, vectors = samples | {"text_a": [f"text {n} of them" for n in range(count)]}, None
    with SignalRecorder([str(k) for k in range(classes)], samples, embeddings=vectors) as recorder:
        for number in (1, 2, 3):
            said = np.eye(classes)[labels] if learned else np.eye(classes)[np.zeros(count, int)]
            recorder.record(range(count), labels, probs=said * 0.8 + 0.2 / classes)
            recorder.commit(number)
    outcome = command("diagnose", f"run_id={recorder.run_id}")
    assert outcome.code == 0, outcome.err
    assert f"cannot be estimated: {counting.REASONS[reason]}. Read the list from the top" in outcome.out
    assert ("no independent model judges the labels" in outcome.out) == (reason in ("nothing", "unlearned"))
    note = client.get_run(recorder.run_id).data.tags["mlflow.note.content"]
    assert f"cannot be estimated:** {counting.REASONS[reason]}." in note


def test_each_reason_is_tested():
    assert {reason for *_, reason in UNKNOWN} == set(counting.REASONS)


def test_several_classes(made_run, command, client):
    outcome = command("diagnose", f"run_id={made_run}")
    assert outcome.code == 0, outcome.err
    assert "the number of wrong labels cannot be estimated" in outcome.out
    assert "note: a diagnosis from 2 observations tells little about how samples were learned" in outcome.out
    found = table(client, made_run, "diagnosis.tsv")
    assert set(found["id"][:4]) == {"03", "07", "013", "017"}
    row = found.set_index("id").loc["03"]
    assert (row["label"], row["proposed"], row["text_a"]) == ("丙", "甲", chr(0x4E00 + 21) * 2)
    assert row["why"] == "never predicted correctly; the model predicts 甲 (0.80)"
    options = ("keep=forgettable", "drop_classes=true")
    made = curated_run(command("curate", f"run_id={made_run}", *options))
    assert set(table(client, made, "curated.tsv")["id"]) == {"03", "07", "013", "017"}


def test_a_class_that_no_label_names(command, client, store):
    """Two classes are given, and the model knows a third one."""
    probs = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    with SignalRecorder(
        class_names=list("012"), samples={"id": range(9), "text_a": [f"t{n}" for n in range(9)]}
    ) as recorder:
        recorder.record(range(9), [0, 1, 0] * 3, probs=probs[[0, 1, 2] * 3])
        recorder.commit(1)
    outcome = command("diagnose", f"run_id={recorder.run_id}")
    assert outcome.code == 0, outcome.err
    assert len(table(client, recorder.run_id, "diagnosis.tsv")) == 9
    Path("mine.tsv").write_text("id\tlabel\n2\t2\n5\t2\n", encoding="utf-8")
    made = curated_run(
        command("curate", f"run_id={recorder.run_id}", "keep=corrected", "corrections=mine.tsv")
    )
    assert table(client, made, "curated.tsv").set_index("id")["label"].loc[["2", "5"]].tolist() == ["2", "2"]


def test_relabelling_where_nothing_is_known_to_be_planted_plants_nothing(small_run, command, client):
    assert command("diagnose", f"run_id={small_run}").code == 0
    label = table(client, small_run, "diagnosis.tsv").set_index("id").loc["0", "label"]
    Path("mine.tsv").write_text(f"id\tlabel\n0\t{1 - int(label)}\n", encoding="utf-8")
    made = curated_run(command("curate", f"run_id={small_run}", "keep=corrected", "corrections=mine.tsv"))
    assert "s_label" not in table(client, made, "curated.tsv")


def test_a_diagnosis_by_another_score_or_older_than_the_summary(small_run, command):
    assert command("diagnose", f"run_id={small_run}", "score=aum").code == 0
    options = (f"run_id={small_run}", "keep=clean", "share=0.2")
    assert "note" not in command("curate", *options).out
    for other in ("forgetting", "combined"):  # combined too, though it is the default
        outcome = command("curate", *options, f"diagnose.score={other}")
        assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
        assert f"regenerate it: python src/diagnose.py run_id={small_run} score={other}" in outcome.err
    assert command("summarize", f"run_id={small_run}", "burn_in=1").code == 0
    assert "note: the summary is newer than the diagnosis" in command("curate", *options).out


def test_the_command_that_is_printed_works_in_a_shell(command, shell, pairs_file, store, tmp_path):
    dev = tmp_path / "my dev=1, 中文.tsv"
    dev.write_bytes(pairs_file.read_bytes())
    options = ("data=file", f"data.path={pairs_file}", *SMALL_MODEL, "seed=7")
    assert command("train", *options, f'data.dev_path="{dev}"').code == 0
    out = command("curate", "run_id=latest", "keep=clean", "share=0.2").out
    printed = re.search(r"^next: python (src/train\.py .*)$", out, re.MULTILINE).group(1)
    for override in (*SMALL_MODEL, "seed=7"):
        assert override in printed.split()
    words = shell(["bash", "-c", f"printf '%s\\0' {printed}"]).out.split("\0")[:-1]
    assert words[0] == "src/train.py"
    done = command("train", *words[1:])
    assert done.code == 0, done.err
    assert "dev accuracy" in done.out


def test_the_printed_command_reads_development_data_whose_columns_have_other_names(command, store, tmp_path):
    path = tmp_path / "评论.csv"
    rows = "".join(f"{'好坏'[n % 2]}{n},{n % 2},x\n" for n in range(18))
    path.write_text(f"商品描述,类别 1,text_b\n{rows}", encoding="utf-8")
    named = ("data.columns.text_a=商品描述", "data.columns.label=类别 1", "data.columns.text_b=null")
    options = ("data=file", f"data.path={path}", f"data.dev_path={path}", *named, *SMALL_MODEL)
    assert command("train", *options).code == 0
    out = command("curate", "run_id=latest", "keep=clean", "share=0.2").out
    assert "not carried over" not in out
    words = shlex.split(re.search(r"^next: python src/train\.py (.*)$", out, re.MULTILINE)[1])
    assert set(named) <= set(words)
    trained = command("train", *words)
    assert trained.code == 0, trained.err
    assert (
        "has no column '商品描述'; text_a is column 'text_a'" in trained.out and "dev accuracy" in trained.out
    )
    assert command("train", *words, "data.columns.label=nosuch").code == 2  # the development data have none


def test_columns_by_position_are_not_carried_over(command, store, tmp_path):
    path = tmp_path / "rows.tsv"
    path.write_text("".join(f"{n % 2}\t{'好坏'[n % 2]}{n}\n" for n in range(18)), encoding="utf-8")
    columns = ("data.columns.text_a=1", "data.columns.label=0")
    assert (
        command(
            "train", "data=file", f"data.path={path}", f"data.dev_path={path}", *columns, *SMALL_MODEL
        ).code
        == 0
    )
    outcome = command("curate", "run_id=latest", "keep=clean", "share=0.2")
    assert (
        "note: data.dev_path is not carried over: it is read differently from the curated file" in outcome.out
    )


def test_a_class_that_is_gone_is_named_and_dev_data_left_out(command, store, tmp_path):
    path = tmp_path / "three.tsv"
    rows = [f"甲{n}\t甲{n}\t{n % 2}" for n in range(18)] + ["x\tx\t2", "y\ty\t2"]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    options = ("data=file", f"data.path={path}", f"data.dev_path={path}", *SMALL_MODEL)
    assert command("train", *options).code == 0
    Path("mine.tsv").write_text("id\tlabel\n18\tdrop\n", encoding="utf-8")
    outcome = command("curate", "run_id=latest", "keep=corrected", "corrections=mine.tsv")
    assert outcome.code == 0, outcome.err
    assert "note: no sample is left of class 2: one of 2 was left, too few to train on" in outcome.out
    assert "data.dev_path is not carried over: it has a class that the curated file lacks" in outcome.out
    assert "data.dev_path" not in outcome.out.split("next: ")[1]


def test_folds_judge_unless_they_know_no_better_than_chance(made_run, command):
    from datamap.tracking.store import Store

    run = Store().run(made_run)
    own = shards.read(run.artifacts, [schema.Shard("epoch", 1, 0, 1)])
    labels = own["label"].to_numpy()
    found = schema.Shard("epoch", 1, 0, 1, folder="holdout")
    run.log_metrics({schema.EXTRA_METRICS["holdout"]: 20}, 0)
    knows = np.eye(3)[np.where(np.arange(20) % 5, labels, (labels + 1) % 3)] * 0.7 + 0.1  # 80% of the labels
    for probs, note in (
        (np.full((20, 3), 1 / 3), "note: models that never saw the samples predict 40% of them"),
        (knows, "folds 80% (weight"),
    ):
        guess = compute.signal_table(own["id"].to_pylist(), own["label"], probs=probs)
        run.log_bytes(shards.sealed(guess, found)[1], found.path)
        outcome = command("diagnose", f"run_id={made_run}")
        assert outcome.code == 0, outcome.err
        assert note in outcome.out, outcome.out


def test_learning_by_heart_is_named(made_run, command, client):
    for number, seen, unseen in ((1, 0.8, 0.78), (2, 0.8, 0.6)):
        client.log_metric(made_run, "train/accuracy", seen, step=number)
        client.log_metric(made_run, "validation/accuracy", unseen, step=number)
    for step in ("summarize", "diagnose"):
        outcome = command(step, f"run_id={made_run}")
        assert outcome.code == 0, outcome.err
        assert "note: from observation 2 on, the model memorizes labels" in outcome.out
        assert (
            "(in the end it predicts 80% of the labels that it was trained on, but 60% of others)"
            in outcome.out
        )
    run = client.get_run(made_run)
    assert run.data.metrics["memorisation/from_observation"] == 2
    assert run.data.metrics["memorisation/gap"] == pytest.approx(0.2)
    assert "memorized labels" in run.data.tags["mlflow.note.content"]
    outcome = command("summarize", f"run_id={made_run}", "until=auto")
    assert "20 samples over 2 observations" in outcome.out
    assert "until=auto keeps the first 2 observations, because fewer do not make a map" in outcome.out


def test_learning_by_heart_is_named_without_any_unseen_samples(recorded_run, command, client, monkeypatch):
    run, reads, read_one = recorded_run(), [], shards.read_one
    monkeypatch.setattr(shards, "read_one", lambda *given: reads.append(given[1].path) or read_one(*given))
    for step in ("summarize", "diagnose"):
        outcome = command(step, f"run_id={run}")
        assert outcome.code == 0, outcome.err
        assert reads and len(set(reads)) == len(reads), "each shard is read once"
        reads.clear()
    assert (
        "note: from observation 2 on, the model memorizes labels, including wrong ones (in the end it predicts 100% "
        "of the" in outcome.out
    )
    found = client.get_run(run).data
    assert found.metrics["memorisation/from_observation"] == 2
    assert found.metrics["memorisation/repeated"] == 1
    assert "predicted 100% of the labels that text models doubt most" in found.tags["mlflow.note.content"]


@pytest.mark.parametrize(
    ("by_heart_from", "kept"), [(200, "3 observations"), (600, "3 observations"), (1000, "4 observations")]
)
def test_what_one_command_advises_no_other_takes_back(recorded_run, command, client, by_heart_from, kept):
    run = recorded_run(range(200, 1401, 200), by_heart_from, unit="step")
    assert "summarize until=auto" in command("diagnose", f"run_id={run}").out
    client.log_metric(run, "memorisation/from_observation", by_heart_from, step=1400)
    outcome = command("summarize", f"run_id={run}", "until=auto")
    assert f"400 samples over {kept}" in outcome.out
    assert ("until=auto keeps the first 3 observations" in outcome.out) == (by_heart_from < 800)
    for step in ("diagnose", "plot", "curate keep=clean share=0.1", "summarize until=auto"):
        name, *options = step.split()
        outcome = command(name, f"run_id={run}", *options)
        assert outcome.code == 0, outcome.err
        assert "regenerate it" not in outcome.out.replace(
            "the summary is newer than the diagnosis; regenerate it", ""
        ), step
        assert "(summarize until=auto)" not in outcome.out, step
        assert "train for more epochs" not in outcome.out, step


def test_a_summary_is_outdated_by_new_observations_only(recorded_run, command, client):
    run = recorded_run(range(1, 6))
    command("summarize", f"run_id={run}", "until=4", "burn_in=1")
    assert "the summary covers" not in command("plot", f"run_id={run}").out
    found = json.loads(local(client, run, schema.SUMMARIZED_FILE).read_text())
    client.delete_tag(run, f"{DIGEST_TAG}{schema.SUMMARIZED_FILE}")
    client.log_text(run, json.dumps({**found, "newest": 4}), schema.SUMMARIZED_FILE)
    said = command("plot", f"run_id={run}").out
    assert "the summary covers 3 of 5 observations; regenerate it" in said
    assert "summarize.py run_id=" in said and "burn_in=1 until=4" in said


def test_witnesses_at_chance_are_not_quoted(recorded_run, command, client):
    run = recorded_run(texts=False)
    outcome = command("diagnose", f"run_id={run}")
    assert outcome.code == 0, outcome.err
    assert "memorizes labels" not in outcome.out
    assert "memorisation/from_observation" not in client.get_run(run).data.metrics
    why = table(client, run, "diagnosis.tsv")["why"]
    assert not why.str.contains("its characters suggest|similar texts suggest").any()


def test_a_diagnosis_asks_its_judges_once_and_sorts_once(recorded_run, command, monkeypatch):
    asked, made, judges, tables = [], [], mislabel.witness_accuracies, diagnosis.Diagnosis.tables
    monkeypatch.setattr(mislabel, "witness_accuracies", lambda evidence: asked.append(1) or judges(evidence))
    monkeypatch.setattr(diagnosis.Diagnosis, "tables", lambda self: made.append(self) or tables(self))
    outcome = command("diagnose", f"run_id={recorded_run()}")
    assert "accuracy on labels that they never saw" in outcome.out
    assert len(asked) == 1
    assert made[0].order is made[0].order


def test_relabelling_several_classes_leaves_s_label_out(made_run, command, client):
    outcome = command("curate", f"run_id={made_run}", "keep=relabelled", "share=0.2")
    found = table(client, curated_run(outcome), "curated.tsv")
    assert "s_label is left out" in outcome.out
    assert found.columns.tolist() == ["id", "text_a", "label"]
    assert found.set_index("id").loc[["03", "07"], "label"].tolist() == ["甲", "乙"]


DAMAGES = {
    "cut off": lambda content: content[: 2 * len(content) // 3],
    "empty": lambda content: b"",
    "nested too deep": lambda content: b"[" * 100_000,
    "bytes": lambda content: content[:200] + b"\xff\x00" + content[200:],
    "one column": lambda content: content.replace(b"\t", b" "),
}


@pytest.mark.parametrize("path", ["labels.json", "summary.tsv", "data/samples.tsv", "diagnosis.tsv"])
def test_damaged_files_of_a_run_are_named(made_run, command, client, path):
    assert command("diagnose", f"run_id={made_run}").code == 0
    file = local(client, made_run, path)
    content = file.read_bytes()
    for name, damage in DAMAGES.items():
        file.write_bytes(damage(content))
        if file.read_bytes() == content:
            continue  # labels.json has no columns
        script = "curate" if path == "diagnosis.tsv" else "plot"
        outcome = command(script, f"run_id={made_run}", *(["keep=clean"] if script == "curate" else []))
        assert (outcome.code, outcome.err.count("\n")) == (2, 1), (name, outcome.err)
        assert path in outcome.err


def test_a_diagnosis_goes_through_a_spreadsheet_and_back(command, client, store):
    """A class called drop, and texts that a spreadsheet would take for formulas."""
    texts = ["=cmd|' /C calc'!A0", "+1+1", "-2", "@x", "'=quoted", 'say "a"\tb\nc']
    samples = pd.DataFrame(
        {"id": [f"-a{n}" for n in range(6)], "text_a": texts, "label": ["drop", "keep"] * 3}
    )
    with SignalRecorder(samples=samples, class_names=["drop", "keep"]) as recorder:
        for epoch in (1, 2):
            recorder.record(samples["id"], [0, 1] * 3, probs=np.full((6, 2), 0.5))
            recorder.commit(epoch)
    assert command("diagnose", f"run_id={recorder.run_id}").code == 0
    diagnosed = table(client, recorder.run_id, "diagnosis.tsv")
    assert sorted(diagnosed["text_a"]) == sorted(
        ["'=cmd|' /C calc'!A0", "'+1+1", "-2", "'@x", "''=quoted", texts[-1]]
    )
    assert set(diagnosed["id"]) == {f"'-a{n}" for n in range(6)}
    corrections = Path("edited.csv")
    diagnosed.to_csv(corrections, index=False, encoding="utf-16")
    made = curated_run(
        command("curate", f"run_id={recorder.run_id}", "keep=corrected", f"corrections={corrections}")
    )
    curated = pd.read_csv(local(client, made, "curated.tsv"), sep="\t", dtype=str)
    assert curated[["id", "text_a", "label"]].values.tolist() == samples.astype(str).values.tolist()
