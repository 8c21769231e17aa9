"""A stand-in pipeline, real servers on loopback, and what is sent to them."""

import io
import socket
import threading
from contextlib import contextmanager

import httpx
import numpy as np
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from fer_sklearn import PixelStringTransformer
from fer_sklearn.datasets import EMOTIONS, make_faces
from fer_sklearn.serving import bind, create_app
from fer_sklearn.serving.server import make_server

# The head of a request on a bare socket, open for further headers.
HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"


def stand_in():
    """A fitted pipeline that takes pixel strings and arrays, without torch."""
    faces = make_faces(140, random_state=0)
    pipe = make_pipeline(
        PixelStringTransformer(flatten=True),
        PCA(20, whiten=True, random_state=0),
        LogisticRegression(),
    )
    return pipe.fit(faces.data, faces.target)


@contextmanager
def serving(model, *, limits=None, **options):
    """Serve `model` in a thread; yields a client of the service."""
    with serving_app(create_app(model, limits=limits, **options), limits) as client:
        yield client


@contextmanager
def serving_app(app, limits=None):
    """Serve any application in a thread, as `serving` does."""
    listener = bind("127.0.0.1", 0)
    server = make_server(app, limits=limits, access_log=False)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    port = listener.getsockname()[1]
    # The connection is accepted by the kernel at once and answered after the start.
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        try:
            yield client
        finally:
            server.should_exit = True
            thread.join(timeout=20)
    assert not thread.is_alive()


def connect(client):
    """A bare socket to the service of a client."""
    address = client.base_url.host, client.base_url.port
    return socket.create_connection(address, timeout=10)


def encode(face, format="PNG", **options):
    """An image file in bytes of an array or a Pillow image."""
    image = face if isinstance(face, Image.Image) else Image.fromarray(face)
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def send(client, *files, **options):
    """POST files, each bytes or (name, bytes), to /predict."""
    named = [
        file if isinstance(file, tuple) else (f"{index}.png", file)
        for index, file in enumerate(files)
    ]
    parts = [("files", (name, data)) for name, data in named]
    return client.post("/predict", files=parts, **options)


def probabilities(answer):
    """The probabilities of an answer, one row per face."""
    assert answer.status_code == 200, answer.text
    faces = [f for picture in answer.json()["pictures"] for f in picture["faces"]]
    return np.array([[f["probabilities"][name] for name in EMOTIONS] for f in faces])
