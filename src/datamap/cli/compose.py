"""Configs from `conf/` and overrides, by Hydra."""

import hydra
from omegaconf import DictConfig

from datamap.places import CONF


def compose(name: str, overrides: list[str]) -> DictConfig:
    """Compose a command's config."""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(name, overrides)
