"""
Quick start
===========

Pixel strings go in, emotions come out: fit a pipeline, score it, look at what it says.
"""

# %%
# FER2013 holds a face as a string of grey levels, "70 80 82 ...". `make_faces` makes
# synthetic faces in the same form, so that everything here runs without a file. With
# the real file, `load_fer2013` takes its place.
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
size = 48 if path else 32

X_train[0][:40]

# %%
# The pipeline reads the strings, augments the faces while it trains, and trains a
# small convolutional network. It is an ordinary scikit-learn pipeline. Few faces want
# small batches; on FER2013 the defaults are meant for hours.
pipe = make_fer_pipeline(
    network="nano",
    image_shape=(size, size),
    max_epochs=8,
    batch_size=32,
    random_state=0,
)
pipe.fit(X_train, y_train)

# %%
# On faces that it has not seen:
print(f"accuracy {pipe.score(X_test, y_test):.3f}")

# %%
# Probabilities come in the order of ``classes_``, which are FER2013's own numbers;
# ``EMOTIONS`` names them.
from fer_sklearn import EMOTIONS

probabilities = pipe.predict_proba(X_test[:3])
for row in probabilities:
    pairs = zip(EMOTIONS, row, strict=True)
    print(", ".join(f"{name} {share:.2f}" for name, share in pairs))

# %%
# And the first faces with what was predicted for them:
from fer_sklearn.plots import FaceGridDisplay

_ = FaceGridDisplay.from_estimator(pipe, X_test, y_test, n_faces=21)
