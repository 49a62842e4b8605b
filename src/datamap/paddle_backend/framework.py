"""Paddle and PaddleNLP, imported quietly and without taking the process's signals (several seconds).

All of ours that need Paddle import it from here.
"""

import contextlib
import logging
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from importlib.abc import MetaPathFinder

HELD = (signal.SIGINT, signal.SIGTERM)


class _Held(MetaPathFinder):
    """Notes signals instead of acting on them; as a finder of modules, it finds none."""

    def __init__(self) -> None:
        self.noted: list[int] = []

    def install(self) -> None:
        """Become the handler of the signals."""
        for number in HELD:
            signal.signal(number, lambda number, frame: self.noted.append(number))

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        """Become the handler again: the module before may have put its own in our place."""
        self.install()


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """While it lasts Ctrl-C and SIGTERM wait; then they go to the handlers that there were before.

    An import that is interrupted half-way fails in ways that nobody foresees, and Paddle puts a handler
    of its own in the place of SIGTERM's, which ends the process at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in HELD}
    held = _Held()
    held.install()
    sys.meta_path.insert(0, held)
    try:
        yield
    finally:
        sys.meta_path.remove(held)
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if held.noted:
            signal.raise_signal(held.noted[0])


with signals_held(), warnings.catch_warnings():
    warnings.simplefilter("ignore")  # paddle: no ccache; setuptools replaces distutils
    import paddle

    paddle.disable_signal_handler()
    import paddlenlp.transformers as transformers
    from paddlenlp.utils.log import logger as _paddlenlp_logger

_paddlenlp_logger.logger.setLevel(logging.ERROR)  # its warnings are of weights, which `folders` checks itself
logging.getLogger("paddlenlp").setLevel(logging.WARNING)
logging.getLogger("matplotlib").setLevel(logging.WARNING)  # whose notes paddlenlp's handlers would print

__all__ = ["paddle", "signals_held", "transformers"]
