"""From a diagnosis to a better training set: a pure function a rule."""

import io
from typing import NamedTuple

import numpy as np
import pandas as pd

from datamap.errors import DataError, did_you_mean, first_few

DROP = "drop"  # what a corrected label says of a sample that shall go
SPREADSHEET = "save it as UTF-8 text with tabs between the columns"


class Choice(NamedTuple):
    """What becomes of N samples: `kept`, bool; `labels`, their (new) class names, str; `order`, float.

    Where classes are balanced, those of lowest `order` stay.
    """

    kept: np.ndarray
    labels: np.ndarray
    order: np.ndarray


# In the rules: `samples` is a DataFrame with the columns of summary.tsv and of diagnosis.tsv, in the summary's
# order; `count` is how many samples to drop, relabel or keep.


def clean(samples, count):
    """Drop the `count` of highest score (pruning: Northcutt et al. 2021, sec. 3.3)."""
    return _choice(samples, ~_largest(samples["score"], count), samples["score"])


def relabelled(samples, count):
    """Give the `count` of highest score the label that the models propose."""
    suspects = _largest(samples["score"], count) & (samples["proposed"] != "").to_numpy()
    labels = np.where(suspects, samples["proposed"], samples["label"])
    return _choice(samples, np.ones(len(samples), bool), samples["score"])._replace(labels=labels)


def ambiguous(samples, count):
    """Keep the `count` of largest label_var (Swayamdipta et al. 2020, sec. 3)."""
    return _choice(samples, _largest(samples["label_var"], count), -samples["label_var"])


def both_ends(samples, count):
    """Keep `count`: half the most ambiguous, half the easiest, without which small models do not learn.

    Swayamdipta et al. (2020, sec. 4) mix easy samples into ambiguous ones for that reason.
    """
    varied = _largest(samples["label_var"], count // 2)
    easy = _largest(samples["avg_probs"].where(~varied, -1), count - count // 2)
    return _choice(samples, varied | easy, samples["label_var"].rank() * np.where(varied, -1, 1))


def forgettable(samples, count):
    """Keep those that were forgotten at least once, or never learnt (Toneva et al. 2019, sec. 4)."""
    never = samples["correct_times"] == 0
    return _choice(samples, (samples["forgetting_times"] > 0) | never, -samples["forgetting_times"])


RULES = {
    "clean": clean,
    "relabelled": relabelled,
    "ambiguous": ambiguous,
    "both_ends": both_ends,
    "forgettable": forgettable,
}


def corrected(samples, labels):
    """Give samples the labels of an edited diagnosis; those that say `DROP` go.

    Args:
        labels: {id as text: class name or `DROP`}, what `read_corrections` gives.
    """
    new = samples["id"].astype(str).map(labels).fillna(samples["label"]).to_numpy(object)
    return _choice(samples, new != DROP, samples["score"])._replace(labels=new)


def read_corrections(content, name, ids, class_names):
    """{id as text: class name or `DROP`} of an edited diagnosis.tsv: all of its rows, or some.

    Args:
        content: bytes of the file.
        name: what messages call it.
        ids: all ids of the run; class_names: those of its classes.
    Raises:
        DataError: it cannot be read, lacks a column, or names a sample or class that the run has not, with line.
    """
    try:
        frame = pd.read_csv(
            io.BytesIO(content), sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: not UTF-8 ({error.reason} at byte {error.start}); {SPREADSHEET}") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{name}: {str(error).strip().splitlines()[0]}; {SPREADSHEET}") from error
    for column in ("id", "label"):
        if column not in frame:
            raise DataError(f"{name}: no column {column} (columns: {first_few(frame, 20)}); {SPREADSHEET}")
    labels = frame["label"].str.strip()
    _refuse(~frame["id"].isin(set(map(str, ids))), frame["id"], name, "the run has no sample")
    _refuse(frame["id"].duplicated(), frame["id"], name, "named twice: sample")
    allowed = (*class_names, DROP)
    unknown = ~labels.isin(allowed)
    if unknown.any():
        row = int(np.flatnonzero(unknown)[0])
        hint = did_you_mean(labels[row], allowed)
        raise DataError(
            f"{name}, row {row + 2}: label {labels[row]!r} is no class of the run{hint} "
            f"(classes: {first_few(class_names, 20)}; or {DROP})"
        )
    return dict(zip(frame["id"], labels, strict=True))


def _refuse(wrong, ids, name, problem):
    if wrong.any():
        raise DataError(f"{name}, row {int(np.flatnonzero(wrong)[0]) + 2}: {problem} {first_few(ids[wrong])}")


def balanced(choice):
    """Of each class as many kept samples as of the rarest one: those of lowest `order`, ties as they stand."""
    counts = pd.Series(choice.labels[choice.kept]).value_counts()
    places = pd.DataFrame({"label": choice.labels, "order": np.where(choice.kept, choice.order, np.inf)})
    rank = places.groupby("label")["order"].rank(method="first").to_numpy()
    return choice._replace(kept=choice.kept & (rank <= counts.min()))


def _choice(samples, kept, order):
    return Choice(np.asarray(kept), samples["label"].to_numpy(object), np.asarray(order, float))


def _largest(values, count):
    """Bool array: the `count` largest values, ties by their order."""
    mask = np.zeros(len(values), bool)
    mask[np.argsort(-values.to_numpy(), kind="stable")[:count]] = True
    return mask
