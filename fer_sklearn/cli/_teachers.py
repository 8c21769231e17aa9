"""What trained models say of the faces that another one is to learn from."""


from ..exceptions import FERError
from ._models import image_shape, open_model


def ask_teachers(models, images, classes):
    """Average the probabilities that models give.

    Parameters
    ----------
    models : list of str
        Model files, run folders or pretrained names.
    images : ndarray of shape (n_faces, height, width), dtype uint8
        The faces.
    classes : ndarray of shape (n_classes,)
        Sorted labels that the student will know.

    Returns
    -------
    ndarray of shape (n_faces, n_classes), float32
        Rows sum to 1.

    Raises
    ------
    FERError
        If a model has other classes, or was trained on faces of another size.
    """
    total = 0
    for model in models:
        teacher = open_model(model)
        if teacher.classes_.tolist() != classes.tolist():
            raise FERError(
                f"The teacher {model} has the classes {teacher.classes_.tolist()}, but "
                f"the faces to train on have {classes.tolist()}; they must be the same."
            )
        shape = image_shape(teacher)
        if shape != images.shape[1:]:
            raise FERError(
                f"The teacher {model} takes faces of {shape[0]}x{shape[1]} pixels, but "
                f"those to train on have {images.shape[1]}x{images.shape[2]}; they "
                "must be the same."
            )
        total = total + teacher.predict_proba(images)
    return total / len(models)
