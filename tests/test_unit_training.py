"""Training on units: what a run of tokens and one of several labels holds, which pieces count, what is refused."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT, SMALL_MODEL, local
from datamap.config import ModelConfig, ScratchConfig
from datamap.data.units import UnitDataset
from datamap.paddle_backend import modeling, objectives
from datamap.paddle_backend.encoding import encode
from datamap.schema import EMBEDDINGS_FILE, Task
from datamap.signals import embeddings
from datamap.training import extra
from model_folders import paddle_nlp

CONLL = "".join(
    f"# id = s{n}\n张 0 B-PER\n{'一二三四'[n % 4]} {2 * (n == 1)} I-PER\n在 0 O\n北 0 B-LOC\n京 0 I-LOC\n\n"
    for n in range(12)
)
LABELS = "text_a\tlabel\ts_label\n" + "".join(
    f"又贵又慢{n}\t价格|物流\t\n很便宜{n}\t价格\t物流\n不错{n}\t\t\n" for n in range(6)
)


def trained(command, client, *options):
    outcome = command("train", "data=file", *SMALL_MODEL, *options)
    assert outcome.code == 0, outcome.err
    run = client.get_run(outcome.out.partition("run ")[2].split()[0])
    return outcome.out, run, lambda path: local(client, run.info.run_id, path).read_text(encoding="utf-8")


def records(read):
    return [json.loads(line) for line in read("signals/epoch_0003-00000-of-00001.jsonl").splitlines()]


def test_a_run_of_tokens(command, client, tmp_path):
    for name in ("x.conll", "dev.conll"):
        (tmp_path / name).write_text(CONLL, encoding="utf-8")
    out, run, read = trained(
        command, client, "data.task=tokens", f"data.path={tmp_path / 'x.conll'}",
        f"data.dev_path={tmp_path / 'dev.conll'}", "data.columns.s_label=1", "trainer.max_length=6",
    )  # fmt: skip
    assert "note: 12 tokens of 12 sentences are beyond trainer.max_length=6 and have no signals" in out
    assert "dev F1" in out
    assert json.loads(read("labels.json")) == dict(
        zip("01234", ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"], strict=True)
    )
    assert (
        json.loads(read("task.json"))["task"]
        == run.data.tags["datamap.task"]
        == run.data.params["task"]
        == "tokens"
    )
    assert read("data/samples.tsv").splitlines()[:2] == ["id\ttext_a", '"s0"\t"张一在北京"']
    first = json.loads(read("data/samples.jsonl").splitlines()[0])
    assert first == {
        "id": "s0",
        "tokens": list("张一在北京"),
        "tags": ["B-PER", "I-PER", "O", "B-LOC", "I-LOC"],
    }
    found = records(read)
    assert [one["id"] for one in found] == [f"s{n}:{place}" for n in range(12) for place in range(4)]
    assert [one["label"] for one in found[:4]] == [3, 4, 0, 1]
    assert [one["id"] for one in found if one["noisy_label"] == 2] == ["s1:1"]
    metrics = run.data.metrics
    assert metrics["signals.rows"] == 48
    assert metrics["train/accuracy"] == pytest.approx(np.mean([one["correct"] for one in found]))
    assert metrics["train/loss"] == pytest.approx(np.mean([one["loss"] for one in found]), rel=1e-5)
    assert {"validation/accuracy", "validation/f1", "validation/loss"} <= metrics.keys()


def test_a_run_of_several_labels(command, client, tmp_path):
    (tmp_path / "x.tsv").write_text(LABELS, encoding="utf-8")
    path = f"data.path={tmp_path / 'x.tsv'}"
    _, run, read = trained(
        command, client, "data.task=multilabel", path, f"data.dev_path={tmp_path / 'x.tsv'}"
    )
    assert json.loads(read("labels.json")) == {"0": "absent", "1": "present"}
    assert json.loads(read("task.json"))["label_names"] == ["价格", "物流"]
    assert json.loads(read("data/samples.jsonl").splitlines()[0]) == {
        "id": 0, "text": "又贵又慢0", "labels": ["价格", "物流"],
    }  # fmt: skip
    assert "label_separator: '|'" in read("config/train.yaml")
    found = records(read)
    assert [(one["id"], one["label"]) for one in found[:6]] == [
        ("0:0", 1), ("0:1", 1), ("1:0", 1), ("1:1", 0), ("2:0", 0), ("2:1", 0),
    ]  # fmt: skip
    assert [one["id"] for one in found if one["noisy_label"] == 2] == [f"{n}:1" for n in range(1, 18, 3)]
    metrics = run.data.metrics
    assert metrics["signals.rows"] == 36
    # The development data are the training data, so both losses are means over the same samples and labels.
    assert metrics["train/loss"] == pytest.approx(metrics["validation/loss"], rel=1e-4)
    assert {"validation/f1_micro", "validation/f1_macro"} <= metrics.keys()


def sentences(words, tags=2):
    return UnitDataset(
        task=Task.TOKENS, path="x", ids=list(range(len(words))), texts_a=[" ".join(one) for one in words], words=words,
        labels=[np.arange(len(one)) % tags for one in words], planted=[np.zeros(len(one), np.int64) for one in words],
        class_names=("O", "B-X"), lines=list(range(len(words))),
    )  # fmt: skip


def test_the_first_piece_of_each_word_carries_the_tag():
    given = sentences([["ab", "c", "\u200b", "d"], ["c"]])
    scratch = ScratchConfig(1, 16, 16, 2, 0.0, 0.1)
    options = ModelConfig("tiny", None, 24, 1e-3, 1, 8, scratch)
    classifier = modeling.build(
        options, given.texts_a, given.class_names, objectives.objective_of(given).head
    )
    tokens = encode(classifier, given, 24)
    assert tokens.words is not None
    unknown = classifier.tokenizer.unk_token_id
    assert tokens.words.positions.tolist() == [1, 3, 4, 5, 1]  # after [CLS]; ab has two pieces
    assert tokens.ids[4] == unknown  # what the tokenizer drops keeps its place
    assert objectives.labels_of(given, tokens).tolist() == [0, 1, 0, 1, 0]
    cut = encode(classifier, given, 5)
    assert cut.words is not None and cut.words.counts.tolist() == [2, 1]
    assert tokens.decisions(np.array([1, 0])).tolist() == [4, 0, 1, 2, 3]
    assert tokens.take(np.array([1])).words.counts.tolist() == [1]


@pytest.mark.parametrize("key", ["data.flip_ratio=0.1", "signals.threshold_samples=true"])
def test_what_units_do_not_support_is_refused_in_one_line(command, key):
    outcome = command("train", "data=demo_tokens", key)
    assert outcome.code == 2
    line = f"error: {key.partition('=')[0]} is for data.task=classification, not tokens; leave it out"
    assert outcome.err.strip().splitlines()[-1] == line


def test_keys_of_several_labels_are_refused_for_classification(command):
    outcome = command("train", "data=demo", "data.label_separator=;")
    assert (outcome.code, "data.label_separator is for data.task=multilabel" in outcome.err) == (2, True)
    outcome = command("train", "data=demo", "data.columns.label=[a,b]")
    assert (outcome.code, "data.columns.label has 2 columns" in outcome.err) == (2, True)


def test_the_demo_data_is_what_its_script_makes(tmp_path):
    import runpy

    script = ROOT / "data" / "make_demo_units.py"
    copy = tmp_path / script.name
    copy.write_bytes(script.read_bytes())
    runpy.run_path(str(copy), run_name="__main__")
    made = sorted(path for path in tmp_path.iterdir() if path != copy and path.is_file())
    assert len(made) == 4
    assert all(path.read_bytes() == (ROOT / "data" / path.name).read_bytes() for path in made)


@pytest.mark.parametrize("task", ["tokens", "multilabel"])
def test_folds_hold_out_samples_with_all_their_units(command, client, tmp_path, task):
    file = tmp_path / ("x.conll" if task == "tokens" else "x.tsv")
    file.write_text(CONLL if task == "tokens" else LABELS, encoding="utf-8")
    options = [
        f"data.task={task}",
        f"data.path={file}",
        "data.folds=3",
        "trainer.jobs=1",
        "trainer.max_length=6",
    ]
    out, run, read = trained(command, client, *options)
    assert "fold 3 of 3" in out
    shards = [read(f"holdout/epoch_0003-{fold:05d}-of-00003.jsonl").splitlines() for fold in range(3)]
    ids = [[json.loads(line)["id"] for line in shard] for shard in shards]
    samples = [{one.partition(":")[0] for one in shard} for shard in ids]
    assert not samples[0] & samples[1] | samples[0] & samples[2] | samples[1] & samples[2]
    assert sorted(sum(ids, [])) == sorted(one["id"] for one in records(read))
    said = command("diagnose", f"run_id={run.info.run_id}")
    assert (said.code, "folds" in said.out) == (0, True), said


FAMILIES = {
    "tokens": ("TokenClassification", ("O", "B-PER", "I-PER", "B-LOC", "I-LOC"), CONLL),
    "multilabel": ("SequenceClassification", ("物流", "价格"), LABELS),
}


@pytest.mark.parametrize("task", FAMILIES)
def test_a_pretrained_folder_learns_units(command, client, tmp_path, task):
    head, names, content = FAMILIES[task]
    file, folder = tmp_path / f"x.{'conll' if task == 'tokens' else 'tsv'}", tmp_path / "model"
    file.write_text(content, encoding="utf-8")
    paddle_nlp(folder, head, names)
    options = [
        "data=file", f"data.task={task}", f"data.path={file}", "model=folder", f"model.name_or_path={folder}",
        "trainer.epochs=2", "trainer.max_length=10", "plot.live=false",
    ]  # fmt: skip
    outcome = command("train", *options)
    assert outcome.code == 0, outcome.err
    assert "predicts other classes" not in outcome.out
    run_id = outcome.out.partition("run ")[2].split()[0]
    artifacts = {item.path for item in client.list_artifacts(run_id)}
    if task == "tokens":
        assert "embeddings" not in artifacts  # a sentence has one, its tokens have none
        outcome = command("diagnose", f"run_id={run_id}", f"encoder={folder}")
        assert (outcome.code, outcome.err.count("\n")) == (2, 1)
        assert (
            "cannot judge tokens, because they embed whole sentences; train with data.folds=3" in outcome.err
        )
    else:
        found = embeddings.read(local(client, run_id, EMBEDDINGS_FILE))
        assert (found.ids.to_pylist(), found.first.shape) == (list(range(18)), (18, 16))
        for more in ([], [f"encoder={folder}"], ["score=embeddings"]):
            outcome = command("diagnose", f"run_id={run_id}", *more)
            assert (outcome.code, " embeddings " in outcome.out.partition("never saw:")[2]) == (0, True), (
                outcome
            )
        assert command("plot", f"run_id={run_id}").code == 0

    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    outcome = command("train", *options)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert f"{weights} cannot be read" in outcome.err


def test_folds_spread_the_rarest_labels():
    given = sentences([["a", "b"]] * 4 + [["a"]] * 20)  # four samples have the tag B-X
    folds = extra.fold_trainings(given, 4, 0, "holdout")
    assert [sum(1 in labels for labels in fold.observed.labels) for fold in folds] == [1, 1, 1, 1]
    assert folds[0].texts == given.texts_a


PER = "# by = me\n张\tN\t{kind}\tB-PER\n{char}\tM\t0\tI-PER\n在\tP\t0\tO\n\n"
JOINED = '"又贵,又慢{n}",价格;物流,{n}\n很便宜{n},价格,{n}\n不错{n},,{n}\n'
CONTENTS = {
    "x.conll": "-DOCSTART- -X- O\n\n"
    + "".join(PER.format(kind=2 * (not n), char="一二三四"[n % 4]) for n in range(12)),
    "x.csv": "评论,标注,n\n" + "".join(JOINED.format(n=n) for n in range(6)),
    "x.txt": "".join(f"又贵又慢{n}\t价格|物流\n很便宜{n}\t价格\n不错{n}\t\n" for n in range(6)),
    "x.jsonl": "".join(
        json.dumps({"n": n, "text": f"又贵又慢{n}", "价格": n % 2, "物流": 1 - n % 2}) + "\n"
        for n in range(12)
    ),
}
FORMS = {  # file: options, options of the printed command
    "x.conll": (["data.task=tokens", "data.columns.s_label=2"], ["data.columns.s_label=2"]),
    "x.csv": (
        ["data.task=multilabel", "data.columns.label=标注", "data.columns.text_a=评论"],
        ["data.columns.text_a='评论'", "data.columns.label='标注'", "data.label_separator=';'"],
    ),
    "x.txt": (
        ["data.task=multilabel"],
        ["data.columns.id=2", "data.columns.text_a=0", "data.columns.text_b=null"],
    ),
    "x.jsonl": (
        ["data.task=multilabel", "data.columns.label=[价格,物流]"],
        ["data.columns.label=['价格','物流']"],
    ),
}
CORRECTED = {  # file: a unit's id, its new label, the corrected file
    "x.conll": ("1:0", "O", CONTENTS["x.conll"].replace("张\tN\t0\tB-PER", "张\tN\t0\tO", 1)),
    "x.csv": ("1:1", "present", CONTENTS["x.csv"].replace("很便宜0,价格,", "很便宜0,价格;物流,")),
    "x.txt": ("3:0", "absent", CONTENTS["x.txt"].replace("又贵又慢1\t价格|物流", "又贵又慢1\t物流")),
    "x.jsonl": (
        "1:1", "present",
        CONTENTS["x.jsonl"].replace(
            CONTENTS["x.jsonl"].splitlines()[1], '{"n": 1, "text": "又贵又慢1", "价格": 1, "物流": 1}'
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_a_curated_file_has_the_form_of_the_training_file_and_trains_again(command, client, tmp_path, name):
    content, (options, carried) = CONTENTS[name], FORMS[name]
    curated = f"curated{Path(name).suffix}"
    file = tmp_path / name
    file.write_text(content, encoding="utf-8")
    _, run, read = trained(command, client, f"data.path={file}", *options)
    count = len(read("data/samples.jsonl").splitlines())

    def made(*rule):
        outcome = command("curate", f"run_id={run.info.run_id}", *rule)
        assert outcome.code == 0, outcome
        newest = client.search_runs([run.info.experiment_id], max_results=1)[0].info.run_id
        next_step = outcome.out.split("next: ")[1].strip()
        return local(client, newest, curated).read_text(encoding="utf-8"), shlex.split(next_step)

    assert made("keep=matching", "where=avg_probs >= 0")[0] == content
    _, next_step = made("keep=clean", "share=0.1")
    assert set(carried) <= set(next_step)
    _, _, read = trained(command, client, *next_step[next_step.index("data=file") + 1 :])
    left = [json.loads(line) for line in read("data/samples.jsonl").splitlines()]
    assert 0 < len(left) < count
    unit, label, corrected = CORRECTED[name]
    (tmp_path / "corrections.tsv").write_text(f"id\tlabel\n{unit}\t{label}\n", encoding="utf-8")
    assert made("keep=corrected", f"corrections={tmp_path / 'corrections.tsv'}")[0] == corrected
