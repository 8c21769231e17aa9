"""Measure the way from photographs to faces on the real faces of FER2013.

    FER2013_CSV=fer2013.csv python -m tests.benchmarks.measure_photos
    FER2013_CSV=fer2013.csv python -m tests.benchmarks.measure_photos --model model.fer

The faces of PublicTest are scaled to 192x192 pixels (a picture that is a face), and
pasted, 64 to 256 pixels large, into two photographs that come with scikit-learn. Other
rows have faces of 192 pixels that are turned, in less light, or in photographs that are
scaled down, or twelve in a photograph; the last one has parts of the two photographs
without any face. Printed are the hit rate, false boxes per picture, milliseconds of
CPU, the size of the box compared with FER2013's frame (from which the margin follows),
and with a model its accuracy for several margins.
"""

import argparse
import os
import time

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

from fer_sklearn import PixelStringTransformer, load_fer2013
from fer_sklearn.photos import (
    FaceCropper,
    HaarFaceDetector,
    YuNetFaceDetector,
    detect_faces,
)

SIDE = 192
GROUP = 12
DETECTORS = {
    "YuNet": YuNetFaceDetector(),
    "Haar": HaarFaceDetector(),
    "alt2, scale 1.05": HaarFaceDetector(scale_factor=1.05),
    "alt2, 5 neighbours": HaarFaceDetector(min_neighbors=5),
    "alt": HaarFaceDetector("haarcascade_frontalface_alt"),
    "default.xml, 5 neighbours": HaarFaceDetector(
        "haarcascade_frontalface_default", min_neighbors=5
    ),
}


def main():
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", default=os.environ.get("FER2013_CSV"))
    parser.add_argument("--model", help="a model file; without it no accuracy")
    parser.add_argument("--faces", type=int, default=500)
    parser.add_argument(
        "--detectors", nargs="+", choices=DETECTORS, default=["YuNet", "Haar"]
    )
    parser.add_argument("--margins", default="-.1,-.05,0,.03,.06,.1,.15,.2,.3")
    options = parser.parse_args()
    if not options.csv:
        parser.error("name the file of FER2013 by --csv or FER2013_CSV")
    faces, emotions = read_faces(options.csv, options.faces)
    portraits = [enlarge(face, SIDE) for face in faces]
    photos, places = paste_all(faces)
    print(
        "| detector | pictures | hit rate | false boxes | ms | box / frame | centre |"
    )
    print("|---|---|---|---|---|---|---|")
    sets = {f"{SIDE}x{SIDE}": (portraits, [(0, 0, SIDE, SIDE)] * len(faces))}
    sets |= {"photos": (photos, places)}
    sets |= {f"turned by {angle}": paste_all(faces, angle) for angle in (20, 30, 45)}
    straight = paste_all(faces, 0)
    sets |= {f"light / {factor}": darken(straight, factor) for factor in (4, 16)}
    sets |= {f"face of {side} px": shrink(straight, side) for side in (24, 32, 48)}
    sets |= {"without faces": without_faces(len(faces))}
    # A list of places for each picture.
    sets = {
        name: (images, [[place] if place else [] for place in wanted])
        for name, (images, wanted) in sets.items()
    }
    sets |= {f"groups of {GROUP}": paste_groups(faces)}
    for pictures, (images, wanted) in sets.items():
        for name in options.detectors:
            measure_detector(name, pictures, DETECTORS[name], images, wanted)
    if options.model:
        from fer_sklearn import load_model

        margins = [float(text) for text in options.margins.split(",")]
        model = load_model(options.model)
        direct = model.predict(faces) == emotions
        print(f"\nfaces as they are: {direct.mean():.4f} ({len(faces)} faces)")
        pasted = portraits, photos, places
        for name in options.detectors:
            measure_accuracy(name, model, pasted, emotions, direct, margins)


def read_faces(path, n_faces):
    """Give some faces of PublicTest and their emotions."""
    bunch = load_fer2013(path, usage="PublicTest")
    rows = np.random.default_rng(0).permutation(len(bunch.target))[:n_faces]
    strings = bunch.data.iloc[np.sort(rows)]
    return PixelStringTransformer().transform(strings), bunch.target[np.sort(rows)]


def enlarge(face, side):
    """Scale a face as a viewer would."""
    image = Image.fromarray(face).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(image)


def paste_all(faces, angle=None):
    """Paste each face somewhere into a photograph of 960x640 pixels.

    With an angle, faces have 192 pixels and are turned to the left or the right.
    """
    rng = np.random.default_rng(1)
    rooms = [
        Image.fromarray(image).convert("L").resize((960, 640))
        for image in load_sample_images().images
    ]
    photos, places = [], []
    for face in faces:
        photo = rooms[rng.integers(2)].copy()
        side = SIDE if angle is not None else int(rng.integers(64, 257))
        degrees = (angle or 0) * (1 if rng.integers(2) else -1)
        picture = Image.fromarray(enlarge(face, side)).convert("LA")
        picture = picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
        width = picture.width
        x, y = int(rng.integers(0, 960 - width)), int(rng.integers(0, 640 - width))
        photo.paste(picture.getchannel("L"), (x, y), picture.getchannel("A"))
        photos.append(np.asarray(photo))
        edge = (width - side) // 2
        places.append((x + edge, y + edge, side, side))
    return photos, places


def paste_groups(faces):
    """Paste faces of 48 to 120 pixels, in three rows, into photographs of 960x640."""
    rng = np.random.default_rng(3)
    photos, places = [], []
    for start in range(0, len(faces) - GROUP + 1, GROUP):
        room = load_sample_images().images[rng.integers(2)]
        photo = Image.fromarray(room).convert("L").resize((960, 640))
        photos.append(photo)
        places.append([])
        for index, face in enumerate(faces[start : start + GROUP]):
            row, column = divmod(index, 4)
            side = int(rng.integers(48, 121))
            x = 240 * column + int(rng.integers(0, 240 - side))
            y = 213 * row + int(rng.integers(0, 213 - side))
            photo.paste(Image.fromarray(enlarge(face, side)), (x, y))
            places[-1].append((x, y, side, side))
    return [np.asarray(photo) for photo in photos], places


def darken(pasted, factor):
    """Divide the light of photographs."""
    photos, places = pasted
    return [photo // factor for photo in photos], places


def shrink(pasted, side):
    """Scale photographs down until their faces of 192 pixels have a side."""
    size = 960 * side // SIDE, 640 * side // SIDE
    photos = [
        np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BOX))
        for photo in pasted[0]
    ]
    scaled = [tuple(value * side / SIDE for value in place) for place in pasted[1]]
    return photos, scaled


def without_faces(n_pictures):
    """Cut out parts of the two photographs, 640x640 pixels after scaling."""
    rng = np.random.default_rng(2)
    photos = []
    for _ in range(n_pictures):
        room = load_sample_images().images[rng.integers(2)]
        side = int(rng.integers(100, 420))
        x, y = int(rng.integers(0, 640 - side)), int(rng.integers(0, 427 - side))
        part = Image.fromarray(room[y : y + side, x : x + side])
        photos.append(np.asarray(part.resize((640, 640), Image.Resampling.BICUBIC)))
    return photos, [None] * n_pictures


def match(boxes, place):
    """Give the first box that is about where the face is, or None."""
    x, y, side, _ = place
    for row, box in enumerate(boxes):
        distance = np.abs(box[:2] + box[2:] / 2 - [x + side / 2, y + side / 2]).max()
        if distance < 0.25 * side and 0.4 <= box[2] / side <= 1.3:
            return row
    return None


def measure_detector(name, pictures, detector, photos, places):
    """Print one row."""
    start = time.process_time()
    found = [detect_faces(photo, detector=detector) for photo in photos]
    ms = 1000 * (time.process_time() - start) / len(photos)
    hits, ratios, centres = [], [], []
    for boxes, wanted in zip(found, places, strict=True):
        for x, y, side, _ in wanted:
            row = match(boxes, (x, y, side, side))
            hits.append(row is not None)
            if row is not None:
                ratios.append(boxes[row, 2] / side)
                centres.append((boxes[row, :2] + boxes[row, 2:] / 2 - [x, y]) / side)
    n_false = sum(map(len, found)) - sum(hits)
    rate = f"{np.mean(hits):.3f}" if hits else ""
    shape = "|"
    if ratios:
        centre = ", ".join(f"{value:.3f}" for value in np.median(centres, axis=0))
        shape = f"{np.median(ratios):.3f} | {centre}"
    print(
        f"| {name} | {pictures} | {rate} | {n_false / len(photos):.3f} | "
        f"{ms:.0f} | {shape} |",
        flush=True,
    )


def measure_accuracy(name, model, pasted, emotions, direct, margins):
    """Print accuracies through a detector: of all portraits, and for each margin."""
    portraits, photos, places = pasted
    detector = DETECTORS[name]
    print(f"\n{name}")
    for cropped in ("auto", False):
        crops = FaceCropper(detector=detector, cropped=cropped).crop(portraits)
        right = first_right(model, crops, emotions)
        print(f"{SIDE}x{SIDE}, cropped={cropped!r}: {right:.4f}, a miss is wrong")
    print("\n| margin | 192x192, found | photos, found | the same faces directly |")
    print("|---|---|---|---|")
    for margin in margins:
        cells = []
        for pictures, wanted in (
            (portraits, [(0, 0, SIDE, SIDE)] * len(portraits)),
            (photos, places),
        ):
            cropper = FaceCropper(margin=margin, detector=detector, cropped=False)
            crops = cropper.crop(pictures)
            rows, which = found_rows(crops, wanted)
            right = model.predict(crops.images[rows]) == emotions[which]
            cells.append(f"{right.mean():.4f} of {len(rows)}")
        print(f"| {margin} | {' | '.join(cells)} | {direct[which].mean():.4f} |")


def first_right(model, crops, emotions):
    """Give the share of photos whose first face has the right emotion."""
    photos, rows = np.unique(crops.photo_indices, return_index=True)
    right = model.predict(crops.images[rows]) == emotions[photos]
    return right.sum() / crops.n_photos


def found_rows(crops, places):
    """Give the rows of the crops that are the pasted faces, and which those are."""
    rows, which = [], []
    for photo, place in enumerate(places):
        own = np.flatnonzero(crops.photo_indices == photo)
        row = match(crops.boxes[own], place)
        if row is not None:
            rows.append(own[row])
            which.append(photo)
    return np.array(rows), np.array(which)


if __name__ == "__main__":
    main()
