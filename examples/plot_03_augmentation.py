"""
Augmentation, one knob at a time
================================

What each parameter of `RandomAffineAugmenter` does to a face, and how the network sees
new variations in each epoch.
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
# One row per parameter: the face as it is, and variations with this parameter alone.
from fer_sklearn.plots import AugmentationDisplay

augmenter = RandomAffineAugmenter(random_state=0)
_ = AugmentationDisplay.from_augmenter(augmenter, images[3])

# %%
# In a fit all of them act together. `fit_transform` computes nothing yet: it returns a
# view of the originals.
view = augmenter.fit_transform(images)
view

# %%
# The classifier asks the view for each batch of each epoch. The same four faces in
# three epochs:
import numpy as np

from fer_sklearn.plots import FaceGridDisplay

epochs = np.concatenate([view.sample([0, 1, 2, 3], epoch=epoch) for epoch in range(3)])
names = np.repeat(["epoch 0", "epoch 1", "epoch 2"], 4)
_ = FaceGridDisplay.from_faces(epochs, names, n_columns=4)

# %%
# Predictions see the faces as they are:
print((augmenter.transform(images) == images).all())
