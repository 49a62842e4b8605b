"""Runs under review that the tests make by hand, and how they talk to the server of `datamap review`."""

import contextlib
import json
import re
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd

import datamap
from datamap import schema
from datamap.signals import compute, shards
from datamap.summaries import tsv
from processes import Process

WRONG = 7  # every seventh label is wrong


def made_run(samples=40, classes=3, texts=True, uri=None, word=None):
    """Id of a run of two observations: a model that contradicts every seventh label.

    `word` begins each text; `texts` may be {column: texts} instead.
    """
    from datamap.tracking.store import Store

    truth = np.arange(samples) % classes
    given = np.where(np.arange(samples) % WRONG == 3, (truth + 1) % classes, truth)
    probs = np.full((samples, classes), 0.2 / classes)
    probs[np.arange(samples), truth] += 0.8
    ids = [f"s{n}" for n in range(samples)]
    table = compute.signal_table(ids, given, probs=probs)
    with Store(uri, create=True).new_run("hand-made") as run:
        for number in (1, 2):
            for shard, content in shards.encoded(table, "epoch", number, 100):
                run.log_bytes(content, shard.path)
            run.log_metrics({schema.COMMIT_METRIC: samples}, number)
        run.log_labels([f"class {k}" for k in range(classes)])
        if texts:
            said = [f"{word or ''}question {chr(0x4E00 + 31 * k)} number {n}" for n, k in enumerate(truth)]
            columns = {"text_a": said} if texts is True else texts
            frame = pd.DataFrame({"id": ids, **columns, "label": given})
            run.log_bytes(b"".join(tsv.lines(frame)), schema.SAMPLES_FILE)
    return run.run_id


TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def token_run(uri=None, wrong=1):
    """(id of a run of 30 sentences, {sample: its true tags}); in every seventh the first `wrong` tokens are O."""
    random, rows, truth = np.random.default_rng(0), [], {}
    for n in range(30):
        tokens = [("Ann", "Bob", "Eve")[n % 3], "Li", "saw", *(["New", "York"] if n % 2 else ["Rome"]), "."]
        truth[f"s{n}"] = ["B-PER", "I-PER", "O", "B-LOC", *(["I-LOC"] if n % 2 else []), "O"]
        rows.append({"id": f"s{n}", "tokens": tokens, "tags": list(truth[f"s{n}"])})
        if n % WRONG == 3:
            rows[-1]["tags"][:wrong] = ["O"] * wrong
    with datamap.SignalRecorder(TAGS, rows, task="tokens", tracking_uri=uri) as recorder:
        for epoch in (1, 2):
            right = [[TAGS.index(tag) for tag in tags] for tags in truth.values()]
            scores = [3 * np.eye(5)[tags] + random.normal(0, 0.3, (len(tags), 5)) for tags in right]
            given = [[TAGS.index(tag) for tag in row["tags"]] for row in rows]
            recorder.record(list(truth), given, logits=scores)
            recorder.commit(epoch)
    return recorder.run_id, truth


TOPICS = ["sports", "politics", "economy"]


def label_run(uri=None):
    """Id of a run of 40 texts with several labels; every seventh lacks the label that its number says."""
    random, texts = np.random.default_rng(1), []
    truth = np.array([[n % 3 == k or n % 5 == k for k in range(3)] for n in range(40)], int)
    for n, labels in enumerate(truth):
        names = [TOPICS[k] for k in np.flatnonzero(labels)]
        given = [name for name in names if not (n % WRONG == 3 and name == TOPICS[n % 3])]
        texts.append({"id": n, "text": f"news of {' and '.join(names)}, {n}", "labels": given})
    with datamap.SignalRecorder(TOPICS, texts, task="multilabel", tracking_uri=uri) as recorder:
        for epoch in (1, 2):
            given = [[int(name in row["labels"]) for name in TOPICS] for row in texts]
            recorder.record(range(40), given, logits=4 * truth - 2 + random.normal(0, 0.3, (40, 3)))
            recorder.commit(epoch)
    return recorder.run_id


class Server:
    """A `datamap review` in a process of its own."""

    def __init__(self, process):
        self.process, self.lines = process, []
        for line in process.stdout:
            self.lines.append(line)
            found = re.search(r"(http://[^/]+)/\?token=(\S+)", line)
            if found:
                break
        assert found, "".join(self.lines)
        self.base, self.token = found.groups()

    def __call__(self, path, body=None, who="", **headers):
        """(status, answer) of a request; a body is posted, as JSON unless it is bytes."""
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"X-Token": self.token, "X-Reviewer": quote(who)} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        request = urllib.request.Request(self.base + path, content, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, content = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, content = error.code, error.read()
        return status, json.loads(content) if content[:1] in b"{[" else content

    def queue(self, filter=None, who="", order="score", limit=50):
        """(how many samples pass, the first of them)."""
        status, content = self("/api/order", {"filter": filter, "order": order}, who)
        assert status == 200, content
        rows = np.frombuffer(content, "<u4").tolist()
        return len(rows), self("/api/samples", {"rows": rows[:limit]}, who)[1]["rows"]

    def decide(self, row, action, label=None, who=""):
        """The answer to a decision that must be taken."""
        status, answer = self("/api/decisions", {"row": row, "action": action, "label": label}, who)
        assert status == 200, answer
        return answer

    def end(self, number=signal.SIGINT):
        """End it; what it printed after its address."""
        self.process.send_signal(number)
        rest = self.process.stdout.read()
        self.process.wait(60)
        return rest


@contextlib.contextmanager
def serving(run_id, *options, **environment):
    """A `Server` of a run's review, which ends with the block."""
    state = {"XDG_STATE_HOME": str(Path.cwd()), **environment}
    process = Process("review", [f"run_id={run_id}", *options], **state)
    try:
        yield Server(process)
    finally:
        process.kill()
        process.wait(60)
        process.stdout.close()


def until(condition, seconds=30):
    """Return what a condition gives once it gives something."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found
