"""A run's artifacts, read and written in this process or another."""

import contextlib
import functools
import hashlib
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
from datamap.errors import TrackingError
from datamap.program import invocation
from datamap.tracking.client import Client, ask, ask_for_all
from datamap.tracking.failures import translated_errors

DOWNLOADS = 5  # of a file that is not what was logged, before that is believed
DIGEST_TAG = "mlflow.datamap.sha256."  # and the artifact's path; the UI hides tags of this prefix
# Artifacts whose SHA-256 is logged with them → the command that makes them anew; None: only a new run does.
RENEWED_BY = {
    schema.SUMMARY_FILE: "summarize",
    schema.SUMMARIZED_FILE: "summarize",
    schema.DIAGNOSIS_FILE: "diagnose",
    schema.SAMPLES_FILE: None,
    schema.LABELS_FILE: None,
}


class Artifacts(NamedTuple):
    """Read and write the artifacts of a run; goes to another process by pickle, which a client cannot."""

    tracking_uri: str
    run_id: str
    root: str

    @property
    def folder(self) -> Path | None:
        """The local folder that they lie in; None where they are behind a server or in a bucket."""
        local = urlparse(self.root).scheme in ("", "file")
        return Path(local_file_uri_to_path(self.root)) if local else None

    @property
    def repository(self) -> ArtifactRepository:
        """What MLflow reads and writes them with: a client would ask for the run and its models before each file."""
        return _repository(self.root, self.tracking_uri)

    def list(self, folder: str | None) -> list[FileInfo]:
        """What lies in a folder of the run, committed or not."""
        with translated_errors(f"run {self.run_id}: artifacts"):
            return ask_for_all(self.folder is None, lambda: self.repository.list_artifacts(folder))

    def size_of(self, path: str) -> int | None:
        """Bytes of an artifact; None where the run has none at `path`, or its store does not say."""
        return next((file.file_size for file in self.list(folder_of(path)) if file.path == path), None)

    def find(self, path: str) -> bytes | None:
        """Bytes of an artifact, or None when the run has none by that path."""
        return self.read(path) if path in [file.path for file in self.list(folder_of(path))] else None

    def read(self, path: str) -> bytes:
        """Bytes of an artifact.

        Raises:
            TrackingError: it is not there, or not what was logged (of the artifacts in `RENEWED_BY`).
        """
        with translated_errors(f"run {self.run_id}: artifact {path}"), self.local(path) as file:
            return file.read_bytes()

    def write(self, file: Path, path: str) -> None:
        """Write a file, called as the artifact is, as artifact `path`; behind a server, until it lies there whole."""

        def put():
            self.repository.log_artifact(str(file), folder_of(path))
            if self.folder is None and not self._is_as_listed(file, path):
                raise MlflowException(f"{self.tracking_uri} says that {path} is written, and it is not")

        with translated_errors(f"run {self.run_id}: artifact {path}"):
            ask(self.folder is None, put)

    def remove(self, path: str) -> None:
        """Delete the artifacts below `path`, where the store can."""
        with (
            translated_errors(f"run {self.run_id}: removal of {path}"),
            contextlib.suppress(NotImplementedError),
        ):
            self.repository.delete_artifacts(path)

    @contextlib.contextmanager
    def local(self, path: str, sha256: str | None = None) -> Iterator[Path]:
        """The file of an artifact: where it lies when that is a local folder, else downloaded for a while.

        Args:
            sha256: what it has to be, where that is known; for the artifacts in `RENEWED_BY` the run knows it.
        Raises:
            TrackingError: as `read`.
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
        """The file of an artifact. One that is not what was logged is fetched again before that is believed."""
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
        return sizes in ([file.stat().st_size], [None])  # some stores do not say a size; each lists the file

    def _logged(self, path):
        """Digests of which the file has one; [] where none was logged, as in runs of older versions."""
        if path not in RENEWED_BY:
            return []
        with translated_errors(f"run {self.run_id}: artifact {path}"):
            tags = Client(self.tracking_uri).get_run(self.run_id).data.tags
        return tags.get(DIGEST_TAG + path, "").split()

    def _refuse(self, path):
        command = RENEWED_BY[path]
        renew = (
            f"renew it: {invocation(command, f'run_id={self.run_id}')}"
            if command
            else "put it back from a copy, or make the run again"
        )
        raise TrackingError(
            f"run {self.run_id}: {path} is not what was logged (edited or damaged); {renew}. "
            "What you want to edit, download first"
        )


@functools.lru_cache(maxsize=64)
def _repository(root, tracking_uri):
    return get_artifact_repository(
        add_databricks_profile_info_to_artifact_uri(root, tracking_uri), tracking_uri
    )


def digest_of(file: Path) -> str:
    """SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while block := content.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def folder_of(path: str) -> str | None:
    """Where an artifact lies in its run, as MLflow says it: None for the root ("." lists nothing over HTTP)."""
    parent = str(Path(path).parent)
    return None if parent == "." else parent
