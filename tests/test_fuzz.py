"""Every reader, given any bytes or any mutation of a valid file, ends in a result or a DataMapError.

What it accepts can be used: texts are written and read back, signals are summarized, a summary is read in part.
`make fuzz` runs these for about ten minutes, `make test` briefly.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datamap import schema
from datamap.data import dataset, spreadsheet
from datamap.errors import DataMapError
from datamap.importing import sources
from datamap.labels import curation
from datamap.signals import class_probs, shards, trajectories
from datamap.signals.compute import signal_table
from datamap.summaries import reduction, tsv

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
    path = written(data.draw(files(*DATA[suffix])), f"x{suffix}")
    columns = AUTO if pairs else {**AUTO, "text_b": None}
    try:
        samples = dataset.load_samples(path, columns, skip_bad=skip)
    except DataMapError:
        return
    again = dataset.load_samples(written(b"".join(tsv.lines(samples.frame())), "again.tsv"), columns)
    assert (again.ids, again.texts_a, again.texts_b) == (samples.ids, samples.texts_a, samples.texts_b)
    assert np.array_equal(again.labels, samples.labels)
    assert np.array_equal(again.s_labels, samples.s_labels)


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


@pytest.mark.parametrize("format", schema.FORMATS)
@fuzzed
@given(st.data())
def test_shards(format, data):
    valid = [shards.encode(table, format) for table in TABLES]
    first, second = (schema.Shard("epoch", number, 0, 1, format) for number in (1, 2))
    content = data.draw(files(*valid))
    artifacts = Memory({first.path: content, second.path: data.draw(st.sampled_from([content, *valid]))})
    observed = {1: [first], 2: [second]}
    try:
        part = reduction.reduce(
            artifacts, observed, reduction.Options(allow_missing=data.draw(st.booleans()))
        )
        summary = tsv.read(part.header + part.text)
        class_probs.read(artifacts, observed, True)
        trajectories.read(artifacts, observed, summary["id"].tolist())
    except DataMapError:
        return
    assert len(summary) == len(part.ids)


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


def tutorial(python):
    rows = [{**row, "own": 1} for _ in range(2) for row in TABLES[0].to_pylist()]
    return "".join(f"{row if python else json.dumps(row)}\n" for row in rows).encode()


def dynamics(epoch):
    rows = [{"guid": n, f"logits_epoch_{epoch}": [0.5, n], "gold": n % 2} for n in range(3)]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


JSONL, PARQUET = (shards.encode(TABLES[0], format) for format in schema.FORMATS)
IMPORTS = {  # the file that is mutated, and those that lie by it
    "Python": ("output_data.json", tutorial(True), {}),
    "JSON": ("output_data.json", tutorial(False), {}),
    "cartography": ("dynamics_epoch_1.jsonl", dynamics(1), {"dynamics_epoch_0.jsonl": dynamics(0)}),
    "jsonl": ("epoch_0002-00000-of-00001.jsonl", JSONL, {"epoch_0001-00000-of-00001.jsonl": JSONL}),
    "parquet": ("epoch_0001-00001-of-00002.parquet", PARQUET, {"epoch_0001-00000-of-00002.parquet": PARQUET}),
    "labels.json": ("labels.json", b'{"0": "no", "1": "yes"}', {"epoch_0001-00000-of-00001.jsonl": JSONL}),
}


@pytest.mark.parametrize("kind", IMPORTS)
@fuzzed
@given(st.data())
def test_imports(kind, data):
    name, valid, others = IMPORTS[kind]
    for other, content in others.items():
        written(content, f"{kind}/{other}")
    written(data.draw(files(valid)), f"{kind}/{name}")
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
    assert len(reduction.reduce(artifacts, observed, reduction.Options()).ids) == found[0][2].num_rows


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
@given(files(PART.header + PART.text))
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
        lambda: spreadsheet.read_diagnosis(content),
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
