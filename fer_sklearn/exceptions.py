"""The errors that fer_sklearn raises, each with its cure in the message.

All of them are `ValueError`: code that catches what scikit-learn raises for bad
input catches these as well.
"""

__all__ = [
    "DataFileError",
    "FERError",
    "ImageFileError",
    "MissingExtraError",
    "ModelFileError",
    "PixelStringError",
]


class FERError(ValueError):
    """Base of every error that fer_sklearn raises on its own."""


class PixelStringError(FERError):
    """A pixel string is not a row of grey levels; the message names the row."""


class DataFileError(FERError):
    """A data file (csv, votes, folder) cannot be read; the message says where."""


class ImageFileError(FERError):
    """An image file is empty, broken, too large or not an image."""


class ModelFileError(FERError):
    """A model, weights or checkpoint file is broken, foreign or of other settings."""


class MissingExtraError(FERError, ImportError):
    """An optional dependency is missing; the message says how to install it."""
