"""Encoders of texts: libraries agree, what cannot be loaded is said in one line, and diagnose uses them."""

import shutil
import socket
import time

import huggingface_hub
import numpy as np
import pytest
import tokenizers
import torch
import transformers

from conftest import local
from datamap import SignalRecorder, encoders, schema
from datamap.errors import ConfigError, ModelError
from datamap.signals import embeddings
from model_folders import hugging_face

TEXTS = ["怎么换手机", "12", "", "手机壳多少钱" * 30, "how 7"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder")
    hugging_face(folder)
    return folder


def test_an_embedding_is_the_mean_of_the_last_layer_over_the_tokens(folder):
    found = encoders.encode(str(folder), TEXTS)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    for text, vector in zip(TEXTS, found, strict=True):
        with torch.no_grad():
            states = model(
                **tokenizer(text, truncation=True, max_length=40, return_tensors="pt")
            ).last_hidden_state
        assert vector == pytest.approx(states[0].mean(axis=0).numpy(), abs=1e-5)


def test_paddle_makes_the_same_embeddings(folder, monkeypatch):
    expected = encoders.encode(str(folder), TEXTS)
    only_paddle = {"paddlenlp": encoders.LIBRARIES["paddlenlp"]}
    monkeypatch.setattr(encoders, "LIBRARIES", only_paddle)
    monkeypatch.setattr(encoders, "MAX_TOKENS", 40)
    assert encoders.encode(str(folder), TEXTS) == pytest.approx(expected, abs=1e-3)


def test_a_library_that_cannot_load_a_folder_is_followed_by_the_next(folder, monkeypatch):
    def fails(name):
        raise RuntimeError("no such\nkind of model")

    libraries = {"no_such_library": fails, "json": fails, "transformers": encoders.LIBRARIES["transformers"]}
    monkeypatch.setattr(encoders, "LIBRARIES", libraries)
    assert encoders.encode(str(folder), TEXTS).shape == (5, 16)
    del libraries["transformers"]
    with pytest.raises(ModelError) as raised:
        encoders.encode(str(folder), TEXTS)
    assert str(raised.value) == (
        f"encoder={folder} cannot be used (no_such_library is not installed; json: no such kind of model); give the "
        "folder of an encoder, or the name of one that can be downloaded"
    )


def test_a_hub_that_gives_no_answer_is_asked_once_and_its_cache_is_used(folder, monkeypatch, tmp_path):
    libraries = {"paddlenlp": lambda name: list, "transformers": encoders.LIBRARIES["transformers"]}
    monkeypatch.setattr(encoders, "LIBRARIES", libraries)
    monkeypatch.setattr(encoders, "HUB_TIMEOUT", 0.3)
    monkeypatch.setenv("PPNLP_HOME", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    stored = tmp_path / "models--some--encoder"
    shutil.copytree(folder, stored / "snapshots" / "1a2b")
    (stored / "refs").mkdir()
    (stored / "refs" / "main").write_text("1a2b")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts connections, and never answers
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
        monkeypatch.setenv("PPNLP_ENDPOINT", f"{address}/paddle")
        began = time.monotonic()
        with pytest.raises(ModelError) as raised:
            encoders.encode("not/here", TEXTS)
        assert time.monotonic() - began < 5
        for hub in (f"transformers: {address}", f"paddlenlp: {address}/paddle"):  # not imported for it
            assert f"{hub} is unreachable, and its cache has no such encoder" in str(raised.value)
        assert encoders.encode("some/encoder", TEXTS) == pytest.approx(encoders.encode(str(folder), TEXTS))


def test_a_library_that_loads_a_folder_and_cannot_use_it_is_followed_by_the_next(folder, monkeypatch):
    def fails(texts):
        raise IndexError("index out of range in self")

    libraries = {"json": lambda name: fails, "transformers": encoders.LIBRARIES["transformers"]}
    monkeypatch.setattr(encoders, "LIBRARIES", libraries)
    assert encoders.encode(str(folder), TEXTS).shape == (5, 16)
    del libraries["transformers"]
    with pytest.raises(ModelError, match="cannot be used .json: index out of range in self"):
        encoders.encode(str(folder), TEXTS)
    with pytest.raises(ConfigError, match="encoder= is empty"):
        encoders.encode(" ", TEXTS)


def test_a_language_model_without_padding_is_an_encoder_and_an_empty_text_is_zero(tmp_path):
    words = tokenizers.models.WordLevel({"a": 0, "b": 1, "</s>": 2}, unk_token="b")
    words = tokenizers.Tokenizer(words)
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, eos_token="</s>").save_pretrained(tmp_path)
    model = transformers.GPT2Config(vocab_size=3, n_embd=8, n_layer=1, n_head=2, n_positions=16)
    transformers.GPT2Model(model).save_pretrained(tmp_path)
    found = encoders.encode(str(tmp_path), ["a", ""])
    assert found.shape == (2, 8)
    assert np.isfinite(found).all() and found[0].any() and not found[1].any()


def test_diagnose_encodes_the_texts_of_a_run(folder, command, client, store):
    samples = {
        "id": range(40),
        "text_a": ["手机壳 1", "多少钱 2"] * 20,
        "text_b": [f"{n}" for n in range(40)],
    }
    with SignalRecorder(["a", "b"], samples) as recorder:
        recorder.record(range(40), [0, 1] * 20, probs=[[0.6, 0.4]] * 40)
        recorder.commit(1)
    outcome = command("diagnose", f"run_id={recorder.run_id}", f"encoder={folder}", "score=embeddings")
    assert outcome.code == 0, outcome.err
    assert f"encoding 42 texts with {folder}" in outcome.out
    assert "embeddings/embeddings.parquet: 40 samples, 16 numbers each" in outcome.out

    found = embeddings.read(local(client, recorder.run_id, "embeddings/embeddings.parquet"))
    expected = (
        encoders.encode(str(folder), samples["text_a"]),
        encoders.encode(str(folder), samples["text_b"]),
    )
    assert np.stack([found.first, found.second]) == pytest.approx(np.stack(expected), abs=1e-2)
    outcome = command("diagnose", f"run_id={recorder.run_id}", "encoder=./nowhere")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert "encoder=./nowhere: no such folder" in outcome.err


def test_a_training_from_a_pretrained_model_logs_embeddings_before_its_first_step(
    folder, command, client, pairs_file, monkeypatch
):
    from datamap.paddle_backend.trainer import Trainer

    small = ("data=file", f"data.path={pairs_file}", "model=folder", f"model.name_or_path={folder}")
    small += ("trainer.epochs=1", "plot.live=false", "trainer.max_length=24", "trainer.lr=1e-2")
    run_id = command("train", *small).out.split("run ")[1].split()[0]
    file = local(client, run_id, schema.EMBEDDINGS_FILE)
    found = embeddings.read(file)
    texts = [
        line.split("\t") for line in local(client, run_id, "data/samples.tsv").read_text().splitlines()[1:]
    ]
    assert len(found.ids) == len(texts)
    for part, column in ((found.first, 1), (found.second, 2)):
        expected = encoders.encode(str(folder), [row[column].strip('"') for row in texts])
        assert part == pytest.approx(expected, abs=2e-3)  # the weights are those from before the training
    assert command("diagnose", f"run_id={run_id}", "score=embeddings").code == 0
    quiet = command("train", *small, "log_text=false").out.split("run ")[1].split()[0]
    assert not client.list_artifacts(quiet, "embeddings")  # texts can be guessed from them
    with monkeypatch.context() as patch:
        patch.setattr(embeddings, "MAX_BYTES", 100)
        large = command("train", *small)
    assert "note: no embeddings are logged: they would take" in large.out
    monkeypatch.setattr(Trainer, "mean_outputs", lambda self, texts, bar: np.full((len(texts), 16), 1e9))
    outcome = command("train", *small)
    assert outcome.code == 0, outcome.err
    assert "note: no embeddings are logged: the encoder: 1000000000.0 in the embedding of" in outcome.out


def test_a_resumed_training_has_its_embeddings_already(folder, command, client, pairs_file, monkeypatch):
    from datamap.paddle_backend.trainer import Trainer
    from datamap.training.loggers import RunLogger

    class DeathError(BaseException):
        pass

    def dying(self, observed):
        take(self, observed)
        raise DeathError

    small = ("data=file", f"data.path={pairs_file}", "model=folder", f"model.name_or_path={folder}")
    small += ("trainer.epochs=2", "plot.live=false", "trainer.max_length=24")
    take = RunLogger.__call__
    with monkeypatch.context() as patch, pytest.raises(DeathError):
        patch.setattr(RunLogger, "__call__", dying)
        command("train", *small)
    run_id = client.search_runs(["1"], order_by=["attributes.start_time DESC"])[0].info.run_id
    before = local(client, run_id, schema.EMBEDDINGS_FILE).read_bytes()
    monkeypatch.setattr(Trainer, "mean_outputs", None)  # not called
    outcome = command("train", "resume=true", f"run_id={run_id}")
    assert outcome.code == 0, outcome.err
    assert local(client, run_id, schema.EMBEDDINGS_FILE).read_bytes() == before
