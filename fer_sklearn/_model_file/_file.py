"""Writing a model file, and opening one."""

import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import safetensors.numpy

from .._utils import write_atomically
from ..exceptions import ModelFileError
from ._archive import (
    MAX_FILE_BYTES,
    METADATA,
    WEIGHTS,
    blaming,
    open_archive,
    read_member,
)
from ._metadata import MAX_METADATA_BYTES, parse_metadata, write_metadata
from ._tensors import DTYPES, read_specs

FORMAT = 1


def write_model_file(path, metadata: dict, weights: dict[str, np.ndarray]) -> None:
    """Write a model file, atomically.

    Parameters
    ----------
    path : path-like
        The file.
    metadata : dict
        Plain values; the format number is added.
    weights : dict of str to ndarray
        Tensors by name.

    Raises
    ------
    ModelFileError
        If the weights are not finite, of a foreign type, or too large.
    """
    for name, array in weights.items():
        _check_array(name, array)
    text = write_metadata({"format": FORMAT, **metadata})
    tensors = safetensors.numpy.save(
        {name: np.asarray(array, order="C") for name, array in weights.items()}
    )
    if len(tensors) + len(text) + 2**12 > MAX_FILE_BYTES:
        raise ModelFileError(
            f"The model has {len(tensors)} bytes of weights; a model file has at most "
            f"{MAX_FILE_BYTES}. Save it with dtype='float16', or pickle it."
        )

    def write(file):
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            # ZipInfo has a fixed date: the same model makes the same file.
            archive.writestr(zipfile.ZipInfo(METADATA), text)
            archive.writestr(zipfile.ZipInfo(WEIGHTS), tensors)

    write_atomically(path, write)


def _check_array(name, array):
    if array.dtype not in DTYPES.values():
        raise ModelFileError(
            f"The weights {name!r} are of {array.dtype}, which a model file does not "
            "hold. Convert the network to float32, or pickle the model."
        )
    if not _is_finite(array):
        raise ModelFileError(
            f"The weights {name!r} are not finite as {array.dtype}, so the model would "
            "be of no use. Save with dtype='float32', or train anew with a lower lr."
        )


def _is_finite(array) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


@contextmanager
def open_model_file(path):
    """Open a model file and check all of it but the weights' values.

    Parameters
    ----------
    path : path-like
        The file.

    Yields
    ------
    ModelFile
        Its metadata and tensors' shapes; weights are read on request.

    Raises
    ------
    ModelFileError
        If it is not a model file, damaged, or of a newer format.
    """
    path = Path(path)
    with blaming(path):
        file = open(path, "rb")
    with file:
        with blaming(path):
            archive = open_archive(path, file)
            data = read_member(path, archive, METADATA, MAX_METADATA_BYTES)
            metadata = parse_metadata(path, data, FORMAT)
            specs = read_specs(path, archive)
        yield ModelFile(path, archive, metadata, specs)


class ModelFile:
    """An open model file whose metadata and tensor shapes are checked.

    Parameters
    ----------
    path : Path
        The file.
    archive : zipfile.ZipFile
        The open file.
    metadata : dict
        Checked metadata.
    specs : dict of str to (dtype, shape)
        What the weights are, by name.
    """

    def __init__(self, path, archive, metadata, specs):
        self.path = path
        self.metadata = metadata
        self.specs = specs
        self._archive = archive

    def check_specs(self, expected: dict, network: str, *, without=()) -> None:
        """Compare the tensors with those of a network.

        Parameters
        ----------
        expected : dict of str to (dtype, shape)
            The network's tensors.
        network : str
            What to call the network in the message.
        without : collection of str
            Tensors that may differ.

        Raises
        ------
        ModelFileError
            If a tensor is missing, left over, or of another shape or kind.
        """
        for name in sorted({*expected, *self.specs}.difference(without)):
            here, there = expected.get(name), self.specs.get(name)
            if here is None or there is None or not _matches(here, there):
                raise ModelFileError(
                    f"{self.path} does not hold weights of {network}: {name} is "
                    f"{_described(there)} in the file and {_described(here)} in the "
                    "network. Give the network, and its parameters, that were saved."
                )

    def read_weights(self) -> dict[str, np.ndarray]:
        """Read all tensors.

        Raises
        ------
        ModelFileError
            If their bytes are damaged, or they are not finite.
        """
        with blaming(self.path):
            data = read_member(self.path, self._archive, WEIGHTS, MAX_FILE_BYTES)
            weights = safetensors.numpy.load(data)
        for name, array in weights.items():
            if not _is_finite(array):
                raise ModelFileError(
                    f"{self.path}: the weights {name!r} are not finite, so the model "
                    "is of no use. Save another one."
                )
        return weights


def _matches(expected, stored):
    same_kind = expected[0] == stored[0] or expected[0].kind == stored[0].kind == "f"
    return same_kind and expected[1] == stored[1]


def _described(tensor):
    return "missing" if tensor is None else f"{tensor[0]} of shape {tensor[1]}"
