"""Between the commands and a real server, a proxy spoils three answers in ten: all end well, or in one line."""

import contextlib
import http.client
import json
import os
import random
import re
import socket
import struct
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlparse

import pytest
from mlflow import MlflowClient
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

import datamap
from conftest import artifacts
from datamap.config import DiagnoseConfig, ReviewConfig
from datamap.digests import digest_of
from datamap.errors import DataMapError, TrackingError
from datamap.pipeline import run_description
from datamap.pipeline.review import _read_the_rest, review_of
from datamap.tracking.run import Run
from datamap.tracking.store import Store
from servers import mlflow_server

SHARE = 0.3
FAULTS = ("reset", "lost", "late", "cut", "other", "html", "500", "503", "swallowed")
OTHERS = (
    {"run": [1], "runs": {"x": 7}, "metrics": "no", "files": 5, "experiment": None},
    {},
    {"run": {"info": {"run_id": "x"}}, "experiment": {"name": "x", "experiment_id": "7"}, "runs": [{}]},
    {"files": [{"path": 1}], "metrics": [{"key": 1, "value": "x"}], "message": "sign in"},
)
HTML = b"<html>\n<body>sign in</body>\n</html>"
SPOOL = "datamap-spool"
ATTEMPTS = 4  # of a command; the last is without faults
OF_DATA = (".jsonl", ".sha256", ".tsv", "labels.json")


class Proxy(BaseHTTPRequestHandler):
    """Passes requests on, and spoils a share of the answers; some requests never arrive."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    upstream, share, chance, spoiled = "", 0.0, random.Random(0), 0
    paths = []

    def _pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.paths.append(f"{self.command} {self.path}")
        fault = self.chance.choice(FAULTS) if self.chance.random() < self.share else ""
        type(self).spoiled += bool(fault)
        if fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        elif fault in ("500", "503", "swallowed"):
            status = int(fault) if fault.isdigit() else 200
            self._answer(status, self.chance.choice([HTML, json.dumps(self.chance.choice(OTHERS)).encode()]))
        else:
            self._with_answer(fault, *self._asked(body))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815

    def _asked(self, body):
        upstream = http.client.HTTPConnection(self.upstream, timeout=60)
        with contextlib.closing(upstream):
            headers = {k: v for k, v in self.headers.items() if k not in ("Connection", "Accept-Encoding")}
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            return answer.status, answer.read()

    def _with_answer(self, fault, status, content):
        if fault == "lost":
            self.close_connection = True
            return
        if fault == "late":
            time.sleep(0.1)
        if fault == "cut":
            self._answer(status, content, len(content) // 2)
        elif fault in ("other", "html"):
            self._answer(200, HTML if fault == "html" else json.dumps(self.chance.choice(OTHERS)).encode())
        else:
            self._answer(status, content)

    def _answer(self, status, content, sent=None):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:sent])
        self.close_connection = sent is not None

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def server(empty_store, tmp_path_factory):
    with mlflow_server(tmp_path_factory.mktemp("server"), empty_store) as address:
        yield address


@pytest.fixture
def proxy(server, monkeypatch):
    """Client of the server behind a proxy, whose faults begin when its `share` is set."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(Proxy, "chance", random.Random(19))
    monkeypatch.setattr("datamap.tracking.failures.MIN_PAUSE", 0.01)
    monkeypatch.setattr(Proxy, "upstream", urlparse(server).netloc)
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as between:
        threading.Thread(target=between.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{between.server_port}")
        yield MlflowClient(server)
        between.shutdown()


TEXTS = {"id": range(20), "text_a": [f"text {n}" for n in range(20)], "label": [0, 1] * 10}


def recorded(away_from=None):
    """Id of a run of three observations; from one of them on, the store may be away."""
    recorder = datamap.SignalRecorder(["no", "yes"], TEXTS, retry_seconds=1, spool=SPOOL)
    with recorder, pytest.MonkeyPatch.context() as patch:
        for epoch in (1, 2, 3):
            if epoch == away_from:
                patch.setattr(Run, "log_bytes", _away)
            logits = [[n % 3, epoch * (n % 2)] for n in range(20)]
            recorder.record(list(range(20)), [0, 1] * 10, logits=logits)
            recorder.commit(epoch)
        recorder.close()
    return recorder.run_id


def _away(*_):
    raise TrackingError("away")


class Commands:
    """Runs commands through the proxy, each until it goes well: the last attempt has no faults."""

    def __init__(self, command, share):
        self.command, self.share, self.said = command, share, []

    def __call__(self, name, *arguments):
        return self.until_well(lambda: self._once(name, *arguments))

    def until_well(self, action):
        for attempt in range(ATTEMPTS):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Proxy, "share", self.share if attempt < ATTEMPTS - 1 else 0.0)
                result = action()
            if result is not None:
                return result
        raise AssertionError(self.said)

    def _once(self, name, *arguments):
        with pytest.MonkeyPatch.context() as patch:  # the address that is given counts, not MLflow's own
            store = os.environ["MLFLOW_TRACKING_URI"]
            patch.setenv("MLFLOW_TRACKING_URI", "sqlite:///nowhere.db")
            outcome = self.command(name, f"tracking.uri={store}", *arguments)
        self.said.append((name, outcome.code, outcome.err))
        errors = [line for line in outcome.err.splitlines() if not line.startswith("note: ")]
        assert (outcome.code, len(errors)) in ((0, 0), (2, 1)), (name, outcome.err)
        return outcome if outcome.code == 0 else None

    def record(self, away_from=None):
        def once():
            try:
                return recorded(away_from)
            except DataMapError as error:
                self.said.append(("record", 2, str(error)))
            spooled = [folder.name for folder in Path(SPOOL).glob("*") if folder.is_dir()]
            if spooled:
                self("upload", f"folder={SPOOL}")
            return spooled[0] if spooled else None

        return self.until_well(once)

    def review(self, run_id):
        """Number of samples that a review serves."""
        score = DiagnoseConfig(score="combined")
        config = ReviewConfig(run_id=run_id, lang="en", reviewer="me", diagnose=score)

        def once():
            try:
                return len(review_of(Store().run(run_id), config).journal.ids)
            except DataMapError as error:
                self.said.append(("review", 2, str(error)))
            return None

        return self.until_well(once)


def all_of_it(commands, folder):
    """Return what the commands make of one training: {artifact: bytes} of its run, and of the runs made from it."""
    first, second = commands.record(), commands.record(away_from=2)
    commands("summarize", f"run_id={first}")
    commands("plot", f"run_id={first}", "explorer=true")
    commands("diagnose", f"run_id={first}")
    assert commands.review(first) == 20
    runs = [first, second]
    for name, *arguments in (
        ["curate", f"run_id={first}", "keep=clean", "share=0.1"],
        ["compare", f"runs=[{first},{second}]"],
        ["import_signals", f"path={folder}"],
    ):
        if name == "import_signals":
            commands("export_signals", f"run_id={first}", f"folder={folder}")
        runs.append(re.search(r"^run ([0-9a-f]{32})", commands(name, *arguments).out, re.M)[1])
    return runs


# Requests of each command on a run of three observations, and at the second time (docs/benchmarks.md).
REQUESTS = {
    "summarize": (12, 11), "plot": (11, 11), "diagnose": (11, 12), "review": (5, 5),
    "curate": (17, 17), "compare": (23, 23),
}  # fmt: skip


def test_a_command_needs_few_requests(proxy, command, monkeypatch):
    def asked(times, name):
        assert len(Proxy.paths) <= REQUESTS[name][times], "\n".join(Proxy.paths)

    run_id, other = recorded(), recorded()
    assert command("summarize", f"run_id={other}").code == 0
    for name, *arguments in (
        ["summarize", f"run_id={run_id}"],
        ["plot", f"run_id={run_id}"],
        ["diagnose", f"run_id={run_id}"],
        ["curate", f"run_id={run_id}", "keep=clean", "share=0.1"],
        ["compare", f"runs=[{run_id},{other}]"],
    ):
        for times in (0, 1):
            monkeypatch.setattr(Proxy, "paths", [])
            done = command(name, *arguments)
            assert (done.code, "View run" in done.out) == (0, False), done.err
            asked(times, name)
    for times in (0, 1):
        monkeypatch.setattr(Proxy, "paths", [])
        config = ReviewConfig(run_id=run_id, lang="en", reviewer="me")
        run = Store().run(run_id)
        run.read_once()
        _read_the_rest(run, review_of(run, config))
        asked(times, "review")


@pytest.mark.parametrize("damage", ["cut", "other members", "gone"])
def test_a_pack_that_is_not_what_was_logged_costs_requests_only(proxy, command, damage):
    run_id = recorded()
    assert command("summarize", f"run_id={run_id}").code == 0
    expected = proxy.download_artifacts(run_id, "summary.tsv", ".")
    repository = get_artifact_repository(proxy.get_run(run_id).info.artifact_uri, proxy.tracking_uri)
    pack = Path(proxy.download_artifacts(run_id, "summary.zip", "."))
    repository.delete_artifacts("summary.zip")
    if damage == "cut":
        pack.write_bytes(pack.read_bytes()[:500])
    if damage == "other members":
        with zipfile.ZipFile(pack, "w") as members:
            members.writestr("summary.tsv", Path(expected).read_text() + "\n")
            members.writestr("signals/epoch_0001-00000-of-00001.jsonl", "{}\n")
    if damage != "gone":
        proxy.set_tag(run_id, "mlflow.datamap.sha256.summary.zip", digest_of(pack))
        repository.log_artifact(str(pack))
    for name in ("plot", "diagnose"):
        done = command(name, f"run_id={run_id}")
        assert (done.code, done.err) == (0, "")


def test_a_file_that_the_server_lost_is_told_with_what_to_do(proxy, command):
    run_id = recorded()
    assert command("summarize", f"run_id={run_id}").code == 0
    repository = get_artifact_repository(proxy.get_run(run_id).info.artifact_uri, proxy.tracking_uri)
    repository.delete_artifacts("summary.tsv")
    outcome = command("plot", f"run_id={run_id}", "explorer=false")
    assert outcome.code == 2
    assert "summary.tsv was logged but is missing; regenerate it: python src/summarize.py" in outcome.err
    assert command("summarize", f"run_id={run_id}").code == 0
    assert command("plot", f"run_id={run_id}", "explorer=false").code == 0


def test_tags_that_do_not_tell_of_all_observations_are_not_trusted(proxy, command):
    run_id = recorded()
    proxy.log_metric(run_id, "signals.rows", 20, step=5)  # of an older version, which logs no tags
    outcome = command("summarize", f"run_id={run_id}")
    assert (outcome.code, "observation 5 was committed but its artifact is gone" in outcome.err) == (2, True)


def test_what_a_person_writes_while_a_command_runs_stays(proxy, command, monkeypatch):
    run_id = recorded()
    described = run_description.describe

    def during(run, samples):
        proxy.set_tag(run.run_id, "mlflow.note.content", "mine")
        described(run, samples)

    monkeypatch.setattr("datamap.pipeline.summarize.describe", during)
    assert command("summarize", f"run_id={run_id}").code == 0
    assert proxy.get_run(run_id).data.tags["mlflow.note.content"] == "mine"


def contents(client, runs, folder):
    found = []
    for run_id in runs:
        paths = [path for path in artifacts(client, run_id) if path.endswith(OF_DATA)]
        found.append({p: Path(client.download_artifacts(run_id, p, folder)).read_bytes() for p in paths})
    return found


@pytest.mark.parametrize("seed", map(int, os.environ.get("SEEDS", "19").split()))
def test_every_command_ends_well_or_in_one_line_and_nothing_is_lost(
    proxy, command, tmp_path, monkeypatch, seed
):
    with monkeypatch.context() as local:
        local.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/local.db")
        expected = contents(
            MlflowClient(), all_of_it(Commands(command, 0.0), tmp_path / "expected"), tmp_path
        )
    monkeypatch.setattr(Proxy, "chance", random.Random(seed))
    commands = Commands(command, SHARE)
    runs = all_of_it(commands, tmp_path / "spoiled")
    assert Proxy.spoiled > 50
    assert contents(proxy, runs, tmp_path) == expected
    assert proxy.search_runs(["1"], "attributes.status = 'RUNNING'") == []
    monkeypatch.setattr("datamap.tracking.client.ANSWER_TIMEOUT", 1)
    monkeypatch.setattr(Proxy, "share", 1.0)
    monkeypatch.setitem(globals(), "FAULTS", [fault for fault in FAULTS if fault != "late"])
    outcome = command("summarize", f"run_id={runs[0]}")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
