"""The estimator: a convolutional network behind scikit-learn's interface."""

import math
import numbers
import os
import warnings
from contextlib import contextmanager
from copy import deepcopy

import numpy as np
import torch
from scipy.sparse import issparse
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.model_selection import train_test_split
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)
from skorch.callbacks import Callback, InputShapeSetter, LRScheduler

from ._augmented_images import AugmentedImages
from ._callback_support import CallbackSupportMixin, begin_fit_task, with_callbacks
from ._image_ops import is_checked, square_or_row
from ._model_format import open_model_file
from ._pixel_strings import grey_level_cure
from ._pixels import PixelStringTransformer
from ._training.callbacks import (
    FitTasks,
    make_callbacks,
)
from ._training.checkpoint import (
    continue_from,
    draw_seed,
    library_versions,
    pack_net,
    unpack_optimizer,
    unpack_weights,
    warn_of_other_versions,
)
from ._training.curve import training_curve
from ._training.data import (
    FaceDataset,
    weights_of_classes,
)
from ._training.module import (
    make_module,
    make_normalizer,
    seeded,
    start_from,
)
from ._training.net import (
    OPTIMIZERS,
    history_frame,
    make_net,
    resolve_or_cpu,
    restore_history,
)
from ._training.prediction import (
    Predictor,
    compute_logits,
    fit_temperature,
)
from .datasets._emotions import name_classes
from .exceptions import FERError, PixelStringError
from .networks import GreyLevelNormalizer


class FERClassifier(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """Convolutional network for facial expressions in small grey-scale faces.

    Trains a PyTorch network through skorch and behaves like any scikit-learn
    classifier: it can be cloned, pickled, put into a pipeline and searched over.
    If the faces are :class:`AugmentedImages`, the output of `RandomAffineAugmenter` in
    training, each epoch sees new random variations of them. Validation and prediction
    use the faces as they are.

    Parameters
    ----------
    network : str or callable, default="compact"
        Name of a network in `fer_sklearn.networks.NETWORKS` (``"nano"``,
        ``"compact"``, ``"large"``, ``"baseline"``), or your own `nn.Module` class,
        called with ``n_classes`` and ``image_shape`` if it has such parameters. Its
        modules turn ``(batch, 1, height, width)`` floats into logits.
    network_params : dict, default=None
        More keyword arguments for the network, such as ``{"dropout": 0.5}``.
    pretrained : str, path-like or None, default=None
        Model to start the training from: the name of a model that comes with the
        package, or the path of a model file. It must have the same `network`. If its
        classes differ from those of `y`, the last linear layer is not taken over.
    max_epochs : int, default=30
        Number of passes over the training faces.
    max_time : float, default=None
        Seconds that a fit may take, instead of `max_epochs`. The learning rate schedule
        spans this time. If it does not suffice for one epoch, there is a warning.
    batch_size : int, default=128
        Number of faces in a mini-batch.
    optimizer : {"sgd", "adam", "adamw"}, default="sgd"
        ``"sgd"`` has Nesterov momentum 0.9.
    lr : float or "auto", default="auto"
        Peak of the learning rate. ``"auto"`` is 0.1 for ``"sgd"`` and 0.001 for the
        other two, and with `pretrained` a tenth of that, which keeps more of what the
        model has learnt.
    weight_decay : float, default=5e-4
        L2 penalty of the weights. Biases and batch normalisation have none.
    lr_schedule : {"cosine", "one-cycle", "plateau", "constant"}, default="cosine"
        ``"cosine"`` warms up over the first 5 % and falls to zero; ``"one-cycle"``
        rises for 30 % and falls to zero; ``"plateau"`` halves the rate when validation
        accuracy (the training loss, without validation data) has not improved for two
        thirds of `n_iter_no_change` epochs.
    label_smoothing : float, default=0.1
        In [0, 1). More label smoothing makes the probabilities less extreme, and wrong
        labels less harmful.
    mixup_alpha : float, default=0.0
        Above 0, each mini-batch is blended with a shuffled copy of itself, in a
        proportion sampled from Beta(alpha, alpha). For short trainings, 0 to 0.2 work
        best.
    clean_fraction : float, default=0.1
        Share of the training, in [0, 1), at its end, in which faces are only mirrored:
        no other augmentation, no mixup. Above 0 it is at least one epoch, if there are
        two. A training without it never sees an unchanged face, and is less accurate.
    ema_decay : float or None, default=0.999
        Decay of the exponential moving average of the weights. The average is what the
        fitted classifier uses; None keeps the weights of the last step.
    progressive_resizing : tuple of (int, float) or None, default=None
        ``(32, 0.4)`` trains the first 40 % on faces whose longer side is shrunk to 32
        pixels, which costs less than half the time. For networks that take any size.
    normalization : {"auto", "image", "dataset"}, default="auto"
        ``"image"`` brings each face to mean 0 and standard deviation 1, so that light,
        contrast and the scale of grey levels (0..255 or 0..1) do not matter;
        ``"dataset"`` uses one mean and one deviation for all. ``"auto"`` is that of
        the `pretrained` model; without one, ``"image"`` for pictures and
        ``"dataset"`` for features that are less than 8 pixels high or wide.
    class_weight : {"balanced"}, dict or None, default=None
        Weights of the classes in the loss, as in scikit-learn. ``"balanced"`` improves
        the recall of rare emotions (disgust is 1.5 % of FER2013) and costs accuracy.
    early_stopping : bool, default=False
        Whether to stop when validation accuracy has not improved for
        `n_iter_no_change` epochs, and keep the best weights. If `fit` gets no
        validation data, a stratified part of the training data is held out.
    validation_fraction : float, default=0.1
        Size of that part, in (0, 1).
    n_iter_no_change : int, default=10
        Patience of `early_stopping` in epochs, and 1.5 times that of
        ``lr_schedule="plateau"``: the learning rate falls before the training stops.
    test_time_flip : bool, default=False
        Whether to average the predictions of each face and its mirror image, for about
        half a point of accuracy and twice the time.
    temperature : float or "auto", default="auto"
        Divides the logits before they become probabilities. Above 1, the probabilities
        are less extreme; the predicted class stays the same. ``"auto"`` is fitted on
        the validation data, and 1 without any.
    warm_start : bool, default=False
        Whether `fit` continues from the weights of the last fit.
    callbacks : list of skorch callbacks or None, default=None
        Callbacks of skorch or your own, notified in this order after the
        classifier's. After the training batches of an epoch they find in
        ``net.module_`` the weights that would be kept, which is the average if there
        is one. An `LRScheduler` needs ``lr_schedule="constant"``.
    checkpoint : path-like or None, default=None
        File that holds the state of the training after each epoch. If it exists, `fit`
        resumes from it and ends with the same weights as an uninterrupted training
        (given a `random_state` of the augmenter); if it belongs to different settings
        or data, `fit` raises. A file is for one fit, so searches need None.
    precision : {"float32", "bfloat16"}, default="float32"
        Precision of products in training. ``"bfloat16"`` is about twice as fast on
        GPUs and on CPUs that support it (AMX, AVX512-BF16), and slow on other CPUs.
    num_workers : int, default=0
        Number of processes that augment and gather mini-batches. The result does not
        depend on it.
    device : str, default="auto"
        ``"auto"`` is a GPU if there is one, otherwise the CPU; or a device name of
        PyTorch.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, order, dropout and mixup. The same seed gives the same
        weights on a CPU with the same number of threads; a GPU may differ in the last
        bits. Global generators are not changed.
    verbose : int, default=0
        1 prints one line per epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    class_names_ : list of str of length n_classes
        Their names, see `fer_sklearn.datasets.class_names`.
    net_ : skorch.NeuralNetClassifier
        The fitted skorch net, which takes faces as an array of shape (n_samples,
        height, width) and class indices. Its ``module_`` is the PyTorch module, from
        grey levels to logits; `predict` follows changes of its weights.
    history_ : DataFrame
        One row per epoch: epoch, train_loss, train_accuracy, valid_loss,
        valid_accuracy (NaN without validation data), lr, duration (seconds).
    image_shape_ : tuple of int
        Height and width of the faces in pixels.
    n_features_in_ : int
        ``height * width``.
    feature_names_in_ : ndarray of str
        Only if `fit` got a DataFrame whose column names are all strings.
    n_iter_ : int
        Number of epochs.
    stop_reason_ : {"max_epochs", "max_time", "early_stopping", "interrupt", \
"callback"}
        What ended the training.
    temperature_ : float
        Temperature in use.

    See Also
    --------
    make_fer_pipeline : This classifier after a reader and an augmenter.
    RandomAffineAugmenter : Augments the training faces.

    Notes
    -----
    As in :class:`sklearn.neural_network.MLPClassifier`, no data is held out in `fit`
    unless `early_stopping` asks for it: in a grid search, the search holds out its own
    folds.

    Ctrl-C ends a training after its first epoch with a warning and the weights learnt
    so far. In a copy made by :func:`sklearn.base.clone`, which is what a search or an
    ensemble trains, it ends the whole search. If `fit` fails, the classifier stays as
    it was.

    With scikit-learn 1.9 or newer, its callbacks see every epoch: for instance
    ``search.set_callbacks(ProgressBar(max_propagation_depth=None))``, with rich.

    Examples
    --------
    >>> from fer_sklearn import FERClassifier, PixelStringTransformer, make_faces
    >>> faces = make_faces(200, image_shape=(16, 16), random_state=0)
    >>> X = PixelStringTransformer().fit_transform(faces.data)
    >>> clf = FERClassifier("nano", max_epochs=2, random_state=0).fit(X, faces.target)
    >>> clf.predict_proba(X[:2]).shape
    (2, 7)
    >>> clf.history_.shape[0]
    2
    """

    _parameter_constraints: dict = {
        "network": [str, callable],
        "network_params": [dict, None],
        "pretrained": [str, os.PathLike, None],
        "max_epochs": [Interval(numbers.Integral, 1, None, closed="left")],
        "max_time": [Interval(numbers.Real, 0, None, closed="neither"), None],
        "batch_size": [Interval(numbers.Integral, 1, None, closed="left")],
        "optimizer": [StrOptions(set(OPTIMIZERS))],
        "lr": [
            Interval(numbers.Real, 0, None, closed="neither"),
            StrOptions({"auto"}),
        ],
        "weight_decay": [Interval(numbers.Real, 0, None, closed="left")],
        "lr_schedule": [StrOptions({"cosine", "one-cycle", "plateau", "constant"})],
        "label_smoothing": [Interval(numbers.Real, 0, 1, closed="left")],
        "mixup_alpha": [Interval(numbers.Real, 0, None, closed="left")],
        "clean_fraction": [Interval(numbers.Real, 0, 1, closed="left")],
        "ema_decay": [Interval(numbers.Real, 0, 1, closed="neither"), None],
        "progressive_resizing": [tuple, list, None],
        "normalization": [StrOptions({"auto", "image", "dataset"})],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(numbers.Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(numbers.Integral, 1, None, closed="left")],
        "test_time_flip": ["boolean"],
        "temperature": [
            Interval(numbers.Real, 0, None, closed="neither"),
            StrOptions({"auto"}),
        ],
        "warm_start": ["boolean"],
        "callbacks": [list, None],
        "checkpoint": [str, os.PathLike, None],
        "precision": [StrOptions({"float32", "bfloat16"})],
        "num_workers": [Interval(numbers.Integral, 0, None, closed="left")],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        network="compact",
        *,
        network_params=None,
        pretrained=None,
        max_epochs=30,
        max_time=None,
        batch_size=128,
        optimizer="sgd",
        lr="auto",
        weight_decay=5e-4,
        lr_schedule="cosine",
        label_smoothing=0.1,
        mixup_alpha=0.0,
        clean_fraction=0.1,
        ema_decay=0.999,
        progressive_resizing=None,
        normalization="auto",
        class_weight=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        test_time_flip=False,
        temperature="auto",
        warm_start=False,
        callbacks=None,
        checkpoint=None,
        precision="float32",
        num_workers=0,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.network = network
        self.network_params = network_params
        self.pretrained = pretrained
        self.max_epochs = max_epochs
        self.max_time = max_time
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.lr_schedule = lr_schedule
        self.label_smoothing = label_smoothing
        self.mixup_alpha = mixup_alpha
        self.clean_fraction = clean_fraction
        self.ema_decay = ema_decay
        self.progressive_resizing = progressive_resizing
        self.normalization = normalization
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.test_time_flip = test_time_flip
        self.temperature = temperature
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.precision = precision
        self.num_workers = num_workers
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _repr_mimebundle_(self, **kwargs):
        """Show scikit-learn's diagram in a notebook, and below it the training."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle and hasattr(self, "classes_"):
            bundle["text/html"] += training_curve(self.history_)
        return bundle

    def __sklearn_clone__(self):
        clone = super().__sklearn_clone__()
        clone._is_clone = True
        return clone

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        *,
        soft_targets=None,
        soft_target_weight=0.5,
        X_val=None,
        y_val=None,
        class_names=None,
    ):
        """Train the network.

        Parameters
        ----------
        X : AugmentedImages, or array-like of shape (n_samples, height, width) or \
                (n_samples, height * width)
            Faces; grey levels as uint8 (0 to 255) or numbers of any dtype. Rows with a
            square number of features are square faces, all others faces of one row.
        y : array-like of shape (n_samples,)
            Class labels, numbers or strings.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the faces in the loss, not negative. A weight of 0 leaves the
            face out.
        soft_targets : array-like of shape (n_samples, n_classes), default=None
            What else is known of each face, not negative: probabilities from a better
            model (distillation) or votes (FER+). One column per class, in the order of
            `classes_`, the sorted labels. Each row is divided by its sum; a row of
            zeros means that nothing is known, and the label is used alone.
        soft_target_weight : float, default=0.5
            Share, in [0, 1], of the soft targets in what the network is trained
            towards; the rest is the label.
        X_val : like X, or pixel strings, default=None
            Validation faces, never augmented: they fill the validation columns of
            `history_`, and guide early stopping, ``"plateau"`` and the temperature.
            Strings are read here, since a pipeline passes only X through its reader.
        y_val : array-like of shape (n_val_samples,), default=None
            Their labels.
        class_names : sequence of str, default=None
            What the labels 0, 1, 2, ... are called, such as the `target_names` of a
            dataset: ``class_names[label]`` is the name of a label. None names the
            seven labels 0 to 6 as FER2013 does, and takes others as they are; see
            `fer_sklearn.datasets.class_names`.

        Returns
        -------
        self : FERClassifier

        Raises
        ------
        ValueError
            If the data or a parameter is invalid; no training has started then.
        FERError
            If the training diverges.
        ModelFileError
            If the checkpoint is damaged or belongs to different settings.
        """
        context = begin_fit_task(
            self, X, y, max_subtasks=None if self.max_time else self.max_epochs
        )
        with self._undone_on_failure():
            # Everything is checked before the first batch, in this order: parameters,
            # faces and labels, soft targets, validation data, network, checkpoint.
            self._check_parameters()
            warm = self.warm_start and hasattr(self, "net_")
            if warm:
                self._check_same_network()
            faces, labels, weights = self._check_training_data(
                X, y, sample_weight, reset=not warm
            )
            if not warm:
                self.classes_ = _find_classes(labels)
            if not warm or class_names is not None:
                self.class_names_ = name_classes(self.classes_, class_names)
            targets = _encode(labels, self.classes_)
            soft = self._mix_targets(
                soft_targets, soft_target_weight, X, sample_weight, targets
            )
            train = self._dataset(faces, targets, weights, soft)
            valid = self._check_validation_data(X_val, y_val)
            valid = valid and self._dataset(*valid)
            seed = draw_seed(self.random_state, self.checkpoint)
            if valid is None and self.early_stopping:
                train, valid = train.split(*self._hold_out(targets, seed))
            tasks = context and FitTasks(self, context, X, y)
            module = None if warm else self._new_module(train.images, seed)
            self._train(module, train, valid, seed, tasks)
        self._after_interrupt()
        if context is not None:
            context.call_on_fit_task_end(
                estimator=self, X=X, y=y, reconstruction_attributes={}
            )
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train one epoch on these faces, at the learning rate `lr`.

        Parameters
        ----------
        X : like X of `fit`
            Faces.
        y : array-like of shape (n_samples,)
            Class labels, all of them among `classes`.
        classes : array-like of shape (n_classes,), default=None
            All labels that can occur; required in the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the faces in the loss, not negative.

        Returns
        -------
        self : FERClassifier
        """
        first = not hasattr(self, "net_")
        if first and classes is None:
            raise FERError(
                "The first call of partial_fit needs classes=: all labels that can "
                "occur, such as range(7)."
            )
        if not first and classes is not None:
            if not np.array_equal(np.unique(classes), self.classes_):
                raise FERError(
                    f"classes={np.unique(classes).tolist()} differ from those of the "
                    f"first call, {self.classes_.tolist()}. Leave classes out, or make "
                    "a new classifier."
                )
        with self._undone_on_failure():
            self._check_parameters()
            faces, labels, weights = self._check_training_data(
                X, y, sample_weight, reset=first
            )
            if first:
                self.classes_ = _find_classes(classes)
                self.class_names_ = name_classes(self.classes_)
            targets = _encode(labels, self.classes_)
            seed = draw_seed(self.random_state)
            train = self._dataset(faces, targets, weights)
            module = self._new_module(train.images, seed) if first else None
            self._train(module, train, None, seed, single_epoch=True)
        self._after_interrupt()
        return self

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width) or \
                (n_samples, height * width)
            Faces of the size seen in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float32
            Rows sum to 1; columns follow `classes_`.

        Raises
        ------
        FERError
            If the network's logits are not finite, or not one per class.
        """
        return softmax(self._scaled_logits(X), axis=1)

    def predict_log_proba(self, X):
        """Logarithms of the probabilities of the classes.

        Finite even where a probability is so small that `predict_proba` gives 0.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width) or \
                (n_samples, height * width)
            Faces of the size seen in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float32
            Columns follow `classes_`.
        """
        return log_softmax(self._scaled_logits(X), axis=1)

    def predict(self, X):
        """Most probable class of each face.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width) or \
                (n_samples, height * width)
            Faces of the size seen in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels, as they were given to `fit`.
        """
        winners = self.predict_proba(X).argmax(axis=1)
        return self.classes_[winners]

    # -- checks of what is passed in -----------------------------------------------

    @contextmanager
    def _undone_on_failure(self):
        """Leave the classifier as it was if the block fails."""
        before = vars(self).copy()
        try:
            yield
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    def _check_parameters(self):
        """Check what `_parameter_constraints` cannot express."""
        resizing = self.progressive_resizing
        if resizing is not None and not (
            len(resizing) == 2
            and isinstance(resizing[0], numbers.Integral)
            and isinstance(resizing[1], numbers.Real)
            and resizing[0] >= 1
            and 0 <= resizing[1] <= 1
        ):
            raise FERError(
                "The 'progressive_resizing' parameter of FERClassifier must be None or "
                "a pair of a size in pixels, a whole number of at least 1, and a share "
                f"of the training in [0, 1], such as (32, 0.4). Got {resizing!r} "
                "instead."
            )
        for callback in self.callbacks or []:
            part = callback[1] if isinstance(callback, tuple) else callback
            if not isinstance(part, Callback):
                raise FERError(
                    "The 'callbacks' parameter of FERClassifier must hold skorch "
                    f"callbacks (instances, not classes). Got {callback!r} instead."
                )
            self._check_callback(part)
        if isinstance(self.class_weight, dict):
            for label, weight in self.class_weight.items():
                if not (isinstance(weight, numbers.Real) and 0 <= weight < np.inf):
                    raise FERError(
                        "The 'class_weight' parameter of FERClassifier must give each "
                        f"class a number in [0, inf). Got {weight!r} for {label!r}."
                    )

    def _check_callback(self, callback):
        """Refuse a callback that could not do what its documentation says."""
        if isinstance(callback, InputShapeSetter):
            raise FERError(
                "callbacks holds an InputShapeSetter, which would change the network "
                "after it is made. A network gets the size of the faces as its "
                "parameter image_shape, if it has one."
            )
        if isinstance(callback, LRScheduler) and self.lr_schedule != "constant":
            raise FERError(
                f"callbacks holds an LRScheduler, and lr_schedule={self.lr_schedule!r} "
                "sets the learning rate as well. Set lr_schedule='constant', or leave "
                "the callback out."
            )
        if isinstance(callback, LRScheduler) and self.checkpoint is not None:
            raise FERError(
                "callbacks holds an LRScheduler, which cannot be resumed from a "
                "checkpoint. Use lr_schedule instead of it, or set checkpoint=None."
            )

    def _check_faces(self, X, y="no_validation", *, reset=False, name="X"):
        """Return faces as (n_samples, height, width), and the labels if there are any.

        With `reset`, the size of the faces is learnt; otherwise it must be the known
        one.
        """
        X = X.images if isinstance(X, AugmentedImages) else _as_array(X, name)
        shape = getattr(X, "shape", ())
        picture = tuple(map(int, shape[1:])) if len(shape) == 3 else None
        if not reset and picture and picture != self.image_shape_:
            raise FERError(
                f"{name} has faces of {picture[0]}x{picture[1]} pixels, but "
                f"{type(self).__name__} was fitted on faces of "
                f"{self.image_shape_[0]}x{self.image_shape_[1]} pixels. Resize them."
            )
        skip = is_checked(X) and isinstance(y, str)
        if picture:
            X = X.reshape(len(X), math.prod(picture))
        dtypes = [np.float32, np.uint8]
        checked = validate_data(
            self, X, y, reset=reset, skip_check_array=skip, dtype=dtypes
        )
        if not isinstance(y, str):
            checked, y = checked
        if reset:
            self.image_shape_ = picture or square_or_row(self.n_features_in_)
        faces = checked.reshape(-1, *self.image_shape_)
        return faces if isinstance(y, str) else (faces, y)

    def _check_training_data(self, X, y, sample_weight, *, reset):
        """Return faces, augmented if X is, labels and weights, without zero weights."""
        faces, y = self._check_faces(X, y, reset=reset)
        check_classification_targets(y)
        if isinstance(X, AugmentedImages):
            faces = X
        if sample_weight is None:
            return faces, y, None
        weights = _check_sample_weight(sample_weight, y, dtype=np.float32)
        if weights.min() < 0:
            row = int(weights.argmin())
            raise FERError(
                f"sample_weight of row {row} is {weights[row]:g}; weights must not be "
                "negative. Leave the row out, or give it 0."
            )
        kept = np.flatnonzero(weights)
        if not len(kept):
            raise FERError(
                "sample_weight is 0 for every row, so there is nothing to train on. "
                "Give some rows a weight."
            )
        return faces[kept], y[kept], weights[kept]

    def _mix_targets(self, soft_targets, share, X, sample_weight, targets):
        """Blend labels and soft targets of the rows that are trained on."""
        if soft_targets is None:
            return None
        if not (isinstance(share, numbers.Real) and 0 <= share <= 1):
            raise FERError(f"soft_target_weight must be in [0, 1], got {share!r}.")
        classes = self.classes_.tolist()
        columns = list(getattr(soft_targets, "columns", ()))
        if columns != classes and set(columns) == set(classes):
            raise FERError(
                f"soft_targets is a data frame with the columns {columns}, expected "
                f"the order of classes_, {classes}. Reorder it: soft_targets[{classes}]"
            )
        shares = check_array(soft_targets, dtype=np.float32, input_name="soft_targets")
        expected = (len(X), len(classes))
        if shares.shape != expected:
            raise FERError(
                f"soft_targets has shape {shares.shape}, expected {expected}: one row "
                f"per face, one column for each of the classes {classes}."
            )
        if shares.min() < 0:
            row, column = np.argwhere(shares < 0)[0]
            raise FERError(
                f"soft_targets has {shares[row, column]:g} in row {row}, column "
                f"{column}; expected probabilities or votes, which are not negative. "
                "If these are logits, take their softmax."
            )
        if sample_weight is not None:
            # As in _check_training_data: what is 0 in single precision is left out.
            weights = _check_sample_weight(sample_weight, X, dtype=np.float32)
            shares = shares[np.flatnonzero(weights)]
        # Label 3 and the votes [0, 0, 0, 6, 0, 0, 4] with a share of 0.5: the label
        # gives 0.5 to class 3, the votes 0.3 to class 3 and 0.2 to class 6, so the
        # target is 0.8 and 0.2. Where nothing is known, the label keeps all of it.
        sums = shares.sum(axis=1, keepdims=True)
        weight = np.where(sums > 0, np.float32(share), np.float32(0))
        labels = np.eye(len(classes), dtype=np.float32)[targets]
        return (1 - weight) * labels + weight * shares / np.where(sums > 0, sums, 1)

    def _check_same_network(self):
        """Refuse a warm start with a different network."""
        wanted = (self.network, self.network_params)
        if wanted != self._made_from:
            fitted, asked = (
                f"{network!r} with network_params={params!r}"
                for network, params in (self._made_from, wanted)
            )
            raise FERError(
                f"warm_start=True continues with the network of the last fit, {fitted},"
                f" but the parameters are now {asked}. Set them back, or set "
                "warm_start=False to start again."
            )

    def _check_validation_data(self, X_val, y_val):
        """Return validation faces and class indices, or None where there are none."""
        if X_val is None and y_val is None:
            return None
        if X_val is None or y_val is None:
            raise FERError("X_val and y_val belong together; one of them is None.")
        check_consistent_length(X_val, y_val)
        if _is_text(X_val):
            # In a pipeline, only X passes through the reader.
            reader = PixelStringTransformer(image_shape=self.image_shape_)
            try:
                X_val = reader.fit_transform(X_val)
            except PixelStringError as error:
                raise error.renamed("X_val") from error
        faces = self._check_faces(X_val, name="X_val")
        return faces, _encode(column_or_1d(y_val, warn=True), self.classes_, "y_val")

    def _hold_out(self, targets, seed):
        """Return the rows to train on and the held-out rows of early stopping."""
        n_rows = len(targets)
        present, counts = np.unique(targets, return_counts=True)
        n_held = int(np.ceil(self.validation_fraction * n_rows))
        cure = "Give more faces, or pass X_val and y_val."
        if counts.min() < 2:
            rare = self.classes_[present[counts.argmin()]]
            raise FERError(
                "early_stopping holds out a part of each class, so it needs at least 2 "
                f"faces of each; class {rare} has 1. {cure}"
            )
        if min(n_held, n_rows - n_held) < len(present):
            raise FERError(
                f"early_stopping with validation_fraction={self.validation_fraction:g} "
                f"splits {n_rows} faces into {n_rows - n_held} and {n_held}, and one "
                f"part has fewer faces than there are classes ({len(present)}). Change "
                f"validation_fraction. {cure}"
            )
        return train_test_split(
            np.arange(n_rows), test_size=n_held, stratify=targets, random_state=seed
        )

    # -- training ------------------------------------------------------------------

    def _dataset(self, faces, targets, *more):
        return FaceDataset(faces, targets, *more, image_shape=self.image_shape_)

    def _make_module(self, normalizer, seed, *, trial=True):
        network, params = self._made_from
        return make_module(
            network,
            params=params,
            normalizer=normalizer,
            n_classes=len(self.classes_),
            image_shape=self.image_shape_,
            seed=seed,
            trial=trial,
        )

    def _new_module(self, images, seed):
        # A copy of the parameters, which may be changed after the fit.
        self._made_from = (self.network, self.network_params)
        normalizer = make_normalizer(self.normalization, images, self.image_shape_)
        if self.pretrained is None:
            return self._make_module(normalizer, seed)
        with open_model_file(self.pretrained) as file:
            if self.normalization == "auto":
                normalizer = GreyLevelNormalizer(**file.metadata["normalization"])
            module = self._make_module(normalizer, seed)
            start_from(module, file, network=self.network, classes=self.classes_)
        return module

    def _train(self, module, train, valid, seed, tasks=None, *, single_epoch=False):
        previous = self.net_ if module is None else None
        if previous is not None:
            # A copy: should the training fail, the fitted network is as it was.
            module = deepcopy(previous.module_)
        train.weigh(weights_of_classes(self.class_weight, self.classes_, train.targets))
        net = make_net(
            self,
            module,
            callbacks=make_callbacks(
                self, train, valid, seed, single_epoch=single_epoch, tasks=tasks
            ),
            valid=valid,
            # A batch of one has no variance to normalise by.
            drop_last=len(train) > 1 and len(train) % self.batch_size == 1,
        )
        if single_epoch:
            net.progressive_resizing = None  # an epoch alone has no early part
        with seeded(seed, torch.device(net.device)):
            net.initialize()
            if previous is not None:
                continue_from(net, previous)
            net.partial_fit(train)
        # Not set_params, which would reset the user's callbacks.
        net.callbacks = net.train_split = None
        net.initialize_callbacks()
        self._keep(net, valid)

    def _keep(self, net, valid):
        """Set the fitted attributes."""
        self.net_ = net
        self.n_iter_ = len(net.history)
        self.stop_reason_ = net.stop_reason
        self._predictor = Predictor(net.module_, torch.device(net.device))
        self.temperature_ = 1.0
        if self.temperature != "auto":
            self.temperature_ = float(self.temperature)
        elif valid is not None:
            logits = self._logits(valid.faces)
            self.temperature_ = fit_temperature(logits, valid.targets)

    def _scaled_logits(self, X):
        check_is_fitted(self)
        logits = self._logits(self._check_faces(X))
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            logits /= np.float32(self.temperature_)
        if logits.shape[1:] != self.classes_.shape:
            raise FERError(
                f"The network gives logits of shape {logits.shape}, expected "
                f"{(len(logits), len(self.classes_))}: one per class. Was the model "
                "opened with another network?"
            )
        finite = np.isfinite(logits).all(axis=1)
        if not finite.all():
            raise FERError(
                f"The network gives logits that are not finite for row "
                f"{int(finite.argmin())} of X. Its weights are broken, or the grey "
                "levels are too large; expected 0 to 255 as in training."
            )
        return logits

    def _logits(self, faces):
        return compute_logits(
            self._predictor.module(),
            faces,
            device=self._predictor.device,
            flip=self.test_time_flip,
        )

    def _after_interrupt(self):
        if self.stop_reason_ != "interrupt":
            return
        if vars(self).get("_is_clone"):
            # Otherwise, a search would continue with its next candidate.
            raise KeyboardInterrupt
        warnings.warn("Training interrupted by user.", stacklevel=3)

    # -- what has been learnt ------------------------------------------------------

    @property
    def net_(self):
        """The fitted skorch net."""
        if "_net" not in vars(self):
            raise AttributeError(f"This {type(self).__name__} is not fitted yet.")
        if self._net is None:
            # Prediction needs the module alone. A net has an optimizer, for which torch
            # imports its compiler, and that takes longer than opening a model.
            predictor, packed = self._predictor, self._packed
            net = make_net(self, predictor.fitted, device=predictor.device)
            unpack_optimizer(net.initialize(), packed)
            restore_history(net, packed["history"])
            net.module_.eval()
            self.net_ = net
        return self._net

    @net_.setter
    def net_(self, net):
        self._net, self._packed = net, None

    @property
    def history_(self):
        """One row per epoch of the training."""
        packed = getattr(self, "_packed", None)
        return history_frame(packed["history"] if packed else self.net_.history)

    # -- pickling ------------------------------------------------------------------

    def __getstate__(self):
        state = super().__getstate__().copy()
        if "_net" in state:
            # Plain arrays on the CPU, which open on machines without a GPU and hold no
            # training faces.
            packed = pack_net(self.net_, keep_optimizer=self.warm_start)
            for name in ("_net", "_predictor", "_packed"):
                state.pop(name, None)
            state |= {"net_": packed, "_versions": library_versions()}
        return state

    def __setstate__(self, state):
        state = dict(state)
        packed = state.pop("net_", None)
        versions = state.pop("_versions", {})
        super().__setstate__(state)
        if packed is not None:
            warn_of_other_versions(versions, "pickled classifier")
            self._unpack(packed)

    def _restore(self, fitted, packed):
        """Become fitted, from a model file: attributes, and what `pack_net` gives."""
        vars(self).update(fitted)
        self._made_from = (self.network, self.network_params)
        self._unpack(packed)
        self.n_iter_ = len(packed["history"])
        return self

    def _unpack(self, packed):
        """Rebuild the module from plain arrays, and the net when it is asked for."""
        normalizer = GreyLevelNormalizer(**packed["normalizer"])
        # No trial: the faces of a stranger's model may be large.
        module = self._make_module(normalizer, 0, trial=False)
        unpack_weights(module, packed.pop("weights"))
        self._predictor = Predictor(module, resolve_or_cpu(self.device))
        self._net, self._packed = None, packed


def _is_text(X):
    """Whether X is a column of strings."""
    # The first row as an array, whatever library the column or the frame comes from.
    first = np.asarray(X.iloc[:1] if hasattr(X, "iloc") else X[:1])
    return first.size > 0 and isinstance(first.flat[0], str | bytes)


def _as_array(X, name):
    """Make an array of an array-like; name the cure for common mistakes."""
    # Data frames keep the names of their columns, which scikit-learn compares. Those of
    # polars and pyarrow have no iloc.
    is_frame = hasattr(X, "iloc") or hasattr(X, "columns")
    if not (is_frame or isinstance(X, np.ndarray) or issparse(X)):
        try:
            X = np.asarray(X)
        except ValueError as error:
            raise FERError(
                f"{name} is a list of faces of different sizes ({error}). Bring them "
                "to one size first."
            ) from error
    shape = getattr(X, "shape", ())
    if len(shape) == 4:
        raise FERError(
            f"{name} has shape {tuple(shape)}, expected (n_samples, height, width). "
            + grey_level_cure(shape)
        )
    first = next(iter(X), None) if len(shape) == 1 else None
    if isinstance(first, str | bytes):
        raise FERError(
            f"{name} is a column of strings, expected faces as arrays. Read them with "
            "PixelStringTransformer, or use make_fer_pipeline, which begins with it."
        )
    if isinstance(first, list | tuple | np.ndarray):
        raise FERError(
            f"{name} is a column whose rows are of type {type(first).__name__}, "
            "expected one array of all faces: np.array(list(X)).reshape(-1, 48, 48) "
            "for faces of 48x48 pixels."
        )
    return X


def _find_classes(labels):
    """Return the classes among labels, at least two."""
    classes = np.unique(labels)
    if len(classes) < 2:
        raise FERError(
            f"y has one class only ({classes.tolist()}); a classifier needs at least "
            "two. Check the labels, or which rows were selected."
        )
    return classes


def _encode(labels, classes, name="y"):
    """Return the index of each label among the classes."""
    unknown = ~np.isin(labels, classes)
    if unknown.any():
        row = int(unknown.argmax())
        label = np.asarray(labels)[row : row + 1].tolist()[0]
        raise FERError(
            f"Row {row} of {name} is {label!r}, which is not among the classes "
            f"{classes.tolist()}. Fit on data that has all classes."
        )
    return np.searchsorted(classes, labels).astype(np.int64)
