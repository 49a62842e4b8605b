"""Declare types and ranges of every key of each step; `conf/` holds the values and explains the keys."""

import re
from collections.abc import Set
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any

from omegaconf import MISSING, DictConfig, ListConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from datamap.errors import ConfigError, TrackingError, did_you_mean, reason, shortened
from datamap.maps.options import MapOptions
from datamap.places import CONF
from datamap.ranges import check, number, option

MAX_TOKENS = 65_536  # per sample: the model allocates a position embedding for each
KEEP = ("clean", "relabelled", "corrected", "matching", "ambiguous", "both_ends", "forgettable")
MISSING_HINTS = {
    "keep": f"choose {', '.join(KEEP[:-1])} or {KEEP[-1]}",
    "runs": "give runs='[<id>,<id>]', or a search filter such as \"runs=params.data = 'demo'\"",
    "run_id": "give run_id=<id>, or run_id=latest for the newest run with signals",
}


@dataclass
class TrackingConfig:
    """Declare the keys of `tracking`: the MLflow store, the experiment, and retries of an unreachable store."""

    uri: str | None = MISSING
    experiment: str | None = MISSING
    run_name: str | None = MISSING
    tags: dict[str, str] | None = MISSING
    retry_seconds: int = number(low=0)
    spool: str = MISSING


@dataclass
class ColumnsConfig:
    """Declare the keys of `data.columns`: the columns of a text file."""

    text_a: Any = MISSING
    text_b: Any = MISSING
    label: Any = MISSING
    s_label: Any = MISSING
    id: Any = MISSING

    def __post_init__(self) -> None:
        for key in fields(self):
            value = getattr(self, key.name)
            names = isinstance(value, list) and value and all(isinstance(one, str) and one for one in value)
            if key.name == "label" and names:
                continue
            if value is not None and not isinstance(value, str) and (type(value) is not int or value < 0):
                raise ConfigError(
                    f"data.columns.{key.name}={value}: give a column's name, its number from 0, auto or null"
                )


@dataclass
class DataConfig:
    """Declare the keys of `data`: the texts to train on, and the labels to plant."""

    name: str = MISSING
    task: str = option("classification", "tokens", "multilabel")
    path: str | None = MISSING
    dev_path: str | None = MISSING
    loader: str | None = MISSING
    header: bool | None = MISSING
    encoding: str | None = MISSING
    delimiter: str | None = MISSING
    columns: ColumnsConfig = field(default_factory=ColumnsConfig)
    ids: Any = MISSING
    label_separator: str | None = MISSING
    sample: int | None = number(low=2)
    flip_ratio: float = number(low=0, high=1)
    seed: int = number(low=0)
    on_bad_row: str = option("error", "skip")
    folds: int | None = number(low=2)


@dataclass
class ScratchConfig:
    """Declare the keys of `model.scratch`: the size of a model that is trained from scratch."""

    layers: int = number(low=1, high=1000)
    hidden_size: int = number(low=1)
    intermediate_size: int = number(low=1)
    heads: int = number(low=1)
    dropout: float = number(low=0, high=1)
    initializer_range: float = number(above=0, high=10)


@dataclass
class ModelConfig:
    """Declare the keys of `model`."""

    name: str = MISSING
    name_or_path: str | None = MISSING
    max_length: int = number(low=4, high=MAX_TOKENS)
    lr: float = number(above=0)
    epochs: int = number(low=1)
    batch_size: int = number(low=1)
    scratch: ScratchConfig | None = None
    trust_pickle: bool = False
    threads: int | None = number(low=1, high=1024, default=None)


@dataclass
class TrainerConfig:
    """Declare the keys of `trainer`."""

    epochs: int = number(low=1)
    batch_size: int = number(low=1)
    max_length: int = number(low=4, high=MAX_TOKENS)
    lr: float = number(above=0)
    warmup: float = number(low=0, high=1)
    weight_decay: float = number(low=0)
    device: str | None = MISSING
    threads: int | None = number(low=1, high=1024)
    jobs: int | None = number(low=1, high=1024)
    checkpoint: str = option("last", "none")


@dataclass
class SignalsConfig:
    """Declare the keys of `signals`: when observations are made, and how they are stored."""

    collect: str = option("eval", "train")
    every: Any = number(low=1, word="epoch")
    format: str = option("auto", "jsonl", "parquet")
    batch_size: int = number(low=1)
    shard_rows: int = number(low=1)
    threshold_samples: bool = MISSING


@dataclass
class StepConfig:
    """Declare the keys that every step has."""

    lang: str = option("auto", "en", "zh")
    tracking: TrackingConfig = field(default_factory=TrackingConfig)


@dataclass
class RunConfig(StepConfig):
    """Declare the keys of every step that works on a run."""

    run_id: str = MISSING


@dataclass
class LiveConfig:
    """Declare the key of the live map."""

    live: bool = MISSING


@dataclass
class TrainConfig(StepConfig):
    """Declare the keys of `train`."""

    seed: int = number(low=0)
    resume: bool = MISSING
    run_id: str | None = MISSING
    log_text: bool = MISSING
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    signals: SignalsConfig = field(default_factory=SignalsConfig)
    plot: LiveConfig = field(default_factory=LiveConfig)


@dataclass
class EngineConfig:
    """Declare the keys of `engine`: where `summarize` computes."""

    name: str = option("local", "dask")
    address: str | None = MISSING


@dataclass
class SummarizeConfig(RunConfig):
    """Declare the keys of `summarize`."""

    allow_missing: bool = MISSING
    burn_in: int = number(low=0)
    until: Any = number(low=1, word="auto")
    el2n_observations: int = number(low=1)
    extra: dict[str, list[str]] | None = MISSING
    engine: EngineConfig = field(default_factory=EngineConfig)


@dataclass
class PlotConfig(RunConfig, MapOptions):
    """Declare the keys of `plot`: a map's options, and what else is logged."""

    unit: str = option("unit", "sample")
    explorer: bool = MISSING
    name: str | None = MISSING
    svg: bool = MISSING
    summarize: SummarizeConfig = field(default_factory=SummarizeConfig)


@dataclass
class CompareConfig(StepConfig):
    """Declare the keys of `compare`."""

    runs: Any = MISSING
    share: float = number(above=0, high=1)
    x: str = MISSING
    y: str = MISSING
    dpi: int = number(low=50, high=1200)
    summarize: SummarizeConfig = field(default_factory=SummarizeConfig)


@dataclass
class RegionsConfig:
    """Declare the keys of `regions`: the borders between the regions of a map."""

    by: str = option("relative", "absolute", "quantile")
    variance: float = number(low=0)
    confidence: float = number(low=0, high=1)
    noisy: float = number(low=0, high=1)


@dataclass
class DiagnoseConfig(RunConfig):
    """Declare the keys of `diagnose`."""

    score: str = option(
        "combined", "confidence", "aum", "forgetting", "confident_learning", "linear", "bigrams", "words", "neighbours",
        "overlap", "embeddings", "window", "sequence", "lexicon",
    )  # fmt: skip
    embeddings: Any = None
    encoder: str | None = None
    texts: bool = MISSING
    regions: RegionsConfig = field(default_factory=RegionsConfig)
    summarize: SummarizeConfig = field(default_factory=SummarizeConfig)


@dataclass
class ReviewConfig(RunConfig):
    """Declare the keys of `review`."""

    host: str = MISSING
    port: int = number(low=0, high=65535)
    open: bool = MISSING
    reviewer: str | None = MISSING
    diagnose: DiagnoseConfig = field(default_factory=DiagnoseConfig)


@dataclass
class CurateConfig(RunConfig):
    """Declare the keys of `curate`."""

    keep: str = option(*KEEP)
    where: str | None = MISSING
    ids: Any = MISSING
    share: float | None = number(low=0, high=1)
    threshold: float | None = number(low=0, high=1)
    corrections: str | None = MISSING
    balance: bool = MISSING
    drop_classes: bool = MISSING
    diagnose: DiagnoseConfig = field(default_factory=DiagnoseConfig)


@dataclass
class ImportConfig(StepConfig):
    """Declare the keys of `import`."""

    path: str = MISSING
    format: str = option("auto", "tutorial", "datamap", "cartography")
    texts: str | None = MISSING


@dataclass
class ExportConfig(RunConfig):
    """Declare the keys of `export`."""

    folder: str = MISSING


@dataclass
class UploadConfig(StepConfig):
    """Declare the keys of `upload`."""

    folder: str = MISSING


@dataclass
class LastMapConfig(PlotConfig, LiveConfig):
    """Hold the options of the map at the end of `main`, and of the maps during its training."""


@dataclass
class MainConfig(TrainConfig):
    """Declare the keys of `main`: those of `train`, and those of its maps."""

    summarize: SummarizeConfig = field(default_factory=SummarizeConfig)
    plot: LastMapConfig = field(default_factory=LastMapConfig)
    maps: list[dict[str, Any]] = MISSING


# Types of the keys that are declared as Any, because OmegaConf does not support these types.
HOLDS: dict[str, Any] = {
    **dict.fromkeys((key.name for key in fields(ColumnsConfig)), int | str | None),
    "label": list[str] | int | str | None,
    "runs": list[str] | str,
    "ids": list[str] | int | str | None,
    "embeddings": list[str] | str | None,
    "maps": list[LastMapConfig],
}

STEPS = {
    "train": TrainConfig,
    "summarize": SummarizeConfig,
    "plot": PlotConfig,
    "compare": CompareConfig,
    "main": MainConfig,
    "diagnose": DiagnoseConfig,
    "review": ReviewConfig,
    "curate": CurateConfig,
    "upload": UploadConfig,
    "import_signals": ImportConfig,
    "export_signals": ExportConfig,
}


def validated(raw: DictConfig | ListConfig, name: str) -> Any:
    """Return a composed config as the step's dataclass, after checking types and ranges.

    Raises:
        ConfigError: a value is missing, of the wrong type or out of range.
    """
    _refuse_plain(STEPS[name], raw)
    try:
        merged = OmegaConf.merge(OmegaConf.structured(STEPS[name]), raw)
        for key in sorted(OmegaConf.missing_keys(merged)):
            raise ConfigError(f"{key} is missing: {MISSING_HINTS.get(key, f'give {key}=<value>')}")
        config = OmegaConf.to_object(merged)
    except ConfigKeyError as error:
        raise ConfigError(unknown_key(str(error.full_key), name)) from error
    except OmegaConfBaseException as error:
        raise ConfigError(_problem(error)) from error
    except OverflowError as error:
        raise ConfigError(f"a number is too large ({error})") from error
    check(config)
    return config


def filled(options: Any, values: Any, where: str = "") -> Any:
    """Return options with these values in place of their own, after a check of all.

    Args:
        options: a dataclass of this module.
        values: {key: value}, in which OmegaConf would resolve `${…}` (see `literal`).
        where: beginning of the keys in messages.

    Raises:
        ConfigError: a value is out of range.
        OmegaConfBaseException: there is no such key, or a value is of the wrong type.
    """
    own = OmegaConf.merge(OmegaConf.structured(type(options)), literal(asdict(options)))
    found = OmegaConf.to_object(OmegaConf.merge(own, values))
    check(found, where)
    return found


def resumed(given: TrainConfig, logged: dict[str, Any], run_id: str) -> TrainConfig:
    """Return the config with which a run goes on: the one that it was made with, `logged`.

    The store, the run, the language and the trust in pickles are those of the given config, because the user decides
    them at each start.

    Raises:
        TrackingError: the run's config is missing or invalid.
    """
    if not logged:
        raise TrackingError(f"run {run_id} ended before it logged anything; start a new one")
    if "${" in str(logged):
        raise TrackingError(
            f"run {run_id}: config/train.yaml has an interpolation, ${{…}}, which is not resolved for safety"
        )
    # Keys that the run's version did not know yet have today's defaults.
    try:
        made_with: TrainConfig = filled(given, logged)
    except OmegaConfBaseException as error:
        raise TrackingError(f"run {run_id}: config/train.yaml cannot be used: {reason(error)}") from error
    if "threads" not in (logged.get("trainer") or {}):  # logged by a version that trained on one thread
        made_with.trainer.threads = 1
    if "seed" not in (logged.get("data") or {}):  # logged by a version that drew samples by the one seed
        made_with.data.seed = made_with.seed
    made_with.model.trust_pickle = given.model.trust_pickle
    return replace(made_with, resume=True, run_id=run_id, lang=given.lang, tracking=given.tracking)


def _problem(error: OmegaConfBaseException) -> str:
    """Return the key and the first line of OmegaConf's message."""
    said = re.split(r"\n\s*full_key: ", str(error).strip())[0]
    return ": ".join(filter(None, [error.full_key, said]))


def unknown_key(key: str, name: str) -> str:
    """Return the message that a step has no such key, with a similar one, of the same group if possible."""
    group, _, last = key.rpartition(".")
    known = sorted(list_keys(STEPS[name]), key=lambda other: other.rpartition(".")[0] != group)
    names = [other.rpartition(".")[2] for other in known]
    return f"{key}: no such key{did_you_mean(last, names, lambda similar: known[names.index(similar)])}"


def _refuse_plain(step: Any, raw: Any, path: str = "") -> None:
    """Raise ConfigError where a key that holds others has a value of its own, of which OmegaConf names no key."""
    for key in fields(step):
        inner: Any = key.default_factory
        name = path + key.name
        if is_dataclass(inner) and key.name in raw:
            value = raw[key.name]
            if not isinstance(value, DictConfig):
                first = fields(inner)[0].name
                raise ConfigError(
                    f"{name}={shortened(value)}: it holds keys; give {name}.{first}=, or {name}={{{first}: …}}"
                )
            _refuse_plain(inner, value, f"{name}.")


def defaults(name: str, /, **values: object) -> Any:
    """Return a step's config as its command composes it without overrides, with these values.

    A key may be one of a group, such as `regions.by`. The YAML files are read without Hydra, whose global state belongs
    to the process and so to the user.
    """
    try:
        given = OmegaConf.create()
        for key, value in values.items():
            OmegaConf.update(given, key, literal(value), force_add=True)
    except OmegaConfBaseException as error:
        raise ConfigError(_problem(error)) from error
    return validated(OmegaConf.merge(_composed(name), given), name)


def _composed(name):
    """Return conf/<name>.yaml merged with what its list of defaults names, in the list's order."""
    own: Any = OmegaConf.load(CONF / f"{name}.yaml")
    folder, parts = name.rpartition("/")[0], []
    for entry in own.pop("defaults", ["_self_"]):
        if entry == "_self_":
            parts.append(own)
        elif isinstance(entry, str):  # a file in the same folder, such as summarize@summarize
            step, _, key = entry.partition("@")
            found = _composed(f"{folder}/{step}" if folder else step)
            parts.append({key: found} if key else found)
        else:  # a group, such as tracking: default
            parts += [{group: _composed(f"{group}/{option}")} for group, option in entry.items()]
    return OmegaConf.merge(*parts)


def list_keys(step: type, path: str = "") -> list[str]:
    """List every key of a step's dataclass, as written on the command line."""
    found = []
    for key in fields(step):
        inner = key.default_factory if is_dataclass(key.default_factory) else None
        found += list_keys(inner, f"{path}{key.name}.") if inner else [path + key.name]
    return found


def literal(value: Any) -> Any:
    r"""Return plain data with its texts escaped, so that OmegaConf gives back `${…}` as it is and resolves nothing.

    Arrays, columns, sets and ranges become lists, and NumPy's numbers those of Python.

    >>> print(literal("${x}"))
    \${x}
    """
    if isinstance(value, str):
        return re.sub(r"(\\*)\$\{", lambda found: 2 * found[1] + r"\${", value)
    if hasattr(value, "tolist"):
        return literal(value.tolist())
    if isinstance(value, dict):
        return {literal(key): literal(inner) for key, inner in value.items()}
    return [literal(inner) for inner in value] if isinstance(value, list | tuple | Set | range) else value


def to_yaml(config: Any) -> str:
    """Encode a command's config as the YAML that is logged."""
    return OmegaConf.to_yaml(OmegaConf.create(literal(asdict(config))), resolve=True)
