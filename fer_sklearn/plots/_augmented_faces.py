"""What each knob of an augmenter does to a face."""

from inspect import signature

import numpy as np
from sklearn.base import clone

from ..exceptions import FERError
from ._inputs import as_face, check_count
from ._mosaic import Mosaic
from ._style import BLUE

_ALL = "all together"
_UNITS = {
    "rotation_range": "°",
    "shear_range": "°",
    "width_shift_range": " of the width",
    "height_shift_range": " of the height",
    "erasing_probability": " of the faces",
}


class AugmentationDisplay:
    """One face, many draws: a row for each knob of an augmenter, then all together.

    Shows whether the ranges are sensible: a face that you cannot recognise any more
    teaches nothing. Build it with `from_augmenter`.

    Parameters
    ----------
    image : ndarray of shape (height, width), dtype uint8
        The face as it is, drawn at the left of each row in a blue frame.
    draws : dict of str to ndarray of shape (n_draws, height, width), dtype uint8
        Rows: what was varied, such as ``"rotation_range=15"``, and the faces drawn.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with all the faces.
    figure_ : matplotlib Figure
        Figure that holds them.
    pictures_ : list of matplotlib AxesImage
        The faces, row by row, the first of each row as it is.
    texts_ : list of matplotlib Text
        Names of the rows.

    See Also
    --------
    fer_sklearn.RandomAffineAugmenter : The augmenter, with its knobs and their units.

    Examples
    --------
    >>> from fer_sklearn import RandomAffineAugmenter, make_faces
    >>> from fer_sklearn.plots import AugmentationDisplay
    >>> faces = make_faces(7, image_shape=(16, 16), random_state=0)
    >>> augmenter = RandomAffineAugmenter(rotation_range=20, random_state=0)
    >>> display = AugmentationDisplay.from_augmenter(augmenter, faces.data[3])
    >>> display.draws["rotation_range=20"].shape
    (6, 16, 16)
    """

    def __init__(self, image, draws):
        self.image = image
        self.draws = draws

    @classmethod
    def from_augmenter(cls, augmenter, face, *, n_draws=6, ax=None):
        """Vary one knob at a time, and draw.

        Parameters
        ----------
        augmenter : RandomAffineAugmenter
            The augmenter, fitted or not; it is left as it is. A row shows one of its
            knobs at its value and all others at rest. Knobs that are at rest already
            have no row. With a `random_state` the draws are the same every time.
        face : str or array-like of shape (height, width)
            A pixel string or grey levels.
        n_draws : int, default=6
            Number of draws a row.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        AugmentationDisplay
            The display, with the draws drawn.

        Raises
        ------
        FERError
            If `face` is not a single face, `n_draws` is below 1, or `augmenter` is
            something else.
        """
        knobs = _knobs(augmenter)
        if not knobs or not hasattr(augmenter, "fit_transform"):
            raise FERError(
                f"augmenter is a {type(augmenter).__name__}, expected a "
                "RandomAffineAugmenter."
            )
        check_count(n_draws=n_draws)
        image = as_face(face)
        moved = {k: v for k, v in knobs.items() if not _is_at_rest(v)}
        draws = {}
        for knob, value in moved.items():
            others = {k: _rest(v) for k, v in knobs.items() if k != knob}
            alone = clone(augmenter).set_params(**others)
            draws[f"{knob}={value}"] = _draw(alone, image, n_draws)
        if len(moved) != 1:
            draws[_ALL] = _draw(augmenter, image, n_draws)
        return cls(image, draws).plot(ax)

    def plot(self, ax=None):
        """Draw the rows.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        AugmentationDisplay
            The display itself.
        """
        n_columns = 1 + len(next(iter(self.draws.values())))
        labels = [_name_of_row(label) for label in self.draws]
        mosaic = Mosaic(
            ax, n_columns * len(labels), n_columns, row_labels=labels, extra_height=0.3
        )
        rows = (image for row in self.draws.values() for image in [self.image, *row])
        self.pictures_ = [
            mosaic.draw(i, image, frame=None if i % n_columns else BLUE)[0]
            for i, image in enumerate(rows)
        ]
        self.texts_ = mosaic.label_rows()
        mosaic.finish("the face as it is (framed), and draws of it")
        self.figure_, self.ax_ = mosaic.figure, mosaic.ax
        return self


def _name_of_row(label):
    """Name and value of a knob in two lines, with its unit."""
    knob, _, value = label.partition("=")
    unit = _UNITS.get(knob, "")
    return f"{knob}\n{value}{unit}" if value else label


def _knobs(augmenter):
    """Parameters of the augmenter that set how far it goes, in its own order."""
    return {
        name: getattr(augmenter, name)
        for name in signature(type(augmenter).__init__).parameters
        if name.endswith(("_range", "_flip", "_probability"))
    }


def _rest(value):
    """Value of a knob at which it does nothing."""
    return False if isinstance(value, bool | np.bool_) else 0


def _is_at_rest(value):
    # A pair is a range of factors, as of zoom_range, and a factor of 1 changes nothing.
    return bool(np.all(np.asarray(value) == np.ndim(value)))


def _draw(augmenter, image, n_draws):
    # Copies of one face: the draws depend on the row, so that each is another.
    copies = np.repeat(image[np.newaxis], n_draws, axis=0)
    return np.asarray(clone(augmenter).fit_transform(copies))
