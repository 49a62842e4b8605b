"""Translate errors of MLflow and its stores into `TrackingError`, and decide what is retried and how a run ends."""

import contextlib
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import requests
import tenacity
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import _validate_metric

from datamap.errors import RunLostError, TrackingError, interrupted, reason

MIN_PAUSE, MAX_PAUSE = 0.1, 15  # seconds between two attempts
ECHO_SECONDS = 1.0  # `mlflow run` sends Ctrl-C on twice; a second one that comes earlier is an echo
# Refusals, for which a retry is useless: by MLflow's error code, by the database's or Python's error behind it, by the
# HTTP status of an artifact.
REFUSALS = (
    "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_PARAMETER_VALUE", "INVALID_STATE",
    "PERMISSION_DENIED",
)  # fmt: skip
CALLERS_FAULTS = (OverflowError, TypeError, ValueError)
DATABASES_REFUSALS = ("DataError", "IntegrityError")  # of SQLAlchemy
STORE_ERRORS = (MlflowException, OSError, ImportError, OverflowError)
REFUSED_STATUS = (400, 403, 404, 413)

Result = TypeVar("Result")
_holding = False  # the main thread is in a block of `uninterrupted`


@contextlib.contextmanager
def translated_errors(what: str) -> Iterator[None]:
    """Raise errors of MLflow, its database, the network or the disk as a TrackingError that begins with `what`.

    Raises:
        RunLostError: the store refuses the request, and would refuse it again.
        TrackingError: a retry may succeed.
    """
    try:
        yield
    except TrackingError:
        raise
    except Exception as error:
        of_store = isinstance(error, STORE_ERRORS) or _is_databases(error, "SQLAlchemyError")
        if not (of_store or _raised_by_mlflow(error)):
            raise
        kind = RunLostError if _is_refusal(error) else TrackingError
        raise kind(f"{what}: {explained(error)}") from error


def _is_databases(error, *names):
    """Tell if an error is of one of these classes of SQLAlchemy, which only a store in a database imports."""
    known = sys.modules.get("sqlalchemy.exc")
    return known is not None and isinstance(error, tuple(getattr(known, name) for name in names))


def is_clash(error: MlflowException) -> bool:
    """Tell if another process stored the same row of the database at the same moment, so that a second try finds it."""
    return _is_databases(error.__cause__, "IntegrityError")


def _raised_by_mlflow(error):
    """Tell whether MLflow, or a library that it calls, failed to parse the answer of a server or of a proxy."""
    frames = (frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(name.partition(".")[0] == "mlflow" for name in frames)


def explained(error: BaseException) -> str:
    """Return an error's message on one line, and what to do, if that is known."""
    if isinstance(error, ModuleNotFoundError):
        return f"{reason(error)}; install it: pip install {error.name}"
    if _is_unauthorized(error):
        return (
            "the server refuses the credentials; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, "
            "or MLFLOW_TRACKING_TOKEN"
        )
    if _is_untrusted(error):
        return "the server's certificate is not trusted; set MLFLOW_TRACKING_SERVER_CERT_PATH to that of its authority"
    found: Any = next((one for one in (error.__cause__, error) if _is_databases(one, "DBAPIError")), None)
    # SQLAlchemy's own message is the whole statement, and MLflow's may be a hint.
    text = reason(found.orig if found else error)
    is_full = re.search("disk is full|No space left|quota exceeded", text, re.IGNORECASE)
    return f"{text}; free some space" if is_full else text


def _is_untrusted(error):
    """Tell if the certificate of a server is not trusted."""
    known = (error, error.__cause__ or error.__context__)
    return any(isinstance(one, requests.exceptions.SSLError) for one in known)


def _is_unauthorized(error):
    if isinstance(error, MlflowException):
        return error.error_code in ("UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED") or "error code 401" in str(
            error
        )
    return getattr(getattr(error, "response", None), "status_code", None) == 401


def _is_refusal(error):
    if isinstance(error, MlflowException):
        cause = error.__cause__
        refused = isinstance(cause, CALLERS_FAULTS) or _is_databases(cause, *DATABASES_REFUSALS)
        return error.error_code in REFUSALS or refused
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code in REFUSED_STATUS
    return isinstance(error, (OverflowError, ImportError)) or _is_databases(error, *DATABASES_REFUSALS)


def _may_pass(error):
    """Tell whether a retry may succeed, because the answer was lost or did not come from the store."""
    if isinstance(error, TrackingError):
        return not isinstance(error, RunLostError)
    if (
        not isinstance(error, Exception)
        or _is_refusal(error)
        or _is_unauthorized(error)
        or _is_untrusted(error)
    ):
        return False
    return isinstance(error, (MlflowException, requests.RequestException)) or _raised_by_mlflow(error)


def retry_policy(
    timeout: float,
    stop: threading.Event,
    before_sleep: Callable[[tenacity.RetryCallState], None] | None = None,
) -> tenacity.Retrying:
    """Return a retry policy for calls that raise TrackingError; RunLostError is never retried.

    Args:
        timeout: seconds for all attempts; 0 = a single attempt. Pauses grow exponentially, up to `MAX_PAUSE`.
        stop: event that ends a pause and all retries.
        before_sleep: function that is called with the state of the retries before each pause.
    """
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(_may_pass),
        wait=tenacity.wait_exponential(MIN_PAUSE, max=MAX_PAUSE),
        stop=tenacity.stop_before_delay(timeout) | tenacity.stop_when_event_set(stop),
        sleep=tenacity.sleep_using_event(stop),
        before_sleep=before_sleep,
        reraise=True,
    )


def retrying(action: Callable[[], Result], timeout: float) -> Result:
    """Return the result of `action()`, retried for `timeout` seconds while the store is unreachable.

    Raises:
        TrackingError: the store is still unreachable then.
        RunLostError: the store refuses the request.
    """
    return retry_policy(timeout, threading.Event())(action)


@contextlib.contextmanager
def uninterrupted(again: bool = False) -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until the end of the block; one `ECHO_SECONDS` after the first acts at once.

    In the end the process's own handler gets the signals. Of a block within another one the outer one holds them.

    Args:
        again: an interrupt has led to the block, and counts as the first.
    """
    global _holding
    if _holding or threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    held: list[int] = []
    times = [time.monotonic()] if again else []

    def hold(number, frame):
        held.append(number)
        times.append(time.monotonic())
        if times[-1] - times[0] > ECHO_SECONDS:
            deliver()

    def deliver():
        for known, handler in handlers.items():
            if handler is not None:  # None: a handler of C code, which Python cannot restore
                signal.signal(known, handler)
        while held:
            signal.raise_signal(held.pop())

    try:
        for number, handler in handlers.items():
            if handler is not None:
                signal.signal(number, hold)
        _holding = True
        yield
    finally:
        _holding = False
        deliver()


def status_after(error: BaseException | None) -> str:
    """Return the final status of a run whose work ended with this exception, or with none."""
    if error is None:
        return "FINISHED"
    return "KILLED" if interrupted(error) else "FAILED"


def metric_name_problem(name: str) -> str | None:
    """Return why MLflow would refuse a metric of this name; None if it accepts the name."""
    try:
        _validate_metric(name, 0.0, 0, 0)
    except MlflowException as error:
        return " ".join(error.message.split())
    return None
