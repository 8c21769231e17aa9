"""What a request may ask for."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Limits:
    """The bounds that keep the service up, whatever is sent to it.

    Parameters
    ----------
    body_bytes : int, default=20 * 2**20
        Largest body of one request; counted while it arrives, before it is parsed.
    held_bytes : int, default=256 * 2**20
        Largest sum of the bodies held at one time. More answer 503.
    files : int, default=64
        Most pictures, or most faces as JSON, in one request.
    faces : int, default=256
        Most faces found in the pictures of one request.
    pixels : int, default=25_000_000
        Most pixels of a picture; looked at before it is decoded.
    decoders : int, default=2
        Pictures decoded at one time. Each may take some 20 bytes a pixel.
    waiting_faces : int, default=1024
        Most faces that wait for the model. More answer 503.
    batch_faces : int, default=64
        Most faces that go through the model at once, except that the faces of one
        request stay together.
    connections : int, default=512
        Most open connections. More answer 503.
    header_seconds : float, default=10
        Time in which the head of a request has to arrive, and in which a client has
        to take what was sent to it.
    body_seconds : float, default=30
        Time in which the body of a request has to arrive.
    answer_seconds : float, default=60
        Time in which a request is answered, its body included.

    Raises
    ------
    ValueError
        If a limit is not positive.

    Examples
    --------
    >>> from fer_sklearn.serving import Limits
    >>> Limits(files=1).files
    1
    >>> Limits(files=0)
    Traceback (most recent call last):
    ...
    ValueError: files is 0, expected a number above 0.
    """

    body_bytes: int = 20 * 2**20
    held_bytes: int = 256 * 2**20
    files: int = 64
    faces: int = 256
    pixels: int = 25_000_000
    decoders: int = 2
    waiting_faces: int = 1024
    batch_faces: int = 64
    connections: int = 512
    header_seconds: float = 10
    body_seconds: float = 30
    answer_seconds: float = 60

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(
                    f"{field.name} is {value!r}, expected a number above 0."
                )
