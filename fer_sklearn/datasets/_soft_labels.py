"""Soft labels of FER2013: what networks say that have not seen the face."""

from hashlib import blake2b
from importlib.resources import files

import numpy as np

from ..exceptions import FERError
from ._emotions import EMOTIONS
from ._fer2013 import write_pixel_strings

# "hashes": of the pixel strings, sorted; "probabilities": one row for each of them.
_FILE = files(__package__).joinpath("soft_labels.npz")


def load_soft_labels(X):
    """Load a probability for each emotion of the faces of FER2013's Training.

    Five networks of different sizes were trained on two thirds of Training each time,
    and predicted the remaining third. Copies of a face were always in the same third,
    so none of the networks has seen the face, its label or a copy of it. The
    probabilities are the mean of the five. They are stored in the package, under a
    hash of each face, so that the order of your file does not matter.

    The networks agree with 69 % of the labels. Where they are confident of another
    emotion, the label is mostly wrong: see Notes.

    Parameters
    ----------
    X : sequence of str of shape (n_samples,), or ndarray of uint8 of shape \
(n_samples, 48, 48)
        Pixel strings, or grey levels from 0 to 255.

    Returns
    -------
    ndarray of shape (n_samples, 7), float32
        Probabilities in the order of `EMOTIONS`; each row sums to 1. A row of zeros
        means that the face is not known: it is not in Training, or its pixels were
        changed.

    Raises
    ------
    FERError
        If X has another form.

    See Also
    --------
    join_ferplus : Votes of people for the same faces; needs their file.
    FERClassifier : ``fit`` takes `soft_targets`.

    Notes
    -----
    Three of the five networks were also trained towards the votes of FER+ for the
    faces of their two thirds, translated into FER2013's labels. The other two, trained
    on labels alone, permit a check: of the 100, 500 and 1,000 faces whose label they
    find least likely (cleanlab's normalized margin), the most frequent vote of FER+
    differs from the label in 97, 93 and 89 %. For Training as a whole, it differs in
    37 %.

    In trainings of 120 epochs on a GPU, a mix of labels and soft labels was not better
    than labels alone (`nano`: 0.679 and 0.684 on PublicTest, one seed each).

    Examples
    --------
    >>> from fer_sklearn import make_faces
    >>> from fer_sklearn.datasets import load_soft_labels
    >>> load_soft_labels(make_faces(2, random_state=0).data)  # not from FER2013
    array([[0., 0., 0., 0., 0., 0., 0.],
           [0., 0., 0., 0., 0., 0., 0.]], dtype=float32)
    """
    if isinstance(X, np.ndarray) and X.dtype == np.uint8 and X.ndim == 3:
        X = write_pixel_strings(X)
    elif hasattr(X, "__array__"):
        X = np.asarray(X)  # pyarrow iterates over objects of its own
    if isinstance(X, str) or not all(isinstance(text, str) for text in X):
        raise FERError(
            "X must be pixel strings, or grey levels as uint8 of shape (n_samples, 48, "
            f"48); got {type(X).__name__}. Pass the data of load_fer2013."
        )
    with np.load(_FILE) as file:
        hashes, probabilities = file["hashes"], file["probabilities"]
    wanted = np.array([face_hash(text) for text in X], dtype=np.uint64)
    rows = np.searchsorted(hashes, wanted).clip(0, len(hashes) - 1)
    soft = np.zeros((len(wanted), len(EMOTIONS)), dtype=np.float32)
    known = hashes[rows] == wanted
    soft[known] = probabilities[rows[known]]
    return soft / np.where(known, soft.sum(axis=1), 1)[:, None].astype(np.float32)


def face_hash(text):
    """Hash a pixel string: 64 bits of its numbers, whatever the blanks between them."""
    data = " ".join(text.split()).encode()
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")
