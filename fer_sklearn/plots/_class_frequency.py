"""How many faces each emotion has."""

import numpy as np

from ._inputs import name_labels
from ._style import BLUE, FONT_SIZE, SMALL_FONT_SIZE, get_axes, percent, tidy


class ClassFrequencyDisplay:
    r"""Bar graph of the number of faces of each emotion.

    FER2013 is uneven, 25 % happy and 1.5 % disgust, which is why splits are stratified
    and why accuracy alone says little about the rare emotions. Create it with
    `from_labels`.

    Parameters
    ----------
    counts : array-like of shape (n_classes,)
        Number of faces of each class.
    class_names : sequence of str of length n_classes
        Their names, from left to right.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the bars.
    figure_ : matplotlib Figure
        Figure that holds them.
    bars_ : matplotlib BarContainer
        The bars.
    texts_ : list of matplotlib Text
        Count and share above each bar.

    See Also
    --------
    RecallDisplay : How many faces of each emotion are recognised.

    Examples
    --------
    >>> from fer_sklearn import EMOTIONS
    >>> from fer_sklearn.plots import ClassFrequencyDisplay
    >>> display = ClassFrequencyDisplay.from_labels(
    ...     [3, 3, 3, 6], display_labels=EMOTIONS
    ... )
    >>> display.class_names.tolist(), display.counts.tolist()
    (['happy', 'neutral'], [3, 1])
    >>> [text.get_text() for text in display.texts_]
    ['3\n75%', '1\n25%']
    """

    def __init__(self, counts, *, class_names):
        self.counts = np.asarray(counts)
        self.class_names = np.asarray(class_names)

    @classmethod
    def from_labels(cls, y, *, labels=None, display_labels=None, ax=None, **kwargs):
        """Count the labels and plot the bars.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Emotions: names, or whole numbers that `display_labels` names.
        labels : array-like of shape (n_classes,), default=None
            Classes that get a bar even if they are not in `y`, such as ``range(7)``.
        display_labels : sequence of str, default=None
            Names of the labels 0, 1, 2, ..., such as `EMOTIONS`, or of the sorted
            distinct labels. None names the numbers 0 to 6, all seven of them, as
            FER2013 does, and takes other labels as they are.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes a new figure.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.bar`.

        Returns
        -------
        ClassFrequencyDisplay
            The display, plotted.

        Raises
        ------
        FERError
            If `y` is empty, not one-dimensional or has missing labels.
        """
        (names,), class_names = name_labels(
            y, classes=labels, display_labels=display_labels
        )
        counts = np.array([np.sum(names == name) for name in class_names])
        return cls(counts, class_names=class_names).plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Plot the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes a new figure.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.bar`.

        Returns
        -------
        ClassFrequencyDisplay
            The display itself.
        """
        self.figure_, self.ax_ = get_axes(ax, height=3.6)
        places = np.arange(len(self.counts))
        self.bars_ = self.ax_.bar(places, self.counts, **{"color": BLUE, **kwargs})
        total = max(self.counts.sum(), 1)
        self.texts_ = self.ax_.bar_label(
            self.bars_,
            [f"{count:,}\n{percent(count / total)}" for count in self.counts],
            padding=2,
            fontsize=SMALL_FONT_SIZE,
        )
        tidy(self.ax_)
        self.ax_.grid(visible=False)  # the counts are written, lines would cross them
        self.ax_.yaxis.set_major_formatter("{x:,.0f}")
        self.ax_.set_xticks(places, self.class_names, fontsize=FONT_SIZE)
        self.ax_.set_ylabel("faces", fontsize=FONT_SIZE)
        self.ax_.set_ylim(0, 1.2 * max(self.counts.max(), 1))  # room for two lines
        return self
