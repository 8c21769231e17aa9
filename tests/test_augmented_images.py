"""The lazy view: what it samples, and that scikit-learn takes it for an array."""

import multiprocessing
import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils import check_array, indexable

from fer_sklearn import RandomAffineAugmenter
from fer_sklearn._augmented_images import AugmentedImages


@pytest.fixture
def view(images):
    return RandomAffineAugmenter(random_state=0).fit_transform(images)


@pytest.fixture
def sampled(view):
    """All images, sampled for epoch 3 at once."""
    return view.sample(epoch=3)


def test_epochs_see_different_images(view):
    first, second = view.sample(epoch=0), view.sample(epoch=1)
    assert (first != second).reshape(len(view), -1).any(axis=1).all()
    np.testing.assert_array_equal(first, view.sample(epoch=0))


def test_images_of_an_epoch_are_changed_each_in_its_own_way(view, images):
    same = np.broadcast_to(images[:1], images.shape)
    settings = view.settings | {"erasing_probability": 0}
    view = AugmentedImages(same, image_shape=(16, 16), settings=settings, seed=1)
    assert len(np.unique(view.sample().reshape(len(same), -1), axis=0)) == len(same)


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_samples_do_not_depend_on_batches(view, sampled, batch_size):
    order = np.random.default_rng(0).permutation(len(view))
    for start in range(0, len(view), batch_size):
        batch = order[start : start + batch_size]
        np.testing.assert_array_equal(view.sample(batch, epoch=3), sampled[batch])


def test_samples_do_not_depend_on_what_was_sampled_before(view, sampled):
    view.sample([0], epoch=7)
    view[10:20].sample(epoch=5)
    np.testing.assert_array_equal(view.sample([12, 12, -1], 3), sampled[[12, 12, -1]])


@pytest.mark.parametrize("n_jobs", [2, 3, -1])
@pytest.mark.parametrize("backend", ["scipy", "torch"])
def test_samples_do_not_depend_on_threads(images, backend, n_jobs):
    one, several = (
        RandomAffineAugmenter(random_state=0, backend=backend, n_jobs=n)
        .fit_transform(images)
        .sample(epoch=3)
        for n in (1, n_jobs)
    )
    np.testing.assert_array_equal(one, several)


@pytest.mark.parametrize("n_rows", [1, 2, 100])
def test_samples_do_not_depend_on_the_rows_after(images, sampled, n_rows):
    augmenter = RandomAffineAugmenter(random_state=0)
    view = augmenter.fit_transform(images[:n_rows])
    np.testing.assert_array_equal(view.sample(epoch=3), sampled[:n_rows])


SELECTIONS = {
    "slice": np.s_[20:60:2],
    "array": np.array([5, 3, 200, 5]),
    "list": [9, 8],
    "negative": [-1, -2],
    "mask": np.arange(210) % 3 == 0,
    "nothing": [],
    "nothing as array": np.array([], dtype=int),
}


@pytest.mark.parametrize("selection", SELECTIONS.values(), ids=SELECTIONS)
def test_parts_keep_their_rows(view, sampled, images, selection):
    part = view[selection]
    if isinstance(selection, list):
        selection = np.array(selection, dtype=int)
    assert isinstance(part, AugmentedImages)
    assert part.shape == sampled[selection].shape
    np.testing.assert_array_equal(part.sample(epoch=3), sampled[selection])
    np.testing.assert_array_equal(part.images, images[selection])
    np.testing.assert_array_equal(part.rows, np.arange(210)[selection])


def test_parts_of_parts_keep_their_rows(view, sampled):
    part = view[50:150][[7, 3, 90]][1:]
    np.testing.assert_array_equal(part.sample(epoch=3), sampled[[53, 140]])
    np.testing.assert_array_equal(part.sample([1], epoch=3), sampled[[140]])


def test_looks_like_the_array_it_becomes(view, images):
    array = np.asarray(view)
    assert view.shape == array.shape == images.shape
    assert view.dtype == array.dtype == np.uint8
    assert view.ndim == 3
    assert len(view) == len(images)
    np.testing.assert_array_equal(array, view.sample(epoch=0))
    np.testing.assert_array_equal(view[4], array[4])
    np.testing.assert_array_equal(view[-1], array[-1])
    np.testing.assert_array_equal(view[2:5, 1], array[2:5, 1])
    assert np.asarray(view, dtype=np.float32).dtype == np.float32
    assert sum(1 for _ in view) == len(view)
    assert repr(view) == "<AugmentedImages: 210 images of 16x16, uint8>"


def test_is_an_array_to_scikit_learn(view, faces):
    checked = check_array(view, allow_nd=True)
    np.testing.assert_array_equal(checked, view.sample())
    (same,) = indexable(view)
    assert same is view
    for rows in ([1, 2], np.array([3, 4]), np.arange(210) < 2, slice(2, 4)):
        assert safe_indexing(view, rows).shape == (2, 16, 16)
    train, test = train_test_split(view, test_size=0.2, random_state=0)
    assert isinstance(train, AugmentedImages)
    assert (len(train), len(test)) == (168, 42)
    for train, test in StratifiedKFold(3).split(view, faces.target):
        assert set(view[train].rows).isdisjoint(view[test].rows)


@pytest.mark.parametrize("index", [210, -211])
def test_index_out_of_range(view, index):
    with pytest.raises(IndexError):
        view[index]
    with pytest.raises(IndexError):
        view.sample([index])


def test_is_never_had_without_a_copy(view):
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":
        pytest.skip("numpy 1 has no copy=False that forbids copying")
    with pytest.raises(ValueError, match="makes a new array"):
        np.array(view, copy=False)


def test_samples_leave_the_originals_alone(view, images):
    before = images.copy()
    view.sample()[:] = 0
    np.testing.assert_array_equal(view.images, before)


def test_pickle_holds_its_own_images_and_no_samples(view, sampled):
    part = view[[30, 100, 2]]
    part.sample(epoch=3)
    size = len(pickle.dumps(part))
    assert size < part.images.nbytes + 3000
    again = pickle.loads(pickle.dumps(part))
    np.testing.assert_array_equal(again.sample(epoch=3), sampled[[30, 100, 2]])
    np.testing.assert_array_equal(again[1:].sample([0], epoch=3), sampled[[100]])
    twice = pickle.loads(pickle.dumps(again[[2, 0]]))
    np.testing.assert_array_equal(twice.sample(epoch=3), sampled[[2, 30]])
    np.testing.assert_array_equal(twice.rows, [2, 30])


def test_another_process_samples_the_same(view, sampled, tmp_path):
    path = tmp_path / "view.pickle"
    path.write_bytes(pickle.dumps(view[5:9]))
    code = (
        "import pickle, sys; view = pickle.load(open(sys.argv[1], 'rb'));"
        "sys.stdout.buffer.write(view.sample(epoch=3).tobytes())"
    )
    command = [sys.executable, "-c", code, str(path)]
    out = subprocess.run(command, capture_output=True, check=True, timeout=120).stdout
    assert out == sampled[5:9].tobytes()


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="needs fork"
)
@pytest.mark.filterwarnings(
    # Python 3.12 warns of forks beside threads, which is what this is about.
    "ignore:.*use of fork:DeprecationWarning"
)
@pytest.mark.parametrize("backend", ["scipy", "torch"])
def test_forked_workers_start_their_own_threads(images, backend):
    """As the workers of a DataLoader do; threads do not survive a fork."""
    augmenter = RandomAffineAugmenter(random_state=0, backend=backend, n_jobs=2)
    view = augmenter.fit_transform(images)
    here = view.sample(epoch=3)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        there = pool.apply_async(view.sample, (None, 3)).get(timeout=60)
    np.testing.assert_array_equal(there, here)


def test_rows_of_features_stay_rows(images):
    flat = images.reshape(len(images), -1).astype(np.float64)
    augmenter = RandomAffineAugmenter(random_state=0)
    view = augmenter.fit_transform(flat)
    assert view.shape == flat.shape
    assert view.image_shape == (16, 16)
    as_pictures = augmenter.fit_transform(flat.reshape(images.shape))
    np.testing.assert_array_equal(
        view.sample([3, 4], epoch=2), as_pictures.sample([3, 4], epoch=2).reshape(2, -1)
    )


def test_erases_the_share_it_was_asked_for(images):
    augmenter = RandomAffineAugmenter(
        rotation_range=0,
        width_shift_range=0,
        height_shift_range=0,
        shear_range=0,
        zoom_range=0,
        horizontal_flip=False,
        erasing_probability=0.3,
        random_state=0,
    )
    view = augmenter.fit_transform(images)
    changed = np.stack([view.sample(epoch=epoch) for epoch in range(10)]) != images
    share = changed.any(axis=(2, 3)).mean()
    assert share == pytest.approx(0.3, abs=0.05)
    areas = changed.mean(axis=(2, 3))
    assert areas.max() <= 0.25


@pytest.mark.parametrize("flip, share", [(True, 0.5), (False, 0)])
def test_mirrors_and_nothing_else(images, flip, share):
    augmenter = RandomAffineAugmenter(horizontal_flip=flip, random_state=0)
    view = augmenter.fit_transform(images)
    view.sample(epoch=3)  # kept, but not for mirror_only
    sampled = view.sample(epoch=3, mirror_only=True)
    mirrored = (sampled == images[..., ::-1]).all(axis=(1, 2))
    assert (mirrored | (sampled == images).all(axis=(1, 2))).all()
    assert mirrored.mean() == pytest.approx(share, abs=0.15)
