"""
How good is it, for which emotion, and how sure are we?
=======================================================

Confusions, recall for each emotion with its confidence interval, calibration, the most
confident mistakes, and a linear model beside it all.
"""

# %%
import os

from fer_sklearn import EMOTIONS, load_fer2013, make_faces, make_fer_pipeline
from fer_sklearn.model_selection import train_test_split_faces

path = os.environ.get("FER2013_CSV")
if path:
    faces = load_fer2013(path, usage="Training")
else:
    faces = make_faces(1470, image_shape=(32, 32), random_state=0)
size = 48 if path else 32
X_train, X_test, y_train, y_test = train_test_split_faces(
    faces.data, faces.target, test_size=0.3, random_state=0
)
pipe = make_fer_pipeline(
    network="nano",
    image_shape=(size, size),
    max_epochs=8,
    batch_size=32,
    random_state=0,
)
pipe.fit(X_train, y_train)

# %%
# An accuracy without its interval is half a sentence:
from fer_sklearn.metrics import accuracy_interval

predicted = pipe.predict(X_test)
low, high = accuracy_interval(y_test, predicted)
accuracy = (predicted == y_test).mean()
print(f"accuracy {accuracy:.3f}, 95 % interval {low:.3f} to {high:.3f}")

# %%
# A linear model on the pixels says how much of it needed a network.
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fer_sklearn import PixelStringTransformer

linear = make_pipeline(
    PixelStringTransformer(image_shape=(size, size), flatten=True),
    StandardScaler(),
    LogisticRegression(C=0.001, max_iter=200),
)
linear.fit(X_train[:2000], y_train[:2000])
print(f"linear model {linear.score(X_test, y_test):.3f}")

# %%
from sklearn.metrics import classification_report

print(classification_report(y_test, predicted, target_names=EMOTIONS, digits=3))

# %%
from fer_sklearn.plots import plot_confusion_matrix

_ = plot_confusion_matrix(y_test, predicted)

# %%
# Points are the recalls, lines their 95 % intervals: where there are few faces of an
# emotion, the line is long.
from fer_sklearn.plots import RecallDisplay

_ = RecallDisplay.from_predictions(y_test, predicted)

# %%
# Of the answers given with 70 %, are 70 % right?
from fer_sklearn.plots import plot_calibration, plot_calibration_by_class

probabilities = pipe.predict_proba(X_test)
_ = plot_calibration(y_test, probabilities)

# %%
# And emotion by emotion:
_ = plot_calibration_by_class(y_test, probabilities)

# %%
# The mistakes that the pipeline was surest of. On FER2013 many are faulty labels.
from fer_sklearn.plots import MistakesDisplay

_ = MistakesDisplay.from_predictions(X_test, y_test, probabilities)
