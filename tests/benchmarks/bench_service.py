"""The web service beside a bare uvicorn that answers a constant."""

import asyncio
import io
import re
import subprocess
import sys
import time
from contextlib import AsyncExitStack, contextmanager

import httpx
import numpy as np
from PIL import Image

from ._faces import face_images
from ._timing import value

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
SECONDS = 3.0


def rows(rounds):
    """Send one face per request, from 1, 8 and 64 clients at once."""
    services = {
        "compact in onnxruntime": serve("compact", "onnx"),
        "nano in onnxruntime": serve("nano", "onnx"),
        "compact in torch": serve("compact", "torch"),
    }
    for name, command in services.items():
        for clients in (1, 8, 64):
            results = {"ours": [], "bare": []}
            with running(command) as ours, running(["-c", BARE]) as bare:
                for _ in range(max(2, rounds // 3)):
                    for side, url in (("ours", ours), ("bare", bare)):
                        results[side].append(asyncio.run(load(url, clients)))
            p50, p99, rate = np.median(results["ours"], axis=0)
            bare_p50, bare_p99, bare_rate = np.median(results["bare"], axis=0)
            yield value(
                f"web service, `{name.split()[0]}` in {name.split()[-1]}, one face of "
                f"48x48 per request, {clients} client{'s' * (clients > 1)}",
                "uvicorn with an application that answers a constant",
                f"p50 **{p50:.1f} ms**, p99 {p99:.1f} ms, {rate:.0f} per second",
                note=f"constant: p50 {bare_p50:.1f} ms, p99 {bare_p99:.1f} ms, "
                f"{bare_rate:.0f} per second; the clients use the same processors",
            )


def serve(name, runtime):
    """Give the arguments of Python that serve a model."""
    return ["-m", "fer_sklearn", "serve", name, "--runtime", runtime, "--port", "0"]


@contextmanager
def running(arguments):
    """Start a server and give its address, which it prints."""
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, *arguments], **pipes, text=True) as server:
        try:
            lines = iter(server.stderr.readline, "")
            found = (re.search(r"http://[\d.]+:\d+/", line) for line in lines)
            yield next(filter(None, found))[0]
        finally:
            server.terminate()


async def load(url, n_clients):
    """Send requests for a few seconds; p50 and p99 in ms, and requests per second."""
    bodies = [png(face) for face in face_images(64)[0]]
    times = []

    async def client(session, start):
        index = start
        while time.perf_counter() < end:
            begin = time.perf_counter()
            answer = await session.post(
                "/predict",
                content=bodies[index % len(bodies)],
                headers={"Content-Type": "image/png"},
            )
            answer.raise_for_status()
            times.append(1000 * (time.perf_counter() - begin))
            index += n_clients

    async with AsyncExitStack() as stack:
        # Without certificates, which each client would read again.
        sessions = [
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=url, timeout=60, verify=False)
            )
            for _ in range(n_clients)
        ]
        end = time.perf_counter() + SECONDS
        await asyncio.gather(*map(client, sessions, range(n_clients)))
    return (*np.percentile(times, [50, 99]), len(times) / SECONDS)


def png(face):
    """Encode a face as PNG."""
    file = io.BytesIO()
    Image.fromarray(face).save(file, "PNG")
    return file.getvalue()
