"""Read and write a run's artifacts, in this process or another."""

import contextlib
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlparse

from mlflow.entities import FileInfo
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import add_databricks_profile_info_to_artifact_uri

from datamap import schema
from datamap.digests import digest_of
from datamap.errors import TrackingError
from datamap.tracking import addresses
from datamap.tracking.client import Client, ask, ask_for_all
from datamap.tracking.failures import translated_errors

DOWNLOADS = 5  # attempts to download a file as it was logged, before it counts as damaged
DIGEST_TAG = "mlflow.datamap.sha256."  # followed by the artifact's path; the UI hides `mlflow.` tags
# Artifacts whose SHA-256 is logged with them → the command that regenerates them; None: only a new run does.
REGENERATED_BY = {
    schema.SUMMARY_FILE: "summarize",
    schema.SUMMARIZED_FILE: "summarize",
    schema.DIAGNOSIS_FILE: "diagnose",
    schema.EMBEDDINGS_FILE: "diagnose embeddings=<file>",
    schema.SAMPLES_FILE: None,
    schema.LABELS_FILE: None,
}


class Artifacts(NamedTuple):
    """Read and write the artifacts of a run; unlike MLflow's client, it can be pickled for another process."""

    tracking_uri: str
    run_id: str
    root: str

    @property
    def folder(self) -> Path | None:
        """Return the local folder of the artifacts; None if they are behind a server or in a bucket."""
        local = urlparse(self.root).scheme in ("", "file")
        return Path(local_file_uri_to_path(self.root)) if local else None

    @property
    def repository(self) -> ArtifactRepository:
        """Return MLflow's repository, as a client would request the run and its models before each file."""
        return _repository(self.root, self.tracking_uri)

    def list(self, folder: str | None) -> list[FileInfo]:
        """List the files in a folder of the run, committed or not."""
        with translated_errors(f"run {self.run_id}: artifacts"):
            return ask_for_all(self.folder is None, lambda: self.repository.list_artifacts(folder))

    def size_of(self, path: str) -> int | None:
        """Return the size of an artifact in bytes; None if the run lacks it, or its store does not report sizes."""
        return next((file.file_size for file in self.list(folder_of(path)) if file.path == path), None)

    def find(self, path: str) -> bytes | None:
        """Return the content of an artifact, or None if the run lacks it."""
        return self.read(path) if path in [file.path for file in self.list(folder_of(path))] else None

    def read(self, path: str) -> bytes:
        """Return the content of an artifact.

        Raises:
            TrackingError: the run lacks it, the store is unreachable, or (for the artifacts in `REGENERATED_BY`) the
                content is not what was logged.
        """
        with translated_errors(f"run {self.run_id}: artifact {path}"), self.local(path) as file:
            return file.read_bytes()

    def write(self, file: Path, path: str) -> None:
        """Write a file of the artifact's name as artifact `path`; repeat it until a server lists the whole file."""

        def put():
            self.repository.log_artifact(str(file), folder_of(path))
            if self.folder is None and not self._is_as_listed(file, path):
                raise MlflowException(f"{self.tracking_uri} says that {path} is written, and it is not")

        with translated_errors(f"run {self.run_id}: artifact {path}"):
            ask(self.folder is None, put)

    def remove(self, path: str) -> None:
        """Delete the artifacts below `path`, if the store supports deletion."""
        with (
            translated_errors(f"run {self.run_id}: removal of {path}"),
            contextlib.suppress(NotImplementedError),
        ):
            self.repository.delete_artifacts(path)

    @contextlib.contextmanager
    def local(self, path: str, sha256: str | None = None) -> Iterator[Path]:
        """Yield the file of an artifact: in place if it is in a local folder, else as a temporary download.

        Args:
            path: path of the artifact.
            sha256: the digest that a download must have, if known; the run knows that of artifacts in `REGENERATED_BY`.

        Raises:
            TrackingError: see `read`.
        """
        digests = self._logged(path)
        with contextlib.ExitStack() as stack:
            if self.folder:
                file = self.folder / path
            else:
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                file = self._downloaded(path, [sha256] if sha256 else digests, Path(folder))
            with translated_errors(f"run {self.run_id}: artifact {path}"):
                if digests and digest_of(file) not in digests:
                    self._refuse(path)
            yield file

    def _downloaded(self, path, digests, folder):
        """Download an artifact, several times while it is not what was logged, and return the file."""
        file = folder / Path(path).name
        with translated_errors(f"run {self.run_id}: artifact {path}"):
            for _ in range(DOWNLOADS):
                ask(True, lambda: self.repository._download_file(path, str(file)))
                if digest_of(file) in digests if digests else self._is_as_listed(file, path):
                    return file
            if not digests:
                raise MlflowException(f"the store lists another size than {file.stat().st_size:,} bytes")
        return file

    def _is_as_listed(self, file, path):
        sizes = [listed.file_size for listed in self.list(folder_of(path)) if listed.path == path]
        return sizes in ([file.stat().st_size], [None])  # some stores report no size, but each lists the file

    def _logged(self, path):
        """Return the digests that the file may have; [] if none was logged, as in runs of older versions."""
        if path not in REGENERATED_BY:
            return []
        with translated_errors(f"run {self.run_id}: artifact {path}"):
            tags = Client(self.tracking_uri).get_run(self.run_id).data.tags
        return tags.get(DIGEST_TAG + path, "").split()

    def _refuse(self, path):
        command, *keys = (REGENERATED_BY[path] or "").split(" ")
        hint = (
            f"regenerate it: {addresses.command(command, self.run_id, self.tracking_uri, *keys)}"
            if command
            else "put it back from a copy, or make the run again"
        )
        raise TrackingError(
            f"run {self.run_id}: {path} is not what was logged (edited or damaged); {hint}. "
            "What you want to edit, download first"
        )


@functools.lru_cache(maxsize=64)
def _repository(root, tracking_uri):
    return get_artifact_repository(
        add_databricks_profile_info_to_artifact_uri(root, tracking_uri), tracking_uri
    )


def folder_of(path: str) -> str | None:
    """Return the folder of an artifact as MLflow names it: None for the root, as "." lists nothing over HTTP."""
    parent = str(Path(path).parent)
    return None if parent == "." else parent
