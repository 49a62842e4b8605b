"""A Hydra multirun (`-m seed=1,2,3`): one parent run, a child a job with its map, and their comparison."""

import os
from dataclasses import replace

from datamap.commands.cli import composed
from datamap.commands.compare import compare
from datamap.commands.config import TrainConfig
from datamap.commands.plot import plot
from datamap.commands.train import train
from datamap.errors import counted
from datamap.log import say
from datamap.tracking.store import PARENT_TAG, Store


class Multirun:
    """What a multirun is made of: `job` for each of its configs, then `end()`."""

    def __init__(self) -> None:
        self.parent, self.children, self.tracking = None, [], None
        self.plot, self.compare = composed("plot", run_id="-"), composed("compare", runs="-")

    def job(self, config: TrainConfig, overrides: list[str], name: str) -> None:
        """Train, summarize and plot one child, called `name`."""
        if self.parent is None:
            self.tracking = config.tracking
            store = Store(config.tracking.uri, config.tracking.experiment, create=True)
            self.parent = store.start_run(config.tracking.run_name, config.tracking.tags)
            os.environ.pop("MLFLOW_RUN_ID", None)  # that was the parent
            say(f"parent run {self.parent.run_id}  ({self.parent.place})")
        tags = {**(config.tracking.tags or {}), PARENT_TAG: self.parent.run_id}
        run = train(replace(config, tracking=replace(config.tracking, tags=tags, run_name=name)), overrides)
        self.children.append(run.run_id)
        plot(replace(self.plot, run_id=run.run_id, tracking=self.tracking))

    def end(self) -> None:
        """Compare the children, in the parent."""
        if self.parent is None:
            return
        if len(self.children) < 2:
            say(f"note: {counted(len(self.children), 'run')} to compare: no comparison")
            self.parent.end("FINISHED" if self.children else "FAILED")
            return
        config = replace(self.compare, runs=self.children, tracking=self.tracking)
        compare(config, self.parent)
