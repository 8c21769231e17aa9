"""The batched image operations, each against a slow and obvious one."""

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from fer_sklearn import _image_ops
from fer_sklearn._image_ops import (
    FILL_MODES,
    TORCH_FILL_MODES,
    affine_maps,
    erase,
    erasing_boxes,
    warp,
)

SHAPE = (24, 17)
BACKENDS = ["scipy", "torch"]


def smooth_images(n_images=12, shape=SHAPE, dtype=np.uint8, seed=0):
    """Blurred noise with the whole range of grey levels."""
    noise = np.random.default_rng(seed).random((n_images, *shape))
    images = np.stack([ndimage.gaussian_filter(image, 1.5) for image in noise])
    low, high = images.min(), images.max()
    return ((images - low) * (255 / (high - low))).astype(dtype)


def random_changes(n_images, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "rotation": rng.uniform(-40, 40, n_images),
        "row_shift": rng.uniform(-6, 6, n_images),
        "column_shift": rng.uniform(-6, 6, n_images),
        "shear": rng.uniform(-20, 20, n_images),
        "zoom": rng.uniform(0.6, 1.4, (n_images, 2)),
        "flip": rng.random(n_images) < 0.5,
    }


def no_changes(n_images, **changes):
    zeros = np.zeros(n_images)
    return {
        "rotation": zeros,
        "row_shift": zeros,
        "column_shift": zeros,
        "shear": zeros,
        "zoom": np.ones((n_images, 2)),
        "flip": zeros.astype(bool),
    } | changes


def keras_transform(image, rotation, row_shift, column_shift, shear, zoom, flip, **kw):
    """Keras' `apply_transform` written out: matrices one by one, then the flip.

    Keras' matrices are for (x, y), that is (column, row), and turned round at the end.
    """
    theta, phi = np.pi * rotation / 180, np.pi * shear / 180
    matrix = np.array(
        [
            [np.cos(theta), -np.sin(theta), 0],
            [np.sin(theta), np.cos(theta), 0],
            [0, 0, 1],
        ]
    )
    matrix = matrix @ np.array([[1, 0, column_shift], [0, 1, row_shift], [0, 0, 1]])
    matrix = matrix @ np.array([[1, -np.sin(phi), 0], [0, np.cos(phi), 0], [0, 0, 1]])
    matrix = matrix @ np.diag([zoom[1], zoom[0], 1])
    centre_row, centre_column = (size / 2 - 0.5 for size in image.shape)
    there = np.array([[1, 0, centre_column], [0, 1, centre_row], [0, 0, 1]])
    back = np.array([[1, 0, -centre_column], [0, 1, -centre_row], [0, 0, 1]])
    matrix = there @ matrix @ back
    matrix = matrix[[1, 0, 2]][:, [1, 0, 2]]
    changed = ndimage.affine_transform(
        image, matrix[:2, :2], matrix[:2, 2], order=1, **kw
    )
    return changed[:, ::-1] if flip else changed


def by_scipy(images, maps, order=1, mode="nearest", cval=0.0):
    return np.stack(
        [
            ndimage.affine_transform(
                image, m[:, :2], m[:, 2], order=order, mode=mode, cval=cval
            )
            for image, m in zip(images, maps, strict=True)
        ]
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_map_does_what_keras_does(backend):
    images = smooth_images(30, dtype=float)
    changes = random_changes(30)
    maps = affine_maps(**changes, image_shape=SHAPE)
    for k, changed in enumerate(warp(images, maps, backend=backend)):
        one = {name: values[k] for name, values in changes.items()}
        expected = keras_transform(images[k], **one, mode="nearest")
        np.testing.assert_allclose(changed, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["rotation", "row_shift", "column_shift", "shear"])
def test_each_change_alone_does_what_keras_does(name):
    images = smooth_images(4, dtype=float)
    values = np.array([-11.0, 3, 0, 7])
    maps = affine_maps(**no_changes(4, **{name: values}), image_shape=SHAPE)
    for image, changed, value in zip(images, warp(images, maps), values, strict=True):
        one = {key: value[0] for key, value in no_changes(1).items()} | {name: value}
        expected = keras_transform(image, **one, mode="nearest")
        np.testing.assert_allclose(changed, expected, atol=1e-6)


def test_signs_and_directions():
    image = np.zeros((1, 5, 5), dtype=np.uint8)
    image[0, 1, 2] = 255

    def bright(**changes):
        maps = affine_maps(**no_changes(1, **changes), image_shape=(5, 5))
        return np.argwhere(warp(image, maps)[0] == 255).tolist()

    assert bright() == [[1, 2]]
    assert bright(row_shift=np.array([1.0])) == [[0, 2]]
    assert bright(column_shift=np.array([1.0])) == [[1, 1]]
    assert bright(rotation=np.array([90.0])) == [[2, 1]]
    assert bright(zoom=np.array([[0.5, 0.5]])) == [[0, 2]]


def test_combined_changes_equal_separate_ones():
    """Within what four interpolations in place of one blur."""
    image = ndimage.gaussian_filter(np.eye(61)[None] * 255, (0, 6, 6))
    image *= 255 / image.max()
    changes = {key: value[:1] for key, value in random_changes(1, seed=3).items()}
    changes["flip"] = np.array([True])
    once = warp(image, affine_maps(**changes, image_shape=(61, 61)))
    separate = image
    for part in (
        {"rotation": changes["rotation"]},
        {"row_shift": changes["row_shift"], "column_shift": changes["column_shift"]},
        {"shear": changes["shear"]},
        {"zoom": changes["zoom"]},
        {"flip": changes["flip"]},
    ):
        maps = affine_maps(**no_changes(1, **part), image_shape=(61, 61))
        separate = warp(separate, maps)
    inner = np.s_[:, 15:-15, 15:-15]
    np.testing.assert_allclose(once[inner], separate[inner], atol=4)


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("order", range(6))
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_scipy_does_the_work_in_every_setting(fill_mode, order, dtype):
    images = smooth_images(3, dtype=dtype)
    maps = affine_maps(**random_changes(3), image_shape=SHAPE)
    changed = warp(images, maps, order=order, fill_mode=fill_mode, cval=7)
    expected = by_scipy(images, maps, order, FILL_MODES[fill_mode], cval=7)
    assert changed.dtype == dtype
    np.testing.assert_array_equal(changed, expected)


@pytest.mark.parametrize("fill_mode", TORCH_FILL_MODES)
@pytest.mark.parametrize("shape", [(24, 17), (16, 16), (1, 9), (9, 1), (1, 1), (2, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int16])
def test_torch_agrees_with_scipy(fill_mode, shape, dtype):
    images = smooth_images(20, shape, dtype)
    maps = affine_maps(**random_changes(20), image_shape=shape)
    changed, expected = (
        warp(images, maps, backend=backend, fill_mode=fill_mode, cval=7)
        for backend in ("torch", "scipy")
    )
    assert changed.dtype == expected.dtype == dtype
    # A grey level may fall to either side of a half.
    tolerance = 1 if np.issubdtype(dtype, np.integer) else 0.01
    np.testing.assert_allclose(changed.astype(float), expected, atol=tolerance)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(sorted(TORCH_FILL_MODES)),
    st.tuples(st.integers(1, 30), st.integers(1, 30)),
    st.integers(0, 2**32 - 1),
)
def test_torch_agrees_with_scipy_on_noise(fill_mode, shape, seed):
    images = np.random.default_rng(seed).random((3, *shape))
    maps = affine_maps(**random_changes(3, seed), image_shape=shape)
    changed, expected = (
        warp(images, maps, backend=backend, fill_mode=fill_mode, cval=0.5)
        for backend in ("torch", "scipy")
    )
    np.testing.assert_allclose(changed, expected, atol=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_grey_levels_stay_in_the_range_of_the_dtype(backend):
    images = smooth_images(4)
    maps = affine_maps(**random_changes(4), image_shape=SHAPE)
    for cval, limit in [(-40, 0), (300, 255)]:
        outside = {"backend": backend, "fill_mode": "constant", "cval": cval}
        changed = warp(images, maps, **outside)
        beyond = warp(images.astype(float), maps, **outside)
        expected = np.clip(np.rint(beyond), 0, 255)
        np.testing.assert_allclose(changed, expected, atol=1)
        assert (changed == limit).any()


EVERY_SETTING = [("scipy", order, mode) for order in (0, 1, 3) for mode in FILL_MODES]
EVERY_SETTING += [("torch", 1, mode) for mode in TORCH_FILL_MODES]


@pytest.mark.parametrize(("backend", "order", "fill_mode"), EVERY_SETTING)
def test_nothing_and_a_flip_are_exact(backend, order, fill_mode):
    images = smooth_images(6)
    flip = np.arange(6) % 2 == 1
    maps = affine_maps(**no_changes(6, flip=flip), image_shape=SHAPE)
    maps = maps.astype(np.float32)
    changed = warp(
        images, maps, backend=backend, order=order, fill_mode=fill_mode, cval=99
    )
    np.testing.assert_array_equal(changed[::2], images[::2])
    np.testing.assert_array_equal(changed[1::2], images[1::2, :, ::-1])


@pytest.mark.parametrize("backend", BACKENDS)
def test_images_do_not_touch_each_other(backend):
    images = smooth_images(12)
    maps = affine_maps(**random_changes(12), image_shape=SHAPE)
    together = warp(images, maps, backend=backend)
    for one in range(12):
        part = slice(one, one + 1)
        alone = warp(images[part], maps[part], backend=backend)
        np.testing.assert_array_equal(alone[0], together[one])


@pytest.mark.parametrize(
    ("backend", "order"), [("scipy", 1), ("scipy", 3), ("torch", 1)]
)
@pytest.mark.parametrize("chunk_pixels", [1, 5 * 24 * 17, 10**6])
@pytest.mark.parametrize("n_threads", [1, 2, 5, 20])
def test_neither_chunks_nor_threads_change_it(
    monkeypatch, backend, order, chunk_pixels, n_threads
):
    images = smooth_images(12)
    maps = affine_maps(**random_changes(12), image_shape=SHAPE)
    expected = warp(images, maps, backend=backend, order=order)
    monkeypatch.setattr(_image_ops, "_CHUNK_PIXELS", chunk_pixels)
    changed = warp(images, maps, backend=backend, order=order, n_threads=n_threads)
    np.testing.assert_array_equal(changed, expected)


def test_scipy_works_on_as_many_threads_as_asked_for(monkeypatch):
    images = smooth_images(8)
    maps = affine_maps(**random_changes(8), image_shape=SHAPE)
    both_are_there = threading.Barrier(2, timeout=60)
    by_one = ndimage.affine_transform

    def wait_for_the_other(*args, **kwargs):
        both_are_there.wait()
        return by_one(*args, **kwargs)

    expected = warp(images, maps)
    monkeypatch.setattr(ndimage, "affine_transform", wait_for_the_other)
    np.testing.assert_array_equal(warp(images, maps, n_threads=2), expected)


def test_torch_gets_its_threads_back():
    before = torch.get_num_threads()
    images = smooth_images(4)
    maps = affine_maps(**no_changes(4), image_shape=SHAPE)
    try:
        torch.set_num_threads(3)
        warp(images, maps, backend="torch", n_threads=2)
        assert torch.get_num_threads() == 3
        for backend in BACKENDS:
            with pytest.raises(IndexError):
                warp(images, maps, np.arange(4) + 1, backend=backend, n_threads=2)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_torch_s_default_device_and_dtype_do_not_matter():
    images = smooth_images(4)
    maps = affine_maps(**random_changes(4), image_shape=SHAPE)
    expected = warp(images, maps, backend="torch")
    with torch.device("meta"):
        np.testing.assert_array_equal(warp(images, maps, backend="torch"), expected)
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        np.testing.assert_array_equal(warp(images, maps, backend="torch"), expected)
    finally:
        torch.set_default_dtype(before)


def test_no_images_give_none():
    images, maps = np.empty((0, 4, 5), np.uint8), np.empty((0, 2, 3))
    for backend in BACKENDS:
        for n_threads in (1, 2):
            changed = warp(images, maps, backend=backend, n_threads=n_threads)
            assert changed.shape == (0, 4, 5)


def test_images_and_maps_are_left_alone():
    images = smooth_images(3, dtype=np.float64)
    maps = affine_maps(**random_changes(3), image_shape=SHAPE)
    before = images.copy(), maps.copy()
    for backend, order, fill_mode in EVERY_SETTING:
        warp(images, maps, backend=backend, order=order, fill_mode=fill_mode)
    np.testing.assert_array_equal(images, before[0])
    np.testing.assert_array_equal(maps, before[1])


fractions = st.floats(0, 1, width=32)


@settings(max_examples=100, deadline=None)
@given(
    st.floats(1e-6, 1),
    st.floats(0.01, 100),
    fractions,
    fractions,
    st.integers(1, 60),
    st.integers(1, 60),
)
def test_boxes_lie_in_the_image(area, aspect, row, column, height, width):
    numbers = {"area": area, "aspect": aspect, "row": row, "column": column}
    arrays = {name: np.float32([number]) for name, number in numbers.items()}
    boxes = erasing_boxes(**arrays, image_shape=(height, width))
    top, bottom, left, right = boxes[0]
    assert 0 <= top < bottom <= height
    assert 0 <= left < right <= width


def test_boxes_have_area_and_aspect():
    ones = np.ones(50)
    rng = np.random.default_rng(0)
    area, aspect = rng.uniform(0.05, 0.2, 50), rng.uniform(0.4, 2.5, 50)
    boxes = erasing_boxes(
        area=area, aspect=aspect, row=0 * ones, column=ones, image_shape=(200, 300)
    )
    tall, wide = boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]
    np.testing.assert_allclose(tall * wide / 60_000, area, rtol=0.03)
    np.testing.assert_allclose(tall / wide, aspect, rtol=0.03)
    assert (boxes[:, 0] == 0).all() and (boxes[:, 3] == 300).all()


def test_erase_paints_the_box_in_a_grey_level_of_the_image():
    images = smooth_images(3)
    before = images.copy()
    boxes = np.array([[2, 6, 3, 9], [0, 0, 0, 0], [0, 24, 0, 17]])
    erase(images, boxes, np.array([40, 5, 0]))
    assert (images[0, 2:6, 3:9] == before[0].flat[40]).all()
    assert (images[2] == before[2, 0, 0]).all()
    outside = np.ones(SHAPE, dtype=bool)
    outside[2:6, 3:9] = False
    np.testing.assert_array_equal(images[0, outside], before[0, outside])
    np.testing.assert_array_equal(images[1], before[1])
