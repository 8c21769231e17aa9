"""What FaceCropper.crop returns."""

import base64
import io
from dataclasses import dataclass

import numpy as np

# Faces in the HTML of a notebook.
_SHOWN = 60


@dataclass(frozen=True, eq=False)
class FaceCrops:
    """The faces of some photographs, one row per face, and where each is from.

    It is converted to its `images` wherever an array is expected, for example by a
    fitted pipeline. Rows are in the order of the photographs; in each photograph the
    largest face is first.

    Parameters
    ----------
    images : ndarray of shape (n_faces, height, width), dtype uint8
        The faces, grey.
    boxes : ndarray of shape (n_faces, 4), dtype int64
        x, y, width, height of each face in its upright photograph, in pixels.
    photo_indices : ndarray of shape (n_faces,), dtype int64
        The photograph of each face, counted from 0.
    scores : ndarray of shape (n_faces,), dtype float64
        Confidence of the detector, in its own units; NaN where it was not called.
    is_whole : ndarray of shape (n_faces,), dtype bool
        Whether the whole picture is the face: `cropped` said so, or no face was found
        in a picture that is about as small as a face.
    n_photos : int
        Number of photographs, those without a face included.

    See Also
    --------
    FaceCropper : Makes it.

    Examples
    --------
    >>> from fer_sklearn.photos import FaceCropper, make_photo
    >>> photos = [make_photo(n_faces=n, random_state=n) for n in (2, 0, 1)]
    >>> crops = FaceCropper().crop(photos)
    >>> crops.images.shape
    (3, 48, 48)
    >>> crops.photo_indices.tolist()
    [0, 0, 2]
    """

    images: np.ndarray
    boxes: np.ndarray
    photo_indices: np.ndarray
    scores: np.ndarray
    is_whole: np.ndarray
    n_photos: int

    def __len__(self):
        return len(self.images)

    def _repr_html_(self):
        """Show the faces in a notebook."""
        cells = [
            f'<figure style="margin: 0 0 .6em">{_picture(image)}'
            f'<figcaption style="font-size: .85em">photo {photo}, '
            f"{'whole' if whole else f'{box[2]}x{box[3]} at ({box[0]}, {box[1]})'}"
            "</figcaption></figure>"
            for image, box, photo, whole in zip(
                self.images[:_SHOWN],
                self.boxes.tolist(),
                self.photo_indices.tolist(),
                self.is_whole.tolist(),
                strict=False,
            )
        ]
        more = f"; the first {_SHOWN} are shown" if len(self) > _SHOWN else ""
        return (
            f"<p>{len(self)} faces in {self.n_photos} photos{more}</p>"
            '<div style="display: flex; flex-wrap: wrap; gap: .8em">'
            f"{''.join(cells)}</div>"
        )

    def __array__(self, dtype=None, copy=None):
        if copy is False and dtype not in (None, self.images.dtype):
            raise ValueError(f"Faces are uint8; a copy is needed to make them {dtype}.")
        return self.images.astype(dtype or self.images.dtype, copy=bool(copy))


def _picture(image):
    from PIL import Image

    png = io.BytesIO()
    Image.fromarray(image).save(png, "PNG")
    content = base64.b64encode(png.getvalue()).decode()
    return (
        f'<img src="data:image/png;base64,{content}" alt="" '
        'style="height: 96px; image-rendering: auto">'
    )
