"""Reading pixel strings."""

import numpy as np

from fer_sklearn import PixelStringTransformer

from ._faces import face_strings, kind_of_faces
from ._timing import speed_up

N_ROWS = 10_000


def rows(rounds):
    """Compare `transform`, all checks included, with numpy's reader without any."""
    column, _ = face_strings(N_ROWS)
    strings = column.tolist()
    reader = PixelStringTransformer()

    def ours():
        return reader.transform(column)

    def fromstring(**options):
        return [np.fromstring(row, sep=" ", **options) for row in strings]

    expected = np.reshape(fromstring(dtype=np.uint8), (-1, 48, 48))
    np.testing.assert_array_equal(ours(), expected)
    what = f"`PixelStringTransformer.transform`, {N_ROWS:,} rows, with all its checks"
    about = {"items": N_ROWS, "note": kind_of_faces(), "rounds": rounds}
    yield speed_up(
        what,
        '`np.fromstring(row, sep=" ")` per row, without any check',
        ours,
        fromstring,
        **about,
    )
    yield speed_up(
        what,
        "the same with `dtype=np.uint8`, which numpy reads faster",
        ours,
        lambda: fromstring(dtype=np.uint8),
        **about,
    )
