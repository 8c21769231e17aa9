"""The command line: ``fer-sklearn train``, ``evaluate``, ``predict``, ``inspect``.

This package is the only one that prints and parses arguments. Results go to
standard output, progress and trouble to standard error.
"""

import os
import sys
import warnings

__all__ = ["main"]


def main(argv=None):
    """Run ``fer-sklearn`` and give its exit status.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments without the program's name; None takes those of the process.

    Returns
    -------
    status : int
        0 done, 1 something failed, 2 wrong usage, 130 stopped by Ctrl-C, 141 when
        the reader of standard output went away.
    """
    from ._parser import build_parser

    # Before torch is loaded: that is when OpenMP reads it.
    _let_waiting_threads_sleep()
    parser = build_parser()
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments:
        parser.print_help()
        return 0
    try:
        args = parser.parse_args(arguments)
    except SystemExit as stop:  # argparse has printed help or what is wrong
        return stop.code
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        return _run(args)


def _let_waiting_threads_sleep():
    """Have OpenMP's threads wait for a fraction of a millisecond, then sleep.

    By default they keep their cores busy for several milliseconds at every layer, which
    makes a training several times as slow on a machine with other work. A setting of
    the user is kept; GNU's OpenMP prefers its own variable to the standard one.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def use_threads(number):
    """Let torch use `number` CPU threads; None leaves its own choice."""
    if number is not None:
        import torch

        torch.set_num_threads(number)


def _run(args):
    from .._utils import torch_needed
    from ._parser import command_module

    try:
        with torch_needed():
            status = command_module(args.command).run(args)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Python flushes stdout once more at exit, and would fail there again.
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
    """One line about `error`; a fault of ours is called by its type."""
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror}"
    if isinstance(error, ValueError) and text:
        return text
    return f"{type(error).__name__}: {text} (--debug shows where)"


def _show_warning(message, category, filename, lineno, file=None, line=None):
    print(f"fer-sklearn: warning: {message}", file=sys.stderr)
