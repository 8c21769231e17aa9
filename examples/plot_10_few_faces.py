"""
Few faces
=========

Learn classes from a few faces of each: a linear model on the features of a trained
network (`FaceEmbedder`), fine-tuning (``pretrained=``), and training from scratch.
"""

# %%
# With ``FER2013_CSV=fer2013.csv``, the faces are those of FER2013. Without it, they are
# synthetic, and new to the trained network:
import os

import numpy as np

from fer_sklearn import PixelStringTransformer, load_fer2013, make_faces

path = os.environ.get("FER2013_CSV")
if path:
    train = load_fer2013(path, usage="Training")
    test = load_fer2013(path, usage="PublicTest")
else:
    train = make_faces(350, noise=0.15, random_state=0)
    test = make_faces(350, noise=0.15, random_state=1)
reader = PixelStringTransformer()
X, y = reader.transform(train.data), np.asarray(train.target)
X_test, y_test = reader.transform(test.data[:1000]), test.target[:1000]


def choose(n_faces):
    """Rows of `n_faces` random faces of each emotion."""
    rng = np.random.RandomState(0)
    rows = [rng.permutation(np.flatnonzero(y == label))[:n_faces] for label in range(7)]
    return np.concatenate(rows)


# %%
# Three ways to learn from them. The features are standardised, because a regularised
# linear model expects features of one scale.
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fer_sklearn import FaceEmbedder, FERClassifier

models = {
    "features and a linear model": make_pipeline(
        FaceEmbedder("nano"),
        StandardScaler(),
        LogisticRegression(C=0.01, max_iter=1000),
    ),
    "fine-tuning": FERClassifier(
        "nano", pretrained="nano", max_epochs=10, batch_size=32, random_state=0
    ),
    "from scratch": FERClassifier("nano", max_epochs=20, batch_size=32, random_state=0),
}

# %%
# Accuracy and seconds, by the number of faces of each emotion:
import time

sizes = [5, 10, 20]
scores = {}
for name, model in models.items():
    scores[name] = []
    for size in sizes:
        rows = choose(size)
        start = time.perf_counter()
        model.fit(X[rows], y[rows])
        seconds = time.perf_counter() - start
        scores[name].append(model.score(X_test, y_test))
        print(f"{name}, {size} faces: {scores[name][-1]:.2f}, {seconds:.1f} s")

# %%
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 4))
for name, accuracies in scores.items():
    ax.plot(sizes, accuracies, "o-", label=name)
ax.axhline(1 / 7, color="grey", linestyle="--", label="chance")
ax.set(xlabel="faces of each emotion", ylabel="accuracy", ylim=(0, 1))
_ = ax.legend()

# %%
# The features take less than a second. On synthetic faces, which do not look like those
# that the network was trained on, fine-tuning is better. On FER2013 the features are
# better (``nano``, 1,000 faces of PublicTest):
#
# ================  ========  ===========  ============
# faces of each     features  fine-tuning  from scratch
# ================  ========  ===========  ============
# 5                 0.61      0.59         0.17
# 20                0.68      0.64         0.23
# 100               0.67      0.62         0.31
# ================  ========  ===========  ============
#
# The trained network has seen the faces of Training with their labels, so faces of your
# own will give lower accuracies.
