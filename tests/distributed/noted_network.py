"""A network whose fits can be counted and interrupted."""

import time

from brightness_model import note
from tiny_network import TinyNet


class NotedNet(TinyNet):
    """Notes that a fit has begun, and leaves time to be killed in."""

    def __init__(self, n_classes, *, log, seconds=0.3):
        super().__init__(n_classes, width=4)
        note(log)
        time.sleep(seconds)
