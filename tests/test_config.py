"""Every config composes, has a type, a range and a comment for each key."""

import dataclasses
import re
from pathlib import Path

import hydra
import omegaconf
import pytest

from conftest import ROOT
from datamap import config
from datamap.cli import process
from datamap.cli.compose import compose
from datamap.cli.overrides import translate
from datamap.errors import ConfigError
from datamap.maps.options import MapOptions

CONF = ROOT / "conf"
process.register_resolvers()


def composed(step, *overrides):
    return config.validated(compose(step, translate(list(overrides), config.STEPS[step])), step)


def options(group):
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


@pytest.mark.parametrize("step", config.STEPS)
def test_every_key_of_a_command_can_be_given(step):
    """Also one that is called like a folder of conf/, such as `regions` of `plot`, which Hydra takes for a group."""
    for key in dataclasses.fields(config.STEPS[step]):
        if not dataclasses.is_dataclass(key.type):
            assert key.name in compose(step, [f"{key.name}='given'"])
            assert compose(step, [f"{key.name}=false"])[key.name] is False


GIVEN = [
    (
        "train",
        (
            "model=folder",
            "data=file",
            "data.columns.label=2",
            "+tracking.tags.a=b",
            "++seed=3",
            "~data.seed",
        ),
    ),
    ("plot", ("run_id=x", "engine@summarize.engine=dask", "dpi=${oc.env:DPI,90}")),
    (
        "curate",
        ("regions@diagnose.regions=absolute", "tracking={tags: {a: b}, experiment: null}", "keep='a,b'"),
    ),
    ("main", ("hydra.run.dir=x", "maps=[{dpi: 60}]", "plot.color=label")),
]


@pytest.mark.parametrize(
    ("step", "overrides"), GIVEN, ids=lambda given: given if isinstance(given, str) else ""
)
def test_configs_are_those_that_hydra_composes(step, overrides):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        expected = hydra.compose(step, list(overrides))
    found = compose(step, list(overrides))
    assert found == expected
    with pytest.raises(omegaconf.errors.ConfigAttributeError):
        found.no_such_key = 1


NEEDED = {"file": "data.path=x.tsv", "folder": "model.name_or_path=x"}


# Each pair of choices: those of the two larger groups, and the third group's by turns.
PAIRS = [
    (data, model, options("tracking")[(row + column) % len(options("tracking"))])
    for row, data in enumerate(options("data"))
    for column, model in enumerate(options("model"))
]


@pytest.mark.parametrize("groups", PAIRS, ids="-".join)
def test_every_pair_of_groups_composes(groups):
    overrides = [
        f"{group}={choice}" for group, choice in zip(("data", "model", "tracking"), groups, strict=True)
    ]
    found = composed("train", *overrides, *(NEEDED[g] for g in groups if g in NEEDED))
    assert (found.data.name, found.model.name) == groups[:2]
    assert found.trainer.lr == found.model.lr


def test_the_original_hyper_parameters():
    found = composed("train", "model=ernie-3.0-base-zh")
    trainer = found.trainer
    assert (trainer.lr, trainer.batch_size, trainer.epochs, trainer.max_length) == (3e-5, 32, 5, 256)
    assert (trainer.warmup, found.seed) == (0.1, 1000)


@pytest.mark.parametrize("step", config.STEPS)
def test_every_step_has_a_config(step):
    assert (CONF / f"{step}.yaml").is_file()
    assert (ROOT / "src" / f"{step}.py").is_file()


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda p: str(p.relative_to(CONF)))
def test_every_key_that_is_introduced_has_a_comment(path):
    inherits = "defaults:" in path.read_text() and path.parent != CONF
    for line in path.read_text(encoding="utf-8").splitlines():
        key = re.match(r"\s*[a-z_]+:\s*\S", line)
        if (
            key
            and not inherits
            and path.stem not in ("main",)
            and not line.lstrip().startswith(("name:", "- "))
        ):
            group = path.parent.name == "model" and "scratch" not in line
            assert "#" in line or group or path.stem == "tiny", f"{path.name}: {line}"


RANGES = [
    ("train", "trainer.epochs=0", "trainer.epochs=0 is out of range: it must be 1 or more"),
    ("train", "trainer.threads=0", "trainer.threads=0 is out of range: it must be 1 or more"),
    (
        "train",
        "trainer.threads=all",
        "trainer.threads: Value 'all' of type 'str' could not be converted to Integer",
    ),
    ("train", "trainer.jobs=5000", "trainer.jobs=5000 is out of range: it must be 1024 or less"),
    ("train", "trainer.lr=0", "trainer.lr=0.0 is out of range: it must be above 0"),
    ("train", "data.flip_ratio=1.5", "data.flip_ratio=1.5 is out of range: it must be 1 or less"),
    ("train", "data.on_bad_row=drop", "data.on_bad_row=drop: choose error or skip"),
    (
        "train",
        "signals.every=batch",
        "signals.every=batch is out of range: it must be 'epoch' or a whole number",
    ),
    ("train", "signals.every=0", "signals.every=0 is out of range: it must be 1 or more"),
    (
        "train",
        "trainer.epochs=many",
        "trainer.epochs: Value 'many' of type 'str' could not be converted to Integer",
    ),
    ("plot", "threshold=zzz", "threshold: Value 'zzz' of type 'str' could not be converted to Float"),
    (
        "train",
        "data.path=a\0.tsv",
        r"data.path='a\x00.tsv' has a NUL character, which no path has; leave it out",
    ),
    ("train", "data.ids=[7,'a\0']", "has a NUL character"),
    ("plot", "threshold=nan", "threshold=nan is out of range: it must be finite"),
    ("plot", "dpi=1", "dpi=1 is out of range: it must be 50 or more"),
]


@pytest.mark.parametrize(("step", "override", "message"), RANGES)
def test_values_are_checked(step, override, message):
    needed = ["run_id=x"] if step == "plot" else []
    with pytest.raises(ConfigError, match=re.escape(message)):
        composed(step, *needed, override)


def test_demo_data_is_found_from_any_folder():
    assert Path(composed("train").data.path).is_file()


@pytest.mark.parametrize("step", sorted(set(config.STEPS) - {"import_signals", "curate"}))
def test_defaults_without_hydra_are_those_of_the_command(step):
    needed = {"compare": {"runs": "-"}, "upload": {}, "train": {}, "main": {}}.get(step, {"run_id": "x"})
    found = config.defaults(step, **needed)
    assert found == composed(step, *(f"{key}={value}" for key, value in needed.items()))


def test_the_regions_of_diagnose_are_those_that_maps_shade():
    from datamap.maps.regions import LIMITS, RELATIVE

    for by, limits in (("relative", RELATIVE), ("absolute", LIMITS)):
        found = composed("diagnose", "run_id=x", f"regions={by}").regions
        assert (found.by, found.variance, found.confidence, found.noisy) == (by, *limits)
    assert composed("diagnose", "run_id=x").regions.by == "relative"


def test_a_notebooks_map_is_that_of_the_command():
    """The defaults of `draw_map` are those of conf/plot.yaml, but it knows no run whose language it could speak."""
    found = composed("plot", "run_id=x")
    options = {f.name: getattr(found, f.name) for f in dataclasses.fields(MapOptions)}
    assert options | {"lang": "en"} == vars(MapOptions())


def test_the_scores_that_can_be_chosen_are_those_that_there_are():
    from datamap.labels import curation, mislabel

    choices = {f.name: f.metadata.get("choices") for f in dataclasses.fields(config.DiagnoseConfig)}
    assert choices["score"] == tuple(mislabel.SCORES)
    choices = {f.name: f.metadata.get("choices") for f in dataclasses.fields(config.CurateConfig)}
    assert set(choices["keep"]) == {*curation.RULES, "corrected"}
