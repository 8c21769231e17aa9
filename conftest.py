"""What doctests and tests share: one thread, no windows, no figures left open."""

import os
import sys

import pytest

os.environ.setdefault("MPLBACKEND", "Agg")
# The networks of the tests are tiny: more threads would wait for each other, for
# minutes where other programs run beside them. Processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def close_figures():
    """Close what a test has drawn: pyplot keeps figures, and warns after twenty."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
