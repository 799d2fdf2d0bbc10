"""`PrefetchedBatches`: batches made ready by a thread, while the device computes.

Only for devices. On a processor it does not pay: making a batch ready is 0.07 ms of a step of 12 ms at (128, 128, 32)
and of 25 ms at (64, 256, 32), and with a thread that does it, steps took 1.02 and 0.99 times as long (two cores, one of
them training; medians of 30 and 16 rounds in turns).

**A resume stays exact.** `position` and `epochs` are those of the batches that were taken, not of those made ready:
each comes with the place that the stream stood at after it. The thread touches no device, since a CUDA graph may be
recorded at the same time.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from engine.compute.gpu.buckets import DeviceBatch
from engine.corpus.batches import BatchStream
from engine.corpus.encoded_tweets import Batch
from engine.corpus.position import Position

BATCHES_AHEAD = 4

_Ready = TypeVar("_Ready")


class BatchSource(Protocol):
    """An endless source of batches with its position in the data: a `BatchStream` or `PrefetchedBatches`."""

    @property
    def position(self) -> Position:
        """The place of the batch that comes next."""

    @property
    def epochs(self) -> float:
        """Epochs that have been passed through, the current one in part."""

    @property
    def tweets_per_epoch(self) -> int:
        """Tweets in an epoch; with weights, on average."""

    def __next__(self) -> Batch | DeviceBatch:
        """Return the next batch."""


class PrefetchedBatches(Generic[_Ready]):
    """A stream's batches, each put through `prepare`. One thread at a time takes them, and closes in the end."""

    def __init__(self, stream: BatchStream, prepare: Callable[[Batch], _Ready], ahead: int = BATCHES_AHEAD) -> None:
        """Take the stream over. The thread starts with the first batch that is asked for."""
        self.position = stream.position
        self.epochs = stream.epochs
        self.tweets_per_epoch = stream.tweets_per_epoch
        self._stream = stream
        self._prepare = prepare
        self._ahead = ahead
        self._ready: deque[tuple[_Ready, Position, float]] = deque()  # a batch, and where the stream stood after it
        self._error: BaseException | None = None
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="batches", daemon=True)

    def __next__(self) -> _Ready:
        """Return the next batch. Raises what the thread met with, once all batches before that are taken."""
        with self._changed:
            if self._is_closed:
                raise StopIteration
            if self._thread.ident is None:
                self._thread.start()
            self._changed.wait_for(lambda: self._ready or self._error)
            if not self._ready and self._error:
                raise self._error
            batch, self.position, self.epochs = self._ready.popleft()
            self._changed.notify_all()
        return batch

    def close(self) -> None:
        """End the thread and wait for that: for the batch at hand at most."""
        with self._changed:
            self._is_closed = True
            self._ready.clear()
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def _work(self) -> None:
        """Make batches ready until closed; lives on a thread of its own."""
        try:
            while self._wait_for_room():
                item = self._prepare(next(self._stream)), self._stream.position, self._stream.epochs
                with self._changed:
                    self._ready.append(item)
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where the batch is waited for
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _wait_for_room(self) -> bool:
        """Wait until a batch more may be made ready; False once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or len(self._ready) < self._ahead)
            return not self._is_closed
