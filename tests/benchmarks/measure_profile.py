"""Measure where the time of a training step and of a prediction goes, on one thread.

    python -m tests.benchmarks.measure_profile compact seed

For each network: seconds of the processor by kind of operation (torch's profiler) for a
training step of 128 augmented faces (of the baseline: 32) and a prediction of 256; what
Python and NumPy take beside torch; and how near the convolutions come to the rate of a
large matrix product, measured on the same thread in the same run.
"""

import argparse
import time

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from fer_sklearn import FERClassifier, RandomAffineAugmenter
from fer_sklearn.networks import NETWORKS, make_network

from ._faces import face_images

KINDS = {
    "convolutions, forward": ["aten::mkldnn_convolution", "aten::_slow_conv2d"],
    "convolutions, backward": ["aten::convolution_backward"],
    "batch normalisation": ["aten::native_batch_norm"],
    "ReLU": ["aten::clamp_min", "aten::relu", "aten::threshold_backward"],
    "pooling": ["aten::max_pool2d", "aten::adaptive_avg_pool2d", "aten::mean"],
    "optimiser, weight average": ["aten::_foreach", "aten::lerp"],
}
PREFIXES = [(prefix, kind) for kind, names in KINDS.items() for prefix in names]


def main():
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=["compact"])
    parser.add_argument("--steps", type=int, default=8, help="in a training; default 8")
    options = parser.parse_args()
    torch.set_num_threads(1)
    peak = matrix_product_rate()
    print(f"matrix product of 2048: {peak / 1e9:.0f} GFLOP/s on one thread\n")
    for name in options.networks:
        report(name, options.steps, peak)


def matrix_product_rate(size=2048, rounds=9):
    """Give the best rate of a float32 matrix product, in operations a second."""
    a, b = torch.rand(size, size), torch.rand(size, size)
    return max(2 * size**3 / seconds(lambda: a @ b) for _ in range(rounds))


def seconds(call):
    """Time a call, in seconds of the processor: other work beside it counts less."""
    start = time.process_time()
    call()
    return time.process_time() - start


def convolution_flops(name):
    """Count what a face's convolutions take: two operations a multiplication."""
    counts = []

    def count(layer, inputs, output):
        counts.append(2 * output[0].numel() * layer.weight[0].numel())

    network = make_network(name, n_classes=7, image_shape=(48, 48)).eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(count)
    network(torch.zeros(1, 1, 48, 48))
    # The first layer's input needs no gradient.
    return sum(counts), 3 * sum(counts) - counts[0]


def report(name, n_steps, peak):
    """Print two tables for a network."""
    if name not in NETWORKS:
        raise SystemExit(f"no network {name!r}; there are: {', '.join(NETWORKS)}")
    batch = 32 if name == "baseline" else 128
    n_faces = batch * n_steps
    X, y = face_images(n_faces)
    view = RandomAffineAugmenter(random_state=0).fit_transform(X)
    classifier = FERClassifier(name, max_epochs=1, batch_size=batch, random_state=0)
    classifier.fit(view, y)
    sampling = seconds(
        lambda: [view.sample(np.arange(batch), 9) for _ in range(n_steps)]
    )
    forward, training = convolution_flops(name)
    print(f"## {name}\n")
    tabulate(
        f"training, {n_faces} faces in batches of {batch}",
        lambda: classifier.fit(view, y),
        n_faces,
        n_faces * training,
        peak,
        {"augmentation (scipy)": sampling},
    )
    faces = X[:256]
    classifier.predict_proba(faces)
    tabulate(
        "prediction, 256 faces",
        lambda: classifier.predict_proba(faces),
        len(faces),
        len(faces) * forward,
        peak,
        {},
    )


def tabulate(title, call, n_faces, flops, peak, own):
    """Print how long a call takes, and on what, as a Markdown table.

    Shares are of the profiled call, by the clock on the wall, as torch's profiler
    counts; the time itself is the processor's, without the profiler.
    """
    plain = min(seconds(call) for _ in range(3))
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        start = time.perf_counter()
        call()
        whole = time.perf_counter() - start
    spent = dict.fromkeys([*KINDS, "other operations of torch"], 0.0)
    for event in profiler.key_averages():
        if event.key.startswith("aten::"):
            kinds = (kind for start, kind in PREFIXES if event.key.startswith(start))
            kind = next(kinds, "other operations of torch")
            spent[kind] += event.self_cpu_time_total / 1e6
    shares = {kind: time / whole for kind, time in spent.items()}
    shares |= {kind: time / plain for kind, time in own.items()}
    shares["Python, NumPy, the rest"] = 1 - sum(shares.values())
    print(f"{title}: {1000 * plain / n_faces:.2f} ms a face\n")
    print("| what | share of the time |\n|---|---|")
    for kind, share in shares.items():
        print(f"| {kind} | {share:.1%} |")
    convolving = sum(s for kind, s in shares.items() if kind.startswith("conv"))
    rate = flops / (convolving * plain)
    print(
        f"\nConvolutions: {rate / 1e9:.0f} GFLOP/s, {rate / peak:.0%} of the matrix "
        "product's rate.\n",
        flush=True,
    )


if __name__ == "__main__":
    main()
