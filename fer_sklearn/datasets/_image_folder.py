"""load_image_folder: FER2013, or your own faces, as folders of image files."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from ..exceptions import DataFileError, ImageFileError
from ._emotions import EMOTIONS, emotion_label
from ._image_files import read_face_image

__all__ = ["load_image_folder"]

# What file managers leave behind in every folder.
_LITTER = {"thumbs.db", "desktop.ini", "__macosx"}

_DESCR = """\
Faces in image files
--------------------
{n_samples} faces of {size}x{size} grey levels from the files in {path}, each in the
folder of its emotion.
"""


def load_image_folder(
    path, *, usage=None, image_size=48, on_error="raise", return_X_y=False
):
    """Read faces from image files in one folder an emotion.

    Two forms are read: emotion folders at once (``angry/*.jpg``), or inside folders
    for the parts of the data (``train/angry/*.jpg``, ``test/angry/*.jpg``). Emotion
    folders are known by name, whatever their case or order, and by the common
    synonyms (anger, disgusted, fearful, happiness, sadness, surprised). So label 0 is
    angry here as in ``fer2013.csv``. They may have folders of their own. Every file
    in them must be an image; hidden files are left out.

    Parameters
    ----------
    path : path-like
        The folder.
    usage : str, default=None
        Read this part only: the name of a folder in `path`, such as "train". None
        reads all parts.
    image_size : int, default=48
        Height and width to which the faces are brought, see `read_face_image`.
    on_error : {"raise", "skip"}, default="raise"
        What to do with a file that is not an image or is damaged: stop with its
        error, or leave it out with one warning at the end.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    Bunch
        With the attributes

        data : array of shape (n_samples, image_size, image_size), uint8
            Grey levels, 0 is black; in the order of the sorted file names, part
            after part and emotion after emotion.
        target : array of shape (n_samples,), int64
            0 to 6, the place of the emotion in `target_names`.
        target_names : list of str
            `EMOTIONS`: angry, disgust, fear, happy, sad, surprise, neutral.
        usage : Series of shape (n_samples,), str, or None
            The folder of the part of each row. None if there are no parts.
        filenames : list of str
            The path of each file.
        errors : dict of str to str
            The files that were left out, and why.
        DESCR : str
            What this data is.
    (data, target) : tuple
        If `return_X_y` is True.

    Raises
    ------
    DataFileError
        If a folder has a name that is no emotion, there is no part `usage`, or
        there is no image at all.
    ImageFileError
        If a file is damaged or not an image and `on_error` is "raise".
    OSError
        If `path` is missing or not a folder.

    Warns
    -----
    UserWarning
        If files were left out.

    See Also
    --------
    load_fer2013 : Read the same faces from a csv.
    read_face_image : Read a single file.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from fer_sklearn.datasets import load_image_folder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for part, emotion in [("train", "Sadness"), ("train", "happy")]:
    ...         os.makedirs(os.path.join(folder, part, emotion))
    ...         image = Image.new("RGB", (100, 120))
    ...         image.save(os.path.join(folder, part, emotion, "1.png"))
    ...     faces = load_image_folder(folder, usage="train")
    >>> faces.data.shape, faces.target.tolist()
    ((2, 48, 48), [3, 4])
    """
    if on_error not in ("raise", "skip"):
        raise DataFileError(f"on_error must be 'raise' or 'skip', got {on_error!r}.")
    path = Path(path)
    files = _find_files(path, usage)
    images, kept, errors = [], [], {}
    for file in files:
        try:
            images.append(read_face_image(file[0], image_size))
            kept.append(file)
        except ImageFileError as error:
            if on_error == "raise":
                raise
            errors[str(file[0])] = str(error)
    _warn_of(errors)
    if not images:
        raise DataFileError(
            f"There is no readable image in the emotion folders of {path}. "
            f"Expected files such as {path / EMOTIONS[0] / '1.jpg'}."
        )
    data = np.stack(images)
    names, labels, parts = zip(*kept, strict=True)
    target = np.array(labels, dtype=np.int64)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=list(EMOTIONS),
        usage=None if parts[0] is None else pd.Series(parts, name="usage"),
        filenames=[str(name) for name in names],
        errors=errors,
        DESCR=_DESCR.format(n_samples=len(data), size=image_size, path=path),
    )


def _warn_of(errors):
    if errors:
        more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
        warnings.warn(
            f"Left out, see the errors attribute: {next(iter(errors.values()))}{more}",
            UserWarning,
            stacklevel=3,
        )


def _find_files(path, usage):
    """List (file, label, part) of all files, sorted; look at no content yet."""
    folders = _folders_in(path)
    if any(emotion_label(folder.name) is not None for folder in folders):
        if usage is not None:
            raise DataFileError(
                f"{path} has emotion folders at once, so usage={usage!r} cannot be "
                "chosen. Leave usage=None."
            )
        return _files_of_part(path, None)
    parts = [folder for folder in folders if _folders_in(folder)]
    if not parts:
        raise DataFileError(
            f"{path} has no emotion folders. Expected {', '.join(EMOTIONS)}, each with "
            "image files, here or in folders such as train and test."
        )
    return [
        file
        for part in _choose_parts(path, parts, usage)
        for file in _files_of_part(part, part.name)
    ]


def _choose_parts(path, parts, usage):
    if usage is None:
        return parts
    chosen = [part for part in parts if part.name.casefold() == usage.casefold()]
    if not chosen:
        has = ", ".join(repr(part.name) for part in parts)
        raise DataFileError(f"{path} has no folder {usage!r}; it has {has}.")
    return chosen


def _files_of_part(path, part):
    folders = {}
    for folder in _folders_in(path):
        label = emotion_label(folder.name)
        if label is None:
            raise DataFileError(
                f"{folder} is not the folder of an emotion. Expected "
                f"{', '.join(EMOTIONS)} or a common synonym; rename or move it."
            )
        folders.setdefault(label, []).append(folder)
    return [
        (file, label, part)
        for label in sorted(folders)
        for folder in folders[label]
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not _is_litter(file, folder)
    ]


def _folders_in(path):
    return sorted(x for x in path.iterdir() if x.is_dir() and not _is_litter(x, path))


def _is_litter(file, folder):
    inner = file.relative_to(folder).parts
    return any(x.startswith(".") or x.casefold() in _LITTER for x in inner)
