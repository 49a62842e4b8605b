"""Review a run's samples in the browser, most likely wrong first: keep, relabel or drop each with one key."""

import contextlib
import getpass
import importlib
import re
import sys
import threading
from dataclasses import replace
from urllib.parse import urlparse

from datamap import schema
from datamap.config import ReviewConfig
from datamap.digests import digest_of
from datamap.errors import ConfigError, DataMapError, first_few
from datamap.labels.mislabel import SCORES
from datamap.log import print_line, reporting, say
from datamap.maps import regions
from datamap.pipeline import stored_diagnosis, unit_parts
from datamap.pipeline.corrections import say_left_out
from datamap.pipeline.diagnose import ensure_diagnosis
from datamap.pipeline.run_access import definition_of, open_run
from datamap.pipeline.run_description import describe
from datamap.pipeline.stored_embeddings import shown_embeddings
from datamap.pipeline.stored_summary import summarized_observations
from datamap.pipeline.stored_texts import Texts
from datamap.pipeline.summarize import ensure_summary
from datamap.review.decisions import MAX_NAME_LENGTH, is_name
from datamap.review.review import About, Review
from datamap.review.samples import join_samples
from datamap.review.server import serve
from datamap.review.storage import AppendingStorage, ReplacingStorage, Storage
from datamap.tracking import selections
from datamap.tracking.run import Run
from datamap.tracking.store import RUNS_SCHEME
from datamap.translations import Amount, translate

COLUMNS = {"id", "label", "label_var", "avg_probs"}
OF_DIAGNOSIS = ("id", "score", "label", "proposed", "region", "why", "evidence")
# Seconds until a background thread yields to one that answers the page; Python's default is 0.005.
SWITCH = 0.001


def review(config: ReviewConfig) -> Run:
    """Serve the review of a run until Ctrl-C, then log its progress, and return the run.

    Raises:
        ConfigError: the reviewer's name is not allowed, or the address cannot be served.
        DataMapError: the run has no signals, or an artifact is damaged.
    """
    found = open_run(config, "review")
    review = review_of(found, config)
    sys.setswitchinterval(SWITCH)
    threading.Thread(target=_read_the_rest, args=(found, review), daemon=True).start()
    serve(review, config.host, config.port, config.open, lambda address: _say_address(found, review, address))
    _end(found, review)
    return found


def review_of(run: Run, config: ReviewConfig) -> Review:
    """Return the review to serve; summarize and diagnose the run first where it is not yet.

    Raises:
        DataMapError: the run has no signals, or an artifact is damaged.
    """
    run.fetch(schema.PACK_FILE)
    summary, _ = ensure_summary(run, config.diagnose, COLUMNS)
    ensure_diagnosis(run, replace(config.diagnose, tracking=config.tracking))
    run.fetch(schema.DIAGNOSIS_FILE, schema.SAMPLES_FILE)
    with reporting("reading {file}", file=schema.DIAGNOSIS_FILE):
        with run.artifacts.local(schema.DIAGNOSIS_FILE) as file:
            diagnosis = stored_diagnosis.table_of(file, OF_DIAGNOSIS)
        shown = Texts(run)
        texts = shown.columns(summary["id"])
    if not texts:
        say(
            "note: run {run} has no texts ({file}): its samples are shown by their ids",
            run=run.run_id,
            file=schema.SAMPLES_FILE,
        )
    found = join_samples(summary, diagnosis, texts, run.class_names())
    probable = stored_diagnosis.is_probable(diagnosis["evidence"].unique().to_pylist())
    about = _about(run, config, probable)._replace(
        borders=regions.for_page(regions.relative_limits(summary), run.language)
    )
    parts = unit_parts.parts_of(run, found.ids, shown.rows) if about.part else None
    return Review(about, found, _storage(run), lambda ids: _keep(run, ids), parts)


def _keep(run: Run, ids: list) -> str:
    """Log a selection into the run, the same one once, and return the command that makes a training file of it."""
    content = selections.text_of(ids)
    path = f"{schema.SELECTIONS_DIR}/{digest_of(content)[:12]}.txt"
    run.log_text(content, path)
    return run.command("curate", "keep=matching", f"ids={RUNS_SCHEME}{run.run_id}/{path}")


def _about(run: Run, config: ReviewConfig, probable: bool) -> About:
    served = urlparse(run.tracking_uri).scheme in ("http", "https")
    score = run.config("diagnose").get("score")
    return About(
        run_id=run.run_id,
        run_name=run.info.run_name,
        score=score if isinstance(score, str) and score in SCORES else config.diagnose.score,
        unit=_unit(run),
        lang=run.language,
        reviewer=_reviewer(config.reviewer),
        run_address=re.sub(r"//[^/@]*@", "//", run.address) if served else None,  # without a password
        estimate=_estimate(run.metrics()),
        labeled=definition_of(run).has_classes,
        probable=probable,
        part=definition_of(run).unit,
    )


def _estimate(metrics):
    """Return the number of wrong labels that `diagnose` estimated; None where it has not estimated any."""
    if "mislabelled/known" not in metrics:
        return None
    names = {"estimate": "count", "low": "low", "high": "high"}
    found = {key: int(metrics[f"mislabelled/{name}"]) for name, key in names.items()}
    return found | {"known": bool(metrics["mislabelled/known"])}


def _reviewer(given: str | None) -> str:
    """Return the reviewer's name: the given one, else that of the operating system's user.

    Raises:
        ConfigError: the given name is too long or not printable.
    """
    if given and not is_name(given):
        raise ConfigError(f"reviewer={given[:50]!r}: give at most {MAX_NAME_LENGTH} printable characters")
    user = given
    with contextlib.suppress(KeyError, OSError, ImportError):  # a user without a name, as in containers
        user = given or getpass.getuser()
    return user if user and is_name(user) else "reviewer"


def _unit(run: Run) -> str:
    """Return the unit by which the run's observations are numbered: "epoch" or "step"."""
    found = (schema.parse_shard(path) for path in run.files(schema.SIGNALS_DIR))
    return next((shard.unit for shard in found if shard), "epoch")


def _storage(run: Run) -> Storage:
    folder, live = run.artifacts.folder, run.live()  # others decide meanwhile
    if folder is not None:
        return AppendingStorage(folder)
    return ReplacingStorage(live, is_first=not run.files(schema.REVIEW_DIR))


def _read_the_rest(run: Run, review: Review) -> None:
    """Load what the page does not need at first: the samples' histories, and the index of similar texts."""
    # So that the first decision need not wait for their import.
    for needed in ("scipy.optimize", "scipy.stats", "sklearn.metrics"):
        importlib.import_module(needed)
    try:
        observed, _ = summarized_observations(run)
        review.histories.load(run.artifacts, observed, review.samples.ids)
    except DataMapError as error:
        say("note: no histories are shown: {error}", error=error)
    note = "note: similar samples are found by their texts: {error}"
    found = shown_embeddings(run, review.samples.ids, note)
    review.neighbors.build(list(review.samples.texts.values()), found and found.vectors)


def _say_address(run: Run, review: Review, address: str) -> None:
    found, count = review.estimate(), len(review.samples)
    say_left_out(run, review.storage.torn, review.journal.unknown)
    samples = Amount(count, definition_of(run).row)
    if found.reviewed:
        already = "already reviewed: {reviewed:,} of {samples}, {wrong:,} wrong"
        say(already, reviewed=found.reviewed, samples=samples, wrong=found.wrong)
    # `say` would mask the token in the address, which the person at the terminal needs.
    print_line(
        translate("review of {samples}: {address}  (Ctrl-C to stop)", samples=samples, address=address)
    )


def _end(run: Run, review: Review) -> None:
    """Log the progress of the review, and print the next command."""
    review.refresh()
    found = review.estimate()
    say(
        "{reviewed:,} of {samples} reviewed, {wrong:,} wrong",
        reviewed=found.reviewed,
        samples=Amount(len(review.samples), definition_of(run).row),
        wrong=found.wrong,
    )
    if not found.reviewed:
        return
    run.read_once(again=True)  # the review took its time
    known: dict[str, float] = {"reviewed": found.reviewed, "wrong": found.wrong}
    known |= {"precision": found.precision["value"]} if found.precision else {}
    known |= {"remaining": found.remaining["estimate"]} if found.remaining else {}
    with run.together():
        run.log_metrics(
            {f"review/{name}": float(value) for name, value in known.items()}, max(run.committed())
        )
        describe(run, len(review.samples))
    if review.journal.conflicts:
        ids = [str(review.samples.ids[row].as_py()) for row in sorted(review.journal.conflicts)]
        many = Amount(len(ids), definition_of(run).row)
        say("note: reviewers disagree about {samples}: {ids}", samples=many, ids=first_few(ids))
    say("next: {command}", command=run.command("curate", "keep=corrected"))
