"""Paddle and PaddleNLP, imported quietly and without taking the process's signals (several seconds).

All of ours that need Paddle import it from here.
"""

import contextlib
import logging
import signal
import threading
import warnings
from collections.abc import Iterator

HELD = {signal.SIGINT, signal.SIGTERM}


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
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            if handler is not None:  # None: one that was not set from Python
                signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


with signals_held(), warnings.catch_warnings():
    warnings.simplefilter("ignore")  # paddle: no ccache; setuptools replaces distutils
    import paddle
    import paddlenlp.transformers as transformers
    from paddlenlp.utils.log import logger as _paddlenlp_logger

    paddle.disable_signal_handler()

_paddlenlp_logger.logger.setLevel(logging.ERROR)  # its warnings are of weights, which `folders` checks itself
logging.getLogger("paddlenlp").setLevel(logging.WARNING)
logging.getLogger("matplotlib").setLevel(logging.WARNING)  # whose notes paddlenlp's handlers would print

__all__ = ["paddle", "signals_held", "transformers"]
