"""Faces and targets, a whole batch at a time."""

import zlib

import numpy as np
import torch
from sklearn.utils import compute_class_weight
from torch.utils.data import Dataset, default_collate

from .._augmented_images import AugmentedImages
from ..exceptions import FERError


class FaceDataset(Dataset):
    """Faces, targets and weights, gathered batch by batch.

    Grey levels keep their dtype (mostly uint8) until the module normalises them.
    Augmented images are sampled for the current `epoch`, and only mirrored if it is
    `clean`. A sample depends on seed, epoch and row alone, so that batch size, order
    and workers change nothing.

    Parameters
    ----------
    faces : ndarray of shape (n_samples, height, width) or AugmentedImages
        The faces, or a view that samples augmented ones.
    targets : ndarray of shape (n_samples,), int64
        Class indices.
    weights : ndarray of shape (n_samples,), float32, optional
        Weight of each sample in the loss.
    soft_targets : ndarray of shape (n_samples, n_classes), float32, optional
        Share of each class in each sample, used instead of `targets`.
    image_shape : tuple of int
        Height and width, for a view of flat pictures.
    """

    def __init__(self, faces, targets, weights=None, soft_targets=None, *, image_shape):
        self.faces = faces
        self.targets = targets
        self.weights = weights
        self.soft_targets = soft_targets
        self.image_shape = image_shape
        self.epoch = 0
        self.clean = False

    @property
    def images(self):
        """The faces without augmentation."""
        return getattr(self.faces, "images", self.faces)

    def split(self, kept, held_out):
        """Split into rows to train on and rows, never augmented, to validate on."""
        rows = [self.faces, self.targets, self.weights, self.soft_targets]
        train = [None if part is None else part[kept] for part in rows]
        valid = [self.images[held_out], self.targets[held_out]]
        return (
            FaceDataset(*train, image_shape=self.image_shape),
            FaceDataset(*valid, image_shape=self.image_shape),
        )

    def weigh(self, class_weights) -> None:
        """Multiply the weights by a weight for each class, and bring them to mean 1.

        The learning rate then means the same whatever the scale of the weights.
        """
        if class_weights is not None:
            n_classes = 1 + max(*class_weights, self.targets.max())
            of_class = np.ones(n_classes, dtype=np.float32)
            for target, weight in class_weights.items():
                of_class[target] = weight
            own = 1 if self.weights is None else self.weights
            self.weights = of_class[self.targets] * own
        if self.weights is not None:
            mean = self.weights.mean()
            if mean == 0:
                raise FERError(
                    "class_weight is 0 for every class among the labels, so that "
                    "nothing is left to train on. Give a weight to some."
                )
            self.weights = (self.weights / mean).astype(np.float32)

    def fingerprint(self) -> str:
        """Identify the data by a checksum of all of it."""
        checksum = 0
        for part in (self.images, self.targets, self.weights, self.soft_targets):
            if part is not None:
                checksum = zlib.crc32(np.ascontiguousarray(part), checksum)
        return f"{len(self)} faces, checksum {checksum:08x}"

    def __len__(self) -> int:
        return len(self.targets)

    def _gather(self, indices):
        if isinstance(self.faces, AugmentedImages):
            faces = self.faces.sample(indices, self.epoch, mirror_only=self.clean)
        else:
            faces = self.faces[indices]
        return faces.reshape(-1, *self.image_shape)

    def __getitems__(self, indices):
        """Gather one batch: ``(faces, targets)``, with weights if there are any."""
        indices = np.asarray(indices)
        faces = torch.from_numpy(np.ascontiguousarray(self._gather(indices)))
        chosen = self.targets if self.soft_targets is None else self.soft_targets
        targets = torch.from_numpy(chosen[indices])
        if self.weights is None:
            return faces, targets
        # skorch passes weights next to the inputs in a dictionary.
        weights = torch.from_numpy(self.weights[indices])
        return {"faces": faces, "sample_weight": weights}, targets

    def __getitem__(self, index):
        faces, target = self.__getitems__([index])
        if isinstance(faces, dict):
            return {name: value[0] for name, value in faces.items()}, target[0]
        return faces[0], target[0]


def collate(batch):
    """Collate the rows of an array; `FaceDataset` gathers whole batches itself."""
    return batch if isinstance(batch, tuple) else default_collate(batch)


def weights_of_classes(class_weight, classes, targets) -> dict | None:
    """Compute the weight of each class index among the targets; None without any."""
    if class_weight is None:
        return None
    present = np.unique(targets)
    # "balanced" depends on the classes that occur; a dictionary may name all classes.
    known = present if class_weight == "balanced" else np.arange(len(classes))
    weights = compute_class_weight(
        class_weight, classes=classes[known], y=classes[targets]
    )
    return dict(zip(known.tolist(), weights.tolist(), strict=True))
