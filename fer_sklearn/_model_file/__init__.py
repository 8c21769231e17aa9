"""The model file: a zip of metadata.json and weights.safetensors.

It is written and read without torch, and reading it runs no code. Both members are
stored, not compressed: then neither can be larger than the file itself, whatever the
file says.
"""

from ._archive import MAX_FILE_BYTES, METADATA, WEIGHTS
from ._file import FORMAT, ModelFile, open_model_file, write_model_file
from ._values import pack_value, unpack_value

__all__ = [
    "FORMAT",
    "MAX_FILE_BYTES",
    "METADATA",
    "WEIGHTS",
    "ModelFile",
    "open_model_file",
    "pack_value",
    "unpack_value",
    "write_model_file",
]
