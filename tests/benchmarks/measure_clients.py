"""Good and bad clients of the web service at the same time.

    python -m tests.benchmarks.measure_clients --seconds 60

Half of the clients send faces, each a different one, and compare every answer with
`predict_proba`. The others send what is broken, hostile, too large or never complete,
or leave before their answer. Printed are the times of the good answers, the statuses,
and the memory of the service. The exit status is 1 if an answer belongs to another
face, if there is a 5xx other than 503, or if the memory still grows by more than 50 MiB
in the last quarter of the time.
"""

import argparse
import asyncio
import io
import json
import random
import re
import subprocess
import sys
import time
from collections import Counter

import httpx
import numpy as np
import psutil
from PIL import Image

from fer_sklearn import load_pretrained
from fer_sklearn.datasets import EMOTIONS, write_pixel_strings

from ._faces import face_images
from ._timing import machine

FORM = "multipart/form-data; boundary=B"
JSON = "application/json"


def main():
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="nano", help="name of a pretrained model")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    faces = face_images(256)[0]
    expected = load_pretrained(options.model).predict_proba(faces)
    command = [sys.executable, "-m", "fer_sklearn", "serve", options.model]
    command += ["--port", "0", "--threads", "1"]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True) as server:
        try:
            # It writes little else to stderr; the log of requests is on stdout.
            lines = iter(server.stderr.readline, "")
            found = (re.search(r"http://.*:(\d+)/", line) for line in lines)
            port = int(next(filter(None, found))[1])
            asyncio.run(_warm(port))
            load = Load(port, faces, expected, server.pid)
            asyncio.run(load.run(options.clients, options.seconds))
        finally:
            server.kill()
    print(machine())
    sys.exit(0 if load.report(options) else 1)


async def _warm(port):
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        while True:
            try:
                await client.get("/health", timeout=60)
                return
            except httpx.TransportError:
                await asyncio.sleep(0.1)


class Load:
    """Clients of one service, and what they saw."""

    def __init__(self, port, faces, expected, pid):
        self.port = port
        self.faces, self.expected = faces, expected
        self.pictures = [_encode(face) for face in faces]
        self.strings = list(write_pixel_strings(faces))
        self.bad = _bad_requests(self.pictures[0], self.strings[0])
        self.process = psutil.Process(pid)
        self.seconds = []
        self.statuses = Counter()
        self.n_wrong = 0
        self.memory = []  # MiB after each quarter of the time

    async def run(self, n_clients, seconds):
        """Let all clients work for some seconds."""
        self.stop = time.monotonic() + seconds
        limits = httpx.Limits(max_connections=n_clients)
        base = f"http://127.0.0.1:{self.port}"
        async with httpx.AsyncClient(
            base_url=base, timeout=60, limits=limits
        ) as self.client:
            half = n_clients // 2
            await asyncio.gather(
                self._watch_memory(seconds),
                *(self._good(number) for number in range(half)),
                *(self._bad(number) for number in range(n_clients - half)),
            )

    async def _watch_memory(self, seconds):
        for _ in range(4):
            await asyncio.sleep(seconds / 4)
            self.memory.append(self.process.memory_info().rss / 2**20)

    async def _good(self, number):
        """Send one face after another, as files and as JSON in turn."""
        turn = number
        while time.monotonic() < self.stop:
            index = turn % len(self.faces)
            request = {"files": {"files": ("a.png", self.pictures[index])}}
            if turn % 2:
                request = {"json": {"faces": self.strings[index]}}
            start = time.perf_counter()
            answer = await self.client.post("/predict?cropped=true", **request)
            self.seconds.append(time.perf_counter() - start)
            self.statuses[f"good {answer.status_code}"] += 1
            if answer.status_code == 200:
                (picture,) = answer.json()["pictures"]
                levels = picture["faces"][0]["probabilities"]
                got = [levels[name] for name in EMOTIONS]
                # The sums of a float depend on the size of the batch.
                close = np.allclose(got, self.expected[index], atol=1e-5)
                self.n_wrong += not close
            turn += 1

    async def _bad(self, number):
        chance = random.Random(number)
        while time.monotonic() < self.stop:
            kind = chance.choice([*self.bad, "never complete", "leaves"])
            if kind in self.bad:
                content, content_type = self.bad[kind]
                headers = {"Content-Type": content_type}
                try:
                    answer = await self.client.post(
                        "/predict", content=content, headers=headers
                    )
                    self.statuses[f"bad {answer.status_code}"] += 1
                except httpx.TransportError:  # refused in the middle of a body
                    self.statuses["bad, cut off"] += 1
            else:
                await self._on_a_socket(kind)

    async def _on_a_socket(self, kind):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            body = self.pictures[0]
            head = "POST /predict HTTP/1.1\r\nHost: localhost\r\n"
            head += f"Content-Type: image/png\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(
                head.encode() + body[: 100 if kind == "never complete" else None]
            )
            await writer.drain()
            if kind == "never complete":
                await asyncio.sleep(1)
            writer.close()
            await writer.wait_closed()
        except OSError:
            pass
        self.statuses[kind] += 1

    def report(self, options):
        """Print the figures, and return whether all is well."""
        p50, p99 = np.percentile(self.seconds, [50, 99]) * 1000
        print(
            f"{options.model}, {options.clients} clients, {options.seconds:g} s: "
            f"{len(self.seconds)} good requests, "
            f"{len(self.seconds) / options.seconds:.0f}/s, p50 {p50:.0f} ms, "
            f"p99 {p99:.0f} ms, slowest {max(self.seconds):.1f} s"
        )
        print("; ".join(f"{kind}: {n}" for kind, n in sorted(self.statuses.items())))
        print(
            f"answers that belong to another face: {self.n_wrong}; MiB of memory after "
            f"each quarter: {', '.join(f'{n:.0f}' for n in self.memory)}"
        )
        failed = [s for s in self.statuses if " 5" in s and not s.endswith("503")]
        return not (self.n_wrong or failed) and self.memory[3] - self.memory[2] < 50


def _encode(face, format="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(face).save(file, format, **options)
    return file.getvalue()


def _bad_requests(picture, string):
    """Bodies by kind, with their content type."""
    flat = _encode(np.zeros((4000, 4000), dtype=np.uint8), "JPEG", progressive=True)
    scan = flat[flat.rindex(b"\xff\xda") : -2]
    scans = flat[:-2] + 20 * scan + flat[-2:]
    part = b'--B\r\nContent-Disposition: form-data; name="files"; filename="'
    wrong = json.dumps({"faces": string.replace(" ", " x", 1)})
    return {
        "cut off": (picture[:-50], "image/png"),
        "no picture": (b"hello" * 100, "image/jpeg"),
        "many scans": (scans, "image/jpeg"),
        "too many scans": (scans[:-2] + 50 * scan + scans[-2:], "image/jpeg"),
        "bomb": (_encode(np.zeros((6000, 6000), dtype=np.uint8)), "image/png"),
        "form cut off": (part + b'a"\r\n\r\nabc', FORM),
        "path": (part + b'../../a"\r\n\r\nabc\r\n--B--\r\n', FORM),
        "many files": ((part + b'a"\r\n\r\nx\r\n') * 5000 + b"--B--\r\n", FORM),
        "no JSON": (b"[" * 50_000, JSON),
        "wrong face": (wrong.encode(), JSON),
        "too large": (bytes(21 * 2**20), "image/png"),
        "wrong type": (b"hello", "text/plain"),
    }


if __name__ == "__main__":
    main()
