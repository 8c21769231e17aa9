"""The service in its own process, which ends by itself after two minutes.

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

    # The test that started it may have been killed.
    threading.Timer(120, os._exit, [3]).start()
    pipe = stand_in()
    if "--gated" in sys.argv:
        pipe = Gated(pipe)
    app = create_app(pipe, detect=None)
    listener = bind("127.0.0.1", 0)
    print(listener.getsockname()[1], flush=True)
    run(app, listener, access_log=False)


class Gated:
    """A model that answers its first request after a line on stdin."""

    def __init__(self, pipe):
        self._pipe = pipe
        self._calls = 0
        self.classes_ = pipe.classes_

    def predict_proba(self, X):
        self._calls += 1
        # The first call comes from create_app.
        if self._calls == 2:
            sys.stdin.readline()
        return self._pipe.predict_proba(X)


@contextmanager
def process(*arguments):
    """The process and a client of it; it always ends by a SIGTERM."""
    command = [sys.executable, __file__, *arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as child:
        try:
            base = f"http://127.0.0.1:{int(child.stdout.readline())}"
            with httpx.Client(base_url=base, timeout=60) as client:
                yield child, client
        finally:
            child.stdin.close()
            child.send_signal(signal.SIGTERM)
            child.wait(timeout=60)


if __name__ == "__main__":
    main()
