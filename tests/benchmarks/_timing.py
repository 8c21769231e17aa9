"""Time things side by side, and write down what came out.

Machines are noisy, and what runs beside a benchmark slows both sides of it: so the two
callables of a pair take turns in one process, and what counts is the median over the
rounds of the ratio of their times.

A benchmark file has a function ``rows(rounds)`` that yields what `speed_up`,
`slow_down` and `not_measured` return.
"""

import os
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version

import numpy as np

# Variables that keep numerical libraries on one thread.
ONE_THREAD = {
    name: "1"
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
    )
}


def interleave(*callables, rounds):
    """Time callables in turns, after a warm-up of each.

    Parameters
    ----------
    *callables : callable
        Without parameters. One that returns a float has taken its own time, in
        seconds; of another the whole call is timed.
    rounds : int
        How often each is timed, at least 5.

    Returns
    -------
    seconds : ndarray of shape (n_callables, rounds)
        Time of every call.
    """
    if rounds < 5:
        raise ValueError(f"rounds must be at least 5, got {rounds}")
    for call in callables:
        call()
    seconds = np.empty((len(callables), rounds))
    for turn in range(rounds):
        for row, call in zip(seconds, callables, strict=True):
            start = time.perf_counter()
            own = call()
            row[turn] = own if isinstance(own, float) else time.perf_counter() - start
    return seconds


def speed_up(what, against, ours, theirs, *, rounds, **about):
    """Measure how many times as fast `ours` is; see `_row` for the rest."""
    seconds = interleave(ours, theirs, rounds=rounds)
    return _row(what, against, seconds[1] / seconds[0], "as fast", seconds, **about)


def slow_down(what, against, ours, theirs, *, rounds, **about):
    """Measure how many times as long `ours` takes; see `_row` for the rest."""
    seconds = interleave(ours, theirs, rounds=rounds)
    return _row(what, against, seconds[0] / seconds[1], "as long", seconds, **about)


def value(what, against, measured, *, note=""):
    """Give a row for something that is not a ratio of times, such as memory."""
    return {"what": what, "against": against, "measured": measured, "note": note}


def not_measured(what, against, *, note):
    """Give a row that says why there is no number."""
    return value(what, against, "not measured", note=note)


def _row(what, against, ratios, unit, seconds, *, items=None, note=""):
    """Make a row of the table.

    Parameters
    ----------
    what, against : str
        The two sides.
    ratios, seconds : ndarray
        What was measured.
    unit : str
        What the ratio means: "as fast" or "as long".
    items : int, default=None
        Things (rows, faces) done in a call, for the rates in the note.
    note : str, default=""
        Anything else.
    """
    low, middle, high = np.percentile(ratios, [25, 50, 75])
    if items:
        ours, theirs = items / np.median(seconds, axis=1)
        rates = f"{ours:,.0f} and {theirs:,.0f} per second"
        note = f"{rates}; {note}" if note else rates
    measured = f"**{middle:.2f}** times {unit} ({low:.2f} to {high:.2f})"
    return value(what, against, measured, note=note)


def table(rows):
    """Write rows as a Markdown table."""
    lines = [
        "| measured | compared with | median (quartiles) | in this run |",
        "|---|---|---|---|",
    ]
    for row in rows:
        cells = (row[key] for key in ("what", "against", "measured", "note"))
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def machine():
    """Describe this machine and what is installed on it, in a line or two."""
    versions = [f"Python {platform.python_version()}"]
    for name in ("numpy", "scipy", "scikit-learn", "pandas", "torch", "skorch"):
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"no {name}")
    load = f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{_processor()}, {os.cpu_count()} processors, {platform.system()} "
        f"{platform.machine()}, {load} at the end. {', '.join(versions)}."
    )


def _processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [
                line.split(":")[1].strip() for line in lines if "model name" in line
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or "unknown processor"


class Child:
    """A script in another Python that times itself, one round for each call.

    For what needs packages that do not go together with ours. The script prints
    ``ready`` when it is set up; then, for each line that it reads, it does its work
    once and prints the seconds that this took.
    """

    def __init__(self, python, script, *arguments, env=None):
        self._process = subprocess.Popen(
            [python, str(script), *map(str, arguments)],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer("ready")

    def _answer(self, expected=None):
        for line in self._process.stdout:
            word = line.strip()
            if word == expected or (expected is None and _is_number(word)):
                return word
        raise RuntimeError(f"{self._process.args} ended with {self._process.wait()}")

    def __call__(self):
        """Have the work done once; give the seconds that it took."""
        self._process.stdin.write("again\n")
        self._process.stdin.flush()
        return float(self._answer())

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()


def _is_number(word):
    try:
        float(word)
    except ValueError:
        return False
    return True


def serve_child(work):
    """Be the script of a `Child`: time `work()` whenever a line comes in."""
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        work()
        print(time.perf_counter() - start, flush=True)
