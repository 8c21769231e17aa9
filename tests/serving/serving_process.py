"""The service in a process of its own, which ends by itself after two minutes.

Run as ``python serving_process.py``: it prints its port, then serves.
"""

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import httpx


def main():
    from serving_helpers import stand_in

    from fer_sklearn.serving import bind, create_app, run

    # Whoever started it may be gone.
    threading.Timer(120, os._exit, [3]).start()
    pipe = stand_in()
    if delay := float(sys.argv[1]):
        pipe = Delayed(pipe, delay)
    app = create_app(pipe, detect=None)
    listener = bind("127.0.0.1", 0)
    print(listener.getsockname()[1], flush=True)
    run(app, listener, access_log=False)


class Delayed:
    """A model whose every batch takes a while."""

    def __init__(self, pipe, delay):
        self._pipe = pipe
        self._delay = delay
        self.classes_ = pipe.classes_

    def predict_proba(self, X):
        threading.Event().wait(self._delay)
        return self._pipe.predict_proba(X)


@contextmanager
def process(delay=0.0):
    """The process and a client of it; a SIGTERM ends it in any case."""
    command = [sys.executable, __file__, str(delay)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as child:
        try:
            base = f"http://127.0.0.1:{int(child.stdout.readline())}"
            with httpx.Client(base_url=base, timeout=30) as client:
                yield child, client
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(timeout=30)


if __name__ == "__main__":
    main()
