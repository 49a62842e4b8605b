"""Read and write a run's artifacts, in this process or another."""

import contextlib
import functools
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlparse

import requests
from mlflow.entities import FileInfo
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import add_databricks_profile_info_to_artifact_uri

from datamap import schema
from datamap.digests import digest_of
from datamap.errors import TrackingError
from datamap.log import reporting
from datamap.tracking import addresses, hidden_tags, pack
from datamap.tracking.client import Client, ask, ask_for_all
from datamap.tracking.failures import translated_errors, uninterrupted
from datamap.tracking.hidden_tags import REGENERATED_BY
from datamap.tracking.snapshot import Snapshot, parent_of
from datamap.translations import Amount

PARALLEL = 8  # files that are transferred side by side
DOWNLOADS = 5  # attempts to download a file as it was logged, before it counts as damaged
# Pictures and configs for people, which no command needs: a server is not asked whether it has them as they were sent.
UNCHECKED = re.compile(r"images/.*|config/(?!train).*\.yaml")


class Artifacts(NamedTuple):
    """Read and write the artifacts of a run; unlike MLflow's client, it can be pickled for another process.

    Attributes:
        tracking_uri: address of the store.
        run_id: id of the run.
        root: address of the artifacts.
        seen: what a command has read of the run, which is not requested again; None = request all at each call.
    """

    tracking_uri: str
    run_id: str
    root: str
    seen: Snapshot | None = None

    @property
    def folder(self) -> Path | None:
        """Return the local folder of the artifacts; None if they are behind a server or in a bucket."""
        local = urlparse(self.root).scheme in ("", "file")
        return Path(local_file_uri_to_path(self.root)) if local else None

    @property
    def repository(self) -> ArtifactRepository:
        """Return MLflow's repository, as a client would request the run and its models before each file."""
        return _repository(self.root, self.tracking_uri)

    def list(self, folder: str | None) -> "list[FileInfo]":
        """List the files in a folder of the run, committed or not."""
        if self.seen is None:
            return self._listed_now(folder)
        if folder not in self.seen.listings:
            above = folder is not None and [file.path for file in self.list(parent_of(folder))]
            self.seen.listings[folder] = [] if above and folder not in above else self._listed_now(folder)
        return self.seen.listings[folder]

    def _listed_now(self, folder):
        with translated_errors(f"run {self.run_id}: artifacts"):
            return ask_for_all(self.folder is None, lambda: self.repository.list_artifacts(folder))

    def size_of(self, path: str) -> int | None:
        """Return the size of an artifact in bytes; None if the run lacks it, or its store does not report sizes."""
        return next(iter(_sizes(self.list(parent_of(path)), path)), None)

    def find(self, path: str) -> bytes | None:
        """Return the content of an artifact, or None if the run lacks it."""
        return self.read(path) if self.has(path) else None

    def has(self, path: str) -> bool:
        """Tell whether the run has an artifact; behind a server its tags tell that of most without a request."""
        told = None
        if self.seen and self.folder is None and parent_of(path) not in self.seen.listings:
            told = hidden_tags.has(self.seen.tags, path)
        return path in [file.path for file in self.list(parent_of(path))] if told is None else told

    def read(self, path: str) -> bytes:
        """Return the content of an artifact.

        Raises:
            TrackingError: the run lacks it, the store is unreachable, or (for the artifacts in `REGENERATED_BY`) the
                content is not what was logged.
        """
        if self.seen and self.folder is None and (content := hidden_tags.content(self.seen.tags, path)):
            return content
        with translated_errors(f"run {self.run_id}: artifact {path}"), self.local(path) as file:
            return file.read_bytes()

    def fetch(self, wanted: "Mapping[str, str | None]") -> None:
        """Download artifacts side by side, which later calls read from the disk; skip those that cannot be read.

        Args:
            wanted: {path: the SHA-256 that it must have, if known}.
        """
        seen = self.seen
        if self.folder or not seen:
            return

        def get(path: str, sha256: str | None) -> None:
            if seen.has_room():
                with contextlib.suppress(TrackingError), self.local(path, sha256):
                    pass

        def is_here(path: str) -> bool:
            return bool(hidden_tags.content(seen.tags, path)) or seen.file(path).exists()

        missing = {path: sha256 for path, sha256 in wanted.items() if not is_here(path)}
        files = Amount(len(missing), "file")
        with reporting("fetching {files} of run {run}", True, files=files, run=self.run_id):
            _side_by_side(get, missing.items())

    def write(self, files: "Mapping[str, Path]") -> None:
        """Write files, {path: file of the artifact's name}, side by side; repeat those that a server does not list.

        Those of `UNCHECKED` are written once.
        """
        if self.folder:
            for path, file in files.items():
                with translated_errors(f"run {self.run_id}: artifact {path}"):
                    _copy_at_once(file, self.folder, path)
            return
        left = dict(files)

        def put(path: str, file: Path) -> None:
            with translated_errors(f"run {self.run_id}: artifact {path}"):
                self.repository.log_artifact(str(file), parent_of(path))

        def put_all() -> None:
            _side_by_side(put, left.items())
            for path in filter(UNCHECKED.fullmatch, list(left)):
                del left[path]
            sizes: dict[str, int | None] = {}
            for folder in dict.fromkeys(map(parent_of, left)):
                listed = self._listed_now(folder)
                sizes |= {info.path: info.file_size for info in listed}
                if self.seen:
                    self.seen.listings[folder] = listed
            for path, file in list(left.items()):
                if path in sizes and sizes[path] in (None, file.stat().st_size):
                    del left[path]
            if left:
                raise MlflowException(
                    f"{self.tracking_uri} says that {next(iter(left))} is stored, but does not list it; check the "
                    "server"
                )

        with translated_errors(f"run {self.run_id}: artifacts"):
            ask(True, put_all)

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
            kept = self.seen.file(path) if self.seen else None
            if kept and kept.exists():
                file = kept
            elif self.folder:
                file = self.folder / path
            else:
                known = [sha256] if sha256 else digests
                room = kept and kept.parent if self.seen and self.seen.has_room() else None
                folder = stack.enter_context(_temporary_folder(room))
                file = folder / Path(path).name
                if not (len(known) == 1 and self._unpack(path, known[0], file)):
                    self._download(path, known, file)
                if kept and room:
                    file = file.replace(kept)
            with translated_errors(f"run {self.run_id}: artifact {path}"):
                if digests and not self._is_logged(path, file, digests):
                    self._refuse(path, "is not what was logged (edited or damaged)")
            yield file

    def _unpack(self, path, sha256, file):
        """Put an artifact into `file` from the run's pack, if that was fetched and has it; return True if it did."""
        if self.seen is None:
            return False
        packed = self.seen.file(schema.PACK_FILE)
        return packed.exists() and pack.take(packed, path, sha256, file)

    def _download(self, path, digests, file):
        """Download an artifact into `file`, several times while it is not what was logged."""
        with translated_errors(f"run {self.run_id}: artifact {path}"):
            for _ in range(DOWNLOADS):
                try:
                    ask(True, lambda: self.repository._download_file(path, str(file)))
                except requests.HTTPError as error:
                    if digests and error.response is not None and error.response.status_code == 404:
                        self._refuse(path, "was logged but is missing")
                    raise
                if digest_of(file) in digests if digests else self._is_as_listed(file, path):
                    return
            if not digests:
                raise MlflowException(f"the store does not list a size of {file.stat().st_size:,} bytes")

    def _is_as_listed(self, file, path):
        size = file.stat().st_size
        folder = parent_of(path)
        if self.seen and _sizes(self.seen.listings.get(folder, []), path) == [size]:
            return True
        # Some stores report no size, but each lists the file.
        return _sizes(self._listed_now(folder), path) in ([size], [None])

    def _logged(self, path):
        """Return the digests that the file may have; [] if none was logged, as in runs of older versions."""
        if path not in REGENERATED_BY:
            return []
        return hidden_tags.digests(self.seen.tags if self.seen else self._tags(path), path)

    def _is_logged(self, path, file, digests):
        """Tell if a file is what was logged; another process may have logged it since the command began."""
        found = digest_of(file)
        return found in digests or (self.seen and found in hidden_tags.digests(self._tags(path), path))

    def _tags(self, path):
        with translated_errors(f"run {self.run_id}: artifact {path}"):
            return Client(self.tracking_uri).get_run(self.run_id).data.tags

    def _refuse(self, path, problem):
        command, *keys = (REGENERATED_BY.get(path) or "").split(" ")
        hint = (
            f"regenerate it: {addresses.command(command, self.run_id, self.tracking_uri, *keys)}"
            if command
            else "restore it from a copy, or repeat the run"
        )
        raise TrackingError(
            f"run {self.run_id}: {path} {problem}; {hint}. To edit an artifact, download a copy"
        )


def _sizes(files: Iterable[FileInfo], path: str) -> list[int | None]:
    """Return [size of an artifact] if it is among these files, else []."""
    return [file.file_size for file in files if file.path == path]


@functools.lru_cache(maxsize=64)
def _repository(root, tracking_uri):
    return get_artifact_repository(
        add_databricks_profile_info_to_artifact_uri(root, tracking_uri), tracking_uri
    )


def _copy_at_once(file: Path, folder: Path, path: str) -> None:
    """Copy a file below a folder, in place of the one that is there; a full disk or a kill leaves that one whole."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with uninterrupted(), _temporary_folder(folder.parent) as part:  # nobody lists it there
        shutil.copyfile(file, part / target.name).replace(target)


@contextlib.contextmanager
def _temporary_folder(parent: Path | None) -> Iterator[Path]:
    """Yield a folder that is removed in the end, below `parent` if it is given."""
    if parent:
        parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=parent) as folder:
        yield Path(folder)


def _side_by_side(call: Callable[..., None], arguments: Iterable[tuple]) -> None:
    """Call a function with each tuple of arguments, in a few threads; raise the first error when those have ended.

    Calls that have not begun by then are left out: nobody waits for the downloads of a folder after Ctrl-C.
    """
    arguments = list(arguments)
    if len(arguments) < 2:
        for given in arguments:
            call(*given)
        return
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(lambda given: call(*given), arguments))
