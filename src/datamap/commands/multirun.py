"""A Hydra multirun (`-m seed=1,2,3`): one parent run, one child per job with its map, and their comparison."""

import contextlib
import os
from dataclasses import replace

from datamap.commands.cli import composed
from datamap.commands.compare import compare
from datamap.commands.config import TrackingConfig, TrainConfig
from datamap.commands.plot import plot
from datamap.commands.train import train
from datamap.errors import counted
from datamap.log import say
from datamap.tracking.run import PARENT_TAG, Run
from datamap.tracking.store import Store


class Multirun(contextlib.ExitStack):
    """What a multirun is made of: `job` for each of its configs, then `compare`; a context that ends the parent."""

    def __init__(self, name: str) -> None:
        """`name`: of the parent run, where `tracking.run_name` gives none."""
        super().__init__()
        self.name = name
        self.parent: Run | None = None
        self.children: list[str] = []
        self.tracking: TrackingConfig | None = None
        self.plot, self.comparison = composed("plot", run_id="-"), composed("compare", runs="-")

    def job(self, config: TrainConfig, overrides: list[str], name: str) -> None:
        """Train, summarize and plot one child, called `name`."""
        if self.parent is None:
            self.tracking = config.tracking
            store = Store(config.tracking.uri, config.tracking.experiment, create=True)
            self.parent = self.enter_context(
                store.new_run(config.tracking.run_name or self.name, config.tracking.tags)
            )
            os.environ.pop("MLFLOW_RUN_ID", None)  # that was the parent
            say(f"parent run {self.parent.run_id}  ({self.parent.address})")
        tags = {**(config.tracking.tags or {}), PARENT_TAG: self.parent.run_id}
        run = train(replace(config, tracking=replace(config.tracking, tags=tags, run_name=name)), overrides)
        self.children.append(run.run_id)
        plot(replace(self.plot, run_id=run.run_id, tracking=self.tracking))

    def compare(self) -> None:
        """Compare the children, in the parent."""
        if self.parent is None:
            return
        if len(self.children) < 2:
            say(f"note: {counted(len(self.children), 'run')} to compare: no comparison")
        else:
            compare(replace(self.comparison, runs=self.children, tracking=self.tracking), self.parent)
