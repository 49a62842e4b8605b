"""Make a folder in which the two scripts of TrustAI's data-map tutorial run on the signals of a run of ours.

    python benchmarks/original.py <tutorials/data_map of TrustAI> <artifacts of the run> <folder>

The repository holds none of these scripts. Only the number of samples, which stands in one of them, is changed.
"""

import json
import re
import sys
from pathlib import Path

import pyarrow.json
import pyarrow.parquet

READERS = {".jsonl": pyarrow.json.read_json, ".parquet": pyarrow.parquet.read_table}


def prepare(scripts, artifacts, folder):
    """Write the signals in the form that the tutorial's training writes: all epochs in one file."""
    outputs = Path(folder, "outputs")
    outputs.mkdir(parents=True)
    samples = 0
    with (outputs / "output_data.json").open("w", encoding="utf-8") as file:
        for path in sorted(Path(artifacts, "signals").iterdir()):
            if path.suffix in READERS:
                rows = READERS[path.suffix](path).to_pylist()
                samples += len(rows) if path.name.startswith("epoch_0001") else 0
                for row in rows:
                    print(json.dumps(row | {"correct": str(row["correct"]).lower()}), file=file)
    for name in ("sample_stat_summary.py", "plot_map.py"):
        text = Path(scripts, name).read_text(encoding="utf-8")
        text = re.sub(r"^num_samples = \d+", f"num_samples = {samples}", text, flags=re.MULTILINE)
        Path(folder, name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    prepare(*sys.argv[1:])
