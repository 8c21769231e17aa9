"""
A network of one's own
======================

Any `torch.nn.Module` from ``(batch, 1, height, width)`` to logits can be the network,
and its constructor's arguments can be searched over.
"""

# %%
import os

from torch import nn

from fer_sklearn import load_fer2013, make_faces, make_fer_pipeline

# %%
# The classifier passes the number of classes and what stands in ``network_params``. Its
# learning rate suits the networks of this package; others may want another one.
# Faces arrive normalised, so the network contains nothing but the network.


class TwoConvolutions(nn.Module):
    """Two convolutions and one linear layer."""

    def __init__(self, n_classes, width=16):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, width, 5, padding=2),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.AdaptiveMaxPool2d(4),
            nn.Flatten(),
            nn.Linear(32 * width, n_classes),
        )

    def forward(self, faces):
        return self.layers(faces)


# %%
path = os.environ.get("FER2013_CSV")
if path:
    faces = load_fer2013(path, usage="PublicTest")
else:
    faces = make_faces(1050, image_shape=(32, 32), random_state=0)
half = len(faces.data) // 2
for width in (8, 32):
    pipe = make_fer_pipeline(
        network=TwoConvolutions,
        network_params={"width": width},
        image_shape=(48, 48) if path else (32, 32),
        batch_size=32,
        max_epochs=10,
        optimizer="adamw",
        lr=0.003,
        random_state=0,
    )
    pipe.fit(faces.data[:half], faces.target[:half])
    accuracy = pipe.score(faces.data[half:], faces.target[half:])
    print(f"width {width:2d}: accuracy {accuracy:.3f}")

# %%
from fer_sklearn.plots import TrainingCurvesDisplay

_ = TrainingCurvesDisplay.from_estimator(pipe)

# %%
# The trained module is inside the skorch net, for whoever wants to look into it.
pipe["cnn"].net_.module_
