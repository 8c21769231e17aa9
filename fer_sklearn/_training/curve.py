"""The accuracy of a training as a small picture for notebooks."""

_WIDTH, _HEIGHT = 360, 130
_LEFT, _RIGHT, _EDGE = 44, 112, 14  # room for the numbers and the names of the curves
_CURVES = {"train_accuracy": ("training", "4 3"), "valid_accuracy": ("validation", "")}


def training_curve(history) -> str:
    """Draw the accuracy by epoch as SVG, in the colour of the text around it.

    Parameters
    ----------
    history : DataFrame
        With ``epoch``, ``train_accuracy`` and ``valid_accuracy``, as ``history_``.

    Returns
    -------
    str
        Empty if there are fewer than two epochs.
    """
    curves = {
        name: history[column].to_numpy(dtype=float)
        for column, (name, _) in _CURVES.items()
        if history[column].notna().all()
    }
    if len(history) < 2 or not curves:
        return ""
    low = min(values.min() for values in curves.values())
    high = max(values.max() for values in curves.values())
    span = max(high - low, 1e-3)
    step = (_WIDTH - _LEFT - _RIGHT) / (len(history) - 1)

    def down(value):
        return _EDGE + (high - value) / span * (_HEIGHT - 3 * _EDGE)

    dashes = dict(_CURVES.values())
    parts, words = [], []
    # The names stand at the ends of the curves; if these meet, one above the other.
    names = sorted(curves, key=lambda name: -curves[name][-1])
    last = -_HEIGHT
    for name in names:
        values = curves[name]
        points = " ".join(
            f"{_LEFT + step * epoch:.1f},{down(value):.1f}"
            for epoch, value in enumerate(values)
        )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="currentColor" '
            f'stroke-width="1.5" stroke-dasharray="{dashes[name]}"/>'
        )
        last = max(down(values[-1]), last + 12)
        label = f"{name} {values[-1]:.3f}"
        parts.append(_text(_WIDTH - _RIGHT + 6, last + 4, label, "start"))
        words.append(f"{name} {values[-1]:.3f}")
    for value in (high, low):
        parts.append(_text(_LEFT - 6, down(value) + 4, f"{value:.2f}", "end"))
    parts.append(_text(_LEFT, _HEIGHT - 4, "epoch 1", "start"))
    end = _WIDTH - _RIGHT
    parts.append(_text(end, _HEIGHT - 4, f"{len(history)}", "end"))
    summary = f"Accuracy after {len(history)} epochs: {', '.join(words)}"
    return (
        f'<svg role="img" aria-label="{summary}" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" style="max-width: 100%">'
        f"<title>{summary}</title>{''.join(parts)}</svg>"
    )


def _text(x, y, text, anchor):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor" '
        f'font-family="sans-serif" font-size="11">{text}</text>'
    )
