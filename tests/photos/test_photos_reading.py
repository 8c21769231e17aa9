import io

import numpy as np
import pytest
from PIL import Image

from fer_sklearn.exceptions import FERError, ImageFileError
from fer_sklearn.photos import read_photo
from fer_sklearn.photos._reading import list_photos


@pytest.fixture
def colours():
    ramp = np.linspace(0, 255, 40).astype(np.uint8)
    return np.stack(np.broadcast_arrays(ramp, ramp[:30, None], 90), axis=2).astype("u1")


@pytest.mark.parametrize("kind", ["path", "str", "file", "pil", "array", "int64"])
def test_all_forms_of_a_photo_are_the_same(colours, kind, tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(colours).save(path)
    make = {
        "path": lambda: path,
        "str": lambda: str(path),
        "file": lambda: io.BytesIO(path.read_bytes()),
        "pil": lambda: Image.open(path),
        "array": lambda: colours,
        "int64": lambda: colours.astype(np.int64),
    }
    image = read_photo(make[kind]())
    assert image.dtype == np.uint8
    assert (image == colours).all()
    image[0, 0] = 7  # its reader's own


def test_grey_and_alpha_arrays(colours):
    grey = colours[:, :, 0]
    assert (read_photo(grey) == grey[:, :, None]).all()
    assert (read_photo(grey[:, :, None]) == grey[:, :, None]).all()
    clear = np.dstack([colours, np.zeros(grey.shape, dtype=np.uint8)])
    assert (read_photo(clear) == 255).all()


def test_a_photo_is_turned_upright(colours, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(colours).save(tmp_path / "phone.png", exif=exif)
    assert (read_photo(tmp_path / "phone.png") == np.rot90(colours, -1)).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "LAB"])
def test_any_mode(colours, mode):
    image = Image.fromarray(colours)
    if mode == "LAB":
        image = Image.merge("LAB", image.split())
    elif mode != "RGB":
        image = image.convert(mode)
    assert read_photo(image).shape == colours.shape


def test_16_bits(colours):
    deep = Image.fromarray(colours[:, :, 0].astype(np.uint16) * 257)
    assert (read_photo(deep) == colours[:, :, :1]).all()


def test_the_first_picture_of_an_animation_counts(colours):
    file = io.BytesIO()
    first, second = Image.fromarray(colours), Image.new("RGB", (40, 30), "red")
    first.save(file, "PNG", save_all=True, append_images=[second])
    assert (read_photo(file) == colours).all()


def test_a_bomb_is_refused_before_it_is_decoded():
    file = io.BytesIO()
    Image.new("1", (9_000, 9_000)).save(file, "PNG")
    with pytest.raises(ImageFileError, match="too large"):
        read_photo(file)


def test_a_cut_off_photo_is_refused(colours):
    file = io.BytesIO()
    Image.fromarray(colours).save(file, "JPEG")
    half = io.BytesIO(file.getvalue()[:400])
    with pytest.raises(ImageFileError, match="the image is cut off"):
        read_photo(half)


@pytest.mark.parametrize(
    ("photo", "match"),
    [
        (np.zeros((5, 5)), "array of float64"),
        (np.zeros((5, 5), dtype=bool), "array of bool"),
        (np.zeros((2, 5, 5, 3), dtype=np.uint8), r"shape \(2, 5, 5, 3\), expected"),
        (np.zeros((5, 5, 2), dtype=np.uint8), r"shape \(5, 5, 2\), expected"),
        (np.zeros((0, 5), dtype=np.uint8), "it is empty"),
        (np.full((5, 5), 256), "levels from 256 to 256"),
        (np.full((5, 5), -1), "levels from -1 to -1"),
        (7, "this is int"),
        (None, "this is NoneType"),
    ],
)
def test_what_is_no_photo_is_refused(photo, match):
    with pytest.raises(FERError, match=match):
        read_photo(photo)


@pytest.mark.parametrize(
    "photo",
    [
        "photo.jpg",
        io.BytesIO(),
        Image.new("L", (5, 5)),
        np.zeros((5, 5), dtype=np.uint8),
        np.zeros((5, 5, 3), dtype=np.uint8),
        5,
    ],
)
def test_one_photo_is_no_list_of_photos(photo):
    with pytest.raises(FERError, match=r"Put it into a list: \[photo\]"):
        list_photos(photo)


def test_an_array_of_faces_is_a_list_of_photos():
    assert len(list(list_photos(np.zeros((2, 48, 48), dtype=np.uint8)))) == 2
