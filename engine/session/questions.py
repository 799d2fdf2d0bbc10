"""Answers questions about the weights of a run, in small pieces of work between its steps, and shows its batches.

An answer is computed on a copy of the weights and draws from its own generators, so it changes no bit of the training.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from engine.corpus.arrays import Batch
from engine.corpus.batches import padding_shares
from engine.errors import ConfigError, InternalError, TweetgenError
from engine.insight.answers import Answer, answer
from engine.insight.baselines import Baselines
from engine.insight.snapshot import Snapshot, frozen
from engine.model.vocab import PAD, SPECIALS, Vocab
from engine.protocol.insight import BatchRow, BatchShown, Insight, MeasureBaselines
from engine.session.state import Run
from engine.text import LOST, sanitize_in_place

LOG = logging.getLogger(__name__)
MAX_JOBS = 16
"""Limit of unanswered questions: a command may come from anyone."""
MAX_SHARE = 0.05
"""Seconds of answering questions about the weights per second of everything else."""
BASELINES_SHARE = 0.02
"""Seconds of measuring baselines per second of everything else. A screen asks for them without a key: measured,
training is slowed down by less than 3 %."""
MAX_CREDIT_SECONDS = 0.3
"""Unused time that is kept, so that the first answer is quick."""
MAX_ROWS = 64
MAX_CHARS = 300


class Questions:
    """The questions about one run and its batches. Used by the session's thread only, except for `num_pending`."""

    def __init__(self, run: Run) -> None:
        data = run.setup.training_data
        self._run = run
        self._baselines = Baselines(data.train_tweets, data.corpus.digest, run.setup.val_tweets, data.vocab)
        self._waited_seconds = 0.0
        """For a device that still computed steps, which is no work on an answer."""
        self._jobs: dict[tuple[type[Insight], int], tuple[Insight, Iterator[None]]] = {}
        """Oldest first, by type and request."""
        self._seconds: dict[type[Insight], float] = {}
        """Work on each type that waits, divided by its share, so that a short answer does not wait for a long one."""
        self._credit = MAX_CREDIT_SECONDS
        self._since = self._clock()
        self._padding: dict[int, tuple[float, float]] = {}
        """Shares of padding, sorted and shuffled, by batch size."""

    def _clock(self) -> float:
        """Return seconds, without those of waiting for a device."""
        return self._run.state.stopwatch.clock() - self._waited_seconds

    @property
    def num_pending(self) -> int:
        """How many questions are not answered yet. For any thread."""
        return len(self._jobs)

    def ask(self, command: Insight) -> None:
        """Queue a question, in place of an older one with its type and request. Raises `ConfigError` if full."""
        key = type(command), command.request
        if key not in self._jobs and len(self._jobs) >= MAX_JOBS:
            raise ConfigError(
                f"{MAX_JOBS} questions about the model wait already.", "Ask again once they are answered."
            )
        self._jobs[key] = command, self._pieces(command)
        self._seconds.setdefault(key[0], min(self._seconds.values(), default=0.0))

    def restart(self) -> None:
        """Answer all questions from the start, about the current weights: the model was replaced."""
        for command, _ in list(self._jobs.values()):
            self.ask(command)

    def refuse_all(self, error: TweetgenError) -> None:
        """Refuse all questions that are not answered yet, except for `MeasureBaselines`.

        A screen sends that by itself: each short run would have a refusal of it in its journal.
        """
        jobs, self._jobs, self._seconds = self._jobs, {}, {}
        for command, _ in jobs.values():
            if not isinstance(command, MeasureBaselines):
                self._run.reporter.emit_refusal(command, error)

    def advance(self) -> None:
        """Work for the time that is due to answers, at most as long as since the last call.

        Not after every step, but once half a step's time is due: each turn changes the number of threads and evicts
        what the steps have in the cache.
        """
        now = self._clock()
        elapsed, self._since = now - self._since, now
        shares = {_share_of(kind) for kind in self._seconds} or {MAX_SHARE}  # all questions share one
        self._credit = min(MAX_CREDIT_SECONDS, self._credit + sum(shares) * elapsed)
        if self._jobs and self._credit >= min(elapsed, MAX_CREDIT_SECONDS) / 2:
            self._work(min(self._credit, elapsed))
            self._since = self._clock()
            self._credit -= self._since - now

    def work_or_sleep(self, seconds: float) -> None:
        """Work for `seconds` or until all is answered, while no step is to be taken; without a question, sleep."""
        if self._jobs:
            self._work(seconds)
        else:
            time.sleep(seconds)

    def _work(self, seconds: float) -> None:
        """Work until all is answered or `seconds` have passed, for one piece at least."""
        ends = self._clock() + seconds
        with self._run.state.timer.during("sampling"):
            torch.set_num_threads(1)  # with two, small products were 10 to 50 times slower on busy cores
            try:
                while self._jobs:
                    self._do_piece()
                    if self._clock() > ends:
                        break
            finally:
                self._run.state.runtime.apply()

    def _do_piece(self) -> None:
        """Do the next piece of work, of the type with the least so far; refuse a question that can't be answered."""
        kind = min(self._seconds, key=self._seconds.__getitem__)
        key = next(key for key in self._jobs if key[0] is kind)
        command, pieces = self._jobs[key]
        began = self._clock()
        is_done = True
        try:
            with self._run.oom.memory_errors("this command"):
                is_done = next(pieces, True) is True
        except TweetgenError as error:
            self._run.reporter.emit_refusal(command, error)
        except Exception as error:  # the work is on a copy of the weights: the run can continue
            LOG.exception("%s failed", kind.__name__)
            problem = InternalError(
                f"{type(error).__name__}: {error}", "The run's log has the traceback; please report it."
            )
            self._run.reporter.emit_refusal(command, problem)
        self._seconds[kind] += (self._clock() - began) / _share_of(kind)
        if is_done:
            del self._jobs[key]
            if not any(each[0] is kind for each in self._jobs):
                del self._seconds[kind]

    def _pieces(self, command: Insight) -> Iterator[None]:
        """Do the work of a question piece by piece, on a copy of the weights at its start; emit its answer."""
        if isinstance(command, MeasureBaselines):
            yield from self._baselines.job(command, self._emit)
            return
        self._emit_steps()
        setup, state = self._run.setup, self._run.state
        model = frozen(state.trainer.eval_model)
        vocab = setup.training_data.vocab
        asked = Snapshot(model, vocab, lambda: setup.val_tweets, state.sampling, state.step)
        self._emit((yield from answer(asked, command)))

    def _emit(self, answer: Answer) -> None:
        event_type, fields = answer
        self._emit_steps()
        self._run.reporter.emit(event_type, **fields)

    def _emit_steps(self) -> None:
        """Wait for the steps queued on a GPU, and emit them: any other event does so, too."""
        began = self._clock()
        self._run.reporter.emit_steps()
        self._waited_seconds += self._clock() - began

    def show_batch(self, *, shuffled: bool) -> None:
        """Emit the batch of the last step; of the next one, which is not consumed, if there was none yet.

        If `shuffled`, emit one of as many tweets drawn at random, always the same at one step, with the numbers of that
        step.
        """
        state, data = self._run.state, self._run.setup.training_data
        size, seed = state.training.batch_size, state.training.seed
        batch_step = state.step if state.last_batch is not None else state.step + 1
        batch: Batch
        if shuffled:
            tweets, generator = data.train_tweets, np.random.default_rng([seed, batch_step])
            batch = tweets.batch(generator.choice(len(tweets), min(size, len(tweets)), replace=False))
        elif state.last_batch is not None:
            batch = state.last_batch
        else:
            stream = data.batches(state.training, state.resume_position)
            next(stream)
            batch = stream.whole_batch()
        if size not in self._padding:
            shares = padding_shares(data.train_tweets.lengths, size, seed, data.weights)
            self._padding[size] = round(shares[0], 4), round(shares[1], 4)
        self._run.reporter.emit(
            BatchShown,
            batch_step=batch_step,
            rows=tuple(_row(token_ids, data.vocab) for token_ids in batch.inputs[:MAX_ROWS]),
            num_tweets=len(batch.targets),
            num_columns=batch.targets.shape[1],
            num_targets=batch.num_targets,
            vocab_size=len(data.vocab),
            sorted_padding=self._padding[size][0],
            shuffled_padding=self._padding[size][1],
            shuffled=shuffled,
        )


def _share_of(kind: type[Insight]) -> float:
    return BASELINES_SHARE if kind is MeasureBaselines else MAX_SHARE


def _row(inputs: npt.NDArray[np.int64], vocab: Vocab) -> BatchRow:
    """Return a row of a batch without its padding; an unknown character is shown as U+FFFD."""
    token_ids = inputs[inputs != PAD][: MAX_CHARS + 1].tolist()
    text = "".join(vocab.itos[token_id] if token_id >= len(SPECIALS) else LOST for token_id in token_ids[1:])
    return BatchRow(text=sanitize_in_place(text), token_ids=tuple(token_ids))
