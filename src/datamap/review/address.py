"""Keep port and token of a run's review, so that an open page continues when its server starts again."""

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field, TypeAdapter


class Address(NamedTuple):
    """Hold the port at which a review is served, and the token that a request must have."""

    port: Annotated[int, Field(gt=0, lt=65536)]
    token: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{43}$")]


def new(port: int) -> Address:
    """Return an address with a new token of 256 random bits."""
    return Address(port, secrets.token_urlsafe(32))


def kept(run_id: str) -> Address | None:
    """Return the address of a run's last review by this user; None if its file is missing or damaged."""
    try:
        return TypeAdapter(Address).validate_json(_file(run_id).read_bytes(), strict=True)
    except (OSError, ValueError, RuntimeError):  # RuntimeError: no home folder
        return None


def keep(run_id: str, address: Address) -> None:
    """Write the address of a run's review to a file that only this user may read, if the user has a home folder."""
    with contextlib.suppress(OSError, RuntimeError):
        file = _file(run_id)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        written = file.with_suffix(f".{os.getpid()}")
        with open(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:  # noqa: PTH123
            json.dump(address._asdict(), stream)
        written.replace(file)


def _file(run_id: str) -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state, "datamap", "review", f"{Path(run_id).name}.json")
