"""Tell from the hidden tags of a run which artifacts it has, so that a server need not be asked for each.

A tag comes with the run, and is logged after the artifact that it tells of. The UI hides tags that begin with `mlflow.`
"""

from collections.abc import Mapping
from pathlib import Path

from datamap import schema
from datamap.digests import digest_of

DIGEST_TAG = "mlflow.datamap.sha256."  # followed by the artifact's path
CONTENT_TAG = "mlflow.datamap.content."  # followed by the path of a small artifact: its content
EXPLORER_TAG = "mlflow.datamap.explorer"  # digest of what the explorer was made from, and its bytes
MAX_CONTENT = 2000  # bytes of an artifact whose content is a tag
# Artifacts whose SHA-256 is logged with them → the command that regenerates them; None: only a new run does.
REGENERATED_BY = {
    schema.SUMMARY_FILE: "summarize",
    schema.SUMMARIZED_FILE: "summarize",
    schema.UNITS_SUMMARY_FILE: "summarize",
    schema.PACK_FILE: "summarize",
    schema.DIAGNOSIS_FILE: "diagnose",
    schema.UNITS_DIAGNOSIS_FILE: "diagnose",
    schema.EMBEDDINGS_FILE: "diagnose embeddings=<file>",
    schema.SAMPLES_FILE: None,
    schema.LABELS_FILE: None,
}
IN_TAGS = (schema.LABELS_FILE, schema.SUMMARIZED_FILE, schema.TASK_FILE, "config/diagnose.yaml")


def tags_of(path: str, file: Path) -> dict[str, str]:
    """Return the tags that describe an artifact, to be set when it is logged; large ones have no content tag."""
    tags = {DIGEST_TAG + path: digest_of(file)} if path in REGENERATED_BY else {}
    if path in IN_TAGS:
        tags[CONTENT_TAG + path] = file.read_text("utf-8") if file.stat().st_size <= MAX_CONTENT else ""
    return tags


def digests(tags: Mapping[str, str], path: str) -> list[str]:
    """Return the digests that an artifact may have; [] if none was logged, as in runs of older versions."""
    return tags.get(DIGEST_TAG + path, "").split()


def content(tags: Mapping[str, str], path: str) -> bytes | None:
    """Return the content of a small artifact; None where no tag has it."""
    return tags.get(CONTENT_TAG + path, "").encode() or None


def has(tags: Mapping[str, str], path: str) -> bool | None:
    """Tell whether a run has an artifact; None where only a listing tells, as for runs that older versions made."""
    if content(tags, path):
        return True
    if not any(DIGEST_TAG + first in tags for first in (schema.LABELS_FILE, schema.SAMPLES_FILE)):
        return None
    if path in REGENERATED_BY:
        return DIGEST_TAG + path in tags
    told_by = {schema.EXPLORER_FILE: EXPLORER_TAG, schema.TASK_FILE: schema.TASK_TAG}
    return told_by[path] in tags if path in told_by else None


def observations(tags: Mapping[str, str], last: int) -> dict[int, list[str]] | None:
    """Return {number: paths of its shards and of their checksums} of observations 1 to `last` of a run that has ended.

    Return None if a tag is missing: older versions logged none, many shards have none, and steps leave numbers out.
    """
    found: dict[int, list[str]] = {}
    for name, text in tags.items():
        path = name.removeprefix(CONTENT_TAG)
        names = [line.rpartition("  ")[2] for line in text.splitlines()]
        shard = schema.parse_shard(names[0]) if path.endswith(schema.CHECKSUMS_SUFFIX) and names else None
        if shard and shard.checksums_path == path:
            found[shard.number] = [path, *(f"{schema.SIGNALS_DIR}/{name}" for name in names)]
    complete = all(map(found.__contains__, range(1, last + 1)))
    return dict(sorted(found.items())) if complete and len(found) == last else None
