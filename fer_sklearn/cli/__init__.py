"""The command line: ``fer-sklearn train``, ``evaluate``, ``predict`` and others.

Each command is a module with a function `run`. Results go to standard output, progress
and errors to standard error.
"""

import logging
import os
import sys
import warnings

from .._utils import torch_needed
from .parser import build_parser, command_module, in_shell

__all__ = ["main"]


def main(argv=None):
    """Run ``fer-sklearn`` and return its exit status.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments without the program's name; None means those of the process.

    Returns
    -------
    status : int
        0 success, 1 error, 2 wrong usage, 130 stopped by Ctrl-C, 141 if the reader
        of standard output has closed it.
    """
    # Before torch is loaded, which is when OpenMP reads it.
    _let_waiting_threads_sleep()
    # On machines with few fonts, matplotlib names each one that it does not find.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    parser = build_parser()
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments:
        parser.print_help()
        return 0
    try:
        args = parser.parse_args(arguments)
    except SystemExit as stop:  # argparse has printed the help or the error
        return stop.code
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        return _run(args)


def _let_waiting_threads_sleep():
    """Let the threads of OpenMP wait for a fraction of a millisecond, then sleep.

    By default they keep their cores busy for several milliseconds after every layer,
    which makes training several times as slow on a machine with other work. A setting
    of the user is kept. GNU's OpenMP prefers its own variable to the standard one.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def _run(args):
    try:
        with torch_needed():
            status = command_module(args.command).run(args)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Python flushes stdout again at exit, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt as stop:
        print(
            ": ".join(["fer-sklearn: stopped by Ctrl-C", *stop.args]), file=sys.stderr
        )
        return 130
    except Exception as error:
        if args.debug:
            raise
        print(f"fer-sklearn: error: {_describe(error)}", file=sys.stderr)
        return 1


def _describe(error):
    """Describe an error in one line; an unexpected one begins with its type."""
    text = in_shell(" ".join(str(error).split()))
    if isinstance(error, OSError) and error.strerror:
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror}"
    if isinstance(error, ValueError) and text:
        return text
    return f"{type(error).__name__}: {text} (--debug shows where)"


def _show_warning(message, category, filename, lineno, file=None, line=None):
    print(f"fer-sklearn: warning: {in_shell(str(message))}", file=sys.stderr)
