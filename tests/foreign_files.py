"""Files of signals as other tools write them."""

import json

import numpy as np

from datamap.signals import shards
from datamap.signals.compute import signal_table


def tutorial_record(key, label, probs, **own):
    """A record as the original tutorial writes it."""
    pred = int(np.argmax(probs))
    return {
        "id": key,
        "label": label,
        "pred_label": pred,
        "noisy_label": 0,
        "correct": "true" if pred == label else "false",
        "loss": float(-np.log(probs[label])),
        "probs": list(probs),
        "label_probs": probs[label],
        **own,
    }


def tutorial_records(samples=4, count=3, ids=None):
    """[[record, …], …], one list an observation; float32 probabilities, as a network gives them."""
    ids, generator = ids or list(range(samples)), np.random.default_rng(0)
    probs = generator.dirichlet([1, 1, 1], (count, samples)).astype(np.float32).astype(float).tolist()
    return [[tutorial_record(ids[n], n % 3, row[n]) for n in range(samples)] for row in probs]


def text_of(observations):
    return "".join(f"{record}\n" for records in observations for record in records)


def write(path, text, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


SAME = {
    "byte-order mark": lambda text: "\ufeff" + text,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "blank lines": lambda text: text.replace("\n", "\n\n  \n"),
    "no last line end": lambda text: text[:-1],
    "JSON": lambda text: text.replace("'", '"'),
    "Python bools": lambda text: text.replace("'true'", "True").replace("'false'", "False"),
    "JSON bools": lambda text: text.replace("'true'", "true").replace("'false'", "false").replace("'", '"'),
    "capitals": lambda text: text.replace("'true'", "'True'"),
    "tuples": lambda text: text.replace("[", "(").replace("]", ")"),
}


def dynamics_text(epoch, logits, golds, guids):
    records = [
        {"guid": guid, f"logits_epoch_{epoch}": row, "gold": gold}
        for guid, row, gold in zip(guids, logits, golds, strict=True)
    ]
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


GUIDS = [4734364254410, 263237638210, 10]
GOLDS = [0, 2, 1]
LOGITS = np.random.default_rng(1).normal(size=(3, 3, 3)).round(4).tolist()


def write_dynamics(folder, guids=GUIDS, epochs=(0, 1, 2), change=lambda text: text):
    for epoch in epochs:
        text = dynamics_text(epoch, LOGITS[epoch], GOLDS, guids)
        write(folder / f"dynamics_epoch_{epoch}.jsonl", change(text))
    return folder


def dynamics_of(folder, epoch, change):
    path = folder / f"dynamics_epoch_{epoch}.jsonl"
    write(path, change(path.read_text(encoding="utf-8")))


def table_of(number):
    return signal_table(["a", "b", "c"], GOLDS, logits=LOGITS[number - 1])


def write_shards(folder, unit="epoch", format="jsonl", rows=2, sums=True):
    for number in (1, 2, 3):
        found = list(shards.encoded(table_of(number), unit, number, rows, format))
        files = [(shard.path, content) for shard, content in found]
        if sums:
            files.append((found[0][0].checksums_path, shards.checksums([shard for shard, _ in found])))
        for path, content in files:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
    return folder
