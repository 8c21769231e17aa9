import io
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fer_sklearn.datasets import _image_files, read_face_image
from fer_sklearn.exceptions import ImageFileError


def encode(image, format_="PNG", **options):
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file


@pytest.fixture
def face(images):
    """One drawn face of 16x16 pixels."""
    return Image.fromarray(images[0])


def test_grey_of_the_right_size_keeps_its_levels(face, tmp_path):
    face.save(tmp_path / "face.png")
    read = read_face_image(tmp_path / "face.png", image_size=16)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, face)
    np.testing.assert_array_equal(read_face_image(str(tmp_path / "face.png"), 16), face)


@pytest.mark.parametrize("format_", ["BMP", "GIF", "PNG", "PPM", "TIFF"])
def test_lossless_formats(face, format_):
    read = read_face_image(encode(face, format_), image_size=16)
    np.testing.assert_array_equal(read, face)


@pytest.mark.parametrize("format_", ["JPEG", "WEBP", "JPEG2000"])
def test_lossy_formats(face, format_):
    read = read_face_image(encode(face.resize((48, 48)), format_), image_size=16)
    assert np.abs(read.astype(int) - np.asarray(face)).mean() < 12


@pytest.mark.parametrize(
    ("mode", "format_"),
    [
        ("RGB", "PNG"),
        ("RGBA", "PNG"),
        ("LA", "PNG"),
        ("P", "PNG"),
        ("CMYK", "TIFF"),
        ("I", "TIFF"),
        ("F", "TIFF"),
    ],
)
def test_modes(face, mode, format_):
    read = read_face_image(encode(face.convert(mode), format_), image_size=16)
    # Colour spaces round to a level or two on the way.
    np.testing.assert_allclose(read.astype(int), np.asarray(face), atol=2)


def test_cmyk_jpeg():
    image = Image.new("RGB", (40, 40), (200, 200, 200)).convert("CMYK")
    read = read_face_image(encode(image, "JPEG", quality=95), image_size=4)
    np.testing.assert_allclose(read.astype(int), 200, atol=3)


def test_lab():
    # L is the lightness, 128 of 255; the colour beside it does not count.
    image = Image.merge(
        "LAB", [Image.new("L", (8, 8), level) for level in (128, 9, 70)]
    )
    assert (read_face_image(encode(image, "TIFF"), image_size=4) == 128).all()


def test_one_bit(face):
    read = read_face_image(encode(face.convert("1")), image_size=16)
    assert set(np.unique(read)) == {0, 255}


def test_sixteen_bits(face):
    deep = np.asarray(face).astype(np.uint16) * 257
    deep[0, 0] = 65535
    read = read_face_image(encode(Image.fromarray(deep)), image_size=16)
    np.testing.assert_array_equal(read.ravel()[1:], np.asarray(face).ravel()[1:])


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "PPM"])
def test_dark_sixteen_bits_stay_dark(format_, face):
    """16 bits are 0 to 65535 even where all levels of a picture are below 256."""
    # Pillow 10.3 writes a PPM of 16 bits only from numbers of 32 bits.
    levels = np.asarray(face).astype(np.int32 if format_ == "PPM" else np.uint16)
    dark = Image.fromarray(levels)
    read = read_face_image(encode(dark, format_), image_size=16)
    assert read.max() <= 1
    exif = Image.Exif()
    exif[0x0112] = 6
    read = read_face_image(encode(dark, format_, exif=exif), image_size=16)
    assert read.max() <= 1


def test_the_result_can_be_written_to(face):
    for image_size in (16, 8):
        read_face_image(encode(face), image_size)[0, 0] = 7


def test_floats_from_0_to_1_and_holes(face):
    values = np.asarray(face, dtype=np.float32) / 255
    values[0, :4] = np.nan, np.inf, -np.inf, 1
    read = read_face_image(encode(Image.fromarray(values), "TIFF"), image_size=16)
    assert read[0, :4].tolist() == [0, 0, 0, 255]
    np.testing.assert_array_equal(read[1:], np.asarray(face)[1:])


def test_transparent_is_white():
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    assert (read_face_image(encode(image), image_size=4) == 255).all()
    palette = Image.new("L", (8, 8), 3).convert("P")
    assert (read_face_image(encode(palette, transparency=3), image_size=4) == 255).all()


def test_turned_as_the_camera_was(face):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees clockwise
    read = read_face_image(encode(face, "PNG", exif=exif), image_size=16)
    np.testing.assert_array_equal(read, np.rot90(np.asarray(face), -1))


def test_first_picture_of_an_animation(face):
    other = Image.new("L", face.size, 7)
    file = encode(face, "GIF", save_all=True, append_images=[other], duration=50)
    np.testing.assert_array_equal(read_face_image(file, image_size=16), face)


def test_middle_square_is_cut_out_not_squeezed():
    wide = np.zeros((10, 30), dtype=np.uint8)
    wide[:, 10:20] = 200
    for shape in (wide, wide.T):
        read = read_face_image(encode(Image.fromarray(shape)), image_size=10)
        assert (read == 200).all()


def test_shrinking_averages():
    stripes = np.zeros((480, 480), dtype=np.uint8)
    stripes[:, ::2] = 255
    # Without antialiasing every pixel would be black or white.
    read = read_face_image(encode(Image.fromarray(stripes)), image_size=48)
    np.testing.assert_allclose(read[:, 4:-4].astype(int), 127, atol=2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is empty \(0 bytes\)\. Copy it again"),
        (b"just a text", "is not in a format that is read here: BMP, GIF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not in a format"),
    ],
)
def test_not_an_image(tmp_path, content, message):
    path = tmp_path / "face.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageFileError, match=message) as error:
        read_face_image(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("format_", ["BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP"])
def test_cut_off(format_):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
    content = encode(Image.fromarray(noise), format_).getvalue()
    with pytest.raises(ImageFileError, match=r"cut off or damaged|not in a format"):
        read_face_image(io.BytesIO(content[: len(content) // 2]))


def test_too_large(monkeypatch):
    file = encode(Image.new("L", (101, 100)))
    monkeypatch.setattr(
        _image_files.open_image, "__kwdefaults__", {"max_pixels": 10100}
    )
    assert read_face_image(file).shape == (48, 48)
    monkeypatch.setattr(
        _image_files.open_image, "__kwdefaults__", {"max_pixels": 10099}
    )
    with pytest.raises(ImageFileError, match="is too large, 101x100: more than"):
        read_face_image(file)


# Pillow warns of the first size and refuses the second on its own.
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [9000, 12000, 30000])
def test_decompression_bomb_is_not_decoded(side, monkeypatch):
    # A few kilobytes that would become 81 to 900 megabytes.
    header = encode(Image.new("1", (16, 16))).getvalue()
    bomb = header.replace((16).to_bytes(4) * 2, side.to_bytes(4) * 2)
    bomb = bomb[:29] + zlib.crc32(bomb[12:29]).to_bytes(4) + bomb[33:]

    def decode(self):
        raise AssertionError("a bomb must not be decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
    with pytest.raises(ImageFileError, match="is too large"):
        read_face_image(io.BytesIO(bomb))


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_face_image(tmp_path / "nobody.png")


@settings(deadline=None, max_examples=80)
@given(
    st.sampled_from(["BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"]),
    st.lists(st.tuples(st.integers(0, 10**4), st.integers(0, 255)), max_size=8),
)
def test_damaged_bytes_are_read_or_refused(format_, damage):
    content = bytearray(encode(Image.new("L", (20, 20), 99), format_).getvalue())
    for place, byte in damage:
        content[place % len(content)] = byte
    try:
        read = read_face_image(io.BytesIO(bytes(content)), image_size=8)
    except ImageFileError:
        return
    assert read.shape == (8, 8)
    assert read.dtype == np.uint8
