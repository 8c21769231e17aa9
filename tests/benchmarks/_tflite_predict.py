"""Predict faces with a TensorFlow Lite model, in a Python that has ai-edge-litert."""

import sys
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter

path, batch_size, n_faces = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
model = Interpreter(model_path=path, num_threads=1)
(given,), (result,) = model.get_input_details(), model.get_output_details()
shape = [batch_size, *given["shape"][1:].tolist()]
model.resize_tensor_input(given["index"], shape)
model.allocate_tensors()
faces = np.random.default_rng(0).random(shape, dtype=np.float32)

print("ready", flush=True)
for _ in sys.stdin:
    start = time.process_time()
    for _ in range(n_faces // batch_size):
        model.set_tensor(given["index"], faces)
        model.invoke()
        model.get_tensor(result["index"])
    print(time.process_time() - start, flush=True)
