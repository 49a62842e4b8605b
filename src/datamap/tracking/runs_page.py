"""Print the address of the runs while a server starts (`python -m datamap.tracking.runs_page`)."""

import contextlib
import time
import urllib.request

from datamap.errors import TrackingError
from datamap.log import say
from datamap.tracking.addresses import local_server
from datamap.tracking.store import Store

START_TIMEOUT = 120  # seconds that a server may take to start


def main() -> None:
    """Print the address of the experiment's runs as soon as the server answers, within `START_TIMEOUT` seconds."""
    for _ in range(START_TIMEOUT):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{local_server()}/health", timeout=1):
            break
        time.sleep(1)
    try:
        say("the runs: {address}", address=Store().address)
    except TrackingError as error:
        say("note: {note}", note=error)


if __name__ == "__main__":
    main()
