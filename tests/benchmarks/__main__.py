"""Run the benchmarks and print their rows as one Markdown table.

    python -m tests.benchmarks                 all of them
    python -m tests.benchmarks pixels fit      bench_pixels.py and bench_fit.py
    python -m tests.benchmarks --rounds 9 --output table.md

Each file runs in a process of its own, on one thread unless a row says otherwise. With
the environment variable FER2013_CSV the faces are real ones, otherwise synthetic.
"""

import argparse
import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from . import _timing

HERE = Path(__file__).parent
RESULT = "benchmark row: "
PAGE = """\
# Benchmarks

`FER2013_CSV=fer2013.csv python -m tests.benchmarks --output docs/benchmarks.md` writes
this page. The two sides of a row take turns in one process. The ratio is the median
over the rounds. One thread, unless a row says otherwise.
"""


def main():
    """Run what the command line asks for."""
    names = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__.splitlines()[0]
    )
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(names))
    parser.add_argument("--rounds", type=int, default=7, help="at least 5, default 7")
    parser.add_argument("--output", type=Path, help="write the table here as well")
    parser.add_argument("--full", action="store_true", help="all faces: takes an hour")
    parser.add_argument("--in-this-process", action="store_true", help="for profilers")
    options = parser.parse_args()
    if options.rounds < 5:
        parser.error("--rounds must be at least 5: the machine's noise needs a median")
    if unknown := set(options.names) - set(names):
        parser.error(f"no benchmark {sorted(unknown)}; there are: {', '.join(names)}")
    if options.in_this_process:
        run_here(options.names, options.rounds)
        return
    if options.full:
        os.environ["FER_BENCH_FULL"] = "1"
    rows = []
    for name in options.names or names:
        rows += run_apart(name, options.rounds)
    text = f"{PAGE}\n{_timing.machine()}\n\n{_timing.table(rows)}\n"
    print(text)
    if options.output:
        options.output.write_text(text, encoding="utf-8")


def run_here(names, rounds):
    """Run benchmark files in this process and print a line of JSON for each row."""
    for name in names:
        module = import_module(f"{__package__}.bench_{name}")
        for row in module.rows(rounds):
            print(RESULT + json.dumps(row), flush=True)


def run_apart(name, rounds):
    """Run a benchmark file in a fresh process; say what went wrong, and go on."""
    print(f"bench_{name} ...", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", __package__, name, "--in-this-process"]
    done = subprocess.run(
        [*command, "--rounds", str(rounds)],
        env=os.environ | _timing.ONE_THREAD,
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(RESULT)]
    rows = [json.loads(line.removeprefix(RESULT)) for line in lines]
    if done.returncode:
        note = f"failed with exit status {done.returncode}; see its messages"
        rows.append(_timing.not_measured(f"bench_{name}", "", note=note))
    return rows


if __name__ == "__main__":
    main()
