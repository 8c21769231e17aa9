"""
From a fitted pipeline to somewhere else
========================================

A model file that runs no code when it is opened, a pickle for people who trust one
another, and where a trained network looks.
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
pipe = make_fer_pipeline(
    network="nano",
    image_shape=(48, 48) if path else (32, 32),
    max_epochs=8,
    batch_size=32,
    random_state=0,
)
pipe.fit(faces.data[:-50], faces.target[:-50])
new = faces.data[-50:]

# %%
# The model file holds weights and a description, nothing that is executed.
from fer_sklearn import load_model, save_model

folder = Path(tempfile.mkdtemp())
save_model(pipe, folder / "emotions.fer")
again = load_model(folder / "emotions.fer")
print(np.array_equal(again.predict_proba(new), pipe.predict_proba(new)))

# %%
# Pickles work as well, training images and optimizer state left out. Opening a pickle
# can run any code: open those of people you trust.
data = pickle.dumps(pipe)
print(f"model file {(folder / 'emotions.fer').stat().st_size / 1e6:.2f} MB")
print(f"pickle     {len(data) / 1e6:.2f} MB")
print(np.array_equal(pickle.loads(data).predict_proba(new), pipe.predict_proba(new)))

# %%
# Where does it look? Before people rely on a model, they should see that.
from fer_sklearn.plots import SaliencyDisplay

_ = SaliencyDisplay.from_estimator(pipe, new[:7])
