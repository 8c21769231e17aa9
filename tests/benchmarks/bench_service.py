"""The web service beside a bare uvicorn that answers a constant.

The client is wrk (https://github.com/wg/wrk; ``apt install wrk``), which takes little
of the processors that it shares with the service. Each request has a face of 48x48
pixels as PNG, or a photograph of 512x512 pixels as JPEG.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from ._faces import face_images
from ._timing import ONE_THREAD, not_measured, value

PHOTO = Path(__file__).parents[2] / "docs" / "images" / "astronaut.jpg"
SECONDS = 4

# Reads the request and answers JSON of about the same length.
BARE = """
import sys, uvicorn
ANSWER = b'{"pictures": [' + b" " * 380 + b']}'
HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", b"%d" % len(ANSWER)),
]
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})
class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print("http://127.0.0.1:%d/" % self.servers[0].sockets[0].getsockname()[1],
              file=sys.stderr, flush=True)
Server(uvicorn.Config(app, port=0, lifespan="off", log_level="error")).run()
"""


def rows(rounds):
    """Send one face or photograph per request, from 1, 8 and 64 clients at once."""
    turns = max(2, rounds // 3)
    face = png(face_images(1)[0][0])
    for name, runtime in (
        ("compact", "onnx"),
        ("compact", "onnx-int8"),
        ("compact", "torch"),
        ("nano", "onnx"),
        ("nano", "onnx-int8"),
    ):
        command = serve(name, runtime)
        for clients in (1, 8, 64):
            what = f"`{name}` with `--runtime {runtime}`, one face per request"
            yield compare(what, command, face, "image/png", clients, turns)
        if runtime == "onnx" and name == "compact":
            for clients in (1, 8):
                what = f"`{name}` with `--runtime {runtime}`, one photo per request"
                photo = PHOTO.read_bytes()
                yield compare(what, command, photo, "image/jpeg", clients, turns)


def compare(what, command, body, kind, clients, turns):
    """Let the service and the bare server take turns."""
    what = f"web service, {what}, {clients} client{'s' * (clients > 1)}"
    against = "uvicorn with an application that answers a constant"
    if shutil.which("wrk") is None:
        return not_measured(what, against, note="wrk is not installed")
    with (
        running(command) as ours,
        running(["-c", BARE]) as bare,
        request(body, kind) as script,
    ):
        results = np.array(
            [[load(url, script, clients) for url in (ours, bare)] for _ in range(turns)]
        )
    (p50, p99, rate), (bare_p50, bare_p99, bare_rate) = np.median(results, axis=0)
    return value(
        what,
        against,
        f"p50 **{p50:.1f} ms**, p99 {p99:.1f} ms, {rate:.0f} per second",
        note=f"constant: p50 {bare_p50:.1f} ms, p99 {bare_p99:.1f} ms, "
        f"{bare_rate:.0f} per second",
    )


def serve(name, runtime):
    """Give the arguments of Python that serve a model."""
    quick = ("--runtime", runtime, "--port", "0")
    return ["-m", "fer_sklearn", "serve", name, *quick]


@contextmanager
def request(body, kind):
    """Write a script for wrk that sends a body."""
    with tempfile.TemporaryDirectory() as folder:
        path, script = Path(folder, "body"), Path(folder, "request.lua")
        path.write_bytes(body)
        script.write_text(
            f"local file = io.open('{path}', 'rb')\n"
            "wrk.method, wrk.body = 'POST', file:read('*a')\n"
            f"wrk.headers['Content-Type'] = '{kind}'\n"
        )
        yield script


def load(url, script, clients):
    """Send requests for a few seconds; p50 and p99 in ms, and requests per second."""
    command = ["wrk", "-t1", f"-c{clients}", f"-d{SECONDS}s", "--latency"]
    done = subprocess.run(
        [*command, "-s", str(script), f"{url}predict"],
        capture_output=True,
        text=True,
        check=True,
    )
    if bad := re.search(r"Non-2xx or 3xx responses: \d+|Socket errors:.*", done.stdout):
        raise RuntimeError(bad[0])
    times = (re.search(rf"{p}%\s+([\d.]+)(us|ms|s)", done.stdout) for p in (50, 99))
    units = {"us": 1e-3, "ms": 1.0, "s": 1e3}
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    return *(float(time[1]) * units[time[2]] for time in times), float(rate[1])


@contextmanager
def running(arguments):
    """Start a server and give its address, which it prints."""
    # All processors, as a user's service has them.
    env = {name: v for name, v in os.environ.items() if name not in ONE_THREAD}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "env": env}
    with subprocess.Popen([sys.executable, *arguments], **pipes, text=True) as server:
        try:
            lines = iter(server.stderr.readline, "")
            found = (re.search(r"http://[\d.]+:\d+/", line) for line in lines)
            yield next(filter(None, found))[0]
        finally:
            server.terminate()


def png(face):
    """Encode a face as PNG."""
    file = io.BytesIO()
    Image.fromarray(face).save(file, "PNG")
    return file.getvalue()
