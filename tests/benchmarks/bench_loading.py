"""Reading the file of faces."""

import os
import tempfile
from pathlib import Path

import pandas as pd

from fer_sklearn import load_fer2013

from ._faces import face_strings
from ._timing import slow_down

N_DRAWN = 5000


def rows(rounds):
    """Compare `load_fer2013` with pandas' reader alone."""
    path = os.environ.get("FER2013_CSV")
    if path:
        yield row_of(Path(path), rounds)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "drawn.csv")
        strings, emotions = face_strings(N_DRAWN)
        frame = pd.DataFrame({"emotion": emotions, "pixels": strings})
        frame.assign(Usage="Training").to_csv(path, index=False)
        yield row_of(path, rounds)


def row_of(path, rounds):
    """Measure one file."""
    megabytes = path.stat().st_size / 1e6

    def ours():
        load_fer2013(path)

    def pandas_alone():
        pd.read_csv(path)

    return slow_down(
        f"`load_fer2013` on a csv of {megabytes:.0f} MB, with all its checks",
        "`pandas.read_csv` alone",
        ours,
        pandas_alone,
        rounds=rounds,
        items=round(megabytes),
        note="MB",
    )
