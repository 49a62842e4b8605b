"""Compose configs from `conf/` and overrides, by Hydra."""

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from datamap.errors import ConfigError, first_few
from datamap.places import CONF


def compose(name: str, overrides: list[str]) -> DictConfig:
    """Return a command's config: `conf/<name>.yaml`, with the overrides applied.

    Raises:
        ConfigError: an override is of a type that Hydra does not accept, such as a number for a config group.
    """
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            return hydra.compose(name, overrides)
    except (HydraException, OmegaConfBaseException):
        raise
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{first_few(overrides)}: {error}") from error
