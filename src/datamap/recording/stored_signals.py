"""Find the observations of a run that are committed and complete, and their shards."""

from collections.abc import Collection, Mapping

from datamap import schema
from datamap.errors import TrackingError, first_few
from datamap.log import say
from datamap.schema import Shard
from datamap.signals import shards
from datamap.signals.shards import ShardsByObservation
from datamap.tracking.run import Run


def signals_of(run: Run, committed: Mapping[int, int | None] | None = None) -> ShardsByObservation:
    """Return {number: its shards} of the observations that were committed; a note names those that were not.

    Raises:
        TrackingError: the shards are not where the run says.
        SignalError: an observation is damaged.
    """
    committed = committed or run.committed()
    found, digests = _shards_in(run, schema.SIGNALS_DIR, committed)
    if committed and not found:
        raise TrackingError(
            f"run {run.run_id}: {run.artifacts.root}/{schema.SIGNALS_DIR} has none of its signals; "
            "if the store's folder was moved, move it back there"
        )
    observed, left_out = shards.complete_observations(found, committed, digests)
    if left_out:
        say(
            "note: ignoring observation {numbers}, which was never committed (was the run killed?)",
            numbers=first_few(sorted(left_out), 8),
        )
    run.artifacts.fetch({shard.path: shard.sha256 for parts in observed.values() for shard in parts})
    return observed


def extra_signals_of(run: Run, folder: str) -> ShardsByObservation:
    """Return {number: its shards} of the extra trainings in a folder; {} while some of them are missing."""
    done = run.committed(schema.EXTRA_METRICS[folder])
    found, digests = _shards_in(run, folder) if done else ([], {})
    if len(done) < max((shard.count for shard in found), default=0):
        say(
            "note: ignoring {folder}/, which is incomplete (if the run was killed, resume it: {command})",
            folder=folder,
            command=run.command("train", "resume=true"),
        )
        return {}
    return shards.complete_observations(found, {shard.number: 0 for shard in found}, digests)[0]


def _shards_in(
    run: Run, folder: str, numbers: Collection[int] | None = None
) -> tuple[list[Shard], dict[str, str]]:
    """Return ([Shard, …], {artifact path: SHA-256}) of a folder of the run.

    Checksums of observations other than `numbers` are not read, because a killed run may have left half of them.
    """
    files = run.files(folder)
    found = [shard for shard in map(schema.parse_shard, files) if shard]
    digests: dict[str, str] = {}
    wanted = [shard for shard in found if numbers is None or shard.number in numbers]
    checksums = {shard.checksums_path for shard in wanted} & set(files)
    run.artifacts.fetch(dict.fromkeys(checksums))
    for path in checksums:
        digests |= shards.parse_checksums(run.artifacts.read(path), path)
    # Shards of another split are what a killed process left: the observation was logged again, in other parts.
    listed = {(shard.checksums_path, shard.count) for shard in found if shard.path in digests}
    found = [s for s in found if s.checksums_path not in checksums or (s.checksums_path, s.count) in listed]
    for shard in found:
        if shard.checksums_path in checksums:
            digests.setdefault(shard.path, shards.UNLISTED)
    return found, digests
