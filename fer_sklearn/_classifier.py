"""The estimator: a convolutional network behind scikit-learn's interface."""

import math
import numbers
import os
import warnings

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, compute_class_weight
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from . import _training
from ._augmented_images import AugmentedImages
from ._weights import open_pretrained
from .networks import GreyLevelNormalizer

HISTORY_COLUMNS = {
    "epoch": "epoch",
    "train_loss": "train_loss",
    "train_accuracy": "train_accuracy",
    "valid_loss": "valid_loss",
    "valid_accuracy": "valid_accuracy",
    "lr": "lr",
    "dur": "duration",
}


class FERClassifier(ClassifierMixin, BaseEstimator):
    """Convolutional network for facial expressions in small grey-scale faces.

    Trains a PyTorch network through skorch and behaves as any scikit-learn
    classifier: it can be cloned, pickled, put into a pipeline and searched over.
    Faces given as :class:`AugmentedImages` (what `RandomAffineAugmenter` hands on in
    training) are drawn afresh in every epoch; validation and prediction always see
    the faces as they are.

    Parameters
    ----------
    network : str or callable, default="compact"
        Name of a network in `fer_sklearn.networks.NETWORKS` (``"nano"``,
        ``"compact"``, ``"large"``, ``"seed"``), or an `nn.Module` class of your own,
        called with ``n_classes`` and ``image_shape`` if it has such parameters, that
        turns ``(batch, 1, height, width)`` floats into logits.
    network_params : dict, default=None
        Further keyword arguments for the network, such as ``{"dropout": 0.5}``.
    pretrained : str, path-like or None, default=None
        Where a training starts from: the name of a model that comes with the package,
        or the path of a model file. It must hold the same `network`. If its classes
        are others than those of `y`, the last linear layer starts afresh. A tenth of
        the usual `lr` keeps more of what it has learnt.
    max_epochs : int, default=30
        Passes over the training faces. The learning rate's course is laid over them.
    max_time : float, default=None
        Seconds that a fit may take. If given, it replaces `max_epochs`, and the
        learning rate's course is laid over it.
    batch_size : int, default=128
        Faces a step.
    optimizer : {"sgd", "adam", "adamw"}, default="sgd"
        ``"sgd"`` has Nesterov momentum 0.9.
    lr : float, default=0.1
        Peak of the learning rate. About 0.1 suits ``"sgd"``, 0.001 the other two.
    weight_decay : float, default=5e-4
        Pull of weights towards zero; biases and batch normalisation are left out.
    lr_schedule : {"cosine", "one-cycle", "plateau", "constant"}, default="cosine"
        ``"cosine"`` warms up over the first 5 % and falls to zero; ``"one-cycle"``
        rises for 30 %; ``"plateau"`` halves the rate when validation accuracy (the
        training loss, without validation data) has not improved for two thirds of
        `n_iter_no_change` epochs.
    label_smoothing : float, default=0.1
        In [0, 1). More of it makes the probabilities less extreme, and wrong labels
        less harmful.
    mixup_alpha : float, default=0.0
        Above 0, each batch is blended with a shuffled copy of itself by a share drawn
        from Beta(alpha, alpha). Short trainings want 0 to 0.2.
    ema_decay : float or None, default=0.999
        Share that a moving average of the weights keeps at each step; the average
        is what the fitted classifier uses. None keeps the last step's weights.
    progressive_resizing : tuple of (int, float) or None, default=None
        ``(32, 0.4)`` trains the first 40 % on faces shrunk to 32 pixels, which costs
        less than half the time. For networks that take any size.
    normalization : {"auto", "image", "dataset"}, default="auto"
        ``"image"`` brings each face to mean 0 and standard deviation 1, so that light,
        contrast and the scale of grey levels (0..255 or 0..1) do not matter;
        ``"dataset"`` uses one mean and one deviation for all. ``"auto"`` is that of
        the `pretrained` model; without one, ``"image"`` for pictures and
        ``"dataset"`` for features that are less than 8 pixels high or wide.
    class_weight : {"balanced"}, dict or None, default=None
        Weights of classes in the loss, as in scikit-learn. ``"balanced"`` helps rare
        emotions (disgust is 1.5 % of FER2013) and costs accuracy.
    early_stopping : bool, default=False
        Whether to stop when validation accuracy has not improved for
        `n_iter_no_change` epochs, and keep the best weights. Without validation data
        in `fit`, a stratified part of the training data is set aside; else nothing
        ever is.
    validation_fraction : float, default=0.1
        That part, in (0, 1).
    n_iter_no_change : int, default=10
        Patience of `early_stopping` in epochs.
    test_time_flip : bool, default=False
        Whether to average each face's prediction with its mirror image's: about half
        a point of accuracy for twice the time.
    temperature : float or "auto", default="auto"
        Divides the logits before they become probabilities: above 1 makes them less
        extreme, and never changes the predicted class. ``"auto"`` fits it on the
        validation data, and is 1 where there is none.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights that are there.
    callbacks : list of skorch callbacks or None, default=None
        Notified like skorch's own.
    checkpoint : path-like or None, default=None
        File that holds the state of the training after each epoch. If it is there
        already, `fit` goes on from it, to the result of an unbroken training; if it
        belongs to other settings or data, `fit` refuses.
    precision : {"float32", "bfloat16"}, default="float32"
        Precision of products in training. ``"bfloat16"`` is about twice as fast on
        a GPU and on CPUs that know it (AMX, AVX512-BF16), and slow on others.
    compile : bool, default=False
        Whether to compile the network with ``torch.compile`` for training.
    num_workers : int, default=0
        Processes that draw and gather batches beside the training. The draws do not
        depend on it.
    device : str, default="auto"
        ``"auto"`` takes a GPU if there is one; else any PyTorch device name.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, order, dropout and mixup. The same seed gives the same
        weights on a CPU with the same number of threads; a GPU may differ in the last
        bits. Global generators are left untouched.
    verbose : int, default=0
        1 prints a line an epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    net_ : skorch.NeuralNetClassifier
        The fitted skorch net; ``net_.module_`` is the PyTorch module, from grey
        levels to logits.
    history_ : DataFrame
        A row an epoch: epoch, train_loss, train_accuracy, valid_loss,
        valid_accuracy (NaN without validation data), lr, duration (seconds).
    image_shape_ : tuple of int
        Height and width of the faces in pixels.
    n_features_in_ : int
        ``height * width``.
    feature_names_in_ : ndarray of str
        Only if `fit` got a DataFrame whose column names are all strings.
    n_iter_ : int
        Number of epochs run.
    stop_reason_ : {"max_epochs", "max_time", "early_stopping", "interrupt"}
        What ended the training.
    temperature_ : float
        Temperature in use.

    See Also
    --------
    make_fer_pipeline : This classifier behind a reader and an augmenter.
    RandomAffineAugmenter : Draws the training faces.

    Notes
    -----
    No data is set aside inside `fit` unless `early_stopping` asks for it, as in
    :class:`sklearn.neural_network.MLPClassifier`: inside a grid search, the search's
    own folds are the validation.

    Examples
    --------
    >>> from fer_sklearn import FERClassifier, PixelStringTransformer, make_faces
    >>> faces = make_faces(200, image_size=16, random_state=0)
    >>> X = PixelStringTransformer(image_shape=(16, 16)).fit_transform(faces.data)
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
        "optimizer": [StrOptions(set(_training.OPTIMIZERS))],
        "lr": [Interval(numbers.Real, 0, None, closed="neither")],
        "weight_decay": [Interval(numbers.Real, 0, None, closed="left")],
        "lr_schedule": [StrOptions({"cosine", "one-cycle", "plateau", "constant"})],
        "label_smoothing": [Interval(numbers.Real, 0, 1, closed="left")],
        "mixup_alpha": [Interval(numbers.Real, 0, None, closed="left")],
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
        "compile": ["boolean"],
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
        lr=0.1,
        weight_decay=5e-4,
        lr_schedule="cosine",
        label_smoothing=0.1,
        mixup_alpha=0.0,
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
        compile=False,
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
        self.compile = compile
        self.num_workers = num_workers
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None):
        """Train the network.

        Parameters
        ----------
        X : AugmentedImages, or array-like of shape (n_samples, height, width) or \
                (n_samples, height * width)
            Faces; grey levels as uint8 (0 to 255) or numbers of any dtype. Rows of a
            square number of features are taken as square faces, others as faces of
            one row.
        y : array-like of shape (n_samples,)
            Class labels, numbers or strings.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the faces in the loss, not negative. A weight of 0 is the same
            as leaving the face out.
        X_val : like X, default=None
            Validation faces, never augmented: they fill the validation columns of
            `history_`, and guide early stopping, ``"plateau"`` and the temperature.
        y_val : array-like of shape (n_val_samples,), default=None
            Their labels.

        Returns
        -------
        self : FERClassifier

        Raises
        ------
        ValueError
            If the data or a parameter is unusable: before any training starts.
        FERError
            If the training diverges.
        ModelFileError
            If the checkpoint is broken or belongs to other settings.
        """
        warm = self.warm_start and hasattr(self, "net_")
        faces, y, weights = self._check_training_data(X, y, sample_weight, not warm)
        if not warm:
            self.classes_ = _at_least_two(np.unique(y))
        targets = self._encode(y)
        valid = self._check_validation_data(X_val, y_val)
        seed = int(check_random_state(self.random_state).randint(2**31))
        if valid is None and self.early_stopping:
            kept, held_out = train_test_split(
                np.arange(len(targets)),
                test_size=self.validation_fraction,
                stratify=targets,
                random_state=seed,
            )
            valid = self._dataset(_originals(faces)[held_out], targets[held_out])
            faces, targets = faces[kept], targets[kept]
            weights = None if weights is None else weights[kept]
        module = self.net_.module_ if warm else self._new_module(faces, seed)
        train = self._dataset(faces, targets, weights)
        self._train(module, train, valid, seed, previous=self.net_ if warm else None)
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
            All labels that will ever come; needed in the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the faces in the loss, not negative.

        Returns
        -------
        self : FERClassifier
        """
        first = not hasattr(self, "net_")
        if first and classes is None:
            raise ValueError(
                "The first call of partial_fit needs classes=: all labels that will "
                "ever come, such as range(7)."
            )
        faces, y, weights = self._check_training_data(X, y, sample_weight, first)
        if first:
            self.classes_ = _at_least_two(np.unique(classes))
        targets = self._encode(y)
        seed = int(check_random_state(self.random_state).randint(2**31))
        module = self._new_module(faces, seed) if first else self.net_.module_
        train = self._dataset(faces, targets, weights)
        previous = None if first else self.net_
        self._train(module, train, None, seed, previous=previous, single_epoch=True)
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
        """
        check_is_fitted(self)
        faces = self._check_faces(X)
        logits = _training.compute_logits(
            self._predictor, faces, device=self._device(), flip=self.test_time_flip
        )
        return _training.softmax(logits / np.float32(self.temperature_))

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

    # -- input ---------------------------------------------------------------------

    def _check_faces(self, X, y="no_validation", *, reset=False):
        """Return faces as (n_samples, height, width), or the view as it is."""
        images = _originals(X)
        if isinstance(images, list | tuple) and np.ndim(images) == 3:
            images = np.asarray(images)
        shape = getattr(images, "shape", ())
        picture = tuple(map(int, shape[1:])) if len(shape) == 3 else None
        if not reset and picture and picture != self.image_shape_:
            raise ValueError(
                f"X has faces of {picture[0]}x{picture[1]} pixels, but "
                f"{type(self).__name__} was fitted on faces of "
                f"{self.image_shape_[0]}x{self.image_shape_[1]} pixels. Resize them."
            )
        if picture:
            images = images.reshape(len(images), -1)
        checked = validate_data(
            self, images, y, reset=reset, dtype=[np.float32, np.uint8]
        )
        if not isinstance(y, str):
            checked, y = checked
        if reset:
            self.image_shape_ = picture or _picture_shape(self.n_features_in_)
        faces = checked.reshape(-1, *self.image_shape_)
        return faces if isinstance(y, str) else (faces, y)

    def _check_training_data(self, X, y, sample_weight, reset):
        faces, y = self._check_faces(X, y, reset=reset)
        check_classification_targets(y)
        if isinstance(X, AugmentedImages):
            faces = X
        if sample_weight is None:
            return faces, y, None
        weights = _check_sample_weight(sample_weight, y, dtype=np.float32)
        if weights.min() < 0:
            row = int(weights.argmin())
            raise ValueError(
                f"sample_weight of row {row} is {weights[row]:g}; weights must not be "
                "negative. Leave the row out, or give it 0."
            )
        kept = np.flatnonzero(weights)
        return faces[kept], y[kept], weights[kept]

    def _check_validation_data(self, X_val, y_val):
        if X_val is None and y_val is None:
            return None
        if X_val is None or y_val is None:
            raise ValueError("X_val and y_val belong together; one of them is None.")
        check_consistent_length(X_val, y_val)
        faces = self._check_faces(X_val)
        return self._dataset(faces, self._encode(column_or_1d(y_val, warn=True)))

    def _encode(self, y):
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            row = int(np.flatnonzero(np.isin(y, unknown))[0])
            raise ValueError(
                f"Row {row} of y is {unknown.tolist()[0]!r}, which is not among the "
                f"classes {self.classes_.tolist()}. Fit on data that has all classes."
            )
        return np.searchsorted(self.classes_, y).astype(np.int64)

    def _dataset(self, faces, targets, weights=None):
        return _training.FaceDataset(
            faces, targets, weights, image_shape=self.image_shape_
        )

    # -- training ------------------------------------------------------------------

    def _device(self):
        return _training.resolve_device(self.device)

    def _make_module(self, normalizer, seed):
        return _training.make_module(
            self.network,
            params=self.network_params,
            normalizer=normalizer,
            n_classes=len(self.classes_),
            image_shape=self.image_shape_,
            seed=seed,
        )

    def _new_module(self, faces, seed):
        images = _originals(faces)
        normalizer = _training.make_normalizer(
            self.normalization, images, self.image_shape_
        )
        if self.pretrained is None:
            return self._make_module(normalizer, seed)
        with open_pretrained(self.pretrained) as file:
            if self.normalization == "auto":
                normalizer = GreyLevelNormalizer(**file.metadata["normalization"])
            module = self._make_module(normalizer, seed)
            _training.start_from(
                module, file, network=self.network, classes=self.classes_
            )
        return module

    def _make_callbacks(self, train, valid, seed, single_epoch):
        parts = _training.make_parts(self, valid, single_epoch=single_epoch)
        callbacks = [
            ("seeds", _training.EpochSeeds(seed)),
            *parts.items(),
            *(self.callbacks or []),
        ]
        if self.checkpoint is not None and not single_epoch:
            settings = self._settings(train, valid, seed)
            checkpoint = _training.Checkpoint(
                self.checkpoint, settings=settings, parts=parts
            )
            callbacks.append(("checkpoint", checkpoint))
        return callbacks

    def _settings(self, train, valid, seed):
        """Everything that the result of a training depends on, as plain values."""
        settings = {
            name: value if isinstance(value, int | float | None) else str(value)
            for name, value in self.get_params(deep=False).items()
            if name not in _training.WITHOUT_EFFECT
        }
        if not isinstance(self.network, str):
            settings["network"] = f"{self.network.__module__}.{self.network.__name__}"
        settings["random_state"] = seed
        settings["training data"] = train.fingerprint()
        settings["validation data"] = None if valid is None else valid.fingerprint()
        return settings

    def _train(self, module, train, valid, seed, *, previous, single_epoch=False):
        train.weigh(self._class_weights(train.targets))
        net = _training.make_net(
            self,
            module,
            callbacks=self._make_callbacks(train, valid, seed, single_epoch),
            valid=valid,
            # A batch of one has no variance to normalise by.
            drop_last=len(train) > 1 and len(train) % self.batch_size == 1,
        )
        with _training.seeded(seed, self._device()):
            net.initialize()
            if previous is not None:
                net.optimizer_.load_state_dict(previous.optimizer_.state_dict())
                history = _training.plain_history(previous.history)
                _training.restore_history(net, history)
            if self.compile:
                net.module_.network.compile()
            net.partial_fit(train)
        if net.stop_reason == "interrupt":
            if not net.history:
                raise KeyboardInterrupt("Training interrupted in its first epoch.")
            warnings.warn("Training interrupted by user.", stacklevel=3)
        net.set_params(callbacks=None, train_split=None)
        self._keep(net, valid)

    def _class_weights(self, targets):
        if self.class_weight is None:
            return None
        labels = self.classes_[targets]
        present = np.unique(labels)
        class_weight = self.class_weight
        if isinstance(class_weight, dict):
            class_weight = {k: v for k, v in class_weight.items() if k in present}
        weights = compute_class_weight(class_weight, classes=present, y=labels)
        return dict(zip(np.unique(targets), weights, strict=True))

    def _keep(self, net, valid):
        """Set the fitted attributes."""
        self.net_ = net
        self.history_ = _history_frame(net.history)
        self.n_iter_ = len(self.history_)
        self.stop_reason_ = net.stop_reason
        self._predictor = _training.fold_batch_norm(net.module_)
        self.temperature_ = 1.0
        if self.temperature != "auto":
            self.temperature_ = float(self.temperature)
        elif valid is not None:
            logits = _training.compute_logits(
                self._predictor,
                valid.faces,
                device=self._device(),
                flip=self.test_time_flip,
            )
            self.temperature_ = _training.fit_temperature(logits, valid.targets)

    # -- pickling ------------------------------------------------------------------

    def __getstate__(self):
        state = super().__getstate__().copy()
        if "net_" in state:
            # Plain arrays on the CPU: they open without the GPU that trained them,
            # and hold neither training faces nor compiled code.
            state["net_"] = _training.pack_net(
                self.net_, keep_optimizer=self.warm_start
            )
            state["_versions"] = _training.library_versions()
            del state["_predictor"]
        return state

    def __setstate__(self, state):
        state = dict(state)
        packed = state.pop("net_", None)
        versions = state.pop("_versions", {})
        super().__setstate__(state)
        if packed is not None:
            _training.warn_of_other_versions(versions, "pickled classifier")
            self._unpack(packed)

    def _restore(self, fitted, packed):
        """Become fitted, from a model file: attributes, and what `pack_net` gives."""
        vars(self).update(fitted)
        self._unpack(packed)
        self.history_ = _history_frame(self.net_.history)
        self.n_iter_ = len(self.history_)
        return self

    def _unpack(self, packed):
        """Rebuild the net from plain arrays."""
        module = self._make_module(GreyLevelNormalizer(**packed["normalizer"]), 0)
        _training.unpack_weights(module, packed["weights"])
        self.net_ = _training.make_net(self, module).initialize()
        _training.unpack_optimizer(self.net_, packed)
        _training.restore_history(self.net_, packed["history"])
        self._predictor = _training.fold_batch_norm(self.net_.module_)


def _originals(X):
    """Faces without augmentation."""
    return X.images if isinstance(X, AugmentedImages) else X


def _at_least_two(classes):
    if len(classes) < 2:
        raise ValueError(
            f"y has one class only ({classes.tolist()}); a classifier needs at least "
            "two. Check the labels, or the rows that were chosen."
        )
    return classes


def _picture_shape(n_features):
    side = math.isqrt(n_features)
    return (side, side) if side * side == n_features else (1, n_features)


def _history_frame(history):
    rows = _training.plain_history(history)
    frame = pd.DataFrame(rows, columns=list(HISTORY_COLUMNS))
    return frame.rename(columns=HISTORY_COLUMNS)
