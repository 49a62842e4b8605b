"""Hold what a command has read of a run, so that it is requested once."""

import contextlib
import os
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from mlflow.entities import FileInfo, Metric

MAX_KEPT = 1 << 28  # bytes of artifacts that are kept on disk while a command runs


class Snapshot(NamedTuple):
    """Hold what was read of a run, and what this process logged since.

    Attributes:
        kept: folder of the artifacts that were fetched, or that wait to be sent.
        tags: {name: value}.
        metrics: {name: latest value}.
        times: {name: time of the latest value, in milliseconds since 1970}.
        listings: {folder: its files}, as far as they were listed.
        histories: {metric: its entries}, as far as they were read.
        committed: numbers of the observations, where the run's tags tell them.
    """

    kept: str
    tags: dict[str, str]
    metrics: dict[str, float]
    times: dict[str, int]
    listings: dict[str | None, list[FileInfo]]
    histories: dict[str, list[Metric]]
    committed: list[int]

    def file(self, path: str) -> Path:
        """Return where the content of an artifact is kept, whether it is there or not."""
        return Path(self.kept, path)

    def has_room(self) -> bool:
        """Tell whether further artifacts may be kept."""
        total = 0
        for folder, _, names in os.walk(self.kept):
            for name in names:
                with contextlib.suppress(FileNotFoundError):  # other threads remove theirs
                    total += Path(folder, name).stat().st_size
        return total < MAX_KEPT

    def add(self, path: str, size: int) -> None:
        """List an artifact that this process logged, and the folders above it."""
        info = FileInfo(path, False, size)
        folder = parent_of(path)
        while True:
            if folder in self.listings:
                others = [file for file in self.listings[folder] if file.path != info.path]
                self.listings[folder] = sorted([*others, info], key=lambda file: file.path)
            elif not info.is_dir and folder is not None and self._is_new(folder):
                self.listings[folder] = [info]
            if folder is None:
                return
            info, folder = FileInfo(folder, True, None), parent_of(folder)

    def _is_new(self, folder):
        """Tell whether the run had no such folder when the folder above was listed."""
        above = self.listings.get(parent_of(folder))
        return above is not None and folder not in [file.path for file in above]


def parent_of(path: str) -> str | None:
    """Return the folder of an artifact as MLflow names it: None for the root, as "." lists nothing over HTTP."""
    parent = str(PurePosixPath(path).parent)
    return None if parent == "." else parent
