"""The errors that fer_sklearn raises, each with its cure in the message.

All of them are `ValueError`: code that catches what scikit-learn raises for bad
input catches these as well.
"""

import re

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
    """A pixel string does not hold the grey levels of a face.

    Parameters
    ----------
    reason : str
        What is wrong, after the words "Row 3 of X " if a row is given.
    row : int, default=None
        Position of the first bad row, from 0.
    cure : str, default=""
        What to do about it, as a sentence.
    name : str, default="X"
        What the caller calls the faces.

    Attributes
    ----------
    reason, row, cure
        As passed.
    """

    def __init__(self, reason, *, row=None, cure="", name="X"):
        self.reason, self.row, self.cure = reason, row, cure
        text = reason if row is None else f"Row {row} of {name} {reason}"
        super().__init__(f"{text}. {cure}" if cure else text)

    def renamed(self, name, row=None):
        """Give the same error for faces that the caller knows by another name.

        Parameters
        ----------
        name : str
            What the caller calls the faces.
        row : int, default=None
            Position of the bad row there; None keeps it.

        Returns
        -------
        PixelStringError
        """
        row = self.row if row is None else row
        return PixelStringError(self.reason, row=row, cure=self.cure, name=name)


class DataFileError(FERError):
    """A data file (csv, votes, folder) cannot be read; the message says where."""


class ImageFileError(FERError):
    """An image file is empty, broken, too large or not an image."""


class ModelFileError(FERError):
    """A model, weights or checkpoint file is broken, foreign or of other settings."""


class MissingExtraError(FERError, ImportError):
    """An optional dependency is missing; the message says how to install it."""


# Control characters, separators of lines, changes of direction, lone surrogates: what
# moves the cursor or the colours of a terminal, hides text or cannot be printed.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    r"""Escape what could do harm in a terminal, as in ``"\x1b[31m"``.

    Letters of all languages stay, and so does what joins and parts them.

    >>> print(printable("ärgerlich\x1b[2J"))
    ärgerlich\x1b[2J
    """
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)
