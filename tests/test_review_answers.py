"""The review's server in this process: who may ask, what is refused, and what the answers hold."""

import asyncio
import contextlib
import json
import logging
import stat
import subprocess
import sys
import time
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from conftest import ROOT
from datamap.errors import TrackingError
from datamap.review import connections, queries
from datamap.review.app import application
from datamap.review.queries import UnknownSampleError
from datamap.review.samples import ReviewSamples
from datamap.review.server import Address, keep_address, kept_address
from review_server import HOSTILE, TOKEN, half_sent, review_of, served


@pytest.fixture
def review(tmp_path):
    return review_of(tmp_path)


@pytest.fixture
def client(review):
    with served(review) as client:
        yield client


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"X-Token": ""}, "wrong or missing token"),
        ({"X-Token": "t" * 42}, "wrong or missing token"),
        ({"X-Token": "é"}, "wrong or missing token"),
        ({"Host": "evil.example"}, "(Host)"),
        ({"Host": "evil.example:8000"}, "(Host)"),
        ({"Host": "127.0.0.1.evil.example"}, "(Host)"),
        ({"Host": "192.168.1.2:8000"}, "(Host)"),
        ({"Host": ""}, "(Host)"),
        ({"Origin": "http://evil.example"}, "(Origin)"),
        ({"Origin": "http://127.0.0.1:9000"}, "(Origin)"),
        ({"Origin": "null"}, "(Origin)"),
    ],
)
@pytest.mark.parametrize("path", ["/api/run", "/api/decisions", "/", "/nowhere"])
def test_who_may_not_ask(review, client, headers, reason, path):
    headers = {name: value.encode() for name, value in headers.items()}
    query = "" if path.startswith("/api") or "X-Token" in headers else f"?token={TOKEN}"
    body = {"row": 1, "action": "drop"}
    answer = client.request(
        "POST" if "decisions" in path else "GET", path + query, headers=headers, json=body
    )
    assert answer.status_code == 403
    assert reason in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert review.journal.version == 0


def test_a_list_is_saved_as_a_selection(review, client):
    saved = []
    review.keep = lambda ids: saved.append(ids) or "datamap curate ids=there"
    answer = client.post("/api/selection", json={"filter": {"region": ["ambiguous"]}, "order": "id"})
    assert answer.json() == {"samples": 10, "command": "datamap curate ids=there"}
    assert saved == [[n for n in range(30) if n % 3 == 1]]
    nothing = client.post("/api/selection", json={"filter": {"text": "nowhere at all"}})
    assert (nothing.status_code, nothing.json()["error"]) == (400, "there is nothing to save")


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:1", "[::1]:8000", "127.0.0.1", "LOCALHOST"])
def test_who_may_ask(client, host):
    headers = {"Host": host, "Origin": f"http://{host}"}
    assert client.get("/api/run", headers=headers).status_code == 200


def test_addresses_of_other_machines_where_it_is_asked_for(review):
    with served(review, loopback=False) as client:
        assert client.get("/api/run", headers={"Host": "192.168.1.2:8000"}).status_code == 200
        assert client.get("/api/run", headers={"Host": "evil.example"}).status_code == 403


def test_the_page_needs_the_token_in_its_address(client):
    assert client.get("/").status_code == 403
    assert client.get("/", params={"token": TOKEN[:-1]}).status_code == 403
    answer = client.get("/", params={"token": TOKEN})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Content-Security-Policy" in answer.text
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert TOKEN not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/page.css",
        "/api/sample/../../etc/passwd",
        "/api/sample/-1",
        "/api/sample/x",
        "/static/",
    ],
)
def test_there_are_no_files(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.json()) == (404, {"error": "no such address"})


@pytest.mark.parametrize(
    ("path", "body", "status", "reason"),
    [
        ("/api/order", b"{", 400, "Invalid JSON"),
        ("/api/order", b"[" * 100_000, 400, "Invalid JSON"),
        ("/api/order", b"\xff", 400, "Invalid JSON"),
        ("/api/order", b" " * (1 << 20) + b"{}", 413, "too large"),
        ("/api/order", [], 400, "an object"),
        ("/api/order", {"filters": {}}, 400, "filters: Extra inputs are not permitted"),
        ("/api/order", {"order": "random"}, 400, "order: Input should be 'score', 'uncertain' or 'id'"),
        ("/api/order", {"order": []}, 400, "order: "),
        ("/api/order", {"filter": {"region": ["wild"]}}, 400, "filter.region.0: Input should be 'easy', "),
        ("/api/order", {"filter": {"label": [10**6]}}, 400, "filter.label.0: "),
        ("/api/order", {"filter": {"label": [True]}}, 400, "filter.label"),
        ("/api/order", {"filter": {"label": 1}}, 400, "filter.label: Input should be a valid array"),
        ("/api/order", {"filter": {"score": [0]}}, 400, "filter.score.1: "),
        ("/api/order", b'{"filter": {"score": [0, NaN]}}', 400, "filter.score.1: "),
        ("/api/order", {"filter": {"polygon": [[0, 0], [1, 1]]}}, 400, "filter.polygon: "),
        ("/api/order", {"filter": {"polygon": [[0, 0], [1, 1], ["a", 0]]}}, 400, "filter.polygon.2."),
        ("/api/order", {"filter": {"text": "x" * 1001}}, 400, "filter.text"),
        ("/api/order", {"filter": {"text": "\ud800"}}, 400, "Invalid JSON"),
        ("/api/order", {"\udfff": 1}, 400, "Invalid JSON"),
        ("/api/order", {"filter": {"score": [0, 10**400]}}, 400, "filter.score.1: "),
        ("/api/order", {"filter": {"polygon": [[0, 0], [1, 1], [10**4000, 0]]}}, 400, "filter.polygon.2."),
        ("/api/order", b'{"filter": {"score": [0, ' + b"9" * 5000 + b"]}}", 400, "Invalid JSON"),
        ("/api/order", b'{"order": ' + b"[" * 600 + b"]" * 600 + b"}", 400, "Invalid JSON"),
        ("/api/samples", {"rows": [10**4000]}, 400, "rows.0: "),
        ("/api/decisions", {"row": 1, "action": "\ud800"}, 400, "Invalid JSON"),
        ("/api/decisions", {"row": 1, "action": "label", "label": 10**400}, 400, "label: "),
        ("/api/order", {"filter": {"decided": "maybe"}}, 400, "filter.decided: Input should be 'no', "),
        ("/api/samples", {"rows": list(range(201))}, 400, "rows: "),
        ("/api/samples", {"rows": [30]}, 400, "there is no sample 30 (rows: 0 to 29)"),
        ("/api/decisions", {"row": 30, "action": "keep"}, 400, "there is no sample 30 (rows: 0 to 29)"),
        ("/api/decisions", {"row": 1.5, "action": "keep"}, 400, "row: "),
        ("/api/decisions", {"row": 1}, 400, "action: Field required"),
        ("/api/decisions", {"row": 1, "action": "erase"}, 400, "action: Input should be 'keep', "),
        ("/api/decisions", {"row": 1, "action": "label", "label": 3}, 400, "the index of a class, 0 to 2"),
        ("/api/decisions", {"row": 1, "action": "label", "label": "class 1"}, 400, "label: "),
        ("/api/decisions", {"row": 1, "action": "label"}, 400, "label=None: give"),
    ],
)  # fmt: skip
def test_what_is_refused_is_one_line_and_changes_nothing(review, client, path, body, status, reason):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post(path, data=content)
    assert answer.status_code == status, answer.text
    assert reason in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert review.journal.version == 0


@pytest.mark.parametrize("digits", ["30", "9" * 19, "9" * 400, "9" * 5000])
@pytest.mark.parametrize("of", ["sample", "neighbors"])
def test_rows_that_there_are_not(client, of, digits):
    answer = client.get(f"/api/{of}/{digits}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("there is no sample ")


def test_ids_of_64_bits_are_found_as_they_are_shown(tmp_path):
    ids = [-(2**63), -1, 0, 7, 1234567890123456789, 2**63 - 1]
    review = review_of(tmp_path, count=len(ids))
    review.samples = ReviewSamples(**{**review.samples._asdict(), "ids": pa.array(ids)})
    for row, id in enumerate(ids):
        assert review.find(review.sample(row, "me")["id"]) == {"row": row} == review.find(str(id))
    for id in (str(2**63), "9" * 5000, "-0", "007", "+7", "7.0", "", "٧"):
        with pytest.raises(UnknownSampleError):
            review.find(id)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from([0, 1, 29, 10**400, 10**4000, "\ud800", "score", "keep", "label", "easy", "no", [0, 1]]),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(
        st.sampled_from(["filter", "order", "rows", "row", "action", "label", "score", "polygon", "text", "\udc00"]),
        values, max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip
BODIES = {
    "order": st.fixed_dictionaries(
        {
            "filter": VALUES
            | st.dictionaries(st.sampled_from(list(queries.SampleFilter.model_fields)), VALUES, max_size=3)
        },
        optional={"order": VALUES},
    ),
    "samples": st.fixed_dictionaries({"rows": VALUES}),
    "decisions": st.fixed_dictionaries({"row": VALUES, "action": VALUES}, optional={"label": VALUES}),
}


@pytest.mark.parametrize("path", BODIES)
@given(data=st.data())
@settings(max_examples=150)
def test_any_body_is_answered_or_refused(tmp_path_factory, path, data):
    """In Starlette's own client: what the server does not foresee is raised here, not answered with 500."""
    body = json.dumps(data.draw(BODIES[path] | VALUES)).encode()
    with in_process(tmp_path_factory) as client:
        answer = client.post(f"/api/{path}", content=body)
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 400:
        assert set(answer.json()) == {"error"} and "\n" not in answer.json()["error"]


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    """A client whose requests change nothing."""
    with in_process(tmp_path_factory) as client:
        yield client


@given(text=st.text(max_size=30) | st.from_regex("[0-9]{1,30}", fullmatch=True), who=st.text(max_size=8))
@settings(max_examples=150)
def test_any_address_is_answered_or_refused(unchanged, text, who):
    text = text.encode("utf-8", "replace").decode()
    headers = {"X-Reviewer": quote(who.encode("utf-8", "surrogatepass"))}
    for path in (
        f"find?id={quote(text)}",
        f"sample/{quote(text, safe='')}",
        f"neighbors/{quote(text)}",
        "progress",
    ):
        assert unchanged.get(f"/api/{path}", headers=headers).status_code in (200, 400, 404)


@contextlib.contextmanager
def in_process(folders):
    app = application(review_of(folders.mktemp("run")), TOKEN)
    yield TestClient(app, "http://127.0.0.1", headers={"X-Token": TOKEN})


# ---------------------------------------------------------------- connections


REQUEST = f"POST /api/decisions HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Token: {TOKEN}\r\nContent-Length: 99\r\n\r\n".encode()
DECISION = b'{"row": 1, "action": "drop"}'


@pytest.mark.parametrize(
    "content",
    [b"", b"GET", REQUEST[:-30], REQUEST, REQUEST + DECISION, b"GET / HTTP/1.1\r\nHost: x\r\n\r\nPOST"],
)
def test_a_request_that_is_never_complete_is_closed_and_decides_nothing(monkeypatch, review, client, content):
    monkeypatch.setattr(connections, "REQUEST_TIMEOUT", 0.5)
    with half_sent(client, content) as connection:
        while connection.recv(1 << 16):
            pass
    assert client.get("/api/run").status_code == 200
    assert review.journal.version == 0 and not (review.storage.folder / "decisions.jsonl").exists()


def test_bytes_that_trickle_do_not_put_the_deadline_off(monkeypatch, client):
    monkeypatch.setattr(connections, "REQUEST_TIMEOUT", 1)
    began = time.monotonic()
    with half_sent(client, b"GET / HTTP/1.1\r\nX: ") as connection, contextlib.suppress(OSError):
        while time.monotonic() < began + 20:
            connection.sendall(b"x")
            time.sleep(0.05)
    assert time.monotonic() - began < 10


def test_the_owner_gets_in_however_many_connections_there_are(monkeypatch, client):
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 20)
    assert client.get("/api/run").status_code == 200  # a connection that stays open
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(half_sent(client, b"GET / HTTP/1.1\r\n"))
        for _ in range(5):
            assert client.get("/api/run").status_code == 200
            assert (
                requests.get(f"{client.base}/api/run", headers={"X-Token": TOKEN}, timeout=20).status_code
                == 200
            )


FEW = """
import contextlib, resource, sys, time
sys.path[:0] = sys.argv[1:3]
from pathlib import Path
import requests
from review_server import TOKEN, half_sent, review_of, served
from datamap.review import connections

def client(base, done):
    end = time.monotonic() + 60
    opened = []
    for _ in range(150):
        with contextlib.suppress(OSError):
            opened.append(half_sent(type("of", (), {"base": base}), b"GET"))
    answers = []
    while len(answers) < 20 and time.monotonic() < end:
        with contextlib.suppress(requests.RequestException):
            answers.append(requests.get(base + "/api/run", headers={"X-Token": TOKEN}, timeout=5).status_code)
    done(answers)

if len(sys.argv) > 3:  # the flood: a process with files of its own
    client(sys.argv[3], print)
    sys.exit()

import subprocess
open_files = len(list(Path("/dev/fd").iterdir()))
with connections.errors_logged_once(), served(review_of(Path())) as client_of_it:
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files + 30, 4096))
    flood = subprocess.Popen([sys.executable, __file__, *sys.argv[1:3], client_of_it.base], stdout=-1, text=True,
                             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096)))
    print(flood.communicate()[0])
"""


def test_with_few_open_files_the_owner_gets_in_and_the_log_stays_short(tmp_path):
    (tmp_path / "few.py").write_text(FEW)
    done = subprocess.run(
        [sys.executable, "few.py", str(ROOT / "src"), str(ROOT / "tests")],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.stdout.strip().splitlines()[-1] == str([200] * 20), done.stdout + done.stderr
    assert len(done.stdout + done.stderr) < 3000


def test_errors_are_logged_once(caplog):
    logger = logging.getLogger("uvicorn.error")
    with connections.errors_logged_once():
        logger.error("Cancel %s running task(s), timeout graceful shutdown exceeded", 1)
        logger.error("Exception in ASGI application", exc_info=asyncio.CancelledError())
        for k in range(100):
            logger.error("of a kind")
            logger.error("another", exc_info=ValueError(k))
    assert len(caplog.records) == connections.MAX_ERRORS
    assert caplog.records[0].msg == "of a kind"  # not what Ctrl-C breaks off
    logger.error("of a kind")
    assert len(caplog.records) == connections.MAX_ERRORS + 1


@pytest.mark.parametrize("name", ["%FF", "x" * 101, "a%00b", "%1B[2J", "%E2%80%AE"])
def test_names_that_are_none(client, name):
    answer = client.post("/api/decisions", json={"row": 1, "action": "drop"}, headers={"X-Reviewer": name})
    assert (answer.status_code, "X-Reviewer" in answer.json()["error"]) == (400, True)


def test_texts_are_data(client):
    for row, text in enumerate(HOSTILE):
        found = client.get(f"/api/sample/{row}").json()
        assert found["text_a"] == text
        assert len(client.post("/api/samples", json={"rows": [row]}).json()["rows"][0]["text_a"]) <= 300
    assert client.get("/api/sample/0").headers["Content-Type"] == "application/json"


def test_the_map_is_one_array_after_the_other(client):
    content = client.get("/api/map").content
    assert (content[:4], int.from_bytes(content[4:8], "little")) == (b"DMAP", 30)
    proposed = np.frombuffer(content, "<u2", 30, 8 + 30 * (12 + 1 + 2))
    assert (proposed[0], proposed[-1]) == (1, 65535)
    assert np.frombuffer(content, "<f4", 30, 8 + 30 * 8)[0] == np.float32(0.99)


def test_a_map_of_more_classes_than_it_can_name(tmp_path):
    content = review_of(tmp_path, count=70_000, classes=70_000).map()
    labels = np.frombuffer(content, "<u2", 70_000, 8 + 70_000 * 13)
    assert labels[-1] == 65535


def order(client, filter=None, order="score"):
    return np.frombuffer(
        client.post("/api/order", json={"filter": filter, "order": order}).content, "<u4"
    ).tolist()


def test_filters_and_orders(client):
    assert order(client) == order(client, order="id") == list(range(30))
    assert order(client, order="uncertain")[0] in (14, 15)
    assert order(client, {"region": ["easy"], "label": [0], "proposed": [1]}) == list(range(0, 15, 3))
    assert order(client, {"score": [0.9, 1]}) == [0, 1, 2]
    assert order(client, {"text": "<SCRIPT"}) == [0, 6, 12, 18, 24]
    assert order(client, {"text": "29"}) == [29]  # an id
    assert order(client, {"polygon": [[-1, -1], [1, -1], [1, 0.1], [-1, 0.1]]}) == [0, 1, 2]


def test_decisions_and_undo(review, client):
    def decide(row, action, label=None, who="me"):
        body = {"row": row, "action": action, "label": label}
        return client.post("/api/decisions", json=body, headers={"X-Reviewer": who}).json()

    first = decide(0, "label", 1)
    assert first["decision"] | {"when": ""} == {
        "row": 0, "id": "0", "action": "label", "old_label": "class 0", "new_label": "class 1", "who": "me", "when": "",
        "score": 0.99, "new": 1,
    }  # fmt: skip
    assert decide(0, "label", 1)["progress"]["reviewed"] == 1  # a page that asks again
    assert decide(0, "label", 0)["decision"]["action"] == "keep"
    assert decide(1, "drop", who="you")["progress"] | {"advice": ""} == {
        "reviewed": 2, "wrong": 1, "suggested": 14, "precision": pytest.approx(
            {"value": 0.5, "low": 0.121, "high": 0.879}, abs=1e-3
        ),
        "remaining": None, "advice": "", "mine": 1, "samples": 30,
        "conflicts": [], "kappa": None,
    }  # fmt: skip
    assert order(client, {"decided": "no"}) == list(range(1, 30))
    assert order(client, {"decided": "nobody"}) == list(range(2, 30))
    assert decide(0, "undo")["decision"] is None
    assert decide(0, "undo")["progress"]["reviewed"] == 1
    assert [one["action"] for one in client.get("/api/sample/0").json()["decisions"]][-1] == "undo"
    assert client.get("/api/find", params={"id": "7"}).json() == {"row": 7}
    assert client.get("/api/find", params={"id": "x"}).status_code == 404


def test_what_the_store_does_not_take_is_told_without_passwords(review, client, monkeypatch):
    def refuse(decision):
        raise TrackingError("postgresql://ann:secret@db/mlflow: gone")

    monkeypatch.setattr(review.storage, "append", refuse)
    answer = client.post("/api/decisions", json={"row": 1, "action": "drop"})
    assert (answer.status_code, answer.json()) == (503, {"error": "postgresql://ann:***@db/mlflow: gone"})
    assert review.journal.version == 0


def test_an_address_is_kept_for_this_user_only(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    made = Address(8123, "t" * 43)
    assert kept_address("0a1b") is None
    keep_address("0a1b", made)
    assert kept_address("0a1b") == made
    (file,) = tmp_path.rglob("*.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for damage in (
        b"",
        b"{}",
        b'{"port": 8123, "token": "short"}',
        b'{"port": 1e9, "token": "' + b"t" * 43 + b'"}',
        b'{"port": 1e999, "token": "' + b"t" * 43 + b'"}',
        b'{"port": 8123, "token": 7}',
        b'{"port": 8123, "token": "' + "٣".encode() * 43 + b'"}',
        b'{"port": ' + b"9" * 5000 + b"}",
        b"[1, 2]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
    ):
        file.write_bytes(damage)
        assert kept_address("0a1b") is None
