"""Files of signals into runs of a real SQLite store, and runs into files."""

import json
import math
import os
import re
import resource
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import SMALL_MODEL, local
from datamap.pipeline import export_signals
from explored import texts_of
from foreign_files import (
    GOLDS,
    GUIDS,
    LOGITS,
    SAME,
    dynamics_of,
    text_of,
    tutorial_record,
    tutorial_records,
    write,
    write_dynamics,
    write_shards,
)
from reference import reduce_records


def runs(client):
    return client.search_runs([e.experiment_id for e in client.search_experiments()])


def imported(command, *arguments):
    """Id of the run that import_signals made, and what it printed."""
    outcome = command("import_signals", *arguments)
    assert (outcome.code, outcome.err) == (0, "")
    run_id = re.search(r"run (\w{32})", outcome.out)[1]
    return run_id, outcome.out


def ensure_summary(command, client, run_id):
    outcome = command("summarize", f"run_id={run_id}")
    assert outcome.code == 0, outcome.err
    return pd.read_csv(local(client, run_id, "summary.tsv"), sep="\t")


def refused(command, client, *arguments):
    """The one line on stderr; there is no run."""
    before = len(runs(client))
    outcome = command("import_signals", *arguments)
    assert (outcome.code, outcome.err.count("\n"), outcome.err[:7]) == (2, 1, "error: ")
    assert len(runs(client)) == before
    return outcome.err


def two_class_records(samples=36, count=4):
    generator = np.random.default_rng(3)
    probs = generator.dirichlet([1, 1], (count, samples)).astype(np.float32).astype(float).tolist()
    return [
        [tutorial_record(n, int(n % 2 == 0), row[n], noisy_label=2 * (n == 5)) for n in range(samples)]
        for row in probs
    ]


@pytest.fixture
def tutorial(tmp_path):
    """An output_data.json of 36 samples, which fit to `pairs_file`'s, and 4 observations."""
    return write(tmp_path / "outputs" / "output_data.json", text_of(two_class_records()))


def test_what_an_imported_run_holds(command, client, tutorial):
    run_id, out = imported(command, f"path={tutorial}")
    run = client.get_run(run_id)
    assert out.splitlines() == [
        f"run {run_id}  (http://127.0.0.1:5000/#/experiments/{run.info.experiment_id}/runs/{run_id}"
        "?workflowType=machine_learning)",
        "4 observations of 36 samples imported",
        f"next: python src/summarize.py run_id={run_id}",
    ]
    assert run.info.status == "FINISHED"
    assert run.data.params == {"source": str(tutorial), "format": "tutorial"}
    history = client.get_metric_history(run_id, "signals.rows")
    assert [(m.step, m.value) for m in history] == [(n, 36) for n in (1, 2, 3, 4)]
    signals = sorted(path.name for path in local(client, run_id, "signals").iterdir())
    assert signals == sorted(
        f"epoch_000{n}{end}" for n in (1, 2, 3, 4) for end in (".sha256", "-00000-of-00001.jsonl")
    )
    assert f"path: {tutorial}" in local(client, run_id, "config/import_signals.yaml").read_text()
    assert json.loads(local(client, run_id, "labels.json").read_text()) == {"0": "0", "1": "1"}
    (dataset,) = run.inputs.dataset_inputs
    assert (dataset.dataset.name, len(dataset.dataset.digest)) == ("output_data", 16)
    experiment = client.get_experiment(run.info.experiment_id)
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"


@pytest.mark.parametrize("change", [None, "byte-order mark", "CRLF", "JSON", "Python bools"])
def test_the_summary_is_that_of_the_originals_reducer(command, client, tutorial, change):
    if change:
        write(tutorial, SAME[change](tutorial.read_text()))
    run_id, _ = imported(command, f"path={tutorial}")
    summary = ensure_summary(command, client, run_id)
    observations = [[{**r, "correct": r["correct"] == "true"} for r in o] for o in two_class_records()]
    expected = reduce_records(observations)
    assert summary["id"].tolist() == list(expected)
    for row in summary.to_dict("records"):
        for column, value in expected[row["id"]].items():
            assert math.isclose(row[column], value, rel_tol=1e-9, abs_tol=1e-12), column
    assert summary["s_label"].sum() == 2


def test_an_imported_run_is_plotted(command, client, tutorial):
    run_id, _ = imported(command, f"path={tutorial}")
    outcome = command("plot", "run_id=latest", "dirty_label=true")
    assert outcome.code == 0, outcome.err
    assert local(client, run_id, "maps/dirty_map.png").is_file()
    assert local(client, run_id, "maps/explorer.html").is_file()


def test_a_killed_runs_file(command, client, tutorial):
    lines = tutorial.read_text().splitlines(keepends=True)
    write(tutorial, "".join(lines[:-3]) + lines[-3][:50])
    run_id, out = imported(command, f"path={tutorial}")
    notes = [
        f"note: {tutorial}: ignoring its last line, which is cut off (was a run killed?)",
        "note: ignoring observation 4, which has only 33 of 36 records (was a run killed?)",
    ]
    assert out.splitlines()[:2] == notes
    assert "3 observations of 36 samples imported" in out
    assert len(ensure_summary(command, client, run_id)) == 36


def test_many_samples_are_stored_as_parquet(command, client, tmp_path):
    texts = "".join(
        json.dumps({"guid": n, "logits_epoch_0": [0, n], "gold": 1}) + "\n" for n in range(20_001)
    )
    run_id, _ = imported(command, f"path={write(tmp_path / 'dynamics_epoch_0.jsonl', texts).parent}")
    signals = [path.name for path in local(client, run_id, "signals").iterdir()]
    assert "epoch_0001-00000-of-00001.parquet" in signals
    assert len(ensure_summary(command, client, run_id)) == 20_001


def test_string_ids(command, client, tmp_path):
    ids = ["a", "it's", "007", "猫"]
    run_id, _ = imported(command, f"path={write(tmp_path / 'x.json', text_of(tutorial_records(ids=ids)))}")
    assert command("summarize", f"run_id={run_id}").code == 0
    summary = pd.read_csv(local(client, run_id, "summary.tsv"), sep="\t", dtype={"id": str})
    assert summary["id"].tolist() == ids


def test_texts(command, client, tutorial, pairs_file):
    run_id, _ = imported(command, f"path={tutorial}", f"texts={pairs_file}")
    samples = pd.read_csv(local(client, run_id, "data/samples.tsv"), sep="\t")
    assert samples.columns.tolist() == ["id", "text_a", "text_b", "label", "s_label"]
    assert samples.loc[1].tolist() == [1, "怎么换手机壳0", "手机壳多少钱0", 0, 0]
    datasets = {i.tags[0].value: i.dataset.name for i in client.get_run(run_id).inputs.dataset_inputs}
    assert datasets == {"signals": "output_data", "training": "pairs"}
    assert command("plot", f"run_id={run_id}").code == 0
    assert "手机壳多少钱0" in texts_of(local(client, run_id, "maps/explorer.html"))["text_b"]


def test_single_texts_in_another_order_and_more_than_needed(command, client, tmp_path):
    rows = [(guid, f"text {guid}", "cba"[gold]) for guid, gold in zip(GUIDS, GOLDS, strict=True)][::-1]
    rows += [(n, f"text {n}", name) for n, name in enumerate("abc")]
    table = "id\ttext_a\tlabel\n" + "".join(f"{i}\t{text}\t{label}\n" for i, text, label in rows)
    texts = write(tmp_path / "x.tsv", table.replace("c\n", "x\n").replace("a\n", "c\n").replace("x\n", "a\n"))
    run_id, _ = imported(command, f"path={write_dynamics(tmp_path / 'model')}", f"texts={texts}")
    samples = pd.read_csv(local(client, run_id, "data/samples.tsv"), sep="\t")
    assert samples["id"].tolist() == GUIDS
    assert samples["text_a"].tolist() == [f"text {guid}" for guid in GUIDS]
    assert samples["label"].tolist() == GOLDS
    assert json.loads(local(client, run_id, "labels.json").read_text()) == {"0": "a", "1": "b", "2": "c"}


def test_a_file_whose_name_has_a_colon(command, client, tutorial):
    write(Path("a:b.tsv"), GOOD)
    run_id, _ = imported(command, f"path={tutorial}", "texts=a:b.tsv")
    sources = [json.loads(found.dataset.source) for found in client.get_run(run_id).inputs.dataset_inputs]
    assert {"uri": "a:b.tsv"} in sources


def test_labels_of_texts_are_names_or_indices_of_the_signals_classes(command, client, tmp_path):
    """Also in another order than the alphabet's, and where a class occurs once or alone."""
    write_shards(tmp_path)
    (tmp_path / "signals" / "labels.json").write_text('{"0": "yes", "1": "no", "2": "maybe"}')
    labels = dict(zip("abc", GOLDS, strict=True))
    for names in (["yes", "no", "maybe"], ["0", "1", "2"]):
        rows = [f"{key}\ttext {key}\t{names[label]}\n" for key, label in labels.items()]
        texts = write(tmp_path / "texts.tsv", "id\ttext_a\tlabel\n" + "".join(rows))
        run_id, _ = imported(command, f"path={tmp_path}/signals", f"texts={texts}")
        assert json.loads(local(client, run_id, "labels.json").read_text()) == {
            "0": "yes",
            "1": "no",
            "2": "maybe",
        }
    (tmp_path / "signals" / "labels.json").write_text('{"0": "yes", "1": "yes", "2": "maybe"}')
    assert "names two classes 'yes'; rename one" in refused(command, client, f"path={tmp_path}/signals")


GOOD = "id\ttext_a\tlabel\n" + "".join(f"{n}\t文本{n}\t{int(n % 2 == 0)}\n" for n in range(36))
# Files that `texts=` cannot use, each with what the message advises, and a key of `train` that it must not name.
ADVICE = {
    "no label": (GOOD.replace("label", "mark"), "name it label in the file's header"),
    "one column": ("\n".join("abcdef"), "divide the columns by tabs"),
    "two texts": (GOOD.replace("id", "text").replace("text_a", "content"), "name only one of them text_a"),
    "an empty text": (GOOD.replace("文本7", ""), "line 9: text_a is empty"),
    "an id twice": (GOOD.replace("\n7\t", "\n6\t"), "give each an id of its own"),
    "a kind": (GOOD.replace("label", "label\ts_label").replace("\n0", "\t\n0"), "column"),
    "bytes": (GOOD.replace("文本7", "\udcff"), "save the file as UTF-8"),
}


@pytest.mark.parametrize("case", ADVICE)
def test_advice_about_texts_names_no_key_of_another_command(case, command, client, tutorial, tmp_path):
    content, advised = ADVICE[case]
    path = tmp_path / "texts.tsv"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    line = refused(command, client, f"path={tutorial}", f"texts={path}")
    assert advised in line
    assert "data." not in line  # as the fixture `command` asks of every key and every command


def test_texts_of_a_run_say_what_was_planted_where_signals_cannot(command, client, pairs_file):
    train = ("train", "data=file", f"data.path={pairs_file}", *SMALL_MODEL, "data.flip_ratio=0.2")
    trained = command(*train).out.split()[1]
    assert command("export_signals", f"run_id={trained}", "folder=dynamics").code == 0
    run_id, _ = imported(command, "path=dynamics", f"texts=runs:/{trained}/data/samples.tsv")
    for column in ("s_label", "avg_probs"):
        mine, theirs = (ensure_summary(command, client, i)[column].tolist() for i in (run_id, trained))
        assert mine == pytest.approx(theirs, abs=1e-6)
    assert sum(ensure_summary(command, client, run_id)["s_label"]) == 2 * 7
    texts = pd.read_csv(local(client, run_id, "data/samples.tsv"), sep="\t")["text_a"]
    assert texts[0] == "怎么换手机壳0"


def test_texts_that_do_not_fit(command, client, tutorial, pairs_file):
    lines = pairs_file.read_text(encoding="utf-8").splitlines(keepends=True)
    write(pairs_file, "".join(lines[:30]))
    assert refused(command, client, f"path={tutorial}", f"texts={pairs_file}") == (
        f"error: texts={pairs_file}: no text for 6 samples of {tutorial}, id 30, 31, 32, 33, 34 and 1 more "
        "(its ids: 0, 1, 2, 3, 4 and 25 more)\n"
    )
    write(pairs_file, "".join(lines).replace("0\t1\n", "0\t0\n", 1))
    assert refused(command, client, f"path={tutorial}", f"texts={pairs_file}") == (
        f"error: texts={pairs_file}: labels differ from those of {tutorial}, id 0 (1, here 0)\n"
    )
    assert "nowhere.tsv: no such file" in refused(command, client, f"path={tutorial}", "texts=nowhere.tsv")


def test_cartography(command, client, tmp_path):
    run_id, _ = imported(command, f"path={write_dynamics(tmp_path / 'model' / 'training_dynamics').parent}")
    summary = ensure_summary(command, client, run_id)
    probs = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=2, keepdims=True)
    confidence = probs[:, range(3), GOLDS]
    assert summary["id"].tolist() == GUIDS
    assert np.allclose(summary["avg_probs"], confidence.mean(axis=0), atol=1e-7)
    assert np.allclose(summary["label_var"] ** 0.5, confidence.std(axis=0), atol=1e-6)
    assert client.get_run(run_id).data.params["format"] == "cartography"
    assert command("plot", f"run_id={run_id}").code == 0


@pytest.mark.parametrize("format", ["jsonl", "parquet"])
def test_our_own_shards(command, client, tmp_path, format):
    folder = write_shards(tmp_path, "step", format)
    write(tmp_path / "labels.json", '{"0": "no", "1": "maybe", "2": "yes"}')
    run_id, _ = imported(command, f"path={folder}")
    names = [path.name for path in local(client, run_id, "signals").iterdir()]
    assert f"step_000002-00000-of-00001.{format}" in names
    assert len(ensure_summary(command, client, run_id)) == 3
    assert json.loads(local(client, run_id, "labels.json").read_text())["2"] == "yes"
    again, _ = imported(command, f"path={local(client, run_id, '.')}")
    before, after = (ensure_summary(command, client, i) for i in (run_id, again))
    pd.testing.assert_frame_equal(before, after)


def test_a_trained_runs_artifacts_are_imported_elsewhere(small_run, command, client, pairs_file):
    folder = local(client, small_run, ".")
    run_id, _ = imported(command, f"path={folder}", f"texts={pairs_file}")
    before, after = (ensure_summary(command, client, i) for i in (small_run, run_id))
    pd.testing.assert_frame_equal(before, after)
    texts = [local(client, i, "data/samples.tsv").read_text(encoding="utf-8") for i in (small_run, run_id)]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("files", ["tutorial", "cartography", "datamap"])
def test_there_and_back_again(command, client, tmp_path, tutorial, files):
    paths = {"tutorial": tutorial, "cartography": write_dynamics(tmp_path / "a"), "datamap": tmp_path / "b"}
    write_shards(tmp_path / "b", rows=2)
    run_id, _ = imported(command, f"path={paths[files]}")
    outcome = command("export_signals", f"run_id={run_id}")
    count = 4 if files == "tutorial" else 3
    assert outcome.out == f"{count} observations of run {run_id} written to training_dynamics\n"
    lines = Path("training_dynamics/dynamics_epoch_1.jsonl").read_text(encoding="utf-8").splitlines()
    assert [list(json.loads(line)) for line in lines] == [["guid", "logits_epoch_1", "gold"]] * len(lines)
    again, _ = imported(command, "path=training_dynamics")
    before, after = (ensure_summary(command, client, i) for i in (run_id, again))
    if files == "tutorial":
        before["s_label"] = 0  # Cartography's files have no place for it
    pd.testing.assert_frame_equal(before, after, rtol=1e-6, atol=1e-6)
    probs = [
        [json.loads(line)["probs"] for line in local(client, i, path).read_text().splitlines()]
        for i in (run_id, again)
        for path in ["signals/epoch_0002-00000-of-00001.jsonl"]
    ]
    assert np.allclose(*probs, rtol=0, atol=1e-6)


def test_shards_are_exported_one_after_the_other(trained, command):
    trained(["signals.every=4", "signals.shard_rows=10", "trainer.batch_size=12"])
    assert command("export_signals", "run_id=latest", "folder=some/where").code == 0
    names = sorted(path.name for path in Path("some/where").iterdir())
    assert names == [f"dynamics_epoch_{n}.jsonl" for n in (0, 1, 2)]
    assert sorted(path.name for path in Path("some").iterdir()) == ["where"]
    lines = Path("some/where/dynamics_epoch_2.jsonl").read_text().splitlines()
    assert [json.loads(line)["guid"] for line in lines] == list(range(36))


def test_nothing_is_overwritten(command, client, tutorial):
    run_id, _ = imported(command, f"path={tutorial}")
    Path("training_dynamics").mkdir()
    assert command("export_signals", f"run_id={run_id}").code == 0  # an empty folder is taken
    before = {path: path.read_bytes() for path in Path("training_dynamics").iterdir()}
    outcome = command("export_signals", f"run_id={run_id}")
    assert outcome.code == 2
    assert outcome.err == (
        "error: folder=training_dynamics already exists and is not an empty folder; choose another\n"
    )
    assert {path: path.read_bytes() for path in Path("training_dynamics").iterdir()} == before


def test_an_interrupt_leaves_no_half_filled_folder(command, client, tutorial, monkeypatch):
    run_id, _ = imported(command, f"path={tutorial}")
    Path("there").mkdir()
    rename = Path.rename

    def interrupted(file, target):
        rename(file, target)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Path, "rename", interrupted)
    assert command("export_signals", f"run_id={run_id}", "folder=there").code == 130
    assert sorted(path.name for path in Path("there").iterdir()) == [
        f"dynamics_epoch_{n}.jsonl" for n in range(4)
    ]


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_that_another_export_fills_meanwhile_is_left_to_it(
    command, client, tutorial, monkeypatch, there
):
    run_id, _ = imported(command, f"path={tutorial}")
    written = export_signals._write_dynamics
    if there:
        Path("both").mkdir()

    def meanwhile(*arguments):
        Path("both").mkdir(exist_ok=True)
        Path("both/dynamics_epoch_0.jsonl").write_text("the other one's")
        return written(*arguments)

    monkeypatch.setattr(export_signals, "_write_dynamics", meanwhile)
    outcome = command("export_signals", f"run_id={run_id}", "folder=both")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert [(path.name, path.read_text()) for path in Path("both").iterdir()] == [
        ("dynamics_epoch_0.jsonl", "the other one's")
    ]


def test_an_engines_address_needs_the_engine(command, client, tutorial):
    run_id, _ = imported(command, f"path={tutorial}")
    outcome = command("summarize", f"run_id={run_id}", "engine.address=tcp://x:1")
    assert (outcome.code, outcome.err) == (
        2,
        "error: engine.address is for engine=dask, not local; leave it out\n",
    )


def test_an_empty_working_directory_is_filled(command, client, tutorial, tmp_path, monkeypatch):
    run_id, _ = imported(command, f"path={tutorial}")
    uri = f"tracking.uri=sqlite:///{Path('mlflow.db').absolute()}"
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert command("export_signals", f"run_id={run_id}", "folder=.", uri).code == 0
    assert {path.name for path in Path().iterdir()} == {f"dynamics_epoch_{n}.jsonl" for n in range(4)}
    assert Path.cwd() == tmp_path / "empty"


@pytest.mark.parametrize("target", ["/dev/zero", "/proc/kmsg", "fifo"])
def test_signals_that_never_end_are_not_read(command, client, tmp_path, target):
    path = tmp_path / "output_data.json"
    if target == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(target)
    assert refused(command, client, f"path={path}").startswith(f"error: {path}: no")


def test_a_damaged_shard_leaves_no_folder(command, client, tutorial):
    run_id, _ = imported(command, f"path={tutorial}")
    shard = local(client, run_id, "signals/epoch_0003-00000-of-00001.jsonl")
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-9])
    outcome = command("export_signals", f"run_id={run_id}")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "signals/epoch_0003-00000-of-00001.jsonl is damaged" in outcome.err
    local(client, run_id, "signals/epoch_0003.sha256").unlink()
    shard.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    outcome = command("export_signals", f"run_id={run_id}")
    assert outcome.err == "error: observation 3 is damaged: it has 35 records, but 36 were committed\n"
    assert not Path("training_dynamics").exists()
    assert not [path for path in Path().iterdir() if path.name.startswith("tmp")]


@pytest.mark.parametrize(
    ("folder", "problem"),
    [
        ("/proc/nowhere/x", "No such file or directory"),
        ("mlflow.db/x", "File exists"),
        ("x" * 5000, "File name too long"),
    ],
)
def test_a_folder_that_cannot_be_written(command, client, tutorial, folder, problem):
    run_id, _ = imported(command, f"path={tutorial}")
    outcome = command("export_signals", f"run_id={run_id}", f"folder={folder}")
    assert (outcome.code, outcome.err) == (2, f"error: folder={folder}: {problem}\n")


def test_a_full_disk_leaves_no_folder(command, client, tutorial):
    run_id, _ = imported(command, f"path={tutorial}")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        outcome = command("export_signals", f"run_id={run_id}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (outcome.code, outcome.err) == (2, "error: folder=training_dynamics: File too large\n")
    assert not [path for path in Path().iterdir() if path.name.startswith(("tmp", "training_dynamics"))]


BAD_FILES = {
    "a list": "[1]\n",
    "nested too deep": "[" * 100_000 + "\n",
    "an id of 5,000 digits": text_of(tutorial_records()).replace("'id': 1,", "'id': " + "5" * 5000 + ","),
    "an id of 64 bits": text_of(tutorial_records()).replace("'id': 1,", f"'id': {2**63},"),
    "a key with a tab": text_of(tutorial_records()).replace("'loss'", "'a\\tb': 1, 'loss'"),
    "a lone surrogate": text_of(tutorial_records(ids=list("abcd"))).replace("'b'", "'\\ud800'"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_leaves_no_run(command, client, tmp_path, name):
    path = write(tmp_path / "output_data.json", BAD_FILES[name])
    assert f"{path}, line " in refused(command, client, f"path={path}")


def test_signals_without_probs_cannot_be_exported(command, client, tmp_path):
    records = [{"id": n, "label": 1, "correct": True, "label_probs": 0.75} for n in range(3)]
    lines = [json.dumps(record) + "\n" for record in records]
    path = write(tmp_path / "epoch_0001-00000-of-00001.jsonl", "".join(lines))
    run_id, _ = imported(command, f"path={path}")
    assert ensure_summary(command, client, run_id)["avg_probs"].tolist() == [0.75] * 3
    outcome = command("export_signals", f"run_id={run_id}")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert (
        "observation 1 has no probs of all classes (signals/epoch_0001-00000-of-00001.jsonl)" in outcome.err
    )
    assert not Path("training_dynamics").exists()


def test_a_run_without_signals_cannot_be_exported(client, command):
    run_id = client.create_run(client.create_experiment("datamap")).info.run_id
    outcome = command("export_signals", f"run_id={run_id}")
    assert (outcome.code, f"run {run_id} has no signals; train first" in outcome.err) == (2, True)


def test_bad_files_leave_no_run(command, client, tmp_path, tutorial):
    text = tutorial.read_text()
    bad = write(tmp_path / "bad.json", text.replace("}", "", 99).replace("\n", "}\n", 98))
    assert f"error: {bad}, line 99: not a Python dictionary" in refused(command, client, f"path={bad}")
    late = write(tmp_path / "late.json", text + text.splitlines()[0].replace("'loss': ", "'loss': 'x") + "\n")
    assert f"error: {late}, line 145: " in refused(command, client, f"path={late}")
    folder = write_dynamics(tmp_path / "c")
    dynamics_of(folder, 2, lambda t: t.replace("epoch_2", "epoch_1"))
    message = refused(command, client, f"path={folder}")
    assert "dynamics_epoch_2.jsonl, line 1 lacks key 'logits_epoch_2'" in message
    (folder / "dynamics_epoch_1.jsonl").unlink()
    assert "dynamics_epoch_1.jsonl is missing" in refused(command, client, f"path={folder}")
    shards = write_shards(tmp_path / "d") / "signals"
    (shards / "epoch_0003-00000-of-00002.jsonl").write_bytes(b"{}\n")
    assert "epoch_0003-00000-of-00002.jsonl is damaged" in refused(command, client, f"path={shards}")
    assert "no such file or folder" in refused(command, client, "path=nowhere")
    assert "format=csv: choose " in refused(command, client, "path=nowhere", "format=csv")
    assert "path is missing: give path=" in refused(command, client)


def test_a_store_that_fails_midway_fails_the_run(command, client, tutorial, monkeypatch):
    from datamap.errors import TrackingError
    from datamap.tracking.run import Run

    log_bytes = Run.log_bytes

    def failing(self, content, path):
        if "epoch_0003" in path:
            raise TrackingError("the disk is full")
        log_bytes(self, content, path)

    monkeypatch.setattr(Run, "log_bytes", failing)
    outcome = command("import_signals", f"path={tutorial}")
    assert (outcome.code, outcome.err) == (2, "error: the disk is full\n")
    (run,) = runs(client)
    assert run.info.status == "FAILED"
    assert "over 2 observations" in command("summarize", f"run_id={run.info.run_id}").out


def test_an_import_adopts_the_run_that_mlflow_made_and_no_other(command, client, tutorial, monkeypatch):
    made = client.create_run(client.create_experiment("projects")).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", made)
    assert imported(command, "--path", str(tutorial))[0] == made
    outcome = command("import_signals", "--path", str(tutorial))
    assert (outcome.code, f"run {made} (from MLFLOW_RUN_ID) already holds signals" in outcome.err) == (
        2,
        True,
    )


@pytest.mark.parametrize("script", ["import_signals", "export_signals"])
def test_help_explains_every_key(command, script):
    outcome = command(script, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"python src/{script}.py" in outcome.out
