import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_sklearn.datasets import EMOTIONS, load_fer2013, load_image_folder
from fer_sklearn.exceptions import DataFileError, ImageFileError


@pytest.fixture
def save(tmp_path, images):
    """Write one of the drawn faces to a place under the folder that is returned."""

    def save(name, row=0):
        path = tmp_path / "faces" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[row]).save(path)
        return tmp_path / "faces"

    return save


def test_emotion_folders(save, images):
    for row, name in enumerate(["sad/2.png", "sad/1.png", "happy/9.bmp"]):
        folder = save(name, row)
    faces = load_image_folder(folder, image_size=16)
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
    from_folder = load_image_folder(folder, image_size=16)

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


def test_damaged_file(save):
    folder = save("happy/1.png")
    (folder / "happy/2.png").write_bytes(b"")
    (folder / "happy/3.txt").write_bytes(b"notes")
    with pytest.raises(ImageFileError, match=r"2\.png is empty"):
        load_image_folder(folder)
    with pytest.warns(UserWarning, match=r"Left out.*2\.png is empty.* and 1 more"):
        faces = load_image_folder(folder, on_error="skip")
    assert faces.target.tolist() == [3]
    assert list(faces.errors) == [str(folder / "happy" / x) for x in ("2.png", "3.txt")]


def test_unknown_emotion_folder(save):
    folder = save("train/happy/1.png")
    save("train/contempt/1.png")
    with pytest.raises(
        DataFileError, match=r"contempt is not the folder of an emotion.*rename or move"
    ):
        load_image_folder(folder)


@pytest.mark.parametrize("name", ["1.png", "contempt/1.png"])
def test_no_emotion_folders(save, name):
    with pytest.raises(
        DataFileError, match=r"has no emotion folders\. Expected angry, "
    ):
        load_image_folder(save(name))


def test_wrong_usage(save):
    folder = save("train/happy/1.png")
    with pytest.raises(DataFileError, match="no folder 'Training'; it has 'train'"):
        load_image_folder(folder, usage="Training")
    with pytest.raises(DataFileError, match="has emotion folders at once"):
        load_image_folder(folder / "train", usage="train")


def test_no_images(tmp_path):
    (tmp_path / "happy").mkdir()
    with pytest.raises(DataFileError, match="no readable image in the emotion folders"):
        load_image_folder(tmp_path)


def test_wrong_call(tmp_path):
    with pytest.raises(DataFileError, match="on_error must be 'raise' or 'skip'"):
        load_image_folder(tmp_path, on_error="ignore")
    with pytest.raises(FileNotFoundError):
        load_image_folder(tmp_path / "nowhere")
