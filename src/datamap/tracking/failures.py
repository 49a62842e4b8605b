"""What MLflow and its stores raise or refuse → `TrackingError`, what is tried again, and how a run ends."""

import contextlib
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import TypeVar

import requests
import tenacity
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import _validate_metric
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from datamap.errors import RunLostError, TrackingError, interrupted, reason

SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 15  # seconds between two attempts
# What a store refuses again, however often it is asked: by MLflow's error code, by the database's or Python's
# error behind it, by the HTTP status of an artifact.
REFUSALS = (
    "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_PARAMETER_VALUE", "INVALID_STATE",
    "PERMISSION_DENIED",
)  # fmt: skip
CALLERS_FAULTS = (DataError, IntegrityError, OverflowError, TypeError, ValueError)
STORE_ERRORS = (MlflowException, SQLAlchemyError, OSError, ImportError, OverflowError)
REFUSED_STATUS = (400, 403, 404, 413)

Result = TypeVar("Result")


@contextlib.contextmanager
def translated_errors(what: str) -> Iterator[None]:
    """Raise what MLflow, its database, the network or the disk raise as a TrackingError that begins with `what`.

    Raises:
        RunLostError: the store refuses it, and would refuse it again.
        TrackingError: it may go well a moment later.
    """
    try:
        yield
    except TrackingError:
        raise
    except Exception as error:
        if not (isinstance(error, STORE_ERRORS) or _raised_by_mlflow(error)):
            raise
        kind = RunLostError if _is_refusal(error) else TrackingError
        raise kind(f"{what}: {explained(error)}") from error


def _raised_by_mlflow(error):
    """Whether MLflow, or what it calls, stumbled over what a server, or something before it, answered."""
    frames = (frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(name.partition(".")[0] == "mlflow" for name in frames)


def explained(error: BaseException) -> str:
    """What an error says, in one line, and what to do where that is known."""
    if isinstance(error, ModuleNotFoundError):
        return f"{reason(error)}; install it: pip install {error.name}"
    if _is_unauthorized(error):
        return (
            "the server refuses the credentials; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, "
            "or MLFLOW_TRACKING_TOKEN"
        )
    return reason(error)


def _is_unauthorized(error):
    if isinstance(error, MlflowException):
        return error.error_code in ("UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED") or "error code 401" in str(
            error
        )
    return getattr(getattr(error, "response", None), "status_code", None) == 401


def _is_refusal(error):
    if isinstance(error, MlflowException):
        return error.error_code in REFUSALS or isinstance(error.__cause__, CALLERS_FAULTS)
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code in REFUSED_STATUS
    return isinstance(error, (DataError, IntegrityError, OverflowError, ImportError))


def _may_pass(error):
    """Whether what failed may go well a moment later: an answer was lost, or is not the store's."""
    if isinstance(error, TrackingError):
        return not isinstance(error, RunLostError)
    if not isinstance(error, Exception) or _is_refusal(error) or _is_unauthorized(error):
        return False
    return isinstance(error, (MlflowException, requests.RequestException)) or _raised_by_mlflow(error)


def policy(
    patience: float,
    hurry: threading.Event,
    before_sleep: Callable[[tenacity.RetryCallState], None] | None = None,
) -> tenacity.Retrying:
    """How a refused call is tried again: for `patience` seconds, with growing pauses, until `hurry` is set.

    What the store would refuse again is not tried again.
    """
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(_may_pass),
        wait=tenacity.wait_exponential(SHORTEST_PAUSE, max=LONGEST_PAUSE),
        stop=tenacity.stop_before_delay(patience) | tenacity.stop_when_event_set(hurry),
        sleep=tenacity.sleep_using_event(hurry),
        before_sleep=before_sleep,
        reraise=True,
    )


def retrying(action: Callable[[], Result], patience: float) -> Result:
    """Result of `action()`, tried again for `patience` seconds while the store does not answer.

    Raises:
        TrackingError: it does not answer for so long.
        RunLostError: it answers, and refuses.
    """
    return policy(patience, threading.Event())(action)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold the first Ctrl-C or SIGTERM back until the block is over; a second one acts at once.

    Held or not, a signal does what the process's own handler does with it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    held: list[int] = []

    def hold(number, frame):
        held.append(number)
        if len(held) > 1:
            deliver()

    def deliver():
        for known, handler in handlers.items():
            if handler is not None:  # None: not set from Python, which could not put it back
                signal.signal(known, handler)
        while held:
            signal.raise_signal(held.pop())

    for number, handler in handlers.items():
        if handler is not None:
            signal.signal(number, hold)
    try:
        yield
    finally:
        deliver()


def status_after(error: BaseException | None) -> str:
    """The final status of a run whose work ended with this exception, or with none."""
    if error is None:
        return "FINISHED"
    return "KILLED" if interrupted(error) else "FAILED"


def metric_name_problem(name: str) -> str | None:
    """Why MLflow would refuse a metric of this name; None where it takes it."""
    try:
        _validate_metric(name, 0.0, 0, 0)
    except MlflowException as error:
        return " ".join(error.message.split())
    return None
