"""Define the artifact contract: the columns of signals and summary, and the paths of artifacts in a run.

Users' own scripts and the files of the original tutorial depend on these names: add new ones, and rename none.
"""

import enum
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple


class Task(str, enum.Enum):
    """Name what the model that is recorded does; `datamap.tasks` has a module for each.

    A run says its task in `TASK_FILE` and in the tag `TASK_TAG`; one that says none is of classification.
    """

    CLASSIFICATION = "classification"
    GENERATION = "generation"
    SCORES = "scores"
    TOKENS = "tokens"
    MULTILABEL = "multilabel"


SIGNAL_COLUMNS = {
    "id": "the sample's id, int or string, unique in the data set",
    "label": "class index of the given label",
    "pred_label": "class index with the largest probability; the lowest index wins a tie",
    "noisy_label": "planted kind: 0 normal, 1 hard, 2 dirty (label flipped on purpose)",
    "correct": "pred_label == label",
    "loss": "cross-entropy of the sample in nats, -ln label_probs",
    "margin": "log-probability of the given label minus the largest other one, in nats",
    "probs": "softmax over the classes, sums to 1",
    "label_probs": "probs[label]",
}

# The summary needs these; the other keys of a record are further signals.
REQUIRED_SIGNALS = ("id", "label", "correct", "label_probs")

# The summary uses these; the rest of the contract is for people who read the files. A signal of a task of its own name
# (`Definition.signals`) is reduced to its mean without standing here.
USED_SIGNALS = (*REQUIRED_SIGNALS, "noisy_label", "loss", "margin", "probs")

# Every summary has these columns, also one of an earlier version: a file without one of them counts as damaged.
SUMMARY_COLUMNS = {
    "id": "the sample's id",
    "label": "class index of the given label",
    "s_label": "planted kind: 0 normal, 1 hard, 2 dirty",
    "correct_times": "observations in which the prediction was right",
    "correct_ratio": "correct_times / observations",
    "avg_probs": "mean probability of the given label (confidence)",
    "label_var": "population variance of that probability (variability squared)",
    "max_label_probs": "its maximum",
    "min_label_probs": "its minimum",
    "forgetting_times": "forgetting events: right, then wrong at the next observation",
    "learnt_times": "learning events: wrong, then right at the next observation",
    "first_forget": "0-based observation of the first forgetting event; 0 = never",
    "first_learn": "0-based observation of the first learning event; 0 = never",
}

# Columns that our own summaries add; a summary of an earlier version may lack one.
FURTHER_COLUMNS = {
    "aleatoric": "mean of p (1 - p)",
    "el2n": "mean length of the error vector over the first observations",
    "loss_mean": "mean loss",
    "margin_mean": "mean margin of the given label (AUM)",
    "entropy_mean": "mean entropy of the prediction",
}

Region = Literal["easy", "ambiguous", "hard", "noisy"]
# Region of a map, as `maps.regions.assign` numbers them → its name for people.
REGIONS: dict[Region, str] = {
    "easy": "easy to learn", "ambiguous": "ambiguous", "hard": "hard to learn", "noisy": "noisy?"
}  # fmt: skip

NORMAL, HARD, DIRTY = 0, 1, 2
KINDS = {NORMAL: "normal", HARD: "hard", DIRTY: "dirty"}

SUMMARY_FILE = "summary.tsv"
# Of tasks with several units per sample: one row per sample.
UNITS_SUMMARY_FILE, UNITS_DIAGNOSIS_FILE = "summary_samples.tsv", "diagnosis_samples.tsv"
PACK_FILE = "summary.zip"  # behind a server: summary.tsv and the shards that it is over, in one file
SUMMARIZED_FILE = "summary.json"  # the observations that summary.tsv covers
LABELS_FILE = "labels.json"
TASK_FILE = "task.json"
TASK_TAG = "datamap.task"
CURATED_FROM_TAG = "datamap.curated_from"  # of a run of `curate`: id of the run that its file was made from
SIGNALS_DIR = "signals"
HOLDOUT_DIR = "holdout"  # signals from models that never saw the samples: shard k of n is fold k of n
THRESHOLD_DIR = "threshold"  # signals of samples that were trained as a class of their own
CHECKPOINT_DIR = "checkpoint"
MAPS_DIR = "maps"
# MLflow's slider of an image series begins at step 0 (as of 3.17), and the card is empty if no picture is logged there.
# So the latest map is logged at step 0, and the maps during training are a series of their own that starts at 0 too.
NEWEST_STEP = 0
FORMING_MAP = "maps/while_training"
EXPLORER_FILE = "maps/explorer.html"
DIAGNOSIS_FILE = "diagnosis.tsv"
REVIEW_DIR = "review"
SELECTIONS_DIR = "selections"  # ids of samples that somebody chose, a file each
DECISIONS_FILE = "review/decisions.jsonl"  # sessions behind a server: review/decisions-<session>.jsonl
CURATED_STEM = "curated"
CURATED_FILE = f"{CURATED_STEM}.tsv"
CURATED_ROWS_FILE = "curated.jsonl"  # of tasks without classes: the rows that were kept, as they were given
SAMPLES_FILE = "data/samples.tsv"
EMBEDDINGS_FILE = "embeddings/embeddings.parquet"
# Its columns besides id; the second one exists for pairs.
EMBEDDING, EMBEDDING_B = "embedding", "embedding_b"
ROWS_FILE = "data/samples.jsonl"  # of tasks without classes: the rows of samples.tsv as they were given
ORIGINAL_FILE = "data/original.jsonl"  # of tokens and several labels: the training file's text of each sample
COMMIT_METRIC = "signals.rows"  # at step = the observation's number
EXTRA_METRICS = {name: f"{name}.rows" for name in (HOLDOUT_DIR, THRESHOLD_DIR)}  # at step = the shard's index

FORMATS = ("jsonl", "parquet")
AUTO = "auto"  # stands for one of `FORMATS`, chosen by the number of records
MAX_JSONL_ROWS = 20_000  # records of an observation up to which `AUTO` keeps them readable in MLflow's UI
CHECKSUMS_SUFFIX = ".sha256"  # of the file with the digests of an observation's shards
SUM_TOLERANCE = 1e-3  # by which given probabilities may miss 1; a softmax in half precision does
# Larger labels are not class indices: the probabilities of more classes do not fit into a line of a shard.
MAX_CLASSES = 65_536

_SHARD = re.compile(
    rf"(?:(\w+)/)?(epoch|step)_([0-9]{{1,16}})-([0-9]{{1,9}})-of-([0-9]{{1,9}})\.({'|'.join(FORMATS)})"
)


class Shard(NamedTuple):
    """Name one file of an observation: epoch or step `number`, part `index` of `count`."""

    unit: str
    number: int
    index: int  # type: ignore[assignment]
    count: int  # type: ignore[assignment]
    format: str = "jsonl"
    sha256: str | None = None  # of the file's bytes, where known
    folder: str = SIGNALS_DIR

    @property
    def _observation(self) -> str:
        width = 4 if self.unit == "epoch" else 6
        return f"{self.folder}/{self.unit}_{self.number:0{width}d}"

    @property
    def _stem(self) -> str:
        return f"{self._observation}-{self.index:05d}-of-{self.count:05d}"

    @property
    def path(self) -> str:
        """Return the artifact path in the run, such as `signals/epoch_0001-00000-of-00001.jsonl`."""
        return f"{self._stem}.{self.format}"

    @property
    def checksums_path(self) -> str:
        """Return the artifact path of its checksum: one file per observation, `signals/epoch_0001.sha256`.

        Outside `signals/`, the shards of an observation are logged at different times, so each has a file of its own.
        """
        return f"{self._observation if self.folder == SIGNALS_DIR else self._stem}{CHECKSUMS_SUFFIX}"


def parse_shard(path: str) -> Shard | None:
    """Parse the artifact path or file name of a shard; return None if it is not exactly a shard's."""
    match = _SHARD.fullmatch(path)
    if not match:
        return None
    folder, unit, number, index, count, format = match.groups()
    shard = Shard(unit, int(number), int(index), int(count), format, folder=folder or SIGNALS_DIR)
    written = path if folder else f"{SIGNALS_DIR}/{path}"
    return shard if shard.index < shard.count and shard.path == written else None


def chosen_format(format: str, rows: int) -> str:
    """Return the format of signal files; `AUTO` chooses JSON lines for people, and Parquet for many records.

    >>> chosen_format("auto", 20_000), chosen_format("auto", 20_001), chosen_format("jsonl", 10**6)
    ('jsonl', 'parquet', 'jsonl')
    """
    if format != AUTO:
        return format
    return "jsonl" if rows <= MAX_JSONL_ROWS else "parquet"


def is_column_name(key: str) -> bool:
    """Tell whether a signal of this name can be a column of summary.tsv."""
    return bool(key) and key.isprintable()


def all_class_names(names: Sequence[str], count: int) -> tuple[str, ...]:
    """Return the names of `count` classes or more: the index of a class that has no name stands for it.

    >>> all_class_names(["no", "yes"], 3)
    ('no', 'yes', '2')
    """
    return (*names, *map(str, range(len(names), count)))
