"""
Wrong labels
============

Find labels that are probably wrong, with the package cleanlab (``pip install
cleanlab``) and predictions of networks that have not seen the face.
"""

# %%
# For FER2013's Training, these predictions are part of the package: `load_soft_labels`.
# Set ``FER2013_CSV=fer2013.csv`` to use them. Without it, a tenth of the labels of
# synthetic faces are changed, and `cross_val_predict` gives the predictions:
import os

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fer_sklearn import FaceEmbedder, PixelStringTransformer, load_fer2013, make_faces
from fer_sklearn.datasets import load_soft_labels

path = os.environ.get("FER2013_CSV")
if path:
    faces = load_fer2013(path, usage="Training")
    soft = load_soft_labels(faces.data)
    known = soft.any(axis=1)
    X, y, soft = faces.data[known], faces.target[known], soft[known]
else:
    faces = make_faces(700, random_state=0)
    rng = np.random.RandomState(0)
    X, y = faces.data, faces.target.copy()
    changed = rng.permutation(700)[:70]
    y[changed] = (y[changed] + rng.randint(1, 7, size=70)) % 7
    model = make_pipeline(
        PixelStringTransformer(),
        FaceEmbedder("compact"),
        StandardScaler(),
        LogisticRegression(C=0.1, max_iter=1000),
    )
    soft = cross_val_predict(model, X, y, cv=5, method="predict_proba")

# %%
# cleanlab ranks all faces by how probable their label is. The normalised margin is the
# probability of the label minus that of the most probable other class:
from cleanlab.rank import get_label_quality_scores

quality = get_label_quality_scores(y, soft, method="normalized_margin")
ranked = np.argsort(quality)

# %%
# Among the synthetic faces, we know which labels were changed:
if not path:
    for n_first in (20, 50, 70):
        share = np.isin(ranked[:n_first], changed).mean()
        print(f"of the first {n_first}, {share:.0%} were changed")

# %%
# For FER2013, the votes of FER+ are the judge. They were collected from ten people for
# each face. The table has the share of faces whose most frequent vote differs from the
# label. It uses the two of the five networks that were trained on labels alone:
#
# ===========  ================
# first faces  FER+ disagrees
# ===========  ================
# 100          97 %
# 500          93 %
# 1,000        89 %
# 3,000        84 %
# all 28,709   37 %
# ===========  ================
#
# The first faces, with their label and the emotion that the networks predict:
from fer_sklearn.plots import FaceGridDisplay

first = ranked[:14]
_ = FaceGridDisplay.from_predictions(
    np.asarray(X, dtype=object)[first],
    y[first],
    soft[first].argmax(axis=1),
    confidence=soft[first].max(axis=1),
)
