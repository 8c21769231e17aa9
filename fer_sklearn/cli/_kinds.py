"""What a path names, by its ending: tables, pictures, videos, models."""

TABLES = {".csv", ".gz", ".xz", ".zip", ".bz2"}
VIDEOS = {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"}
IMAGES = set(".bmp .gif .jp2 .jpeg .jpg .pgm .png .ppm .tif .tiff .webp".split())
MODELS = {".fer", ".onnx"}
