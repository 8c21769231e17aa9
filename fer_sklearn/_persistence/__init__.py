"""Models as files that run no code when they are opened."""

from .._model_file import open_model_file, write_model_file
from .._utils import torch_needed

__all__ = ["load_model", "read_model_metadata", "save_model"]


def save_model(model, path, *, dtype="float32"):
    """Save a fitted pipeline or classifier as a file that is safe to open.

    The file is a zip of ``metadata.json`` (what `read_model_metadata` gives) and
    ``weights.safetensors``. It holds what prediction needs and a summary of the
    training: no faces, no state of the optimizer, no callbacks and no code. It is
    written to a temporary file and then moved into place, so that a full disk leaves
    an older file as it was.

    The file also holds the model's parameters, for a later `fit`. That `fit` starts
    from scratch. If the model was trained with ``pretrained=``, the settings of the
    training are therefore not stored, and the defaults take their place.

    Parameters
    ----------
    model : Pipeline, FERClassifier or a search over one
        Fitted; a pipeline as `make_fer_pipeline` makes it, with or without
        ``"augment"``. Of a search such as `GridSearchCV`, its ``best_estimator_`` is
        saved.
    path : path-like
        The file; its usual suffix is ``.fer``.
    dtype : {"float32", "float16"}, default="float32"
        Type of the stored weights. ``"float16"`` halves the file and changes
        probabilities in the third or fourth digit.

    Raises
    ------
    ModelFileError
        If the model has other steps, or parameters that are not plain values.
    NotFittedError
        If the model is not fitted.

    See Also
    --------
    load_model : Open the file again.

    Examples
    --------
    >>> import tempfile
    >>> from fer_sklearn import load_model, make_faces, make_fer_pipeline, save_model
    >>> faces = make_faces(70, image_size=16, random_state=0)
    >>> pipe = make_fer_pipeline("nano", image_shape=(16, 16), max_epochs=1)
    >>> pipe = pipe.fit(faces.data, faces.target)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(pipe, f"{folder}/emotions.fer")
    ...     again = load_model(f"{folder}/emotions.fer")
    >>> bool((again.predict_proba(faces.data) == pipe.predict_proba(faces.data)).all())
    True
    """
    # Here, because it brings torch: to look into a file needs none.
    from ._saving import pack_model

    metadata, weights = pack_model(model, dtype)
    write_model_file(path, metadata, weights)


def load_model(path, *, network=None):
    """Open a model file; no code in it is run.

    Parameters
    ----------
    path : path-like
        A file that `save_model` wrote. Opening checks its size, members, metadata
        and the tensors' names, types and shapes before it builds anything.
    network : callable, default=None
        The class (or function) of the network, for models whose network is not one
        of `fer_sklearn.networks.NETWORKS`: the file holds weights, not classes.

    Returns
    -------
    model : Pipeline or FERClassifier
        Fitted. Its probabilities equal those of the saved model bit for bit on the
        same machine, if it was saved as float32.

    Raises
    ------
    ModelFileError
        If the file is not a model file, damaged, of a newer format, or of another
        network than the given one.
    MissingExtraError
        If torch is not installed.

    Warns
    -----
    UserWarning
        If the file was saved under another version of torch, skorch, scikit-learn,
        numpy or this package. A version that differs in the patch alone, such as
        2.13.0 and 2.13.1, counts as the same.

    See Also
    --------
    save_model : Write such a file, with an example.
    read_model_metadata : See what is inside without torch.

    Examples
    --------
    >>> from fer_sklearn import load_model
    >>> load_model("emotions.txt")
    Traceback (most recent call last):
    ...
    fer_sklearn.exceptions.ModelFileError: emotions.txt cannot be opened: No such file \
or directory.
    """
    with torch_needed():
        from ._loading import build_model

    with open_model_file(path) as file:
        return build_model(file, network)


def read_model_metadata(path):
    """Read what a model file says about its model; needs no torch.

    Parameters
    ----------
    path : path-like
        A file that `save_model` wrote.

    Returns
    -------
    metadata : dict
        ``format``, ``kind``, ``classes``, ``class_names``, ``network``,
        ``image_shape``, ``normalization``, ``temperature``, ``steps`` with their
        parameters, ``training`` (history, number of epochs, why it ended),
        ``versions`` and ``weights_dtype``.

    Raises
    ------
    ModelFileError
        If the file is not a model file, damaged, or of a newer format.

    See Also
    --------
    load_model : Open the model itself.

    Examples
    --------
    >>> import tempfile
    >>> from fer_sklearn import make_faces, make_fer_pipeline
    >>> from fer_sklearn import read_model_metadata, save_model
    >>> faces = make_faces(70, image_size=16, random_state=0)
    >>> pipe = make_fer_pipeline("nano", image_shape=(16, 16), max_epochs=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(pipe.fit(faces.data, faces.target), f"{folder}/emotions.fer")
    ...     metadata = read_model_metadata(f"{folder}/emotions.fer")
    >>> metadata["image_shape"], metadata["training"]["n_iter"]
    ([16, 16], 1)
    """
    with open_model_file(path) as file:
        return file.metadata
