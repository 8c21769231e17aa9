"""
A look at the data
==================

How many faces of each emotion there are, what they look like, and which of them are
there twice.
"""

# %%
import os

from fer_sklearn import load_fer2013, make_faces

path = os.environ.get("FER2013_CSV")
faces = load_fer2013(path) if path else make_faces(2100, random_state=0)
print(faces.DESCR)

# %%
# Synthetic faces have all emotions equally often. FER2013 does not: *disgust* is 1.5 %
# of the training faces, which is why every split should be stratified.
from fer_sklearn.plots import ClassFrequencyDisplay

_ = ClassFrequencyDisplay.from_labels(faces.target)

# %%
from fer_sklearn.plots import FaceGridDisplay

_ = FaceGridDisplay.from_faces(faces.data, faces.target, n_faces=28)

# %%
# A face is a string; `PixelStringTransformer` reads a column of them into grey levels.
# ``uint8`` keeps all of FER2013 in 83 MB.
from fer_sklearn import PixelStringTransformer

images = PixelStringTransformer().fit_transform(faces.data)
print(images.shape, images.dtype, f"{images.nbytes / 1e6:.1f} MB")

# %%
# Flattened, they fit into any estimator of scikit-learn. The mean face and the first
# principal components, each with its share of the variance:
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
# Equal faces get the same group. Synthetic faces are all different; FER2013 has 1,851
# faces too many, and a random split would put some of them on both sides.
from fer_sklearn.model_selection import face_groups

groups = face_groups(faces.data)
print(f"{len(groups)} faces, {len(set(groups.tolist()))} different ones")
