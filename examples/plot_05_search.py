"""
Grid search on faces
====================

`GridSearchCV` over a parameter of the network and over the augmentation, with copies
of a face kept in the same fold.
"""

# %%
import os

from fer_sklearn import load_fer2013, make_faces, make_fer_pipeline

path = os.environ.get("FER2013_CSV")
if path:
    faces = load_fer2013(path, usage="PublicTest")
else:
    faces = make_faces(280, image_shape=(32, 32), random_state=0)
size = 48 if path else 32

# %%
# Parameters are called ``step__parameter``. Setting a whole step to ``"passthrough"``
# asks what the step is good for.
pipe = make_fer_pipeline(
    network="nano",
    image_shape=(size, size),
    max_epochs=6,
    batch_size=32,
    random_state=0,
)
grid = {
    "augment": ["passthrough", pipe["augment"]],
    "cnn__label_smoothing": [0.0, 0.1],
}

# %%
# ``face_groups`` gives equal faces the same number; `StratifiedGroupKFold` keeps a
# group in one fold and the emotions in their shares.
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
# The standard deviation over the folds says how seriously to take a difference.
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
# Do not carry this result over to FER2013. A few hundred synthetic faces and six
# epochs leave a network no time to profit from augmentation; with dozens of epochs it
# does.
# The best pipeline has been fitted again on all faces:
search.best_estimator_
