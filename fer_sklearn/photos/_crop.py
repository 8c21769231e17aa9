"""crop_faces: what FaceCropper does, without scikit-learn."""

import numpy as np
from PIL import Image

from ..datasets._image_files import check_image_shape, middle_box, to_face
from ._boxes import cut_frame, frame_of_face
from ._detection import find_faces
from ._face_crops import FaceCrops
from ._reading import list_photos, naming_photo, open_photo

# Pictures up to this side are faces: a detector needs more space around a face than
# they have. FER2013's have 48 pixels.
_FACE_SIDE = 64

# A picture in which no face was found counts as a face if it is this small, or up to
# this large and about square: faces are cut out as squares, photographs are not.
_SMALL_SIDE = 128
_SQUARE_SIDE = 512
_SQUARE_RATIO = 1.25


def crop_faces(
    photos,
    *,
    image_shape=(48, 48),
    margin=0,
    detector=None,
    min_face_size=None,
    cropped="auto",
):
    """Cut out the faces of all photographs.

    Parameters
    ----------
    photos : iterable of n_photos photographs
        As for `FaceCropper.crop`.
    image_shape, margin, detector, min_face_size, cropped
        As for `FaceCropper`, which checks them.

    Returns
    -------
    FaceCrops
    """
    image_shape = check_image_shape(image_shape)
    images, boxes, scores, whole, counts = [], [], [], [], []
    for index, photo in enumerate(list_photos(photos)):
        with naming_photo(index):
            image = open_photo(photo)
            found, found_scores, is_whole = _find(
                image, image_shape, detector, min_face_size, cropped
            )
        if is_whole:
            images.append(to_face(image, image_shape))
        else:
            images += _cut(image, found, margin, image_shape)
        boxes.append(found)
        scores.append(found_scores)
        whole += [is_whole] * len(found)
        counts.append(len(found))
    return FaceCrops(
        images=np.array(images, dtype=np.uint8).reshape(-1, *image_shape),
        boxes=np.concatenate([np.zeros((0, 4), dtype=np.int64), *boxes]),
        photo_indices=np.repeat(np.arange(len(counts)), counts),
        scores=np.concatenate([np.zeros(0), *scores]),
        is_whole=np.array(whole, dtype=bool),
        n_photos=len(counts),
    )


def _find(image, image_shape, detector, min_face_size, cropped):
    """Boxes, scores, and whether the picture itself is the face."""
    auto = cropped == "auto"
    if not cropped or (auto and max(image.size) > _FACE_SIDE):
        colours = np.asarray(image.convert("RGB"))
        boxes, scores = find_faces(colours, detector, min_face_size)
        if len(boxes) or not (auto and _about_a_face(*image.size)):
            return boxes, scores, False
    return np.array([middle_box(image.size, image_shape)]), np.full(1, np.nan), True


def _cut(image, boxes, margin, image_shape):
    grey = np.asarray(image.convert("L"))
    frames = [frame_of_face(box, margin, image_shape) for box in boxes]
    cuts = [cut_frame(grey, *frame) for frame in frames]
    return [to_face(Image.fromarray(cut), image_shape) for cut in cuts]


def _about_a_face(width, height):
    """Whether a picture in which no face was found counts as a face."""
    short, long = sorted((width, height))
    return long <= _SMALL_SIDE or (
        long <= _SQUARE_SIDE and long <= _SQUARE_RATIO * short
    )
