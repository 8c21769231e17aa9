"""What a path names, by its ending: tables, pictures, videos, models."""

from pathlib import Path

from .._model_format import CONFIG, MODEL, pretrained_names

TABLES = {".csv", ".gz", ".xz", ".zip", ".bz2"}
VIDEOS = {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"}
IMAGES = set(".bmp .gif .jp2 .jpeg .jpg .pgm .png .ppm .tif .tiff .webp".split())
MODELS = {".fer", ".onnx"}
DEFAULT_MODEL = "compact"


def is_model(text):
    """Whether `text` names a model (file, run folder or pretrained), not faces."""
    path = Path(text)
    if path.is_dir() and text not in pretrained_names():
        return (path / MODEL).is_file() or (path / CONFIG).is_file()
    return text in pretrained_names() or path.suffix in MODELS
