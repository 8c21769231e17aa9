"""Slow clients, too many at once, tokens: what is refused, and that others go on."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from serving_helpers import encode, probabilities, send, serving
from sklearn.dummy import DummyClassifier

from fer_sklearn.exceptions import FERError
from fer_sklearn.serving import Limits, bind, create_app

HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"


class Gate(DummyClassifier):
    """A model that answers several faces only when it is let."""

    def open_gate(self):
        self.gate_ = threading.Event()
        self.busy_ = threading.Event()
        return self

    def predict_proba(self, X):
        if len(X) > 1:
            self.busy_.set()
            assert self.gate_.wait(20)
        return super().predict_proba(X)


@pytest.fixture
def gate(pictures):
    return Gate().fit(pictures[:7, 0], range(7)).open_gate()


def connect(client):
    address = client.base_url.host, client.base_url.port
    return socket.create_connection(address, timeout=10)


def read_all(connection):
    """What arrives until the service closes, and after how many seconds."""
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
        (b"POST /pre", b"The head of the request did not arrive in time."),
        (HEAD, b"The head of the request did not arrive in time."),
        (HEAD + b"Content-Length: 9\r\n\r\nab", b"did not arrive within 0.6 seconds"),
    ],
    ids=["silent", "in the path", "in the head", "in the body"],
)
def test_clients_that_stop_are_let_go(impatient, start, sentence):
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
def test_clients_that_drip_are_let_go(impatient, head):
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


def test_client_that_never_reads_is_let_go(impatient):
    """Its answers fill the buffers, and no other client notices."""
    request = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
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
    """Requests of which two readers see two lengths are smuggled past proxies."""
    with connect(client) as connection:
        connection.sendall(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab")
        assert read_all(connection)[0].startswith(b"HTTP/1.1 400 ")


def test_full_queue_is_a_503_and_the_loop_goes_on(gate, pictures):
    limits = Limits(waiting_faces=4, batch_faces=2)
    with serving(gate, detect=None, limits=limits) as client:
        files = [encode(picture) for picture in pictures[:4]]
        with ThreadPoolExecutor() as pool:
            first = pool.submit(send, client, *files[:2])
            assert gate.busy_.wait(10)
            second = pool.submit(send, client, *files)
            while "fer_waiting_faces 4.0" not in client.get("/metrics").text:
                time.sleep(0.02)
            third = send(client, files[0])
            assert third.status_code == 503
            assert third.headers["Retry-After"] == "1"
            assert third.json()["detail"].startswith("Too many faces wait already")
            assert client.get("/health").status_code == 200
            gate.gate_.set()
            assert first.result().status_code == second.result().status_code == 200
        assert send(client, files[0]).status_code == 200


def test_slow_model_is_a_503(gate, pictures):
    with serving(gate, detect=None, limits=Limits(answer_seconds=0.5)) as client:
        answer = send(client, *map(encode, pictures[:2]))
        gate.gate_.set()
        assert answer.status_code == 503
        assert answer.json()["detail"] == "The answer took too long; try again."


def test_bodies_together_are_limited(pipe, pictures):
    limits = Limits(held_bytes=150_000)
    with serving(pipe, detect=None, limits=limits) as client:
        with connect(client) as connection:
            head = HEAD + b"Content-Length: 110000\r\n\r\n"
            connection.sendall(head + bytes(100_000))
            while "fer_held_bytes 100000.0" not in client.get("/metrics").text:
                time.sleep(0.02)
            large = client.post(
                "/predict", content=bytes(80_000), headers={"Content-Type": "image/png"}
            )
            assert large.status_code == 503
            assert large.headers["Retry-After"] == "1"
            assert send(client, encode(pictures[0])).status_code == 200
        while "fer_held_bytes 0.0" not in client.get("/metrics").text:
            time.sleep(0.02)


def test_connections_are_limited(pipe):
    with serving(pipe, detect=None, limits=Limits(connections=3)) as client:
        crowd = [connect(client) for _ in range(3)]
        time.sleep(0.2)
        assert client.get("/health").status_code == 503
        for connection in crowd:
            connection.close()
        time.sleep(0.2)
        assert client.get("/health").status_code == 200


def test_faces_found_in_a_request_are_limited(pipe, pictures):
    def detect(image):
        return [[x, 0, 20, 20] for x in range(0, 100, 20)]

    with serving(pipe, detect=detect, limits=Limits(faces=9)) as client:
        file = encode(np.tile(pictures[0], (4, 4)))
        assert len(probabilities(send(client, file))) == 5
        answer = send(client, file, file)
        assert answer.status_code == 422
        assert "more than the 9 faces" in answer.json()["detail"]


@pytest.fixture(scope="module")
def guarded(pipe):
    with serving(pipe, detect=None, token="tökén 1") as client:
        yield client


@pytest.mark.parametrize("path", ["/predict", "/model", "/metrics"])
@pytest.mark.parametrize(
    "given", [None, b"Bearer wrong", b"Basic dDp0", b"Bearer", b"Bearer t\xff"]
)
def test_token_is_asked_for(guarded, path, given):
    headers = [] if given is None else [(b"Authorization", given)]
    answer = guarded.request(
        "POST" if path == "/predict" else "GET", path, headers=headers
    )
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["detail"].startswith("This service needs its token")


def test_token_opens(guarded, pictures):
    headers = {"Authorization": "Bearer tökén 1".encode()}
    assert send(guarded, encode(pictures[0]), headers=headers).status_code == 200
    assert guarded.get("/model", headers=headers).status_code == 200
    schema = guarded.get("/openapi.json").json()
    assert schema["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_page_and_health_need_no_token(guarded):
    for path in ("/", "/page/app.js", "/health", "/openapi.json"):
        assert guarded.get(path).status_code == 200


def test_upload_without_token_is_not_read(guarded):
    start = time.monotonic()
    answer = guarded.post(
        "/predict", content=bytes(10**7), headers={"Content-Type": "image/png"}
    )
    assert answer.status_code == 401
    assert time.monotonic() - start < 5


def test_empty_token_is_refused(pipe):
    with pytest.raises(FERError, match="The token is empty"):
        create_app(pipe, token=" ", detect=None)


def test_bind_names_what_is_wrong():
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(FERError, match=f"127.0.0.1, port {port}: Address already"):
            bind("127.0.0.1", port)
    with pytest.raises(FERError, match=r"Cannot listen on no\.such\.host\.invalid"):
        bind("no.such.host.invalid", 0)


def test_keep_alive_stays_open(client):
    """A connection serves many requests, refused ones included."""
    with httpx.Client(base_url=client.base_url) as own:
        own.post("/predict", content=b"x", headers={"Content-Type": "image/png"})
        own.get("/nothing")
        pool = own._transport._pool
        assert len(pool.connections) == 1
        assert own.get("/health").status_code == 200
        assert len(pool.connections) == 1
