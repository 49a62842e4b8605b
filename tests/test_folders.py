"""Model folders: what Hugging Face and PaddleNLP save, as it is; and what a hostile one may not do."""

import dataclasses
import json
import os
import pickle
import sys
import zipfile
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
import transformers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import ROOT, run_process
from datamap import config
from datamap.data import dataset
from datamap.errors import ModelError
from datamap.paddle_backend import modeling, pickles, weights
from datamap.paddle_backend.encoding import encode
from datamap.paddle_backend.framework import paddle
from datamap.paddle_backend.framework import transformers as paddlenlp
from model_folders import SIZES, WORDS, hugging_face, paddle_nlp

IDS = np.array([[2, 5, 6, 7, 3, 8, 9, 3], [2, 10, 11, 3, 12, 3, 13, 3]])


@pytest.fixture
def folder(tmp_path):
    """An empty folder."""
    path = tmp_path / "model"
    path.mkdir()
    return path


def named(folder, **changes):
    options = config.ModelConfig("folder", str(folder), 24, 1e-3, 1, 8)
    return dataclasses.replace(options, **changes)


def load(folder, classes=2, **changes):
    return modeling.build(named(folder, **changes), [], [str(k) for k in range(classes)])


@pytest.fixture(scope="module")
def weight_files(tmp_path_factory):
    """{name: bytes} of a small model in each format, and the folder to work in."""
    folder = tmp_path_factory.mktemp("weights")
    hugging_face(folder)
    hugging_face(folder, safe_serialization=False)
    paddle.save({"a": paddle.ones([3, 4]), "b": paddle.zeros([2])}, str(folder / "model_state.pdparams"))
    names = ("model.safetensors", "pytorch_model.bin", "model_state.pdparams")
    return {name: (folder / name).read_bytes() for name in names} | {"folder": folder}


def differences(model, classifier, kind="Bert"):
    """Largest difference of the encoders' two outputs."""
    segments = np.zeros_like(IDS) if kind == "Roberta" else (np.cumsum(IDS == 3, axis=1) > 1).astype(int)
    encoder = getattr(model, kind.lower(), model)
    with torch.no_grad():
        mask = torch.ones(IDS.shape)
        theirs = encoder(torch.tensor(IDS), mask, token_type_ids=torch.tensor(segments))
    classifier.model.eval()
    ours = getattr(classifier.model, classifier.model.base_model_prefix)(
        paddle.to_tensor(IDS), paddle.to_tensor(segments)
    )
    both = list(zip(ours, theirs.to_tuple(), strict=True))
    both = both[:1] if kind == "Roberta" else both  # whose pooler PaddleNLP's classifier does not use
    return [float(abs(a.numpy() - b.numpy()).max()) for a, b in both]


@pytest.mark.parametrize("kind", ["Bert", "Ernie", "Roberta"])
@pytest.mark.parametrize("safe", [True, False], ids=["safetensors", "bin"])
def test_hugging_faces_folders_give_what_transformers_computes(folder, kind, safe):
    model = hugging_face(folder, kind, safe_serialization=safe)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    if kind != "Roberta":
        assert json.loads(before["config.json"])["use_cache"] is True
    classifier = load(folder)
    assert max(differences(model, classifier, kind)) < 1e-4
    assert list(classifier.model(paddle.to_tensor(IDS)).shape) == [2, 2]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before  # nothing is written there


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("safe", [True, False], ids=["safetensors", "bin"])
def test_half_precision_is_trained_in_float32(folder, dtype, safe):
    model = hugging_face(folder)
    model.to(dtype).save_pretrained(folder, safe_serialization=safe)
    if not safe:
        (folder / "model.safetensors").unlink()
    classifier = load(folder)
    assert {str(value.dtype) for value in classifier.model.state_dict().values()} == {"paddle.float32"}
    assert max(differences(model.float(), classifier)) < 1e-4


def test_a_head_for_as_many_classes_is_kept_and_another_is_new(folder, capsys):
    model = hugging_face(folder, head="ForSequenceClassification")
    with torch.no_grad():
        logits = model(torch.tensor(IDS), torch.ones(IDS.shape)).logits.numpy()
    classifier = load(folder)
    classifier.model.eval()
    assert np.allclose(classifier.model(paddle.to_tensor(IDS)).numpy(), logits, atol=1e-4)
    assert "classifier" not in capsys.readouterr().out
    assert list(load(folder, classes=5).model(paddle.to_tensor(IDS)).shape) == [2, 5]
    assert "predicts other classes, so training starts with a new one" in capsys.readouterr().out


def test_split_files_and_names_of_tensorflows_first_checkpoints(folder):
    model = hugging_face(folder, max_shard_size="10KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    assert max(differences(model, load(folder))) < 1e-4
    import safetensors.numpy

    arrays = weights.read(weights.find_files(folder))
    for path in folder.glob("model*"):
        path.unlink()
    old = {
        n.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): a for n, a in arrays.items()
    }
    assert old.keys() != arrays.keys()
    safetensors.numpy.save_file(old, folder / "model.safetensors")
    assert max(differences(model, load(folder))) < 1e-4


def test_the_vocabulary_may_be_in_tokenizer_json(folder):
    hugging_face(folder)
    fast = transformers.BertTokenizerFast(str(folder / "vocab.txt"))
    fast.save_pretrained(folder)
    with_file = load(folder).tokenizer("怎么换 7", "手机")
    (folder / "vocab.txt").unlink()
    assert load(folder).tokenizer("怎么换 7", "手机") == with_file
    assert with_file["input_ids"] == fast("怎么换 7", "手机")["input_ids"]


def test_robertas_own_vocabulary(folder):
    hugging_face(folder, "Roberta")
    (folder / "vocab.txt").unlink()
    signs = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "h", "e", "l", "o", "Ġ", "he", "hel", "hell", "hello"]
    (folder / "vocab.json").write_text(json.dumps({sign: n for n, sign in enumerate(signs)}))
    (folder / "merges.txt").write_text("#version: 0.2\nh e\nhe l\nhel l\nhell o\n")
    theirs = transformers.RobertaTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    classifier = load(folder)
    assert classifier.tokenizer("hello", "hello")["input_ids"] == theirs("hello", "hello")["input_ids"]


def test_a_folder_of_paddlenlp_in_both_formats(folder):
    paddle.seed(3)
    model = paddlenlp.ErnieForSequenceClassification(paddlenlp.ErnieConfig(vocab_size=40, **SIZES))
    tokenizer = modeling.character_tokenizer(["怎么换手机"])
    for name, safe in (("pickle", False), ("safe", True)):
        model.save_pretrained(str(folder / name), safe_serialization=safe)
        tokenizer.save_pretrained(str(folder / name))
        found = load(folder / name).model.state_dict()
        assert all(np.array_equal(found[k].numpy(), v.numpy()) for k, v in model.state_dict().items())
    model.ernie.save_pretrained(str(folder / "bare"))
    tokenizer.save_pretrained(str(folder / "bare"))
    encoder = load(folder / "bare").model.ernie.state_dict()
    assert all(np.array_equal(encoder[k].numpy(), v.numpy()) for k, v in model.ernie.state_dict().items())


TAGS = ("O", "B-LOC", "B-PER", "I-PER")


def logits(model):
    return model(paddle.to_tensor(IDS)).numpy()


@pytest.mark.parametrize("safe", [True, False], ids=["safetensors", "pickle"])
@pytest.mark.parametrize("head", ["TokenClassification", "SequenceClassification"])
def test_a_head_is_kept_where_it_predicts_the_same_labels(folder, head, safe, capsys):
    model = paddle_nlp(folder, head, TAGS, safe)

    def loaded(names, head=head):
        found = modeling.build(named(folder), [], names, head).model
        found.eval()
        encoder = found.ernie.state_dict()
        assert all(np.array_equal(encoder[k].numpy(), v.numpy()) for k, v in model.ernie.state_dict().items())
        return logits(found), capsys.readouterr().out

    same, out = loaded(TAGS)
    assert np.allclose(same, logits(model), atol=1e-5) and "classifier" not in out
    turned, out = loaded(TAGS[::-1])  # each label keeps its weights, wherever it is
    assert np.allclose(turned, logits(model)[..., ::-1], atol=1e-5) and "classifier" not in out
    for others in (("O", "B-ORG", "B-PER", "I-PER"), (*TAGS, "I-LOC"), TAGS[:2]):
        new, out = loaded(others)
        assert new.shape[-1] == len(others) and not np.allclose(new[..., :2], same[..., :2])
        assert (
            f"note: the classifier in {folder} predicts other classes, so training starts with a new one"
            in out
        )
        assert out.count("\n") == 1
    other = {"TokenClassification": "SequenceClassification"}.get(head, "TokenClassification")
    assert "predicts other classes" in loaded(TAGS, other)[1]  # of texts instead of tokens


@pytest.mark.parametrize("head", ["TokenClassification", "SequenceClassification"])
def test_a_head_without_names_is_kept_if_it_fits_and_none_is_no_problem(folder, head, capsys):
    model = paddle_nlp(folder / "numbered", head, 4)
    assert np.allclose(logits(loaded(folder / "numbered", head)), logits(model), atol=1e-5)
    paddle_nlp(folder / "bare", head, None)
    assert logits(loaded(folder / "bare", head)).shape[-1] == 4
    assert "classifier" not in capsys.readouterr().out


def loaded(folder, head):
    model = modeling.build(named(folder), [], TAGS, head).model
    model.eval()
    return model


def test_weights_that_are_not_finite_are_refused(folder):
    model = paddle_nlp(folder, "TokenClassification", TAGS)
    words = model.ernie.embeddings.word_embeddings.weight
    words.set_value(np.where(np.arange(16) == 3, np.nan, words.numpy()).astype(np.float32))
    model.save_pretrained(str(folder), safe_serialization=True)
    with pytest.raises(ModelError, match=r"ernie\.embeddings\.word_embeddings\.weight .*not finite"):
        loaded(folder, "TokenClassification")


# ---------------------------------------------------------------- trust


class Hostile:
    """Make a folder when it is unpickled."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return (os.mkdir, (self.marker,))


def hostile_pdparams(folder, marker):
    Path(folder, "model_state.pdparams").write_bytes(pickle.dumps({"a": np.ones(2), "b": Hostile(marker)}))


def hostile_bin(folder, marker):
    with zipfile.ZipFile(Path(folder, "pytorch_model.bin"), "w") as parts:
        parts.writestr("archive/data.pkl", pickle.dumps({"a": Hostile(marker)}, 2))


@pytest.mark.parametrize("plant", [hostile_pdparams, hostile_bin])
def test_a_hostile_pickle_calls_nothing(folder, plant):
    hugging_face(folder)
    (folder / "model.safetensors").unlink()
    plant(folder, folder / "marker")
    with pytest.raises(ModelError, match=r"would call posix.mkdir, .*model\.trust_pickle=true") as refused:
        load(folder)
    assert "\n" not in str(refused.value)
    assert not (folder / "marker").exists()
    with pytest.raises(ModelError):  # it holds no weights
        load(folder, trust_pickle=True)
    assert (folder / "marker").exists()


class Called:
    """Call a function when it is unpickled."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


# Programs that crash or fill the process where NumPy's own functions and C's unpickler run them.
CRASHING = {
    "ndarray": pickle.dumps({"a": Called(np.ndarray, ((4,), "O", b"A" * 32))}, 4),
    "objects": pickle.dumps({"a": np.array([None, 1], object)}, 4),
    "texts": pickle.dumps({"a": np.array(["a"])}, 4),
    "fields": pickle.dumps({"a": np.zeros(2, "i4,f8")}, 4),
    "bytes as objects": pickle.dumps({"a": np.zeros(4, "i8")}, 4).replace(b"\x8c\x02i8", b"\x8c\x02O8"),
    "a memo of 64 GB": b"\x80\x04}r\xff\xff\xff\xff" + b"N" * 10,
    "a state of a function": b"\x80\x02}(X\x01\x00\x00\x00acnumpy\ndtype\n}X\x01\x00\x00\x00bK\x01sbu.",
}


@pytest.mark.parametrize("name", CRASHING)
def test_a_pickle_that_would_crash_the_process_is_refused(folder, name):
    """In a process of its own: NumPy's `ndarray` with dtype O reads addresses out of bytes, and the process dies."""
    (folder / "model_state.pdparams").write_bytes(CRASHING[name])
    code = (
        "import resource, sys; from pathlib import Path; from datamap.errors import ModelError\n"
        "from datamap.paddle_backend import weights\n"
        "resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))\n"
        "try: print(weights.read([Path(sys.argv[1])]))\n"
        "except ModelError: sys.exit(7)"
    )
    file = folder / "model_state.pdparams"
    done = run_process([sys.executable, "-c", code, str(file)], PYTHONPATH=str(ROOT / "src"))
    assert done.code == 7, (done.code, done.out, done.err)


TEXTS = (b"O8", b"O", b"i4", b"f8", b"V9", b"<", b"|", b"a", b"C", b"latin1", b"0")
NAMES = [*pickles._CALLS, *(("torch", name) for name in pickles._TORCH_TYPES)]
PIECES = [
    *[b"K\x00", b"K\x01", b"K\x04", b"K\xff", b"J\xff\xff\xff\xff", b"\x8a\x09" + b"\xff" * 8 + b"\0"] * 2,
    *[b"\x8c" + bytes([len(text)]) + text for text in TEXTS] * 2,
    *[f"c{module}\n{name}\n".encode() for module, name in NAMES] * 3,
    *[bytes([opcode]) for opcode in b"N(t)\x85\x86\x87]lae}dsuRRRbb\x9401Q"],
    *[b"C\x20" + b"A" * 32, b"C\0", b"h\0", b"h\1"],
]  # fmt: skip


def test_no_program_of_what_a_pickle_may_use_crashes_the_process(folder):
    """Programs of the allowed opcodes and names, put together at random; 40,000 were tried at once."""
    random = Random(1)
    for n in range(1000):
        program = b"".join(random.choices(PIECES, k=random.randint(1, 30)))
        (folder / f"{n}.pdparams").write_bytes(b"\x80\x04}\x94" + program + b".")
    code = (
        "import sys; from pathlib import Path; from datamap.errors import ModelError\n"
        "from datamap.paddle_backend import weights\n"
        "for file in Path(sys.argv[1]).iterdir():\n"
        "    try: weights.read([file])\n"
        "    except ModelError: pass"
    )
    done = run_process([sys.executable, "-c", code, str(folder)], PYTHONPATH=str(ROOT / "src"))
    assert (done.code, done.err) == (0, "")


def test_a_part_that_grows_and_a_tensor_larger_than_its_numbers_are_refused(folder):
    file = folder / "pytorch_model.bin"
    torch.save({"a": torch.zeros(1).expand(10**6)}, file)
    with pytest.raises(ModelError, match="a tensor that reaches beyond its numbers"):
        weights.read([file])
    torch.save({"a": torch.zeros(10**6)}, file)
    with zipfile.ZipFile(file) as parts:
        contents = {name: parts.read(name) for name in parts.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as parts:
        for name, content in contents.items():
            parts.writestr(name, content)
    with pytest.raises(ModelError, match="is larger than the file: PyTorch did not write it"):
        weights.read([file])


def test_arrays_of_every_protocol_are_read_as_they_were(folder):
    arrays = [
        np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3)), np.zeros((0, 3)),
        np.array(5.0), np.ones(3, bool), np.arange(3, dtype=np.uint8),
    ]  # fmt: skip
    file = folder / "model_state.pdparams"
    for protocol in (2, 3, 4, 5):
        file.write_bytes(pickle.dumps({str(n): array for n, array in enumerate(arrays)}, protocol))
        for found, array in zip(weights.read([file]).values(), arrays, strict=True):
            assert (found.shape, found.dtype) == (array.shape, array.dtype)
            assert np.array_equal(found, array)


def test_beside_safetensors_no_pickle_is_looked_at(folder):
    model = hugging_face(folder)
    hostile_pdparams(folder, folder / "marker")
    hostile_bin(folder, folder / "marker")
    assert max(differences(model, load(folder))) < 1e-4
    assert not (folder / "marker").exists()


def test_an_index_cannot_name_a_pickle(folder):
    hugging_face(folder)
    hostile_pdparams(folder, folder / "marker")
    for name in ("model_state.pdparams", "../x.safetensors", 7):
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
        with pytest.raises(ModelError, match="is not a .safetensors file of that folder|damaged"):
            load(folder)
    assert not (folder / "marker").exists()


def test_the_tokenizer_that_unpickles_is_refused(folder):
    model = paddlenlp.ErnieForSequenceClassification(paddlenlp.ErnieConfig(vocab_size=40, **SIZES))
    model.save_pretrained(str(folder), safe_serialization=True)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    (folder / "dict.wordseg.pickle").write_bytes(pickle.dumps(Hostile(folder / "marker")))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "Ernie\\u0054inyTokenizer"}')
    with pytest.raises(ModelError, match="ErnieTinyTokenizer unpickles a file"):
        load(folder)
    assert not (folder / "marker").exists()


def test_a_runs_artifact_may_not_be_a_pickle(tmp_path):
    folder = tmp_path / "mlruns/1" / ("0123456789abcdef" * 2) / "artifacts/model"
    model = hugging_face(folder, safe_serialization=False)
    with pytest.raises(ModelError, match=r"among a run's artifacts.*model\.trust_pickle=true"):
        load(folder)
    assert max(differences(model, load(folder, trust_pickle=True))) < 1e-4
    (folder / "pytorch_model.bin").unlink()
    model.save_pretrained(folder)
    assert max(differences(model, load(folder))) < 1e-4


# ---------------------------------------------------------------- what cannot be loaded


def no_config(folder):
    (folder / "config.json").unlink()


def no_json(folder):
    (folder / "config.json").write_text("[" * 100_000)


def of_another_kind(folder):
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, "model_type": "albert"}))


def wider(folder):
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, "intermediate_size": 25}))


def deeper(folder):
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, "num_hidden_layers": 3}))


def shallower(folder):
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, "num_hidden_layers": 1}))


def cut(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-9])


def no_vocabulary(folder):
    (folder / "vocab.txt").unlink()


def no_weights(folder):
    (folder / "model.safetensors").unlink()


def noise(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model_state.pdparams").write_bytes(b"\x80\x04\xff noise")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (no_config, "the folder has no config.json"),
        (no_json, "config.json is damaged"),
        (of_another_kind, "of model_type 'albert', and only bert, ernie, roberta can be loaded"),
        (wider, "does not match the weights: bert.encoder.layers.0.linear1.weight"),
        (deeper, "does not match the weights: bert.encoder.layers.2"),
        (shallower, "its model has no bert.encoder.layers.1"),
        (cut, "model.safetensors cannot be read"),
        (no_vocabulary, "the folder has neither vocab.txt nor tokenizer.json"),
        (no_weights, "the folder has no weights .*it holds config.json, vocab.txt"),
        (noise, "model_state.pdparams cannot be read"),
    ],
)
def test_what_does_not_fit_is_named(folder, damage, message):
    hugging_face(folder)
    damage(folder)
    with pytest.raises(ModelError, match=message) as refused:
        load(folder)
    assert "\n" not in str(refused.value) and str(folder) in str(refused.value)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "model_state.pdparams"])
@given(seed=st.integers(0, 10**9))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_weights_are_read_or_refused(weight_files, name, seed):
    """Bytes changed, cut out or doubled at random."""
    content, random = bytearray(weight_files[name]), np.random.default_rng(seed)
    for _ in range(random.integers(1, 4)):
        start, length = random.integers(len(content)), random.integers(1, 30)
        cut = content[start : start + length]
        content[start : start + length] = [cut * 2, b"", random.bytes(len(cut))][random.integers(3)]
    file = weight_files["folder"] / name
    file.write_bytes(content)
    try:
        found = weights.read([file])
    except ModelError:
        return
    assert all(isinstance(array, np.ndarray) for array in found.values())


def test_neither_a_file_nor_an_address_is_a_folder(folder):
    (folder / "x.pdparams").write_bytes(pickle.dumps(Hostile(folder / "marker")))
    for name in (folder / "x.pdparams", "https://localhost/x.pdparams"):
        with pytest.raises(ModelError, match="is neither a model's name nor a folder"):
            load(name)
    assert not (folder / "marker").exists()


def test_texts_longer_than_the_model_takes_are_refused(folder, pairs_file):
    hugging_face(folder, "Roberta")
    samples = dataset.load_samples(pairs_file, dict.fromkeys(dataset.COLUMNS, "auto"))
    long = dataclasses.replace(samples, texts_a=["手机" * 30] * len(samples))
    classifier = load(folder)
    assert encode(classifier, long, 38).lengths.max() == 38  # RoBERTa's positions begin after its padding
    with pytest.raises(
        ModelError, match=r"39 tokens, but the model accepts at most 38; set trainer\.max_length=38"
    ):
        encode(classifier, long, 39)
    Path(folder, "vocab.txt").write_text("\n".join(WORDS[:5] + [chr(n) for n in range(0x4E00, 0x9000)]))
    with pytest.raises(ModelError, match="use the vocabulary that belongs to the weights"):
        encode(load(folder), samples, 30)
