"""Stores, runs and the spool when something is wrong with them: one line, fast, and nothing is lost."""

import contextlib
import errno
import getpass
import itertools
import json
import os
import pwd
import signal
import socket
import sqlite3
import sys
import tempfile
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow
import pandas as pd
import pytest
import sqlalchemy
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

import datamap
from datamap.digests import digest_of
from datamap.errors import RunLostError, TrackingError, masked
from datamap.pipeline.review import _reviewer
from datamap.tracking import hidden_tags, pack
from datamap.tracking.artifacts import PARALLEL, _side_by_side
from datamap.tracking.delivery import Delivery
from datamap.tracking.failures import retrying
from datamap.tracking.hidden_tags import CONTENT_TAG
from datamap.tracking.outbox import Outbox
from datamap.tracking.spool import read_note, waiting_in
from datamap.tracking.store import Store


@pytest.fixture
def run(store):
    with Store(create=True).new_run("mine") as made:
        made.begin()
        made.ends_elsewhere = True
        yield made


def delivery(number, *paths):
    return Delivery(number, lambda: [(path, b"x") for path in paths], {"signals.rows": 1})


def status(run):
    return Store().run(run.run_id).status


def spool(run, deliveries, spool="spool"):
    """Put deliveries into an outbox whose store takes no artifact."""
    with pytest.raises(TrackingError), pytest.MonkeyPatch.context() as patch:

        def away(*_):
            raise TrackingError("the store is away")

        patch.setattr("datamap.tracking.run.Run.log_bytes", away)
        with Outbox(run, 0, spool, "checkpoint") as outbox:
            for one in deliveries:
                outbox.put(one)
    return Path(spool, run.run_id)


# ---------------------------------------------------------------- a run's life


@pytest.mark.parametrize(
    ("error", "expected"),
    [(None, "FINISHED"), (KeyboardInterrupt, "KILLED"), (ValueError, "FAILED"), (SystemExit, "FAILED")],
)
def test_whatever_happens_a_new_run_ends(store, error, expected):
    with contextlib.suppress(error or ()), Store(create=True).new_run() as run:
        if error:
            raise error
    assert status(run) == expected


def test_an_interrupt_that_a_library_turned_into_its_own_error_is_one(store, command, monkeypatch):
    def wrap(*_):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise RuntimeError("Error calling __set_name__") from error

    with contextlib.suppress(RuntimeError), Store(create=True).new_run() as run:
        wrap()
    assert status(run) == "KILLED"
    monkeypatch.setattr("datamap.pipeline.upload.upload", wrap)
    outcome = command("upload")
    assert (outcome.code, outcome.err) == (130, "interrupted\n")


def test_an_interrupt_while_the_run_is_made_waits_until_it_is_known(store, monkeypatch):
    create_run = MlflowClient.create_run

    def interrupted(self, *arguments, **options):
        made = create_run(self, *arguments, **options)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        return made

    monkeypatch.setattr(MlflowClient, "create_run", interrupted)
    with pytest.raises(KeyboardInterrupt), Store(create=True).new_run():
        raise AssertionError("it did not wait")
    (run,) = MlflowClient().search_runs(["1"])
    assert run.info.status == "KILLED"


@pytest.mark.parametrize("times", [1, 2])
def test_an_interrupt_at_any_moment_of_a_write_leaves_no_lock(store, times):
    """Two come from somebody who presses Ctrl-C twice, or, the second as SIGTERM, from `mlflow run`."""
    press = partial(signal.raise_signal, signal.SIGINT)
    usual = signal.signal(signal.SIGALRM, lambda *_: [press() for _ in range(times)])
    open_store, began = Store(create=True), time.monotonic()
    for moment in range(20):
        with pytest.raises(KeyboardInterrupt), open_store.new_run() as run:
            signal.setitimer(signal.ITIMER_REAL, 0.0005 + 0.0004 * moment)
            for number in range(1_000):
                run.set_tags({"number": number})
        assert status(run) == "KILLED"
    signal.signal(signal.SIGALRM, usual)
    assert time.monotonic() - began < 15  # SQLite waits 20 seconds for a lock


@pytest.mark.parametrize("remote", [True, False])
def test_a_second_interrupt_does_not_wait_for_a_server_that_hangs(store, monkeypatch, remote):
    ended = []

    def end(run, status):
        signal.raise_signal(signal.SIGINT)
        ended.append(status)

    monkeypatch.setattr("datamap.tracking.failures.ECHO_SECONDS", 0)
    with pytest.raises(KeyboardInterrupt), Store(create=True).new_run() as run:
        monkeypatch.setattr("datamap.tracking.addresses.is_server", lambda uri: remote)
        monkeypatch.setattr(type(run), "end", end)
        raise KeyboardInterrupt
    assert ended == ([] if remote else ["KILLED"])  # a database is waited for


def test_an_interrupt_at_the_end_of_a_copy_leaves_no_folder(store, monkeypatch):
    def interrupted(folder):
        signal.raise_signal(signal.SIGINT)
        folder._finalizer()

    with pytest.raises(KeyboardInterrupt), Store(create=True).new_run() as run:
        file = Path("a.txt")
        file.write_text("a")
        monkeypatch.setattr(tempfile.TemporaryDirectory, "cleanup", interrupted)
        run.log_file(file, "a.txt")
    assert [path.name for path in run.artifacts.folder.parent.iterdir()] == ["artifacts"]


def test_an_interrupt_leaves_out_the_files_that_wait(store):
    begun = []

    def get(number):
        begun.append(number)
        time.sleep(0.05)
        if number == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _side_by_side(get, [(number,) for number in range(10 * PARALLEL)])
    assert len(begun) < 5 * PARALLEL


def test_an_interrupt_while_a_store_is_made_leaves_it_whole(store):
    statements = itertools.count(1)

    def interrupt(*_):
        if next(statements) == 30:  # MLflow is adding columns to its tables
            signal.raise_signal(signal.SIGINT)

    sqlalchemy.event.listen(sqlalchemy.Engine, "after_cursor_execute", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Store("sqlite:///new.db", create=True)
    sqlalchemy.event.remove(sqlalchemy.Engine, "after_cursor_execute", interrupt)
    assert Store("sqlite:///new.db").search("") == []


def test_the_error_that_ended_a_run_is_told_even_where_the_store_is_gone_too(store, monkeypatch):
    with pytest.raises(ValueError, match="mine"), Store(create=True).new_run() as run:
        Path("mlflow.db").write_bytes(b"no database")
        raise ValueError("mine")
    assert run.run_id


# ---------------------------------------------------------------- what is tried again


@pytest.mark.parametrize("error", [RunLostError("refused"), ValueError("a bug")], ids=str)
def test_what_is_refused_is_not_tried_again(error):
    calls = []

    def action():
        calls.append(1)
        raise error

    with pytest.raises(type(error)):
        retrying(action, 60)
    assert len(calls) == 1


def test_what_the_store_refuses_ends_the_run_at_once(run):
    start = time.monotonic()
    with pytest.raises(RunLostError, match="metrics"), Outbox(run, 300, "spool") as outbox:
        outbox.put(Delivery(1, tuple, {"not\na name": 1.0}))
    assert time.monotonic() - start < 10
    assert (status(run), waiting_in(f"spool/{run.run_id}")) == ("FAILED", [])


def test_a_full_folder_for_temporary_files_is_like_a_full_store(run, monkeypatch, command, capsys):
    with monkeypatch.context() as patch, pytest.raises(TrackingError, match="did not accept everything"):
        patch.setattr(tempfile, "tempdir", "/dev/full")
        with Outbox(run, 2, "spool") as outbox:
            outbox.put(delivery(1, "signals/1.txt"))
            outbox.put(delivery(2, "signals/2.txt"))
    said = capsys.readouterr().out.splitlines()
    assert "retrying for up to 2 s" in said[0]
    assert f"3 uploads of run {run.run_id} wait in spool/{run.run_id}" in said[-1]
    assert (len(waiting_in(f"spool/{run.run_id}")), status(run)) == (3, "FAILED")
    assert command("upload", "folder=spool").code == 0
    assert (list(run.committed()), status(run)) == ([1, 2], "FINISHED")


@pytest.mark.parametrize("moment", ["put", "end"])
def test_ctrl_c_while_the_queue_is_full(run, monkeypatch, moment):
    def away(*_):
        raise TrackingError("the store is away")

    monkeypatch.setattr("datamap.tracking.run.Run.log_bytes", away)
    timer = threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT))
    start = time.monotonic()
    timer.start()
    with contextlib.suppress(KeyboardInterrupt, TrackingError), Outbox(run, 3600, "spool") as outbox:
        for number in range(1, 4 if moment == "end" else 9):
            outbox.put(delivery(number, f"signals/{number}.txt"))
    assert time.monotonic() - start < 20
    assert len(waiting_in(f"spool/{run.run_id}")) == 4  # three, and the end


# ---------------------------------------------------------------- the spool


def test_only_the_newest_checkpoint_is_kept_in_the_spool(run):
    folder = spool(run, [delivery(n, f"signals/{n}.txt", f"checkpoint/{n % 2}/weights") for n in (1, 2, 3)])
    notes = [read_note(waiting) for waiting in waiting_in(folder)]
    assert [list(note.files) for note in notes] == [
        ["signals/1.txt"], ["signals/2.txt"], ["signals/3.txt", "checkpoint/1/weights"], []
    ]  # fmt: skip
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("weights")] == [
        "0002/files/checkpoint/1/weights"
    ]


def test_one_deleted_run_does_not_stop_the_uploads_behind_it(store, command):
    runs = []
    for _ in range(3):
        with Store(create=True).new_run() as made:
            made.begin()
            spool(made, [delivery(1, "signals/1.txt")])
            runs.append(made)
    first, *others = sorted(runs, key=lambda run: run.run_id)
    first.client.delete_run(first.run_id)
    outcome = command("upload", "folder=spool")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert f"run {first.run_id} was deleted" in outcome.err
    assert f"(left in spool/{first.run_id})" in outcome.err
    assert [list(run.committed()) for run in others] == [[1], [1]]
    assert [path.name for path in Path("spool").iterdir()] == [first.run_id]


@pytest.mark.parametrize("content", ["", "[", "{}", '{"files": 7}', "[" * 100_000, "\udcff"])
def test_a_damaged_note_in_the_spool_is_named(run, command, content):
    folder = spool(run, [delivery(1, "signals/1.txt")])
    Path(folder, "0000/delivery.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    outcome = command("upload", "tracking.spool=spool")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert f"spool/{run.run_id}/0000/delivery.json is damaged" in outcome.err


GOOD = {"run_id": "r", "tracking_uri": "x", "writer": "w", "time": 1, "files": [], "number": 1}
GOOD |= {"metrics": {"signals.rows": 1}, "status": None, "remove": None}
HOSTILE = {
    "files": [["../x"], ["/etc/passwd"], ["labels.json"], ["signals/../../x"], ["signals"], ["signals/.."], [7],
              "signals/x", {"a": 1},
              ["signals/\ud800"], ["signals//x"], ["signals\\x"], None],
    "remove": ["../../..", ".", "", "signals", "checkpoint/../signals", 7, ["checkpoint"]],
    "status": ["RUNNING", "finished", 1, ["FINISHED"]],
    "number": [1.5, "1", 10**400, -1, float("nan"), None, [1], True],
    "time": [10**400, "now", float("inf")],
    "metrics": [{"signals.rows": float("nan")}, {"signals.rows": 1.5}, {"signals.rows": "9"},
                {"signals.rows": 0}, {"x": [1]}, {"x": "1"}, [["x", 1]], 7],
    "run_id": ["latest", 7, None, "../x"],
    "writer": [7, None],
    "tracking_uri": [7, ["http://x"], None],
}  # fmt: skip


@pytest.mark.parametrize("key", HOSTILE)
def test_a_note_says_nothing_but_what_a_note_may_say(tmp_path, key):
    waiting = tmp_path / "r" / "0000"
    waiting.mkdir(parents=True)

    def read(note):
        (waiting / "delivery.json").write_text(json.dumps(note))
        return read_note(waiting)

    assert read(GOOD).run_id == "r"
    for value in HOSTILE[key]:
        with pytest.raises(
            TrackingError, match=rf"delivery.json is damaged \((Invalid JSON|it is of run|{key})"
        ):
            read({**GOOD, key: value})
    with pytest.raises(TrackingError, match="is damaged"):
        read({name: value for name, value in GOOD.items() if name != key})


def test_a_link_in_the_spool_sends_nothing(run, command, tmp_path):
    (tmp_path / "secret").write_text("secret")
    folder = spool(run, [delivery(1, "signals/1.txt"), delivery(2, "signals/2.txt")])
    file = folder / "0000/files/signals/1.txt"
    for target in (tmp_path / "secret", Path("/dev/zero")):
        file.unlink()
        file.symlink_to(target)
        outcome = command("upload", "folder=spool")
        assert (outcome.code, outcome.err.count("\n")) == (2, 1)
        assert "1.txt is missing, or is not a plain file" in outcome.err
    assert (run.files("signals"), len(waiting_in(folder))) == ([], 3)


def test_a_damaged_note_does_not_stop_the_uploads_of_other_runs(store, command):
    runs = []
    for _ in range(3):
        with Store(create=True).new_run() as made:
            made.begin()
            spool(made, [delivery(1, "signals/1.txt")])
            runs.append(made)
    damaged, *others = sorted(runs, key=lambda run: run.run_id)
    note = Path("spool", damaged.run_id, "0000/delivery.json")
    note.write_text(json.dumps({**json.loads(note.read_text()), "metrics": [1]}))
    outcome = command("upload", "folder=spool")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert [list(run.committed()) for run in others] == [[1], [1]]


def test_a_note_does_not_choose_to_which_host_credentials_go(run, command, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        uri = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with monkeypatch.context() as patch:
            patch.setattr(run, "tracking_uri", uri)
            spool(run, [delivery(1, "signals/1.txt")])
        outcome = command("upload", "folder=spool")
        assert outcome.code == 2 and f"spooled for {uri}, but the store in use is sqlite" in outcome.err
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.accept()
    named = command("upload", "folder=spool", f"tracking.uri=sqlite:///{Path.cwd()}/mlflow.db")
    assert (named.code, list(run.committed())) == (0, [1])


def test_no_password_is_in_the_spool_and_it_is_sent_to_the_store_of_the_environment(
    run, command, monkeypatch
):
    monkeypatch.setattr(run, "tracking_uri", "http://ann:secret@127.0.0.1:9")
    folder = spool(run, [delivery(1, "signals/1.txt")])
    assert "secret" not in Path(folder, "0000/delivery.json").read_text()
    outcome = command("upload", "folder=spool")
    assert outcome.code == 2
    assert "spooled for http://ann:***@127.0.0.1:9, but the store in use is sqlite" in outcome.err
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:secret@127.0.0.1:9")
    outcome = command("upload", "folder=spool")
    assert "server http://ann:***@127.0.0.1:9 does not answer (Connection refused)" in outcome.err


# ---------------------------------------------------------------- stores

BAD_STORES = {
    "sqlite:////etc/passwd": "file is not a database",
    "sqlite:////proc/nowhere/mlflow.db": "cannot be used",
    "sqlite:////proc/mlflow.db": "unable to open database file",
    "mysql+nodriver://u:secret@localhost/db": "mysql.nodriver",
    "postgresql+psycopg2://u:secret@127.0.0.1:9/db": "Connection refused",
    "postgresql+psycopg3000://u:secret@127.0.0.1:9/db": "psycopg3000",
    "mysql://u:secret@127.0.0.1:9/db": "No module named 'MySQLdb'; install it: pip install MySQLdb",
    "http://u:secret@127.0.0.1:9": "does not answer",
    "nosuch://u:secret@x/db": "cannot be opened",
}


@pytest.mark.parametrize("uri", BAD_STORES)
def test_stores_that_are_none(command, uri, tmp_path):
    start = time.monotonic()
    (tmp_path / "x.json").write_text("")
    outcomes = [
        command("summarize", "run_id=latest", f"tracking.uri={uri}"),
        command("import_signals", f"path={signals(tmp_path)}", f"tracking.uri={uri}"),
    ]
    for outcome in outcomes:
        assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
        assert "secret" not in outcome.err
    assert BAD_STORES[uri] in outcomes[-1].err
    assert time.monotonic() - start < 15


def signals(folder):
    records = [
        {"id": n, "label": 0, "correct": True, "label_probs": 0.9, "probs": [0.9, 0.1]} for n in (1, 2)
    ]
    (folder / "epoch_0001-00000-of-00001.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    return folder


@pytest.mark.parametrize("windows", [False, True])
def test_a_user_without_a_name_trains_and_reviews_all_the_same(store, monkeypatch, windows):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)

    def unknown(number):
        raise KeyError(f"uid not found: {number}")

    name = f"uid{os.getuid()}"
    if windows:
        monkeypatch.setitem(sys.modules, "pwd", None)
        monkeypatch.delattr(os, "getuid")
        name = "unknown"
    else:
        monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises((KeyError, ImportError)):
        getpass.getuser()
    with Store(create=True).new_run() as run:
        pass
    assert MlflowClient().get_run(run.run_id).data.tags["mlflow.user"] == name
    assert _reviewer(None) == "reviewer"


def test_a_search_reads_all_pages(store, monkeypatch):
    monkeypatch.setattr("datamap.tracking.store.PAGE", 3)
    client = MlflowClient()
    experiment = client.create_experiment("datamap")
    for number in range(8):
        made = client.create_run(experiment, start_time=number)
        client.log_metric(made.info.run_id, "signals.rows", 1)
        if number == 1:
            client.log_text(made.info.run_id, "x", "curated.tsv")
            oldest = made.info.run_id
    assert len(Store().search("")) == 8
    assert Store().newest_with("curated.tsv").run_id == oldest


@pytest.mark.parametrize("query", ["?timeout=60", ""])
@pytest.mark.parametrize("driver", ["sqlite", "sqlite+pysqlite"])
def test_a_sqlite_address_may_have_options(store, query, driver):
    uri = f"{driver}:///{Path.cwd()}/mlflow.db{query}"
    with Store(uri, create=True).new_run() as run:
        pass
    assert Store(uri).run(run.run_id).status == "FINISHED"
    assert [path.name for path in Path.cwd().iterdir() if "lock" in path.name or "?" in path.name] == []
    with pytest.raises(TrackingError, match="there is no MLflow store"):
        Store(f"{driver}:///{Path.cwd()}/other.db{query}")


def test_a_long_description_is_ours_to_update(run):
    for last in ("first", "second"):
        run.describe("\n".join([f"line {number}" for number in range(2000)]) + last)
        assert len(run.tags()["mlflow.note.content"]) < 8000
    run.describe("short")
    assert run.tags()["mlflow.note.content"] == "short"
    run.set_tags({"mlflow.note.content": "a person's"})
    run.describe("ours")
    assert run.tags()["mlflow.note.content"] == "a person's"


MASKED = {
    "http://ann:secret@host/a@b": "http://ann:***@host/a@b",
    "https://secret@host/x and https://secret:@host": "https://***@host/x and https://***@host",
    "https://secret:x-oauth-basic@host": "https://***@host",
    "http://host:5000/p?mail=a@b": "http://host:5000/p?mail=a@b",
    "http://host:5000?mail=a@b": "http://host:5000?mail=a@b",
    "http://[::1]:5000/a@b": "http://[::1]:5000/a@b",
    "postgresql://ann:se/cr@et@db:5432/x?a=b@c": "postgresql://ann:***@db:5432/x?a=b@c",
    "postgresql://ann@db/x": "postgresql://ann@db/x",
    "http://ann:1234@host": "http://ann:***@host",
    '{"u": "http://h:5000","m":"x@y"}': '{"u": "http://h:5000","m":"x@y"}',
    '{"u":"http://u:secret@h","m":"x@y"}': '{"u":"http://u:***@h","m":"x@y"}',
    "http://h/a?X-Amz-Signature=secret&b=c": "http://h/a?X-Amz-Signature=***&b=c",
    "mail a@b, http://h:80": "mail a@b, http://h:80",
}


@pytest.mark.parametrize("text", MASKED)
def test_addresses_lose_their_passwords_and_nothing_else(text):
    assert masked(text) == MASKED[text]
    assert masked(masked(text)) == MASKED[text]


def test_a_folder_that_was_moved_with_its_store_is_named(store, command):
    with datamap.SignalRecorder() as recorder:
        recorder.record([1, 2], [0, 1], logits=[[1, 0], [0, 1]])
        recorder.commit(1)
    signals_folder = Path.cwd() / "mlruns/1" / recorder.run_id / "artifacts/signals"
    Path("mlruns").rename("moved")
    outcome = command("summarize", f"run_id={recorder.run_id}")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert (
        f"{signals_folder} has none of its signals; if the store's folder was moved, move it back"
        in outcome.err
    )


def test_a_store_by_its_address_leaves_mlflows_own_setting_alone(store, tmp_path):
    before = mlflow.get_tracking_uri()
    with Store(f"sqlite:///{tmp_path}/other.db", create=True).new_run() as run:
        run.log_labels(["no", "yes"])
    assert run.class_names() == ("no", "yes")
    assert mlflow.get_tracking_uri() == before


def test_an_answer_that_is_lost_leaves_no_second_run(store, monkeypatch):
    """As MLflow does behind a server: the request is sent again, or its answer never arrives."""
    create_run = MlflowClient.create_run
    monkeypatch.setattr("datamap.tracking.addresses.is_server", lambda uri: True)

    def lost(self, *arguments, **options):
        create_run(self, *arguments, **options)
        raise MlflowException("connection reset")

    def twice(self, *arguments, **options):
        create_run(self, *arguments, **options)
        return create_run(self, *arguments, **options)

    for create in (lost, twice):
        monkeypatch.setattr(MlflowClient, "create_run", create)
        with Store(create=True).new_run("mine") as run:
            running = MlflowClient().search_runs(["1"], "attributes.status = 'RUNNING'")
            assert [found.info.run_id for found in running] == [run.run_id]
    assert {found.info.status for found in MlflowClient().search_runs(["1"])} == {"FINISHED"}


def test_a_pack_gives_only_what_has_the_digest(tmp_path):
    file, packed, found = tmp_path / "texts", tmp_path / "some.zip", tmp_path / "found"
    file.write_text("texts")
    pack.write(packed, {"a": file})
    assert pack.take(packed, "a", digest_of(file), found) and found.read_text() == "texts"
    assert not pack.take(packed, "a", "0" * 64, found)
    assert not pack.take(packed, "b", digest_of(file), found)
    packed.write_bytes(packed.read_bytes()[:40])
    assert not pack.take(packed, "a", digest_of(file), found)
    assert not pack.take(tmp_path / "none.zip", "a", digest_of(file), found)


def test_tags_tell_of_observations_only_if_none_is_missing():
    def tag(number, shards=1):
        names = [f"epoch_{number:04d}-{k:05d}-of-{shards:05d}.jsonl" for k in range(shards)]
        text = "".join(f"{'0' * 64}  {name}\n" for name in names)
        return {f"{CONTENT_TAG}signals/epoch_{number:04d}.sha256": text}

    three = {**tag(1), **tag(2), **tag(3, shards=2)}
    found = hidden_tags.observations(three, 3)
    assert list(found) == [1, 2, 3]
    shards = [f"signals/epoch_0003-0000{k}-of-00002.jsonl" for k in range(2)]
    assert found[3] == ["signals/epoch_0003.sha256", *shards]
    other = {f"{CONTENT_TAG}signals/x.sha256": "x"}
    for tags, last in ((three, 4), (three, 2), (tag(1) | tag(3), 3), ({}, 0), (other, 1)):
        assert not hidden_tags.observations(tags, last)


def test_a_full_disk_leaves_the_artifact_that_was_there(run, monkeypatch):
    run.log_text("the old one\n", "diagnosis.tsv")

    def half(source, target, **_):
        Path(target).write_bytes(Path(source).read_bytes()[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("shutil.copyfile", half)
        with pytest.raises(
            TrackingError, match=r"artifact diagnosis.tsv: .*No space left on device; free some space"
        ):
            run.log_text("the new one\n", "diagnosis.tsv")
    folder = run.artifacts.folder
    assert (folder / "diagnosis.tsv").read_text() == "the old one\n"
    run.log_text("the new one\n", "diagnosis.tsv")
    assert run.artifacts.read("diagnosis.tsv") == b"the new one\n"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_full_database_is_told_as_such(store, monkeypatch):
    """SQLAlchemy puts a hint for programmers above what happened."""
    full = sqlalchemy.exc.OperationalError(
        "INSERT …", {}, sqlite3.OperationalError("database or disk is full")
    )
    full.add_detail("raised as a result of Query-invoked autoflush")

    def refuse(*_, **__):
        raise MlflowException(str(full)) from full

    monkeypatch.setattr("mlflow.store.tracking.sqlalchemy_store.SqlAlchemyStore.create_run", refuse)
    with pytest.raises(
        TrackingError, match="a new run cannot be made: database or disk is full; free some space$"
    ):
        Store(create=True).new_run("mine").__enter__()


def test_wrong_credentials_are_told_with_what_to_set(command, monkeypatch):
    class Unauthorized(BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            self.send_response(200 if self.path == "/health" else 401)
            self.end_headers()
            self.wfile.write(b"<html>\nno entry</html>")

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Unauthorized) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
        for arguments in (
            ["summarize", "run_id=latest"],
            ["summarize", "run_id=x"],
            ["compare", "runs=[a,b]"],
        ):
            outcome = command(*arguments)
            assert (outcome.code, outcome.err.count("\n"), "html" in outcome.err) == (2, 1, False), (
                outcome.err
            )
            assert (
                "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
                in outcome.err
            )
        server.shutdown()


def test_the_same_data_may_be_logged_by_two_at_once(store):
    """MLflow looks for a data set before it adds one, so that both may add it."""
    runs = [Store().run(MlflowClient(store).create_run("0").info.run_id) for _ in range(2)]
    frame, both = pd.DataFrame({"id": [1, 2]}), threading.Barrier(2, timeout=20)

    def log(run):
        for number in range(10):
            both.wait()
            run.log_dataset(frame, "mine", "mine.tsv", f"{number:016x}", "training")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(log, runs))
    for run in runs:
        assert len(MlflowClient(store).get_run(run.run_id).inputs.dataset_inputs) == 10


def test_a_dataset_is_described_as_mlflow_describes_all_of_it(run):
    frame = pd.DataFrame({"id": range(3000), "text_a": ["text"] * 3000, "label": [0, 1] * 1500})
    run.log_dataset(frame, "mine", "mine.tsv", "0123456789abcdef", "training")
    logged = Store().run(run.run_id).dataset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = mlflow.data.from_pandas(frame, source="mine.tsv").to_dict()
    assert (logged.schema, logged.profile) == (whole["schema"], whole["profile"])
