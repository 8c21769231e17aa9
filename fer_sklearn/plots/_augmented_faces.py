"""What each parameter of an augmenter does to a face."""

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
    """Variations of one face: one row per parameter of an augmenter, then all of them.

    It shows whether the ranges are sensible: the emotion should still be recognisable.
    Create it with `from_augmenter`.

    Parameters
    ----------
    image : ndarray of shape (height, width), dtype uint8
        The original face, shown at the left of each row in a blue frame.
    samples : dict of str to ndarray of shape (n_samples, height, width), dtype uint8
        The rows: the parameter, such as ``"rotation_range=15"``, and the augmented
        faces.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with all the faces.
    figure_ : matplotlib Figure
        Figure that holds them.
    pictures_ : list of matplotlib AxesImage
        The faces, row by row. The first of each row is the original.
    texts_ : list of matplotlib Text
        Names of the rows.

    See Also
    --------
    fer_sklearn.RandomAffineAugmenter : The augmenter, with the units of its parameters.

    Examples
    --------
    >>> from fer_sklearn import RandomAffineAugmenter, make_faces
    >>> from fer_sklearn.plots import AugmentationDisplay
    >>> faces = make_faces(7, image_shape=(16, 16), random_state=0)
    >>> augmenter = RandomAffineAugmenter(rotation_range=20, random_state=0)
    >>> display = AugmentationDisplay.from_augmenter(augmenter, faces.data[3])
    >>> display.samples["rotation_range=20"].shape
    (6, 16, 16)
    """

    def __init__(self, image, samples):
        self.image = image
        self.samples = samples

    @classmethod
    def from_augmenter(cls, augmenter, face, *, n_samples=6, ax=None):
        """Vary one parameter at a time.

        Parameters
        ----------
        augmenter : RandomAffineAugmenter
            The augmenter, fitted or not; it is not changed. In each row, all
            parameters but one are turned off. Parameters that are turned off in the
            augmenter have no row. With a `random_state`, the samples are the same
            every time.
        face : str or array-like of shape (height, width)
            A pixel string or grey levels.
        n_samples : int, default=6
            Number of augmented faces in a row.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes a new figure.

        Returns
        -------
        AugmentationDisplay
            The display, plotted.

        Raises
        ------
        FERError
            If `face` is not a single face, `n_samples` is below 1, or `augmenter` is
            something else.
        """
        ranges = _ranges(augmenter)
        if not ranges or not hasattr(augmenter, "fit_transform"):
            raise FERError(
                f"augmenter is a {type(augmenter).__name__}, expected a "
                "RandomAffineAugmenter."
            )
        check_count(n_samples=n_samples)
        image = as_face(face)
        active = {k: v for k, v in ranges.items() if not _is_off(v)}
        samples = {}
        for name, value in active.items():
            others = {k: _off(v) for k, v in ranges.items() if k != name}
            alone = clone(augmenter).set_params(**others)
            samples[f"{name}={value}"] = _sample(alone, image, n_samples)
        if len(active) != 1:
            samples[_ALL] = _sample(augmenter, image, n_samples)
        return cls(image, samples).plot(ax)

    def plot(self, ax=None):
        """Plot the rows.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes a new figure.

        Returns
        -------
        AugmentationDisplay
            The display itself.
        """
        n_columns = 1 + len(next(iter(self.samples.values())))
        labels = [_name_of_row(label) for label in self.samples]
        mosaic = Mosaic(
            ax, n_columns * len(labels), n_columns, row_labels=labels, extra_height=0.3
        )
        rows = (image for row in self.samples.values() for image in [self.image, *row])
        self.pictures_ = [
            mosaic.draw(i, image, frame=None if i % n_columns else BLUE)[0]
            for i, image in enumerate(rows)
        ]
        self.texts_ = mosaic.label_rows()
        mosaic.finish("the original face (framed) and variations of it")
        self.figure_, self.ax_ = mosaic.figure, mosaic.ax
        return self


def _name_of_row(label):
    """Name and value of a parameter in two lines, with its unit."""
    name, _, value = label.partition("=")
    unit = _UNITS.get(name, "")
    return f"{name}\n{value}{unit}" if value else label


def _ranges(augmenter):
    """Parameters that set what is varied and how far, in the augmenter's order."""
    return {
        name: getattr(augmenter, name)
        for name in signature(type(augmenter).__init__).parameters
        if name.endswith(("_range", "_flip", "_probability"))
    }


def _off(value):
    """Value that turns a parameter off."""
    return False if isinstance(value, bool | np.bool_) else 0


def _is_off(value):
    # A pair is a range of factors, as of zoom_range, and a factor of 1 changes nothing.
    return bool(np.all(np.asarray(value) == np.ndim(value)))


def _sample(augmenter, image, n_samples):
    # Copies of one face: a sample depends on the row, so that each is different.
    copies = np.repeat(image[np.newaxis], n_samples, axis=0)
    return np.asarray(clone(augmenter).fit_transform(copies))
