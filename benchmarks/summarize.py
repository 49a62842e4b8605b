"""From signals to summary.tsv: wall time, peak memory and rows a second, at three sizes.

    python benchmarks/summarize.py [rounds=5] [sizes=240000x5,1000000x100,10000000x10]
        [formats=jsonl,parquet] [folder=/tmp/...]     the large sizes take 16 GB of disk as JSONL

Side by side, interleaved, each in a process of its own, medians of `rounds`: ours (from files to file),
the bare reading of the same columns by pyarrow, and at the smallest size what simple pandas code takes.
Goals (issue 3): 240,000 × 5 from JSONL within 1.6 × the reading and 50 × faster than pandas;
10,000,000 × 10 from Parquet within 60 s and 3 GB on 2 cores.
"""

import contextlib
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))


class Folder:
    """Signals in a folder, read as those of a run are."""

    def __init__(self, root):
        self.root = Path(root)

    def local(self, path, sha256=None):
        return contextlib.nullcontext(self.root / path)


def make(folder, samples, observations, format):
    """Random signals of two classes, in the contract's files, 100,000 records a shard."""
    import numpy as np

    from datamap.signals import compute, shards

    Path(folder, "signals").mkdir(parents=True)
    generator = np.random.default_rng(0)
    labels, ease = generator.integers(0, 2, samples), generator.normal(0, 1, samples)
    for number in range(1, observations + 1):
        scores = (ease + 0.3 * number + generator.normal(0, 1, samples)) * np.where(labels == 1, 1, -1)
        logits = np.stack([-scores, scores], axis=1).astype(np.float32)
        table = compute.signal_table(np.arange(samples), labels, logits=logits)
        found = []
        for shard, content in shards.encoded(table, "epoch", number, 100_000, format):
            Path(folder, shard.path).write_bytes(content)
            found.append(shard)
        Path(folder, shard.checksums_path).write_bytes(shards.checksums(found))


def observed(folder, samples):
    """({number: shards}, {number: records}) with checksums, as `steps` finds them in a run."""
    from datamap import schema
    from datamap.signals import shards

    paths = [f"signals/{path.name}" for path in Path(folder, "signals").iterdir()]
    found = [shard for shard in map(schema.parse_shard, paths) if shard]
    digests = {}
    for path in {shard.checksums_path for shard in found}:
        digests |= shards.parse_checksums(Path(folder, path).read_bytes(), path)
    rows = {shard.number: samples for shard in found}
    return shards.complete_observations(found, rows, digests)[0], rows


def ours(folder, samples):
    from datamap.signals import shards
    from datamap.summaries import reduction

    whole, rows = observed(folder, samples)
    parts = reduction.in_process(Folder(folder), shards.groups(whole), reduction.Options())
    reduction.write(parts, Path(folder, "summary.tsv"), rows)


def reading(folder, samples):
    """Read the same columns of the same files with pyarrow and let go."""
    import pyarrow.json
    import pyarrow.parquet

    columns = ["id", "label", "noisy_label", "correct", "loss", "probs", "label_probs"]
    kinds = ["int64", "int64", "int64", "bool", "float64", None, "float64"]
    types = [pyarrow.list_(pyarrow.float64()) if k is None else pyarrow.type_for_alias(k) for k in kinds]
    options = {
        "read_options": pyarrow.json.ReadOptions(block_size=1 << 22),
        "parse_options": pyarrow.json.ParseOptions(
            explicit_schema=pyarrow.schema(list(zip(columns, types, strict=True))),
            unexpected_field_behavior="ignore",
        ),
    }
    for path in sorted(Path(folder, "signals").glob("*-of-*")):
        if path.suffix == ".parquet":
            pyarrow.parquet.read_table(path, columns=columns)
        else:
            pyarrow.json.read_json(path, **options)


def simple_pandas(folder, samples):
    """The contract's columns as one would write them first: groupby("id").apply(a function of a frame)."""
    import pandas as pd

    parts = []
    for path in sorted(Path(folder, "signals").glob("*-of-*")):
        part = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_json(path, lines=True)
        parts.append(part.assign(number=path.name.split("-")[0]))

    def reduce(records):
        correct, probs = records["correct"].tolist(), records["label_probs"]
        forgets = [t for t in range(1, len(correct)) if correct[t - 1] and not correct[t]]
        learns = [t for t in range(1, len(correct)) if not correct[t - 1] and correct[t]]
        return pd.Series(
            {
                "label": records["label"].iloc[0],
                "s_label": records["noisy_label"].iloc[0],
                "correct_times": sum(correct),
                "correct_ratio": sum(correct) / len(correct),
                "avg_probs": probs.mean(),
                "label_var": probs.var(ddof=0),
                "max_label_probs": probs.max(),
                "min_label_probs": probs.min(),
                "forgetting_times": len(forgets),
                "learnt_times": len(learns),
                "first_forget": forgets[0] if forgets else 0,
                "first_learn": learns[0] if learns else 0,
            }
        )

    whole = pd.concat(parts).sort_values("number", kind="stable")
    summary = whole.groupby("id").apply(reduce, include_groups=False)
    summary.to_csv(Path(folder, "simple.tsv"), sep="\t")


WAYS = {"ours": ours, "reading": reading, "pandas": simple_pandas}


def once(way, folder, samples):
    """Seconds and peak memory (MB, of the process with its libraries) of one way, in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", way, str(folder), str(samples)],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


def one(way, folder, samples):
    import pandas  # noqa: F401  their import is not measured
    import pyarrow.csv
    import pyarrow.json
    import pyarrow.parquet  # noqa: F401

    import datamap.summaries.reduction
    import datamap.summaries.tsv  # noqa: F401

    start = time.perf_counter()
    WAYS[way](folder, int(samples))
    seconds = time.perf_counter() - start
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def main(rounds=5, sizes="240000x5,1000000x100,10000000x10", formats="jsonl,parquet", folder=None):
    """Print a Markdown table."""
    print("| samples × observations | format | way | seconds | × reading | peak MB | records a second |")
    print("|---|---|---|---:|---:|---:|---:|")
    for size in sizes.split(","):
        samples, observations = map(int, size.split("x"))
        large = samples * observations > 10_000_000
        for format in formats.split(","):
            base = Path(tempfile.mkdtemp(dir=folder))
            make(base / "run", samples, observations, format)
            ways = ["reading", "ours", *([] if large else ["pandas"])]
            found = {way: [] for way in ways}
            for number in range(1 if large else int(rounds)):
                for way in ways:
                    if way != "pandas" or number == 0:  # minutes each: once
                        found[way].append(once(way, base / "run", samples))
            shutil.rmtree(base)
            seconds = {way: statistics.median(f[0] for f in values) for way, values in found.items()}
            for way in ways:
                print(
                    f"| {samples:,} × {observations} | {format} | {way} | {seconds[way]:.2f} | "
                    f"{seconds[way] / seconds['reading']:.2f} | {max(f[1] for f in found[way]):,.0f} | "
                    f"{samples * observations / seconds[way]:,.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(*sys.argv[2:])
    else:
        main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
