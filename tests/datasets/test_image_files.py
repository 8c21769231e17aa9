import io
import struct
import time
import zlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fer_sklearn.datasets import (
    EMOTIONS,
    _image_files,
    load_fer2013,
    load_image_folder,
    read_face_image,
)
from fer_sklearn.exceptions import DataFileError, FERError, ImageFileError


def encode(image, format_="PNG", **options):
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file


@pytest.fixture
def face(images):
    """One synthetic face of 16x16 pixels."""
    return Image.fromarray(images[0])


def test_grey_of_the_right_size_keeps_its_levels(face, tmp_path):
    face.save(tmp_path / "face.png")
    read = read_face_image(tmp_path / "face.png", image_shape=(16, 16))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, face)
    np.testing.assert_array_equal(
        read_face_image(str(tmp_path / "face.png"), (16, 16)), face
    )


@pytest.mark.parametrize("format_", ["BMP", "GIF", "PNG", "PPM", "TIFF"])
def test_lossless_formats(face, format_):
    read = read_face_image(encode(face, format_), image_shape=(16, 16))
    np.testing.assert_array_equal(read, face)


@pytest.mark.parametrize("format_", ["JPEG", "WEBP", "JPEG2000"])
def test_lossy_formats(face, format_):
    read = read_face_image(encode(face.resize((48, 48)), format_), image_shape=(16, 16))
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
    read = read_face_image(encode(face.convert(mode), format_), image_shape=(16, 16))
    # Colour spaces round to a level or two on the way.
    np.testing.assert_allclose(read.astype(int), np.asarray(face), atol=2)


def test_cmyk_jpeg():
    image = Image.new("RGB", (40, 40), (200, 200, 200)).convert("CMYK")
    read = read_face_image(encode(image, "JPEG", quality=95), image_shape=(4, 4))
    np.testing.assert_allclose(read.astype(int), 200, atol=3)


def test_lab():
    # L is the lightness, 128 of 255; the colour beside it does not count.
    image = Image.merge(
        "LAB", [Image.new("L", (8, 8), level) for level in (128, 9, 70)]
    )
    assert (read_face_image(encode(image, "TIFF"), image_shape=(4, 4)) == 128).all()


def test_one_bit(face):
    read = read_face_image(encode(face.convert("1")), image_shape=(16, 16))
    assert set(np.unique(read)) == {0, 255}


def test_sixteen_bits(face):
    deep = np.asarray(face).astype(np.uint16) * 257
    deep[0, 0] = 65535
    read = read_face_image(encode(Image.fromarray(deep)), image_shape=(16, 16))
    np.testing.assert_array_equal(read.ravel()[1:], np.asarray(face).ravel()[1:])


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "PPM"])
def test_dark_sixteen_bits_stay_dark(format_, face):
    """16 bits are 0 to 65535 even where all levels of a picture are below 256."""
    # Pillow 10.3 writes a PPM of 16 bits only from numbers of 32 bits.
    levels = np.asarray(face).astype(np.int32 if format_ == "PPM" else np.uint16)
    dark = Image.fromarray(levels)
    read = read_face_image(encode(dark, format_), image_shape=(16, 16))
    assert read.max() <= 1
    exif = Image.Exif()
    exif[0x0112] = 6
    read = read_face_image(encode(dark, format_, exif=exif), image_shape=(16, 16))
    assert read.max() <= 1


def test_the_result_can_be_written_to(face):
    for side in (16, 8):
        read_face_image(encode(face), (side, side))[0, 0] = 7


def test_floats_from_0_to_1_and_holes(face):
    values = np.asarray(face, dtype=np.float32) / 255
    values[0, :4] = np.nan, np.inf, -np.inf, 1
    read = read_face_image(
        encode(Image.fromarray(values), "TIFF"), image_shape=(16, 16)
    )
    assert read[0, :4].tolist() == [0, 0, 0, 255]
    np.testing.assert_array_equal(read[1:], np.asarray(face)[1:])


def test_transparent_is_white():
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    assert (read_face_image(encode(image), image_shape=(4, 4)) == 255).all()
    palette = Image.new("L", (8, 8), 3).convert("P")
    assert (
        read_face_image(encode(palette, transparency=3), image_shape=(4, 4)) == 255
    ).all()


def test_turned_as_the_camera_was(face):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees clockwise
    read = read_face_image(encode(face, "PNG", exif=exif), image_shape=(16, 16))
    np.testing.assert_array_equal(read, np.rot90(np.asarray(face), -1))


def test_first_picture_of_an_animation(face):
    other = Image.new("L", face.size, 7)
    file = encode(face, "GIF", save_all=True, append_images=[other], duration=50)
    np.testing.assert_array_equal(read_face_image(file, image_shape=(16, 16)), face)


def test_middle_square_is_cut_out_not_squeezed():
    wide = np.zeros((10, 30), dtype=np.uint8)
    wide[:, 10:20] = 200
    for shape in (wide, wide.T):
        read = read_face_image(encode(Image.fromarray(shape)), image_shape=(10, 10))
        assert (read == 200).all()


@pytest.mark.parametrize("image_shape", [(30, 20), (20, 30), (40, 8)])
def test_oblong_faces_are_cut_out_not_squeezed(image_shape):
    height, width = image_shape
    for shape in ((height, 70), (70, width)):
        image = np.full(shape, 9, dtype=np.uint8)
        top, left = (shape[0] - height) // 2, (shape[1] - width) // 2
        image[top : top + height, left : left + width] = 200
        read = read_face_image(encode(Image.fromarray(image)), image_shape)
        assert read.shape == image_shape
        assert (read == 200).all()


@pytest.mark.parametrize("image_shape", [48, (48,), (0, 48), (48.0, 48), "auto", None])
def test_a_wrong_size_is_refused_before_the_file_is_opened(tmp_path, image_shape):
    for read in (read_face_image, load_image_folder):
        with pytest.raises(FERError, match="image_shape must be a pair of whole numb"):
            read(tmp_path / "nowhere", image_shape=image_shape)


def test_shrinking_averages():
    stripes = np.zeros((480, 480), dtype=np.uint8)
    stripes[:, ::2] = 255
    # Without antialiasing every pixel would be black or white.
    read = read_face_image(encode(Image.fromarray(stripes)), image_shape=(48, 48))
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
    defaults = _image_files.open_image.__kwdefaults__
    monkeypatch.setitem(defaults, "max_pixels", 10100)
    assert read_face_image(file).shape == (48, 48)
    monkeypatch.setitem(defaults, "max_pixels", 10099)
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
        read = read_face_image(io.BytesIO(bytes(content)), image_shape=(8, 8))
    except ImageFileError:
        return
    assert read.shape == (8, 8)
    assert read.dtype == np.uint8


@pytest.fixture
def save(tmp_path, images):
    """Write a synthetic face to a file in the folder that is returned."""

    def save(name, row=0):
        path = tmp_path / "faces" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[row]).save(path)
        return tmp_path / "faces"

    return save


def test_emotion_folders(save, images):
    for row, name in enumerate(["sad/2.png", "sad/1.png", "happy/9.bmp"]):
        folder = save(name, row)
    faces = load_image_folder(folder, image_shape=(16, 16))
    np.testing.assert_array_equal(faces.data, images[[2, 1, 0]])
    assert faces.data.dtype == np.uint8
    assert faces.target.tolist() == [3, 4, 4]
    assert faces.target.dtype == np.int64
    assert faces.target_names == list(EMOTIONS)
    assert faces.usage is None
    assert faces.filenames == [
        str(folder / name) for name in ("happy/9.bmp", "sad/1.png", "sad/2.png")
    ]
    assert faces.errors == {}
    assert "3 faces of 16x16" in faces.DESCR
    oblong = load_image_folder(folder, image_shape=(24, 12))
    assert oblong.data.shape == (3, 24, 12)
    assert "3 faces of 24x12" in oblong.DESCR


def test_folders_and_csv_give_the_same_names(save, faces, images, tmp_path):
    """Alphabetical folder order has neutral before sad; FER2013 has it last."""
    folder_names = [
        "Anger",
        "disgust",
        "FEAR",
        "happiness",
        "sad",
        "surprised",
        "neutral",
    ]
    rows = [int(np.flatnonzero(faces.target == label)[0]) for label in range(7)]
    for label, row in enumerate(rows):
        folder = save(f"{folder_names[label]}/{row}.png", row)
    table = pd.DataFrame({"emotion": faces.target, "pixels": faces.data}).iloc[rows]
    table.to_csv(tmp_path / "faces.csv", index=False)
    from_csv = load_fer2013(tmp_path / "faces.csv")
    from_folder = load_image_folder(folder, image_shape=(16, 16))

    def names_of(bunch, strings):
        names = [bunch.target_names[label] for label in bunch.target]
        return dict(zip(strings, names, strict=True))

    strings = [" ".join(map(str, image.ravel())) for image in from_folder.data]
    assert names_of(from_folder, strings) == names_of(from_csv, from_csv.data)
    assert from_folder.target_names == from_csv.target_names


def test_parts(save):
    for name in ("train/angry/1.png", "train/fear/1.png", "Test/angry/1.png"):
        folder = save(name)
    faces = load_image_folder(folder)
    assert faces.usage.tolist() == ["Test", "train", "train"]
    assert faces.target.tolist() == [0, 0, 2]
    assert faces.data.shape == (3, 48, 48)
    test = load_image_folder(folder, usage="test")
    assert test.usage.tolist() == ["Test"]
    data, target = load_image_folder(folder, usage="train", return_X_y=True)
    assert (data.shape, target.tolist()) == ((2, 48, 48), [0, 2])


def test_synonyms_share_a_label_and_people_may_have_folders(save):
    for name in ("anger/S01/1.png", "angry/2.png", "happy/a/b/3.png"):
        folder = save(name)
    faces = load_image_folder(folder)
    assert faces.target.tolist() == [0, 0, 3]


def test_litter_is_left_out(save):
    folder = save("happy/1.png")
    save("__MACOSX/1.png")
    save(".cache/1.png")
    for name in ("happy/.DS_Store", "happy/Thumbs.db", "README.txt"):
        (folder / name).write_bytes(b"not an image")
    assert load_image_folder(folder).target.tolist() == [3]


def test_damaged_file_in_a_folder(save):
    folder = save("happy/1.png")
    (folder / "happy/2.png").write_bytes(b"")
    (folder / "happy/3.txt").write_bytes(b"notes")
    with pytest.raises(ImageFileError, match=r"2\.png is empty"):
        load_image_folder(folder)
    with pytest.warns(UserWarning, match=r"Left out.*2\.png is empty.* and 1 more"):
        faces = load_image_folder(folder, on_error="skip")
    assert faces.target.tolist() == [3]
    assert list(faces.errors) == [str(folder / "happy" / x) for x in ("2.png", "3.txt")]


def test_names_of_ones_own_come_after_the_emotions(save):
    for name in ("Frustrated/1.png", "happiness/1.png", "contempt/a/1.png"):
        folder = save(name)
    faces = load_image_folder(folder)
    assert faces.target.tolist() == [3, 7, 8]
    assert faces.target_names == [*EMOTIONS, "contempt", "frustrated"]


def test_a_misspelt_emotion_is_told(save):
    save("hapy/1.png")
    folder = save("sad/1.png")
    with pytest.warns(UserWarning, match="'hapy' .* If it means happy, rename it"):
        assert load_image_folder(folder).target.tolist() == [4, 7]


def test_two_classes_of_ones_own(save):
    for name in ("tense/1.png", "calm/1.png", "calm/2.png"):
        folder = save(name)
    faces = load_image_folder(folder)
    assert faces.usage is None
    names = [faces.target_names[label] for label in faces.target]
    assert names == ["calm", "calm", "tense"]


@pytest.mark.parametrize("parts", [("train", "test"), ("fold1", "fold2")])
def test_labels_are_the_same_in_all_parts(save, parts):
    for name in ("tense/1.png", "calm/1.png", "neutral/1.png"):
        save(f"{parts[0]}/{name}")
    folder = save(f"{parts[1]}/Tense/2.png")
    assert load_image_folder(folder).target.size == 4
    last = load_image_folder(folder, usage=parts[1])
    assert last.target.tolist() == [8]
    assert last.target_names == [*EMOTIONS, "calm", "tense"]


def test_images_in_a_folder_for_a_part_are_no_class(save):
    save("train/1.png")
    with pytest.raises(DataFileError, match="has no emotion folders"):
        load_image_folder(save("test/1.png"))


def test_no_emotion_folders(save):
    with pytest.raises(
        DataFileError, match=r"has no emotion folders\. Expected angry, .* of your own"
    ):
        load_image_folder(save("1.png"))


def test_wrong_usage(save):
    folder = save("train/happy/1.png")
    with pytest.raises(DataFileError, match="no folder 'Training'; it has 'train'"):
        load_image_folder(folder, usage="Training")
    with pytest.raises(DataFileError, match="contains emotion folders and no parts"):
        load_image_folder(folder / "train", usage="train")


def test_no_images(tmp_path):
    (tmp_path / "happy").mkdir()
    with pytest.raises(DataFileError, match="no readable image in the folders of"):
        load_image_folder(tmp_path)


def test_wrong_call_for_a_folder(tmp_path):
    with pytest.raises(DataFileError, match="on_error must be 'raise' or 'skip'"):
        load_image_folder(tmp_path, on_error="ignore")
    with pytest.raises(FileNotFoundError):
        load_image_folder(tmp_path / "nowhere")


# --- Files that take far more work than a photo --------------------------------------


def many_scans(n_scans):
    """A progressive JPEG whose last scan is repeated; each repeat has 42 bytes."""
    file = encode(Image.new("L", (5000, 5000)), "JPEG", progressive=True).getvalue()
    scan = file[file.rindex(b"\xff\xda") : -2]
    return file[:-2] + scan * (n_scans - file.count(b"\xff\xda")) + file[-2:]


def png_chunk(kind, data):
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check


def with_chunks(kind, data, n_chunks):
    """A PNG with more chunks after its header."""
    file = encode(Image.new("L", (8, 8))).getvalue()
    return file[:33] + png_chunk(kind, data) * n_chunks + file[33:]


def tiff(**tags):
    """A TIFF of 8-bit grey levels; each tag is a number or a list."""
    numbers = {"width": 256, "height": 257, "bits": 258, "compression": 259}
    numbers |= {"photometric": 262, "offsets": 273, "rows": 278, "sizes": 279}
    numbers |= {"tile_width": 322, "tile_height": 323, "tiles": 324, "tile_sizes": 325}
    tags = {"bits": 8, "photometric": 1, **tags}
    # Its header, 16 bytes of data at 8, the tags, and the lists that they point to.
    place = 26 + 12 * len(tags) + 4
    entries, lists = [], []
    for name in sorted(tags, key=numbers.get):
        values = tags[name] if isinstance(tags[name], list) else [tags[name]]
        value = values[0] if len(values) == 1 else place
        entries.append(struct.pack("<HHII", numbers[name], 4, len(values), value))
        if len(values) > 1:
            lists.append(struct.pack(f"<{len(values)}I", *values))
            place += len(lists[-1])
    head = struct.pack("<2sHI16sH", b"II", 42, 24, zlib.compress(bytes(256)), len(tags))
    return head + b"".join([*entries, bytes(4), *lists])


def run_lengths(n_runs):
    """A BMP of 5000x5000 pixels in runs of one."""
    head = struct.pack("<2sIHHI", b"BM", 0, 0, 0, 1078)
    head += struct.pack("<IiiHHIIiiII", 40, 5000, 5000, 1, 8, 1, 0, 0, 0, 256, 0)
    return head + bytes(1024) + b"\1\0" * n_runs


def with_markers(marker, n_markers):
    file = encode(Image.new("L", (8, 8)), "JPEG").getvalue()
    return file[:2] + marker * n_markers + file[2:]


def with_extensions(n_extensions):
    """A GIF with empty comments between its palette and its picture."""
    file = encode(Image.new("L", (8, 8)), "GIF").getvalue()
    end = 13 + 3 * 2 ** ((file[10] & 7) + 1)
    return file[:end] + b"\x21\xfe\0" * n_extensions + file[end:]


MEGABYTE = zlib.compress(bytes(10**6), 9)
# Seconds that each took before there were limits.
TOO_MUCH_WORK = {
    "500 scans, 14 s": (lambda: many_scans(500), "more than 32 scans"),
    "colour profiles, 3 s": (
        lambda: with_chunks(b"iCCP", b"a\0\0" + MEGABYTE, 1000),
        "more than 32 colour profiles",
    ),
    "strips, 10 s": (
        lambda: tiff(
            width=1, height=10**6, compression=1, rows=1,
            offsets=[8] * 10**6, sizes=[1] * 10**6,
        ),
        "more than 200000 strips",
    ),
    "tiles, 2 s": (
        lambda: tiff(
            width=16, height=16_000, compression=8, tile_width=65536, tile_height=16,
            tiles=[8] * 1000, tile_sizes=[9] * 1000,
        ),
        "its tiles are far larger than the image",
    ),
    "one tile, 2 GB": (
        lambda: tiff(
            width=16, height=16, compression=8, tile_width=46336, tile_height=46336,
            tiles=8, tile_sizes=9,
        ),
        "its tiles are far larger than the image",
    ),
    "chunks, 5 s": (
        lambda: with_chunks(b"prVt", b"", 10**6), "too many small parts"
    ),
    "chunks with data, 5 s": (
        lambda: with_chunks(b"tEXt", b"a\0b", 10**6), "too many small parts"
    ),
    "markers, 3 s": (
        lambda: with_markers(b"\xff\xfe\0\2", 10**6), "too many small parts"
    ),
    "bytes between markers, 3 s": (
        lambda: with_markers(b"\xff", 4 * 10**6), "too many small parts"
    ),
    "extensions, 1 s": (lambda: with_extensions(10**6), "too many small parts"),
    "run lengths, 2 s": (lambda: run_lengths(10**6), "too many small parts"),
}  # fmt: skip


@pytest.mark.parametrize("case", TOO_MUCH_WORK)
def test_too_much_work_is_refused(case):
    make, reason = TOO_MUCH_WORK[case]
    file = io.BytesIO(make())
    start = time.thread_time()
    with pytest.raises(
        ImageFileError, match=f"takes too much work to decode: .*{reason}"
    ):
        read_face_image(file)
    assert time.thread_time() - start < 2


def test_what_encoders_make_is_not_too_much_work(images):
    """A JPEG of 32 scans with a video behind it, and a TIFF of many small tiles."""
    noise = np.random.default_rng(0).integers(0, 256, 10**6, dtype=np.uint8).tobytes()
    file = io.BytesIO(many_scans(32) + noise)
    assert read_face_image(file).shape == (48, 48)
    data = tiff(
        width=2000, height=2000, compression=8, tile_width=16, tile_height=16,
        tiles=[8] * 15625, tile_sizes=[12] * 15625,
    )  # fmt: skip
    assert _image_files.open_image(io.BytesIO(data)).size == (2000, 2000)


@pytest.mark.parametrize("before_end", range(8))
def test_scans_on_the_end_of_a_block_are_counted_once(before_end):
    head = b"\xff\xd8".ljust(2**20 - before_end, b"\0")
    scan = b"\xff\xda\0\x0c\3"
    _image_files._check_parts(io.BytesIO(head + 32 * scan), "a.jpg")
    with pytest.raises(ImageFileError, match=r"a\.jpg .* more than 32 scans"):
        _image_files._check_parts(io.BytesIO(head + 33 * scan), "a.jpg")
