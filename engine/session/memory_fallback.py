"""`MemoryFallback`: when memory runs out, free some, compute less at once, report it, and continue.

What is learned stays the same: a step is that of the whole batch, in however many parts
(`engine.training.micro_batches`). Nothing of it is in a checkpoint, for another machine may have more memory.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.compute.device import Runtime
from engine.compute.gpu.buckets import DeviceBatch
from engine.compute.memory import is_out_of_memory
from engine.corpus.encoded_tweets import Batch, EncodedTweets
from engine.errors import DeviceMemoryError
from engine.model.gru import TextGenerator
from engine.protocol.events import Warned
from engine.session.reporter import Reporter
from engine.training.evaluation import EVAL_BATCH_SIZE, Evaluation, evaluate
from engine.training.prefetch import BatchSource

LOG = logging.getLogger(__name__)
_ADVICE = "End other programs that use it, or train a model with a smaller --hidden-size."


class MemoryFallback:
    """Makes do with the memory there is. Used by the session's thread only."""

    def __init__(self, reporter: Reporter) -> None:
        """Make room with whichever trainer the reporter knows at the time."""
        self._reporter = reporter
        self._eval_batch_size = EVAL_BATCH_SIZE

    def take_step(self, batch: Batch | DeviceBatch, learning_rate: float) -> None:
        """Take a step, in smaller parts where it does not fit. Raises `DeviceMemoryError` where one tweet does not."""
        trainer = self._reporter.trainer
        while not self._fits(lambda: trainer.step(batch, learning_rate), "a step"):
            num_tweets = batch.tokens.shape[1] if isinstance(batch, DeviceBatch) else len(batch.targets)
            did_not_fit = min(trainer.micro_batch_size or num_tweets, num_tweets)
            if did_not_fit == 1:
                raise DeviceMemoryError("The memory does not do for a single tweet.", _ADVICE)
            micro_batch_size = (did_not_fit + 1) // 2
            trainer.set_micro_batch_size(micro_batch_size)
            message = (
                f"The memory was used up in step {trainer.step_count + 1:,}: a batch is computed in "
                f"{-(-num_tweets // micro_batch_size)} parts of up to {micro_batch_size} tweets from now on; "
                "the batch size stays."
            )
            self._reporter.emit(Warned, message=message)

    def next_batch(self, batches: BatchSource) -> Batch | DeviceBatch | None:
        """Return the next batch, or None where there was no memory for it: then there is room for another try."""
        found: list[Batch | DeviceBatch] = []
        if not self._fits(lambda: found.append(next(batches)), "a batch"):
            self._reporter.trainer.free_memory()
        return found[0] if found else None

    def evaluate(
        self, model: TextGenerator, tweets: EncodedTweets, runtime: Runtime, should_stop: Callable[[], bool]
    ) -> Evaluation | None:
        """Read tweets as `engine.training.evaluation.evaluate` does, fewer at once where they do not fit.

        Raises `DeviceMemoryError` where one does not.
        """
        found: list[Evaluation | None] = []

        def read() -> None:
            found.append(evaluate(model, tweets, runtime, should_stop, self._eval_batch_size))

        while not self._fits(read, "an evaluation"):
            if self._eval_batch_size == 1:
                raise DeviceMemoryError("The memory does not do for reading a single tweet.", _ADVICE)
            self._eval_batch_size //= 2
            self._reporter.trainer.free_memory()
            message = f"The memory was used up in an evaluation: it reads {self._eval_batch_size} tweets at once now."
            self._reporter.emit(Warned, message=message)
        return found[0]

    @contextmanager
    def out_of_memory_as_error(self, what: str) -> Iterator[None]:
        """Make of memory that is used up in the block a `DeviceMemoryError` that names `what` was not done."""
        problem = ""
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            LOG.warning("no memory for %s", what, exc_info=True)
            problem = f"The memory does not do for {what}."
        if problem:
            self._reporter.trainer.free_memory()
            raise DeviceMemoryError(problem, _ADVICE)

    def _fits(self, work: Callable[[], None], what: str) -> bool:
        """Do the work; say whether there was memory for it. Nobody holds on to what failed by then.

        Where a step was under way that can't be taken again, what was raised is.
        """
        try:
            work()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or not self._reporter.trainer.is_consistent:
                raise
            LOG.warning("no memory for %s", what, exc_info=True)
            return False
        return True
