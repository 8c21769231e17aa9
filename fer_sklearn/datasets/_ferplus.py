"""FER+: ten crowd votes for each face of FER2013."""

import os

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from ..exceptions import DataFileError
from ._emotions import EMOTIONS, emotion_label
from ._fer2013 import read_table

__all__ = ["join_ferplus", "load_ferplus"]

_VOTE_NAMES = (*EMOTIONS, "contempt", "unknown", "not_a_face")
_CONTEMPT, _NOT_A_FACE = _VOTE_NAMES.index("contempt"), -1
_COLUMNS = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,"
    "unknown,NF"
)
# Names in FER+ that are not those of an emotion of FER2013.
_OTHERS = {"contempt": 7, "unknown": 8, "nf": 9, "not_a_face": 9}

_DESCR = """\
FER+
----
Votes of ten crowd workers on each of {n_samples} faces of FER2013, by Barsoum, Zhang,
Canton Ferrer and Zhang (2016), Training Deep Networks for Facial Expression
Recognition with Crowd-Sourced Label Distribution, ICMI.
"""


def load_ferplus(path, *, usage=None):
    """Read the votes of FER+ from your own copy of ``fer2013new.csv``.

    Parameters
    ----------
    path : path-like
        The csv, plain or packed. Nothing is downloaded.
    usage : str, default=None
        Keep only the rows of this part: "Training", "PublicTest" or "PrivateTest".
        Needed to join faces from a file that contains only this part and does not
        start with Training.

    Returns
    -------
    Bunch
        With the attributes

        votes : array of shape (n_samples, 10), int64
            Number of workers who chose each of `vote_names`, nearly always ten in all.
        vote_names : list of str
            The seven `EMOTIONS` in FER2013's order, then contempt, unknown and
            not_a_face. FER+ itself has a different order (neutral, happiness, ...);
            columns are read by name.
        target : array of shape (n_samples,), int64
            The majority label: 0 to 6 as in FER2013, 7 for contempt, -1 for none. As
            in the authors' code, single votes are dropped as mistakes, and a majority
            is more than half of the rest. If it is for unknown or not_a_face, there is
            no label.
        is_face : array of shape (n_samples,), bool
            False where more than half of the votes say that there is no face.
        usage : Series of shape (n_samples,), str
            The part of each row.
        DESCR : str
            What these votes are.

    Raises
    ------
    DataFileError
        If the file is not a csv, lacks a column, or contains anything but counts of
        votes.
    OSError
        If the file is missing or may not be read.

    See Also
    --------
    join_ferplus : Add the votes to the faces of FER2013.

    Examples
    --------
    >>> import os, tempfile
    >>> from fer_sklearn.datasets import load_ferplus
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "fer2013new.csv")
    ...     with open(path, "w") as file:
    ...         print("Usage,Image name,neutral,happiness,surprise,sadness,anger,"
    ...               "disgust,fear,contempt,unknown,NF", file=file)
    ...         print("Training,fer0000000.png,1,8,0,0,0,0,0,0,1,0", file=file)
    ...         print("Training,,0,0,0,0,0,0,0,0,0,10", file=file)
    ...     votes = load_ferplus(path)
    >>> votes.target, votes.is_face
    (array([ 3, -1]), array([ True, False]))
    """
    table = read_table(path, _COLUMNS)
    votes = _read_votes(table, path)
    uses = table["usage"]
    if usage is not None:
        keep = (uses == usage).to_numpy()
        if not keep.any():
            has = ", ".join(map(repr, uses.unique()))
            raise DataFileError(f"{path} has no rows of usage {usage!r}; it has {has}.")
        votes, uses = votes[keep], uses[keep].reset_index(drop=True)
    return Bunch(
        votes=votes,
        vote_names=list(_VOTE_NAMES),
        target=_majority(votes),
        is_face=2 * votes[:, _NOT_A_FACE] <= votes.sum(axis=1),
        usage=uses,
        DESCR=_DESCR.format(n_samples=len(votes)),
    )


def join_ferplus(faces, votes):
    """Add the votes of FER+ to the faces that `load_fer2013` read.

    FER+ has one row for each row of ``fer2013.csv``, in the same order. (The numbers
    in its image names are not row numbers, so they are not used.) This also works for
    faces selected by `usage` or `drop_duplicates`.

    Parameters
    ----------
    faces : Bunch
        From `load_fer2013`.
    votes : path-like or Bunch
        ``fer2013new.csv``, or what `load_ferplus` read from it.

    Returns
    -------
    Bunch
        A copy of `faces` with these attributes added, aligned with its data:

        votes : array of shape (n_samples, 10), int64
            Counts of votes.
        vote_names : list of str
            Name of each column of `votes`.
        ferplus_target : array of shape (n_samples,), int64
            Majority label: 0 to 6 as in FER2013, 7 for contempt, -1 for none.
        is_face : array of shape (n_samples,), bool
            False if the votes say that there is no face.

    Raises
    ------
    DataFileError
        If the votes cannot be read, have too few rows, or are of different parts.

    See Also
    --------
    load_ferplus : Read the votes alone; explains the majority.

    Examples
    --------
    Train on the majority labels that are one of the seven emotions:

    >>> from sklearn.utils import Bunch
    >>> import numpy as np
    >>> from fer_sklearn.datasets import join_ferplus, make_faces
    >>> faces = make_faces(3, image_shape=(12, 12), random_state=0)
    >>> votes = Bunch(votes=np.eye(3, 10, dtype=int) * 10, vote_names=[],
    ...               target=np.array([0, 7, -1]), is_face=np.array([True] * 3),
    ...               usage=faces.usage)
    >>> joined = join_ferplus(faces, votes)
    >>> agreed = (joined.ferplus_target >= 0) & (joined.ferplus_target < 7)
    >>> joined.data[agreed].shape, joined.ferplus_target[agreed]
    ((1,), array([0]))
    """
    source = "the votes"
    if isinstance(votes, (str, os.PathLike)):
        source, votes = os.fspath(votes), load_ferplus(votes)
    rows = faces.get("rows", np.arange(len(faces.data)))
    _check_alignment(faces, rows, votes, source)
    joined = {
        "votes": votes.votes[rows],
        "vote_names": votes.vote_names,
        "ferplus_target": votes.target[rows],
        "is_face": votes.is_face[rows],
    }
    return Bunch(**{**faces, **joined})


def _check_alignment(faces, rows, votes, source):
    cure = (
        "FER+ has one row for each row of fer2013.csv, in the same order. If the "
        'faces are of one part only, use load_ferplus(path, usage="...").'
    )
    if len(rows) and rows.max() >= len(votes.votes):
        raise DataFileError(
            f"A face is from row {rows.max()} of its file, but {source} have "
            f"{len(votes.votes)} rows. {cure}"
        )
    if faces.get("usage") is None:
        return
    differ = faces.usage.to_numpy() != votes.usage.iloc[rows].to_numpy()
    if differ.any():
        at = int(differ.argmax())
        raise DataFileError(
            f"The face of row {rows[at]} is of usage {faces.usage.iloc[at]!r}, but "
            f"{source} have {votes.usage.iloc[rows[at]]!r} there. {cure}"
        )


def _read_votes(table, path):
    """Votes as an integer array whose columns are in the order of _VOTE_NAMES."""
    place = {}
    for name in table.columns:
        column = _OTHERS.get(name, emotion_label(name))
        if column is not None:
            place[column] = name
    missing = [name for i, name in enumerate(_VOTE_NAMES) if i not in place]
    missing += [] if "usage" in table else ["Usage"]
    if missing:
        raise DataFileError(
            f"{path} has no column for {', '.join(missing)}. Expected the columns of "
            f"fer2013new.csv: {_COLUMNS}."
        )
    columns = table[[place[i] for i in range(len(_VOTE_NAMES))]]
    votes = columns.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    good = (votes >= 0) & (votes == np.rint(votes)) & np.isfinite(votes)
    if not good.all():
        row, column = np.argwhere(~good)[0]
        raise DataFileError(
            f"Row {row} of {path} (counted from 0) has {columns.iloc[row, column]} "
            f"votes for {_VOTE_NAMES[column]}, expected a whole number from 0. If it "
            "is the last row, the file may be cut off."
        )
    return votes.astype(np.int64)


def _majority(votes):
    """Label of the absolute majority among all but single votes, or -1."""
    # neutral 4, sad 3, angry 1, disgust 2: without the single vote 4 of 9 is not more
    # than half, so -1. happy 8, neutral 1, unknown 1: 8 of 8, so 3.
    votes = np.where(votes > 1, votes, 0)
    top = votes.argmax(axis=1)
    wins = 2 * votes.max(axis=1) > votes.sum(axis=1)
    return np.where(wins & (top <= _CONTEMPT), top, -1)
