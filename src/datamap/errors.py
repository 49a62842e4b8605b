"""What a user can do wrong, as one tree.

    DataMapError            ends as one line on stderr and exit code 2
    ├── ConfigError         an option's type, range or choice
    ├── DataError           a file of samples, or a row of one
    ├── ModelError          a model that cannot be built or loaded
    ├── TrainingError       training that cannot go on (a loss that is not finite)
    ├── SignalError         recorded numbers, a shard, an observation
    ├── SummaryError        a summary.tsv that cannot be read
    ├── MapError            a column, filter or grouping of the map
    └── TrackingError       the MLflow store, a run, an artifact
        └── RunLostError    a run that is gone, or that another process writes into

Foreign exceptions that a user can do something about become one line too (`cli.failures`). Anything
else is a bug of ours: its traceback goes into a file, and the command ends with exit code 1.
"""

import contextlib
import difflib
import re
from collections.abc import Iterable, Iterator


class DataMapError(Exception):
    """Something that the user can put right; the message says what, where and how, and no password."""

    def __init__(self, message: str = "") -> None:
        super().__init__(masked(message))


class ConfigError(DataMapError):
    """An option that has the wrong type, is out of range or is not among the choices."""


class DataError(DataMapError):
    """A file of samples, or a row of one, that cannot be used."""


class ModelError(DataMapError):
    """A model or tokenizer that cannot be built or loaded."""


class TrainingError(DataMapError):
    """Training that cannot go on."""


class SignalError(DataMapError):
    """Signals that must not be recorded, or recorded signals that cannot be trusted.

    `row` is that of the first record at fault, where it is known.
    """

    def __init__(self, message: str, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row


class SummaryError(DataMapError):
    """A summary.tsv that cannot be read."""


class MapError(DataMapError):
    """A map that cannot be drawn as asked."""


class TrackingError(DataMapError):
    """An MLflow store, run or artifact that is not there or does not answer."""


class RunLostError(TrackingError):
    """A run that will not take what is logged, however often it is tried: gone, or another process's."""


def reason(error: BaseException) -> str:
    """The first line of what an error says; its type where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


@contextlib.contextmanager
def raised_as(kind: type[DataMapError], what: object, *foreign: type[BaseException]) -> Iterator[None]:
    """Turn `foreign` errors, those of the system by default, into one of ours: `what: reason`."""
    try:
        yield
    except foreign or (OSError,) as error:  # noqa: B030
        words = getattr(error, "strerror", None) or reason(error)
        raise kind(f"{what}: {words}") from error


def interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C or SIGTERM is behind an error: a library may have turned it into one of its own."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Hint for a misspelt word: `"; did you mean x?"`, or "" when nothing is close."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def first_few(items: Iterable[object], limit: int = 5) -> str:
    """The first items as text, and how many more there are: `"a, b, c and 7 more"`."""
    items = list(items)
    shown = ", ".join(str(item) for item in items[:limit])
    return shown + (f" and {len(items) - limit} more" if len(items) > limit else "")


def counted(number: int, thing: str) -> str:
    """`"1 sample"`, `"2,000 samples"`."""
    return f"{number:,} {thing}{'s' * (number != 1)}"


def masked(text: str) -> str:
    """The text without the passwords of addresses in it.

    >>> masked("store postgresql://ann:secret@db/mlflow")
    'store postgresql://ann:***@db/mlflow'
    >>> masked("postgresql://db/mlflow?user=ann&password=secret")
    'postgresql://db/mlflow?user=ann&password=***'
    """
    text = re.sub(r"(\w://[^\s/:@]*):\S*@", r"\1:***@", text)
    return re.sub(r"([?&]\w*(?:password|passwd|pwd|token|secret)=)[^\s&]+", r"\1***", text)
