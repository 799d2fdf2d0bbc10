"""Answers questions about the weights of a run, in small pieces of work between its steps, and shows its batches.

A job computes on a copy of the weights and draws from its own generators, so it changes no bit of the training.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch

from engine.compute.device import Runtime
from engine.corpus.batches import padding_shares
from engine.corpus.encoded_tweets import Batch
from engine.corpus.training_data import TrainingData
from engine.errors import ConfigError, InternalError, TweetgenError
from engine.insight.answers import Answer, Answers, snapshot
from engine.insight.baselines import Baselines
from engine.model.vocab import PAD, SPECIALS, Vocab
from engine.progress import Pieces
from engine.protocol.commands import Insight
from engine.protocol.insight import BatchRow, BatchShown, MeasureBaselines
from engine.session.reporter import Reporter
from engine.session.startup.setup import RunSetup
from engine.session.state import RunState
from engine.text import LOST, harmless_in_place
from engine.training.out_of_memory import OutOfMemoryRetry

LOG = logging.getLogger(__name__)
MAX_JOBS = 16
"""A command may come from anyone."""
MAX_SHARE = 0.05
"""Seconds of answering questions about the weights per second of everything else."""
BASELINES_SHARE = 0.02
"""The same for the baselines, which a screen asks for by itself: measured, training is slowed down by less than 3 %."""
MAX_CREDIT_SECONDS = 0.3
"""Unused time that is kept, so that the first answer is quick."""

_Question = Insight | MeasureBaselines
_Key = tuple[type[_Question], int]
"""Type and request of a command."""


class InsightService:
    """Queues questions about one run and answers them. Used by the session's thread only, except for `num_pending`."""

    def __init__(self, setup: RunSetup, state: RunState, reporter: Reporter, oom: OutOfMemoryRetry) -> None:
        self._setup = setup
        self._state = state
        self._reporter = reporter
        self._oom = oom
        data = setup.training_data
        self._baselines = Baselines(data.train_tweets, data.corpus.digest, setup.val_tweets, data.vocab)
        self._waited_seconds = 0.0
        """For a device that still computed steps, which is no work on an answer."""
        self._jobs: dict[_Key, tuple[_Question, Iterator[None]]] = {}
        """Oldest first, by type and request."""
        self._seconds: dict[type[_Question], float] = {}
        """Work on each type that waits, divided by its share, so that a short answer does not wait for a long one."""
        self._credit = MAX_CREDIT_SECONDS
        self._since = self._clock()

    def _clock(self) -> float:
        """Return seconds, without those of waiting for a device."""
        return self._state.stopwatch.clock() - self._waited_seconds

    @property
    def num_pending(self) -> int:
        """How many commands are not answered yet. For any thread."""
        return len(self._jobs)

    def ask(self, command: _Question) -> None:
        """Queue a command, in place of an older one with its type and request. Raises `ConfigError` on a full queue."""
        key = type(command), command.request
        if key not in self._jobs and len(self._jobs) >= MAX_JOBS:
            raise ConfigError(
                f"{MAX_JOBS} questions about the model wait already.", "Ask again once they are answered."
            )
        self._jobs[key] = command, self._pieces(command)
        self._seconds.setdefault(key[0], min(self._seconds.values(), default=0.0))

    def advance(self) -> None:
        """Work for the time that is due to answers, at most as long as since the last call.

        Not after every step, but once half a step's time is due: each turn changes the number of threads and evicts
        what the steps have in the cache.
        """
        now = self._clock()
        elapsed, self._since = now - self._since, now
        self._credit = min(MAX_CREDIT_SECONDS, self._credit + self._share * elapsed)
        if self._jobs and self._credit >= min(elapsed, MAX_CREDIT_SECONDS) / 2:
            self._work(min(self._credit, elapsed))
            self._since = self._clock()
            self._credit -= self._since - now

    @property
    def _share(self) -> float:
        """The sum of the shares of what waits."""
        kinds = {kind for kind, _ in self._jobs}
        questions = kinds - {MeasureBaselines}
        return (MAX_SHARE if questions or not kinds else 0.0) + (BASELINES_SHARE if MeasureBaselines in kinds else 0.0)

    def work_or_sleep(self, seconds: float) -> None:
        """Work for `seconds` or until all is answered, while no step is to be taken; without a question, sleep."""
        if self._jobs:
            self._work(seconds)
        else:
            time.sleep(seconds)

    def restart(self) -> None:
        """Answer all questions from the start, about the current weights: the model was replaced."""
        for command, _ in list(self._jobs.values()):
            self.ask(command)

    def refuse_all(self, error: TweetgenError) -> None:
        """Refuse all commands that are not answered yet, except for `MeasureBaselines`.

        A screen sends that by itself: each short run would have a refusal of it in its journal.
        """
        jobs, self._jobs, self._seconds = self._jobs, {}, {}
        for command, _ in jobs.values():
            if not isinstance(command, MeasureBaselines):
                self._reporter.emit_refusal(command, error)

    def _work(self, seconds: float) -> None:
        """Work until all is answered or `seconds` have passed, for one piece at least."""
        ends = self._clock() + seconds
        with self._state.timer.during("sampling"), _one_thread(self._state.runtime):
            while self._jobs:
                self._do_piece()
                if self._clock() > ends:
                    break

    def _do_piece(self) -> None:
        """Do the next piece of work, of the type with the least so far; refuse a command that can't be answered."""
        kind = min(self._seconds, key=self._seconds.__getitem__)
        key = next(key for key in self._jobs if key[0] is kind)
        command, pieces = self._jobs[key]
        began = self._clock()
        is_done = True
        try:
            with self._oom.memory_errors("this command"):
                is_done = next(pieces, True) is True
        except TweetgenError as error:
            self._reporter.emit_refusal(command, error)
        except Exception as error:  # the work is on a copy of the weights: the run can continue
            LOG.exception("%s failed", kind.__name__)
            problem = InternalError(
                f"{type(error).__name__}: {error}", "The run's log has the traceback; please report it."
            )
            self._reporter.emit_refusal(command, problem)
        self._seconds[kind] += (self._clock() - began) / _share_of(kind)
        if is_done:
            del self._jobs[key]
            if not any(each[0] is kind for each in self._jobs):
                del self._seconds[kind]

    def _pieces(self, command: _Question) -> Iterator[None]:
        """Do the work of a command piece by piece; emit its answer."""
        if isinstance(command, MeasureBaselines):
            yield from self._baselines.job(command, self._emit)
        else:
            self._emit((yield from self._job(command)))

    def _emit(self, answer: Answer) -> None:
        event_type, fields = answer
        self._emit_steps()
        self._reporter.emit(event_type, **fields)

    def _emit_steps(self) -> None:
        """Wait for the steps queued on a GPU, and emit them: any other event does so, too."""
        began = self._clock()
        self._reporter.emit_steps()
        self._waited_seconds += self._clock() - began

    def _job(self, command: Insight) -> Pieces[Answer]:
        """Copy the weights, and return the pieces of an answer about them."""
        self._emit_steps()
        setup, state = self._setup, self._state
        model = snapshot(state.trainer.eval_model)
        answers = Answers(model, setup.training_data.vocab, lambda: setup.val_tweets, state.sampling, state.step)
        return answers.job(command)


def _share_of(kind: type[_Question]) -> float:
    return BASELINES_SHARE if kind is MeasureBaselines else MAX_SHARE


@contextmanager
def _one_thread(runtime: Runtime) -> Iterator[None]:
    """Compute on one thread inside the block: with two, small products were 10 to 50 times slower on busy cores."""
    torch.set_num_threads(1)
    try:
        yield
    finally:
        runtime.apply()


MAX_ROWS = 64
MAX_CHARS = 300


class BatchService:
    """Shows batches of one run. Used by the session's thread only."""

    def __init__(self, training_data: TrainingData, state: RunState, reporter: Reporter) -> None:
        self._training_data = training_data
        self._state = state
        self._reporter = reporter
        self._padding: dict[int, tuple[float, float]] = {}
        """By batch size."""

    def show_batch(self, *, shuffled: bool) -> None:
        """Emit the batch of the last step; of the next one, which is not consumed, if there was none yet.

        If `shuffled`, emit one of as many tweets drawn at random, with the numbers of that step.
        """
        state, vocab = self._state, self._training_data.vocab
        batch_step = state.step if state.last_batch is not None else state.step + 1
        if shuffled:
            batch = self._random_batch(batch_step)
        else:
            batch = self._next_batch() if state.last_batch is None else state.last_batch
        sorted_padding, shuffled_padding = self._padding_shares()
        self._reporter.emit(
            BatchShown,
            batch_step=batch_step,
            rows=tuple(_row(token_ids, vocab) for token_ids in batch.inputs[:MAX_ROWS]),
            num_tweets=len(batch.targets),
            num_columns=batch.targets.shape[1],
            num_targets=batch.num_targets,
            vocab_size=len(vocab),
            sorted_padding=sorted_padding,
            shuffled_padding=shuffled_padding,
            shuffled=shuffled,
        )

    def _next_batch(self) -> Batch:
        """Return the batch of the next step."""
        state = self._state
        stream = self._training_data.batches(state.training, state.resume_position)
        next(stream)
        return stream.whole_batch()

    def _random_batch(self, step: int) -> Batch:
        """Return a batch of random training tweets, always the same at one step."""
        training, tweets = self._state.training, self._training_data.train_tweets
        generator = np.random.default_rng([training.seed, step])
        return tweets.batch(generator.choice(len(tweets), min(training.batch_size, len(tweets)), replace=False))

    def _padding_shares(self) -> tuple[float, float]:
        """Return the shares of padding for the batch size in use, sorted and shuffled, rounded."""
        training, data = self._state.training, self._training_data
        if training.batch_size not in self._padding:
            shares = padding_shares(data.train_tweets.lengths, training.batch_size, training.seed, data.weights)
            self._padding[training.batch_size] = round(shares[0], 4), round(shares[1], 4)
        return self._padding[training.batch_size]


def _row(inputs: npt.NDArray[np.int64], vocab: Vocab) -> BatchRow:
    """Return a row of a batch without its padding; an unknown character is shown as U+FFFD."""
    token_ids = inputs[inputs != PAD][: MAX_CHARS + 1].tolist()
    text = "".join(vocab.itos[token_id] if token_id >= len(SPECIALS) else LOST for token_id in token_ids[1:])
    return BatchRow(text=harmless_in_place(text), token_ids=tuple(token_ids))
