"""A run's artifacts, read in this process or another."""

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlparse

import mlflow
from mlflow import MlflowClient
from mlflow.utils.file_utils import local_file_uri_to_path

from datamap import schema
from datamap.errors import TrackingError
from datamap.program import invocation
from datamap.tracking.failures import retrying, translated_errors

DOWNLOADS = 3  # of a file that is not what was logged, before that is believed
DOWNLOAD_TIMEOUT = 20  # seconds for which a download is tried again
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
    """Reads the artifacts of a run; goes to another process by pickle, which a client cannot."""

    tracking_uri: str
    run_id: str
    root: str

    @property
    def folder(self) -> Path | None:
        """The local folder that they lie in; None where they are behind a server or in a bucket."""
        local = urlparse(self.root).scheme in ("", "file")
        return Path(local_file_uri_to_path(self.root)) if local else None

    def find(self, path: str) -> bytes | None:
        """Bytes of an artifact, or None when the run has none by that path."""
        with translated_errors(f"run {self.run_id}: artifacts"):
            found = MlflowClient(self.tracking_uri).list_artifacts(self.run_id, folder_of(path))
        return self.read(path) if path in [file.path for file in found] else None

    def read(self, path: str) -> bytes:
        """Bytes of an artifact.

        Raises:
            TrackingError: it is not there, or not what was logged (of the artifacts in `RENEWED_BY`).
        """
        with translated_errors(f"run {self.run_id}: artifact {path}"), self.local(path) as file:
            return file.read_bytes()

    @contextlib.contextmanager
    def local(self, path: str, sha256: str | None = None) -> Iterator[Path]:
        """The file of an artifact: where it lies when that is a local folder, else downloaded for a while.

        Args:
            sha256: what it has to be, where that is known; for the artifacts in `RENEWED_BY` the run knows it.
        Raises:
            TrackingError: as `read`.
        """
        with contextlib.ExitStack() as stack:
            if self.folder:
                file = self.folder / path
            else:
                file = self._downloaded(path, sha256, stack.enter_context(tempfile.TemporaryDirectory()))
            with translated_errors(f"run {self.run_id}: artifact {path}"):
                self._check(file, path)
            yield file

    def _downloaded(self, path, sha256, folder):
        """The file of an artifact. One that is not what was logged is fetched again before that is believed."""
        expected = [sha256] if sha256 else self._logged(path)
        for _ in range(DOWNLOADS):
            file = retrying(lambda: self._download(path, folder), DOWNLOAD_TIMEOUT)
            if not expected or digest_of(file) in expected:
                break
        return file

    def _download(self, path, folder):
        with translated_errors(f"run {self.run_id}: artifact {path}"):
            # Not the client's method of that name, which leaves its copies.
            return Path(
                mlflow.artifacts.download_artifacts(
                    run_id=self.run_id, artifact_path=path, dst_path=folder, tracking_uri=self.tracking_uri
                )
            )

    def _logged(self, path):
        """Digests of which the file has one; [] where none was logged, as in runs of older versions."""
        if path not in RENEWED_BY:
            return []
        with translated_errors(f"run {self.run_id}: artifact {path}"):
            tags = MlflowClient(self.tracking_uri).get_run(self.run_id).data.tags
        return tags.get(DIGEST_TAG + path, "").split()

    def _check(self, file, path):
        """Hold a file against the digest that was logged with it."""
        logged = self._logged(path)
        if logged and digest_of(file) not in logged:
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
