"""Define the errors that a user can cause.

    DataMapError            is printed as one line on stderr; exit code 2
    ├── ConfigError         an option's type, range or choice
    ├── DataError           a file of samples, or a row of one
    ├── ModelError          a model that cannot be built or loaded
    ├── TrainingError       training that cannot continue (a loss that is not finite)
    ├── SignalError         recorded numbers, a shard, an observation
    ├── SummaryError        a summary.tsv that cannot be read
    ├── MapError            a column, filter or grouping of the map
    └── TrackingError       the MLflow store, a run, an artifact
        └── RunLostError    a run that is gone or has another writer, or a request that the store refuses

`cli.failures` also prints one line for exceptions of libraries that a user can act on. Anything else is a bug: its
traceback goes into a file, and the command ends with exit code 1.
"""

import contextlib
import difflib
import re
from collections.abc import Callable, Iterable, Iterator

MAX_SHOWN = 200  # characters of a list in a message


class DataMapError(Exception):
    """Report something that the user can correct; the message says what, where and what to do, and masks passwords.

    >>> str(DataMapError("postgresql://ann:secret@db/mlflow is unreachable; start the server"))
    'postgresql://ann:***@db/mlflow is unreachable; start the server'
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(masked(message).encode("utf-8", "backslashreplace").decode())


class ConfigError(DataMapError):
    """Report an option that has the wrong type, is out of range or is not among the choices."""


class DataError(DataMapError):
    """Report a file of samples, or a row of one, that cannot be used."""


class ModelError(DataMapError):
    """Report a model or tokenizer that cannot be built or loaded."""


class TrainingError(DataMapError):
    """Report a training that cannot continue."""


class SignalError(DataMapError):
    """Report signals that must not be recorded, or recorded signals that are damaged.

    `row` is the number of the first wrong record, if it is known.
    """

    def __init__(self, message: str, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row


class SummaryError(DataMapError):
    """Report a summary.tsv that cannot be read."""


class MapError(DataMapError):
    """Report a map that cannot be drawn with these options."""


class TrackingError(DataMapError):
    """Report an MLflow store, run or artifact that is missing or unreachable."""


class RunLostError(TrackingError):
    """Report what a retry does not mend: a run was deleted or has another writer, or the store refuses the request."""


def reason(error: BaseException) -> str:
    """Return the first line of an error's message, or its type if the message is empty."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


@contextlib.contextmanager
def raised_as(kind: type[DataMapError], what: object, *foreign: type[BaseException]) -> Iterator[None]:
    """Turn `foreign` errors (OSError by default) into a `kind` with the message `what: reason`."""
    try:
        yield
    except foreign or (OSError,) as error:  # noqa: B030
        words = getattr(error, "strerror", None) or reason(error)
        raise kind(f"{what}: {words}") from error


def interrupted(error: BaseException | None) -> bool:
    """Tell whether an error is Ctrl-C or SIGTERM, or was raised by a library from one of them."""
    return isinstance(error, KeyboardInterrupt) or isinstance(
        getattr(error, "__cause__", None), KeyboardInterrupt
    )


def did_you_mean(word: str, known: Iterable[str], shown: Callable[[str], str] = str) -> str:
    """Return a hint for a misspelled word: `"; did you mean x?"`, or "" if no known word is similar.

    Args:
        word: the word.
        known: the words that it is compared with.
        shown: function from a known word to what the hint shows of it.
    """
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {shown(close[0])}?" if close else ""


def shortened(value: object, limit: int = 60) -> str:
    """Return what a value looks like, on one line of at most `limit` characters.

    >>> shortened([1, 2, 3]), shortened("x" * 100, 6)
    ('[1, 2, 3]', "'xxxx…")
    """
    return _on_one_line(value, str if isinstance(value, BaseException) else repr, limit)


def first_few(items: Iterable[object], limit: int = 5) -> str:
    """Return the first items on one line, fewer where they are long, and how many more there are.

    >>> first_few(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    items, shown = list(items), []
    for item in items[:limit]:
        shown.append(_on_one_line(item, str, 60))
        if sum(map(len, shown)) > MAX_SHOWN:
            break
    left = len(items) - len(shown)
    return ", ".join(shown) + (f" and {left} more" if left else "")


def _on_one_line(value, write, limit):
    try:
        text = write(value)
    except Exception:  # of somebody else's `__repr__`
        text = type(value).__name__
    # Half a character has no bytes.
    return cut(" ".join(text.encode("utf-8", "backslashreplace").decode().split()), limit)


def cut(text: str, limit: int) -> str:
    """Return a text cut to `limit` characters, with an ellipsis at the end if it was longer.

    >>> cut("abc", 3), cut("abcd", 3)
    ('abc', 'ab…')
    """
    return text if len(text) <= limit else text[: limit - 1] + "…"


def counted(number: int, thing: str) -> str:
    """Return a number with its noun: `"1 sample"`, `"2,000 samples"`."""
    return f"{number:,} {thing}{'s' * (number != 1)}"


def masked(text: str) -> str:
    """Replace the passwords of addresses in a text with asterisks.

    >>> masked("store postgresql://ann:secret@db/mlflow")
    'store postgresql://ann:***@db/mlflow'
    >>> masked("postgresql://db/mlflow?user=ann&password=secret")
    'postgresql://db/mlflow?user=ann&password=***'
    >>> masked("https://token@host and http://host:5000/path?mail=a@b")
    'https://***@host and http://host:5000/path?mail=a@b'
    """
    text = _TOKEN.sub(r"\1***@", text)
    text = _PASSWORD.sub(r"\1:***@", text)
    return _SECRET_OPTION.sub(r"\1***", text)


# A password may have slashes before its first @, as databases read it, but not after it. A number between a colon
# and a slash is a port.
_PASSWORD = re.compile(r"""(\w://[^\s/:@\["']*):(?!\d+(?:[/?#\s"',;)\]}]|$))[^\s@]*@(?:[^\s/?#"',<>@]*@)*""")
_TOKEN = re.compile(r"""(https?://)[^\s/?#:@"',<>]+(?::(?:x-oauth-basic)?)?@""")
_SECRET_OPTION = re.compile(
    r"""([?&][\w-]*(?:password|passwd|pwd|token|secret|signature|credential|api_?key|sig)=)[^\s&#"']+""", re.I
)
