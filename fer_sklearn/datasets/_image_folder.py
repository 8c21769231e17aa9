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

# The parts of a folder, by the names they go round with, in the words of FER2013.
USAGES = {
    "train": "Training",
    "training": "Training",
    "val": "PublicTest",
    "valid": "PublicTest",
    "validation": "PublicTest",
    "publictest": "PublicTest",
    "test": "PrivateTest",
    "privatetest": "PrivateTest",
}

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
    """Read faces from image files in one folder per emotion.

    Two forms are read: emotion folders at once (``angry/*.jpg``), or inside folders
    for the parts of the data (``train/angry/*.jpg``, ``test/angry/*.jpg``). Emotion
    folders are known by name, whatever their case or order, and by the common
    synonyms (anger, disgusted, fearful, happiness, sadness, surprised). So label 0 is
    angry here as in ``fer2013.csv``. Folders of any other name, such as contempt or
    frustrated, are further classes: their labels are 7, 8, ..., in alphabetical order.
    All these folders may have folders of their own. Every file in them must be an
    image; hidden files are left out.

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
            The place of the emotion in `target_names`.
        target_names : list of str
            `EMOTIONS` (angry, disgust, fear, happy, sad, surprise, neutral), then the
            names of other folders in lower case. Hand it to ``fit`` as `class_names`,
            so that the model knows them.
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
        If there is no folder of a class, no part `usage`, or no image at all.
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

    A pipeline that is trained on such folders learns what the classes are called:

    >>> from fer_sklearn import make_fer_pipeline
    >>> pipe = make_fer_pipeline("nano", max_epochs=1)
    >>> pipe = pipe.fit(
    ...     faces.data, faces.target, cnn__class_names=faces.target_names
    ... )
    >>> pipe["cnn"].class_names_
    ['happy', 'sad']
    """
    if on_error not in ("raise", "skip"):
        raise DataFileError(f"on_error must be 'raise' or 'skip', got {on_error!r}.")
    path = Path(path)
    files, target_names = _find_files(path, usage)
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
            f"There is no readable image in the folders of {path}. "
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
        target_names=target_names,
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
    """List (file, label, part) of all files, sorted, and the names of the labels.

    No content is looked at yet. Labels do not depend on `usage`: all parts count.
    """
    folders = _folders_in(path)
    if _are_classes(folders):
        if usage is not None:
            raise DataFileError(
                f"{path} has emotion folders at once, so usage={usage!r} cannot be "
                "chosen. Leave usage=None."
            )
        parts = {None: folders}
    else:
        parts = {folder.name: _folders_in(folder) for folder in folders}
        parts = {part: classes for part, classes in parts.items() if classes}
    if not parts:
        raise DataFileError(
            f"{path} has no emotion folders. Expected {', '.join(EMOTIONS)} or names "
            "of your own, each with image files, here or in folders such as train and "
            "test."
        )
    files = [
        (file, _class_name(folder), part)
        for part, classes in parts.items()
        for folder in classes
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not _is_litter(file, folder)
    ]
    own = {name for _, name, _ in files} - {*EMOTIONS}
    target_names = [*EMOTIONS, *sorted(own)]
    chosen = _choose_parts(path, list(parts), usage)
    files = [
        (file, target_names.index(name), part)
        for file, name, part in files
        if part in chosen
    ]
    order = {part: place for place, part in enumerate(parts)}
    return sorted(files, key=lambda file: (order[file[2]], file[1])), target_names


def _are_classes(folders):
    """Whether these are the folders of classes, not of parts that hold such."""
    if any(emotion_label(folder.name) is not None for folder in folders):
        return True
    if any(folder.name.casefold() in USAGES for folder in folders):
        return False
    return any(file.is_file() for folder in folders for file in _entries(folder))


def _class_name(folder):
    label = emotion_label(folder.name)
    return folder.name.strip().casefold() if label is None else EMOTIONS[label]


def _choose_parts(path, parts, usage):
    if usage is None:
        return parts
    chosen = [part for part in parts if part.casefold() == usage.casefold()]
    if not chosen:
        has = ", ".join(map(repr, parts))
        raise DataFileError(f"{path} has no folder {usage!r}; it has {has}.")
    return chosen


def _folders_in(path):
    return [entry for entry in _entries(path) if entry.is_dir()]


def _entries(path):
    return sorted(entry for entry in path.iterdir() if not _is_litter(entry, path))


def _is_litter(file, folder):
    inner = file.relative_to(folder).parts
    return any(x.startswith(".") or x.casefold() in _LITTER for x in inner)
