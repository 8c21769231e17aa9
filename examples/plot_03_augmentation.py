"""
Augmentation
============

What each parameter of `RandomAffineAugmenter` does to a face, and how the faces differ
between epochs.
"""

# %%
import os

from fer_sklearn import (
    PixelStringTransformer,
    RandomAffineAugmenter,
    load_fer2013,
    make_faces,
)

path = os.environ.get("FER2013_CSV")
if path:
    faces = load_fer2013(path, usage="PublicTest")
else:
    faces = make_faces(70, random_state=0)
images = PixelStringTransformer().fit_transform(faces.data)

# %%
# One row per parameter, with only this parameter in use:
from fer_sklearn.plots import AugmentationDisplay

augmenter = RandomAffineAugmenter(random_state=0)
_ = AugmentationDisplay.from_augmenter(augmenter, images[3])

# %%
# The original is on the left, and the last row has all parameters together. Where a
# transformation shows what is outside the picture, the pixels of its edge are repeated
# (``fill_mode="nearest"``). In your own plot, check that the expressions stay
# recognisable; if they do not, use narrower ranges.
#
# During training, all parameters act together. `fit_transform` computes nothing yet; it
# returns a view of the original faces.
view = augmenter.fit_transform(images)
view

# %%
# The classifier asks the view for the faces of each mini-batch. The same four faces in
# three epochs:
import numpy as np

from fer_sklearn.plots import FaceGridDisplay

epochs = np.concatenate([view.sample([0, 1, 2, 3], epoch=epoch) for epoch in range(3)])
names = np.repeat(["epoch 0", "epoch 1", "epoch 2"], 4)
_ = FaceGridDisplay.from_faces(epochs, names, n_columns=4)

# %%
# Each column is one face. It looks different in each epoch, so the network cannot
# memorise its pixels.
#
# `transform`, which a pipeline calls for predictions, returns the faces unchanged:
print((augmenter.transform(images) == images).all())
