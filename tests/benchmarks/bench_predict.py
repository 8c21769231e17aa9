"""Prediction with the default network on one thread: many faces, and one."""

import torch

from fer_sklearn import load_pretrained

from ._faces import face_images, face_strings, kind_of_faces
from ._timing import slow_down, speed_up

N_FACES = 512
BATCH = 256
N_SINGLE = 50


def rows(rounds):
    """Compare `predict_proba` from pixel strings with the bare module on tensors."""
    torch.set_num_threads(1)
    pipe = load_pretrained("compact")
    pipe["cnn"].test_time_flip = False
    bare = pipe["cnn"].net_.module_.eval()
    ready = bare.normalize(torch.tensor(face_images(N_FACES)[0]))
    # Of the values that a module sees depends nothing that takes time.
    folded = pipe["cnn"]._predictor.module().network
    strings, _ = face_strings(N_FACES)
    strings = strings.tolist()
    about = {"rounds": rounds, "note": kind_of_faces()}

    def ours():
        pipe.predict_proba(strings)

    for name, network in [
        ("the bare module", bare.network),
        ("the bare module with batch normalisation folded", folded),
    ]:
        yield speed_up(
            f"`pipe.predict_proba`, {N_FACES:,} pixel strings, `compact`",
            f"{name} on ready tensors, batches of {BATCH}",
            ours,
            in_batches(network, ready, BATCH),
            items=N_FACES,
            **about,
        )
    yield slow_down(
        f"one face: `pipe.predict_proba` of one pixel string, {N_SINGLE} times",
        "the bare module on one ready tensor",
        one_by_one(pipe, strings[:N_SINGLE]),
        in_batches(bare.network, ready[:N_SINGLE], 1),
        items=N_SINGLE,
        **about,
    )


def in_batches(network, tensors, size):
    """Give a function that runs a module on ready tensors, batch by batch."""

    @torch.inference_mode()
    def run():
        for batch in tensors.split(size):
            network(batch)

    return run


def one_by_one(pipe, strings):
    """Give a function that predicts one string after the other."""

    def run():
        for string in strings:
            pipe.predict_proba([string])

    return run
