"""Searches on a cluster of machines, and predictions on files of any size."""

from ._cluster import dask_cluster
from ._predict_file import predict_file

__all__ = ["dask_cluster", "predict_file"]
