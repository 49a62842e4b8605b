"""What a run's page says of it: Markdown for people who open the run without having made it."""

import html
import re
from collections.abc import Mapping, Sequence

from datamap.errors import counted


def escaped(text: object) -> str:
    """A text as Markdown that shows it as it is: a run's name, say, which could be anything.

    >>> print(escaped("x](javascript:1) <b>"))
    x\\]\\(javascript:1\\) &lt;b&gt;
    """
    text = html.escape(" ".join(str(text).split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]()|~])", r"\\\1", text)


def code(text: str) -> str:
    """A text as a Markdown code span, whatever backquotes are in it.

    >>> code("a `b`")
    '`` a `b` ``'
    """
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{' '.join(text.split())}{space}{fence}"


def of_run(samples: int, metrics: Mapping[str, float]) -> str:
    """Description of a run that has a summary.

    Args:
        samples: how many there are.
        metrics: {name: value} as `summarize` and perhaps `diagnose` log them.
    """
    m = {name.removeprefix("summary/"): value for name, value in metrics.items()}
    diagnosed = "mislabelled/estimate" in m
    lines = [
        f"**{counted(samples, 'sample')} over {counted(int(m['observations']), 'observation')}.** "
        f"Mean confidence {m['mean_confidence']:.2f}; {m['never_learnt']:.1%} of the samples were never predicted "
        f"right; {m['forgetting_events']:.2f} forgetting events a sample.",
        "",
        f"**Look first at** the {round(m['never_learnt'] * samples):,} samples that were never predicted right: "
        "wrong labels gather there (bottom left of the map).",
    ]
    if "auroc_dirty" in m:
        lines += [
            "",
            f"Planted dirty samples against the rest: AUROC of 1 - avg_probs **{m['auroc_dirty']:.3f}**.",
        ]
    if diagnosed:
        low, high = (round(m[f"mislabelled/{end}"]) for end in ("low", "high"))
        lines += [
            "",
            f"**About {counted(round(m['mislabelled/estimate']), 'label')} wrong** ({low:,} to {high:,}).",
        ]
    if "review/reviewed" in m:
        lines += [
            "",
            f"**{counted(int(m['review/reviewed']), 'sample')} reviewed**, {int(m['review/wrong']):,} of them wrong.",
        ]
    if "memorisation/from_observation" in m:
        lines += [
            "",
            f"**How far to trust the map:** from observation {int(m['memorisation/from_observation'])} on the model "
            f"learnt labels by heart, wrong ones too (in the end it was right in {m['memorisation/gap']:.0%} more of "
            "the samples that it was trained on than of others): wrong labels may lie among the easy samples.",
        ]
    if m.get("mislabelled/known") == 0:
        lines += [
            "",
            "**How many labels are wrong cannot be known:** nothing foretells unseen labels well enough.",
        ]
    lines += [
        "",
        "| open | to |",
        "|---|---|",
        *(["| Artifacts → `diagnosis.tsv` | read the samples, likeliest wrong first |"] if diagnosed else []),
        "| Artifacts → `maps/explorer.html` | hover, search, filter and select samples, replay the epochs |",
        "| Model metrics → `maps` | see the map, and how it formed |",
        "| Artifacts → `summary.tsv` | sort all samples by any number |",
    ]
    return "\n".join(lines)


def of_curated(name: str, link: str, rule: str, counts: Mapping[str, int], command: str) -> str:
    """Description of a run that holds a curated training file.

    Args:
        name, link: of the run that it is made from.
        rule: what `keep=` said.
        counts: {"samples": …, "samples_before": …, "relabelled": …}.
        command: what trains on the file.
    """
    return "\n".join(
        [
            f"**{counts['samples']:,} of the {counts['samples_before']:,} samples** of run "
            f"[{escaped(name)}]({link}) by "
            f"`keep={rule}`, {counts['relabelled']:,} of them with another label (`curated.tsv`).",
            "",
            f"Train on them: {code(command)}",
        ]
    )


def of_comparison(
    runs: Sequence[tuple[str, str]], agreement: Mapping[str, float], hard: int, share: float
) -> str:
    """Description of a comparison.

    Args:
        runs: [(name, link)] of its members.
        agreement: {name: mean over all pairs of runs}.
        hard: how many samples every run has among its hardest.
        share: which share is called hardest.
    """
    members = ", ".join(f"[{escaped(name)}]({link})" for name, link in runs)
    return "\n".join(
        [
            f"**Data maps of {members}.**",
            "",
            f"Every run has **{counted(hard, 'sample')}** among its hardest {share:.0%} "
            "(`comparison/always_hard.tsv`): whatever made them hard, it was not the run.",
            "",
            "| agreement, mean over pairs of runs | |",
            "|---|---:|",
            *(f"| {name.replace('_', ' ', 1)} | {value:.3f} |" for name, value in agreement.items()),
            "",
            "| open | to |",
            "|---|---|",
            "| Model metrics → `maps` | see the maps side by side, and where samples moved |",
            "| Artifacts → `comparison/agreement.tsv` | see each pair of runs |",
        ]
    )
