"""
Grid search
===========

`GridSearchCV` over a parameter of the network and over the augmentation, with copies of
a face kept in the same fold.
"""

# %%
import os

from fer_sklearn import load_fer2013, make_faces, make_fer_pipeline

path = os.environ.get("FER2013_CSV")
if path:
    faces = load_fer2013(path, usage="PublicTest")
else:
    faces = make_faces(280, image_shape=(32, 32), random_state=0)

# %%
# Parameters are named ``step__parameter``. A whole step can be replaced: with
# ``"passthrough"``, the faces are not augmented.
pipe = make_fer_pipeline("nano", max_epochs=6, batch_size=32, random_state=0)
grid = {
    "augment": ["passthrough", pipe["augment"]],
    "cnn__label_smoothing": [0.0, 0.1],
}

# %%
# `face_groups` gives equal faces the same number. ``StratifiedGroupKFold`` keeps a
# group in one fold, and the emotions in equal proportions.
import pandas as pd
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold

from fer_sklearn.model_selection import face_groups

search = GridSearchCV(pipe, grid, cv=StratifiedGroupKFold(n_splits=3))
search.fit(faces.data, faces.target, groups=face_groups(faces.data))

# %%
results = pd.DataFrame(search.cv_results_)
results["augment"] = results["param_augment"].astype(str).str.partition("(")[0]
columns = ["augment", "param_cnn__label_smoothing", "mean_test_score", "std_test_score"]
results[columns].sort_values("mean_test_score", ascending=False).round(3)

# %%
# The mean accuracy of each candidate and its standard deviation over the folds:
import matplotlib.pyplot as plt

results = results.sort_values("mean_test_score")
figure, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
ax.errorbar(
    results["mean_test_score"], range(4), xerr=results["std_test_score"], fmt="o"
)
smoothing = results["param_cnn__label_smoothing"].astype(str)
ax.set_yticks(range(4), results["augment"] + ", smoothing " + smoothing)
_ = ax.set_xlabel("accuracy: mean and standard deviation over 3 folds")

# %%
# The difference between label smoothing 0 and 0.1 with augmentation is smaller than the
# standard deviations, so it may be chance. The candidates without augmentation are
# better: after six epochs on a few hundred faces the network does not overfit yet, and
# unchanged faces are easier to learn. On FER2013, with dozens of epochs, augmentation
# improves the accuracy.
#
# The best candidate has been fitted again on all faces:
search.best_estimator_
