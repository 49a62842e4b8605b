"""From a diagnosis to a better training set: a pure function a rule."""

import io
from typing import NamedTuple

import numpy as np
import pandas as pd

from datamap.errors import DataError, did_you_mean, first_few

DROP = "drop"  # what a corrected label says of a sample that shall go
SPREADSHEET = "save it as UTF-8 text, with tabs or commas between the columns"


class Choice(NamedTuple):
    """What becomes of N samples: `kept`, bool; `labels`, their (new) class names, str; `order`, float.

    Where classes are balanced, those of lowest `order` stay.
    """

    kept: np.ndarray
    labels: np.ndarray
    order: np.ndarray


# In the rules: `samples` is a DataFrame with the columns of summary.tsv and of diagnosis.tsv, in the summary's
# order, and `place`, a sample's row in diagnosis.tsv; `count` is how many samples to drop, relabel or keep.


def clean(samples, count):
    """Drop the first `count` of the diagnosis (pruning: Northcutt et al. 2021, sec. 3.2)."""
    return _choice(samples, samples["place"] >= count, -samples["place"])


def relabelled(samples, count):
    """Give the first `count` of the diagnosis the label that the models propose."""
    suspects = (samples["place"] < count) & (samples["proposed"] != "")
    labels = np.where(suspects, samples["proposed"], samples["label"])
    changed = labels != samples["label"].to_numpy()
    # As doubtful as the label that the sample has now.
    order = np.where(changed, 1 - samples["score"], samples["score"])
    return _choice(samples, np.ones(len(samples), bool), order)._replace(labels=labels)


def ambiguous(samples, count):
    """Keep the `count` of largest label_var (Swayamdipta et al. 2020, sec. 3)."""
    return _choice(samples, _largest(samples["label_var"], count), -samples["label_var"])


def both_ends(samples, count):
    """Keep `count`: half the most ambiguous, half the easiest, without which small models do not learn.

    Swayamdipta et al. (2020, sec. 4) mix easy samples into ambiguous ones for that reason.
    """
    varied = _largest(samples["label_var"], count // 2)
    easy = _largest(samples["avg_probs"].where(~varied, -1), count - count // 2)
    # Each class's best of either half first, in turns: so stay both where classes are balanced.
    worth = samples["label_var"].where(varied, samples["avg_probs"])
    order = worth.groupby([samples["label"], varied]).rank(method="first", ascending=False)
    return _choice(samples, varied | easy, order)


def forgettable(samples, count):
    """Keep those that were forgotten at least once, or never learnt: as if forgotten for ever (Toneva et al. 2019)."""
    times = samples["forgetting_times"].where(samples["correct_times"] > 0, np.inf)
    return _choice(samples, times > 0, -times)


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
    given = samples["id"].astype(str).map(labels)
    new = given.fillna(samples["label"]).to_numpy(object)
    return _choice(samples, given != DROP, samples["score"])._replace(labels=new)


def read_corrections(content, name, ids, class_names):
    """{id as text: class name or `DROP`} of an edited diagnosis.tsv: all of its rows, or some.

    Args:
        content: bytes of the file.
        name: what messages call it.
        ids: all ids of the run; class_names: those of its classes.
    Raises:
        DataError: it cannot be read, lacks a column, or names a sample or class that the run has not, with line.
    """
    frame = _spreadsheet(content, name)
    known = set(map(str, ids))
    zeros = {key.lstrip("0"): key for key in known}  # which spreadsheets take away
    for row, key in frame["id"].items():
        if key not in known:
            hint = f" (leading zeros lost? it has {zeros[key]})" if key in zeros else ""
            raise DataError(f"{name}, row {row + 2}: the run has no sample {key}{hint}")
    twice = frame["id"][frame["id"].duplicated()]
    if len(twice):
        raise DataError(f"{name}, row {twice.index[0] + 2}: sample {twice.iloc[0]} is named twice")
    allowed = {DROP: DROP} | {text.strip(): text for text in class_names}
    for row, label in frame["label"].items():
        if label not in allowed and label.lower() != DROP:
            raise DataError(
                f"{name}, row {row + 2}: label {label!r} is no class of the run{did_you_mean(label, allowed)} "
                f"(classes: {first_few(class_names, 20)}; or {DROP})"
            )
    labels = [allowed.get(label, DROP) for label in frame["label"]]
    return dict(zip(frame["id"], labels, strict=True))


def _spreadsheet(content, name):
    """The columns id and label of a file as spreadsheets write it: tabs or commas, UTF-8 or UTF-16, empty rows."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
        separator = "\t" if "\t" in text.partition("\n")[0] else ","
        frame = pd.read_csv(io.StringIO(text), sep=separator, dtype=str, keep_default_na=False)
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: not UTF-8 ({error.reason} at byte {error.start}); {SPREADSHEET}") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{name}: {str(error).strip().splitlines()[0]}; {SPREADSHEET}") from error
    for column in ("id", "label"):
        if column not in frame:
            raise DataError(f"{name}: no column {column} (columns: {first_few(frame, 20)}); {SPREADSHEET}")
    frame = frame[["id", "label"]].apply(lambda column: column.str.strip())
    return frame[(frame != "").any(axis=1)]


def balanced(choice):
    """Of each class as many kept samples as of the rarest one: those of lowest `order`, ties as they stand."""
    counts = pd.Series(choice.labels[choice.kept]).value_counts()
    places = pd.DataFrame({"label": choice.labels, "order": np.where(choice.kept, choice.order, np.inf)})
    rank = places.groupby("label")["order"].rank(method="first").to_numpy()
    return choice._replace(kept=choice.kept & (rank <= counts.min()))


def without_lone(choice):
    """(the choice without the samples that would be the only one of their class, names of those classes).

    Such a class can be neither learnt nor compared.
    """
    counts = pd.Series(choice.labels[choice.kept]).value_counts()
    lone = counts.index[counts == 1].tolist()
    return choice._replace(kept=choice.kept & ~np.isin(choice.labels, lone)), lone


def _choice(samples, kept, order):
    return Choice(np.asarray(kept), samples["label"].to_numpy(object), np.asarray(order, float))


def _largest(values, count):
    """Bool array: the `count` largest values, ties by their order."""
    mask = np.zeros(len(values), bool)
    mask[np.argsort(-values.to_numpy(), kind="stable")[:count]] = True
    return mask
