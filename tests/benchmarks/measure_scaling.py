"""Measure how cost grows with rows, picture size, threads and networks; draw it.

    python -m tests.benchmarks.measure_scaling --output docs/images/scaling.png

Rows, sizes and networks are measured on one thread, in seconds of the processor, the
least of three; threads by the clock on the wall, the median of five rounds, so nothing
else should run then.
"""

import argparse
import time
from functools import partial
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image

from fer_sklearn import FERClassifier, RandomAffineAugmenter
from fer_sklearn.networks import NETWORKS, make_network

from ._faces import face_images
from ._timing import interleave, machine

ROWS = [128, 256, 512, 1024]
SIZES = [24, 32, 48, 64, 96]
WORKERS = [1, 2]
BLUE, ORANGE, GREY = "#1f5fa8", "#c25700", "#666666"


def main():
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="the picture")
    parser.add_argument(
        "--busy",
        action="store_true",
        help="other work keeps the machine busy: leave the threads out",
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    figure, axes = plt.subplots(2, 2, figsize=(9, 7), layout="constrained")
    draw_rows(axes[0, 0])
    draw_sizes(axes[0, 1])
    if options.busy:
        axes[1, 0].set_axis_off()
        axes[1, 0].text(0.5, 0.5, "threads: not measured", ha="center")
    else:
        draw_workers(axes[1, 0])
    draw_networks(axes[1, 1])
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    figure.savefig(options.output, dpi=110)
    print(machine())


def seconds(call):
    """Give the least of three times of a call, in seconds of the processor."""
    times = []
    for _ in range(3):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def draw_rows(axis):
    """Fit and predict more and more rows."""
    images, emotions = face_images(ROWS[-1])
    pairs = [measure("nano", images[:n], emotions[:n]) for n in ROWS]
    fit, predict = np.transpose(pairs)
    lines(axis, ROWS, {"an epoch of training": fit, "prediction": predict})
    axis.set(title="Rows (nano)", xlabel="faces", ylabel="seconds")
    report("rows", ROWS, fit, predict)


def draw_sizes(axis):
    """Fit and predict larger and larger pictures."""
    images, emotions = face_images(128)
    pairs = []
    for size in SIZES:
        scaled = [np.asarray(Image.fromarray(x).resize((size, size))) for x in images]
        pairs.append(measure("nano", np.stack(scaled), emotions))
    fit, predict = 1000 * np.transpose(pairs) / len(images)
    lines(axis, SIZES, {"training": fit, "prediction": predict})
    axis.set(
        title="Picture size (nano)",
        xlabel="pixels on a side",
        ylabel="milliseconds a face",
    )
    report("sizes", SIZES, fit, predict)


def measure(name, images, emotions):
    """Give the seconds that an epoch of training and a prediction take."""
    view = RandomAffineAugmenter(random_state=0).fit_transform(images)
    classifier = FERClassifier(name, max_epochs=1, random_state=0, device="cpu")
    fit = seconds(partial(classifier.fit, view, emotions))
    return fit, seconds(partial(classifier.predict, images))


def draw_workers(axis):
    """Give the network and the augmenter a second thread."""
    images, emotions = face_images(512)
    classifier = FERClassifier(max_epochs=1, random_state=0, device="cpu")

    def train(n_threads):
        torch.set_num_threads(n_threads)
        classifier.fit(images[:64], emotions[:64])

    def predict(n_threads):
        torch.set_num_threads(n_threads)
        classifier.predict(images[:64])

    def augment(n_threads):
        augmenter = RandomAffineAugmenter(n_jobs=n_threads, random_state=0)
        augmenter.fit_transform(images).sample()

    rates = {}
    for label, work in {
        "training": train,
        "prediction": predict,
        "augmentation": augment,
    }.items():
        times = interleave(*(partial(work, n) for n in WORKERS), rounds=5)
        rates[label] = np.median(times[0] / times, axis=1)
    torch.set_num_threads(1)
    lines(axis, WORKERS, rates)
    axis.plot(WORKERS, WORKERS, "--", color=GREY, linewidth=1, label="ideal")
    axis.legend(frameon=False, loc="upper left")
    axis.set(
        title="Threads (compact)",
        xlabel="threads",
        ylabel="times as fast as one",
        xticks=WORKERS,
        ylim=(0.8, 2.3),
    )
    report("threads", WORKERS, *rates.values())


def multiplications(network):
    """Count the multiplications of a face of 48x48 pixels, in millions."""
    counts = []

    def count(layer, _, output):
        places = output.shape[2:].numel() if output.ndim == 4 else 1
        counts.append(layer.weight.numel() * places)

    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            layer.register_forward_hook(count)
    with torch.no_grad():
        network.eval()(torch.zeros(1, 1, 48, 48))
    return sum(counts) / 1e6


def draw_networks(axis):
    """Fit and predict with every network."""
    images, emotions = face_images(64)
    measured = []
    for name in NETWORKS:
        network = make_network(name, n_classes=7, image_shape=(48, 48))
        fit, predict = np.multiply(1000 / 64, measure(name, images, emotions))
        n_parameters = sum(p.numel() for p in network.parameters()) / 1e6
        label = f"{name} ({n_parameters:.2g} M)"
        measured.append((multiplications(network), fit, predict, label))
    sizes, fit, predict, names = zip(*sorted(measured), strict=True)
    lines(axis, sizes, {"training": fit, "prediction": predict})
    for name, x, y in zip(names, sizes, predict, strict=True):
        axis.annotate(name, (x, y), (-6, -16), textcoords="offset points", fontsize=9)
    axis.set(
        title="Networks (their parameters)",
        xlabel="multiplications a face, millions",
        ylabel="milliseconds a face",
        yscale="log",
        xlim=(0, sizes[-1] * 1.35),
        ylim=(min(predict) / 2.5, max(fit) * 3),
    )
    axis.set_xticks(sizes, labels=[f"{size:.0f}" for size in sizes])
    axis.set_xticks([], minor=True)
    report("networks", sizes, fit, predict)


def lines(axis, x, series):
    """Draw lines with marks and a legend."""
    colours = [BLUE, ORANGE, "#3a7d34"]
    for (label, y), colour, mark in zip(series.items(), colours, "os^", strict=False):
        axis.plot(x, y, marker=mark, color=colour, label=label)
    axis.legend(frameon=False, loc="upper left")


def report(name, x, *series):
    """Print what was measured."""
    values = (np.round(y, 3).tolist() for y in series)
    print(name, np.round(x, 3).tolist(), *values, flush=True)


if __name__ == "__main__":
    main()
