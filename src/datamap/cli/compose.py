"""Compose configs from `conf/` and overrides, by Hydra."""

import contextlib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.defaults_list import create_defaults_list
from hydra._internal.utils import create_config_search_path
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from datamap.config import STEPS
from datamap.errors import ConfigError, first_few
from datamap.places import CONF


def compose(name: str, overrides: list[str]) -> DictConfig:
    """Return a command's config: `conf/<name>.yaml`, with the overrides applied.

    Raises:
        ConfigError: an override has several values, or is of a type that Hydra does not accept, such as a number for a
            config group.
    """
    try:
        with plain_keys(name):
            return _composed(name, overrides)
    except (HydraException, OmegaConfBaseException):
        raise
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{first_few(overrides)}: {error}") from error


@contextlib.contextmanager
def plain_keys(name: str) -> Iterator[None]:
    """Keep Hydra from taking a step's plain keys, such as `regions` of `plot`, for groups of files.

    It does so with each key that is called like a folder of `conf/`.
    """
    plain = {key.name for key in fields(STEPS[name]) if not is_dataclass(key.type)}
    exists = ConfigRepository.group_exists

    def group_exists(self: ConfigRepository, config_path: str) -> bool:
        return config_path not in plain and exists(self, config_path)

    ConfigRepository.group_exists = group_exists  # type: ignore[method-assign]
    try:
        yield
    finally:
        ConfigRepository.group_exists = exists  # type: ignore[method-assign]


def _composed(name: str, overrides: list[str]) -> DictConfig:
    """Do what `hydra.compose` does, without Hydra's own config, which takes three quarters of its time."""
    version.setbase("1.3")
    loader = ConfigLoaderImpl(create_config_search_path(str(CONF)))
    given, files = loader._parse_overrides_and_create_caching_repo(name, overrides)
    ours = [override for override in given if not override.is_hydra_override()]
    for override in ours:
        if override.is_sweep_override():
            raise ConfigError(
                f"{override.input_line} has several values: give one, or add -m for a job with each"
            )
    found = create_defaults_list(files, name, ours, prepend_hydra=False, skip_missing=False)
    config = loader._compose_config_from_defaults_list(found.defaults, files)
    OmegaConf.set_struct(config, True)
    loader._apply_overrides_to_config(found.config_overrides, config)
    return config
