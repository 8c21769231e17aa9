"""Faces in image files: a single file, or a folder of them for each emotion."""

import os
import re
import warnings
from contextlib import nullcontext
from difflib import get_close_matches
from numbers import Integral
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin

from ..exceptions import DataFileError, FERError, ImageFileError
from ._emotions import EMOTIONS, emotion_label

__all__ = ["load_image_folder", "read_face_image"]

# Formats that Pillow decodes on its own; EPS for one would start another program.
_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")

# Those for files of strangers. Pillow reads some forms of PPM in Python, up to 20 s for
# a MB, and JPEG 2000 of 10 kB can take 1 GB; people hardly ever send them.
SAFE_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")

# A camera makes 12 to 50 million pixels. Beyond that a file of a few kB can fill the
# memory (a decompression bomb), so the size is checked before anything is decoded.
MAX_PIXELS = 64_000_000

# For each marker, chunk, block, run or strip of a file, Pillow reads once or more and
# runs some Python. A photo takes a few hundred reads, a PNG of 200 MB 80,000; 20 MB of
# empty markers would take ten million and 15 s. 200,000 are done in half a second.
_MAX_READS = 200_000

# A file of 100 kB can hold parts that are unpacked at full size each: scans of a
# progressive JPEG, which decode all pixels once more (30 ms each at 25 million pixels;
# encoders make 6 to 20), and colour profiles of a PNG, which hold 1 MB each (3 ms;
# there should be one). So they are counted first.
_MAX_PARTS = 32
_PARTS = {
    # "Start of scan", the length of its header, and how many colours it has: 0xffda,
    # 12 and 3, for example. The length follows from the colours, so this is never found
    # by chance, such as in a video that a phone attached to the picture.
    b"\xff\xd8": (
        re.compile(rb"\xff\xda\0(?:\x06\0|\x08\x01|\n\x02|\x0c\x03|\x0e\x04)"),
        "scans",
    ),
    b"\x89P": (re.compile(rb"iCCP"), "colour profiles"),
}

# Common names for the parts of a folder, and FER2013's names for them.
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
{n_samples} faces of {height}x{width} grey levels from the files in {path}, each in the
folder of its emotion.
"""


def read_face_image(file, image_shape=(48, 48)):
    """Read one image file of a face as grey levels.

    The image may have any size, colour and depth. It is rotated as its EXIF data says,
    put on white where it is transparent, converted to grey (ITU-R 601 luma), cut to
    the largest part in its middle that has the proportions of `image_shape`, and
    resized with antialiasing. Nothing is squeezed. A grey image of the right size
    keeps its exact levels. Of an animation, the first frame is read.

    Parameters
    ----------
    file : path-like or binary file object
        JPEG, PNG, GIF, BMP, TIFF, WebP, JPEG 2000 or PPM/PGM, known by its content.
    image_shape : tuple of two int, default=(48, 48)
        Height and width of the result in pixels.

    Returns
    -------
    array of shape (height, width), uint8
        Grey levels, 0 is black.

    Raises
    ------
    ImageFileError
        If the file is empty, cut off, not an image or larger than 64 million pixels.
    FERError
        If `image_shape` is not a pair of positive whole numbers.
    OSError
        If the file is missing or may not be read.

    See Also
    --------
    load_image_folder : Read a whole folder of labelled image files.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> from fer_sklearn.datasets import read_face_image
    >>> file = io.BytesIO()
    >>> Image.new("RGB", (640, 480), color=(255, 0, 0)).save(file, "PNG")
    >>> read_face_image(file, image_shape=(2, 2))
    array([[76, 76],
           [76, 76]], dtype=uint8)
    >>> read_face_image(io.BytesIO(b"no picture"))
    Traceback (most recent call last):
    ...
    fer_sklearn.exceptions.ImageFileError: the image is not in a format that is read \
here: BMP, GIF, JPEG, JPEG2000, PNG, PPM, TIFF, WEBP. Convert it, or remove it.
    """
    image_shape = check_image_shape(image_shape)
    return to_face(open_image(file), image_shape)


def check_image_shape(image_shape, *, at_least=1):
    """Check the size of a face; give height and width.

    Parameters
    ----------
    image_shape : tuple of two int
        Height and width in pixels.
    at_least : int, default=1
        Smallest height and width.

    Raises
    ------
    FERError
        If it is something else.
    """
    if (
        not isinstance(image_shape, (tuple, list))
        or len(image_shape) != 2
        or not all(isinstance(n, Integral) and n >= at_least for n in image_shape)
    ):
        raise FERError(
            "image_shape must be a pair of whole numbers, (height, width) in pixels, "
            f"each at least {at_least}, such as (48, 48), got {image_shape!r}."
        )
    return tuple(map(int, image_shape))


def open_image(file, *, max_pixels=MAX_PIXELS, formats=_FORMATS):
    """Open one image file safely, as `read_face_image` does.

    Whatever the file, this takes a few seconds and about 20 bytes per pixel at most.

    Parameters
    ----------
    file : path-like or binary file object
        The image file.
    max_pixels : int, default=64_000_000
        Largest number of pixels, checked before anything is decoded.
    formats : sequence of str
        Pillow's names of the formats that are read.

    Returns
    -------
    PIL.Image.Image
        Decoded, upright, on white where it was transparent; mode L or RGB.

    Raises
    ------
    ImageFileError
        If the file is empty, cut off, not an image, larger than `max_pixels`, or takes
        too much work to decode.
    OSError
        If the file is missing or may not be read.
    """
    is_path = isinstance(file, (str, os.PathLike))
    name = os.fspath(file) if is_path else getattr(file, "name", "the image")
    with open(file, "rb") if is_path else nullcontext(file) as stream:
        _check_not_empty(stream, name)
        _check_parts(stream, name)
        stream = _CountedReads(stream, name)
        image = _open(stream, name, max_pixels, formats)
        return ready_image(image, name, max_pixels)


def ready_image(image, name="the image", max_pixels=MAX_PIXELS):
    """Decode an open image, rotate it upright and convert it to mode L or RGB.

    Parameters
    ----------
    image : PIL.Image.Image
        In any mode, decoded or not.
    name : str, default="the image"
        Name of the image in messages.
    max_pixels : int, default=64_000_000
        Largest number of pixels.

    Returns
    -------
    PIL.Image.Image
        Mode L or RGB.

    Raises
    ------
    ImageFileError
        If the image is cut off or larger than `max_pixels`.
    """
    if image.width * image.height > max_pixels:
        raise _too_large(name, max_pixels, f", {image.width}x{image.height}")
    # With broken bytes, Pillow's decoders raise exceptions of every kind.
    try:
        # Whole tiles have some more pixels than the image, but not many times as many.
        if _pixels_of_tiles(image) > 2 * max_pixels:
            raise _too_much_work(name, "its tiles are far larger than the image")
        image.load()
        white = _white_level(image)  # before exif_transpose, which loses the format
        return _to_8_bits(ImageOps.exif_transpose(image), white)
    except ImageFileError:
        raise
    except Exception as error:
        raise _broken(name, error) from error


def _check_not_empty(stream, name):
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    if size == 0:
        raise ImageFileError(f"{name} is empty (0 bytes). Copy it again, or remove it.")


def _check_parts(stream, name):
    """Count the parts of a file that are costly to unpack."""
    pattern, what = _PARTS.get(stream.read(2), (None, None))
    n_parts, end = 0, b""
    while pattern and (block := stream.read(1 << 20)):
        n_parts += len(pattern.findall(end + block))
        if n_parts > _MAX_PARTS:
            raise _too_much_work(name, f"it has more than {_MAX_PARTS} {what}")
        # One byte less than a part, so that none is missed or counted twice.
        end = block[-(4 if what == "scans" else 3) :]
    stream.seek(0)


def _check_strips(stream, name):
    """Count the strips or tiles of a TIFF, which Pillow lists when it opens it."""
    head = stream.read(8)
    if head[:2] in (b"II", b"MM"):
        if 43 in head[2:4]:  # BigTIFF
            head += stream.read(8)
        tags = TiffImagePlugin.ImageFileDirectory_v2(head)
        stream.seek(tags.next)
        tags.load(stream)
        # The offsets of strips, and those of tiles.
        if max(len(tags.get(273, ())), len(tags.get(324, ()))) > _MAX_READS:
            raise _too_much_work(name, f"it has more than {_MAX_READS} strips")
    stream.seek(0)


class _CountedReads:
    """A binary file that can be read `_MAX_READS` times."""

    def __init__(self, stream, name):
        self._stream, self._name = stream, name
        self._left = _MAX_READS

    def read(self, *size):
        self._left -= 1
        if self._left < 0:
            raise _too_much_work(self._name, "it has too many small parts")
        return self._stream.read(*size)

    def __getattr__(self, name):
        return getattr(self._stream, name)


def _pixels_of_tiles(image):
    """Count the pixels that are decoded; more than the image has if it is in tiles.

    A TIFF of 16x16 pixels may be one tile of 32768x16384.
    """
    tags = getattr(image, "tag_v2", {})
    wide, high = tags.get(322, 1), tags.get(323, 1)
    return -(-image.width // wide) * wide * -(-image.height // high) * high


def _open(stream, name, max_pixels, formats):
    """Read the header of a file; nothing is decoded yet."""
    try:
        _check_strips(stream, name)
        return Image.open(stream, formats=formats)
    except ImageFileError:
        raise
    except Image.UnidentifiedImageError:
        raise ImageFileError(
            f"{name} is not in a format that is read here: {', '.join(formats)}. "
            "Convert it, or remove it."
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name, max_pixels) from error
    except Exception as error:
        raise _broken(name, error) from error


def _too_large(name, max_pixels, size=""):
    return ImageFileError(
        f"{name} is too large{size}: more than {max_pixels // 10**6} million pixels. "
        "Cut out the face, or make the picture smaller."
    )


def _too_much_work(name, reason):
    return ImageFileError(
        f"{name} takes too much work to decode: {reason}. Save it again in a photo "
        "program, or remove it."
    )


def _broken(name, error):
    return ImageFileError(
        f"{name} is cut off or damaged ({str(error)[:100]}). Copy it again, or remove "
        "it."
    )


def _white_level(image):
    """Give the level that means white if the format defines it; else None."""
    # A grey PNG or PGM of more than 8 bits comes as I;16, or as I in older Pillow.
    deep = image.mode == "I" and image.format in ("PNG", "PPM")
    return 65535 if deep or image.mode.startswith("I;16") else None


def _to_8_bits(image, white):
    """Convert an image of any mode to mode L or RGB."""
    if image.mode.startswith("I") or image.mode == "F":
        levels = _deep_to_levels(np.array(image, dtype=np.float32), white)
        return Image.fromarray(levels)
    if image.mode == "LAB":
        return image.getchannel("L")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image)
    if image.mode in ("L", "1"):
        return image.convert("L")
    return image.convert("RGB")


def _deep_to_levels(values, white):
    """Scale 16-bit, 32-bit and floating-point greys to 0 to 255; overwrites them."""
    np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    if white is None:
        # Floats usually end at 1 or 255, integers of this depth at 65535. If the
        # largest level is 0.9, white is 1; if 200.5, 255; if 300, 65535; if 1e6, 1e6.
        top = values.max()
        white = next((end for end in (1, 255, 65535) if top <= end), top)
    # In place, as each copy of an image of 64 million pixels takes 256 MB.
    values /= white
    np.clip(values, 0, 1, out=values)
    values *= 255
    return np.rint(values, out=values).astype(np.uint8)


def to_face(image, image_shape):
    """Cut out the middle of an image and resize it to a grey face.

    Parameters
    ----------
    image : PIL.Image.Image
        Mode L or RGB.
    image_shape : tuple of two int
        Height and width of the face in pixels.

    Returns
    -------
    array of shape (height, width), uint8
        Grey levels; averaged over what is shrunk.
    """
    height, width = image_shape
    left, top, wide, high = middle_box(image.size, image_shape)
    box = (left, top, left + wide, top + high)
    grey = image.convert("L")
    # Sharper than BICUBIC: of FER2013's faces that are pasted into photographs, found
    # and scaled back, `compact` names 0.7 points more.
    return np.array(grey.resize((width, height), Image.Resampling.LANCZOS, box=box))


def middle_box(size, image_shape):
    """Give the largest box in the middle of an image with a face's proportions.

    Parameters
    ----------
    size : tuple of two int
        Width and height of the image, as Pillow has them.
    image_shape : tuple of two int
        Height and width of the face.

    Returns
    -------
    box : tuple of four int
        Left, top, width and height.
    """
    # For a face of 48x48, the middle of 640x480 is 480x480, 80 from the left. For one
    # of 60x48 it is 384x480: 480 * 48 / 60 = 384 columns, 128 from the left.
    height, width = image_shape
    wide = min(size[0], max(1, round(size[1] * width / height)))
    high = min(size[1], max(1, round(size[0] * height / width)))
    return (size[0] - wide) // 2, (size[1] - high) // 2, wide, high


def load_image_folder(
    path, *, usage=None, image_shape=(48, 48), on_error="raise", return_X_y=False
):
    """Read faces from image files in one folder per emotion.

    Two layouts are read: emotion folders (``angry/*.jpg``), or folders for the parts
    of the data that contain emotion folders (``train/angry/*.jpg``,
    ``test/angry/*.jpg``). Emotion folders are recognised by name in upper or lower
    case, or by a common synonym (anger, disgusted, fearful, happiness, sadness,
    surprised), so label 0 is angry here as in ``fer2013.csv``. Folders with other
    names, such as contempt or frustrated, are more classes: their labels are 7, 8, ...,
    in alphabetical order. All these folders may have subfolders. Every file in them
    must be an image; hidden files are ignored.

    Parameters
    ----------
    path : path-like
        The folder.
    usage : str, default=None
        Read only this part: the name of a folder in `path`, such as "train". None
        reads all parts.
    image_shape : tuple of two int, default=(48, 48)
        Height and width that the faces get, see `read_face_image`.
    on_error : {"raise", "skip"}, default="raise"
        What to do with a file that is not an image or is damaged: raise its error, or
        leave it out, with one warning at the end.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    Bunch
        With the attributes

        data : array of shape (n_samples, height, width), uint8
            Grey levels, 0 is black. Sorted by part, then emotion, then file name.
        target : array of shape (n_samples,), int64
            The place of the emotion in `target_names`.
        target_names : list of str
            `EMOTIONS` (angry, disgust, fear, happy, sad, surprise, neutral), then the
            names of other folders in lower case. Pass it to ``fit`` as `class_names`,
            so that the model knows them.
        usage : Series of shape (n_samples,), str, or None
            The folder of the part of each row. None if there are no parts.
        filenames : list of str
            The path of each file.
        errors : dict of str to str
            The files that were left out, with the reasons.
        DESCR : str
            What this data is.
    (data, target) : tuple
        If `return_X_y` is True.

    Raises
    ------
    DataFileError
        If there is no folder of a class, no part `usage`, or no image.
    ImageFileError
        If a file is damaged or not an image and `on_error` is "raise".
    FERError
        If `image_shape` is not a pair of positive whole numbers.
    OSError
        If `path` is missing or not a folder.

    Warns
    -----
    UserWarning
        If files were left out, or the name of a class resembles an emotion's.

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

    A model keeps the names of its classes if `fit` gets them:

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
    # Here, because they are slow to import, and reading a picture needs neither.
    import pandas as pd
    from sklearn.utils import Bunch

    height, width = check_image_shape(image_shape)
    path = Path(path)
    files, target_names = _find_files(path, usage)
    images, kept, errors = [], [], {}
    for file in files:
        try:
            images.append(read_face_image(file[0], image_shape))
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
        DESCR=_DESCR.format(n_samples=len(data), height=height, width=width, path=path),
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

    No file is opened yet. Labels do not depend on `usage`: all parts count.
    """
    folders = _folders_in(path)
    if _are_classes(folders):
        if usage is not None:
            raise DataFileError(
                f"{path} contains emotion folders and no parts, so usage={usage!r} "
                "cannot be chosen. Leave usage=None."
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
    for name in sorted(own):
        if similar := get_close_matches(name, EMOTIONS, n=1, cutoff=0.75):
            warnings.warn(
                f"The folder {name!r} of {path} is a class of its own. If it means "
                f"{similar[0]}, rename it.",
                UserWarning,
                stacklevel=3,
            )
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
    """Whether these are folders of classes, not of parts that contain classes."""
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
