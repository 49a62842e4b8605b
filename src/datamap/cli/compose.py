"""Configs from `conf/` and overrides, as the dataclasses of `datamap.config`."""

from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.initialize import get_gh_backup, restore_gh_from_backup
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from datamap import config as types
from datamap.cli.places import CONF, DEMO
from datamap.errors import ConfigError
from datamap.ranges import check

MISSING_HINTS = {
    "keep": "choose clean, relabelled, corrected, ambiguous, both_ends or forgettable",
    "runs": "give runs='[<id>,<id>]', or a search filter such as \"runs=params.data = 'demo'\"",
    "run_id": "give run_id=<id>, or run_id=latest for the newest run with signals",
}

OmegaConf.register_new_resolver("demo", lambda name: str(DEMO / name), replace=True)


def validated(raw: DictConfig | ListConfig, name: str) -> Any:
    """The composed config as the step's dataclass, types and ranges checked.

    Raises:
        ConfigError: a value is missing, of the wrong type or out of range.
    """
    try:
        merged = OmegaConf.merge(OmegaConf.structured(types.STEPS[name]), raw)
        for key in sorted(OmegaConf.missing_keys(merged)):
            raise ConfigError(f"{key} is missing: {MISSING_HINTS.get(key, f'give {key}=<value>')}")
        config = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{error.full_key}: {str(error).strip().splitlines()[0]}") from error
    check(config)
    return config


def composed(name: str, **values: object) -> Any:
    """The default config of a command with these values."""
    return validated(OmegaConf.merge(compose(name, []), types.literal(values)), name)


def compose(name: str, overrides: list[str]) -> DictConfig:
    """Compose our config, also within an application that Hydra runs: its state stays as it is."""
    theirs = get_gh_backup()
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            return hydra.compose(name, overrides)
    finally:
        restore_gh_from_backup(theirs)
