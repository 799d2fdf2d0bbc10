"""`BatchService`: shows the batch of the last step, and how much padding sorting by length saves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.corpus.batches import padding_shares
from engine.corpus.encoded_tweets import Batch
from engine.corpus.training_data import TrainingData
from engine.model.vocab import PAD, SPECIALS, Vocab
from engine.protocol import insight
from engine.session.reporter import Reporter
from engine.session.state import RunState
from engine.text import LOST, harmless_in_place

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
            insight.BatchShown,
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


def _row(inputs: npt.NDArray[np.int64], vocab: Vocab) -> insight.BatchRow:
    """Return a row of a batch without its padding; an unknown character is shown as U+FFFD."""
    token_ids = inputs[inputs != PAD][: MAX_CHARS + 1].tolist()
    text = "".join(vocab.itos[token_id] if token_id >= len(SPECIALS) else LOST for token_id in token_ids[1:])
    return insight.BatchRow(text=harmless_in_place(text), token_ids=tuple(token_ids))
