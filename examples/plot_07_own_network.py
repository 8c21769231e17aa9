"""
Your own network
================

The network can be any ``torch.nn.Module`` that maps faces of shape ``(batch, 1, height,
width)`` to logits.
"""

# %%
# The classifier calls the class with the number of classes and the content of
# ``network_params``. Faces are already normalised when they reach the network.
import os

from torch import nn

from fer_sklearn import load_fer2013, make_faces, make_fer_pipeline


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
# The default learning rate suits the networks of this package. Here we use AdamW with
# its own learning rate.
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
# The training curves of the wider network:
from fer_sklearn.plots import TrainingCurvesDisplay

_ = TrainingCurvesDisplay.from_estimator(pipe)

# %%
# The accuracy still rises when the learning rate approaches zero, so the network would
# profit from more epochs. There are no validation curves, because `fit` received no
# validation data.
#
# ``net_`` is the fitted skorch net, and its ``module_`` contains the trained network:
pipe["cnn"].net_.module_
