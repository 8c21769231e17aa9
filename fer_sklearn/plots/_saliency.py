"""Which parts of a face a prediction rests on."""

import numpy as np

from .._occlusion import cover, default_patch, spread
from ..exceptions import FERError
from ._inputs import as_face, as_faces, name_by_model, predict_proba
from ._mosaic import Mosaic
from ._style import SMALL_FONT_SIZE, percent

_COLORS = "PuOr_r"  # distinct with every common kind of colour blindness


class SaliencyDisplay:
    """Occlusion map: how far the probability falls when a part is covered.

    A grey patch is moved over the face. Where covering it lowers the probability of
    the emotion the map is orange, where it raises the probability purple. Only
    `predict_proba` is asked, so that any classifier can be looked into. Create it with
    `from_estimator`.

    Parameters
    ----------
    images : ndarray of shape (n_faces, height, width), dtype uint8
        Grey levels, 0 to 255.
    saliency : ndarray of shape (n_faces, height, width)
        Mean fall of the probability over the patches that cover a pixel, -1 to 1.
    class_names : sequence of str of length n_faces
        Emotion that each map is about.
    probability : array-like of shape (n_faces,)
        Its probability for the uncovered face, 0 to 1.
    lowest_probability : array-like of shape (n_faces,)
        Its probability with the patch at the place that hurts most.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with faces above and maps below; for one face side by side.
    figure_ : matplotlib Figure
        Figure that holds them.
    pictures_ : list of matplotlib AxesImage
        The maps.
    texts_ : list of matplotlib Text
        The captions, of the faces first.
    colorbar_ : matplotlib Colorbar
        What the colours mean.

    References
    ----------
    Zeiler and Fergus (2014), Visualizing and understanding convolutional networks,
    ECCV.

    Examples
    --------
    A classifier that looks at the upper half of a face alone:

    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from fer_sklearn import PixelStringTransformer, make_faces
    >>> from fer_sklearn.plots import SaliencyDisplay
    >>> faces = make_faces(70, image_shape=(16, 16), random_state=0)
    >>> X = PixelStringTransformer(image_shape=(16, 16)).fit_transform(faces.data)
    >>> upper = FunctionTransformer(lambda X: X[:, :8].reshape(len(X), -1) / 255)
    >>> pipe = make_pipeline(upper, LogisticRegression()).fit(X, faces.target)
    >>> display = SaliencyDisplay.from_estimator(pipe, X[:2], patch_size=4)
    >>> display.saliency.shape
    (2, 16, 16)
    >>> np.allclose(display.saliency[:, 12:], 0)
    True
    """

    def __init__(
        self, images, *, saliency, class_names, probability, lowest_probability
    ):
        self.images = images
        self.saliency = saliency
        self.class_names = class_names
        self.probability = probability
        self.lowest_probability = lowest_probability

    @classmethod
    def from_estimator(
        cls, estimator, X, *, target=None, patch_size=None, stride=None, ax=None
    ):
        """Cover the faces part by part, predict, and plot the maps.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier or pipeline with `predict_proba` that takes arrays of
            grey levels, as every pipeline of `make_fer_pipeline` does.
        X : array-like of shape (n_faces,) or (n_faces, height, width), or one face
            A few faces, up to seven for legible maps: pixel strings or an array.
            Faces given as rows of pixels are handed on as rows of pixels.
        target : int or str, default=None
            Emotion that all maps are about; None takes the predicted one of each face.
        patch_size : int, default=None
            Side of the patch in pixels; None takes a sixth of the face, 8 of 48.
            Small patches show detail but leave the network most of the face.
        stride : int, default=None
            Pixels from one place of the patch to the next; None takes half a patch.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes a new figure.

        Returns
        -------
        SaliencyDisplay
            The display, plotted.

        Raises
        ------
        FERError
            If `estimator` has no `predict_proba`, `target` is not one of its classes,
            or the patch does not fit the face.

        Notes
        -----
        A face of 48x48 pixels takes 122 predictions with the defaults.
        """
        images, as_rows = _read_faces(X)
        side = min(images.shape[1:])
        patch_size = patch_size or default_patch(images.shape[1:])[0]
        stride = stride or max(1, patch_size // 2)
        if patch_size > side or min(patch_size, stride) < 1:
            raise FERError(
                f"patch_size is {patch_size} and stride {stride}; expected from 1 to "
                f"{side} pixels, the side of a face."
            )
        column = None
        maps = []
        for image in images:
            places, covered = cover(image, patch_size, stride)
            stack = np.concatenate([image[np.newaxis], covered])
            if as_rows:
                stack = stack.reshape(len(stack), -1)
            y_prob, classes = predict_proba(estimator, stack)
            if target is not None:
                column = _find_class(estimator, target, classes)
            chosen = y_prob[0].argmax() if column is None else column
            maps.append((places, y_prob[:, chosen], classes[chosen]))
        (names,) = name_by_model(estimator, [label for *_, label in maps])
        return cls(
            images,
            saliency=np.array(
                [
                    spread(p, prob[0] - prob[1:], patch_size, images.shape[1:])
                    for p, prob, _ in maps
                ]
            ),
            class_names=names,
            probability=np.array([prob[0] for _, prob, _ in maps]),
            lowest_probability=np.array([prob[1:].min() for _, prob, _ in maps]),
        ).plot(ax)

    def plot(self, ax=None):
        """Plot the faces and their maps.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes a new figure.

        Returns
        -------
        SaliencyDisplay
            The display itself.
        """
        n_faces = len(self.images)
        captions = [
            f"{name} {percent(p)}"
            for name, p in zip(self.class_names, self.probability, strict=True)
        ] + [f"down to {percent(p)}" for p in self.lowest_probability]
        # A single face has its map next to it, so that the colour bar has room.
        mosaic = Mosaic(ax, 2 * n_faces, max(n_faces, 2), captions, extra_height=0.7)
        limit = max(np.abs(self.saliency).max(), 0.01)
        drawn = []
        for i, caption in enumerate(captions):
            picture, text = mosaic.draw(i, self.images[i % n_faces], caption)
            if i >= n_faces:
                picture = self._draw_map(mosaic, i, limit)
            drawn.append((picture, text))
        mosaic.finish()
        self.figure_, self.ax_ = mosaic.figure, mosaic.ax
        self.pictures_ = [picture for picture, _ in drawn[n_faces:]]
        self.texts_ = [text for _, text in drawn]
        self._draw_colorbar(limit)
        return self

    def _draw_map(self, mosaic, i, limit):
        saliency = self.saliency[i - len(self.images)]
        # The face shows through where covering changes nothing.
        alpha = 0.85 * np.sqrt(np.abs(saliency) / limit)
        picture, _ = mosaic.draw(
            i, saliency, cmap=_COLORS, vmin=-limit, vmax=limit, alpha=alpha
        )
        return picture

    def _draw_colorbar(self, limit):
        from matplotlib.cm import ScalarMappable  # there since Mosaic
        from matplotlib.colors import Normalize
        from matplotlib.ticker import MaxNLocator

        colors = ScalarMappable(Normalize(-100 * limit, 100 * limit), _COLORS)
        self.colorbar_ = self.figure_.colorbar(
            colors,
            ax=self.ax_,
            location="bottom",
            aspect=40,
            shrink=0.8,
            ticks=MaxNLocator(5),
        )
        self.colorbar_.ax.tick_params(labelsize=SMALL_FONT_SIZE)
        self.colorbar_.set_label(
            "fall of the probability when covered, in points", fontsize=SMALL_FONT_SIZE
        )


def _read_faces(X):
    """Return faces, and whether they came as rows of pixels."""
    if isinstance(X, str):
        return as_face(X)[np.newaxis], False
    n_dims = np.ndim(X)
    if n_dims == 2 and np.shape(X)[0] == np.shape(X)[1]:
        return as_face(X)[np.newaxis], False
    return as_faces(X), n_dims == 2


def _find_class(estimator, target, classes):
    wanted, names = name_by_model(estimator, [target], classes)
    found = np.flatnonzero(names == wanted[0])
    if len(found) == 0:
        raise FERError(f"target {target!r} is none of the classes: {', '.join(names)}.")
    return found[0]
