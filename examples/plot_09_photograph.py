"""
Faces in a photograph
=====================

Find the face in a photograph, predict its expression, and see which parts of the face
matter for the prediction. Needs the optional dependencies ``photos`` and ``plots``.
"""

# %%
# The photograph shows the astronaut Eileen Collins (NASA, public domain). The path is
# relative to the folder of this example.
from fer_sklearn import load_pretrained
from fer_sklearn.photos import predict_photos, read_photo

photo = read_photo("../docs/images/astronaut.jpg")
pipe = load_pretrained("compact")
faces = predict_photos(pipe, [photo])
print(faces.T)

# %%
# `annotate` draws the result into a copy of the photograph:
import matplotlib.pyplot as plt

from fer_sklearn.datasets import EMOTIONS
from fer_sklearn.photos import annotate

boxes = faces[["x", "y", "width", "height"]]
copy = annotate(photo, boxes, faces[list(EMOTIONS)], EMOTIONS)
plt.figure(figsize=(6, 6))
plt.axis("off")
_ = plt.imshow(copy)

# %%
# `FaceCropper` cuts out the face as the network sees it, 48x48 grey levels.
# `SaliencyDisplay` covers one part after another:
from fer_sklearn.photos import FaceCropper
from fer_sklearn.plots import SaliencyDisplay

crops = FaceCropper().crop([photo])
_ = SaliencyDisplay.from_estimator(pipe, crops.images)

# %%
# No single part decides here: whichever is covered, the probability of *happy* changes
# by about one point. A smile is visible in the mouth, the cheeks and the eyes.
