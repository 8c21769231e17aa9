"""
Training curves and early stopping
==================================

Loss and accuracy over the epochs, and a training that stops when it no longer improves.
"""

# %%
import os

from sklearn.model_selection import train_test_split

from fer_sklearn import load_fer2013, make_faces, make_fer_pipeline

path = os.environ.get("FER2013_CSV")
if path:
    faces = load_fer2013(path, usage="Training")
else:
    faces = make_faces(1260, image_shape=(32, 32), random_state=0)
X_train, X_test, y_train, y_test = train_test_split(
    faces.data, faces.target, test_size=0.2, stratify=faces.target, random_state=0
)

# %%
# With ``early_stopping=True``, a tenth of the training faces is held out and not
# augmented. Training stops when the accuracy on them has not improved for
# ``n_iter_no_change`` epochs, and the best weights are restored.
pipe = make_fer_pipeline(
    "nano",
    max_epochs=30,
    batch_size=32,
    early_stopping=True,
    n_iter_no_change=3,
    random_state=0,
)
pipe.fit(X_train, y_train)
print(f"{pipe['cnn'].n_iter_} epochs, ended by {pipe['cnn'].stop_reason_}")
print(f"accuracy {pipe.score(X_test, y_test):.3f}")

# %%
# ``history_`` is a data frame with one row per epoch.
pipe["cnn"].history_.round(3)

# %%
# The curves:
from fer_sklearn.plots import TrainingCurvesDisplay

_ = TrainingCurvesDisplay.from_estimator(pipe)

# %%
# The dotted line is the best epoch, whose weights were restored. The training accuracy
# is below the validation accuracy, because it is measured on augmented faces, and
# during the epoch instead of after it. The validation loss does not rise again, so the
# network does not overfit.
