"""
Model files, pickles and saliency
=================================

Save a pipeline, open it again, compare the files, and see which parts of a face matter
for its predictions.
"""

# %%
import os
import pickle
import tempfile
from pathlib import Path

import numpy as np

from fer_sklearn import load_fer2013, make_faces, make_fer_pipeline

path = os.environ.get("FER2013_CSV")
if path:
    faces = load_fer2013(path, usage="PublicTest")
else:
    faces = make_faces(1050, image_shape=(32, 32), random_state=0)
pipe = make_fer_pipeline("nano", max_epochs=8, batch_size=32, random_state=0)
pipe.fit(faces.data[:-50], faces.target[:-50])
new = faces.data[-50:]

# %%
# A model file contains the weights and a description. Opening it runs no code. The
# opened model gives the same probabilities:
from fer_sklearn import load_model, save_model

folder = Path(tempfile.mkdtemp())
save_model(pipe, folder / "emotions.fer")
again = load_model(folder / "emotions.fer")
print(np.array_equal(again.predict_proba(new), pipe.predict_proba(new)))

# %%
# So does a pickle. Training faces and optimizer state are not in it. Only open pickles
# from people you trust, because opening one can run any code.
data = pickle.dumps(pipe)
print(f"model file {(folder / 'emotions.fer').stat().st_size / 1e6:.2f} MB")
print(f"pickle     {len(data) / 1e6:.2f} MB")
print(np.array_equal(pickle.loads(data).predict_proba(new), pipe.predict_proba(new)))

# %%
# `SaliencyDisplay` covers one part of a face after another and measures how much the
# probability of the predicted emotion falls:
from fer_sklearn.plots import SaliencyDisplay

_ = SaliencyDisplay.from_estimator(pipe, new[:7])

# %%
# Orange areas support the prediction: if they are covered, its probability falls. Here
# they are mainly at the brows, the eyes and the mouth. Orange areas in the background
# would mean that the network has learnt something else than expressions.
