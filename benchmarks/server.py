"""Requests and wall time of commands at a server that is 100 ms away, of two versions side by side.

    python benchmarks/server.py <folder of the version before> [delay=0.1] [rounds=3] [kinds]

Each version records a run of its own (200 texts, 3 observations) into one `mlflow server`, through a proxy that counts
requests and waits before it passes one on; then it summarizes, plots for the first time, diagnoses, curates, and starts
a review until its address is printed. Rounds are interleaved; medians. `kinds` also prints how many requests went
where.
"""

import contextlib
import http.client
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STEPS = ("summarize", "plot", "diagnose", "curate", "review")
RECORD = """
import sys; sys.path.insert(0, {src!r})
import datamap
n = 200
texts = {{"id": range(n), "text_a": [f"text {{i}} of {{i % 7}}" for i in range(n)], "label": [i % 2 for i in range(n)]}}
with datamap.SignalRecorder(["no", "yes"], texts) as recorder:
    for epoch in (1, 2, 3):
        recorder.record(range(n), texts["label"], logits=[[i % 3, epoch * (i % 2)] for i in range(n)])
        recorder.commit(epoch)
print(recorder.run_id)
"""


class Proxy(BaseHTTPRequestHandler):
    """Pass requests on after a delay, and count them by what they are about."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    upstream, delay, seen = "", 0.0, Counter()

    def _pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        type(self).seen[f"{self.command} {kind(self.path)}"] += 1
        time.sleep(self.delay)
        with contextlib.closing(http.client.HTTPConnection(self.upstream, timeout=60)) as upstream:
            headers = {k: v for k, v in self.headers.items() if k not in ("Connection", "Accept-Encoding")}
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            content = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.getheader("Content-Type") or "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815

    def log_message(self, *arguments):
        """Print nothing."""


def kind(path):
    """Return what a request is about, without ids."""
    path, _, query = path.partition("?")
    path = re.sub(r"[0-9a-f]{8}-?[0-9a-f-]{24,28}", "*", path)
    listed = re.search("path=([^&]*)", query)
    return path + (f" of {listed[1].rpartition('artifacts')[2]}" if listed else "")


@contextlib.contextmanager
def served(folder):
    """Address of a proxy before a real `mlflow server` in a folder."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        free = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        port = free.server_port
        free.server_close()
        Proxy.upstream = f"127.0.0.1:{port}"
        command = [
            str(Path(sys.executable).parent / "mlflow"), "server", "--port", str(port), "--workers", "1",
            "--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", "./artifacts",
        ]  # fmt: skip
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            for _ in range(240):
                with (
                    contextlib.suppress(OSError),
                    urllib.request.urlopen(f"http://{Proxy.upstream}/health", timeout=1),
                ):
                    break
                time.sleep(0.5)
            threading.Thread(target=proxy.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{proxy.server_port}"
            proxy.shutdown()
        finally:
            process.terminate()
            process.wait(30)


def measured(step, root, run_id, environment):
    """Return (requests by kind, seconds) of a command; of a review until it prints its address."""
    Proxy.seen = Counter()
    command = [sys.executable, str(root / "src" / f"{step}.py"), f"run_id={run_id}"]
    command += ["keep=clean", "share=0.1"] if step == "curate" else []
    began = time.perf_counter()
    with subprocess.Popen(
        [*command, "port=0"] if step == "review" else command,
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        lines = []
        for line in process.stdout:
            lines.append(line)
            if step == "review" and "http://127.0.0.1" in line:
                break
        seconds = time.perf_counter() - began
        if step == "review":
            time.sleep(3)  # what is read in the background belongs to the start
            seen = Proxy.seen.copy()
            process.send_signal(signal.SIGINT)
        code = process.wait()
    if code and step != "review":
        raise SystemExit(f"{step} of {root}: {''.join(lines)}")
    return (seen if step == "review" else Proxy.seen), seconds


def main():
    """Measure, and print the table."""
    given = dict(argument.split("=") for argument in sys.argv[2:] if "=" in argument)
    roots = {"before": Path(sys.argv[1]).resolve(), "now": ROOT}
    found = {}
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as address:
        environment = {
            "MPLCONFIGDIR": str(Path.home() / ".cache" / "matplotlib"), **os.environ,
            "MLFLOW_TRACKING_URI": address,
        }  # fmt: skip
        for _ in range(int(given.get("rounds", 3))):
            for version, root in roots.items():
                Proxy.delay = 0.0
                recorder = [sys.executable, "-c", RECORD.format(src=str(root / "src"))]
                out = subprocess.run(recorder, env=environment, check=True, capture_output=True, text=True)
                Proxy.delay = float(given.get("delay", 0.1))
                for step in STEPS:
                    cost = measured(step, root, out.stdout.split()[-1], environment)
                    found.setdefault((step, version), []).append(cost)
    versions = " | ".join(roots)
    print(f"| command | requests {versions} | seconds {versions} |")
    print("|---|" + "---:|" * 2 * len(roots))
    for step in STEPS:
        cells = [step]
        for value, format in ((lambda cost: sum(cost[0].values()), ".0f"), (lambda cost: cost[1], ".1f")):
            cells += [f"{statistics.median(map(value, found[step, version])):{format}}" for version in roots]
        print("|", " | ".join(cells), "|")
    if "kinds" in sys.argv:
        for step in STEPS:
            print(f"\n{step}")
            for name, count in found[step, "now"][0][0].most_common():
                print(f"  {count}  {name}")


if __name__ == "__main__":
    main()
