"""Write the description of a run: Markdown for people who open its page without having made it."""

import html
import re
from collections.abc import Callable, Collection, Mapping, Sequence

from datamap.schema import (
    DIAGNOSIS_FILE,
    EXPLORER_FILE,
    SUMMARY_FILE,
    UNITS_DIAGNOSIS_FILE,
    UNITS_SUMMARY_FILE,
)
from datamap.tracking.metrics import MEMORIZED_FROM, MEMORIZED_GAP, MEMORIZED_REPEATED
from datamap.translations import Amount, Phrase, word

# Artifacts that a run's page links → the purpose for which a reader opens them.
FILES = {
    DIAGNOSIS_FILE: "read the {unit}s, most likely wrong first",
    UNITS_DIAGNOSIS_FILE: "read the samples, each ranked by its worst {unit}",
    EXPLORER_FILE: "hover, search, filter and select {unit}s, replay the epochs",
    SUMMARY_FILE: "sort all {unit}s by any number",
    UNITS_SUMMARY_FILE: "sort the samples by their worst {unit}",
}
# Why the number of wrong labels cannot be estimated: a key of `counting.REASONS`.
UNKNOWN_TAG = "mlflow.datamap.unknown"
MIN_OBSERVATIONS = 3  # with fewer observations no sample can be forgotten and learned again
TOO_FEW = (
    "**Too few observations:** with {observations}, a map shows little more than the model's first guesses. Train "
    "for more epochs, or wait until the run ends, and summarize again."
)
MEMORIZED = (
    "**How far to trust the map:** from observation {number} on, the model memorized labels, including wrong ones "
    "(in the end its accuracy was {gap:.0f} percentage points higher on training data than on other data): wrong "
    "labels may be among the easy {unit}s."
)
REPEATS_DOUBTED = (
    "**How far to trust the map:** from observation {number} on, the model memorized labels, including wrong ones "
    "(in the end it predicted {repeated} of the labels that text models doubt most): wrong labels may be among the "
    "easy {unit}s."
)
LOOK_FIRST = "**Look first at** the {units} that were never predicted correctly."
LOWEST = "**Look first at** the {unit}s of lowest confidence."
MAX_NEVER = 0.2  # share of samples that were never predicted correctly, from which on that points at nothing
NOT_LEARNED = (
    "**The model has learned too little to say where to look first.** Train longer, or diagnose the run, which "
    "also uses other models."
)
HARD_OR_WRONG = "read the samples, hard or wrong ones first"
WORSE = "**This map ranks them worse than chance:** the model has memorized them, or has learned too little."
ENOUGH = 20  # right labels in a row after which a reader of the diagnosis may stop


def escaped(text: object) -> str:
    r"""Return Markdown that shows a text as it is, such as the name of a run, which may contain anything.

    >>> print(escaped("x](javascript:1) <b>"))
    x\]\(javascript:1\) &lt;b&gt;
    """
    text = html.escape(" ".join(str(text).split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]()|~])", r"\\\1", text)


def code(text: str) -> str:
    """Return a text as a Markdown code span, even if it contains backquotes.

    >>> code("a `b`")
    '`` a `b` ``'
    """
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{' '.join(text.split())}{space}{fence}"


def describe_run(
    samples: int,
    metrics: Mapping[str, float],
    link: Callable[[str], str],
    artifacts: Collection[str],
    lang: str = "en",
    has_classes: bool = True,
    reason: str = "",
    unit: str = "sample",
) -> str:
    """Return the description of a run that has a summary.

    Args:
        samples: number of rows of the summary.
        metrics: {name: value} as `summarize` and perhaps `diagnose` log them.
        link: function that returns the address of an artifact.
        artifacts: paths of the run's artifacts.
        lang: "en" or "zh".
        has_classes: False for tasks without labels, which have no wrong labels to report.
        reason: why the number of wrong labels cannot be estimated.
        unit: what a row of the summary is: "sample", "token" or "label".
    """
    uses = FILES if has_classes else FILES | {DIAGNOSIS_FILE: HARD_OR_WRONG}
    m = {name.removeprefix("summary/"): value for name, value in metrics.items()}
    open_ = {path: f"[{path}]({link(path)})" for path in FILES if path in artifacts}
    texts = [
        *_of_summary(samples, m, open_, lang, has_classes, unit),
        *_of_diagnosis(m, open_, reason, lang, unit),
    ]
    files = [_item(open_[path], use, lang, unit) for path, use in uses.items() if path in open_]
    maps = _item("Model metrics → `maps`", "see the map, and how it formed", lang)
    return "\n".join([*(line for text in texts for line in (text, "")), *files, maps])


def _item(place: str, use: str, lang: str, unit: str = "sample") -> str:
    """Return an item of a list of what a reader can open, and for which purpose."""
    return word("- {place}: {use}", lang, place=place, use=word(use, lang, unit=word(unit, lang)))


def _of_summary(samples, m, open_, lang, has_classes, unit):
    """Return the paragraphs about the summary: its size, and what to look at first."""
    observations, never = int(m["observations"]), round(m["never_learnt"] * samples)
    count: Amount | Phrase = Amount(samples, unit)
    if "samples" in m:
        count = Phrase(
            "{units} of {samples}", {"units": count, "samples": Amount(int(m["samples"]), "sample")}
        )
    yield word(
        "**{samples} over {observations}.** Mean confidence {mean}; {never} of the {unit}s were never predicted "
        "correctly; "
        "{events} forgetting events per {unit}.",
        lang, samples=count, unit=word(unit, lang), observations=Amount(observations, "observation"),
        mean=f"{m['mean_confidence']:.2f}", never=f"{m['never_learnt']:.1%}", events=f"{m['forgetting_events']:.2f}",
    )  # fmt: skip
    if observations < MIN_OBSERVATIONS:
        yield word(TOO_FEW, lang, observations=Amount(observations, "observation"))
    if has_classes and DIAGNOSIS_FILE in open_:
        text = "**Look first at** the top of {file}: the labels that are most likely wrong."
        yield word(text, lang, file=open_[DIAGNOSIS_FILE])
    elif has_classes and (m["never_learnt"] > MAX_NEVER or not m.get("learned", 1)):
        yield word(NOT_LEARNED, lang)
    elif m.get("auroc_dirty", 1) >= 0.5:
        yield _look_first(never, open_, lang, unit)
    if "auroc_dirty" in m:
        text = "Planted dirty {unit}s against the rest: AUROC of 1 - avg_probs **{auroc}**."
        yield word(text, lang, unit=Phrase(unit), auroc=f"{m['auroc_dirty']:.3f}")
        if m["auroc_dirty"] < 0.5:
            yield word(WORSE, lang)


def _look_first(never, open_, lang, unit):
    """Return which samples to look at first by the summary alone, and how to find them."""
    text, column = (LOOK_FIRST, "correct_ratio") if never else (LOWEST, "avg_probs")
    if never and EXPLORER_FILE in open_:
        how, file = "In {file}: *+ filter by range*, `correct_ratio`, from 0 to 0.", open_[EXPLORER_FILE]
    else:
        how = "In {file} they come first when you sort by `{column}`."
        file = open_.get(SUMMARY_FILE, f"`{SUMMARY_FILE}`")
    first = word(text, lang, units=Amount(never, unit), unit=word(unit, lang))
    return word("{first} {then}", lang, first=first, then=word(how, lang, file=file, column=column))


def _of_diagnosis(m, open_, reason, lang, unit):
    """Return the paragraphs about the diagnosis: how many labels are wrong, and how far to trust that."""
    if m.get("mislabelled/known"):
        about, low, high = (f"{round(m[f'mislabelled/{name}']):,}" for name in ("estimate", "low", "high"))
        yield word(
            "**About {about} labels are wrong**, between {low} and {high}. Read {file} from the top until {row} "
            "labels in a row are right.",
            lang, about=about, low=low, high=high, file=open_.get(DIAGNOSIS_FILE, f"`{DIAGNOSIS_FILE}`"), row=ENOUGH,
        )  # fmt: skip
    if "review/reviewed" in m:
        reviewed = Amount(int(m["review/reviewed"]), unit)
        yield word(
            "**{samples} reviewed**, {wrong} of them wrong.",
            lang,
            samples=reviewed,
            wrong=f"{int(m['review/wrong']):,}",
        )
    if m.get(MEMORIZED_FROM):
        begins = {"number": int(m[MEMORIZED_FROM]), "unit": Phrase(unit)}
        if MEMORIZED_GAP in m:
            yield word(MEMORIZED, lang, **begins, gap=100 * m[MEMORIZED_GAP])
        else:
            yield word(REPEATS_DOUBTED, lang, **begins, repeated=f"{m[MEMORIZED_REPEATED]:.0%}")
    if m.get("mislabelled/known") == 0:
        yield word(
            "**The number of wrong labels cannot be estimated:** {reason}.",
            lang,
            reason=word(reason, lang),
        )


def describe_curated(
    name: str, link: str, rule: str, counts: Mapping[str, int], file: str, command: str, lang: str = "en"
) -> str:
    """Return the description of a run that holds a curated training file.

    Args:
        name: name of the source run.
        link: address of the source run within the UI.
        rule: value of `keep=`.
        counts: {"samples": …, "samples_before": …, "relabelled": …}.
        file: name of the file's artifact.
        command: command that trains on the file, or fetches it.
        lang: "en" or "zh".
    """
    made = word(
        "**{samples:,} of the {samples_before:,} samples** of run [{name}]({link}) by `keep={rule}`; {labels} "
        "changed (`{file}`).",
        lang,
        name=escaped(name),
        link=link,
        file=file,
        rule=rule,
        labels=Amount(counts["relabelled"], "label"),
        **counts,
    )
    return f"{made}\n\n{word('Train on them: {command}', lang, command=code(command))}"


def describe_comparison(
    runs: Sequence[tuple[str, str]],
    agreement: Mapping[str, float],
    hard: int,
    share: float,
    weak: Sequence[str] = (),
    lang: str = "en",
    unit: str = "sample",
) -> str:
    """Return the description of a run that holds a comparison.

    Args:
        runs: [(name, link)] of the compared runs.
        agreement: {name: mean over all pairs of runs}.
        hard: number of samples that every run has among its hardest.
        share: share of the samples that is called hardest, 0 to 1.
        weak: names of the runs that learned too little to tell which samples are hard.
        lang: "en" or "zh".
        unit: what is compared: "sample", "token" or "label".
    """
    why = (
        "But {runs} learned too little to tell which {unit}s are hard."
        if weak
        else "They are hard in every run, so no single run explains it."
    )
    every = "Among the hardest {share:.0%} of every run: **{samples}** (`comparison/always_hard.tsv`). {why}"
    members = word(", ", lang).join(f"[{escaped(name)}]({link})" for name, link in runs)
    why = word(why, lang, runs=word(", ", lang).join(map(escaped, weak)), unit=Phrase(unit))
    return "\n".join(
        [
            word("**Data maps of {runs}.**", lang, runs=members),
            "",
            word(every, lang, samples=Amount(hard, unit), share=share, why=why),
            "",
            f"| {word('agreement, mean over pairs of runs', lang)} | |",
            "|---|---:|",
            *(f"| {name.replace('_', ' ', 1)} | {value:.3f} |" for name, value in agreement.items()),
            "",
            _item("Model metrics → `maps`", "see the maps side by side, and where {unit}s moved", lang, unit),
            _item("Artifacts → `comparison/agreement.tsv`", "see each pair of runs", lang),
        ]
    )
