"""All three steps in one go: train, summarize, plot. Keys of plot are under `plot.`.

datamap main
datamap main seed=1 plot.use_f_times=0
datamap main maps='[{use_f_times: 0}, {dirty_label: true}]'       three maps
"""

from dataclasses import replace
from typing import Any

from omegaconf import OmegaConf

from datamap.config import MainConfig
from datamap.pipeline.plot import plot
from datamap.pipeline.summarize import summarize
from datamap.pipeline.train import train
from datamap.ranges import check


def run(config: MainConfig, overrides: list[str]) -> None:
    """Train, summarize and plot in one process."""
    further = [_changed(config.plot, keys, f"maps[{index}].") for index, keys in enumerate(config.maps)]
    found = train(config, overrides)
    same = {"run_id": found.run_id, "tracking": config.tracking}
    summarize(replace(config.summarize, **same))
    for options in (config.plot, *further):
        plot(replace(options, **same))


def _changed(options: Any, keys: dict[str, Any], where: str) -> Any:
    changed = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(options), keys))
    check(changed, where)
    return changed
