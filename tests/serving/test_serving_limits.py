"""Limits and tokens: what is refused, and that other requests are answered."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from serving_helpers import HEAD, connect, encode, probabilities, send, serving
from sklearn.dummy import DummyClassifier

from fer_sklearn.exceptions import FERError
from fer_sklearn.serving import Limits, create_app


class Gate(DummyClassifier):
    """A model that answers several faces only after its gate is opened."""

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


def test_small_faces_do_not_wait_for_large_pictures(pipe, pictures):
    """All threads for large pictures are busy, and more of them wait."""
    busy, done = threading.Semaphore(0), threading.Event()

    def detect(image):
        if len(image) == 200:  # not in the call before the port opens
            busy.release()
            assert done.wait(20)
        return []

    noise = np.random.RandomState(0).randint(256, size=(200, 200), dtype=np.uint8)
    limits = Limits(decoders=2)
    with serving(pipe, detect=detect, limits=limits) as client:
        with ThreadPoolExecutor() as pool:
            large = [pool.submit(send, client, encode(noise)) for _ in range(4)]
            assert busy.acquire(timeout=10)
            assert busy.acquire(timeout=10)
            small = send(client, encode(pictures[0]))
            assert small.status_code == 200
            np.testing.assert_allclose(
                probabilities(small), pipe.predict_proba(pictures[:1])
            )
            assert not any(answer.done() for answer in large)
            done.set()
            assert [answer.result().status_code for answer in large] == [200] * 4


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


def test_faces_found_in_a_request_are_limited(pipe, pictures):
    def detect(image):
        return [[x, 0, 20, 20] for x in range(0, 100, 20)]

    with serving(pipe, detect=detect, limits=Limits(faces=9)) as client:
        file = encode(np.tile(pictures[0], (4, 4)))
        assert len(probabilities(send(client, file))) == 5
        answer = send(client, file, file)
        assert answer.status_code == 422
        assert "more than 9 faces" in answer.json()["detail"]


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


LOCAL = ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:1", "[::1]:8000"]
FOREIGN = ["evil.example", "evil.example:8000", "localhost.evil.example", "[::1", ""]
PATHS = ["/", "/model", "/metrics", "/health", "/openapi.json", "/page/app.js"]


@pytest.fixture(scope="module")
def named(pipe):
    with serving(pipe, detect=None, allowed_hosts=["faces.example.org"]) as client:
        yield client


@pytest.mark.parametrize("path", PATHS)
def test_foreign_names_read_nothing_on_loopback(client, path):
    """A page can let its own name resolve to 127.0.0.1, and then read what it gets."""
    answer = client.get(path, headers={"Host": "evil.example"})
    assert answer.status_code == 400
    detail = answer.json()["detail"]
    assert detail.startswith("This service does not answer to the name 'evil.example'")
    assert "--allowed-host" in detail
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("host", FOREIGN)
def test_foreign_names_are_refused(client, named, pictures, host):
    for service in (client, named):
        file = encode(pictures[0])
        assert send(service, file, headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", LOCAL)
def test_local_names_are_known(client, named, host):
    for service in (client, named):
        assert service.get("/health", headers={"Host": host}).status_code == 200


def test_names_that_were_told_are_known(named, client):
    for host in ("faces.example.org", "Faces.Example.org:443"):
        assert named.get("/health", headers={"Host": host}).status_code == 200
        assert client.get("/health", headers={"Host": host}).status_code == 400


def answers_to(app, host, address):
    """Status of a request for `host` that arrives at `address`."""
    transport = httpx.ASGITransport(app)

    async def ask():
        async with httpx.AsyncClient(
            transport=transport, base_url=f"http://{address}"
        ) as client:
            return await client.get("/health", headers={"Host": host})

    return asyncio.run(ask()).status_code


def test_other_addresses_answer_to_every_name_unless_told_some(pipe):
    app = create_app(pipe, detect=None)
    assert answers_to(app, "any.example", "192.0.2.1") == 200
    assert answers_to(app, "any.example", "127.0.0.2") == 400
    assert answers_to(app, "127.0.0.2:80", "127.0.0.2") == 200
    app = create_app(pipe, detect=None, allowed_hosts=["faces.example.org"])
    assert answers_to(app, "any.example", "192.0.2.1") == 400
    assert answers_to(app, "faces.example.org", "192.0.2.1") == 200
    app = create_app(pipe, detect=None, allowed_hosts=["*"])
    assert answers_to(app, "any.example", "127.0.0.1") == 200


@pytest.mark.parametrize("names", ["a.example", ["http://a.example"], [""]])
def test_allowed_hosts_are_names(pipe, names):
    with pytest.raises(FERError, match="allowed_hosts"):
        create_app(pipe, detect=None, allowed_hosts=names)
