import numpy as np
import pytest

from fer_sklearn.datasets import (
    EMOTIONS,
    join_ferplus,
    load_fer2013,
    load_ferplus,
    make_faces,
)
from fer_sklearn.exceptions import DataFileError

HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,"
    "unknown,NF"
)
ROWS = [
    "Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0",
    "Training,fer0000001.png,1,8,0,0,0,0,0,0,1,0",
    "Training,,0,0,0,0,0,0,0,0,0,10",
    "PublicTest,fer0000002.png,1,0,0,0,0,0,1,8,0,0",
    "PublicTest,fer0000003.png,0,0,0,0,0,0,0,0,9,1",
    "PublicTest,fer0000004.png,5,5,0,0,0,0,0,0,0,0",
]
PIXELS = ["1 1", "2 2", "3 3", "4 4", "4 4", "6 6"]


@pytest.fixture
def votes_csv(tmp_path):
    path = tmp_path / "fer2013new.csv"
    path.write_text("\n".join([HEADER, *ROWS, ""]))
    return path


@pytest.fixture
def fer2013(tmp_path):
    path = tmp_path / "fer2013.csv"
    uses = [row.split(",")[0] for row in ROWS]
    lines = [f"0,{p},{u}" for p, u in zip(PIXELS, uses, strict=True)]
    path.write_text("\n".join(["emotion,pixels,Usage", *lines, ""]))
    return path


def test_votes(votes_csv):
    ferplus = load_ferplus(votes_csv)
    assert ferplus.votes.shape == (6, 10)
    assert ferplus.vote_names == [*EMOTIONS, "contempt", "unknown", "not_a_face"]
    # anger 3, disgust 2, sadness 1, neutral 4
    assert ferplus.votes[0].tolist() == [3, 2, 0, 0, 1, 0, 4, 0, 0, 0]
    assert ferplus.is_face.tolist() == [True, True, False, True, True, True]
    assert "6 faces" in ferplus.DESCR


def test_majority(votes_csv):
    # No absolute majority; happy; not a face; contempt; unknown; a tie.
    assert load_ferplus(votes_csv).target.tolist() == [-1, 3, -1, 7, -1, -1]


@pytest.mark.parametrize("label", range(7))
def test_each_emotion_keeps_its_label(votes_csv, label):
    names = HEADER.split(",")[2:]
    ferplus_name = "anger disgust fear happiness sadness surprise neutral".split()[
        label
    ]
    votes = ["9" if name == ferplus_name else "0" for name in names]
    votes_csv.write_text(f"{HEADER}\nTraining,a.png,{','.join(votes)}\n")
    ferplus = load_ferplus(votes_csv)
    assert ferplus.target.tolist() == [label]
    assert ferplus.vote_names[ferplus.votes[0].argmax()] == EMOTIONS[label]


def test_single_votes_are_slips(votes_csv):
    # 3 of 7 would be no majority; without the single votes it is 3 of 3.
    votes_csv.write_text(f"{HEADER}\nTraining,a.png,3,1,1,1,1,0,0,0,0,0\n")
    assert load_ferplus(votes_csv).target.tolist() == [6]
    votes_csv.write_text(f"{HEADER}\nTraining,a.png,1,1,1,1,1,1,1,1,1,1\n")
    assert load_ferplus(votes_csv).target.tolist() == [-1]


def test_join(fer2013, votes_csv):
    faces = load_fer2013(fer2013)
    joined = join_ferplus(faces, votes_csv)
    assert joined.ferplus_target.tolist() == [-1, 3, -1, 7, -1, -1]
    assert joined.votes.shape == (6, 10)
    assert joined.data is faces.data
    assert "votes" not in faces


def test_join_twice(fer2013, votes_csv):
    once = join_ferplus(load_fer2013(fer2013), votes_csv)
    twice = join_ferplus(once, votes_csv)
    np.testing.assert_array_equal(twice.votes, once.votes)


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({"usage": "PublicTest"}, [3, 4, 5]),
        ({"drop_duplicates": True}, [0, 1, 2, 3, 5]),
    ],
)
def test_chosen_faces_find_their_votes(fer2013, votes_csv, options, rows):
    whole = load_ferplus(votes_csv)
    joined = join_ferplus(load_fer2013(fer2013, **options), whole)
    np.testing.assert_array_equal(joined.votes, whole.votes[rows])
    np.testing.assert_array_equal(joined.is_face, whole.is_face[rows])
    np.testing.assert_array_equal(joined.ferplus_target, whole.target[rows])


def test_file_of_one_part(fer2013, votes_csv):
    lines = fer2013.read_text().splitlines()
    fer2013.write_text("\n".join([lines[0], *lines[4:], ""]))
    faces = load_fer2013(fer2013)
    with pytest.raises(
        DataFileError, match=r"row 0 is of usage 'PublicTest', but .*Tr"
    ):
        join_ferplus(faces, votes_csv)
    votes = load_ferplus(votes_csv, usage="PublicTest")
    assert join_ferplus(faces, votes).ferplus_target.tolist() == [7, -1, -1]


def test_too_few_votes(votes_csv):
    faces = make_faces(7, image_shape=(12, 12), random_state=0)
    with pytest.raises(DataFileError, match=r"row 6 .* have 6 rows.*same order"):
        join_ferplus(faces, votes_csv)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("contempt,", "", "no column for contempt. Expected the columns"),
        ("Usage,", "use,", "no column for Usage"),
        (",8,", ",-8,", "Row 1 of .* has -8 votes for happy, expected a whole number"),
        (",8,", ",many,", "Row 1 of .* has many votes for happy"),
        (",8,", ",1.5,", r"Row 1 of .* has 1.5 votes for happy"),
        (",5,5,0,0,0,0,0,0,0,0", ",5,5,0,0", "Row 5 .*may be cut off"),
    ],
)
def test_bad_votes(votes_csv, old, new, message):
    text = votes_csv.read_text()
    if old == "contempt,":
        # The column goes, and with it one value of each row.
        text = "\n".join(
            line.rsplit(",", 3)[0] + "," + ",".join(line.split(",")[-2:])
            for line in text.splitlines()
        )
    votes_csv.write_text(text.replace(old, new, 1))
    with pytest.raises(DataFileError, match=message):
        load_ferplus(votes_csv)


def test_unknown_usage(votes_csv):
    with pytest.raises(DataFileError, match="it has 'Training', 'PublicTest'"):
        load_ferplus(votes_csv, usage="Test")
