"""Make a better training set from a diagnosis, one pure function per rule."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from datamap.errors import DataError, did_you_mean, first_few


class Choice(NamedTuple):
    """Hold the outcome of a rule for N samples.

    Attributes:
        kept: bool (N,), False for samples to drop.
        labels: object (N,), the class names after the rule.
        order: float (N,); balancing keeps the samples of lowest order.
        decided: bool (N,), True if a person decided about the sample; no rule changes that.
    """

    kept: np.ndarray
    labels: np.ndarray
    order: np.ndarray
    decided: np.ndarray


# In the rules below, `samples` is a DataFrame with the columns of summary.tsv and of diagnosis.tsv, in the summary's
# order, and `rank`, a sample's row in diagnosis.tsv. `count` is the number of samples to drop, relabel or keep.


def clean(samples: pd.DataFrame, count: int) -> Choice:
    """Drop the first `count` samples of the diagnosis (pruning; Northcutt et al. 2021, sec. 3.2).

    >>> clean(pd.DataFrame({"label": ["no", "yes", "no"], "rank": [2, 0, 1]}), 1).kept
    array([ True, False,  True])
    """
    return _choice(samples, samples["rank"] >= count, -samples["rank"])


def relabelled(samples: pd.DataFrame, count: int) -> Choice:
    """Give the first `count` samples of the diagnosis the label that is proposed, if there is one.

    >>> columns = {"label": ["no", "yes"], "proposed": ["", "no"], "rank": [1, 0], "score": [0.2, 0.9]}
    >>> relabelled(pd.DataFrame(columns), 1).labels.tolist()
    ['no', 'no']
    """
    suspects = (samples["rank"] < count) & (samples["proposed"] != "")
    labels = np.where(suspects, samples["proposed"], samples["label"])
    changed = labels != samples["label"].to_numpy()
    # The more certain the old label was, the more doubtful is the new one.
    order = np.where(changed, 1 - samples["score"], samples["score"])
    return _choice(samples, np.ones(len(samples), bool), order)._replace(labels=labels)


def ambiguous(samples: pd.DataFrame, count: int) -> Choice:
    """Keep the `count` samples of largest label_var, which teach most (Swayamdipta et al. 2020, sec. 3).

    >>> ambiguous(pd.DataFrame({"label": ["no", "yes", "no"], "label_var": [0.0, 0.2, 0.1]}), 2).kept
    array([False,  True,  True])
    """
    return _choice(samples, _largest(samples["label_var"], count), -samples["label_var"])


def both_ends(samples: pd.DataFrame, count: int) -> Choice:
    """Keep `count` samples: half of them the most ambiguous, half the easiest.

    A model does not learn from a small set of ambiguous samples alone (Swayamdipta et al. 2020, sec. 4).

    >>> columns = {"label": ["no", "yes", "no"], "label_var": [0.0, 0.2, 0.1], "avg_probs": [0.9, 0.6, 0.7]}
    >>> both_ends(pd.DataFrame(columns), 2).kept
    array([ True,  True, False])
    """
    varied = _largest(samples["label_var"], count // 2)
    easy = _largest(samples["avg_probs"].where(~varied, -1), count - count // 2)
    # Rank within each class and half, so that balancing keeps samples of both halves.
    worth = samples["label_var"].where(varied, samples["avg_probs"])
    order = worth.groupby([samples["label"], varied]).rank(method="first", ascending=False)
    return _choice(samples, varied | easy, order)


def forgettable(samples: pd.DataFrame, count: int) -> Choice:
    """Keep the samples that were forgotten at least once or never learned; drop the unforgettable ones.

    Toneva et al. (2019) find that accuracy hardly suffers, as unforgettable samples teach little.

    >>> columns = {"label": ["no", "yes", "no"], "forgetting_times": [0, 1, 0], "correct_times": [4, 2, 0]}
    >>> forgettable(pd.DataFrame(columns), 0).kept
    array([False,  True,  True])
    """
    times = samples["forgetting_times"].where(samples["correct_times"] > 0, np.inf)
    return _choice(samples, times > 0, -times)


def everything(samples: pd.DataFrame, count: int) -> Choice:
    """Keep every sample and label; only decisions of people (`apply_decisions`) and `where=` change that."""
    return _choice(samples, np.ones(len(samples), bool), samples["score"])


RULES = {
    "clean": clean,
    "relabelled": relabelled,
    "corrected": everything,
    "matching": everything,
    "ambiguous": ambiguous,
    "both_ends": both_ends,
    "forgettable": forgettable,
}


def apply_decisions(choice: Choice, samples: pd.DataFrame, labels: Mapping[str, str | None]) -> Choice:
    """Apply decisions of people to a choice; they override the rule.

    Args:
        choice: what the rule chose.
        samples: the samples of the rule.
        labels: {id as text: class name, or None to drop the sample}.
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
    """Read the decisions in an edited diagnosis, which may have all of its rows or some.

    Args:
        frame: the columns id and label as text; messages name rows by the index.
        name: the file's name in messages.
        ids: all ids of the run.
        class_names: the run's class names.

    Returns:
        {id as text: class name, or None to drop the sample}.

    Raises:
        DataError: a row names an unknown sample or class, or a sample twice.
    """
    known = {str(key).strip(): str(key) for key in ids}
    zeros = {key.lstrip("0"): key for key in known}  # spreadsheets remove leading zeros
    drop = drop_word(class_names)
    classes = {text.strip(): text for text in class_names}
    labels: dict[str, str | None] = {}
    for row, key, label in zip(frame.index, frame["id"].str.strip(), frame["label"].str.strip(), strict=True):
        if key not in known:
            hint = f" (leading zeros lost? it has {zeros[key]})" if key in zeros else ""
            raise DataError(f"{name}, row {row}: the run has no id {key}{hint}")
        if known[key] in labels:
            raise DataError(f"{name}, row {row}: id {key} is named twice")
        if label not in classes and label.lower() != drop:
            hint = did_you_mean(label, [*classes, drop])
            raise DataError(
                f"{name}, row {row}: the run has no class {label!r}{hint} "
                f"(classes: {first_few(class_names, 20)}; or {drop})"
            )
        labels[known[key]] = classes.get(label)
    return labels


def drop_word(class_names: Iterable[str]) -> str:
    """Return the word that stands in place of a label to drop the sample: drop, in brackets if a class has that name.

    >>> drop_word(["no", "yes"]), drop_word(["keep", "Drop"])
    ('drop', '<drop>')
    """
    taken, word = {text.strip().lower() for text in class_names}, "drop"
    while word in taken:
        word = f"<{word}>"
    return word


def balance_classes(choice: Choice) -> Choice:
    """Reduce each class to the size of the smallest one; keep the samples of lowest `order`, ties by position.

    Samples that people decided to keep stay, even if their class remains larger.
    """
    counts = pd.Series(choice.labels[choice.kept]).value_counts()
    places = pd.DataFrame({"label": choice.labels, "order": np.where(choice.kept, choice.order, np.inf)})
    rank = places.groupby("label")["order"].rank(method="first").to_numpy()
    return choice._replace(kept=choice.kept & ((rank <= counts.min()) | choice.decided))


def keep_every_class(
    choice: Choice, labels: np.ndarray, order: np.ndarray, share: float
) -> tuple[Choice, list[str]]:
    """Keep a minimum of each class as it was before the rule.

    Args:
        choice: what the rule chose.
        labels: object array (samples,), the class names before the rule.
        order: float (samples,); the samples of lowest order are restored first.
        share: the minimum share of each class, 0 to 1; at least two samples stay, if the class has so many.

    Returns:
        (the choice with enough samples restored, names of the classes that had too few).
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


def drop_lone_samples(choice: Choice) -> tuple[Choice, list[str]]:
    """Drop samples that would be the only one of their class, as nothing can be learned from one.

    Returns:
        (the choice, names of the classes that it dropped).
    """
    counts = pd.Series(choice.labels[choice.kept]).value_counts()
    lone = counts.index[counts == 1].tolist()
    return choice._replace(kept=choice.kept & ~np.isin(choice.labels, lone)), lone


def _choice(samples, kept, order):
    labels, nobody = samples["label"].to_numpy(object), np.zeros(len(samples), bool)
    return Choice(np.asarray(kept), labels, np.asarray(order, float), nobody)


def _largest(values, count):
    """Mark the `count` largest values; ties go by order."""
    mask = np.zeros(len(values), bool)
    mask[np.argsort(-values.to_numpy(), kind="stable")[:count]] = True
    return mask
