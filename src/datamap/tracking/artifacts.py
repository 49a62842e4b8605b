"""A run's artifacts, read in this process or another."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlparse

import mlflow
from mlflow import MlflowClient
from mlflow.utils.file_utils import local_file_uri_to_path

from datamap.tracking.failures import translated_errors


class Artifacts(NamedTuple):
    """Reads the artifacts of a run; goes to another process by pickle, which a client cannot."""

    tracking_uri: str
    run_id: str
    root: str

    def find(self, path: str) -> bytes | None:
        """Bytes of an artifact, or None when the run has none by that path."""
        with translated_errors(f"run {self.run_id}: artifacts"):
            found = MlflowClient(self.tracking_uri).list_artifacts(self.run_id, folder_of(path))
        return self.read(path) if path in [file.path for file in found] else None

    def read(self, path: str) -> bytes:
        """Bytes of an artifact."""
        with translated_errors(f"run {self.run_id}: artifact {path}"), self.local(path) as file:
            return file.read_bytes()

    @contextlib.contextmanager
    def local(self, path: str) -> Iterator[Path]:
        """The file of an artifact: where it lies when that is a local folder, else downloaded for a while."""
        if urlparse(self.root).scheme in ("", "file"):
            yield Path(local_file_uri_to_path(self.root), path)
            return
        with tempfile.TemporaryDirectory() as folder:
            # Not the client's method of that name, which leaves its copies.
            yield Path(
                mlflow.artifacts.download_artifacts(
                    run_id=self.run_id, artifact_path=path, dst_path=folder, tracking_uri=self.tracking_uri
                )
            )


def folder_of(path: str) -> str | None:
    """Where an artifact lies in its run, as MLflow says it: None for the root ("." lists nothing over HTTP)."""
    parent = str(Path(path).parent)
    return None if parent == "." else parent
