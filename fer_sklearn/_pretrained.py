"""Trained models that come with the package."""

from ._persistence._loading import build_model
from ._shipped_models import open_pretrained

__all__ = ["load_pretrained"]


def load_pretrained(name="compact"):
    """Load a trained pipeline that comes with the package; needs no network.

    Parameters
    ----------
    name : str, default="compact"
        ``"compact"`` is the one to take unless speed is all that counts; ``"nano"`` is
        many times as fast. An unknown name is answered with those that are there. The
        path of a model file will do as well.

    Returns
    -------
    pipe : Pipeline
        Fitted, from pixel strings or faces of 48x48 grey levels to the emotions 0 to
        6, named by `fer_sklearn.EMOTIONS`. Its training parameters are the defaults,
        so that fitting a clone trains the same network from scratch; the model's card
        says how it was trained.

    Raises
    ------
    ModelFileError
        If there is no such model.

    See Also
    --------
    make_fer_pipeline : Train on from such a model with ``pretrained=``.
    load_model : Open a model file of your own.

    Examples
    --------
    >>> from fer_sklearn import load_pretrained
    >>> load_pretrained("gigantic")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    fer_sklearn.exceptions.ModelFileError: There is no pretrained model 'gigantic'. \
There are: ...
    """
    with open_pretrained(name) as file:
        # Shipped models are tested with every supported version of the libraries.
        return build_model(file, compare_versions=False)
