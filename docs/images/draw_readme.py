"""Draw readme.png: seven drawn faces and what a pipeline says about them."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from fer_sklearn import EMOTIONS, PixelStringTransformer, make_faces, make_fer_pipeline

BLUE, GREY = "#0072b2", "#c8ccd0"


def main():
    X, y = make_faces(2520, random_state=0, return_X_y=True)
    pipe = make_fer_pipeline("nano", max_epochs=8, batch_size=32, random_state=0)
    pipe.fit(X[:2100], y[:2100])
    print(f"accuracy {pipe.score(X[2100:], y[2100:]):.3f}")
    images = PixelStringTransformer().fit_transform(X[2100:])
    probabilities = pipe.predict_proba(images)
    figure, axes = plt.subplots(
        2, 7, figsize=(9.6, 3.4), height_ratios=[1, 1], layout="constrained"
    )
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.03)
    for emotion, (top, bottom) in enumerate(axes.T):
        # The first held-out face of each emotion: none is picked by its result.
        row = np.flatnonzero(y[2100:] == emotion)[0]
        top.imshow(images[row], cmap="gray", vmin=0, vmax=255, interpolation="bicubic")
        top.set_title(EMOTIONS[emotion], fontsize=11)
        top.set_axis_off()
        colours = [BLUE if i == emotion else GREY for i in range(7)]
        bottom.barh(EMOTIONS, probabilities[row], color=colours, height=0.75)
        bottom.set(xlim=(0, 1), xticks=[0, 1])
        bottom.invert_yaxis()
        bottom.tick_params(length=0, labelsize=10, labelleft=emotion == 0)
        for label, side in zip(
            bottom.get_xticklabels(), ("left", "right"), strict=True
        ):
            label.set_horizontalalignment(side)
        bottom.spines[["top", "right", "bottom"]].set_visible(False)
    axes[1, 3].set_xlabel("probability that the pipeline gives", fontsize=10)
    figure.savefig(Path(__file__).with_name("readme.png"), dpi=110, facecolor="white")


if __name__ == "__main__":
    main()
