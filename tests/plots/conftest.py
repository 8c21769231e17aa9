"""A quick classifier, and a judge of what is legible."""

from itertools import combinations

import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from fer_sklearn import PixelStringTransformer

pytest.importorskip("matplotlib", reason="needs the extra [plots]")


@pytest.fixture(scope="session")
def model(faces):
    """A pipeline from pixel strings, neither perfect nor blind."""
    return make_pipeline(
        PixelStringTransformer(image_shape=(16, 16), flatten=True),
        PCA(15, whiten=True, random_state=0),
        LogisticRegression(C=0.1),
    ).fit(faces.data[:105], faces.target[:105])


@pytest.fixture
def assert_legible():
    """Check that texts are inside of the figure and none lies over another."""

    def check(figure, texts, smallest=7.0):
        figure.canvas.draw()
        boxes = {t: t.get_window_extent() for t in texts if t.get_text()}
        assert boxes
        for text, box in boxes.items():
            assert text.get_fontsize() >= smallest, text
            assert box.x0 >= -1 and box.x1 <= figure.bbox.width + 1, text
            assert box.y0 >= -1 and box.y1 <= figure.bbox.height + 1, text
        for (a, box_a), (b, box_b) in combinations(boxes.items(), 2):
            assert not box_a.shrunk(0.98, 0.9).overlaps(box_b.shrunk(0.98, 0.9)), (a, b)

    return check
