"""The estimator: a convolutional network behind scikit-learn's interface."""

import numbers
import os
import warnings
from copy import deepcopy

import numpy as np
import torch
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from . import _classifier_input as checks
from ._callback_support import CallbackSupportMixin, begin_fit_task, with_callbacks
from ._shipped_models import open_pretrained
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
from ._undo import undone_on_failure
from .datasets._emotions import name_classes
from .exceptions import FERError
from .networks import GreyLevelNormalizer


class FERClassifier(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
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
        ``"compact"``, ``"large"``, ``"baseline"``), or an `nn.Module` class of your
        own, called with ``n_classes`` and ``image_shape`` if it has such parameters,
        that turns ``(batch, 1, height, width)`` floats into logits.
    network_params : dict, default=None
        Further keyword arguments for the network, such as ``{"dropout": 0.5}``.
    pretrained : str, path-like or None, default=None
        Where a training starts from: the name of a model that comes with the package,
        or the path of a model file. It must hold the same `network`. If its classes
        are others than those of `y`, the last linear layer starts afresh.
    max_epochs : int, default=30
        Passes over the training faces. The learning rate's course is laid over them.
    max_time : float, default=None
        Seconds that a fit may take. If given, it replaces `max_epochs`, and the
        learning rate's course is laid over it. A training that does not get through
        its first epoch warns.
    batch_size : int, default=128
        Faces a step.
    optimizer : {"sgd", "adam", "adamw"}, default="sgd"
        ``"sgd"`` has Nesterov momentum 0.9.
    lr : float or "auto", default="auto"
        Peak of the learning rate. ``"auto"`` is 0.1 for ``"sgd"`` and 0.001 for the
        other two, and with `pretrained` a tenth of that, which keeps more of what the
        model has learnt.
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
    soft_target_weight : float, default=0.5
        Share, in [0, 1], of the `soft_targets` of `fit` in what the network is trained
        towards; the rest is the label.
    mixup_alpha : float, default=0.0
        Above 0, each batch is blended with a shuffled copy of itself by a share drawn
        from Beta(alpha, alpha). Short trainings want 0 to 0.2.
    clean_fraction : float, default=0.0
        Share of the training, in [0, 1), whose epochs at the very end see faces that
        are mirrored at most: no other augmentation, no mixup. Above 0 it is at least
        one epoch (with `max_time`, if there are two). Short trainings gain from 0.05
        to 0.1, as otherwise they never see a whole, sharp face.
    ema_decay : float or None, default=0.999
        Share that a moving average of the weights keeps at each step; the average
        is what the fitted classifier uses. None keeps the last step's weights.
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
        Patience of `early_stopping` in epochs, and 1.5 times that of
        ``lr_schedule="plateau"``: the learning rate falls before the training stops.
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
        Callbacks of skorch or your own, notified in this order after the
        classifier's. After the training batches of an epoch they find in
        ``net.module_`` the weights that would be kept, which is the average if there
        is one. An `LRScheduler` needs ``lr_schedule="constant"``.
    checkpoint : path-like or None, default=None
        File that holds the state of the training after each epoch. If it is there
        already, `fit` goes on from it, to the result of an unbroken training (an
        augmenter needs a seed of its own for that); if it belongs to other settings
        or data, `fit` refuses. A file is for one fit: a search, which fits many
        times, wants None.
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
    class_names_ : list of str of length n_classes
        What they are called, see `fer_sklearn.datasets.class_names`.
    net_ : skorch.NeuralNetClassifier
        The fitted skorch net, which takes faces as an array of shape (n_samples,
        height, width) and class indices. Its ``module_`` is the PyTorch module, from
        grey levels to logits; `predict` follows a change of its weights.
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
    stop_reason_ : {"max_epochs", "max_time", "early_stopping", "interrupt", \
"callback"}
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

    Ctrl-C ends a training after its first epoch in good order, with a warning and what
    was learnt so far; in a copy made by :func:`sklearn.base.clone`, which is what a
    search or an ensemble trains, it goes on to end the whole search. A `fit` that fails
    leaves the classifier as it was.

    With scikit-learn 1.9 or newer, its callbacks see every epoch: for instance
    ``search.set_callbacks(ProgressBar(max_propagation_depth=None))``, with rich.

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
        "optimizer": [StrOptions(set(OPTIMIZERS))],
        "lr": [
            Interval(numbers.Real, 0, None, closed="neither"),
            StrOptions({"auto"}),
        ],
        "weight_decay": [Interval(numbers.Real, 0, None, closed="left")],
        "lr_schedule": [StrOptions({"cosine", "one-cycle", "plateau", "constant"})],
        "label_smoothing": [Interval(numbers.Real, 0, 1, closed="left")],
        "soft_target_weight": [Interval(numbers.Real, 0, 1, closed="both")],
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
        lr="auto",
        weight_decay=5e-4,
        lr_schedule="cosine",
        label_smoothing=0.1,
        soft_target_weight=0.5,
        mixup_alpha=0.0,
        clean_fraction=0.0,
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
        self.soft_target_weight = soft_target_weight
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
        self.compile = compile
        self.num_workers = num_workers
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

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
        X_val=None,
        y_val=None,
        class_names=None,
    ):
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
        soft_targets : array-like of shape (n_samples, n_classes), default=None
            What else is known of each face, not negative: probabilities that a better
            model gives (distillation) or votes (FER+). Columns in the order of
            `classes_`, the sorted labels. Each row is divided by its sum; a row of
            zeros tells nothing, and the label stands alone.
        X_val : like X, default=None
            Validation faces, never augmented: they fill the validation columns of
            `history_`, and guide early stopping, ``"plateau"`` and the temperature.
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
            If the data or a parameter is unusable: before any training starts.
        FERError
            If the training diverges.
        ModelFileError
            If the checkpoint is broken or belongs to other settings.
        """
        context = begin_fit_task(
            self, X, y, max_subtasks=None if self.max_time else self.max_epochs
        )
        with undone_on_failure(self):
            checks.check_parameters(self)
            warm = self.warm_start and hasattr(self, "net_")
            if warm:
                checks.check_same_network(self)
            faces, labels, weights = checks.check_training_data(
                self, X, y, sample_weight, reset=not warm
            )
            if not warm:
                self.classes_ = checks.check_classes(labels)
            if not warm or class_names is not None:
                self.class_names_ = name_classes(self.classes_, class_names)
            targets = checks.encode(labels, self.classes_)
            soft = checks.check_soft_targets(
                self, soft_targets, X, sample_weight, targets
            )
            train = self._dataset(faces, targets, weights, soft)
            valid = checks.check_validation_data(self, X_val, y_val)
            valid = valid and self._dataset(*valid)
            seed = draw_seed(self.random_state, self.checkpoint)
            if valid is None and self.early_stopping:
                train, valid = train.split(*checks.hold_out(targets, self, seed))
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
            All labels that will ever come; needed in the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the faces in the loss, not negative.

        Returns
        -------
        self : FERClassifier
        """
        first = not hasattr(self, "net_")
        if first and classes is None:
            raise FERError(
                "The first call of partial_fit needs classes=: all labels that will "
                "ever come, such as range(7)."
            )
        if not first and classes is not None:
            checks.check_same_classes(classes, self.classes_)
        with undone_on_failure(self):
            checks.check_parameters(self)
            faces, labels, weights = checks.check_training_data(
                self, X, y, sample_weight, reset=first
            )
            if first:
                self.classes_ = checks.check_classes(classes)
                self.class_names_ = name_classes(self.classes_)
            targets = checks.encode(labels, self.classes_)
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

    # -- training ------------------------------------------------------------------

    def _dataset(self, faces, targets, *more):
        return FaceDataset(faces, targets, *more, image_shape=self.image_shape_)

    def _make_module(self, normalizer, seed):
        network, params = self._made_from
        return make_module(
            network,
            params=params,
            normalizer=normalizer,
            n_classes=len(self.classes_),
            image_shape=self.image_shape_,
            seed=seed,
        )

    def _new_module(self, images, seed):
        # Kept apart from the parameters, which may be set anew after the fit.
        self._made_from = (self.network, self.network_params)
        normalizer = make_normalizer(self.normalization, images, self.image_shape_)
        if self.pretrained is None:
            return self._make_module(normalizer, seed)
        with open_pretrained(self.pretrained) as file:
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
            if self.compile:
                net.module_.network.compile()
            net.partial_fit(train)
        # Not set_params, which would reset the user's callbacks.
        net.callbacks = net.train_split = None
        net.initialize_callbacks()
        self._keep(net, valid)

    def _keep(self, net, valid):
        """Set the fitted attributes."""
        self.net_ = net
        self.history_ = history_frame(net.history)
        self.n_iter_ = len(self.history_)
        self.stop_reason_ = net.stop_reason
        self._predictor = Predictor(net.module_)
        self.temperature_ = 1.0
        if self.temperature != "auto":
            self.temperature_ = float(self.temperature)
        elif valid is not None:
            logits = self._logits(valid.faces)
            self.temperature_ = fit_temperature(logits, valid.targets)

    def _scaled_logits(self, X):
        check_is_fitted(self)
        logits = self._logits(checks.check_faces(self, X))
        return logits / np.float32(self.temperature_)

    def _logits(self, faces):
        return compute_logits(
            self._predictor.module(),
            faces,
            device=torch.device(self.net_.device),
            flip=self.test_time_flip,
        )

    def _after_interrupt(self):
        if self.stop_reason_ != "interrupt":
            return
        if vars(self).get("_is_clone"):
            # A search that swallowed Ctrl-C would go on with its next candidate.
            raise KeyboardInterrupt
        warnings.warn("Training interrupted by user.", stacklevel=3)

    # -- pickling ------------------------------------------------------------------

    def __getstate__(self):
        state = super().__getstate__().copy()
        if "net_" in state:
            # Plain arrays on the CPU: they open without the GPU that trained them,
            # and hold neither training faces nor compiled code.
            state["net_"] = pack_net(self.net_, keep_optimizer=self.warm_start)
            state["_versions"] = library_versions()
            # Rebuilt from `net_`: a DataFrame opens only with the pandas that wrote it.
            for name in ("_predictor", "history_"):
                state.pop(name, None)
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
        self.n_iter_ = len(self.history_)
        return self

    def _unpack(self, packed):
        """Rebuild the net from plain arrays."""
        module = self._make_module(GreyLevelNormalizer(**packed["normalizer"]), 0)
        unpack_weights(module, packed["weights"])
        device = resolve_or_cpu(self.device)
        self.net_ = make_net(self, module, device=device).initialize()
        unpack_optimizer(self.net_, packed)
        restore_history(self.net_, packed["history"])
        self.history_ = history_frame(self.net_.history)
        self._predictor = Predictor(self.net_.module_)
