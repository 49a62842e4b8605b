"""Run a command from the command line; turn a user's mistake into one line and exit code 2."""

import _thread
import contextlib
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from datamap import __version__
from datamap import config as types
from datamap.cli import failures, process
from datamap.cli.commands import COMMANDS
from datamap.cli.compose import compose, plain_keys
from datamap.cli.help import help_text, overview
from datamap.cli.overrides import MULTIRUN, name_of, refuse_with_resume, swept, translate
from datamap.config import validated
from datamap.errors import ConfigError, DataMapError, did_you_mean, interrupted
from datamap.log import clear_starting, print_error, show_starting, write_line
from datamap.places import CONF
from datamap.program import SCRIPTS

if TYPE_CHECKING:
    from datamap.cli.multirun import Multirun

# Hydra makes no output folders and no log files here, because a command logs all that it makes into its MLflow run.
QUIET = (
    "hydra.run.dir=.",
    "hydra.sweep.subdir=.",
    "hydra.output_subdir=null",
    "hydra/job_logging=none",
    "hydra/hydra_logging=none",
)


def main() -> None:
    """Run the installed command, `datamap <command> [key=value …]`, and exit with its code."""
    command, *arguments = sys.argv[1:] or ["--help"]
    sys.exit(run(command, arguments))


def script(command: str) -> None:
    """Run the command of this name with the process's arguments, as the scripts in `src/` do."""
    code = run(command, sys.argv[1:])
    if code:
        sys.exit(code)


def run(command: str, arguments: list[str]) -> int:
    """Run a command with Hydra overrides (`key=value`), or `--key value` as `mlflow run -P` passes them.

    Returns:
        Exit code: 0; 2 for a user's mistake (one line on stderr); 130 after an interrupt; 1 for a bug in Data Map,
        whose traceback is in a file that the line on stderr names.
    """
    try:
        process.begin()
        with _no_interrupt_lost():
            _dispatch(command, arguments)
    except (Exception, KeyboardInterrupt) as error:
        return _exit_code(command, error)
    finally:
        clear_starting()
    return 0


@contextlib.contextmanager
def _no_interrupt_lost() -> Iterator[None]:
    """Interrupt again if Ctrl-C arrives in a callback of the garbage collector, where Python only prints it.

    C code that calls Python may lose it, too, and raise an error of its own: Matplotlib's "Invalid bounding box".
    """
    usual, arrived = sys.unraisablehook, []
    handled = [
        n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) == signal.default_int_handler
    ]

    def interrupt(number: int, frame: object) -> None:
        arrived.append(number)
        raise KeyboardInterrupt

    def again(problem: "sys.UnraisableHookArgs") -> None:
        if issubclass(problem.exc_type, KeyboardInterrupt):
            # A thread raises it later, in the main one: raised here, it would only be printed again. `Thread.start`
            # would wait for the thread, on a busy machine long enough to be met by it.
            _thread.start_new_thread(_interrupt_soon, ())
        else:
            usual(problem)

    sys.unraisablehook = again
    for number in handled:
        signal.signal(number, interrupt)
    try:
        yield
    except Exception as error:
        if arrived and not failures.explained(error):
            raise KeyboardInterrupt from error
        raise
    finally:
        sys.unraisablehook = usual
        for number in handled:
            signal.signal(number, signal.default_int_handler)


def _interrupt_soon() -> None:
    time.sleep(0.05)
    _thread.interrupt_main(signal.SIGTERM)


def _exit_code(command: str, error: BaseException) -> int:
    """Print an error as one line on stderr, and return the exit code that belongs to it (see `run`)."""
    if interrupted(error):
        print_error("interrupted")
        return 130
    if isinstance(error, HydraException | OmegaConfBaseException):
        return _failed(2, _unknown_key(error, command) or _unknown_choice(error) or failures.one_line(error))
    reason = failures.explained(error)
    return _failed(2, reason) if reason else _failed(1, failures.report(error))


def _dispatch(command: str, arguments: list[str]) -> None:
    if command in ("-h", "--help"):
        _show(overview())
        return
    if command == "--version":
        _show(f"datamap {__version__}")
        return
    if command not in COMMANDS:
        raise ConfigError(f"no command {command!r}{did_you_mean(command, list(COMMANDS))}: datamap --help")
    overrides = translate(arguments, types.STEPS[SCRIPTS.get(command, command)])
    flags = [argument for argument in overrides if argument.startswith("-")]
    if {"--help", "-h"} & set(flags):
        _show(help_text(command))
        return
    if set(flags) <= MULTIRUN:  # with other flags Hydra prints, and does not run the command
        show_starting()
    if flags:
        _run_by_hydra(command, overrides, flags)
    else:
        _run_once(command, overrides)


def _show(text: str) -> None:
    try:
        write_line(text)
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from error


def _failed(code: int, reason: str) -> int:
    print_error(f"error: {reason}")
    return code


def _run_once(command: str, overrides: list[str]) -> None:
    name = SCRIPTS.get(command, command)
    config = validated(compose(name, overrides), name)
    refuse_with_resume(config, overrides)
    COMMANDS[command](config, overrides)


def _run_by_hydra(command: str, arguments: list[str], flags: list[str]) -> None:
    """Run a command by `hydra.main`, which several jobs (`-m`) and Hydra's other flags (`--cfg job`) need."""
    if sys.version_info >= (3, 14):  # its argparse refuses what Hydra 1.3 gives it
        raise ConfigError(f"{' '.join(flags)}: Hydra's flags need Python 3.13 or older; leave them out")
    name = SCRIPTS.get(command, command)
    overrides = [argument for argument in arguments if argument not in flags]
    keys = swept(overrides) if MULTIRUN & set(flags) else set()
    many: Multirun | None = None
    failure: list[DataMapError] = []

    def task(raw: DictConfig) -> None:
        try:
            config, given = validated(raw, name), list(HydraConfig.get().overrides.task)
            refuse_with_resume(config, given)
            if many:
                many.add(config, given, name_of(given, keys))
            else:
                COMMANDS[command](config, given)
        except DataMapError as error:
            failure.append(error)  # raised below: if it were raised here, Hydra would print lines of its own

    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises instead of printing many lines
    with contextlib.ExitStack() as stack:
        stack.enter_context(plain_keys(name))
        folder = stack.enter_context(tempfile.TemporaryDirectory())  # Hydra writes a multirun.yaml into it
        if MULTIRUN & set(flags) and command == "train":
            from datamap.cli import multirun

            many = stack.enter_context(multirun.Multirun(name_of(overrides, keys)))
        # Hydra reads sys.argv, and its parser does not accept a flag between overrides.
        sys.argv = [sys.argv[0], *flags, *QUIET, f"hydra.sweep.dir={folder}", *overrides]
        hydra.main(config_path=str(CONF), config_name=name, version_base="1.3")(task)()
        if failure:
            raise failure[0]
        if many:
            many.train()


def _unknown_choice(error: Exception) -> str | None:
    """Return the line for a value that names no file of a config group, as in `model=`; None for any other error."""
    if not isinstance(error, MissingConfigException) or not error.options:
        return None
    group, _, name = str(error.missing_cfg_file).rpartition("/")
    return f"{group}={name}: choose {' or '.join(error.options)}{did_you_mean(name, error.options)}"


def _unknown_key(error: Exception, command: str) -> str | None:
    """Return the line for a key that Hydra does not know; None for any other error."""
    unknown = re.search(r"Could not override '([^']*)'", str(error))
    return types.unknown_key(unknown.group(1), SCRIPTS.get(command, command)) if unknown else None
