"""
Quick start
===========

Fit a pipeline on pixel strings, score it, and look at its predictions.
"""

# %%
# FER2013 stores a face as a string of grey levels. `make_faces` draws synthetic faces
# in the same form, so this example needs no file; `load_fer2013` reads the real one.
import os

from fer_sklearn import load_fer2013, make_faces, make_fer_pipeline

path = os.environ.get("FER2013_CSV")
if path:
    train = load_fer2013(path, usage="Training")
    test = load_fer2013(path, usage="PublicTest")
    X_train, y_train = train.data, train.target
    X_test, y_test = test.data, test.target
else:
    X, y = make_faces(1260, image_shape=(32, 32), random_state=0, return_X_y=True)
    X_train, y_train, X_test, y_test = X[:1050], y[:1050], X[1050:], y[1050:]

X_train[0][:40]

# %%
# The pipeline parses the strings, augments the faces during training, and trains a
# small convolutional network. It is an ordinary scikit-learn pipeline. The small
# mini-batches suit the small number of faces; for FER2013, keep the defaults.
pipe = make_fer_pipeline("nano", max_epochs=8, batch_size=32, random_state=0)
pipe.fit(X_train, y_train)

# %%
# The accuracy on faces that were not used for training:
print(f"accuracy {pipe.score(X_test, y_test):.3f}")

# %%
# `predict_proba` returns one column per class, in the order of ``classes_``. Here the
# classes are the numbers 0 to 6 of FER2013, and `EMOTIONS` has their names.
from fer_sklearn import EMOTIONS

for row in pipe.predict_proba(X_test[:3]):
    pairs = zip(EMOTIONS, row, strict=True)
    print(", ".join(f"{name} {probability:.2f}" for name, probability in pairs))

# %%
# The first test faces with their predictions:
from fer_sklearn.plots import FaceGridDisplay

_ = FaceGridDisplay.from_estimator(pipe, X_test, y_test, n_faces=21)

# %%
# Below each face are its true emotion, and the predicted one with its probability. Dark
# and noisy faces have the lowest probabilities.
