"""annotate: a copy of a photograph with boxes, emotions and bars."""

import numpy as np

from ..exceptions import FERError
from ._boxes import as_boxes, shared_areas
from ._reading import open_photo

# Okabe and Ito's colours, which also people with a colour vision deficiency tell apart.
_COLOURS = (
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (240, 228, 66),
    (0, 114, 178),
    (230, 159, 0),
    (86, 180, 233),
)


def annotate(photo, boxes, probabilities, classes, *, bars=True):
    """Draw what was found into a copy of a photograph.

    Each face gets a box in the colour of its emotion, the emotion with its
    probability, and, beside the box, a bar for the probability of each emotion. What
    would reach over the border of the photograph is moved inside.

    Parameters
    ----------
    photo : path-like, binary file object, PIL image or ndarray
        As for `read_photo`; it is not changed.
    boxes : array-like of shape (n_faces, 4)
        x, y, width, height of each face in pixels.
    probabilities : array-like of shape (n_faces, n_classes)
        Of each emotion, from 0 to 1.
    classes : sequence of length n_classes
        Name of the emotion of each column.
    bars : bool, default=True
        Whether the bars are drawn; without them the photograph stays freer.

    Returns
    -------
    copy : PIL.Image.Image
        Mode RGB, as large as the photograph. ``copy.save("annotated.png")`` writes
        it.

    Raises
    ------
    FERError
        If the numbers of boxes, probabilities and classes do not fit.

    See Also
    --------
    predict_photos : Gives boxes and probabilities.

    Examples
    --------
    >>> from fer_sklearn.photos import annotate, make_photo
    >>> photo = make_photo(random_state=0)
    >>> copy = annotate(photo, [[170, 90, 130, 130]], [[0.2, 0.8]], ["sad", "happy"])
    >>> copy.size, copy.mode
    ((480, 360), 'RGB')
    """
    from PIL import ImageDraw

    boxes, probabilities = _check(boxes, probabilities, classes)
    image = open_photo(photo).convert("RGB").copy()
    draw = ImageDraw.Draw(image, "RGBA")
    # Letters that can be read in photographs of any size.
    font = _font(max(11, round(max(image.size) / 50)))
    labels = [
        _draw_face(draw, image.size, box, row, classes, font)
        for box, row in zip(boxes, probabilities, strict=True)
    ]
    if bars:
        taken = np.vstack([boxes, as_boxes(labels)])
        _draw_panels(draw, image.size, boxes, probabilities, classes, font, taken)
    return image


def _check(boxes, probabilities, classes):
    boxes = as_boxes(boxes)
    probabilities = np.asarray(probabilities, dtype=float)
    expected = len(boxes), len(classes)
    if probabilities.size == 0 and not len(boxes):
        probabilities = probabilities.reshape(expected)
    if probabilities.shape != expected:
        raise FERError(
            f"probabilities has shape {probabilities.shape}, expected {expected}: "
            "a row for each box and a column for each class."
        )
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise FERError("probabilities has values outside 0 to 1.")
    return boxes, probabilities


def _font(size):
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _draw_face(draw, size, box, row, classes, font):
    """Draw a box and its label; give the place of the label."""
    x, y, width, height = box.tolist()
    best = int(row.argmax())
    colour = _COLOURS[best % len(_COLOURS)]
    line = max(2, round(max(size) / 300))
    draw.rectangle((x, y, x + width - 1, y + height - 1), outline=colour, width=line)
    text = f"{classes[best]} {100 * row[best]:.0f} %"
    text_width, text_height = _text_size(font, text)
    pad = max(2, text_height // 4)
    left = _keep_inside(x, text_width + 2 * pad, size[0])
    top = _keep_inside(y - text_height - 2 * pad, text_height + 2 * pad, size[1])
    label = left, top, text_width + 2 * pad, text_height + 2 * pad
    draw.rectangle((left, top, left + label[2], top + label[3]), fill=colour)
    draw.text((left + pad, top + pad), text, fill=_ink(colour), font=font, anchor="lt")
    return label


def _draw_panels(draw, size, boxes, probabilities, classes, font, taken):
    """Draw the bars of each face where they hide least of the other faces."""
    names = [str(name) for name in classes]
    step = round(1.4 * _text_size(font, "Ag")[1])
    names_width = max(_text_size(font, name)[0] for name in names)
    pad = step // 3
    panel = names_width + 4 * step + 3 * pad, len(names) * step + 2 * pad
    for box, row in zip(boxes, probabilities, strict=True):
        place = _place(box, panel, size, taken, 2 * step)
        taken = np.vstack([taken, place])
        left, top, width, height = place.tolist()
        draw.rectangle((left, top, left + width, top + height), fill=(0, 0, 0, 160))
        _draw_bars(draw, left + pad, top + pad, row, names, names_width + pad, font)


def _place(box, panel, size, taken, label):
    """Right, left, below or above a box, where least is covered that is taken."""
    x, y, width, height = box.tolist()
    corners = [
        (x + width + 4, y),
        (x - panel[0] - 4, y),
        (x, y + height + 4),
        (x, y - panel[1] - label),
    ]
    places = np.array(
        [
            (
                _keep_inside(left, panel[0], size[0]),
                _keep_inside(top, panel[1], size[1]),
            )
            for left, top in corners
        ]
    )
    places = np.hstack([places, np.tile(panel, (len(places), 1))])
    covered = [shared_areas(place, taken).sum() for place in places]
    return places[int(np.argmin(covered))]


def _draw_bars(draw, left, top, row, names, names_width, font):
    step = round(1.4 * _text_size(font, "Ag")[1])
    for place, (name, value) in enumerate(zip(names, row, strict=True)):
        middle = top + (place + 0.5) * step
        draw.text((left, middle), name, fill="white", font=font, anchor="lm")
        start, thickness = left + names_width, step // 3
        draw.rectangle(
            (start, middle - thickness, start + value * 4 * step, middle + thickness),
            fill=_COLOURS[place % len(_COLOURS)],
        )


def _text_size(font, text):
    left, top, right, bottom = font.getbbox(text, anchor="lt")
    return int(np.ceil(right - left)), int(np.ceil(bottom - top))


def _keep_inside(start, length, end):
    return max(0, min(start, end - length - 1))


def _ink(colour):
    """Black or white, whichever reads better on a colour."""
    red, green, blue = colour
    return "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 128 else "white"
