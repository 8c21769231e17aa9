"""predict_photos: from photographs to emotions."""

import numpy as np

from .._models import image_shape
from ..datasets import class_names
from ._cropper import FaceCropper


def predict_photos(pipe, photos, *, cropper=None):
    """Predict the emotion of each face in photographs.

    Nothing is written and nothing is kept: the photographs are read one after
    another, and only their faces stay in memory.

    Parameters
    ----------
    pipe : Pipeline or classifier
        Fitted, with `predict_proba` of grey faces of shape (n_faces, height, width).
    photos : iterable of n_photos photographs
        Each a path, an open file, a PIL image or an array, as for `read_photo`.
    cropper : FaceCropper, default=None
        Finds and cuts out the faces. None is a ``FaceCropper`` with the size of the
        faces that `pipe` was fitted on.

    Returns
    -------
    faces : DataFrame of shape (n_faces, 8 + n_classes)
        One row per face, in each photo the largest first: ``photo`` (from 0), ``x``,
        ``y``, ``width``, ``height`` in pixels, ``score`` of the detector, ``is_whole``
        (the picture was taken as the face), ``emotion``, and the probability of each
        emotion under its name.

    Raises
    ------
    FERError
        If a photograph cannot be read.

    See Also
    --------
    FaceCropper : Finds and cuts out the faces.
    annotate : Draws the result into a copy of the photograph.

    Examples
    --------
    >>> from fer_sklearn import make_faces, make_fer_pipeline
    >>> from fer_sklearn.photos import make_photo, predict_photos
    >>> faces = make_faces(70, image_shape=(16, 16), random_state=0)
    >>> pipe = make_fer_pipeline("nano", image_shape=(16, 16), max_epochs=1)
    >>> pipe = pipe.fit(faces.data, faces.target)
    >>> result = predict_photos(pipe, [make_photo(2, random_state=0)])
    >>> result[["photo", "x", "y", "width", "height"]].shape
    (2, 5)
    """
    import pandas as pd

    if cropper is None:
        cropper = FaceCropper(image_shape=image_shape(pipe))
    crops = cropper.crop(photos)
    names = class_names(pipe)
    y_prob = np.zeros((0, len(names)))
    if len(crops):
        y_prob = pipe.predict_proba(crops.images)
    faces = pd.DataFrame(crops.boxes, columns=["x", "y", "width", "height"])
    faces.insert(0, "photo", crops.photo_indices)
    faces["score"] = crops.scores
    faces["is_whole"] = crops.is_whole
    faces["emotion"] = np.array(names, dtype=object)[y_prob.argmax(axis=1)]
    faces[names] = y_prob
    return faces
