"""Probabilities of faces by a TensorFlow Lite model, in a Python that has it.

    python _tflite_scores.py MODEL FACES.npy PROBABILITIES.npy

Faces are brought to the size that the model takes and to -1 to 1, as the package fer
does with what its detector found.
"""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

path, faces_path, result_path = sys.argv[1:]
model = Interpreter(model_path=path, num_threads=1)
(given,), (result,) = model.get_input_details(), model.get_output_details()
height, width = given["shape"][1:3].tolist()
faces = np.load(faces_path)
scaled = [
    np.asarray(Image.fromarray(face).resize((width, height), Image.Resampling.BILINEAR))
    for face in faces
]
pictures = (np.stack(scaled).astype(np.float32) / 255 - 0.5)[..., None] * 2
model.resize_tensor_input(given["index"], pictures.shape)
model.allocate_tensors()
model.set_tensor(given["index"], pictures)
model.invoke()
np.save(result_path, model.get_tensor(result["index"]))
