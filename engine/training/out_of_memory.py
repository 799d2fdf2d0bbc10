"""`OutOfMemoryRetry`: when memory runs out, compute fewer tweets at once, warn, and continue.

A step stays that of the whole batch, in however many micro-batches (`engine.training.trainer`). None of this is part of
a checkpoint, since another machine may have more memory.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from engine.compute.memory import is_out_of_memory
from engine.corpus.arrays import Batch, EncodedTweets
from engine.corpus.batches import BatchStream
from engine.errors import DeviceMemoryError
from engine.training.evaluation import EVAL_BATCH_SIZE, Evaluation, batch_loss, evaluate
from engine.training.trainer import Trainer

LOG = logging.getLogger(__name__)
_Result = TypeVar("_Result")
_HINT = "Quit other programs that use it, or train a model with a smaller --hidden-size."


class Training(Protocol):
    """A trainer and its batches, as the state of a run and a worker have them."""

    trainer: Trainer
    batches: BatchStream


class OutOfMemoryRetry:
    """Runs what needs much memory, in smaller pieces where it does not fit. Not thread-safe."""

    def __init__(self, state: Training, warn: Callable[[str], None]) -> None:
        self._state = state
        self._warn = warn
        self._eval_batch_size = EVAL_BATCH_SIZE

    def take_step(self, batch: Batch, learning_rate: float) -> None:
        """Take a training step, in micro-batches if need be. Raises `DeviceMemoryError` where one tweet is too many."""
        trainer = self._state.trainer
        while not self._fits(lambda: trainer.step(batch, learning_rate), "a step"):
            num_tweets = trainer.num_rows(batch)
            failed_size = min(trainer.micro_batch_size or num_tweets, num_tweets)
            if failed_size == 1:
                raise DeviceMemoryError("There is not enough memory for a single tweet.", _HINT)
            size = (failed_size + 1) // 2
            trainer.set_micro_batch_size(size)
            self._warn(
                f"Out of memory in step {trainer.step_count + 1:,}: a batch is computed in {-(-num_tweets // size)} "
                f"parts of up to {size} tweets from now on; the batch size stays."
            )

    def next_batch(self) -> Batch:
        """Return the next batch, prepared for the trainer; where memory runs out, free some and try again."""
        state, found = self._state, list[Batch]()
        if not self._fits(lambda: found.append(next(state.batches)), "a batch"):
            state.trainer.free_memory()
            found.append(next(state.batches))
        [batch] = found
        if not self._fits(lambda: state.trainer.prepare(batch), "a batch"):
            state.trainer.free_memory()  # the step tries again
        return batch

    def evaluate(self, tweets: EncodedTweets, should_stop: Callable[[], bool]) -> Evaluation:
        """Evaluate the run's model, in smaller batches if need be.

        Raises `AbandonedError` if `should_stop` returns true in between, and `DeviceMemoryError` where one tweet is too
        many.
        """
        model = self._state.trainer.eval_model
        return self._in_batches(lambda size: evaluate(model, tweets, should_stop, size))

    def batch_loss(self, batch: Batch) -> float:
        """Return the loss of a batch with dropout off, nats per character; computed and refused as an evaluation."""
        model = self._state.trainer.model
        return self._in_batches(lambda size: batch_loss(model, batch, size))

    def _in_batches(self, work: Callable[[int], _Result]) -> _Result:
        """Return the result of `work`, which is called with the number of tweets to read at once."""
        found: list[_Result] = []
        while not self._fits(lambda: found.append(work(self._eval_batch_size)), "an evaluation"):
            if self._eval_batch_size == 1:
                raise DeviceMemoryError("There is not enough memory to evaluate a single tweet.", _HINT)
            self._eval_batch_size //= 2
            self._state.trainer.free_memory()
            self._warn(f"Out of memory in an evaluation: it reads {self._eval_batch_size} tweets at once from now on.")
        return found[0]

    @contextmanager
    def memory_errors(self, what: str) -> Iterator[None]:
        """Turn running out of memory in the block into a `DeviceMemoryError` that names `what` was not done."""
        problem = ""
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            LOG.warning("no memory for %s", what, exc_info=True)
            problem = f"There is not enough memory for {what}."
        if problem:  # outside of the `except`, whose traceback refers to the tensors that are to be freed
            self._state.trainer.free_memory()
            raise DeviceMemoryError(problem, _HINT)

    def _fits(self, work: Callable[[], None], what: str) -> bool:
        """Run `work` and return whether there was memory for it; the traceback, with its tensors, is freed by then.

        Raises the error of a step that can't be repeated.
        """
        try:
            work()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or not self._state.trainer.is_consistent:
                raise
            LOG.warning("no memory for %s", what, exc_info=True)
            return False
        return True
