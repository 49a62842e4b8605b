"""Import Paddle and PaddleNLP quietly, without their signal handlers; this takes several seconds.

Every other module imports them from here.
"""

import contextlib
import logging
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from importlib.abc import MetaPathFinder

from datamap.errors import TrainingError

HELD = (signal.SIGINT, signal.SIGTERM)


class _Held(MetaPathFinder):
    """Note signals instead of acting on them; as a finder of modules, find none."""

    def __init__(self) -> None:
        self.noted: list[int] = []

    def install(self) -> None:
        """Become the handler of the signals."""
        for number in HELD:
            signal.signal(number, lambda number, frame: self.noted.append(number))

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        """Become the handler again, since the module imported before may have set its own."""
        self.install()


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until the context ends, then pass them to the previous handlers.

    An interrupted import fails in unforeseeable ways, and Paddle replaces the handler of SIGTERM by its own, which ends
    the process at once. This thread blocks the signals, so that they wait even between Paddle's handler and ours; in a
    process with other threads, which may receive them, our handler notes them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in HELD}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    held = _Held()
    held.install()
    sys.meta_path.insert(0, held)
    try:
        yield
    finally:
        sys.meta_path.remove(held)
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)  # those that waited arrive here
        if held.noted:
            signal.raise_signal(held.noted[0])


@contextlib.contextmanager
def _logging_kept() -> Iterator[None]:
    """Take away the handler that a library adds to the root logger: it would reprint all lines of the process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


with signals_held(), _logging_kept(), warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Paddle warns of a missing ccache, and of setuptools replacing distutils
    import paddle

    paddle.disable_signal_handler()
    import paddlenlp.transformers as transformers
    from paddlenlp.utils.log import logger as _paddlenlp_logger

_paddlenlp_logger.logger.setLevel(logging.ERROR)  # it warns about weights, which `folders` checks itself
logging.getLogger("paddlenlp").setLevel(logging.WARNING)
logging.getLogger("matplotlib").setLevel(logging.WARNING)  # PaddleNLP's handlers would print its notes

__all__ = ["paddle", "set_device", "signals_held", "transformers"]


def set_device(name: str) -> None:
    """Let Paddle compute on a device, "cpu", "gpu:0", …, from now on and in this process.

    Raises:
        TrainingError: Paddle has no such device on this machine.
    """
    try:
        paddle.set_device(name)
    except (ValueError, RuntimeError, OSError) as error:
        raise TrainingError(
            f"trainer.device={name}: Paddle has no such device on this machine; set cpu, or gpu:0 if Paddle has GPUs"
        ) from error
