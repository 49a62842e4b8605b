"""A server of `datamap review` in this process, of samples made by hand."""

import contextlib
import socket
import threading
import time

import numpy as np
import pyarrow as pa
import requests

from datamap.review import connections, storage
from datamap.review.app import application
from datamap.review.review import About, Review
from datamap.review.samples import ReviewSamples

TOKEN = "t" * 43
HOSTILE = [
    "</script><script>alert(1)</script>", "=cmd|' /C calc'!A0", "\x00\x1b[2J\u202e", "a\tb\r\n\"c\"", "𝒳" * 500, "",
]  # fmt: skip


def samples(count=30, classes=3):
    labels = np.arange(count) % classes
    texts = pa.chunked_array([pa.array([HOSTILE[n % len(HOSTILE)] for n in range(count)])])
    scores = np.linspace(0.99, 0.01, count).astype(np.float32)
    return ReviewSamples(
        pa.array(range(count)), tuple(f"class {k}" for k in range(classes)), labels.astype(np.int32),
        np.where(scores > 0.5, (labels + 1) % classes, -1).astype(np.int32), (labels % 4).astype(np.uint8), scores,
        np.linspace(0, 0.25, count).astype(np.float32), np.linspace(0, 1, count).astype(np.float32),
        {"text_a": texts}, texts, np.arange(count) + 1,
    )  # fmt: skip


def review_of(folder, **changes):
    estimate = {"count": 5, "low": 2, "high": 9, "known": True}
    return Review(
        About("0a1b", "name", "combined", "epoch", "en", "me", None, estimate),
        samples(**changes),
        storage.AppendingStorage(folder),
    )


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


def half_sent(client, content):
    """A connection that sends only so much."""
    host, port = client.base.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.sendall(content)
    return connection
