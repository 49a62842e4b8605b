"""Print the address of the runs before a server starts (`python -m datamap.tracking.runs_page`)."""

from datamap.errors import TrackingError
from datamap.log import say
from datamap.tracking.store import Store


def main() -> None:
    """Print where the experiment's runs are as soon as the server answers."""
    try:
        say("the runs: {address}", address=Store().address)
    except TrackingError as error:
        say("note: {note}", note=error)


if __name__ == "__main__":
    main()
