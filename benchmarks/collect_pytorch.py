"""Measure the cost of recording with PyTorch: classification and SFT, in the training step and as an evaluation pass.

    .venv-torch/bin/python benchmarks/collect_pytorch.py [rounds=3] [tasks=classification,generation] [samples=1000]
    torchrun --nproc-per-node 2 benchmarks/collect_pytorch.py        the same in two processes
    python benchmarks/collect_pytorch.py device=cuda [out=folder]    BERT-base and a 0.5 B Llama, in bfloat16

Random weights of real architectures, one process unless torchrun starts more; the ways are interleaved, each epoch
after one that warms up. `without` trains, `step` also records what the training step computed, `evaluation pass` is
the callback's pass alone, and `evaluate()` computes what the Trainer's own evaluation of the same samples does: logits
and loss. Goals: step ≤ 1.03 × without, the pass not slower than evaluate().

Where MLflow cannot be imported (a bare GPU machine), records go into files of a folder instead of a run, by the same
computation; then nothing of MLflow and its libraries is used.
"""

import gc
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import resource
import statistics
import sys
import tempfile
import time
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))


class Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands for libraries that are not installed: every name in them is an exception class that does nothing."""

    NAMES = (
        "mlflow", "sqlalchemy", "requests", "tenacity", "filelock", "omegaconf", "hydra", "pydantic", "wrapt", "tqdm",
        "scipy", "cleanlab", "sklearn", "matplotlib", "starlette", "uvicorn", "openpyxl", "charset_normalizer", "yaml",
    )  # fmt: skip

    def __init__(self):
        self.gone = {name for name in self.NAMES if importlib.util.find_spec(name) is None}

    def find_spec(self, name, path, target=None):
        known = name.partition(".")[0] in self.gone
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if known else None

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__path__ = []
        module.__getattr__ = lambda name: thing(name) if not name.startswith("__") else _no(name)
        return module

    def exec_module(self, module):
        pass


def _no(name):
    raise AttributeError(name)


class Anything(type(Exception)):
    """A class on which every operation works, and means nothing."""

    def __getitem__(cls, key):
        return cls

    def __or__(cls, other):
        return cls

    __ror__ = __or__

    def __getattr__(cls, name):
        return _no(name) if name.startswith("__") else thing(name)


def thing(name):
    return Anything(
        name, (Exception,), {"__init__": lambda self, *a, **k: None, "__getattr__": lambda self, n: thing(n)}
    )


ALONE = importlib.util.find_spec("mlflow") is None
if ALONE:
    if importlib.util.find_spec("requests"):
        importlib.import_module(
            "requests"
        )  # it asks for its own libraries' versions, which nothing can stand for
    sys.meta_path.append(Absent())

import numpy as np  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402

from datamap.callbacks.classification import ClassificationObserver  # noqa: E402
from datamap.callbacks.generation import GenerationObserver, token_signals  # noqa: E402
from datamap.callbacks.host_copies import HostCopies  # noqa: E402
from datamap.callbacks.observed_rows import Rows  # noqa: E402
from datamap.callbacks.transformers import DataMapCallback  # noqa: E402
from datamap.processes import joined_processes  # noqa: E402
from datamap.recording.metadata import Metadata  # noqa: E402
from datamap.schema import Task  # noqa: E402
from datamap.signals import compute, shards  # noqa: E402
from datamap.tasks.definitions import tables_of  # noqa: E402

transformers.logging.set_verbosity_error()
# task → (samples, tokens, batch) on a CPU and on a GPU
SIZES = {
    "cpu": {"classification": (1000, 32, 16), "generation": (1000, 32, 8)},
    "cuda": {"classification": (3200, 128, 32), "generation": (256, 512, 8)},
}


class FolderRecorder(compute.ObservationCollector):
    """Records as SignalRecorder does, into files of a folder, in a thread."""

    def __init__(self, folder, task):
        super().__init__(self.queue, tables_of(Task(task)))
        self.folder, self.pool = Path(folder), ThreadPoolExecutor(1)

    def queue(self, number, table):
        self.pool.submit(self.store, number, table)

    def store(self, number, table):
        for path, content in shards.files(table, "epoch", number, 100_000):
            (self.folder / Path(path).name).write_bytes(content)

    def close(self):
        self.pool.shutdown()


def recorder_of(task, folder):
    if ALONE:
        return FolderRecorder(folder, task)
    from datamap.recording.recorder import SignalRecorder

    return SignalRecorder(task=task)


def model_of(task, device):
    torch.manual_seed(0)
    if task == "classification":
        small = {
            "hidden_size": 256,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "intermediate_size": 1024,
        }
        config = transformers.BertConfig(vocab_size=30522, **(small if device.type == "cpu" else {}))
        model = transformers.BertForSequenceClassification(config)
    else:
        small = {"vocab_size": 8000, "hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 6}
        small |= {"num_key_value_heads": 6, "intermediate_size": 1536}
        large = {"vocab_size": 151936, "hidden_size": 896, "num_hidden_layers": 24, "num_attention_heads": 14}
        large |= {"num_key_value_heads": 2, "intermediate_size": 4864, "tie_word_embeddings": True}
        config = transformers.LlamaConfig(**(small if device.type == "cpu" else large))
        model = transformers.LlamaForCausalLM(config)
    return model.to(device, torch.float32 if device.type == "cpu" else torch.bfloat16)


def rows_of(task, count, length, vocabulary):
    """Samples of about `length` tokens, of which the second half of a text is the completion."""
    rng, rows = np.random.default_rng(0), []
    for number in range(count):
        tokens = rng.integers(5, vocabulary, length)
        labels = np.where(np.arange(length) < length // 2, -100, tokens)
        rows.append(
            {
                "id": number,
                "input_ids": tokens.tolist(),
                "labels": int(tokens[0] % 2) if task == "classification" else labels.tolist(),
            }
        )
    return rows


def collate(rows):
    return {key: torch.tensor([row[key] for row in rows]) for key in ("input_ids", "labels")}


class Bench:
    """One task's model, samples and ways."""

    def __init__(self, task, device, samples):
        self.task, self.device = task, device
        count, length, self.batch = SIZES[device.type][task]
        count = min(count, samples)
        self.model = model_of(task, device)
        self.rows = rows_of(task, count, length, self.model.config.vocab_size)
        self.ids = torch.arange(count)
        self.processes = joined_processes()
        self.trained = self.model
        if self.processes.count > 1:
            self.trained = torch.nn.parallel.DistributedDataParallel(self.model)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), 1e-5)
        args = SimpleNamespace(
            device=device, eval_batch_size=self.batch, label_names=None, dataloader_num_workers=0
        )
        self.callback = DataMapCallback()
        kind = GenerationObserver if task == "generation" else ClassificationObserver
        metadata = Metadata(None, None)
        loader = SimpleNamespace(collate_fn=collate)
        self.source = kind(self.callback, self.processes, Rows(self.rows), loader, args, metadata)
        self.source.check_rows()
        with torch.no_grad():
            self.source.check_model(self.model)

    def batches(self, size):
        order = torch.randperm(len(self.rows), generator=torch.Generator().manual_seed(1))
        mine = order[self.processes.index :: self.processes.count]
        for part in mine.split(size):
            batch = collate([self.rows[row] for row in part.tolist()])
            yield part, {name: value.to(self.device, non_blocking=True) for name, value in batch.items()}

    def train(self, recorder=None):
        self.trained.train()
        copies = HostCopies()
        for ids, batch in self.batches(self.batch):
            output = self.trained(**batch)
            output.loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            if recorder is not None:
                for found in copies.start(self.signals(ids, batch, output.logits.detach())):
                    self.record(recorder, *found)
        for found in copies.finish():
            self.record(recorder, *found)

    def signals(self, ids, batch, logits):
        """Return what a step records: the logits of classes, or three numbers of each target token."""
        if self.task == "classification":
            return ids, batch["labels"], logits
        length = logits.shape[1]
        targets = [place for place in range(1, length) if place >= length // 2]
        places = torch.tensor(
            [line * length + t - 1 for line in range(len(ids)) for t in targets], device="cpu"
        )
        wanted = batch["labels"][:, length // 2 :].reshape(-1)
        places = (places.pin_memory() if self.device.type == "cuda" else places).to(
            self.device, non_blocking=True
        )
        found = token_signals(logits.flatten(0, 1), places, wanted, lambda part: part)
        return ids.tolist(), [len(targets)] * len(ids), found

    def record(self, recorder, *found):
        self.source.record(recorder, *found)

    @torch.no_grad()
    def observe(self, recorder):
        self.model.eval()
        for found in self.callback.on_host(self.source.outputs(self.model)):
            self.record(recorder, *found)

    @torch.no_grad()
    def evaluate(self):
        """Logits and loss of each sample, as `Trainer.evaluate()` has them; in SFT it keeps the loss alone."""
        self.model.eval()
        losses, kept = [], []
        for rows in np.array_split(np.arange(len(self.rows)), self.processes.count)[self.processes.index :][
            :1
        ]:
            for start in range(0, len(rows), self.batch):
                batch = collate([self.rows[row] for row in rows[start : start + self.batch]])
                batch = {name: value.to(self.device, non_blocking=True) for name, value in batch.items()}
                output = self.model(**batch)
                losses.append(output.loss.repeat(len(batch["labels"])))
                if self.task == "classification":
                    kept.append(output.logits)
        return torch.cat(losses).float().cpu(), [part.cpu() for part in kept]


def seconds(bench, action):
    """Wall seconds, and CPU seconds of all processes."""
    gc.collect()
    if bench.device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    bench.processes.gather(None)
    start, used = time.perf_counter(), time.process_time()
    action()
    if bench.device.type == "cuda":
        torch.cuda.synchronize()
    spent = sum(bench.processes.gather(time.process_time() - used))
    return time.perf_counter() - start, spent


def peak(bench):
    if bench.device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def measure(task, device, rounds, folder, samples):
    """{way: ([(wall, CPU seconds) of each round], peak MB)}."""
    bench, recorder = Bench(task, device, samples), recorder_of(task, folder)
    number = 0

    def committed(action):
        nonlocal number
        action(recorder)
        number += 1
        recorder.commit(number)

    ways = {
        "without": bench.train,
        "step": lambda: committed(bench.train),
        "evaluate()": bench.evaluate,
        "evaluation pass": lambda: committed(bench.observe),
    }
    found = {way: ([], []) for way in ways}
    for turn in range(rounds + 1):
        for way, action in ways.items() if turn % 2 else reversed(ways.items()):
            found[way][0].append(seconds(bench, action))
            found[way][1].append(peak(bench))
    recorder.close()
    profiled = profile(bench, recorder_of(task, folder)) if device.type == "cuda" else None
    return bench, {way: (times[1:], max(memory)) for way, (times, memory) in found.items()}, profiled


def profile(bench, recorder):
    """{way: what the device and the host did}, by torch.profiler, of a few batches each."""
    from torch.profiler import ProfilerActivity

    rows, bench.rows = bench.rows, bench.rows[: 12 * bench.batch]
    found = {}
    for way, action in (
        ("without", bench.train),
        ("step", lambda: bench.train(recorder)),
        ("evaluation pass", lambda: bench.observe(recorder)),
    ):
        if way == "evaluation pass":
            bench.rows = rows
            bench.source.part = range(12 * bench.batch)
            name = "_mine" if bench.task == "generation" else "_ids"
            kept = 12 * bench.batch if bench.task == "generation" else 12
            setattr(bench.source, name, getattr(bench.source, name)[:kept])
        torch.cuda.synchronize()
        start = time.perf_counter()
        with torch.profiler.profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
            action()
            torch.cuda.synchronize()
        wall = time.perf_counter() - start
        events = {event.key: event for event in seen.key_averages()}
        names = (
            "cudaStreamSynchronize",
            "cudaEventSynchronize",
            "cudaDeviceSynchronize",
            "aten::_local_scalar_dense",
        )
        kernels = (
            sum(event.self_device_time_total for event in events.values() if event.key[:2] != "cu") / 1e6
        )
        copies = {key: event.count for key, event in events.items() if key.startswith("Memcpy DtoH")}
        waits = {
            name: [events[name].count, round(events[name].self_cpu_time_total / 1e3, 2)]
            for name in names
            if name in events
        }
        found[way] = {
            "seconds": round(wall, 3),
            "device_seconds": round(kernels, 3),
            "waits_ms": waits,
            "copies": copies,
        }
        recorder._batches = []
    return found


def compared(found, way, base, place):
    """Medians over rounds of a way's seconds (place 0: wall, 1: CPU), and of their ratio to those of `base`."""
    pairs = [(a[place], b[place]) for a, b in zip(found[way][0], found[base][0], strict=True)]
    return statistics.median(a for a, _ in pairs), statistics.median(a / b for a, b in pairs)


def main(rounds="3", tasks="classification,generation", device="cpu", out="", samples="1000000"):
    """Print a Markdown table, and with `out` write it and the profile there."""
    place = torch.device(device)
    if "RANK" in os.environ:
        torch.distributed.init_process_group("gloo")
    lines = [
        "| task | samples | processes | an epoch | seconds | × without | CPU s | × without | × evaluate() | peak MB |",
        "|---|---:|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    profiles = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        os.chdir(folder)
        for task in tasks.split(","):
            bench, found, profiles[task] = measure(task, place, int(rounds), folder, int(samples))
            for way, (_, memory) in found.items():
                (wall, more), (cpu, cpu_more) = (compared(found, way, "without", place) for place in (0, 1))
                beside = f"{compared(found, way, 'evaluate()', 1)[1]:.3f}" if "eval" in way else ""
                numbers = f"{wall:.3f} | {more:.3f} | {cpu:.3f} | {cpu_more:.3f} | {beside} | {memory:,.0f}"
                lines.append(
                    f"| {task} | {len(bench.rows):,} | {bench.processes.count} | {way} | {numbers} |"
                )
            first = bench.processes.first
            del bench
            gc.collect()
        os.chdir(ROOT)
    if not first:
        return
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    lines += ["", f"{name}, torch {torch.__version__}, transformers {transformers.__version__}."]
    if device == "cuda":
        lines += ["", "```json", json.dumps(profiles, indent=1), "```"]
    print("\n".join(lines), flush=True)
    if out:
        Path(out, "collect.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
