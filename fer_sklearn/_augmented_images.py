"""A lazy view of images that can be augmented again in each epoch."""

import numpy as np

from ._image_ops import affine_maps, erase, erasing_boxes, warp

__all__ = ["AugmentedImages"]

# Random numbers for each image: rotation, two shifts, shear, two zooms, flip, and for
# the erased rectangle whether, area, aspect, row, column and the pixel that colours it.
_N_NUMBERS = 13

# Settings that mirror faces and leave them alone otherwise.
_MIRROR_ONLY = {
    "rotation_range": 0.0,
    "width_shift_range": 0.0,
    "height_shift_range": 0.0,
    "shear_range": 0.0,
    "zoom_range": (1.0, 1.0),
    "erasing_probability": 0.0,
}


class AugmentedImages:
    """Images with new random variations in each epoch.

    This is what :class:`~fer_sklearn.RandomAffineAugmenter` returns from
    `fit_transform`. It looks like an array (`len`, `shape`, `dtype`, indexing), holds
    the original images, and computes augmented ones in `sample`. A sample depends only
    on the seed, the epoch and the row number of the image: the size and order of
    batches and the number of threads or worker processes do not change it.

    Indexing with a slice, an array or a mask gives a smaller view whose images keep
    their row numbers, so a split of the view has the same samples. An integer index
    and `np.asarray` give images, sampled for epoch 0.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width) or (n_images, n_pixels)
        The original images.
    image_shape : tuple of two int
        Height and width in pixels.
    settings : dict
        The parameters of the augmenter.
    seed : int
        The seed of all samples.
    n_threads : int, default=1
        Number of threads that `sample` uses.

    Examples
    --------
    >>> import numpy as np
    >>> from fer_sklearn import PixelStringTransformer, RandomAffineAugmenter
    >>> from fer_sklearn import make_faces
    >>> faces = make_faces(6, image_shape=(16, 16), random_state=0)
    >>> images = PixelStringTransformer(image_shape=(16, 16)).transform(faces.data)
    >>> view = RandomAffineAugmenter(random_state=0).fit_transform(images)
    >>> view
    <AugmentedImages: 6 images of 16x16, uint8>

    The same image in two epochs, and the same sample from a part of the view:

    >>> first, second = view.sample([4], epoch=0), view.sample([4], epoch=1)
    >>> np.array_equal(first, second)
    False
    >>> np.array_equal(first, view[3:].sample([1], epoch=0))
    True
    """

    def __init__(self, images, *, image_shape, settings, seed, n_threads=1):
        self._images = np.ascontiguousarray(images)
        # view[[7, 3]] keeps all _images and has _positions [7, 3], so that no image is
        # copied; None stands for all of them. Samples depend on row numbers. They are
        # the positions, until a view is pickled: it then holds its own two images, at
        # positions 0 and 1, and has _row_numbers [7, 3].
        self._positions = None
        self._row_numbers = None
        self.image_shape = tuple(image_shape)
        self.settings = settings
        self.seed = seed
        self.n_threads = n_threads
        # What is sampled for an epoch, and for which: see _transformations.
        self._sampled = (None, None)

    @property
    def images(self):
        """The original images, as an array of this view's shape."""
        if self._positions is None:
            return self._images
        return self._images[self._positions]

    @property
    def rows(self):
        """Row number of each image in the array that was augmented."""
        positions = self._positions
        if positions is None:
            positions = np.arange(len(self._images))
        return positions if self._row_numbers is None else self._row_numbers[positions]

    @property
    def dtype(self):
        """Dtype of the images, augmented or original."""
        return self._images.dtype

    @property
    def shape(self):
        """Shape of the images as one array."""
        return (len(self), *self._images.shape[1:])

    @property
    def ndim(self):
        """Number of dimensions of the images as one array."""
        return self._images.ndim

    def __len__(self):
        return len(self._images if self._positions is None else self._positions)

    def __repr__(self):
        size = "x".join(map(str, self.image_shape))
        return f"<AugmentedImages: {len(self)} images of {size}, {self.dtype}>"

    def sample(self, indices=None, epoch=0, *, mirror_only=False):
        """Compute augmented images.

        Parameters
        ----------
        indices : array-like of int of shape (n_sampled,), default=None
            Which images of this view, in any order; None samples all.
        epoch : int, default=0
            Each epoch has its own samples.
        mirror_only : bool, default=False
            Whether the only change to the images is that some are mirrored, if the
            settings allow it.

        Returns
        -------
        sampled : ndarray of shape (n_sampled, ...) of this view's dtype
            A new array.
        """
        if indices is None:
            indices = np.arange(len(self))
        positions = np.asarray(indices, dtype=np.intp)
        if self._positions is not None:
            positions = self._positions[positions]
        images = self._images.reshape(-1, *self.image_shape)
        rows = positions if self._row_numbers is None else self._row_numbers[positions]
        of_all_rows = self._transformations(epoch, mirror_only)
        maps, boxes, pixels = (part[rows] for part in of_all_rows)
        out = warp(
            images,
            maps,
            positions,
            backend=self.settings["backend"],
            order=self.settings["interpolation_order"],
            fill_mode=self.settings["fill_mode"],
            cval=self.settings["cval"],
            n_threads=self.n_threads,
        )
        erase(out, boxes, pixels)
        return out.reshape(-1, *self._images.shape[1:])

    def _transformations(self, epoch, mirror_only):
        """Give what happens to every row in an epoch, sampled once per epoch."""
        wanted = (epoch, mirror_only)
        sampled_for, sampled = self._sampled
        if sampled_for != wanted:
            if self._row_numbers is None:
                n_rows = len(self._images)
            else:
                n_rows = int(self._row_numbers.max(initial=-1)) + 1
            settings = self.settings | (_MIRROR_ONLY if mirror_only else {})
            sampled = _transformations(
                self.seed, epoch, n_rows, settings, self.image_shape
            )
            self._sampled = (wanted, sampled)
        return sampled

    def __getitem__(self, key):
        # scikit-learn writes array[rows, ...].
        if isinstance(key, tuple) and len(key) == 2 and key[1] is Ellipsis:
            key = key[0]
        if isinstance(key, tuple):
            return np.asarray(self)[key]
        if isinstance(key, (int, np.integer)):
            position = range(len(self))[key]
            return self.sample([position])[0]
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        positions = self._positions
        if positions is None:
            positions = np.arange(len(self._images))
        if isinstance(key, list) and not key:
            key = slice(0)
        view._positions = positions[key]
        return view

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError(
                "Augmented images are computed, which makes a new array. Use copy=None."
            )
        sampled = self.sample()
        return sampled if dtype is None else sampled.astype(dtype, copy=False)

    def __getstate__(self):
        # A pickle holds only this view's own images, and no samples.
        state = self.__dict__.copy()
        state["_sampled"] = (None, None)
        if self._positions is not None:
            state["_images"] = self.images
            state["_row_numbers"] = self.rows
            state["_positions"] = None
        return state


def _transformations(seed, epoch, n_rows, settings, image_shape):
    """Sample maps, boxes and colouring pixels for the rows 0 to n_rows - 1."""
    # The table of random numbers in [0, 1) is filled row by row: row 2 gets the 27th
    # to the 39th number of the generator, no matter how many rows follow. Columns are
    # then scaled to the ranges. With rotation_range=15, 0.7 in column 0 means
    # (2 * 0.7 - 1) * 15 = 6 degrees.
    bits = np.random.Philox(np.random.SeedSequence([seed, epoch]))
    table = np.random.Generator(bits).random((n_rows, _N_NUMBERS), dtype=np.float32)
    u = np.ascontiguousarray(table.T)
    height, width = image_shape
    low, high = settings["zoom_range"]
    maps = affine_maps(
        rotation=(2 * u[0] - 1) * settings["rotation_range"],
        row_shift=(2 * u[1] - 1) * settings["height_shift_range"] * height,
        column_shift=(2 * u[2] - 1) * settings["width_shift_range"] * width,
        shear=(2 * u[3] - 1) * settings["shear_range"],
        zoom=low + u[4:6].T * (high - low),
        flip=(u[6] < 0.5) & settings["horizontal_flip"],
        image_shape=image_shape,
    ).astype(np.float32)
    scale, ratio = settings["erasing_scale"], np.log(settings["erasing_ratio"])
    boxes = erasing_boxes(
        area=scale[0] + u[8] * (scale[1] - scale[0]),
        aspect=np.exp(ratio[0] + u[9] * (ratio[1] - ratio[0])),
        row=u[10],
        column=u[11],
        image_shape=image_shape,
    )
    boxes[u[7] >= settings["erasing_probability"]] = 0
    pixels = (np.minimum(u[12], 1 - 1e-6) * (height * width)).astype(np.intp)
    return maps, boxes, pixels
