"""All three steps in one go: train, summarize, plot. Keys of plot are under `plot.`.

datamap main
datamap main seed=1 plot.use_f_times=0
"""

from dataclasses import replace

from datamap.commands.config import MainConfig
from datamap.commands.plot import plot
from datamap.commands.summarize import summarize
from datamap.commands.train import train


def run(config: MainConfig, overrides: list[str]) -> None:
    """Train, summarize and plot in one process."""
    found = train(config, overrides)
    same = {"run_id": found.run_id, "tracking": config.tracking}
    summarize(replace(config.summarize, **same))
    plot(replace(config.plot, **same))
