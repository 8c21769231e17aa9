"""
Watching a training
===================

Curves of loss and accuracy, a validation set of one's own, and early stopping.
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
# With ``early_stopping=True`` a tenth of the training faces is set aside, unaugmented.
# Training ends when accuracy on them has not risen for `n_iter_no_change` epochs, and
# the best weights are restored.
pipe = make_fer_pipeline(
    network="nano",
    image_shape=(48, 48) if path else (32, 32),
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
# The history is a DataFrame with a row an epoch.
pipe["cnn"].history_.round(3)

# %%
# The training accuracy is measured on augmented faces, so it may well stay below that
# on the validation faces.
from fer_sklearn.plots import TrainingCurvesDisplay

_ = TrainingCurvesDisplay.from_estimator(pipe)
