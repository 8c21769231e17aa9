"""Parts of tests that workers import."""

import time

from brightness_model import note


def wait_for(condition, seconds=300):
    """Wait until `condition()` gives something true, and return that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise TimeoutError(f"{condition} is still false after {seconds} s")


class NotedFaces(list):
    """Pixel strings that note each arrival in a process."""

    def __init__(self, texts, log):
        super().__init__(texts)
        self.log = log

    def __reduce__(self):
        return _arrive, (list(self), self.log)


def _arrive(texts, log):
    note(log)
    return NotedFaces(texts, log)
