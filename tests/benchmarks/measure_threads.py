"""Measure how waiting threads of OpenMP and other work on the machine go together.

    python -m tests.benchmarks.measure_threads --loops 0 1 2

Fits a network for an epoch in one process for each setting of the environment, at
torch's default number of threads unless the setting says otherwise. The processes take
turns, next to a number of busy loops; printed are the median, least and most seconds of
a fit. With ``--pause``, other programs get a turn in between.
"""

import argparse
import os
import subprocess
import sys
import time

import numpy as np

from ._timing import Child, machine, serve_child

SETTINGS = {
    "default": {},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
    "GOMP_SPINCOUNT=1000": {"GOMP_SPINCOUNT": "1000"},
    "GOMP_SPINCOUNT=10000": {"GOMP_SPINCOUNT": "10000"},
    "OMP_NUM_THREADS=1": {"OMP_NUM_THREADS": "1"},
}
VARIABLES = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS"}
LOOP = "while True: pass"


def main():
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=["nano", "compact"])
    parser.add_argument("--loops", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--faces", type=int, default=700)
    parser.add_argument("--pause", type=float, default=0, help="seconds after a fit")
    parser.add_argument("--child", metavar="NETWORK", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        serve_child(fit(options.child, options.faces))
        return
    for network in options.networks:
        report(network, options)
    print(machine())


def fit(network, n_faces):
    """Give a function that fits `network` for an epoch."""
    from fer_sklearn import make_fer_pipeline

    from ._faces import face_strings

    X, y = face_strings(n_faces)
    pipe = make_fer_pipeline(network, max_epochs=1, random_state=0)
    return lambda: pipe.fit(X, y)


def report(network, options):
    """Print the table of a network."""
    here = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    arguments = ("--child", network, "--faces", options.faces)
    children = [
        Child(
            *(sys.executable, "-m", __spec__.name, *arguments), env={**here, **setting}
        )
        for setting in SETTINGS.values()
    ]
    print(f"{network}, {options.faces} faces, seconds: median (least to most)")
    for n_loops in options.loops:
        print(f"{n_loops} busy loops")
        seconds = np.empty((options.rounds + 1, len(children)))
        for turn in seconds:
            for column, child in enumerate(children):
                turn[column] = time_beside_loops(child, n_loops)
                time.sleep(options.pause)
        for name, times in zip(SETTINGS, seconds[1:].T, strict=True):
            low, middle, high = np.percentile(times, [0, 50, 100])
            print(f"  {name:25} {middle:6.2f} ({low:.2f} to {high:.2f})", flush=True)
    for child in children:
        child.__exit__()


def time_beside_loops(child, n_loops):
    """Give the seconds of a fit while `n_loops` other processes keep a core busy."""
    loops = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(n_loops)]
    try:
        time.sleep(0.2 if loops else 0)
        return child()
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


if __name__ == "__main__":
    main()
