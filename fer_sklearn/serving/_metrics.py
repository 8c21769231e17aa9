"""Counters in Prometheus' form, of one application."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_FACES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """What the service counts; pictures and names are not among it.

    The registry is the application's own, so that several applications live in one
    process.

    Examples
    --------
    >>> from fer_sklearn.serving._metrics import Metrics
    >>> metrics = Metrics()
    >>> metrics.batch.observe(3)
    >>> "fer_batch_faces_sum 3.0" in metrics.render().decode()
    True
    """

    def __init__(self):
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.requests = Counter(
            "fer_requests", "Requests answered.", ["path", "status"], registry=registry
        )
        self.seconds = Histogram(
            "fer_request_seconds",
            "Time from the head of a request to the end of its answer.",
            ["path"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.faces = Counter(
            "fer_faces", "Faces answered, by emotion.", ["emotion"], registry=registry
        )
        self.batch = Histogram(
            "fer_batch_faces",
            "Faces that went through the model at once.",
            buckets=_FACES,
            registry=registry,
        )
        self.waiting = Gauge(
            "fer_waiting_faces", "Faces that wait for the model.", registry=registry
        )
        self.held = Gauge(
            "fer_held_bytes", "Bytes of request bodies in memory.", registry=registry
        )

    def render(self):
        """All of it as text, in bytes."""
        return generate_latest(self.registry)
