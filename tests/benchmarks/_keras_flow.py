"""An epoch of Keras' augmentation, run by a Python that has Keras."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from _timing import serve_child

try:
    from keras.src.legacy.preprocessing.image import ImageDataGenerator
except ImportError:
    from keras.preprocessing.image import ImageDataGenerator


def baseline_generator():
    """Make the generator of the Keras baseline."""
    return ImageDataGenerator(
        rotation_range=15,
        width_shift_range=0.15,
        height_shift_range=0.15,
        shear_range=0.15,
        zoom_range=0.15,
        horizontal_flip=True,
    )


def main():
    """Have Keras make every batch of an epoch, whenever asked."""
    images = np.load(sys.argv[1])[..., None]
    flow = baseline_generator().flow(images, np.zeros(len(images)), batch_size=32)

    def epoch():
        for index in range(len(flow)):
            flow[index]

    serve_child(epoch)


if __name__ == "__main__":
    main()
