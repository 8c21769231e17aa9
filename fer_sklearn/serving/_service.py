"""What the routes share."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import numpy as np

from ._batcher import Batcher, QueueFullError
from ._bodies import Bodies
from ._inputs import InputReader
from ._metrics import Metrics
from ._problems import busy


class Service:
    """From a request to the emotions of its faces.

    Bodies are read on the event loop, decoded in a few threads, and their faces go
    through the model in one more.

    Parameters
    ----------
    emotions : EmotionModel
        The model.
    limits : Limits
        What a request may ask for.
    detect : "auto", None or callable
        As for `create_app`.
    """

    def __init__(self, emotions, limits, detect):
        self.emotions = emotions
        self.limits = limits
        self.metrics = Metrics()
        self.bodies = Bodies(limits)
        self.reader = InputReader(emotions.image_shape, limits, detect)
        self.batcher = self._threads = None
        self.metrics.held.set_function(lambda: self.bodies.held)

    @asynccontextmanager
    async def lifespan(self, app):
        """Start the threads; in the end finish what was accepted."""
        self._start()
        yield
        await asyncio.to_thread(self.batcher.close)
        self._threads.shutdown(wait=False, cancel_futures=True)

    @property
    def stopping(self):
        """Whether requests are no longer taken."""
        return self.batcher is not None and not self.batcher.alive

    def _start(self):
        self._threads = ThreadPoolExecutor(
            self.limits.decoders, thread_name_prefix="fer-sklearn-decode"
        )
        self.batcher = Batcher(
            self.emotions.predict,
            batch_faces=self.limits.batch_faces,
            waiting_faces=self.limits.waiting_faces,
            observe=self.metrics.batch.observe,
        )
        self.metrics.waiting.set_function(lambda: self.batcher.waiting)

    async def answer(self, request, cropped):
        """Answer ``POST /predict``.

        Parameters
        ----------
        request : starlette.requests.Request
            Its body has not been read.
        cropped : bool
            Whether each picture is a face already.

        Returns
        -------
        answer : dict
            As the schema `Answer`.

        Raises
        ------
        Refusal
            If the request asks for what is not given.
        """
        # Mounted in another application, this one has no lifespan of its own.
        if self.batcher is None:
            self._start()
        pictures = await self._read(request, cropped)
        faces = [picture.faces for picture in pictures if len(picture.faces)]
        rows = await self._predict(np.concatenate(faces)) if faces else []
        answers = iter([self._face(row) for row in rows])
        return {"pictures": [self._picture(picture, answers) for picture in pictures]}

    async def _read(self, request, cropped):
        content_type = request.headers.get("content-type", "")
        limit = self.reader.body_limit(content_type)
        loop = asyncio.get_running_loop()
        async with self.bodies.read(request, limit) as body:
            return await loop.run_in_executor(
                self._threads, self.reader.read, content_type, body, cropped
            )

    async def _predict(self, faces):
        try:
            return await asyncio.wrap_future(self.batcher.submit(faces))
        except QueueFullError:
            raise busy("Too many faces wait already; try again in a second.") from None

    def _face(self, row):
        best = int(row.argmax())
        names = self.emotions.names
        self.metrics.faces.labels(names[best]).inc()
        return {
            "emotion": names[best],
            "confidence": float(row[best]),
            "probabilities": dict(zip(names, row.tolist(), strict=True)),
        }

    @staticmethod
    def _picture(picture, answers):
        return {
            "name": picture.name,
            "width": picture.width,
            "height": picture.height,
            "faces": [{"box": box, **next(answers)} for box in picture.boxes],
            "note": picture.note,
        }
