import bz2
import gzip
import lzma
import tarfile
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fer_sklearn.datasets import (
    EMOTIONS,
    load_fer2013,
    make_faces,
    write_pixel_strings,
)
from fer_sklearn.exceptions import DataFileError

ROWS = [
    (0, "1 2 3 4", "Training"),
    (3, "5 6 7 8", "Training"),
    (6, "1 2 3 4", "PublicTest"),
    (4, "9 9 9 9", "PublicTest"),
    (4, "9 9 9 9", "PrivateTest"),
]
TEXT = "emotion,pixels,Usage\n" + "".join(f"{e},{p},{u}\n" for e, p, u in ROWS)


@pytest.fixture
def write(tmp_path):
    def write(content, name="fer2013.csv"):
        path = tmp_path / name
        data = content if isinstance(content, bytes) else content.encode()
        path.write_bytes(data)
        return path

    return write


def load(write, content, **options):
    return load_fer2013(write(content), **options)


def test_bunch(write):
    faces = load(write, TEXT)
    assert_all_rows(faces)
    assert faces.target.dtype == np.int64
    assert faces.target_names == list(EMOTIONS)
    assert faces.rows.tolist() == [0, 1, 2, 3, 4]
    assert "5 grey-scale" in faces.DESCR


def test_same_faces_as_were_written(tmp_path):
    made = make_faces(20, image_shape=(12, 12), random_state=0)
    table = pd.DataFrame(
        {"emotion": made.target, "pixels": made.data, "Usage": made.usage}
    )
    table.to_csv(tmp_path / "faces.csv", index=False)
    read = load_fer2013(tmp_path / "faces.csv")
    assert read.data.tolist() == made.data.tolist()
    assert read.data.dtype == made.data.dtype
    np.testing.assert_array_equal(read.target, made.target)
    assert read.usage.tolist() == made.usage.tolist()


def test_icml_face_data(write):
    # Another order, leading blanks in the names, and the line ends of Windows.
    lines = ["emotion, Usage, pixels", *(f"{e},{u},{p}" for e, p, u in ROWS)]
    assert_all_rows(load(write, "\r\n".join(lines)))


def test_quotes_and_byte_order_mark(write):
    lines = ["\ufeffemotion,pixels,Usage", *(f'{e},"{p}","{u}"' for e, p, u in ROWS)]
    assert_all_rows(load(write, "\n".join(lines)))


def assert_all_rows(faces):
    assert faces.data.tolist() == [p for _, p, _ in ROWS]
    assert faces.target.tolist() == [e for e, _, _ in ROWS]
    assert faces.usage.tolist() == [u for _, _, u in ROWS]


def test_train_csv_of_the_challenge(write):
    faces = load(write, "emotion,pixels\n0,1 2 3 4\n2,5 6 7 8\n")
    assert faces.target.tolist() == [0, 2]
    assert faces.usage is None


def test_test_csv_of_the_challenge(write):
    faces = load(write, "pixels\n1 2 3 4\n5 6 7 8\n")
    assert faces.target is None
    assert faces.data.tolist() == ["1 2 3 4", "5 6 7 8"]
    data, target = load(write, "pixels\n1 2 3 4\n", return_X_y=True)
    assert (len(data), target) == (1, None)


@pytest.mark.parametrize(
    ("ending", "pack"),
    [(".gz", gzip.compress), (".xz", lzma.compress), (".bz2", bz2.compress)],
)
def test_packed(write, ending, pack):
    path = write(pack(TEXT.encode()), "fer2013.csv" + ending)
    assert load_fer2013(path).target.tolist() == [0, 3, 6, 4, 4]
    # A download that broke off.
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataFileError, match=r"cannot be unpacked.*download it again"):
        load_fer2013(path)
    path.write_bytes(b"no archive at all")
    with pytest.raises(DataFileError, match="cannot be unpacked"):
        load_fer2013(path)


def test_zip_with_litter(tmp_path):
    path = tmp_path / "fer2013.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fer2013/fer2013.csv", TEXT)
        archive.writestr("fer2013/README", "about")
        archive.writestr("__MACOSX/fer2013/._fer2013.csv", b"\0\1\2")
    assert load_fer2013(path).target.tolist() == [0, 3, 6, 4, 4]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("train.csv", TEXT)
    with pytest.raises(
        DataFileError, match=r"it contains fer2013/fer2013.csv, train.csv. Unpack it"
    ):
        load_fer2013(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataFileError, match="cannot be unpacked"):
        load_fer2013(path)


def test_tar_of_the_first_distribution(tmp_path, write):
    csv = write(TEXT)
    path = tmp_path / "fer2013.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(csv, "fer2013/fer2013.csv")
        archive.add(csv, "fer2013/fer2013.bib")
    assert load_fer2013(path).target.tolist() == [0, 3, 6, 4, 4]
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataFileError, match="cannot be unpacked"):
        load_fer2013(path)


def test_usage(write):
    faces = load(write, TEXT, usage="PublicTest")
    assert faces.data.tolist() == ["1 2 3 4", "9 9 9 9"]
    assert faces.data.index.tolist() == faces.usage.index.tolist() == [0, 1]
    assert faces.target.tolist() == [6, 4]
    assert faces.rows.tolist() == [2, 3]
    both = load(write, TEXT, usage=["Training", "PrivateTest"])
    assert both.rows.tolist() == [0, 1, 4]


def test_unknown_usage(write):
    with pytest.raises(
        DataFileError,
        match=r"no rows of usage 'train'; it has 'Training' \(2 rows\), 'PublicTest' ",
    ):
        load(write, TEXT, usage="train")
    with pytest.raises(DataFileError, match=r"no Usage column.* Leave usage=None"):
        load(write, "emotion,pixels\n0,1 2 3\n", usage="Training")


def test_drop_duplicates(write):
    # The first copy stays, with its own label.
    faces = load(write, TEXT, drop_duplicates=True)
    assert faces.rows.tolist() == [0, 1, 3]
    assert faces.target.tolist() == [0, 3, 4]
    assert faces.usage.tolist() == ["Training", "Training", "PublicTest"]
    # Copies are looked for among the chosen rows.
    faces = load(write, TEXT, usage="PublicTest", drop_duplicates=True)
    assert faces.rows.tolist() == [2, 3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"is empty\. Expected a csv"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "is not a text file in UTF-8"),
        (TEXT.encode("utf-16"), "save it as CSV UTF-8"),
        ("<html><body>Sign in</body></html>", "has no pixels column"),
        ("a,b\n1,2\n1,2,3,4\n", r"is not a csv or is cut off .*line 3"),
        (TEXT.replace(",", ";"), r"columns are: emotion;pixels;us.*separated by comm"),
        (TEXT.split("\n", 1)[1], "named in the first line"),
        ("emotion,pixels,Usage\n", "no rows"),
        ("emotion,pixels\n0,1 2 3,Training\n", "more values in a row than names"),
        ("pixels, PIXELS,emotion\n1 2,1 2,0\n", "two columns called .pixels."),
        ("emotion,pixels\n0,123\n", "Row 0 of .* has .*123.* for pixels"),
        ("emotion,pixels\n0,1 2\n7,1 2\n", r"Row 1 of .* has the emotion 7, expected"),
        ("emotion,pixels\n0,1 2\n-1,1 2\n", r"emotion -1, expected 0 angry, 1 disgust"),
        ("emotion,pixels\n2.5,1 2\n1,1 2\n", r"Row 0 .* has the emotion 2.5"),
        ("emotion,pixels\n1,1 2\nhappy,1 2\n", r"Row 1 .* has the emotion happy"),
        ("emotion,pixels\n,1 2\n1,1 2\n", r"Row 0 of .* has no emotion\. Fill it in"),
        ("emotion,pixels\n1,\n1,1 2\n", "Row 0 of .* has no pixels"),
    ],
)
def test_bad_file(write, content, message):
    with pytest.raises(DataFileError, match=message) as error:
        load(write, content)
    assert "fer2013.csv" in str(error.value)


# Every place where a download can break off, but for those that leave a whole row.
@pytest.mark.parametrize(
    "last", ["4", "4,", "4,9 9", "4,9 9 9 9,", "4,9 9 9 9,Priv", '4,"9 9']
)
def test_cut_off(write, last):
    complete = "\n".join(TEXT.splitlines()[:-1])
    with pytest.raises(DataFileError, match=r"cut off.*(delete that row|again)"):
        load(write, f"{complete}\n{last}")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_fer2013(tmp_path / "nowhere.csv")
    with pytest.raises(DataFileError, match=r"is a folder.*load_image_folder"):
        load_fer2013(tmp_path)


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.one_of(
        st.binary(max_size=80),
        st.text(max_size=80).map(str.encode),
        st.text("0123456789 ,\n\"'-.eE\0\t", max_size=60).map(
            lambda body: f"emotion,pixels,Usage\n{body}".encode()
        ),
    )
)
def test_anything_is_read_or_refused(tmp_path, content):
    path = tmp_path / "anything.csv"
    path.write_bytes(content)
    try:
        faces = load_fer2013(path)
    except DataFileError:
        return
    assert len(faces.data) == len(faces.rows) > 0
    assert faces.target is None or set(faces.target) <= set(range(7))


@pytest.mark.real_data
def test_real_file(fer2013_csv):
    faces = load_fer2013(fer2013_csv, usage="Training")
    assert len(faces.data) == 28_709
    # The numbers that every paper on the data gives.
    expected = [3995, 436, 4097, 7215, 4830, 3171, 4965]
    assert np.bincount(faces.target).tolist() == expected


def test_written_strings_against_join():
    images = np.random.default_rng(0).integers(0, 256, (20, 5, 7)).astype(np.uint8)
    images[0] = 0
    expected = [" ".join(map(str, image.ravel())) for image in images]
    assert write_pixel_strings(images) == expected
    assert write_pixel_strings(images[:, :, ::-1])[3] != expected[3]
    assert write_pixel_strings(images[:0]) == []


def test_only_grey_levels_are_written():
    with pytest.raises(TypeError, match="must be uint8 grey levels, got float64"):
        write_pixel_strings(np.zeros((2, 4, 4)))
