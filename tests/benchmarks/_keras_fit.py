"""An epoch of the baseline in Keras, run by a Python that has Keras."""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

sys.path.insert(0, str(Path(__file__).parent))
from _keras_flow import baseline_generator
from _timing import serve_child

N_THREADS = int(sys.argv[2])
tf.config.threading.set_intra_op_parallelism_threads(N_THREADS)
tf.config.threading.set_inter_op_parallelism_threads(N_THREADS)


def baseline():
    """Make the network of the Keras baseline."""
    stack = [keras.Input((48, 48, 1))]
    for filters, kernel in [(64, 5), (128, 3), (256, 3)]:
        for _ in range(2):
            stack += [
                layers.Conv2D(filters, kernel, activation="relu"),
                layers.BatchNormalization(),
            ]
        if filters == 256:
            stack.append(layers.Dropout(0.5))
        stack.append(layers.MaxPooling2D())
    stack += [
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.BatchNormalization(),
        layers.Dropout(0.6),
        layers.Dense(7, activation="softmax"),
    ]
    return keras.Sequential(stack)


data = np.load(sys.argv[1])
images = (data["images"] / 255).astype(np.float32)[..., None]
labels = keras.utils.to_categorical(data["emotions"], 7)
flow = baseline_generator().flow(images, labels, batch_size=32)
model = baseline()
model.compile(
    optimizer=keras.optimizers.Adam(1e-3),
    loss="categorical_crossentropy",
    metrics=["accuracy"],
)
serve_child(lambda: model.fit(flow, epochs=1, verbose=0))
