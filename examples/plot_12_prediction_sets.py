"""
Prediction sets
===============

Predict a set of emotions that contains the true one with a chosen probability, with the
package MAPIE (``pip install mapie``).
"""

# %%
# Set ``FER2013_CSV=fer2013.csv`` to use real faces: the trained model and two halves of
# PublicTest, neither of which it was trained on. Without it, a linear model is trained
# on synthetic faces.
import os

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from fer_sklearn import (
    EMOTIONS,
    FaceEmbedder,
    PixelStringTransformer,
    load_fer2013,
    load_pretrained,
    make_faces,
)
from fer_sklearn.model_selection import train_test_split_faces

path = os.environ.get("FER2013_CSV")
if path:
    X, y = load_fer2013(path, usage="PublicTest", return_X_y=True)
    model = load_pretrained("compact")
else:
    X, y = make_faces(900, random_state=0, return_X_y=True)
    X_train, X, y_train, y = train_test_split_faces(X, y, test_size=0.8, random_state=0)
    model = make_pipeline(
        PixelStringTransformer(),
        FaceEmbedder("nano"),
        LogisticRegression(max_iter=1000),
    )
    model.fit(X_train, y_train)

# %%
# One half of the faces calibrates the sets, the other half tests them. Copies of a face
# are in the same half. `SplitConformalClassifier` finds the threshold above which an
# emotion belongs to the set:
from mapie.classification import SplitConformalClassifier

X_calib, X_test, y_calib, y_test = train_test_split_faces(
    X, y, test_size=0.5, random_state=0
)
levels = [0.8, 0.9, 0.95]
conformal = SplitConformalClassifier(model, confidence_level=levels, prefit=True)
conformal.conformalize(X_calib, y_calib)
y_pred, sets = conformal.predict_set(X_test)
print(sets.shape)  # faces, emotions, confidence levels

# %%
# The share of faces whose set contains the true emotion is close to the level. A higher
# level needs larger sets:
for index, level in enumerate(levels):
    contained = sets[np.arange(len(y_test)), y_test, index]
    size = sets[:, :, index].sum(axis=1)
    print(
        f"level {level:.2f}: {contained.mean():.3f} of the sets contain the emotion, "
        f"{size.mean():.2f} emotions per set, {(size == 1).mean():.0%} with one emotion"
    )

# %%
# With `compact` and FER2013, this gives:
#
# ======  ====================  =================  =================
# level   contain the emotion   emotions per set   with one emotion
# ======  ====================  =================  =================
# 0.80    0.797                 1.24               77 %
# 0.90    0.885                 1.77               49 %
# 0.95    0.949                 2.44               33 %
# ======  ====================  =================  =================
#
# A low level can have empty sets: no emotion is probable enough. The level holds for
# all faces together, and not for each emotion:
for emotion, name in enumerate(EMOTIONS):
    rows = y_test == emotion
    print(f"{name:9}{sets[rows, emotion, 1].mean():.2f}")

# %%
# Faces with their sets at the level 0.9, the smallest sets first. A set of one emotion
# is a prediction that the model is sure of:
import matplotlib.pyplot as plt

order = np.argsort(sets[:, :, 1].sum(axis=1), kind="stable")
shown = order[np.linspace(0, len(order) - 1, 12).astype(int)]
images = PixelStringTransformer().fit_transform(X_test)
figure, axes = plt.subplots(2, 6, figsize=(10, 5), layout="constrained")
for ax, row in zip(axes.flat, shown, strict=True):
    ax.imshow(images[row], cmap="gray", vmin=0, vmax=255)
    names = np.array(EMOTIONS)[sets[row, :, 1]]
    ax.set_title("\n".join(names), fontsize=9, verticalalignment="top", y=-0.05)
    ax.axis("off")
