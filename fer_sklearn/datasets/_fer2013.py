"""load_fer2013: every form in which people hold FER2013 as a csv."""

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from ..exceptions import DataFileError
from ._emotions import EMOTIONS
from ._tables import read_table

__all__ = ["load_fer2013"]

_COLUMNS = "emotion,pixels,Usage (emotion and Usage may be missing)"
_USAGES = ("Training", "PublicTest", "PrivateTest")

_DESCR = """\
FER2013
-------
{n_samples} grey-scale photographs of faces, 48x48 pixels in the original, each with
one of seven emotions: {names}.

Collected by Pierre-Luc Carrier and Aaron Courville through image search for the
challenge of Goodfellow et al. (2013), Challenges in Representation Learning, ICML
workshop: 28,709 faces for Training, 3,589 for PublicTest and 3,589 for PrivateTest.
The labels are noisy: people reach about 65 % accuracy. 1,851 of the 35,887 faces are
exact copies of another, some with another label and some in another split; see
drop_duplicates and fer_sklearn.model_selection. About 170 pictures show no face.
"""


def load_fer2013(path, *, usage=None, drop_duplicates=False, return_X_y=False):
    """Read FER2013 from your own copy of the file.

    All forms that go round are read: ``fer2013.csv`` (emotion,pixels,Usage), the
    challenge's ``train.csv`` (emotion,pixels) and ``test.csv`` (pixels alone),
    ``icml_face_data.csv`` (column names with a leading blank), each of them plain or
    packed as .gz, .bz2, .xz, .zip or .tar.gz.

    Labels are checked here; the pixels stay text, which `PixelStringTransformer`
    reads and checks row by row. Only the last row's length is looked at, because
    that is where a broken-off download ends.

    Parameters
    ----------
    path : path-like
        The csv. Nothing is downloaded.
    usage : str or list of str, default=None
        Keep the rows of this part or these parts only: "Training", "PublicTest" or
        "PrivateTest". None keeps all.
    drop_duplicates : bool, default=False
        Keep the first of faces whose pixel strings are equal, with the label that
        stands in its own row, and drop its later copies whatever their labels.
        Copies are looked for among the rows that `usage` keeps. To keep all rows
        and still split honestly, use `fer_sklearn.model_selection.face_groups`.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    Bunch
        With the attributes

        data : Series of shape (n_samples,), str
            A string of grey levels 0 to 255 a face; not yet checked.
        target : array of shape (n_samples,), int64, or None
            0 to 6, the place of the emotion in `target_names`. None if the file
            has no emotion column, as ``test.csv``.
        target_names : list of str
            `EMOTIONS`: angry, disgust, fear, happy, sad, surprise, neutral.
        usage : Series of shape (n_samples,), str, or None
            The part of each row. None if the file has no Usage column.
        rows : array of shape (n_samples,), int64
            Where each face stands in the file, from 0.
        DESCR : str
            What this data is.
    (data, target) : tuple
        If `return_X_y` is True.

    Raises
    ------
    DataFileError
        If the file is not a csv, is cut off, has no pixels column, has a label
        outside 0 to 6, or has no rows of the wanted `usage`.
    OSError
        If the file is missing or may not be read.

    See Also
    --------
    load_image_folder : Read the form that is folders of image files.
    join_ferplus : Add the crowd votes of FER+ to these faces.
    make_faces : Drawn faces of the same form, without a file.

    Examples
    --------
    >>> import os, tempfile
    >>> from fer_sklearn.datasets import load_fer2013
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "fer2013.csv")
    ...     with open(path, "w") as file:
    ...         print("emotion,pixels,Usage", file=file)
    ...         print("3,70 80 82 72,Training", file=file)
    ...         print("6,24 32 36 30,PublicTest", file=file)
    ...     faces = load_fer2013(path, usage="PublicTest")
    >>> faces.data[0], faces.target_names[faces.target[0]]
    ('24 32 36 30', 'neutral')
    """
    table = read_table(path, _COLUMNS)
    _check_rows(table, path)
    data, target = table["pixels"], _read_labels(table, path)
    wanted = _choose_rows(table, usage, path)
    if drop_duplicates:
        chosen = data if wanted is None else data[wanted]
        wanted = chosen.index[~chosen.duplicated()].to_numpy()
    uses = table.get("usage")
    rows = np.arange(len(data)) if wanted is None else wanted
    if wanted is not None:
        data = data.iloc[rows].reset_index(drop=True)
        uses = None if uses is None else uses.iloc[rows].reset_index(drop=True)
        target = None if target is None else target[rows]
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=list(EMOTIONS),
        usage=uses,
        rows=rows,
        DESCR=_DESCR.format(n_samples=len(data), names=", ".join(EMOTIONS)),
    )


def _check_rows(table, path):
    """Check that there are pixels in every row, and that the last row is whole."""
    if "pixels" not in table:
        names = ", ".join(
            name if len(name) < 20 else name[:17] + "..." for name in table
        )
        raise DataFileError(
            f"{path} has no pixels column, its columns are: {names[:200]}. Expected "
            f"{_COLUMNS}, separated by commas, named in the first line."
        )
    if len(table) == 0:
        raise DataFileError(f"{path} has a first line with names, but no rows.")
    for name in table.columns.intersection(["emotion", "pixels", "usage"]):
        missing = table[name].isna()
        if missing.any():
            raise _missing_value(path, name, int(missing.argmax()), len(table))
    if not isinstance(table["pixels"].iloc[0], str):
        raise DataFileError(
            f"Row 0 of {path} has {table['pixels'].iloc[0]!r} for pixels, expected a "
            "text of all its grey levels with blanks between them."
        )
    _check_last_row(table, path)


def _missing_value(path, name, row, n_rows):
    if row == n_rows - 1:
        return _cut_off(path, row, f"has no {name}")
    return DataFileError(
        f"Row {row} of {path} (counted from 0) has no {name}. Fill it in or delete the "
        "row."
    )


def _cut_off(path, row, what):
    return DataFileError(
        f"{path} looks cut off: its last row, {row}, {what}. Copy or download the file "
        "again, or delete that row."
    )


def _check_last_row(table, path):
    first, last = (len(table["pixels"].iloc[i].split()) for i in (0, -1))
    if last < first:
        what = f"has {last} grey levels where row 0 has {first}"
        raise _cut_off(path, len(table) - 1, what)
    if "usage" in table:
        usage = str(table["usage"].iloc[-1])
        if usage not in _USAGES and any(name.startswith(usage) for name in _USAGES):
            raise _cut_off(path, len(table) - 1, f"has the Usage {usage!r}")


def _read_labels(table, path):
    """Labels as int64, or None without an emotion column."""
    if "emotion" not in table:
        return None
    numbers = pd.to_numeric(table["emotion"], errors="coerce").to_numpy()
    bad = ~np.isin(numbers, range(len(EMOTIONS)))
    if bad.any():
        row = int(bad.argmax())
        value = str(table["emotion"].iloc[row])[:20]
        names = ", ".join(f"{i} {name}" for i, name in enumerate(EMOTIONS))
        raise DataFileError(
            f"Row {row} of {path} (counted from 0) has the emotion {value}, expected "
            f"{names}. Correct or delete the row."
        )
    return numbers.astype(np.int64)


def _choose_rows(table, usage, path):
    """Give the rows of the wanted usage, or None for all of them."""
    if usage is None:
        return None
    if "usage" not in table:
        raise DataFileError(
            f"{path} has no Usage column, so usage={usage!r} cannot be chosen. Leave "
            "usage=None to read all its rows."
        )
    asked = [usage] if isinstance(usage, str) else list(usage)
    counts = table["usage"].value_counts(sort=False)
    for name in asked:
        if name not in counts.index:
            has = ", ".join(f"{use!r} ({n} rows)" for use, n in counts.items())
            raise DataFileError(f"{path} has no rows of usage {name!r}; it has {has}.")
    return np.flatnonzero(table["usage"].isin(asked))
