"""Say what a correction changed between a run and one that was trained from a curated file of it."""

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import permutations

import numpy as np
import pandas as pd

from datamap import schema
from datamap.errors import TrackingError
from datamap.log import say
from datamap.pipeline.memorization import UNSEEN
from datamap.signals import align
from datamap.summaries import tsv
from datamap.tracking.run import RUNS_SCHEME, Run
from datamap.tracking.store import Store
from datamap.translations import Amount

MAX_MOVED = 100  # samples of unchanged labels that a table of changes lists, those that moved most
RELABELED, DROPPED, MOVED = "relabeled", "dropped", "moved"  # values of the column `change`


def changes(
    store: Store,
    members: Sequence[Run],
    summaries: Mapping[str, pd.DataFrame],
    tell: Callable[..., None] = say,
) -> pd.DataFrame:
    """Return what changed between each run and those trained on a curated file of it, and tell it in a line.

    Args:
        store: the runs' store.
        members: runs of a comparison.
        summaries: {name of each member, in order: its summary with the columns id, label and avg_probs}.
        tell: function that tells the user a line, as `log.say` does.

    Returns:
        DataFrame with the columns run_before, run_after, change, id, the texts, label_before, label_after,
        avg_probs_before and avg_probs_after: all relabeled and dropped samples, and the others that moved most. It is
        empty where no run was trained from another's curated file.
    """
    sources = [_source(store, run) for run in members]
    named = list(zip(members, summaries, sources, strict=True))
    found = [
        _of_pair(before, after, summaries, tell)
        for before, after in permutations(named, 2)
        if after[2] == before[0].run_id
    ]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _source(store: Store, run: Run) -> str | None:
    """Return the id of the run whose curated file a run was trained on; None if it was trained on something else."""
    trained_on = run.dataset()
    file = rf"{RUNS_SCHEME}([0-9a-f]{{32}})/{schema.CURATED_STEM}\.[a-z]{{3,7}}"
    curated = re.search(rf'"{file}"', trained_on.source) if trained_on else None
    with contextlib.suppress(TrackingError):  # the run of the file may be deleted
        return store.run(curated[1]).tags().get(schema.CURATED_FROM_TAG) if curated else None
    return None


def _of_pair(before, after, summaries, tell):
    (run_before, name_before, _), (run_after, name_after, _) = before, after
    old, new = (_named(run, summaries[name]) for run, name, _ in (before, after))
    rows = align.rows(old["id"], new["id"])
    frame = pd.DataFrame(
        {"run_before": name_before, "run_after": name_after, "change": MOVED, "id": old["id"]}
    )
    texts = run_before.artifacts.find(schema.SAMPLES_FILE)
    frame = frame.assign(**(tsv.texts_of(texts, old["id"].tolist()) if texts is not None else {}))
    frame["label_before"] = old["label"]
    frame["label_after"] = np.where(rows >= 0, new["label"].to_numpy()[rows], "")
    frame["avg_probs_before"] = old["avg_probs"]
    frame["avg_probs_after"] = np.where(rows >= 0, new["avg_probs"].to_numpy()[rows], np.nan)
    frame.loc[frame["label_before"] != frame["label_after"], "change"] = RELABELED
    frame.loc[rows < 0, "change"] = DROPPED
    _tell(run_before, run_after, frame, tell)
    moved = (frame["avg_probs_after"] - frame["avg_probs_before"]).abs()
    order = frame.assign(moved=moved).sort_values("moved", ascending=False, kind="stable")
    parts = [order[order["change"] == change] for change in (RELABELED, DROPPED, MOVED)]
    parts[-1] = parts[-1].head(MAX_MOVED)
    return pd.concat(parts).drop(columns="moved")


def _named(run, summary):
    """Return id, label and avg_probs of the samples, with labels as names: two runs may number classes differently."""
    names = dict(enumerate(run.class_names()))
    labels = [names.get(label, str(label)) for label in summary["label"].tolist()]
    return pd.DataFrame({"id": summary["id"], "label": labels, "avg_probs": summary["avg_probs"]})


def _tell(before, after, frame, tell):
    counts = frame["change"].value_counts()
    accuracy = [run.history(UNSEEN) for run in (before, after)]
    said = {
        "after": after.info.run_name,
        "before": before.info.run_name,
        "relabeled": Amount(int(counts.get(RELABELED, 0)), "label"),
        "dropped": Amount(int(counts.get(DROPPED, 0)), "sample"),
    }
    tell(
        "{after} was trained on {before} with {relabeled} corrected and {dropped} dropped: comparison/changes.tsv",
        **said,
    )
    if all(accuracy):
        old, new = (history[max(history)] for history in accuracy)
        tell("dev accuracy {old:.3f} of {before}, {new:.3f} of {after}", old=old, new=new, **said)
