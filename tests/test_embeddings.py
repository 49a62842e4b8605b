"""Embeddings: what is refused, what is written and read again, and what a model of them can tell."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from sklearn.decomposition import PCA

import datamap
from conftest import local
from datamap import SignalRecorder
from datamap.errors import ConfigError, SignalError
from datamap.labels import embedding_witness
from datamap.maps import layout
from datamap.signals import embeddings

generator = np.random.default_rng(0)
VECTORS = generator.normal(size=(6, 4)).astype(np.float32)
IDS = ["a", "b", "c", "d", "e", "f"]


def written(tmp_path, found):
    file = tmp_path / "embeddings.parquet"
    file.write_bytes(embeddings.encode(found))
    return file


@pytest.mark.parametrize("ids", [IDS, [5, 3, 2**62, -1, 0, 7]])
@pytest.mark.parametrize("given", [VECTORS, [VECTORS, VECTORS + 1], VECTORS.tolist()])
def test_what_is_written_is_read_again_at_half_precision(tmp_path, monkeypatch, ids, given):
    monkeypatch.setattr(embeddings, "GROUP_BYTES", 20)
    file = written(tmp_path, embeddings.checked(ids, given))
    assert pyarrow.parquet.ParquetFile(file).num_row_groups == 3
    types = pyarrow.parquet.read_schema(file)
    assert types.field("embedding").type == pa.list_(pa.float16(), 4)
    found = embeddings.read(file)
    assert found.ids.to_pylist() == ids
    assert found.first.dtype == np.float32
    assert found.first == pytest.approx(VECTORS, rel=1e-3, abs=1e-3)
    assert (found.second is None) == (len(given) != 2)
    turned = found.ordered(pa.array(list(reversed(ids))), "here")
    assert turned.first == pytest.approx(found.first[::-1])


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (VECTORS[:5], "5 embeddings for 6 samples"),
        (VECTORS[0], "float32 of shape (4,); give (samples, width) numbers"),
        (np.zeros((6, 0)), "float64 of shape (6, 0)"),
        (
            np.where(np.arange(6)[:, None] == 2, np.nan, VECTORS),
            "nan in the embedding of 'c'; give finite numbers",
        ),
        (
            VECTORS * 1e6,
            "in the embedding of 'a'; half precision holds up to 65,504: divide all by one factor",
        ),
        (np.full((6, 4), -(2**63)), "-9223372036854775808 in the embedding of 'a'; half precision"),
        (np.zeros((6, 65_537), np.int8), "(width: 1 to 65,536)"),
        ([VECTORS, VECTORS[:, :3]], "the two arrays of pairs differ in width: [4, 3]"),
        ([["x"] * 4] * 6, "of shape (6, 4); give (samples, width) numbers"),
        ("a.npy", "a list or an array"),
        ([[1.0], [1.0, 2.0]], "embeddings="),
        ([[[1.0], [1.0, 2.0]], [[1.0], [2.0]]], "embeddings="),
        (np.zeros((2, 6, 4)), "of shape (2, 6, 4); give (samples, width) numbers, for pairs two such arrays"),
        (np.zeros((6, 4), complex), "complex128 of shape (6, 4)"),
        (np.zeros(6, [("x", float)]), "give"),
        (np.array([[None] * 4] * 6, object), "object of shape (6, 4)"),
        ({"a": 1}, "a list or an array"),
        (None, "embeddings=: None is not a list or an array; give one entry per sample"),
    ],
)
def test_arrays_that_are_no_embeddings_are_refused(given, problem):
    with pytest.raises(SignalError, match=re.escape(problem)):
        embeddings.checked(IDS, given)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"id": ["a", "a"], "embedding": [[1.0], [2.0]]}, "id repeated: a"),
        ({"id": ["a", "b"], "embedding": [[1.0], [2.0, 3.0]]}, "empty lists or lists of different lengths"),
        ({"id": ["a", "b"], "embedding": [[1.0], None]}, "empty lists or lists of different lengths"),
        ({"id": ["a", "b"], "embedding": [[1.0], [None]]}, "embedding has a missing number"),
        ({"id": ["a", "b"], "embedding": [[1.0], [float("nan")]]}, "nan in the embedding of 'b'"),
        ({"id": ["a", "b"], "embedding": [[], []]}, "not a list of numbers"),
        ({"id": ["a", "b"], "embedding": [1.0, 2.0]}, "embedding is double, not a list of numbers"),
        ({"id": ["a", "b"], "embedding": [["x"], ["y"]]}, "not a list of numbers"),
        ({"id": [1.5, 2.5], "embedding": [[1.0], [2.0]]}, "ids must be whole numbers"),
        ({"id": ["a", None], "embedding": [[1.0], [2.0]]}, "ids must be"),
        ({"id": [], "embedding": []}, "embedding"),
        ({"id": ["a"], "vector": [[1.0]]}, "has no column embedding (columns: id, vector)"),
    ],
)
def test_files_that_are_no_embeddings_are_refused(tmp_path, table, problem):
    file = tmp_path / "mine.parquet"
    pyarrow.parquet.write_table(pa.table(table), file)
    with pytest.raises(SignalError, match=re.escape(problem)):
        embeddings.read(file, "mine.parquet")


def test_damaged_files_are_refused(tmp_path):
    content = written(tmp_path, embeddings.checked(IDS, VECTORS)).read_bytes()
    for damaged in (b"", b"PAR1", content[:-9], content[: len(content) // 2], b"x" * 100):
        (tmp_path / "damaged.parquet").write_bytes(damaged)
        with pytest.raises(SignalError, match="not a readable Parquet file of embeddings"):
            embeddings.read(tmp_path / "damaged.parquet")


def test_a_sample_without_embedding_is_named():
    found = embeddings.checked(IDS, VECTORS)
    with pytest.raises(SignalError, match="run x: no embedding of 1 sample, id g "):
        found.ordered(pa.array(["a", "g"]), "run x")


def clusters(count=300, classes=3, seed=0):
    """Embeddings whose cluster is the true class, and labels of which every tenth is wrong."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, count)
    vectors = 5 * np.eye(16)[truth] + random.normal(size=(count, 16))
    labels = np.where(np.arange(count) % 10 == 0, (truth + 1) % classes, truth)
    return vectors.astype(np.float32), truth, labels


def test_wrong_labels_are_contradicted_by_embeddings():
    vectors, truth, labels = clusters()
    probs = embedding_witness.predict(vectors, None, labels, 3)
    assert probs.sum(axis=1) == pytest.approx(1)
    assert (probs > 0).all()
    assert ((probs.argmax(axis=1) != labels) == (labels != truth)).mean() > 0.95
    common = 1000 * vectors + 5000  # another scale, and a direction that all samples have
    assert embedding_witness.predict(common, None, labels, 3) == pytest.approx(probs, abs=0.01)


def test_pairs_are_told_by_how_their_embeddings_differ():
    random = np.random.default_rng(1)
    u, truth = random.normal(size=(600, 8)), random.integers(0, 2, 600)
    v = np.where(truth[:, None] == 1, u, random.normal(size=(600, 8))) + 0.1 * random.normal(size=(600, 8))
    labels = np.where(np.arange(600) % 10 == 0, 1 - truth, truth)
    probs = embedding_witness.predict(u.astype(np.float32), v.astype(np.float32), labels, 2)
    assert (probs.argmax(axis=1) == truth).mean() > 0.95


def test_embeddings_that_tell_nothing_say_the_frequencies():
    random = np.random.default_rng(2)
    labels = (random.random(400) < 0.2).astype(int)
    probs = embedding_witness.predict(random.normal(size=(400, 64)).astype(np.float32), None, labels, 2)
    assert probs[:, 1].mean() == pytest.approx(0.2, abs=0.05)
    assert embedding_witness.predict(np.zeros((400, 8), np.float32), None, labels, 2)[:, 1] == pytest.approx(
        0.2, abs=0.02
    )


@pytest.mark.parametrize("labels", [[0], [0, 0, 1], [0, 1, 2]])
def test_too_few_samples_say_the_frequencies(labels):
    probs = embedding_witness.predict(np.eye(3, dtype=np.float32)[labels], None, np.array(labels), 4)
    assert probs == pytest.approx(np.tile(np.bincount(labels, minlength=4) / len(labels), (len(labels), 1)))


def test_rare_and_missing_classes_and_a_part_of_many_rows(monkeypatch):
    vectors, truth, labels = clusters(400)
    labels[0] = 5
    monkeypatch.setattr(embedding_witness, "MAX_PRODUCTS", 100 * 16 * 7)
    probs = embedding_witness.predict(vectors, None, labels, 7)
    assert probs.shape == (400, 7)
    assert (probs.argmax(axis=1) == truth).mean() > 0.9


@pytest.fixture
def images(store):
    """(function that makes a run of 300 samples without texts, embeddings, true labels, given labels)."""
    vectors, truth, labels = clusters()

    def make(**given):
        ids = [f"img{n:03d}.png" for n in range(300)]
        with SignalRecorder(["a", "b", "c"], {"id": ids}, **given) as recorder:
            for epoch in (1, 2, 3):
                order = np.random.default_rng(epoch).permutation(300)
                said = truth if epoch == 1 else labels
                recorder.record(
                    [ids[n] for n in order], labels[order], probs=np.eye(3)[said[order]] * 0.7 + 0.1
                )
                recorder.commit(epoch)
        return recorder.run_id

    return make, vectors, truth, labels


def worst(client, run_id, count=30):
    """The rows of the samples that are most likely wrong."""
    listed = local(client, run_id, "diagnosis.tsv").read_text().splitlines()[1 : 1 + count]
    return [int(re.search(r"img(\d+)", line)[1]) for line in listed]


def test_a_run_without_texts_gets_a_witness(images, command, client, capsys):
    make, vectors, truth, labels = images
    run_id = make(embeddings=vectors)
    assert "text_a" not in capsys.readouterr().out
    outcome = command("diagnose", f"run_id={run_id}")
    assert outcome.code == 0, outcome.err
    assert "accuracy on labels that they never saw: embeddings 8" in outcome.out
    assert "or give embeddings=" not in outcome.out
    assert (truth != labels)[worst(client, run_id)].mean() > 0.9
    assert client.get_run(run_id).data.metrics["witness/embeddings_weight"] > 0.5
    assert command("diagnose", f"run_id={run_id}", "score=embeddings").code == 0
    assert "similar embeddings suggest" in local(client, run_id, "diagnosis.tsv").read_text()


def test_embeddings_of_files_arrays_and_pairs_are_kept_by_the_run(images, command, client):
    make, vectors, _, _ = images
    run_id, other = make(), make()
    noted = command("diagnose", f"run_id={run_id}").out
    assert "or give embeddings=" in noted
    summary = local(client, run_id, "summary.tsv").read_text().splitlines()[1:]
    rows = [
        int(re.search(r"img(\d+)", line)[1]) for line in summary
    ]  # without texts, arrays are in the order of the summary
    np.save("mine.npy", vectors[rows])
    assert command("diagnose", f"run_id={run_id}", "embeddings=mine.npy", "score=embeddings").code == 0
    by_file = worst(client, run_id)
    table = {"vector": [0] * 300, "embedding": list(vectors), "id": [f"img{n:03d}.png" for n in range(300)]}
    pyarrow.parquet.write_table(pa.table(table), "mine.parquet")
    assert command("diagnose", f"run_id={run_id}", "embeddings=mine.parquet", "score=embeddings").code == 0
    assert worst(client, run_id) == by_file
    assert command("diagnose", f"run_id={run_id}", "score=embeddings").code == 0  # the run has them
    copied = f"embeddings=runs:/{run_id}/embeddings/embeddings.parquet"
    assert command("diagnose", f"run_id={other}", copied, "score=embeddings").code == 0
    assert worst(client, other) == by_file
    assert command("diagnose", f"run_id={run_id}", "embeddings=[mine.npy,mine.npy]").code == 0
    file = local(client, run_id, "embeddings/embeddings.parquet")
    assert pyarrow.parquet.read_schema(file).names == ["id", "embedding", "embedding_b"]
    datamap.diagnose(run_id, embeddings=vectors[rows], score="embeddings")
    assert worst(client, run_id) == by_file
    datamap.diagnose(run_id, embeddings=(vectors[rows], vectors[rows]))
    assert pyarrow.parquet.read_schema(file).names == ["id", "embedding", "embedding_b"]


def test_mistakes_of_embeddings_are_one_line_and_keep_what_is_there(images, command, client, tmp_path):
    make, vectors, _, _ = images
    run_id = make(embeddings=vectors)
    before = local(client, run_id, "embeddings/embeddings.parquet").read_bytes()
    np.save("few.npy", vectors[:7])
    np.save("objects.npy", np.array([{}, "x"], object), allow_pickle=True)
    Path("damaged.npy").write_bytes(Path("few.npy").read_bytes()[:-20])
    Path("empty.npy").write_bytes(b"")
    Path("folder.npy").mkdir()
    part = {"id": ["img000.png", "x"], "embedding": [[1.0], [2.0]]}
    pyarrow.parquet.write_table(pa.table(part), "part.parquet")
    for given, problem in [
        ("few.npy", "embeddings=few.npy: 7 embeddings for 300 samples"),
        ("objects.npy", "embeddings=objects.npy is not a readable .npy file"),
        ("damaged.npy", "embeddings=damaged.npy is not a readable .npy file"),
        ("empty.npy", "embeddings=empty.npy is not a readable .npy file"),
        ("nowhere.npy", "embeddings=nowhere.npy: no such file"),
        ("folder.npy", "embeddings=folder.npy: not a regular file"),
        ("texts.csv", "embeddings=texts.csv: give a .npy or .parquet file"),
        ("part.parquet", "no embedding of 299 samples"),
        ("[few.npy,few.npy,few.npy]", "give one file, or two for pairs"),
        ("7", "embeddings=7"),
    ]:
        outcome = command("diagnose", f"run_id={run_id}", f"embeddings={given}")
        assert (outcome.code, outcome.err.count("\n")) == (2, 1), (given, outcome.err)
        assert problem in outcome.err, given
    outcome = command("diagnose", f"run_id={run_id}", "encoder=/nowhere")
    assert outcome.code == 2 and "has no texts to encode" in outcome.err
    outcome = command("diagnose", f"run_id={run_id}", "encoder=x", "embeddings=few.npy")
    assert outcome.code == 2 and "give embeddings= or encoder=, not both" in outcome.err
    assert local(client, run_id, "embeddings/embeddings.parquet").read_bytes() == before
    with pytest.raises(ConfigError, match="in the order of samples="):
        SignalRecorder(embeddings=vectors)
    with pytest.raises(SignalError, match="300 embeddings for 2 samples"):
        SignalRecorder(samples={"id": [1, 2]}, embeddings=vectors)


def test_the_layout_is_that_of_scikit_learns_components(monkeypatch):
    vectors, _, _ = clusters(200)
    vectors *= np.arange(1, 17)  # components of different sizes
    expected = PCA(2, svd_solver="full").fit_transform(vectors)
    found = layout.layout(vectors)
    assert found.dtype == np.float32
    assert abs(found) == pytest.approx(abs(expected), rel=1e-3, abs=1e-2)
    monkeypatch.setattr(layout, "MAX_FITTED", 100)
    assert layout.layout(vectors).shape == (200, 2)
    assert layout.layout(vectors[:, :1])[:, 1].tolist() == [0] * 200
    assert layout.layout(vectors[:1]).tolist() == [[0, 0]]


def test_review_finds_similar_samples_by_embeddings(images, command, client):
    from datamap.config import defaults
    from datamap.pipeline import review as step
    from datamap.pipeline.stored_embeddings import shown_embeddings
    from datamap.tracking.store import Store

    make, vectors, truth, _ = images
    run = Store().run(make(embeddings=vectors))
    review = step.review_of(run, defaults("review", run_id=run.run_id))
    assert review.near(0, "me") == {"rows": [], "ready": False}
    step._read_the_rest(run, review)
    classes = {row: truth[int(review.samples.ids[row].as_py()[3:6])] for row in range(300)}
    near = review.near(0, "me")["rows"]
    assert len(near) == 8 and all(classes[one["row"]] == classes[0] for one in near)
    file = local(client, run.run_id, "embeddings/embeddings.parquet")
    file.write_bytes(file.read_bytes()[:-1])
    assert shown_embeddings(run, review.samples.ids, "note: {error}") is None  # a damaged file ends no review


def test_two_samples_are_no_pair_of_arrays():
    assert embeddings.checked(["a", "b"], [[1.0, 2.0], [3.0, 4.0]]).second is None
    assert embeddings.checked(["a", "b"], ([[1.0], [2.0]], [[3.0], [4.0]])).second.tolist() == [[3], [4]]
    tensors = torch.ones(2, 3, requires_grad=True), torch.ones(2, 3, dtype=torch.bfloat16)
    assert embeddings.checked([1, 2], tensors).second.tolist() == [[1] * 3] * 2


def test_a_run_without_classes_keeps_embeddings_for_its_pages(store, command, client):
    random = np.random.default_rng(0)
    with SignalRecorder(task="scores") as recorder:
        for epoch in (1, 2, 3):
            recorder.record(range(40), confidence=random.random(40))
            recorder.commit(epoch)
    np.save("mine.npy", random.normal(size=(40, 6)))
    outcome = command("diagnose", f"run_id={recorder.run_id}", "embeddings=mine.npy")
    assert outcome.code == 0, outcome.err
    assert "embeddings/embeddings.parquet: 40 samples, 6 numbers each" in outcome.out
    assert command("plot", f"run_id={recorder.run_id}").code == 0
    assert '"embedding_1"' in local(client, recorder.run_id, "maps/explorer.html").read_text()
