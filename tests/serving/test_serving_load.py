"""64 clients at once, and SIGTERM in the middle of it."""

import asyncio
import os
import signal
import sys
import threading
import time

import httpx
import numpy as np
import psutil
import pytest
from serving_helpers import encode, probabilities, send
from serving_process import process

CLIENTS = 64
# The long run of the same test: FER_SKLEARN_LOAD_SECONDS=30.
SECONDS = float(os.environ.get("FER_SKLEARN_LOAD_SECONDS", "4"))

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no SIGTERM that a process can catch"
)


def test_64_clients_get_right_answers_in_flat_memory(pipe, pictures, capsys):
    files = [encode(picture) for picture in pictures]
    expected = pipe.predict_proba(pictures)
    with process() as (child, client):
        base = str(client.base_url)
        asyncio.run(storm(base, files, expected, seconds=1.5))
        memory = psutil.Process(child.pid).memory_info
        before = memory().rss
        times = asyncio.run(storm(base, files, expected, seconds=SECONDS))
        grown = memory().rss - before
        text = client.get("/metrics").text
    p50, p99 = np.percentile(times, [50, 99]) * 1000
    with capsys.disabled():
        print(
            f"\n{CLIENTS} clients, {SECONDS:g} s: {len(times)} answers, "
            f"{len(times) / SECONDS:.0f}/s, p50 {p50:.0f} ms, p99 {p99:.0f} ms, "
            f"memory {grown / 2**20:+.1f} MiB"
        )
    assert len(times) >= CLIENTS
    assert grown < 20 * 2**20
    assert 'status="503"' not in text
    # Otherwise nothing was gathered, and this was no load. How much is gathered hangs
    # on the speed of the machine; test_serving_batcher.py says what has to be.
    batches = value(text, "fer_batch_faces_count")
    assert value(text, "fer_batch_faces_sum") > batches


async def storm(base, files, expected, seconds):
    """Seconds that each answer took; every one is checked."""
    times = []
    stop = time.monotonic() + seconds
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(base_url=base, timeout=30, limits=limits) as client:

        async def one(number):
            turn = number
            while time.monotonic() < stop:
                index = turn % len(files)
                start = time.perf_counter()
                answer = await client.post(
                    "/predict", files={"files": ("a.png", files[index])}
                )
                times.append(time.perf_counter() - start)
                np.testing.assert_allclose(probabilities(answer)[0], expected[index])
                turn += 1

        await asyncio.gather(*map(one, range(CLIENTS)))
    return times


def test_sigterm_finishes_what_was_accepted(pipe, pictures):
    answers = [None] * 12

    def ask(index):
        answers[index] = send(client, encode(pictures[index]))

    with process("--gated") as (child, client):
        threads = [threading.Thread(target=ask, args=[i]) for i in range(12)]
        for thread in threads:
            thread.start()
        # Some are in the model, which waits; the others wait for it.
        stop = time.monotonic() + 60
        while accepted(client.get("/metrics").text) < 12:
            assert time.monotonic() < stop
            time.sleep(0.05)
        child.send_signal(signal.SIGTERM)
        wait_until_refused(client)
        assert child.poll() is None
        child.stdin.write("go on\n")
        child.stdin.flush()
        for thread in threads:
            thread.join(60)
        # It has ended in order, and tells who asked by the signal that it got.
        assert child.wait(timeout=60) == -signal.SIGTERM
    got = np.concatenate([probabilities(answer) for answer in answers])
    np.testing.assert_allclose(got, pipe.predict_proba(pictures[:12]))


def accepted(text):
    """Faces that wait for the model or have gone into it."""
    return value(text, "fer_waiting_faces") + value(text, "fer_batch_faces_sum")


def wait_until_refused(client):
    """Nothing new is accepted from the signal on, which takes a moment."""
    stop = time.monotonic() + 30
    while time.monotonic() < stop:
        try:
            httpx.get(client.base_url.join("health"))
        except httpx.ConnectError:
            return
        time.sleep(0.05)
    raise AssertionError("New connections are still accepted.")


def value(text, name):
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])
