"""Compose configs from `conf/` and overrides, by Hydra."""

import hydra
from omegaconf import DictConfig

from datamap.places import CONF


def compose(name: str, overrides: list[str]) -> DictConfig:
    """Return a command's config: `conf/<name>.yaml`, with the overrides applied."""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(name, overrides)
