"""Damaged shards, and what summarize must say of them; used by faults.py."""

from pathlib import Path

from datamap import config, schema
from datamap.errors import SignalError
from datamap.pipeline import summarize as command
from datamap.signals import shards
from datamap.summaries import reduction
from datamap.tracking.artifacts import Artifacts


def summarize(client, run, **options):
    """(bytes of summary.tsv, its number of observations) after summarizing a run."""
    run_id = run.info.run_id
    tracking = {"uri": client.tracking_uri, "retry_seconds": 0}
    command.summarize(config.defaults("summarize", run_id=run_id, tracking=tracking, **options))
    artifacts = Artifacts(client.tracking_uri, run_id, run.info.artifact_uri)
    count = client.get_run(run_id).data.metrics["summary/observations"]
    return artifacts.read(schema.SUMMARY_FILE), int(count)


def expected_summary(client, run, count):
    """summary.tsv of the first `count` observations, from the run's files alone."""
    artifacts = Artifacts(client.tracking_uri, run.info.run_id, run.info.artifact_uri)
    paths = [file.path for file in client.list_artifacts(run.info.run_id, schema.SIGNALS_DIR)]
    found = [shard for shard in map(schema.parse_shard, paths) if shard and shard.number <= count]
    whole, _ = shards.complete_observations(found, dict.fromkeys(range(1, count + 1)))
    parts = list(reduction.in_process(artifacts, shards.groups(whole), reduction.Options()))
    return parts[0].header + b"".join(text for part in parts for text in part.lines)


def truncated(content, other, generator):
    return content[: generator.integers(0, len(content))], None


def doubled(content, other, generator):
    return content + content, None


def swapped(content, other, generator):
    return other, content


def flipped(content, other, generator):
    damaged = bytearray(content)
    bit = int(generator.integers(0, 8 * len(content)))
    damaged[bit // 8] ^= 1 << (bit % 8)
    return bytes(damaged), None


def _trial(damage, format):
    def trial(lab, generator):
        if format not in lab.__dict__:  # one run per format: damage is put right after each trial
            room = lab.room()
            assert lab.start(room, *lab.training(3, f"signals.format={format}")).wait(300) == 0
            client, run = lab.only_run(room)
            lab.__dict__[format] = client, run, summarize(client, run)[0]
        client, run, before = lab.__dict__[format]
        root = Path(run.info.artifact_uri.removeprefix("file://"))
        files = sorted((root / "signals").glob(f"*.{format}"))
        one, two = (files[i] for i in generator.choice(len(files), 2, replace=False))
        contents = one.read_bytes(), two.read_bytes()
        new_one, new_two = damage(*contents, generator)
        one.write_bytes(new_one)
        two.write_bytes(new_two or contents[1])
        try:
            summarize(client, run)
            named = False
        except SignalError as error:
            named = one.name in str(error) or two.name in str(error)
        kept = (root / schema.SUMMARY_FILE).read_bytes() == before
        one.write_bytes(contents[0])
        two.write_bytes(contents[1])
        return named and kept, 0, int(not kept)

    trial.__doc__ = (
        f"a {format} shard is {damage.__name__}; summarize names it and leaves the old summary as it is"
    )
    return trial


DAMAGES = {
    f"{damage.__name__}, {format}": _trial(damage, format)
    for damage in (truncated, doubled, swapped, flipped)
    for format in schema.FORMATS
}
