"""Encoders of texts: libraries agree, what cannot be loaded is said in one line, and diagnose uses them."""

import numpy as np
import pytest
import torch
import transformers

from conftest import local
from datamap import SignalRecorder, encoders
from datamap.errors import ModelError
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
        encoders.encode("mine", TEXTS)
    assert str(raised.value) == (
        "encoder=mine cannot be loaded (no_such_library is not installed; json: RuntimeError: no such)"
    )


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
    assert f"encoding 42 texts by {folder}" in outcome.out
    assert "embeddings/embeddings.parquet: 40 samples, 16 numbers each" in outcome.out
    from datamap.signals import embeddings

    found = embeddings.read(local(client, recorder.run_id, "embeddings/embeddings.parquet"))
    expected = (
        encoders.encode(str(folder), samples["text_a"]),
        encoders.encode(str(folder), samples["text_b"]),
    )
    assert np.stack([found.first, found.second]) == pytest.approx(np.stack(expected), abs=1e-2)
    outcome = command("diagnose", f"run_id={recorder.run_id}", "encoder=./nowhere")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert "encoder=./nowhere cannot be loaded (" in outcome.err
