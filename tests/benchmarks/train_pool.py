"""Train a pool of networks on a GPU, then nano, compact and large from it.

    python -m tests.benchmarks.train_pool fer2013.csv fer2013new.csv OUT --minutes 12

The pool learns from the labels, a part of it from the votes of FER+ as well. Its mean
prediction is then taken for many augmented versions of each face, half of them mixtures
of two faces, and the students learn these predictions. The last epochs are on faces
that are only mirrored. Every training is a CUDA graph, and several run side by side.
Their lengths follow from `--minutes`, so the results differ between GPUs.

OUT receives NAME.fer of each student, NAME.npz with the probabilities of each network
for PublicTest, and results.json. The models of the package are nano.fer, large.fer and
compact_branches.fer; their cards have the figures. Without a GPU, the script ends after
a few steps: a trial.
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn import functional

from fer_sklearn import (
    PixelStringTransformer,
    load_fer2013,
    make_fer_pipeline,
    save_model,
)
from fer_sklearn._training.net import restore_history
from fer_sklearn._training.prediction import fit_temperature
from fer_sklearn.datasets import join_ferplus
from fer_sklearn.datasets._fer2013 import write_pixel_strings
from fer_sklearn.networks import ConvNet, GreyLevelNormalizer, compact, large, nano

GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if GPU else "cpu")
BATCH = 256 if GPU else 32
SMALL, SMALL_SHARE = 32, 0.45  # the first epochs are on smaller faces
CLEAN_EPOCHS = 6 if GPU else 1
WIDE = [(32, 64), (128, 128), (256, 256), (384, 384)]
MEDIUM = [(32, 64), (96, 96), (192, 192), (384, 384)]
DEEP = [(32, 32, 32), (64, 64, 64), (128, 128, 128), (256, 256, 256)]
EARLY = [(64, 64), (128, 128), (192, 192), (256, 256)]
normalize = GreyLevelNormalizer()
start = time.monotonic()


def say(*words):
    """Print with the seconds since the start."""
    print(f"{time.monotonic() - start:6.1f} s", *words, flush=True)


# -- networks of the pool --------------------------------------------------------------


class Block(nn.Module):
    """Residual block, with squeeze-and-excitation if asked for."""

    def __init__(self, n_in, n_out, stride, squeeze):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(n_out),
        )
        self.squeeze = None
        if squeeze:
            self.squeeze = nn.Sequential(
                nn.AdaptiveAvgPool2d(1),
                nn.Conv2d(n_out, n_out // 8, 1),
                nn.ReLU(),
                nn.Conv2d(n_out // 8, n_out, 1),
                nn.Sigmoid(),
            )
        self.skip = nn.Identity()
        if stride > 1 or n_in != n_out:
            self.skip = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True),
                nn.Conv2d(n_in, n_out, 1, bias=False),
                nn.BatchNorm2d(n_out),
            )
        nn.init.zeros_(self.body[-1].weight)

    def forward(self, x):
        """Add the channels to the input."""
        out = self.body(x)
        if self.squeeze is not None:
            out = out * self.squeeze(out)
        return functional.relu(out + self.skip(x))


def residual(widths, *, squeeze=False, dropout=0.3, n_in=1):
    """Build a residual network with two blocks a stage."""
    n = widths[0]
    layers = [nn.Conv2d(n_in, n, 3, 1, 1, bias=False), nn.BatchNorm2d(n), nn.ReLU()]
    for stage, n_out in enumerate(widths):
        layers += [Block(n, n_out, 2 if stage else 1, squeeze)]
        layers += [Block(n_out, n_out, 1, squeeze)]
        n = n_out
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, *end, nn.Linear(n, 7))


class Local(nn.Module):
    """Bring the contrast around each pixel to the same level, as a second picture."""

    def __init__(self, *, keep):
        super().__init__()
        self.keep = keep

    def forward(self, x):
        """Normalise 9x9 pixels at a time."""
        padded = functional.pad(x, (4, 4, 4, 4), mode="replicate")
        mean = functional.avg_pool2d(padded, 9, 1)
        var = functional.avg_pool2d(padded.square(), 9, 1) - mean.square()
        local = (x - mean) / (var.clamp_min(0).sqrt() + 0.3)
        return torch.cat([x, local], 1) if self.keep else local


def plain(widths, dropout=0.3):
    """Build a `ConvNet` of other widths than those of the package."""
    return ConvNet(7, widths=widths, dropout=dropout)


class Branches(nn.Module):
    """A 3x3 convolution with a 1x1 convolution and the identity beside it (RepVGG).

    They are trained as three, and merged into one 3x3 convolution afterwards.
    """

    def __init__(self, conv, norm):
        super().__init__()
        n_in, n_out, stride = conv.in_channels, conv.out_channels, conv.stride
        point = nn.Conv2d(n_in, n_out, 1, stride, bias=False)
        self.convs = nn.ModuleList([conv, point])
        self.norms = nn.ModuleList([norm, nn.BatchNorm2d(n_out)])
        same = n_in == n_out and stride == (1, 1)
        self.identity = nn.BatchNorm2d(n_out) if same else None

    def pairs(self):
        """Return each convolution with its batch normalisation."""
        return zip(self.convs, self.norms, strict=True)

    def forward(self, x):
        """Add the three."""
        conv, point = (norm(f(x)) for f, norm in self.pairs())
        out = conv + point
        return out if self.identity is None else out + self.identity(x)

    @torch.no_grad()
    def merge(self):
        """Return one 3x3 convolution and its batch normalisation."""
        conv, norm = self.convs[0], self.norms[0]
        kernels = [conv.weight, functional.pad(self.convs[1].weight, (1, 1, 1, 1))]
        norms = list(self.norms)
        if self.identity is not None:
            one = torch.eye(len(conv.weight), device=conv.weight.device)
            kernels.append(functional.pad(one[:, :, None, None], (1, 1, 1, 1)))
            norms.append(self.identity)
        kernel, bias = 0, 0
        for part, n in zip(kernels, norms, strict=True):
            scale = n.weight / (n.running_var + n.eps).sqrt()
            kernel = kernel + part * scale[:, None, None, None]
            bias = bias + n.bias - n.running_mean * scale
        merged = nn.Conv2d(
            conv.in_channels, conv.out_channels, 3, conv.stride, 1, bias=False
        )
        merged.weight.data = kernel.contiguous()
        after = nn.BatchNorm2d(len(bias)).to(bias.device)
        after.weight.fill_((1 + norm.eps) ** 0.5)
        after.bias.copy_(bias)
        return merged, after


def layers(net):
    """Give each layer of the stages of a `ConvNet`, with its stage and place."""
    for stage in net.children():
        if isinstance(stage, nn.Sequential):
            yield from ((stage, i, layer) for i, layer in enumerate(stage))


def branched(net):
    """Put branches beside the 3x3 convolutions of a `ConvNet`, the first excepted."""
    for stage, i, layer in layers(net):
        if isinstance(layer, nn.Conv2d) and layer.in_channels > 1:
            stage[i], stage[i + 1] = Branches(layer, stage[i + 1]), nn.Identity()
    return net


def merged(net):
    """Turn a branched network back into a `ConvNet`."""
    for stage, i, layer in layers(net):
        if isinstance(layer, Branches):
            stage[i], stage[i + 1] = layer.merge()
    return net.eval()


# Name, network, whether it learns from the votes, and what else differs. The first are
# trained if time is short.
POOL = [
    ("wide", lambda: plain(WIDE, 0.4), False, {}),
    ("medium", lambda: plain(MEDIUM), True, {}),
    ("squeeze", lambda: residual((32, 64, 128, 256), squeeze=True), True, {}),
    ("deep", lambda: plain(DEEP), False, {"mixup": 0.4}),
    (
        "local",
        lambda: nn.Sequential(Local(keep=False), plain(MEDIUM, 0.4)),
        False,
        {},
    ),
    ("compact", lambda: compact(7), False, {}),
    (
        "both",
        lambda: nn.Sequential(Local(keep=True), residual((32, 64, 128, 256), n_in=2)),
        True,
        {},
    ),
    (
        "early",
        lambda: plain(EARLY, 0.4),
        False,
        {"mixup": 0.4, "weight_decay": 1e-3, "lr": 0.15},
    ),
    (
        "residual",
        lambda: residual((48, 96, 192, 320), dropout=0.4),
        False,
        {"mixup": 0.4, "weight_decay": 1e-3, "lr": 0.15},
    ),
]
# Name, network of the package, how it is made, and its share of the epochs. The first
# are trained first.
STUDENTS = [
    ("large", "large", lambda: large(7, dropout=0.2), 2),
    ("compact", "compact", lambda: compact(7, dropout=0.1), 1),
    ("compact_branches", "compact", lambda: branched(compact(7, dropout=0.1)), 1),
    ("nano", "nano", lambda: nano(7, dropout=0.0), 1),
    ("compact_seed1", "compact", lambda: compact(7, dropout=0.1), 1),
    ("nano_seed1", "nano", lambda: nano(7, dropout=0.0), 1),
    ("compact_seed2", "compact", lambda: compact(7, dropout=0.1), 1),
]


# -- versions of the faces -------------------------------------------------------------


def uniform(n, width):
    """Draw n numbers around 0."""
    return (torch.rand(n, device=DEVICE) * 2 - 1) * width


def augment(faces, size):
    """Turn, zoom, shear, move and mirror each face, and change its gamma."""
    n = len(faces)
    angle, shear = uniform(n, math.radians(15)), uniform(n, 0.1)
    zoom_x, zoom_y = 1 + uniform(n, 0.15), 1 + uniform(n, 0.15)
    mirror = torch.rand(n, device=DEVICE).round() * 2 - 1
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = [
        mirror * zoom_x * cos,
        mirror * zoom_x * (shear * cos - sin),
        uniform(n, 0.24),
        zoom_y * sin,
        zoom_y * (shear * sin + cos),
        uniform(n, 0.24),
    ]
    maps = torch.stack(rows, 1).view(n, 2, 3)
    grid = functional.affine_grid(maps, (n, 1, size, size), align_corners=False)
    out = functional.grid_sample(
        faces.float()[:, None], grid, padding_mode="border", align_corners=False
    )[:, 0]
    gamma = torch.exp(uniform(n, 0.3))[:, None, None]
    return 255 * (out / 255).clamp_min(1e-3) ** gamma


def erase(faces, probability):
    """Fill a rectangle of some faces with noise."""
    n, size = len(faces), faces.shape[-1]
    area, ratio = torch.rand(n, device=DEVICE) * 0.2 + 0.03, torch.exp(uniform(n, 1.0))
    pixels = (torch.arange(size, device=DEVICE) + 0.5) / size

    def inside(length):
        length = length.sqrt().clamp_max(0.9)
        first = torch.rand(n, device=DEVICE) * (1 - length)
        return (pixels >= first[:, None]) & (pixels < (first + length)[:, None])

    box = inside(area * ratio)[:, :, None] & inside(area / ratio)[:, None, :]
    chosen = (torch.rand(n, device=DEVICE) < probability)[:, None, None]
    noise = torch.randn(faces.shape, device=DEVICE) * faces.std((1, 2), keepdim=True)
    return torch.where(box & chosen, noise + faces.mean((1, 2), keepdim=True), faces)


def beta_quantiles(alpha):
    """Tabulate Beta(alpha, alpha), to draw from it within a CUDA graph."""
    draws = np.random.default_rng(0).beta(alpha, alpha, 65536)
    return torch.from_numpy(draws.astype(np.float32)).to(DEVICE)


def mix(faces, targets, quantiles):
    """Mix one half of the faces with their neighbours (mixup)."""
    n = len(faces)
    share = quantiles[torch.randint(len(quantiles), (n,), device=DEVICE)]
    share = torch.where(torch.rand(n, device=DEVICE) < 0.5, share, 1.0)
    pixels, rows = share[:, None, None], share[:, None]
    faces = faces * pixels + faces.roll(1, 0) * (1 - pixels)
    return faces, targets * rows + targets.roll(1, 0) * (1 - rows)


# -- one training ----------------------------------------------------------------------


class Training:
    """SGD with Nesterov momentum, a moving average of the weights, as CUDA graphs.

    Parameters
    ----------
    name : str
    make : callable
        Makes the network.
    faces : Tensor of uint8 of shape (n, 48, 48)
    targets : Tensor of shape (n, 7)
        Probabilities for the faces as they are.
    views : tuple of two Tensors, default=None
        Versions of shape (n_views, n, 48, 48), and probabilities for them; without,
        the faces are augmented.
    seed : int
    lr : float
        Peak learning rate.
    weight_decay : float
    mixup : float
        Alpha of the share of a second face in half of the faces; 0 is without.
    erasing : float
        Probability of erasing a part of a face.
    batch : int
        Faces in a step.
    small_share, clean_epochs : float and int
        Share of the epochs on smaller faces, and epochs at the end on faces that are
        only mirrored.
    sharpness : float
        Size of the step of sharpness-aware minimization in the last epochs.
    """

    def __init__(
        self,
        name,
        make,
        faces,
        targets,
        *,
        views=None,
        seed=0,
        lr=0.2,
        weight_decay=5e-4,
        mixup=0.2,
        erasing=0.5,
        batch=BATCH,
        small_share=SMALL_SHARE,
        clean_epochs=CLEAN_EPOCHS,
        sharpness=0.0,
    ):
        self.name, self.faces, self.targets, self.views = name, faces, targets, views
        self.seed, self.lr, self.weight_decay = seed, lr, weight_decay
        self.erasing, self.batch, self.sharpness = erasing, batch, sharpness
        self.small_share, self.clean_epochs = small_share, clean_epochs
        torch.manual_seed(1000 + seed)
        self.net = make().to(DEVICE).train()
        self.quantiles = beta_quantiles(mixup) if mixup else None
        self._flatten()
        self.steps_per_epoch = len(faces) // batch
        self.step = torch.zeros(1, dtype=torch.long, device=DEVICE)
        self.stream = torch.cuda.Stream() if GPU else None
        self.events = []

    def _flatten(self):
        """Let all weights be views of one vector, and all statistics of another."""
        weights = list(self.net.parameters())
        n = sum(w.numel() for w in weights)
        self.flat = torch.zeros(n, device=DEVICE)
        self.grad, self.decayed = torch.zeros_like(self.flat), torch.zeros(n)
        at = 0
        for weight in weights:
            part, shape = slice(at, at + weight.numel()), weight.shape
            at = part.stop

            def view(vector, part=part, shape=shape):
                if len(shape) == 4:  # channels last
                    out, n_in, rows, columns = shape
                    kernel = vector[part].view(out, rows, columns, n_in)
                    return kernel.permute(0, 3, 1, 2)
                return vector[part].view(shape)

            view(self.flat).copy_(weight.data)
            weight.data, weight.grad = view(self.flat), view(self.grad)
            self.decayed[part] = float(len(shape) > 1)
        self.decayed = self.decayed.to(DEVICE)
        floats = [
            (module, key, value)
            for module in self.net.modules()
            for key, value in module.named_buffers(recurse=False)
            if value.is_floating_point()
        ]
        self.statistics = torch.cat([value.flatten() for *_, value in floats])
        at = 0
        for module, key, value in floats:
            part = self.statistics[at : at + value.numel()]
            setattr(module, key, part.view(value.shape))
            at += value.numel()
        self.momentum = torch.zeros_like(self.flat)
        self.average = self.flat.clone(), self.statistics.clone()

    def _batch(self, rows, size, clean):
        if not clean and self.views is None:
            faces, targets = augment(self.faces[rows], size), self.targets[rows]
            if self.quantiles is not None:
                faces, targets = mix(faces, targets, self.quantiles)
            return erase(faces, self.erasing), targets
        if clean:
            faces, targets = self.faces[rows].float(), self.targets[rows]
        else:
            drawn = torch.randint(len(self.views[0]), (len(rows),), device=DEVICE)
            faces, targets = (part[drawn, rows].float() for part in self.views)
        mirrored = (torch.rand(len(rows), device=DEVICE) < 0.5)[:, None, None]
        faces = torch.where(mirrored, faces.flip(2), faces)
        if size != faces.shape[-1]:
            faces = functional.interpolate(
                faces[:, None], (size, size), mode="bilinear", antialias=True
            )[:, 0]
        return faces, targets

    def _backward(self, faces, targets):
        self.grad.zero_()
        with torch.autocast(DEVICE.type, torch.bfloat16, GPU, cache_enabled=False):
            logits = self.net(faces)
        log_prob = functional.log_softmax(logits.float(), 1)
        loss = -(targets * log_prob).sum(1).mean()
        loss.backward()
        return loss

    def _step(self, size, clean):
        rows = self.order.index_select(0, self.step)[0].long()
        with torch.no_grad():
            faces, targets = self._batch(rows, size, clean)
            faces = normalize(faces).contiguous(memory_format=torch.channels_last)
        loss = self._backward(faces, targets)
        if clean and self.sharpness:
            # The gradient where the loss is highest nearby.
            with torch.no_grad():
                away = self.grad * (self.sharpness / (self.grad.norm() + 1e-12))
                self.flat.add_(away)
            self._backward(faces, targets)
            with torch.no_grad():
                self.flat.sub_(away)
        with torch.no_grad():
            lr = self.rates.index_select(0, self.step)
            decay = self.flat * self.decayed * self.weight_decay
            gradient = self.grad + decay
            self.momentum.mul_(0.9).add_(gradient)
            self.flat.sub_((gradient + 0.9 * self.momentum) * lr)
            self.average[0].lerp_(self.flat, 0.002)
            self.average[1].lerp_(self.statistics, 0.002)
            self.losses.index_copy_(0, self.step, loss.detach().view(1))
            self.step.add_(1)

    def prepare(self, most_epochs):
        """Capture the steps, and time them; the weights are new afterwards."""
        n = most_epochs * self.steps_per_epoch
        self.order = torch.zeros(n, self.batch, dtype=torch.int32, device=DEVICE)
        self.rates, self.losses = torch.zeros(2, n, device=DEVICE)
        fresh = self.flat.clone(), self.statistics.clone()
        self.graphs, seconds = {}, {}
        for kind in [(SMALL, False), (48, False), (48, True)]:
            if not GPU:
                self._step(*kind)
                self.graphs[kind], seconds[kind] = None, 1.0
                continue
            self.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.stream):
                for _ in range(3):
                    self._step(*kind)
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            shared = next(iter(self.graphs.values())).pool() if self.graphs else None
            with torch.cuda.graph(graph, pool=shared, stream=self.stream):
                self._step(*kind)
            self.graphs[kind] = graph
            began = time.monotonic()
            with torch.cuda.stream(self.stream):
                for _ in range(15):
                    graph.replay()
            torch.cuda.synchronize()
            seconds[kind] = (time.monotonic() - began) / 15
        for old, new in zip((self.flat, self.statistics), fresh, strict=True):
            old.copy_(new)
        for old, new in zip(self.average, fresh, strict=True):
            old.copy_(new)
        for zeroed in (self.momentum, self.step):
            zeroed.zero_()
        self.epoch_seconds = self.steps_per_epoch * (
            self.small_share * seconds[SMALL, False]
            + (1 - self.small_share) * seconds[48, False]
        )

    def plan(self, epochs):
        """Fix the order of the faces, and the learning rate of each step."""
        self.epochs, per_epoch = epochs, self.steps_per_epoch
        generator = torch.Generator(device=DEVICE).manual_seed(self.seed)
        for part in self.order[: epochs * per_epoch].split(per_epoch):
            order = torch.randperm(len(self.faces), generator=generator, device=DEVICE)
            part.copy_(order[: per_epoch * self.batch].view(-1, self.batch))
        n, clean = epochs * per_epoch, self.clean_epochs * per_epoch
        step, warm, main = torch.arange(n, device=DEVICE), 2 * per_epoch, n - clean
        cosine = 0.5 * (1 + torch.cos(math.pi * (step - warm) / max(1, main - warm)))
        rates = self.lr * torch.where(step < warm, step / warm, cosine)
        left = (n - step) / max(1, clean)
        again = 0.01 * left * (20 * (1 - left)).clamp_max(1)
        self.rates[:n] = torch.where(step < main, rates, again)
        small = int(self.small_share * (epochs - self.clean_epochs)) * per_epoch
        self.left = {
            (SMALL, False): small,
            (48, False): main - small,
            (48, True): clean,
        }

    def run_some(self, most=28):
        """Start up to so many steps; False if there are none left."""
        kind = next((kind for kind, n in self.left.items() if n), None)
        if kind is None:
            return False
        n = min(most, self.left[kind])
        self.left[kind] -= n
        if not GPU:
            self._step(*kind)
            return True
        with torch.cuda.stream(self.stream):
            for _ in range(n):
                self.graphs[kind].replay()
            event = torch.cuda.Event()
            event.record()
        self.events.append(event)
        if len(self.events) > 2:  # keep the GPU busy, but not for long
            self.events.pop(0).synchronize()
        return True

    def finish(self):
        """Put the average in the place of the weights."""
        if GPU:
            self.stream.synchronize()
        self.flat.copy_(self.average[0])
        self.statistics.copy_(self.average[1])
        n = self.epochs * self.steps_per_epoch
        rows = (self.rates[:n], self.losses[:n])
        rates, losses = (row.view(self.epochs, -1).mean(1).tolist() for row in rows)
        self.history = [
            {"epoch": epoch, "train_loss": loss, "lr": lr}
            for epoch, (lr, loss) in enumerate(zip(rates, losses, strict=True), 1)
        ]
        self.graphs = self.order = self.momentum = None
        self.net = merged(self.net.eval())

    @torch.no_grad()
    def predict_proba(self, faces, *, mirrored, half=GPU):
        """Predict, averaged over the mirror image if asked for."""
        parts = []
        with torch.autocast(DEVICE.type, torch.bfloat16, half):
            for part in faces.split(4096):
                pictures = normalize(part).contiguous(memory_format=torch.channels_last)
                prob = self.net(pictures).float().softmax(1)
                if mirrored:
                    other = self.net(pictures.flip(3)).float().softmax(1)
                    prob = (prob + other) / 2
                parts.append(prob)
        return torch.cat(parts)


def run_side_by_side(trainings, most=8, done=lambda training: None):
    """Run planned trainings; return the seconds that they would take alone, a second.

    The gain is about 1.25: no training alone keeps the GPU busy. `done` is called with
    each training that has ended.
    """
    began, waiting, active = time.monotonic(), list(trainings), []
    while waiting or active:
        while waiting and len(active) < most:
            active.append(waiting.pop(0))
        for training in list(active):
            if not training.run_some():
                active.remove(training)
                training.finish()
                done(training)
    if GPU:
        torch.cuda.synchronize()
    alone = sum(t.epochs * t.epoch_seconds for t in trainings)
    return alone / (time.monotonic() - began)


def hard_targets(labels, *, smoothing=0.05):
    """Make probabilities from labels."""
    one_hot = functional.one_hot(torch.from_numpy(labels).to(DEVICE), 7).float()
    return one_hot * (1 - smoothing) + smoothing / 7


# -- the whole -------------------------------------------------------------------------


def train_pool(faces, labels, votes, X_val, y_val, *, minutes, out):
    """Train the pool and the students, and write what they are.

    Parameters
    ----------
    faces : ndarray of uint8 of shape (n_samples, 48, 48)
    labels : ndarray of int of shape (n_samples,)
    votes : ndarray of shape (n_samples, 7)
        Probability of each label, from the votes of FER+.
    X_val, y_val : ndarray
        PublicTest, for the figures.
    minutes : float
        For everything.
    out : Path
        Folder.

    """
    end = start + 60 * minutes
    out.mkdir(parents=True, exist_ok=True)
    faces, X_val = (torch.from_numpy(part).to(DEVICE) for part in (faces, X_val))
    votes = torch.from_numpy(votes.astype(np.float32)).to(DEVICE)
    hard = hard_targets(labels)
    results = {}

    def keep(training, prefix=""):
        name = prefix + training.name
        single, both = (
            training.predict_proba(X_val, mirrored=m, half=False).cpu().numpy()
            for m in (False, True)
        )
        np.savez_compressed(out / f"{name}.npz", plain=single, mirrored=both)
        accuracy = [float(np.mean(p.argmax(1) == y_val)) for p in (single, both)]
        results[name] = dict(
            zip(("plain", "mirrored"), accuracy, strict=True), epochs=training.epochs
        )
        (out / "results.json").write_text(json.dumps(results, indent=1))
        say(f"{name}: {accuracy[0]:.4f}, mirrored {accuracy[1]:.4f}")
        return both

    def prepared(name, make, targets, longest, **params):
        training = Training(name, make, faces, targets, **params)
        training.prepare(longest)
        say(f"{name}: {training.epoch_seconds:.2f} s an epoch")
        return training

    # As many networks as get 85 epochs in their share of the time.
    pool, seconds, budget = [], 0.0, 0.42 * (end - time.monotonic())
    longest = 200 if GPU else 3
    for seed, (name, make, with_votes, params) in enumerate(POOL):
        targets = 0.25 * votes + 0.75 * hard if with_votes else hard
        new = prepared(name, make, targets, longest, seed=seed, **params)
        seconds += new.epoch_seconds
        if pool and 1.2 * budget / seconds < 85 and GPU:
            seconds -= new.epoch_seconds
            break
        pool.append(new)
    epochs = int(min(longest, 1.2 * budget / seconds)) if GPU else 3
    say(f"pool of {len(pool)}, {epochs} epochs")
    for training in pool:
        training.plan(epochs)
    gain = run_side_by_side(pool)
    mean = np.mean([keep(t, "pool_") for t in pool], axis=0)
    say(f"gain {gain:.2f}; together {np.mean(mean.argmax(1) == y_val):.4f}")

    def ask(pictures, *, mirrored):
        prob = [t.predict_proba(pictures, mirrored=mirrored) for t in pool]
        return torch.stack(prob).mean(0)

    said = ask(faces, mirrored=True)
    np.savez_compressed(out / "pool_training.npz", mirrored=said.half().cpu().numpy())
    clean = 0.8 * said + 0.2 * hard
    n_views, quantiles = 32 if GPU else 2, beta_quantiles(1.0)
    views = torch.empty(n_views, *faces.shape, dtype=torch.uint8, device=DEVICE)
    said = torch.empty(n_views, *hard.shape, dtype=torch.float16, device=DEVICE)
    for view, targets in zip(views, said, strict=True):
        for rows in torch.randperm(len(faces), device=DEVICE).split(4096):
            pictures, mixed = mix(augment(faces[rows], 48), hard[rows], quantiles)
            view[rows] = erase(pictures, 0.4).round().clamp(0, 255).to(torch.uint8)
            prob = 0.8 * ask(view[rows], mirrored=False) + 0.2 * mixed
            targets[rows] = prob.half()
    pool.clear()
    say(f"{n_views} versions of each face")

    longest = 600 if GPU else 3
    views = (views, said)
    students = [
        prepared(name, make, clean, longest, views=views, seed=seed)
        for seed, (name, _, make, _) in enumerate(STUDENTS)
    ]
    shares = [share for *_, share in STUDENTS]
    seconds = sum(
        training.epoch_seconds * share
        for training, share in zip(students, shares, strict=True)
    )
    fit = 0.9 * gain * (end - time.monotonic()) / seconds
    for training, share in zip(students, shares, strict=True):
        training.plan(int(min(longest, fit * share)) if GPU else 3)

    def done(training):
        keep(training)
        weights = {k: v.cpu().half() for k, v in training.net.state_dict().items()}
        torch.save((weights, training.history), out / f"{training.name}.pt")

    run_side_by_side(students, most=5, done=done)


def write_model(network, weights, history, path, X_val, y_val):
    """Write the weights of a network as a model file, with a temperature.

    The pipeline is fitted to a few faces first, which gives it everything but the
    weights and the history; the temperature is fitted to PublicTest.
    """
    # The fastest model answers without a second look.
    flip = network != "nano"
    pipe = make_fer_pipeline(network, image_shape=(48, 48), test_time_flip=flip)
    epochs = pipe[-1].max_epochs
    pipe.set_params(cnn__max_epochs=1)
    few = np.concatenate([np.flatnonzero(y_val == label)[:4] for label in range(7)])
    pipe.fit(write_pixel_strings(X_val[few]), y_val[few])
    pipe.set_params(cnn__max_epochs=epochs)
    classifier = pipe[-1]
    weights = {key: value.float() for key, value in weights.items()}
    classifier.net_.module_.network.load_state_dict(weights)
    classifier.net_.history.clear()
    restore_history(classifier.net_, history)
    classifier.n_iter_ = len(history)
    prob = classifier.predict_proba(X_val)
    classifier.temperature_ = fit_temperature(np.log(prob), y_val)
    save_model(pipe, path, dtype="float16")


def read_faces(csv, votes):
    """Read Training with the translated votes, and PublicTest."""
    train = join_ferplus(load_fer2013(csv, usage="Training"), votes)
    valid = load_fer2013(csv, usage="PublicTest")
    to_pixels = PixelStringTransformer().transform
    X, X_val = to_pixels(train.data), to_pixels(valid.data)
    y, y_val = np.asarray(train.target), np.asarray(valid.target)
    translation = LogisticRegression(max_iter=1000).fit(train.votes / 10, y)
    return X, y, translation.predict_proba(train.votes / 10), X_val, y_val


def main():
    """Read the faces and the votes, and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv")
    parser.add_argument("votes")
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=12)
    args = parser.parse_args()
    X, y, votes, X_val, y_val = read_faces(args.csv, args.votes)
    train_pool(X, y, votes, X_val, y_val, minutes=args.minutes, out=args.out)
    for name, network, *_ in STUDENTS:
        weights, history = torch.load(args.out / f"{name}.pt")
        path = args.out / f"{name}.fer"
        write_model(network, weights, history, path, X_val, y_val)
        say(path)


if __name__ == "__main__":
    main()
