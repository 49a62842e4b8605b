"""From a diagnosis to a better training set: one pure function per rule."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from datamap.errors import DataError, did_you_mean, first_few


class Choice(NamedTuple):
    """What becomes of N samples: `kept`, bool; `labels`, their (new) class names, str; `order`, float.

    Where classes are balanced, those of lowest `order` stay. `decided`, bool: a person said what becomes of it, which
    no rule changes.
    """

    kept: np.ndarray
    labels: np.ndarray
    order: np.ndarray
    decided: np.ndarray


# In the rules: `samples` is a DataFrame with the columns of summary.tsv and of diagnosis.tsv, in the summary's
# order, and `place`, a sample's row in diagnosis.tsv; `count` is how many samples to drop, relabel or keep.


def clean(samples: pd.DataFrame, count: int) -> Choice:
    """Drop the first `count` of the diagnosis (pruning: Northcutt et al. 2021, sec. 3.2)."""
    return _choice(samples, samples["place"] >= count, -samples["place"])


def relabelled(samples: pd.DataFrame, count: int) -> Choice:
    """Give the first `count` of the diagnosis the label that the models propose."""
    suspects = (samples["place"] < count) & (samples["proposed"] != "")
    labels = np.where(suspects, samples["proposed"], samples["label"])
    changed = labels != samples["label"].to_numpy()
    # As doubtful as the label that the sample has now.
    order = np.where(changed, 1 - samples["score"], samples["score"])
    return _choice(samples, np.ones(len(samples), bool), order)._replace(labels=labels)


def ambiguous(samples: pd.DataFrame, count: int) -> Choice:
    """Keep the `count` of largest label_var (Swayamdipta et al. 2020, sec. 3)."""
    return _choice(samples, _largest(samples["label_var"], count), -samples["label_var"])


def both_ends(samples: pd.DataFrame, count: int) -> Choice:
    """Keep `count`: half the most ambiguous, half the easiest, without which small models do not learn.

    Swayamdipta et al. (2020, sec. 4) mix easy samples into ambiguous ones for that reason.
    """
    varied = _largest(samples["label_var"], count // 2)
    easy = _largest(samples["avg_probs"].where(~varied, -1), count - count // 2)
    # Each class's best of either half first, in turns: so stay both where classes are balanced.
    worth = samples["label_var"].where(varied, samples["avg_probs"])
    order = worth.groupby([samples["label"], varied]).rank(method="first", ascending=False)
    return _choice(samples, varied | easy, order)


def forgettable(samples: pd.DataFrame, count: int) -> Choice:
    """Keep those that were forgotten at least once, or never learnt: as if forgotten for ever (Toneva et al. 2019)."""
    times = samples["forgetting_times"].where(samples["correct_times"] > 0, np.inf)
    return _choice(samples, times > 0, -times)


def corrected(samples: pd.DataFrame, count: int) -> Choice:
    """Keep every sample and label; only decisions of people change them (`decided`)."""
    return _choice(samples, np.ones(len(samples), bool), samples["score"])


RULES = {
    "clean": clean,
    "relabelled": relabelled,
    "corrected": corrected,
    "ambiguous": ambiguous,
    "both_ends": both_ends,
    "forgettable": forgettable,
}


def decided(choice: Choice, samples: pd.DataFrame, labels: Mapping[str, str | None]) -> Choice:
    """Put decisions of people into a choice, whatever the rule made of these samples.

    Args:
        labels: {id as text: class name, or None where the sample shall go}.
    """
    ids = samples["id"].astype(str)
    is_decided = ids.isin(labels.keys()).to_numpy()
    new = np.array(
        [labels.get(key) or label for key, label in zip(ids, samples["label"], strict=True)], object
    )
    stays = np.array([labels.get(key) is not None for key in ids], bool)
    return Choice(
        np.where(is_decided, stays, choice.kept),
        np.where(is_decided, new, choice.labels),
        np.where(is_decided, -np.inf, choice.order),
        is_decided,
    )


def corrections(
    frame: pd.DataFrame, name: str, ids: Iterable, class_names: Sequence[str]
) -> dict[str, str | None]:
    """{id as text: class name, or None where the sample shall go} of an edited diagnosis: all of its rows, or some.

    Args:
        frame: its columns id and label as text; the index is what messages call a row.
        name: what messages call it.
        ids: all ids of the run.
        class_names: those of its classes.
    Raises:
        DataError: it names a sample or class that the run has not, or a sample twice, with row.
    """
    known = {str(key).strip(): str(key) for key in ids}
    zeros = {key.lstrip("0"): key for key in known}  # which spreadsheets take away
    drop = drop_word(class_names)
    classes = {text.strip(): text for text in class_names}
    labels: dict[str, str | None] = {}
    for row, key, label in zip(frame.index, frame["id"].str.strip(), frame["label"].str.strip(), strict=True):
        if key not in known:
            hint = f" (leading zeros lost? it has {zeros[key]})" if key in zeros else ""
            raise DataError(f"{name}, row {row}: the run has no sample {key}{hint}")
        if known[key] in labels:
            raise DataError(f"{name}, row {row}: sample {key} is named twice")
        if label not in classes and label.lower() != drop:
            hint = did_you_mean(label, [*classes, drop])
            raise DataError(
                f"{name}, row {row}: label {label!r} is no class of the run{hint} "
                f"(classes: {first_few(class_names, 20)}; or {drop})"
            )
        labels[known[key]] = classes.get(label)
    return labels


def drop_word(class_names: Iterable[str]) -> str:
    """What a corrected label says of a sample that shall go: `drop`, in brackets where a class has that name.

    >>> drop_word(["no", "yes"]), drop_word(["keep", "Drop"])
    ('drop', '<drop>')
    """
    taken, word = {text.strip().lower() for text in class_names}, "drop"
    while word in taken:
        word = f"<{word}>"
    return word


def balanced(choice: Choice) -> Choice:
    """Keep of each class as many samples as of the rarest one: those of lowest `order`, ties as they stand.

    What people decided to keep stays, even where that leaves a class larger.
    """
    counts = pd.Series(choice.labels[choice.kept]).value_counts()
    places = pd.DataFrame({"label": choice.labels, "order": np.where(choice.kept, choice.order, np.inf)})
    rank = places.groupby("label")["order"].rank(method="first").to_numpy()
    return choice._replace(kept=choice.kept & ((rank <= counts.min()) | choice.decided))


def with_every_class(
    choice: Choice, labels: np.ndarray, order: np.ndarray, share: float
) -> tuple[Choice, list[str]]:
    """(the choice with `share` of each class's samples left as they were, at least; names of classes that had fewer).

    Args:
        labels: object array (samples,), the class names before the rule.
        order: float (samples,); of a class those of lowest order stay.
        share: 0 to 1; two samples stay of each class all the same, where it has so many.
    """
    kept, new, spared = choice.kept.copy(), choice.labels.copy(), []
    as_before = kept & (new == labels)
    for label in dict.fromkeys(labels):
        own = np.flatnonzero(labels == label)
        missing = max(min(2, len(own)), int(np.ceil(share * len(own)))) - int(as_before[own].sum())
        if missing > 0:
            away = own[~as_before[own] & ~choice.decided[own]]
            back = away[np.argsort(order[away], kind="stable")[:missing]]
            kept[back], new[back] = True, labels[back]
            spared += [label] if len(back) else []
    return choice._replace(kept=kept, labels=new), spared


def without_lone(choice: Choice) -> tuple[Choice, list[str]]:
    """(the choice without the samples that would be the only one of their class, names of those classes).

    Such a class can be neither learnt nor compared.
    """
    counts = pd.Series(choice.labels[choice.kept]).value_counts()
    lone = counts.index[counts == 1].tolist()
    return choice._replace(kept=choice.kept & ~np.isin(choice.labels, lone)), lone


def _choice(samples, kept, order):
    labels, nobody = samples["label"].to_numpy(object), np.zeros(len(samples), bool)
    return Choice(np.asarray(kept), labels, np.asarray(order, float), nobody)


def _largest(values, count):
    """Bool array: the `count` largest values, ties by their order."""
    mask = np.zeros(len(values), bool)
    mask[np.argsort(-values.to_numpy(), kind="stable")[:count]] = True
    return mask
