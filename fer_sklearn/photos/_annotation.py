"""annotate: a copy of a photograph with boxes, emotions and bars."""

from itertools import product

import numpy as np

from ..datasets._emotions import UNCERTAIN, most_probable
from ..exceptions import FERError
from ._boxes import as_boxes, shared_areas
from ._reading import open_photo

# Okabe and Ito's colours, distinct also with a colour vision deficiency.
_COLOURS = (
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (240, 228, 66),
    (0, 114, 178),
    (230, 159, 0),
    (86, 180, 233),
)


def annotate(photo, boxes, probabilities, classes, *, bars=True, min_confidence=0.0):
    """Draw predictions into a copy of a photograph.

    Each face gets a box in the colour of its emotion, the emotion with its
    probability, and, next to the face, a bar for the probability of each emotion. The
    emotion is above the face, or where it covers no face. The bars never cover a face
    or each other; if there is not enough space for the bars of all faces, there are
    none.

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
        Whether to draw the bars, if there is enough space.
    min_confidence : float, default=0.0
        Below this probability, the label is "uncertain".

    Returns
    -------
    copy : PIL.Image.Image
        Mode RGB, as large as the photograph. ``copy.save("annotated.png")`` writes
        it.

    Raises
    ------
    FERError
        If the numbers of boxes, probabilities and classes do not match.

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
    names = [str(name) for name in classes]
    image = open_photo(photo).convert("RGB").copy()
    draw = ImageDraw.Draw(image, "RGBA")
    faces = list(zip(boxes, probabilities, strict=True))
    labels = []
    for box, row in faces:
        taken = np.vstack([boxes, as_boxes(labels)])
        label = _draw_face(draw, image.size, box, row, names, min_confidence, taken)
        labels.append(label)
    if bars and faces:
        font, panels = _place_panels(image.size, boxes, as_boxes(labels), names)
        for panel, (_, row) in zip(panels, faces, strict=False):
            _draw_panel(draw, panel, row, names, font)
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


def _fonts(size):
    """Fonts for a photograph of `size`, the largest first.

    The largest is easy to read when the whole photograph is seen at once, the
    smallest can still be read.
    """
    from PIL import ImageFont

    largest = max(11, round(max(size) / 50))
    heights = [max(9, round(largest * share)) for share in (1, 0.75, 0.5)]
    return [ImageFont.load_default(height) for height in heights]


def _draw_face(draw, size, box, row, names, min_confidence, taken):
    """Draw a box and its label where nothing is taken; give the place of the label."""
    x, y, width, height = box.tolist()
    best = int(row.argmax())
    colour = _COLOURS[best % len(_COLOURS)]
    line = max(2, round(max(size) / 300))
    draw.rectangle((x, y, x + width - 1, y + height - 1), outline=colour, width=line)
    name = most_probable(row, names, min_confidence)
    text = name if name == UNCERTAIN else f"{name} {100 * row[best]:.0f} %"
    # Hardly wider than the box, so that it does not cover the next face.
    fonts = _fonts(size)
    fitting = (font for font in fonts if _text_size(font, text)[0] <= 1.1 * width)
    font = next(fitting, fonts[-1])
    text_width, text_height = _text_size(font, text)
    pad = max(2, text_height // 4)
    label = _label_place(box, text_width + 2 * pad, text_height + 2 * pad, size, taken)
    left, top = label[:2]
    draw.rectangle((left, top, left + label[2], top + label[3]), fill=colour)
    draw.text((left + pad, top + pad), text, fill=_ink(colour), font=font, anchor="lt")
    return label


def _label_place(box, label_width, label_height, size, taken):
    """Place a label above, below or next to a face, so that it covers the least."""
    x, y, width, height = box.tolist()
    corners = (x, y - label_height), (x, y + height)
    corners += (x + width, y), (x - label_width, y)
    places = [
        (
            _keep_inside(left, label_width, size[0]),
            _keep_inside(top, label_height, size[1]),
            label_width,
            label_height,
        )
        for left, top in corners
    ]
    # The first of those that cover nothing, which is above the face if there is room.
    covered = [shared_areas(np.array(place), taken).sum() for place in places]
    return places[int(np.argmin(covered))]


def _place_panels(size, boxes, labels, names):
    """Find room for the bars of all faces, in the largest font that has it.

    Returns
    -------
    font : PIL.ImageFont.FreeTypeFont or None
    panels : list of tuple of int
        x, y, width, height for each face; empty if there is no room.
    """
    # A head with its label is larger than the box of its face; where that leaves no
    # room, box and label alone stay free.
    for margin, font in product((0.15, 0), _fonts(size)):
        edge = np.ceil(margin * boxes[:, 2:]).astype(np.int64)
        start = np.minimum(boxes[:, :2] - edge, labels[:, :2])
        end = np.maximum(
            boxes[:, :2] + boxes[:, 2:] + edge, labels[:, :2] + labels[:, 2:]
        )
        heads = taken = np.hstack([start, end - start])
        panel, panels = _panel_size(font, names), []
        for head in heads:
            place = _free_place(head, panel, size, taken)
            if place is None:
                break
            panels.append(place)
            taken = np.vstack([taken, place])
        else:
            return font, panels
    return None, []


def _panel_size(font, names):
    step = _step(font)
    return _names_width(font, names) + 4 * step + step // 3, len(names) * step + step


def _free_place(head, panel, size, taken):
    """Place a panel right, left, above or below a head where it covers nothing."""
    if panel[0] >= size[0] or panel[1] >= size[1]:
        return None
    x, y, width, height = head.tolist()
    gap = 4
    across = _alignments(x, width, panel[0])
    down = _alignments(y, height, panel[1])
    corners = [(x + width + gap, top) for top in down]
    corners += [(x - panel[0] - gap, top) for top in down]
    corners += [(left, y - panel[1] - gap) for left in across]
    corners += [(left, y + height + gap) for left in across]
    for left, top in corners:
        left = _keep_inside(left, panel[0], size[0])
        top = _keep_inside(top, panel[1], size[1])
        place = np.array([left, top, *panel])
        if not shared_areas(place, taken).any():
            return tuple(place.tolist())
    return None


def _alignments(start, length, panel):
    """Aligned with one end of a head, its middle or its other end."""
    return start, start + (length - panel) // 2, start + length - panel


def _draw_panel(draw, panel, row, names, font):
    """Draw the probability of each emotion, with an edge in the box's colour."""
    left, top, width, height = panel
    colour = _COLOURS[int(row.argmax()) % len(_COLOURS)]
    draw.rectangle((left, top, left + width, top + height), fill=(0, 0, 0, 160))
    draw.line((left, top, left + width, top), fill=colour, width=2)
    step = _step(font)
    start, thickness = left + _names_width(font, names), step // 3
    for place, (name, value) in enumerate(zip(names, row, strict=True)):
        middle = top + (place + 1) * step
        draw.text(
            (left + step // 3, middle), name, fill="white", font=font, anchor="lm"
        )
        draw.rectangle(
            (start, middle - thickness, start + value * 4 * step, middle + thickness),
            fill=_COLOURS[place % len(_COLOURS)],
        )


def _step(font):
    """Distance of two lines of text, by which everything in a panel is measured."""
    return round(1.25 * _text_size(font, "Ag")[1])


def _names_width(font, names):
    """Width of the column of names, with its padding."""
    return max(_text_size(font, name)[0] for name in names) + 2 * (_step(font) // 3)


def _text_size(font, text):
    left, top, right, bottom = font.getbbox(text, anchor="lt")
    return int(np.ceil(right - left)), int(np.ceil(bottom - top))


def _keep_inside(start, length, end):
    return max(0, min(start, end - length - 1))


def _ink(colour):
    """Black or white, whichever reads better on a colour."""
    red, green, blue = colour
    return "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 128 else "white"
