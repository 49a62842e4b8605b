"""The review's server in this process: who may ask, what is refused, and what the answers hold."""

import contextlib
import json
import socket
import stat
import threading
import time

import numpy as np
import pyarrow as pa
import pytest
import requests

from datamap.errors import TrackingError
from datamap.review import address, connections, storage
from datamap.review.app import application
from datamap.review.review import About, Review
from datamap.review.samples import Samples

TOKEN = "t" * 43
HOSTILE = [
    "</script><script>alert(1)</script>", "=cmd|' /C calc'!A0", "\x00\x1b[2J\u202e", "a\tb\r\n\"c\"", "𝒳" * 500, "",
]  # fmt: skip


def samples(count=30, classes=3):
    labels = np.arange(count) % classes
    texts = pa.chunked_array([pa.array([HOSTILE[n % len(HOSTILE)] for n in range(count)])])
    scores = np.linspace(0.99, 0.01, count).astype(np.float32)
    return Samples(
        pa.array(range(count)), tuple(f"class {k}" for k in range(classes)), labels.astype(np.int32),
        np.where(scores > 0.5, (labels + 1) % classes, -1).astype(np.int32), (labels % 4).astype(np.uint8), scores,
        np.linspace(0, 0.25, count).astype(np.float32), np.linspace(0, 1, count).astype(np.float32),
        {"text_a": texts}, texts,
    )  # fmt: skip


def review_of(folder, **changes):
    estimate = {"count": 5, "low": 2, "high": 9, "known": True}
    return Review(
        About("0a1b", "name", "combined", "epoch", "en", "me", None, estimate),
        samples(**changes),
        storage.Appended(folder),
    )


@pytest.fixture
def review(tmp_path):
    return review_of(tmp_path)


class Client(requests.Session):
    """Asks a server by paths."""

    def __init__(self, base):
        super().__init__()
        self.base = base
        self.headers["X-Token"] = TOKEN

    def request(self, method, path, **options):
        return super().request(method, self.base + path, timeout=60, **options)


@contextlib.contextmanager
def served(review, loopback=True):
    """A client of a server in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = connections.server(application(review, TOKEN, loopback))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        with Client(f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


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
    assert (answer.status_code, answer.json()) == (404, {"error": "there is no such address here"})


@pytest.mark.parametrize(
    ("path", "body", "status", "reason"),
    [
        ("/api/order", b"{", 400, "no JSON"),
        ("/api/order", b"[" * 100_000, 400, "no JSON"),
        ("/api/order", b"\xff", 400, "no JSON"),
        ("/api/order", b" " * (1 << 20) + b"{}", 413, "too large"),
        ("/api/order", [], 400, "no JSON object"),
        ("/api/order", {"filters": {}}, 400, "unknown key filters (known: filter, order)"),
        ("/api/order", {"order": "random"}, 400, "order=random: choose score, uncertain, id"),
        ("/api/order", {"order": []}, 400, "choose score"),
        ("/api/order", {"filter": {"region": ["wild"]}}, 400, "filter.region=wild: choose easy"),
        ("/api/order", {"filter": {"label": [3]}}, 400, "filter.label is no whole number from 0 to 2: 3"),
        ("/api/order", {"filter": {"label": [True]}}, 400, "filter.label"),
        ("/api/order", {"filter": {"label": 1}}, 400, "filter.label is no list"),
        ("/api/order", {"filter": {"score": [0]}}, 400, "filter.score is not 2 numbers"),
        ("/api/order", b'{"filter": {"score": [0, NaN]}}', 400, "filter.score is not 2 numbers"),
        ("/api/order", {"filter": {"polygon": [[0, 0], [1, 1]]}}, 400, "3 to 10,000 points"),
        ("/api/order", {"filter": {"polygon": [[0, 0], [1, 1], ["a", 0]]}}, 400, "a point of filter.polygon"),
        ("/api/order", {"filter": {"text": "x" * 1001}}, 400, "filter.text"),
        ("/api/order", {"filter": {"decided": "maybe"}}, 400, "choose no"),
        ("/api/samples", {"rows": list(range(201))}, 400, "at most 200"),
        ("/api/samples", {"rows": [30]}, 400, "a row is no whole number from 0 to 29"),
        ("/api/decisions", {"row": 30, "action": "keep"}, 400, "row is no whole number from 0 to 29"),
        ("/api/decisions", {"row": 1.5, "action": "keep"}, 400, "row is no whole number"),
        ("/api/decisions", {"row": 1}, 400, "action=: choose keep"),
        ("/api/decisions", {"row": 1, "action": "erase"}, 400, "action=erase: choose keep"),
        ("/api/decisions", {"row": 1, "action": "label", "label": 3}, 400, "label is no whole number from 0 to 2: 3"),
        ("/api/decisions", {"row": 1, "action": "label", "label": "class 1"}, 400, "label is no whole number"),
        ("/api/decisions", {"row": 1, "action": "label"}, 400, "label is no whole number"),
    ],
)  # fmt: skip
def test_what_is_refused_is_one_line_and_changes_nothing(review, client, path, body, status, reason):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post(path, data=content)
    assert answer.status_code == status, answer.text
    assert reason in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert review.journal.version == 0


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
        "score": 0.99,
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
    made = address.new(8123)
    assert address.kept("0a1b") is None
    address.keep("0a1b", made)
    assert address.kept("0a1b") == made
    (file,) = tmp_path.rglob("*.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for damage in (
        b"",
        b"{}",
        b'{"port": 8123, "token": "short"}',
        b'{"port": 1e9, "token": "' + b"t" * 43 + b'"}',
    ):
        file.write_bytes(damage)
        assert address.kept("0a1b") is None
