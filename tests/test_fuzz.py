"""Every reader, given any bytes or any mutation of a valid file, ends in a result or a DataMapError.

What it accepts can be used: texts are written and read back, signals are summarized, a summary is read in part.
`make fuzz` runs these for about ten minutes, `make test` briefly.
"""

import contextlib
import dataclasses
import decimal
import io
import json
import shlex
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datamap import documents, schema
from datamap.data import dataset, spreadsheet
from datamap.errors import DataMapError
from datamap.importing import sources
from datamap.labels import curation
from datamap.pipeline import next_training, stored_diagnosis
from datamap.signals import class_probs, shards, trajectories
from datamap.signals.compute import signal_table
from datamap.summaries import reduction, tsv
from datamap.tracking import descriptions, metrics

AUTO = dict.fromkeys(dataset.COLUMNS, "auto")
TOKENS = [
    *(bytes([byte]) for byte in b"\"'\t\n\r,\\\0\xff[]{}:2"), b"\r\n", b"\xef\xbb\xbf", b"\xff\xfe", b'""',
    b"()", b"(1,)", b"null", b"NaN", b"Infinity", b"1e999", b"-1", b"--5", b"0.5", b"1.0", b"01", b"\xc2\xb2",
    b"9" * 20,
    b"9" * 5000, b"true", b"drop", b"auto", b"id", b"label", b"=1+1", b"\\ud800", b"[" * 3000, b'{"a":' * 3000,
]  # fmt: skip


@st.composite
def mutated(draw, contents):
    """One of `contents` with up to four pieces taken out, doubled, or replaced; or any bytes at all."""
    content = draw(st.sampled_from(contents))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.sampled_from([0, 0, 1, 2, 8, 40, 10**9])))
        piece = draw(
            st.sampled_from(TOKENS) | st.just(content[start:end] * 2) | st.binary(max_size=4) | st.just(b"")
        )
        content = content[:start] + piece + content[end:]
    return content


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([2**63, "true", "0", 1e300]),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=3), values, max_size=2),
    max_leaves=4,
)


@st.composite
def changed(draw, rows):
    """Records of which some have another value, a key less, or one more."""
    rows = [dict(row) for row in rows]
    for _ in range(draw(st.integers(1, 3))):
        chosen = draw(st.sampled_from([rows, rows[:1], rows[-1:]]))
        key = draw(st.sampled_from(list(rows[0])) | st.text(max_size=3))
        value = draw(VALUES | st.just(...))
        for row in chosen:
            row.pop(key, None)
            row |= {} if value is ... else {key: value}
    return rows


def json_lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


COLUMNS = [
    pa.array([1, 2, 3], pa.uint64()), pa.array([1, 2**63, 3], pa.uint64()), pa.array([0, 1, None], pa.int8()),
    pa.array([0.5, 1, None], pa.float16()), pa.array([0.5, float("nan"), 0]), pa.array([1.0, float("inf"), 0]),
    pa.array([True, False, None]), pa.array(["a", "b", None]), pa.array(["true", "False", "TRUE"], pa.large_string()),
    pa.array([b"\xff", b"a", b""]), pa.array(["a", "b", "a"]).dictionary_encode(), pa.nulls(3),
    pa.array([[0.5, 0.5], [1, 0], None]), pa.array([[0.5, 0.5], [1.0], []]),
    pa.array([[1, 0], [0, 1], [0, 1]], pa.list_(pa.int8(), 2)),
    pa.array([[0.5, 0.5], [1, 0], [0, None]], pa.large_list(pa.float32())), pa.array([[[1]], [], None]),
    pa.array([["a"], ["b"], ["c"]]), pa.array([{"a": 1}] * 3), pa.array([0, 2**62, None], pa.timestamp("ns", "UTC")),
    pa.array([decimal.Decimal("1.5")] * 3), pa.array([0, 1, 10**5], pa.date32()),
    pa.array([1, 2, 3], pa.duration("ns")),
]  # fmt: skip


@st.composite
def parquet_of_any_columns(draw, table):
    """A Parquet file in which some columns are of another type, are gone, or are new."""
    columns = {name: table[name][:3] for name in table.column_names}
    for _ in range(draw(st.integers(1, 3))):
        columns[draw(st.sampled_from(list(columns)) | st.text(max_size=3))] = draw(st.sampled_from(COLUMNS))
    return shards.encode(pa.table(columns), "parquet")


def files(*contents):
    return mutated(list(contents)) | st.binary(max_size=60)


def fuzzed(test):
    """No deadline: the machine may be busy. How many examples is the profile's business (conftest.py)."""
    return settings(deadline=None, suppress_health_check=list(HealthCheck))(test)


def written(content, name):
    path = Path(FOLDER.name, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


FOLDER = tempfile.TemporaryDirectory()

# ---------------------------------------------------------------------- data

FRAME = pd.DataFrame(
    {
        "id": ["7", "a", "b", "c", "d", "e"],
        "text_a": ["x", 'say "hi"', "two\nlines", "tab\there", "猫", " y "],
        "text_b": list("uvwxyz"),
        "label": [0, 1] * 3,
        "s_label": [0, 1, 2, 0, 0, 0],
    }
)
ARROW = pa.table({name: FRAME[name].tolist()[:3] for name in FRAME})
PLAIN = FRAME.assign(text_a=list("abcdef"))
DATA = {
    ".tsv": [
        b"".join(tsv.lines(FRAME)),
        PLAIN.to_csv(sep="\t", index=False).encode(),
        PLAIN[["text_a", "text_b", "label"]].to_csv(sep="\t", index=False, header=False).encode(),
        PLAIN.to_csv(sep="\t", index=False).encode("utf-16"),
    ],
    ".csv": [FRAME.to_csv(index=False).encode(), PLAIN.to_csv(index=False, header=False).encode()],
    ".jsonl": [
        FRAME.to_json(orient="records", lines=True, force_ascii=ascii).encode() for ascii in (True, False)
    ],
    ".parquet": [FRAME.to_parquet(), FRAME.assign(text_a=[b"a"] * 6, label=[0.0, 1.0] * 3).to_parquet()],
}


@pytest.mark.parametrize("suffix", DATA)
@fuzzed
@given(st.data(), st.booleans(), st.booleans())
def test_data(suffix, data, skip, pairs):
    kinds = {
        ".jsonl": changed(FRAME.to_dict("records")).map(json_lines),
        ".parquet": parquet_of_any_columns(ARROW),
    }
    path = written(data.draw(files(*DATA[suffix]) | kinds.get(suffix, st.nothing())), f"x{suffix}")
    columns = AUTO if pairs else {**AUTO, "text_b": None}
    try:
        samples = dataset.load_samples(path, columns, skip_bad=skip)
    except DataMapError:
        return
    again = dataset.load_samples(written(b"".join(tsv.lines(samples.frame())), "again.tsv"), columns)
    assert (again.ids, again.texts_a, again.texts_b) == (samples.ids, samples.texts_a, samples.texts_b)
    assert np.array_equal(again.labels, samples.labels)
    assert np.array_equal(again.planted, samples.planted)


# ---------------------------------------------------------------------- signals


def observation(ids):
    logits = np.random.default_rng(len(ids)).normal(size=(len(ids), 2))
    return signal_table(ids, np.arange(len(ids)) % 2, logits=logits, noisy_labels=[0] * len(ids))


TABLES = [observation([1, 2, 3]), observation(["a", "b"])]
SHARD = schema.Shard("epoch", 1, 0, 1)


class Memory(dict):
    """Artifacts that lie in a dictionary."""

    def read(self, path):
        return self[path]

    def local(self, path, sha256=None):
        return contextlib.nullcontext(self.read(path))


@pytest.mark.parametrize("format", schema.FORMATS)
@fuzzed
@given(st.data())
def test_shards(format, data):
    valid = [shards.encode(table, format) for table in TABLES]
    first, second = (schema.Shard("epoch", number, 0, 1, format) for number in (1, 2))
    kinds = {
        "jsonl": changed(TABLES[0].to_pylist()).map(json_lines),
        "parquet": parquet_of_any_columns(TABLES[0]),
    }
    content = data.draw(files(*valid) | kinds[format])
    artifacts = Memory({first.path: content, second.path: data.draw(st.sampled_from([content, *valid]))})
    observed = {1: [first], 2: [second]}
    try:
        part = reduction.reduce(
            artifacts, observed, reduction.Options(allow_missing=data.draw(st.booleans()))
        )
        summary = tsv.read(b"".join([part.header, *part.lines]))
        class_probs.read(artifacts, observed, True)
        trajectories.read(artifacts, observed, summary["id"].tolist())
    except DataMapError:
        return
    assert len(summary) == len(part.keys)


@fuzzed
@given(st.data())
def test_names_and_checksums_of_shards(data):
    name = data.draw(mutated([SHARD.path.encode(), b"holdout/step_000800-00001-of-00002.parquet"]))
    shard = schema.parse_shard(name.decode("utf-8", "surrogateescape"))
    assert shard is None or shard.path.encode("utf-8", "surrogateescape") == name or "/" not in str(name)
    try:
        shards.complete_observations([shard] if shard else [], {1: 1})
        shards.parse_checksums(
            data.draw(files(shards.checksums([SHARD._replace(sha256="0" * 64)]))), "x.sha256"
        )
    except DataMapError:
        return


def python_lines(rows):
    return "".join(f"{row}\n" for row in rows).encode("utf-8", "surrogatepass")


def dynamics(epoch):
    return [{"guid": n, f"logits_epoch_{epoch}": [0.5, n], "gold": n % 2} for n in range(3)]


ROWS = TABLES[0].to_pylist()
TUTORIAL = [{**row, "own": 1} for row in ROWS] * 2
JSONL, PARQUET = (shards.encode(TABLES[0], format) for format in schema.FORMATS)
IMPORTS = {  # the file that is fuzzed, how, and those that lie by it
    "Python": ("output_data.json", files(python_lines(TUTORIAL)) | changed(TUTORIAL).map(python_lines), {}),
    "JSON": ("output_data.json", files(json_lines(TUTORIAL)) | changed(TUTORIAL).map(json_lines), {}),
    "cartography": (
        "dynamics_epoch_1.jsonl",
        files(json_lines(dynamics(1))) | changed(dynamics(1)).map(json_lines),
        {"dynamics_epoch_0.jsonl": json_lines(dynamics(0))},
    ),
    "jsonl": (
        "epoch_0002-00000-of-00001.jsonl",
        files(JSONL) | changed(ROWS).map(json_lines),
        {"epoch_0001-00000-of-00001.jsonl": JSONL},
    ),
    "parquet": (
        "epoch_0002-00000-of-00001.parquet",
        files(PARQUET) | parquet_of_any_columns(TABLES[0]),
        {"epoch_0001-00000-of-00001.parquet": PARQUET},
    ),
    "labels.json": (
        "labels.json",
        files(b'{"0": "no", "1": "yes"}'),
        {"epoch_0001-00000-of-00001.jsonl": JSONL},
    ),
}


@pytest.mark.parametrize("kind", IMPORTS)
@fuzzed
@given(st.data())
def test_imports(kind, data):
    name, contents, others = IMPORTS[kind]
    for other, content in others.items():
        written(content, f"{kind}/{other}")
    written(data.draw(contents), f"{kind}/{name}")
    try:
        source = sources.find(Path(FOLDER.name, kind))
        sources.class_names(source)
        found = list(sources.observations(source))
    except DataMapError:
        return
    artifacts, observed = Memory(), {}
    for unit, number, table in found:
        for path, content in shards.files(table, unit, number, 2):
            artifacts[path] = content
        observed[number] = [s for s in map(schema.parse_shard, artifacts) if s and s.number == number]
    assert len(reduction.reduce(artifacts, observed, reduction.Options()).keys) == found[0][2].num_rows


# ---------------------------------------------------------------------- files of a run

PART = reduction.reduce(Memory({SHARD.path: JSONL}), {1: [SHARD]}, reduction.Options())
DIAGNOSIS = pd.DataFrame(
    {
        "id": [1, 2, 3],
        "score": [0.5, 0.25, 0.0],
        "label": ["no", "yes", "=x"],
        "proposed": "no",
        "text_a": 'a "b"\nc',
    }
)


@fuzzed
@given(files(b"".join([PART.header, *PART.lines])))
def test_summary(content):
    try:
        summary = tsv.read(content)
        tsv.read(content, {"label", "avg_probs"})
        rows = tsv.read_rows(content, np.arange(len(summary)))
    except DataMapError:
        return
    assert len(rows) == len(summary)


@fuzzed
@given(
    files(b"".join(tsv.lines(spreadsheet.guarded(DIAGNOSIS))), DIAGNOSIS.to_csv(index=False).encode("utf-16"))
)
def test_diagnosis_and_corrections(content):
    for read in (
        lambda: stored_diagnosis.frame_of(content),
        lambda: curation.corrections(
            spreadsheet.read(content, "x.tsv", ("id", "label")), "x.tsv", [1, 2, 3], ["no", "yes", "drop"]
        ),
    ):
        try:
            read()
        except DataMapError:
            continue


@fuzzed
@given(files(b"".join(tsv.lines(FRAME))))
def test_texts_of_a_run(content):
    try:
        texts = tsv.texts_of(content, ["7", "a", "nobody"])
    except DataMapError:
        return
    assert all(len(column) == 3 for column in texts.values())


# ---------------------------------------------------------------------- typed values of a run's artifacts

NUMBERS = st.sampled_from([0, 1, -1, 2**53, 2**53 + 1, 2**63, 10**400, 0.5, float("nan"), float("inf"), True])
TEXTS = st.sampled_from(
    ["", "0", "no", "\ud800", "a\u202eb", "NaN", "${oc.env:HOME}", "x" * 5000, "9" * 5000]
)
ANYTHING = st.recursive(
    st.none() | NUMBERS | TEXTS | st.floats() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
DOCUMENTS = {
    "labels": (documents.labels, {"0": "no", "1": "yes"}),
    "summarized": (
        documents.summarized,
        {"observations": [1, 2], "allow_missing": False, "sha256": "0" * 64},
    ),
    "overrides": (documents.overrides, ["seed=1", "trainer.lr=1"]),
    "config": (
        documents.config,
        {"seed": 1, "trainer": {"lr": 0.1}, "data": {"dev_path": "x", "columns": {}}},
    ),
}


@st.composite
def of_other_types(draw, valid):
    """A document of which a value, at any depth, is another one; or anything."""
    if draw(st.integers(0, 9)) == 0:
        return draw(ANYTHING)
    keys = list(valid) if isinstance(valid, dict) else list(range(len(valid)))
    if not keys or draw(st.integers(0, 3)) == 0:
        return draw(ANYTHING)
    changed = valid.copy()
    for key in draw(st.lists(st.sampled_from(keys), min_size=1, max_size=2)):
        inner = changed[key]
        changed[key] = draw(of_other_types(inner)) if isinstance(inner, dict | list) else draw(ANYTHING)
    return changed


@pytest.mark.parametrize("name", DOCUMENTS)
@fuzzed
@given(st.data(), st.booleans())
def test_documents_of_other_types(name, data, ascii):
    parse, valid = DOCUMENTS[name]
    value = data.draw(of_other_types(valid))
    content = json.dumps(value, ensure_ascii=ascii).encode("utf-8", "surrogatepass")
    try:
        found = parse(data.draw(st.just(content) | mutated([content])))
    except ValueError as error:
        assert "\n" not in str(error)
        return
    plain = dataclasses.asdict(found) if dataclasses.is_dataclass(found) else found
    json.dumps(plain, ensure_ascii=False, allow_nan=False).encode()  # no NaN, no surrogate
    if name == "labels":
        assert all(isinstance(one, str) and one for one in found)
    if name == "summarized":
        assert all(type(number) is int for number in found.observations) and found.observations
        assert type(found.allow_missing) is bool and type(found.sha256) is str
    if name == "overrides":
        assert all(isinstance(one, str) for one in found)


class Trained:
    """A run that anybody may have made, as `next_training` sees one."""

    run_id = "0" * 32

    def __init__(self, config, overrides):
        self.made, self.given = config, overrides

    def config(self, step):
        return self.made

    def overrides(self, step):
        return self.given


KEYS = st.sampled_from(
    [
        *next_training.KEYS,
        "model",
        "+model",
        "model.trust_pickle",
        "++model.trust_pickle",
        "model.name_or_path",
    ]
)


@fuzzed
@given(st.data())
def test_what_the_next_training_takes_of_another_run(data):
    config = DOCUMENTS["config"][1] | {"model": {"name_or_path": "theirs", "trust_pickle": True}}
    for key in data.draw(st.lists(KEYS, max_size=4)):
        group, _, name = key.rpartition(".")
        inner = config.get(group)
        if isinstance(inner, dict):
            inner[name] = data.draw(ANYTHING)
    config = data.draw(st.just(config) | of_other_types(config))
    given_keys = data.draw(
        st.lists(st.tuples(KEYS | st.text(max_size=5), TEXTS | st.text(max_size=9)), max_size=5)
    )
    overrides = [f"{key}={value}" for key, value in given_keys]
    run = Trained(config if isinstance(config, dict) else {}, overrides)
    words = shlex.split(next_training.command(run, {"data": "file"}, []))[2:]
    for word in words:
        key, equals, value = word.partition("=")
        assert equals and key in {*next_training.KEYS, "data", "data.dev_path", "model", "model.name_or_path"}
        assert "${" not in value and "{" not in value and value.isprintable() or key == "data.dev_path"
        assert key != "model.name_or_path" or value == "???"
        assert "${" not in value and "trust" not in word and "theirs" not in word


@fuzzed
@given(
    st.dictionaries(st.sampled_from([*metrics.RANGES, "own"]), st.floats() | st.integers(-2, 9).map(float))
)
def test_metrics_of_any_value(found):
    try:
        ours = metrics.checked(found, "x")
    except DataMapError:
        return
    assert all(np.isfinite(value) for value in ours.values()) and "own" not in ours
    if "summary/observations" in ours:
        descriptions.describe_run(10, ours, str, [schema.SUMMARY_FILE])


SUMMARY = pd.read_csv(io.BytesIO(b"".join([PART.header, *PART.lines])), sep="\t")
CELLS = st.sampled_from(
    ["", "nan", "inf", "-inf", "1e400", "9" * 5000, "-1", "65536", "0.5", "true", "x", "[1]"]
)


@fuzzed
@given(st.data())
def test_a_summary_of_other_types(data):
    frame = SUMMARY.astype(object)
    for name in data.draw(st.lists(st.sampled_from(list(frame)), min_size=1, max_size=3)):
        frame.loc[data.draw(st.integers(0, len(frame) - 1)), name] = data.draw(CELLS)
    try:
        found = tsv.read(frame.to_csv(sep="\t", index=False).encode())
    except DataMapError:
        return
    assert found["label"].between(0, schema.MAX_CLASSES - 1).all()
    assert found["avg_probs"].between(0, 1).all() and found["label_var"].between(0, 0.25 + 1e-6).all()
    assert not np.isinf(found.select_dtypes("number").to_numpy(float)).any()
