"""Splits that keep the copies of a face on one side.

FER2013 holds many faces twice, also across its official parts. A random split then
tests partly on faces that were trained on, and rewards memory.
"""

from ._groups import face_groups, unseen_rows
from ._split import train_test_split_faces

__all__ = ["face_groups", "train_test_split_faces", "unseen_rows"]
