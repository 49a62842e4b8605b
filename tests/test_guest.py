"""Importing Data Map and calling its API changes nothing of the process that does."""

import itertools
import platform
import sys

import pytest

from conftest import ROOT

STATE = """
import atexit, csv, gc, locale, logging, os, random, signal, sys, threading, warnings
import cleanlab, lightning, matplotlib, mlflow, numpy, omegaconf, pandas, pyarrow, torch, transformers.trainer
omegaconf.OmegaConf.register_new_resolver("demo", lambda name: "theirs")
logging.basicConfig(filename="their.log", level=logging.INFO)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
mlflow.search_experiments()
RETRIES = mlflow.environment_variables.MLFLOW_HTTP_REQUEST_MAX_RETRIES
hooks, register, unregister = [], atexit.register, atexit.unregister
atexit.register = lambda hook, *rest, **more: hooks.append(hook) or register(hook, *rest, **more)
atexit.unregister = lambda hook: (hook in hooks and hooks.remove(hook), unregister(hook))

def state():
    loggers = {name: logging.getLogger(name) for name in ("", "datamap", "mlflow", "mlflow.store.db.utils")}
    return {
        "gc": (gc.get_threshold(), gc.isenabled(), gc.get_freeze_count(), gc.callbacks[:]),
        "atexit": [hook for hook in hooks if "mlflow.telemetry" not in str(hook)],
        "environment": {n: v for n, v in os.environ.items() if n != "_MLFLOW_TELEMETRY_SESSION_ID"},
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)],
        "loggers": {n: (l.level, l.handlers[:], l.propagate, l.disabled, l.filters[:]) for n, l in loggers.items()},
        "logging": (logging.raiseExceptions, logging.root.manager.disable, logging.getLoggerClass()),
        "mlflow": (mlflow.get_tracking_uri(), mlflow.active_run(), RETRIES.get()),
        "resolver": omegaconf.OmegaConf.create({"a": "${demo:x}"}).a,
        "resolvers": set(omegaconf.basecontainer.BaseContainer._resolvers),
        "warnings": warnings.filters[:],
        "hooks": (sys.excepthook, sys.unraisablehook, threading.excepthook, sys.stdout, sys.stderr, sys.argv[:]),
        "locale": locale.setlocale(locale.LC_ALL),
        "threads": threading.enumerate(),
        "matplotlib": (matplotlib.get_backend(), dict(matplotlib.rcParams)),
        "random": (random.getstate(), torch.random.get_rng_state().tolist()),
        "numpy": (numpy.geterr(), numpy.get_printoptions(), numpy.random.get_state()[1].tolist()),
        "pandas": {name: pandas.get_option(name) for name in ("display.max_rows", "future.infer_string")},
        "interpreter": (sys.getswitchinterval(), sys.getrecursionlimit(), os.getcwd(), csv.field_size_limit()),
        "arrow": pyarrow.default_memory_pool().backend_name,
    }

before = state()
import datamap

ids = []
for seed in (1, 2):
    rng = numpy.random.default_rng(seed)
    labels = numpy.arange(40) % 2
    samples = {"id": range(40), "text_a": [f"text {i}" for i in range(40)], "label": labels}
    with datamap.SignalRecorder(["no", "yes"], samples) as recorder:
        for epoch in (1, 2, 3):
            recorder.record(range(40), labels, logits=rng.normal(0, 1, (40, 2)))
            recorder.commit(epoch)
    ids.append(recorder.run_id)
import datamap.callbacks.transformers, datamap.callbacks.lightning
datamap.draw_map(datamap.summarize(ids[0]), lang="zh", marginals=True)
datamap.diagnose(ids[0])
run = datamap.load_run(ids[0])
run.explorer()._repr_html_(), run.map(), run.decisions(), run.diagnosis()
datamap.plot(ids[0])
datamap.curate(ids[0], keep="clean", share=0.1)
datamap.compare(ids)
datamap.autolog()
datamap.autolog(disable=True)
after = state()
for name in before:
    if before[name] != after[name]:
        print("changed:", name, before[name], "->", after[name])
print("compared")
"""


def test_the_whole_api_leaves_the_process_as_it_was(store, shell, clean_world):
    outcome = shell([sys.executable, "-c", STATE], PYTHONPATH=str(ROOT / "src"))
    assert outcome.out == "compared\n", outcome.err
    with open("their.log") as file:  # noqa: PTH123
        lines = file.read()
    assert "INFO:datamap:next: datamap summarize run_id=" in lines


ARENAS = """
import ctypes, threading
from datamap.cli import process
process.begin()
at_once = threading.Barrier(4)
threads = [threading.Thread(target=lambda: (at_once.wait(), [bytearray(9_000) for _ in range(99)])) for _ in range(4)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
ctypes.CDLL(None).malloc_stats()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such areas")
def test_the_threads_of_our_own_command_share_their_memory(shell):
    outcome = shell([sys.executable, "-c", ARENAS], PYTHONPATH=str(ROOT / "src"))
    assert outcome.err.count("Arena") == 1, outcome.err


LINES = """
import logging, sys
from datamap.log import say
{}
say("a line of http://h/?token=s3cret")
print("end")
"""


@pytest.mark.parametrize(
    ("their_logging", "seen"),
    [
        ("", True),  # as in a notebook
        ("logging.basicConfig()", True),  # at WARNING
        ("logging.basicConfig(level=logging.INFO, filename='their.log')", False),
        ("logging.getLogger('datamap').setLevel(logging.WARNING)", False),
        ("logging.disable(logging.INFO)", False),
        ("sys.stdout.fileno = None", True),
    ],
)
def test_lines_go_to_the_users_logging_or_are_printed(shell, their_logging, seen):
    outcome = shell([sys.executable, "-c", LINES.format(their_logging)], PYTHONPATH=str(ROOT / "src"))
    assert outcome.out == "a line of http://h/?token=***\n" * seen + "end\n"
    assert (outcome.code, outcome.err) == (0, "")


STREAMS = """
import io, logging, os, sys
from datamap.log import say

class Strange(io.StringIO):
    def __init__(self, error): self.error = error
    def write(self, text): raise self.error
    def fileno(self): raise io.UnsupportedOperation("fileno")

class Handler(logging.Handler):
    def emit(self, record): raise RuntimeError("theirs")

{change}
before = os.fstat(1)
say("lost")
assert os.fstat(1) == before and sys.stdout is stream
sys.stdout = sys.__stderr__  # Python flushes it at its end
print("the work goes on", file=sys.stderr)
"""
CHANGES = [
    "stream = sys.stdout = Strange(OSError(5, 'lost'))",
    "stream = sys.stdout = Strange(ValueError())",
    "stream = sys.stdout = Strange(BrokenPipeError())",
    "stream = sys.stdout = None",
    "stream = sys.stdout; stream.close()",
    "stream = sys.stdout = object()",
    "logging.basicConfig(level=logging.INFO, handlers=[Handler()]); stream = sys.stdout",
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_standard_output_of_any_kind_is_left_alone(shell, change):
    outcome = shell([sys.executable, "-c", STREAMS.format(change=change)], PYTHONPATH=str(ROOT / "src"))
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err.splitlines()[-1] == "the work goes on"


CLOSED = [">&-", "2>&-", ">&- 2>&- <&-", ">/dev/full", "2>/dev/full", "| true"]


@pytest.mark.parametrize(
    ("arguments", "closed"),
    [
        *itertools.product(["--help", "plot --help", "nothing"], CLOSED),
        ("plot run_id=x", CLOSED[2]),  # which imports MLflow, and opens files
    ],
)
def test_commands_end_quietly_on_closed_streams(store, shell, arguments, closed):
    code = f"import sys; sys.argv[1:] = {arguments.split()!r}; from datamap.cli.entry import main; main()"
    line = f'exec 9>&2; ({sys.executable} -c "{code}") {closed}; echo code $? >&9'
    outcome = shell(["bash", "-c", line], PYTHONPATH=str(ROOT / "src"))
    assert "Traceback" not in outcome.err and "Exception ignored" not in outcome.err
    good = "|" in closed or ("help" in arguments and closed != ">/dev/full")
    assert outcome.err.splitlines()[-1] == f"code {0 if good else 2}"
