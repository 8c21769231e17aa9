"""PixelStringTransformer: what it reads, what it refuses, and with which words."""

import collections
import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.validation import check_is_fitted

from fer_sklearn import PixelStringTransformer, _pixel_strings
from fer_sklearn.exceptions import PixelStringError

STRINGS = ["0 1 2 30 4 5", "250 251 252 253 254 255", "9 99 100 199 200 7"]
LEVELS = np.array([[int(word) for word in text.split()] for text in STRINGS])
LEVELS = LEVELS.reshape(3, 2, 3)


@pytest.fixture
def reader():
    return PixelStringTransformer(image_shape=(2, 3))


FORMS = {
    "list": list,
    "tuple": tuple,
    "deque": collections.deque,
    "numpy str": np.array,
    "numpy object": lambda rows: np.array(rows, dtype=object),
    "numpy column": lambda rows: np.array(rows)[:, None],
    "Series": lambda rows: pd.Series(rows, index=[7, 7, 3]),
    "Series of objects": lambda rows: pd.Series(rows, dtype=object),
    "Series string[python]": lambda rows: pd.Series(rows, dtype="string[python]"),
    "pandas array": lambda rows: pd.array(rows, dtype="string[python]"),
    "data frame": lambda rows: pd.DataFrame({"pixels": rows}),
    "grey levels": lambda rows: LEVELS,
    "grey levels as uint8": lambda rows: LEVELS.astype(np.uint8),
    "lists of grey levels": lambda rows: LEVELS.tolist(),
    "list of pictures": lambda rows: list(LEVELS),
    "Index": pd.Index,
    "Index of objects": lambda rows: pd.Index(rows, dtype=object),
}


@pytest.mark.parametrize("form", FORMS)
def test_reads_every_form_of_a_column(reader, form):
    faces = reader.fit_transform(FORMS[form](STRINGS))
    assert faces.dtype == np.uint8
    np.testing.assert_array_equal(faces, LEVELS)


def test_the_cure_for_a_column_of_lists(reader):
    X = pd.Series(LEVELS.reshape(3, 6).tolist())
    with pytest.raises(PixelStringError, match="Make one array: ") as error:
        reader.transform(X)
    cure = str(error.value).partition("Make one array: ")[2].rstrip(".")
    faces = reader.transform(eval(cure, {"np": np, "X": X}))
    np.testing.assert_array_equal(faces, LEVELS)


def test_reads_a_column_that_is_backed_by_arrow(reader):
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    column = pd.Series(STRINGS, dtype="string[pyarrow]")
    np.testing.assert_array_equal(reader.transform(column), LEVELS)
    column[1] = None
    with pytest.raises(PixelStringError, match="Row 1 of X is <NA>"):
        reader.transform(column)


@pytest.mark.parametrize(
    "text",
    [
        "0  1 2 30 4 5",
        " 0 1 2 30 4 5 ",
        "0\t1\t2\t30\t4\t5",
        "0 1 2\n30 4 5\r\n",
        "000 001 2 0030 4 5",
        "0 1 2 30 4 " + "0" * 5000 + "5",
        "0\u00a01 2 30 4\u20035",
    ],
)
def test_reads_harmless_blanks_and_zeros(reader, text):
    faces = reader.transform([STRINGS[1], text])
    np.testing.assert_array_equal(faces, LEVELS[[1, 0]])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1 2 3 4 5", r"Row 2 of X has 5 grey levels, expected 6 \(2x3\). If your f"),
        ("1 2 3 4 5 6 7", "Row 2 of X has 7 grey levels, expected 6"),
        ("", "Row 2 of X has 0 grey levels"),
        (" \t\n", "Row 2 of X has 0 grey levels"),
        ("1 2 x 4 5 6", "Row 2 of X has 'x' as grey level 2, expected a whole number"),
        ("1 2 -3 4 5 6", "has '-3' as grey level 2"),
        ("1 2 +3 4 5 6", r"has '\+3' as grey level 2"),
        ("1 2 3 4 5 256", "has '256' as grey level 5, expected a whole.*0 to 255"),
        ("1 2 3 4 5 300", "has '300' as grey level 5"),
        ("1 2 3 4 5 1000", "has '1000' as grey level 5"),
        ("1 2.5 3 4 5 6", "has '2.5' as grey level 1"),
        ("1e2 2 3 4 5 6", "has '1e2' as grey level 0"),
        ("1,2,3,4,5,6", "has '1,2,3,4,5,6' as grey level 0"),
        ("1_0 2 3 4 5 6", "has '1_0' as grey level 0"),
        ("1 2 3 4 5 \u0663", "as grey level 5"),
        ("1 2 3 4 5 \u00b2", "as grey level 5"),
        ("1 2 3 4 5 6\0", "as grey level 5"),
        ("9" * 5000, r"has '9{36}\.\.\. as grey level 0"),
        (None, "Row 2 of X is None of type NoneType, expected a string"),
        (float("nan"), "Row 2 of X is nan of type float"),
        (pd.NA, "Row 2 of X is <NA> .* Drop or fill missing rows"),
        (12, "Row 2 of X is 12 of type int.* Check that X is the column of pixel"),
        (b"1 2 3 4 5 6", r"Row 2 of X is b'1 2 3 4 5 6' of type bytes.*row\.decode"),
        ([1, 2, 3, 4, 5, 6], r"Row 2 of X is .* of type list.*reshape\(-1, 2, 3\)"),
    ],
)
@pytest.mark.parametrize("n_before", [0, 100])
def test_names_the_bad_row(reader, row, message, n_before):
    before = [STRINGS[0]] * n_before
    message = message.replace("Row 2 ", f"Row {n_before + 2} ")
    with pytest.raises(PixelStringError, match=message):
        reader.transform([*before, *STRINGS[:2], row, STRINGS[2], "and another"])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([], "X has 0 rows"),
        (np.empty((0, 2, 3), dtype=np.uint8), "X has 0 rows"),
        (pd.Series([], dtype=object), "X has 0 rows"),
        (STRINGS[0], "X is a single string. Put it into a list"),
        (None, "X is a NoneType, expected a sequence"),
        (5, "X is a int, expected a sequence"),
        ((text for text in STRINGS), "X is a generator, expected a sequence"),
        (LEVELS.reshape(3, 6), r"X has shape \(3, 6\).*X.reshape\(-1, height, width\)"),
        (np.array([STRINGS, STRINGS]), r"X has shape \(2, 3\)"),
        (pd.DataFrame({"pixels": STRINGS, "emotion": 1}), r"2 columns.*X\['pixels'\]"),
        (LEVELS / 255, r"3-D array of float64.*\.astype\('uint8'\)"),
        (LEVELS[:, :, :2], r"shape \(3, 2, 2\), expected.*\(n_samples, 2, 3\)"),
        (LEVELS + 1, r"Row 1 of X has the grey level 256 at pixel \(1, 2\)"),
        (LEVELS - 1, r"Row 0 of X has the grey level -1 at pixel \(0, 0\)"),
        ([LEVELS[0], LEVELS[1][:1]], "list of pictures of different sizes"),
        (LEVELS[:, None], r"shape \(3, 1, 2, 3\).*axis for channels: X\[:, 0\]"),
        (LEVELS[..., None], r"shape \(3, 2, 3, 1\).*channels: X\[\.\.\., 0\]"),
        (np.stack([LEVELS] * 3, axis=3), "Convert colours to grey first"),
        (np.array(3), r"X has shape \(\)"),
    ],
)
def test_says_which_form_it_expected(reader, X, message):
    with pytest.raises(PixelStringError, match=message):
        reader.fit_transform(X)


@pytest.mark.parametrize("shape", [(48,), (0, 48), (48.0, 48), (1, 2, 3)])
def test_refuses_an_impossible_image_shape(shape):
    with pytest.raises(PixelStringError, match=r"image_shape must be 'auto' or.*got"):
        PixelStringTransformer(image_shape=shape).fit(STRINGS)


class TestAutomaticShape:
    def test_follows_the_first_face(self):
        reader = PixelStringTransformer()
        assert reader.transform(["1 2 3 4"]).shape == (1, 2, 2)
        assert reader.transform(["7"]).shape == (1, 1, 1)
        assert reader.fit(["1 2 3 4"]).image_shape_ == (2, 2)
        assert reader.fit(np.zeros((3, 2, 5), dtype=int)).image_shape_ == (2, 5)

    def test_remembers_what_it_was_fitted_on(self):
        reader = PixelStringTransformer().fit(["1 2 3 4"])
        with pytest.raises(PixelStringError, match=r"Row 0 of X has 1 .* expected 4"):
            reader.transform(["7"])
        assert reader.fit(["7"]).transform(["8"]).tolist() == [[[8]]]
        assert reader.inverse_transform([[9]]).tolist() == ["9"]

    def test_names_of_flat_faces_need_a_fit(self):
        reader = PixelStringTransformer(flatten=True)
        with pytest.raises(NotFittedError):
            reader.get_feature_names_out()
        assert len(reader.fit(["1 2 3 4"]).get_feature_names_out()) == 4

    @pytest.mark.parametrize("text", ["", "1 2 3", " ".join(["7"] * 2303)])
    def test_a_face_that_is_not_square_needs_a_shape(self, text):
        match = r"Row 0 of X has \d+ grey levels.*set image_shape=\(height, width\)"
        with pytest.raises(PixelStringError, match=match):
            PixelStringTransformer().fit([text])


def test_errors_say_where_and_why_as_attributes(reader):
    with pytest.raises(PixelStringError) as caught:
        reader.transform([*STRINGS, "1 2"])
    error = pickle.loads(pickle.dumps(caught.value))
    assert error.row == len(STRINGS)
    assert error.reason == "has 2 grey levels, expected 6 (2x3)"
    assert error.cure.startswith("If your faces have another size")
    assert str(error) == f"Row {error.row} of X {error.reason}. {error.cure}"


def obvious(text):
    """Read a row of two grey levels with `int`, or give None."""
    try:
        levels = [int(word) for word in text.split()]
    except ValueError:
        return None
    return levels if len(levels) == 2 and all(0 <= n <= 255 for n in levels) else None


rows = st.one_of(
    st.text(),
    st.text(alphabet="0123456789 \t\n.-+_e,\u0663\u00a0", max_size=12),
    st.lists(st.integers(-2, 300), min_size=1, max_size=3).map(
        lambda levels: " ".join(map(str, levels))
    ),
    st.tuples(st.integers(0, 255), st.integers(0, 255)).map("{0[0]} {0[1]}".format),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(rows, min_size=1, max_size=5))
def test_reads_as_int_does_or_raises_its_own_error(texts):
    expected = [obvious(text) for text in texts]
    reader = PixelStringTransformer(image_shape=(1, 2), flatten=True)
    try:
        faces = reader.fit_transform(texts)
    except PixelStringError:
        # int() also takes signs, underscores and the digits of other scripts.
        plain = [set(text) <= set("0123456789 \t\n") for text in texts]
        assert not all(plain) or None in expected
    else:
        assert faces.tolist() == expected


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.text(), st.none(), st.floats(), st.binary()), max_size=4))
def test_refuses_anything_else_with_its_own_error(values):
    with pytest.raises(PixelStringError):
        PixelStringTransformer(image_shape=(7, 7)).fit_transform(values)


def test_ordinary_rows_are_read_all_at_once(monkeypatch, images):
    """The path that looks at one row at a time is for what is out of the ordinary."""
    reader = PixelStringTransformer(image_shape=images.shape[1:])
    strings = reader.inverse_transform(images)
    strings[5] = strings[5].replace(" ", "\t") + "\n"
    monkeypatch.setattr(_pixel_strings, "_read_row", None)
    np.testing.assert_array_equal(reader.transform(strings), images)


@pytest.mark.parametrize("n_rows", [1, 31, 32, 33, 65])
def test_fast_and_slow_reading_agree(monkeypatch, n_rows):
    rng = np.random.default_rng(n_rows)
    levels = rng.integers(0, 256, (n_rows, 5, 7))
    strings = [" ".join(map(str, face.ravel())) for face in levels]
    reader = PixelStringTransformer(image_shape=(5, 7))
    np.testing.assert_array_equal(reader.transform(strings), levels)
    monkeypatch.setattr(_pixel_strings, "_read_fast", lambda rows, out: False)
    np.testing.assert_array_equal(reader.transform(strings), levels)


def test_one_row_short_and_the_next_long_do_not_cancel_out(reader):
    with pytest.raises(PixelStringError, match="Row 0 of X has 5 grey levels"):
        reader.transform(["1 2 3 4 5", "1 2 3 4 5 6 7"])


def test_inverse_transform_writes_what_transform_reads(reader, faces):
    assert reader.inverse_transform(LEVELS).tolist() == STRINGS
    flat = clone(reader).set_params(flatten=True)
    assert flat.inverse_transform(flat.transform(STRINGS)).tolist() == STRINGS
    reader.set_params(image_shape=(16, 16))
    pixels = reader.transform(faces.data)
    assert reader.inverse_transform(pixels).tolist() == list(faces.data)


@pytest.mark.parametrize("X", [LEVELS / 2, LEVELS + 1, LEVELS.reshape(2, 3, 3)])
def test_inverse_transform_refuses_what_is_no_grey_level(reader, X):
    with pytest.raises(PixelStringError, match=r"expected"):
        reader.inverse_transform(X)


def test_flat_faces_have_names_and_data_frames(reader):
    flat = PixelStringTransformer(image_shape=(2, 3), flatten=True)
    names = ["pixel0_0", "pixel0_1", "pixel0_2", "pixel1_0", "pixel1_1", "pixel1_2"]
    assert flat.get_feature_names_out().tolist() == names
    frame = flat.set_output(transform="pandas").fit_transform(pd.Series(STRINGS))
    assert list(frame.columns) == names
    np.testing.assert_array_equal(frame, LEVELS.reshape(3, 6))
    assert not hasattr(reader, "get_feature_names_out")


def test_pictures_stay_arrays_whatever_output_is_asked_for(reader):
    with sklearn.config_context(transform_output="pandas"):
        assert isinstance(reader.fit_transform(STRINGS), np.ndarray)
    assert reader.set_output(transform="pandas") is reader
    assert isinstance(reader.fit_transform(STRINGS), np.ndarray)
    # The choice is kept, for when there are columns.
    flat = clone(reader).set_params(flatten=True)
    assert isinstance(flat.fit_transform(STRINGS), pd.DataFrame)
    flat.set_output(transform=None)
    assert isinstance(flat.fit_transform(STRINGS), pd.DataFrame)


def test_feeds_any_estimator(faces):
    flat = PixelStringTransformer(image_shape=(16, 16), flatten=True)
    model = make_pipeline(flat, PCA(20, random_state=0), SVC())
    assert model.fit(faces.data, faces.target).score(faces.data, faces.target) > 0.5


def test_reads_one_column_of_a_frame_with_others(faces):
    frame = pd.DataFrame({"pixels": faces.data, "emotion": faces.target})
    flat = PixelStringTransformer(image_shape=(16, 16), flatten=True)
    columns = make_column_transformer((flat, "pixels"))
    assert columns.fit_transform(frame).shape == (210, 256)
    assert columns.get_feature_names_out()[-1].endswith("__pixel15_15")


def test_needs_no_fit(reader):
    try:
        check_is_fitted(reader)
    except NotFittedError:  # pragma: no cover
        pytest.fail("a stateless transformer counts as fitted")
    assert not get_tags(reader).requires_fit
    np.testing.assert_array_equal(reader.transform(STRINGS), LEVELS)


def test_tags_tell_the_truth(reader):
    tags = get_tags(reader).input_tags
    assert tags.string and tags.one_d_array and tags.three_d_array
    assert not tags.two_d_array


# scikit-learn runs a single check on an estimator of strings, because the others hand
# in arrays of floats. These work whatever X is, so they run by name.
SHAPE_FREE_CHECKS = [
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_sparse_tag",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_param_validation",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
]


@pytest.mark.parametrize("name", SHAPE_FREE_CHECKS)
@pytest.mark.parametrize("flatten", [False, True])
def test_passes_the_checks_that_work_for_any_input(name, flatten):
    check = getattr(estimator_checks, name)
    check("PixelStringTransformer", PixelStringTransformer(flatten=flatten))


@pytest.mark.filterwarnings(
    # Said by scikit-learn of every estimator of strings; remove when it no longer does.
    "ignore:Can't test estimator PixelStringTransformer"
)
def test_passes_check_estimator():
    results = estimator_checks.check_estimator(PixelStringTransformer())
    assert results and all(result["status"] == "passed" for result in results)


@pytest.mark.real_data
def test_reads_real_faces_as_int_does(fer2013_csv):
    column = pd.read_csv(fer2013_csv, nrows=500).pixels
    faces = PixelStringTransformer(flatten=True).fit_transform(column)
    expected = [[int(word) for word in text.split()] for text in column]
    np.testing.assert_array_equal(faces, expected)
