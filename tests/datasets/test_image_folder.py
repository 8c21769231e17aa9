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


def test_names_of_ones_own_come_after_the_emotions(save):
    for name in ("Frustrated/1.png", "happiness/1.png", "contempt/a/1.png"):
        folder = save(name)
    faces = load_image_folder(folder)
    assert faces.target.tolist() == [3, 7, 8]
    assert faces.target_names == [*EMOTIONS, "contempt", "frustrated"]


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


def test_pictures_in_a_folder_for_a_part_are_no_class(save):
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
    with pytest.raises(DataFileError, match="has emotion folders at once"):
        load_image_folder(folder / "train", usage="train")


def test_no_images(tmp_path):
    (tmp_path / "happy").mkdir()
    with pytest.raises(DataFileError, match="no readable image in the folders of"):
        load_image_folder(tmp_path)


def test_wrong_call(tmp_path):
    with pytest.raises(DataFileError, match="on_error must be 'raise' or 'skip'"):
        load_image_folder(tmp_path, on_error="ignore")
    with pytest.raises(FileNotFoundError):
        load_image_folder(tmp_path / "nowhere")
