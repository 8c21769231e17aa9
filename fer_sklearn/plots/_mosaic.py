"""Many faces with captions on one axes."""

from ._inputs import check_count
from ._style import FONT_SIZE, SMALL_FONT_SIZE, WIDTH, get_axes

_GAP = 0.08  # of a face's side, between two faces
_MARGIN = 4  # points between a face, which may have a frame, and its caption
_LINE = 1.35  # of the font size, from one line of a caption to the next
_LETTER = 0.62  # of the font size, a generous width of a letter


class Mosaic:
    """Faces in rows on one axes, each with a caption of some lines below.

    Parameters
    ----------
    ax : matplotlib Axes or None
        Where to draw; None makes a figure that fits.
    n_faces : int
        Number of faces.
    n_columns : int or None
        Number of faces next to each other; None means 7.
    captions : list of str, default=()
        One per face, with newlines between lines; they set the space below the faces.
    row_labels : list of str, default=()
        One per row; they set the space at the left.
    extra_height : float, default=0
        Inches for a title and the like, in a new figure.
    """

    def __init__(
        self, ax, n_faces, n_columns, captions=(), row_labels=(), extra_height=0.0
    ):
        n_columns = 7 if n_columns is None else n_columns
        check_count(n_columns=n_columns)
        self.n_columns = min(n_columns, n_faces)
        self.n_rows = -(-n_faces // self.n_columns)
        self._row_labels = row_labels
        self._lines = max([c.count("\n") + 1 for c in captions if c], default=0)
        self._letters = _longest_line(captions)
        # Few faces need not be as wide as the page.
        width = WIDTH if self.n_columns > 4 else 2 * self.n_columns
        self._measure(72 * width)
        if ax is None:
            height = width * self._height() / self._width() + extra_height + 0.1
            self.figure, self.ax = get_axes(None, height, width)
        else:
            self.figure, self.ax = get_axes(ax, None)
            box = self.ax.get_window_extent()
            point = self.figure.dpi / 72
            self._fit_into(box.width / point, box.height / point)
        self.ax.set_axis_off()

    def _fit_into(self, width, height):
        """Choose the largest cell with which the mosaic is in the box, in points."""
        self._measure(width)
        while self._cell * self._height() > height and self._cell > 1:
            self._measure(width := 0.97 * width)

    def _measure(self, width):
        """Choose a font that fits the cells of a mosaic of that width in points."""
        self._left, letters = 0.0, _longest_line(self._row_labels)
        if self._row_labels:
            # Labels of rows take a quarter of the width at most.
            room = min(0.25 * width, _LETTER * SMALL_FONT_SIZE * letters + 6)
            self._label_size = (room - 6) / (_LETTER * letters)
            self._left = room / (width - room) * self._faces_width()
        self._cell = width / self._width()
        self.font_size = min(SMALL_FONT_SIZE, self._cell / (_LETTER * self._letters))
        caption = self._lines * self.font_size * _LINE + _MARGIN * bool(self._lines)
        self._pitch = 1 + _GAP + caption / self._cell

    def _faces_width(self):
        return self.n_columns * (1 + _GAP) - _GAP

    def _width(self):
        return self._left + self._faces_width()

    def _height(self):
        return self.n_rows * self._pitch

    def corner(self, i):
        """Left and top of the i-th cell; y counts downwards."""
        row, column = divmod(i, self.n_columns)
        return column * (1 + _GAP), row * self._pitch

    def draw(self, i, image, caption="", frame=None, **imshow_params):
        """Draw a face into the i-th cell and return (image artist, text artist)."""
        left, top = self.corner(i)
        params = {"cmap": "gray", "vmin": 0, "vmax": 255, **imshow_params}
        picture = self.ax.imshow(
            image, extent=(left, left + 1, top + 1, top), aspect="equal", **params
        )
        if frame is not None:
            self.frame(left, top, frame)
        text = self.ax.annotate(
            caption,
            (left + 0.5, top + 1),
            xytext=(0, -_MARGIN),
            textcoords="offset points",
            fontsize=self.font_size,
            linespacing=1.15,
            ha="center",
            va="top",
        )
        return picture, text

    def frame(self, left, top, color):
        """Put a coloured frame around a face."""
        from matplotlib.patches import Rectangle  # imported before, by get_axes

        self.ax.add_patch(
            Rectangle((left, top), 1, 1, fill=False, edgecolor=color, linewidth=2.5)
        )

    def label_rows(self):
        """Write their names to the left of the rows; return the texts."""
        return [
            self.ax.text(
                -6 / self._cell,
                row * self._pitch + 0.5,
                label,
                ha="right",
                va="center",
                fontsize=self._label_size,
            )
            for row, label in enumerate(self._row_labels)
        ]

    def finish(self, title=""):
        """Set the limits, which imshow has moved."""
        self.ax.set_xlim(-self._left - 0.03, self._faces_width() + 0.03)
        self.ax.set_ylim(self._height(), -0.03)
        if title:
            self.ax.set_title(title, fontsize=FONT_SIZE)


def _longest_line(texts):
    return max([1, *(len(line) for text in texts for line in text.split("\n"))])
