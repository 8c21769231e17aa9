"""
A look at the data
==================

How frequent the emotions are, what the faces look like, and which faces occur twice.
"""

# %%
import os

from fer_sklearn import load_fer2013, make_faces

path = os.environ.get("FER2013_CSV")
faces = load_fer2013(path) if path else make_faces(2100, random_state=0)
print(faces.DESCR)

# %%
# The frequency of each emotion:
from fer_sklearn.plots import ClassFrequencyDisplay

_ = ClassFrequencyDisplay.from_labels(faces.target)

# %%
# Synthetic faces have all emotions equally often. In FER2013, *happy* is the most
# frequent one and *disgust* is 1.5 % of the training faces, so splits should be
# stratified.
#
# Some of the faces:
from fer_sklearn.plots import FaceGridDisplay

_ = FaceGridDisplay.from_faces(faces.data, faces.target, n_faces=28)

# %%
# The expression is in the brows, the eyes and the mouth. Position, size, rotation,
# light and hair vary, and there is noise.
#
# `PixelStringTransformer` parses the strings. With ``uint8``, all of FER2013 takes 83
# MB.
from fer_sklearn import PixelStringTransformer

images = PixelStringTransformer().fit_transform(faces.data)
print(images.shape, images.dtype, f"{images.nbytes / 1e6:.1f} MB")

# %%
# Flat faces fit into any estimator of scikit-learn. The mean face and the first
# principal components:
import matplotlib.pyplot as plt
from sklearn.decomposition import PCA

flat = images.reshape(len(images), -1)
pca = PCA(n_components=6, random_state=0).fit(flat[:5000])
figure, axes = plt.subplots(1, 7, figsize=(8, 1.5), layout="constrained")
shares = [f"{share:.0%}" for share in pca.explained_variance_ratio_]
for ax, title, row in zip(
    axes, ["mean", *shares], [pca.mean_, *pca.components_], strict=True
):
    ax.imshow(row.reshape(images.shape[1:]), cmap="gray")
    ax.set(title=title, xticks=[], yticks=[])

# %%
# The titles are the shares of the variance. The first components describe the
# brightness of background and face, the light and the hair. They hold more than half of
# the variance and nothing of the expression.
#
# `face_groups` gives equal faces the same number. Synthetic faces are all different; in
# FER2013, 1,851 faces are copies of another one, and a random split would put some of
# them on both sides.
from fer_sklearn.model_selection import face_groups

groups = face_groups(faces.data)
print(f"{len(groups)} faces, {len(set(groups.tolist()))} different ones")
