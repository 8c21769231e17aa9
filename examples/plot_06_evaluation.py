"""
Evaluation
==========

Accuracy with a confidence interval, a linear model for comparison, the confusion
matrix, recall per emotion, calibration, and the mistakes with the highest confidence.
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
X_train, X_test, y_train, y_test = train_test_split_faces(
    faces.data, faces.target, test_size=0.3, random_state=0
)
pipe = make_fer_pipeline("nano", max_epochs=5, batch_size=32, random_state=0)
pipe.fit(X_train, y_train)

# %%
# The accuracy and its 95 % confidence interval:
from fer_sklearn.metrics import accuracy_interval

predicted = pipe.predict(X_test)
low, high = accuracy_interval(y_test, predicted)
accuracy = (predicted == y_test).mean()
print(f"accuracy {accuracy:.3f}, 95 % interval {low:.3f} to {high:.3f}")

# %%
# For comparison, a linear model on the pixels:
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fer_sklearn import PixelStringTransformer

linear = make_pipeline(
    PixelStringTransformer(flatten=True),
    StandardScaler(),
    LogisticRegression(C=0.001, max_iter=200),
)
linear.fit(X_train[:2000], y_train[:2000])
print(f"linear model {linear.score(X_test, y_test):.3f}")

# %%
# Precision and recall of each emotion:
from sklearn.metrics import classification_report

print(classification_report(y_test, predicted, target_names=EMOTIONS, digits=3))

# %%
# The confusion matrix:
from fer_sklearn.plots import plot_confusion_matrix

_ = plot_confusion_matrix(y_test, predicted)

# %%
# Each row is a true emotion and sums to 100 %. After only five epochs, the network
# takes more than half of the disgusted faces for neutral ones, and many neutral ones
# for sad.
#
# The recall of each emotion:
from fer_sklearn.plots import RecallDisplay

_ = RecallDisplay.from_predictions(y_test, predicted)

# %%
# The lines are 95 % confidence intervals. With 63 test faces per emotion they span
# about 20 points: *angry* and *neutral* cannot be told apart here, *disgust* and *sad*
# can. On FER2013, *disgust* has the longest interval.
#
# Are 70 % of the predictions with a probability of 0.7 correct?
from fer_sklearn.plots import plot_calibration, plot_calibration_by_class

probabilities = pipe.predict_proba(X_test)
_ = plot_calibration(y_test, probabilities)

# %%
# Most points are above the diagonal: the predictions are correct more often than their
# probabilities say, so the network is underconfident. Label smoothing and a short
# training have this effect. With validation data, ``temperature="auto"`` corrects it.
#
# The same for each emotion:
_ = plot_calibration_by_class(y_test, probabilities)

# %%
# The network is underconfident above all for *surprise*. Each point is the mean of a
# few faces, so small deviations from the diagonal mean nothing.
#
# The mistakes with the highest confidence:
from fer_sklearn.plots import MistakesDisplay

_ = MistakesDisplay.from_predictions(X_test, y_test, probabilities)

# %%
# Several of these faces are labelled *disgust* or *neutral*, the emotions with the
# lowest recall. On FER2013, many of the faces in this plot have a wrong label.
