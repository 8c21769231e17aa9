"""Peak memory of a fit on as many faces as FER2013's Training has.

Each side runs in a fresh process that reads its own peak from /proc/self/status
(VmHWM), so there is a number on Linux only. What stood there after the imports is
taken off.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from ._faces import face_images
from ._timing import not_measured, value

N_FACES = 28_709
N_REAL = 2048
SECONDS = 8
WHAT = f"peak memory of `FERClassifier.fit` on {N_FACES:,} augmented faces, `compact`"
AGAINST = "the faces as uint8 and what the bare network needs for a step of 128"


def rows(rounds):
    """Measure fit, and one step of the network by itself."""
    if not os.path.exists("/proc/self/status"):
        yield not_measured(WHAT, AGAINST, note="needs /proc/self/status")
        return
    images, emotions = face_images(N_REAL)
    with tempfile.TemporaryDirectory() as folder:
        repeats = -(-N_FACES // N_REAL)
        np.save(Path(folder, "X.npy"), np.tile(images, (repeats, 1, 1))[:N_FACES])
        np.save(Path(folder, "y.npy"), np.tile(emotions, repeats)[:N_FACES])
        fit = [peak_of("fit", folder) for _ in range(3)]
        step = [peak_of("step", folder) for _ in range(3)]
    faces = N_FACES * 48 * 48 / 1e6
    more = np.median(fit) - np.median(step) - faces
    yield value(
        WHAT,
        AGAINST,
        f"**{more:+.0f} MB**",
        note=f"fit {np.median(fit):.0f} MB, faces {faces:.0f} MB, network "
        f"{np.median(step):.0f} MB, each over its imports; medians of 3 processes; "
        f"{SECONDS} s of training",
    )


def peak_of(work, folder):
    """Give the megabytes that a process of its own takes at most, beyond imports."""
    command = [sys.executable, "-m", __name__, work, folder]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    before, peak = json.loads(done.stdout.splitlines()[-1])
    return peak - before


def megabytes(key):
    """Read a size of this process: VmRSS, the present one, or VmHWM, the peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError(key)


def fit(folder):
    """Train for a while, as a user would."""
    from fer_sklearn import FERClassifier, RandomAffineAugmenter

    before = megabytes("VmRSS")
    X, y = np.load(Path(folder, "X.npy")), np.load(Path(folder, "y.npy"))
    view = RandomAffineAugmenter(random_state=0).fit_transform(X)
    FERClassifier(max_time=SECONDS, random_state=0, device="cpu").fit(view, y)
    return before


def step(folder):
    """Train the bare network for two steps on one batch."""
    import torch

    from fer_sklearn.networks import make_network

    before = megabytes("VmRSS")
    faces = torch.zeros(128, 1, 48, 48)
    targets = torch.zeros(128, dtype=torch.int64)
    network = make_network("compact", n_classes=7, image_shape=(48, 48))
    network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(faces), targets).backward()
        optimizer.step()
    return before


if __name__ == "__main__":
    before = {"fit": fit, "step": step}[sys.argv[1]](sys.argv[2])
    print(json.dumps([before, megabytes("VmHWM")]))
