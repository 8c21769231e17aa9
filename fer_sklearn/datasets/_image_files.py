"""read_face_image: one image file of a face, read safely."""

import os
from contextlib import nullcontext

import numpy as np
from PIL import Image, ImageOps

from ..exceptions import ImageFileError

__all__ = ["read_face_image"]

# Formats that Pillow decodes on its own; EPS for one would start another program.
_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")

# A camera makes 12 to 50 million pixels. Beyond that a file of a few kB can fill the
# memory (a decompression bomb), so the size is looked at before anything is decoded.
MAX_PIXELS = 64_000_000


def read_face_image(file, image_size=48):
    """Read one image file of a face as grey levels.

    Any size, colour and depth: the picture is turned as its EXIF data says, put on
    white where it is transparent, turned grey (ITU-R 601 luma), cut to the square
    in its middle, and resized with antialiasing. Nothing is squeezed. A grey
    picture that has the wanted size already keeps its exact levels. Of an animation
    the first picture counts.

    Parameters
    ----------
    file : path-like or binary file object
        JPEG, PNG, GIF, BMP, TIFF, WebP, JPEG 2000 or PPM/PGM, told by content.
    image_size : int, default=48
        Height and width of the result in pixels.

    Returns
    -------
    array of shape (image_size, image_size), uint8
        Grey levels, 0 is black.

    Raises
    ------
    ImageFileError
        If the file is empty, cut off, not an image or larger than 64 million pixels.
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
    >>> read_face_image(file, image_size=2)
    array([[76, 76],
           [76, 76]], dtype=uint8)
    >>> read_face_image(io.BytesIO(b"no picture"))
    Traceback (most recent call last):
    ...
    fer_sklearn.exceptions.ImageFileError: the image is not in a format that is read \
here: BMP, GIF, JPEG, JPEG2000, PNG, PPM, TIFF, WEBP. Convert it, or remove it.
    """
    return to_face(open_image(file), image_size)


def open_image(file, *, max_pixels=MAX_PIXELS):
    """Open one image file safely, as `read_face_image` does.

    Parameters
    ----------
    file : path-like or binary file object
        The image file.
    max_pixels : int, default=64_000_000
        Most pixels, looked at before anything is decoded.

    Returns
    -------
    PIL.Image.Image
        Decoded, upright, on white where it was transparent; mode L or RGB.

    Raises
    ------
    ImageFileError
        If the file is empty, cut off, not an image or larger than `max_pixels`.
    OSError
        If the file is missing or may not be read.
    """
    is_path = isinstance(file, (str, os.PathLike))
    name = os.fspath(file) if is_path else getattr(file, "name", "the image")
    with open(file, "rb") if is_path else nullcontext(file) as stream:
        _check_not_empty(stream, name)
        return ready_image(_open(stream, name, max_pixels), name, max_pixels)


def ready_image(image, name="the image", max_pixels=MAX_PIXELS):
    """Decode an open image, turn it upright and bring it to mode L or RGB.

    Parameters
    ----------
    image : PIL.Image.Image
        In whatever mode, decoded or not.
    name : str, default="the image"
        What messages call it.
    max_pixels : int, default=64_000_000
        Most pixels.

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
    # Broken bytes lead Pillow's decoders into any exception there is.
    try:
        image.load()
        white = _white_level(image)  # turning a picture forgets its format
        return _to_8_bits(ImageOps.exif_transpose(image), white)
    except Exception as error:
        raise _broken(name, error) from error


def _check_not_empty(stream, name):
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    if size == 0:
        raise ImageFileError(f"{name} is empty (0 bytes). Copy it again, or remove it.")


def _open(stream, name, max_pixels):
    """Read the head of a file; nothing is decoded yet."""
    try:
        return Image.open(stream, formats=_FORMATS)
    except Image.UnidentifiedImageError:
        raise ImageFileError(
            f"{name} is not in a format that is read here: {', '.join(_FORMATS)}. "
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


def _broken(name, error):
    return ImageFileError(
        f"{name} is cut off or damaged ({str(error)[:100]}). Copy it again, or remove "
        "it."
    )


def _white_level(image):
    """Give the level that means white, if the image's form says it; else None."""
    # A grey PNG or PGM of more than 8 bits comes as I;16, or as I in older Pillow.
    deep = image.mode == "I" and image.format in ("PNG", "PPM")
    return 65535 if deep or image.mode.startswith("I;16") else None


def _to_8_bits(image, white):
    """Bring an image of any mode to mode L or RGB."""
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
    """Bring 16-bit, 32-bit and floating-point greys to 0 to 255; overwrites them."""
    np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    if white is None:
        # By habit floats end at 1 or 255, and integers of such depth at 65535.
        top = values.max()
        white = next((end for end in (1, 255, 65535) if top <= end), top)
    # In place, as a picture of 64 million pixels takes 256 MB each time it is copied.
    values /= white
    np.clip(values, 0, 1, out=values)
    values *= 255
    return np.rint(values, out=values).astype(np.uint8)


def to_face(image, image_size):
    """Cut out the middle square of an image and resize it to a grey face.

    Parameters
    ----------
    image : PIL.Image.Image
        Mode L or RGB.
    image_size : int
        Height and width of the face in pixels.

    Returns
    -------
    array of shape (image_size, image_size), uint8
        Grey levels; averaged over what is shrunk.
    """
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    size = (image_size, image_size)
    grey = image.convert("L")
    return np.array(grey.resize(size, Image.Resampling.BICUBIC, box=box))
