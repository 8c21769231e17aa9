"""The server: slow clients, 64 clients at once, SIGTERM, and its socket."""

import asyncio
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from serving_helpers import HEAD, connect, encode, probabilities, send, serving
from serving_process import process

from fer_sklearn.datasets import write_pixel_strings
from fer_sklearn.exceptions import FERError
from fer_sklearn.serving import Limits, bind, server

CLIENTS = 64
# For a long run of the same test: FER_SKLEARN_LOAD_SECONDS=30.
SECONDS = float(os.environ.get("FER_SKLEARN_LOAD_SECONDS", "4"))

in_a_process = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no SIGTERM that a process can catch"
)


@in_a_process
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
    # Otherwise no batch had two faces, and this was no load. How many it has depends
    # on the speed of the machine; test_serving_batcher.py tests the rule.
    batches = value(text, "fer_batch_faces_count")
    assert value(text, "fer_batch_faces_sum") > batches


async def storm(base, files, expected, seconds):
    """Seconds that each answer took; every answer is checked."""
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


@in_a_process
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
        # It has ended in order, and its exit code is the signal that it got.
        assert child.wait(timeout=60) == -signal.SIGTERM
    got = np.concatenate([probabilities(answer) for answer in answers])
    np.testing.assert_allclose(got, pipe.predict_proba(pictures[:12]))


def accepted(text):
    """Faces that wait for the model or have gone into it."""
    return value(text, "fer_waiting_faces") + value(text, "fer_batch_faces_sum")


def wait_until_refused(client):
    """After the signal no connection is accepted, which takes a moment."""
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


def read_all(connection):
    """What arrives before the service closes, and after how many seconds."""
    start, data = time.monotonic(), b""
    try:
        while chunk := connection.recv(4096):
            data += chunk
    except ConnectionError:
        pass
    return data, time.monotonic() - start


@pytest.fixture(scope="module")
def impatient(pipe):
    limits = Limits(header_seconds=0.5, body_seconds=0.6, answer_seconds=3)
    with serving(pipe, detect=None, limits=limits) as client:
        yield client


@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        (b"", None),
        (b"POST /pre", None),
        (HEAD, None),
        (HEAD + b"Content-Length: 9\r\n\r\nab", b"did not arrive within 0.6 seconds"),
    ],
    ids=["silent", "in the path", "in the head", "in the body"],
)
def test_clients_that_stop_are_dropped(impatient, start, sentence):
    with connect(impatient) as connection:
        connection.sendall(start)
        data, seconds = read_all(connection)
    assert seconds < 5
    if sentence is None:
        assert data == b""
    else:
        assert data.startswith(b"HTTP/1.1 408 ")
        assert sentence in data


@pytest.mark.parametrize("head", [True, False], ids=["head", "body"])
def test_clients_that_drip_are_dropped(impatient, head):
    with connect(impatient) as connection:
        if not head:
            connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
        stop = time.monotonic() + 8
        try:
            while time.monotonic() < stop:
                connection.sendall(b"X-A: b\r\n" if not head else b"G")
                time.sleep(0.1)
        except ConnectionError:
            pass
        assert time.monotonic() < stop


def test_client_that_sends_on_after_its_refusal_is_dropped(impatient):
    """It has its answer, and the rest of its body is read and forgotten for a while."""
    head = HEAD + b"Content-Length: 1000000000\r\n\r\n"
    with connect(impatient) as connection:
        connection.sendall(head)
        answer = connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 413 ")
        stop = time.monotonic() + 8
        with pytest.raises(ConnectionError):
            while time.monotonic() < stop:
                connection.sendall(b"G")
                time.sleep(0.05)


def test_client_that_never_reads_is_dropped(impatient):
    """Its answers fill the buffers, and no other client is affected."""
    request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connect(impatient) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(0.3)
        stop = time.monotonic() + 15
        try:
            while time.monotonic() < stop:
                try:
                    connection.sendall(request * 100)
                except TimeoutError:
                    pass
        except ConnectionError:
            pass
        assert time.monotonic() < stop
    assert impatient.get("/health").status_code == 200


def test_slow_clients_do_not_hold_up_others(impatient, pictures):
    slow = [connect(impatient) for _ in range(30)]
    try:
        for connection in slow:
            connection.sendall(HEAD)
        assert send(impatient, encode(pictures[0])).status_code == 200
    finally:
        for connection in slow:
            connection.close()


def test_what_is_no_http_is_a_400(client):
    with connect(client) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert read_all(connection)[0].startswith(b"HTTP/1.1 400 ")


def test_two_lengths_are_a_400(client):
    """A proxy that believes the other length would let a request through unseen."""
    with connect(client) as connection:
        connection.sendall(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab")
        assert read_all(connection)[0].startswith(b"HTTP/1.1 400 ")


def test_connections_are_limited(pipe):
    with serving(pipe, detect=None, limits=Limits(connections=3)) as client:
        crowd = [connect(client) for _ in range(3)]
        time.sleep(0.2)
        assert client.get("/health").status_code == 503
        for connection in crowd:
            connection.close()
        time.sleep(0.2)
        assert client.get("/health").status_code == 200


def test_bind_names_what_is_wrong():
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(FERError, match=f"127.0.0.1, port {port}: Address already"):
            bind("127.0.0.1", port)
    with pytest.raises(FERError, match=r"Cannot listen on no\.such\.host\.invalid"):
        bind("no.such.host.invalid", 0)


WARM = """
import json, pickle, sys
from fer_sklearn.serving import bind, create_app
from serving_helpers import serving, stand_in

requests = pickle.load(sys.stdin.buffer)
with serving(stand_in()) as client:
    client.get("/openapi.json")
    before = set(sys.modules)
    statuses = [client.post("/predict", **request).status_code for request in requests]
    print(json.dumps([statuses, sorted(set(sys.modules) - before)]))
"""


def test_first_requests_import_nothing(pictures):
    """Imports take time, and OpenCV's fails in two threads at once."""
    pytest.importorskip("cv2", reason="needs the extra [photos]")
    photo = np.tile(pictures[0], (6, 6))
    formats = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
    requests = [{"files": {"files": ("a", encode(photo, name))}} for name in formats]
    requests += [
        {"content": encode(photo), "headers": {"Content-Type": "image/png"}},
        {"json": {"faces": write_pixel_strings(pictures[:1])}},
        {"json": {"faces": pictures[0].tolist()}},
    ]
    found = subprocess.run(
        [sys.executable, "-c", WARM],
        input=pickle.dumps(requests),
        capture_output=True,
        cwd=Path(__file__).parent,
        timeout=120,
    )
    assert found.returncode == 0, found.stderr.decode()
    statuses, imported = json.loads(found.stdout)
    assert statuses == [200] * len(requests)
    assert imported == []


def test_answers_are_sent_without_delay(pipe, monkeypatch):
    """Nagle's algorithm is off on the connections that the server accepts."""
    accepted = []

    def note(self, transport):
        connection = transport.get_extra_info("socket")
        accepted.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        made(self, transport)

    made = server._Connection.connection_made
    monkeypatch.setattr(server._Connection, "connection_made", note)
    with serving(pipe, detect=None) as client:
        assert client.get("/health").status_code == 200
    assert accepted and all(accepted)


def test_keep_alive_stays_open(client):
    """A connection serves many requests, refused ones included."""
    with httpx.Client(base_url=client.base_url) as own:
        own.post("/predict", content=b"x", headers={"Content-Type": "image/png"})
        own.get("/nothing")
        pool = own._transport._pool
        assert len(pool.connections) == 1
        assert own.get("/health").status_code == 200
        assert len(pool.connections) == 1
