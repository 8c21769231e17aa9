"""HTTP that waits for nobody for ever.

uvicorn closes a connection that idles between two requests, but waits without end for
the head of a request and for a client that does not take its answer. Both are the
ways of slow clients, meant or not, to use up the connections.
"""

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_LATE = b'{"detail":"The head of the request did not arrive in time."}'


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 on h11, with a time limit on heads and on answers.

    `patience` is set by a subclass, as uvicorn makes the instances.
    """

    patience = 10.0

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._head_timer = None
        self._write_timer = None

    def connection_made(self, transport):
        """Start waiting for the head of a request."""
        super().connection_made(transport)
        self._time_head()

    def data_received(self, data):
        """Stop waiting when the head is complete, start when the next one begins."""
        super().data_received(data)
        self._time_head()

    def connection_lost(self, exc):
        """Forget the timers."""
        self._head_timer = _cancel(self._head_timer)
        self._write_timer = _cancel(self._write_timer)
        super().connection_lost(exc)

    def pause_writing(self):
        """Give the client its time to take what waits in the buffer."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(
                self.patience, self.transport.abort
            )

    def resume_writing(self):
        """Stop the clock: the client has taken it."""
        super().resume_writing()
        self._write_timer = _cancel(self._write_timer)

    def _time_head(self):
        if self.conn.their_state is not h11.IDLE:
            self._head_timer = _cancel(self._head_timer)
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.patience, self._head_is_late)

    def _head_is_late(self):
        self._head_timer = None
        if self.transport.is_closing():
            return
        # Who has sent nothing at all is owed no answer.
        if self.conn.trailing_data[0] and self.conn.our_state is h11.IDLE:
            self._answer_late()
        self.transport.close()

    def _answer_late(self):
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(_LATE)).encode()),
            (b"connection", b"close"),
        ]
        for event in (
            h11.Response(status_code=408, headers=headers, reason=b"Request Timeout"),
            h11.Data(data=_LATE),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event))


def _cancel(timer):
    if timer is not None:
        timer.cancel()
