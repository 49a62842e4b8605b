"""What commands read from a run: its signals, its summary, and which observations the summary is over."""

from dataclasses import replace

from omegaconf import OmegaConf

from datamap import schema
from datamap.errors import TrackingError, first_few
from datamap.log import say
from datamap.program import invocation
from datamap.signals import shards
from datamap.summaries import tsv

# What groupings, regions and marginals are made from.
MAP_COLUMNS = {
    "label", "s_label", "correct_ratio", "avg_probs", "label_var", "forgetting_times", "learnt_times"
}  # fmt: skip


def summary_of(run, config, columns):
    """(these columns of the summary, its number of observations), made first when the run has none."""
    if not run.has(schema.SUMMARY_FILE):
        say(f"run {run.run_id} has no {schema.SUMMARY_FILE} yet: summarizing it first")
        from datamap.commands.summarize import summarize_run

        summarize_run(run, replace(config.summarize, run_id=run.run_id, tracking=config.tracking))
    with run.artifacts.local(schema.SUMMARY_FILE) as file:
        found = tsv.read(file, columns)
    count, now = int(run.metrics()["summary/observations"]), len(run.committed())
    if count < now:
        say(
            f"note: the summary covers {count} of {now} observations; "
            f"renew it: {invocation('summarize', f'run_id={run.run_id}')}"
        )
    return found, count


def committed_between(run, config):
    """({number: its shards}, {number: its rows}) of the observations that count, between burn_in and until."""
    committed = run.committed()
    if not committed:
        raise TrackingError(f"run {run.run_id} has no signals; train first: {invocation('train')}")
    return shards.between(signals_of(run, committed), config.burn_in, config.until), committed


def observed_as_summarized(run):
    """({number: its shards} of the observations that the run's summary is over, whether samples may lack in some)."""
    found = run.artifacts.find("config/summarize.yaml")
    own = OmegaConf.create(found.decode() if found else {"burn_in": 0, "until": None, "allow_missing": False})
    return committed_between(run, own)[0], own.allow_missing


def signals_of(run, committed=None):
    """{number: its shards} of the observations that were committed."""
    found, digests = _shards_in(run, schema.SIGNALS_DIR)
    whole, left_out = shards.complete_observations(found, committed or run.committed(), digests)
    if left_out:
        say(
            f"note: observation {first_few(sorted(left_out), 8)} was never committed (a killed run?) and is left out"
        )
    return whole


def pass_signals_of(run, folder):
    """{number: its shards} of a run's further trainings (`passes`) in a folder; {} where not all of them are done."""
    done = run.committed(schema.PASS_METRICS[folder])
    found, digests = _shards_in(run, folder) if done else ([], {})
    if len(done) < max((shard.count for shard in found), default=0):
        say(
            f"note: {folder}/ is not finished and is left out (a killed run? go on: "
            f"{invocation('train', 'resume=true', f'run_id={run.run_id}')})"
        )
        return {}
    return shards.complete_observations(found, {shard.number: 0 for shard in found}, digests)[0]


def _shards_in(run, folder):
    """([Shard, …], {artifact path: SHA-256}) that lie in a folder of the run."""
    files = run.files(folder)
    found = [shard for shard in map(schema.parse_shard, files) if shard]
    digests = {}
    for path in {shard.checksums_path for shard in found} & set(files):
        digests |= shards.parse_checksums(run.artifacts.read(path), path)
    return found, digests
