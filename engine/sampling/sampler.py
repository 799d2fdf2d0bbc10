"""From what a model expects to a tweet: one streamed character by character, or many in a batch.

`TweetSampler` holds the tweets being written: `engine.sampling.stepper` tells what the model expects,
`engine.sampling.logits` what may come of it. The draw is by inverse transform sampling, each tweet from its own stream
of uniform numbers, so that

* a tweet depends on its seed alone, not on the others in the batch, and
* the same seed at two temperatures makes the same "choices" under two distributions, which is what a ladder shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from engine.config.run import SamplingConfig
from engine.errors import DivergedError
from engine.model.gru import TextGenerator
from engine.model.vocab import BOS, EOS, Vocab
from engine.sampling.logits import Floats, Ids, draw, next_char_weights
from engine.sampling.stepper import CharStepper


@dataclass(frozen=True, kw_only=True)
class SampledTweet:
    """A finished tweet."""

    text: str
    temperature: float
    """At its last character."""
    seed: int
    reached_eos: bool
    bits_per_char: float
    """The model's own at temperature 1, over the prime, the text and the end-of-tweet symbol if it came to one."""
    char_bits: tuple[float, ...] = ()
    """How surprised the model was by each of them."""


class TweetSampler:
    """B tweets being written at once; `advance` adds a character to each. Rows that have ended leave the batch.

    The weights are those of the moment when the writing began. How characters are drawn may be set anew between two
    of them. Not thread-safe.
    """

    def __init__(
        self,
        model: TextGenerator,
        vocab: Vocab,
        sampling: SamplingConfig,
        seeds: Sequence[int],
        temperatures: Sequence[float] | None = None,
        *,
        may_compile: bool = True,
    ) -> None:
        """Read the prime. `temperatures`, one a tweet, win over `sampling`'s. Raises `VocabError` on the prime.

        `may_compile` as in `CharStepper`: off where few tweets are all that the process does.
        """
        prime_ids = vocab.encode_strict(sampling.prime)
        self.sampling = sampling
        self._vocab = vocab
        self._seeds = list(seeds)
        self._temperatures = None if temperatures is None else np.array(temperatures, dtype=np.float32)
        self._uniforms = np.stack([_uniforms(seed, sampling.max_length) for seed in seeds])  # (B, characters)
        self._ids = np.empty(self._uniforms.shape, dtype=np.int32)
        self._nats = np.zeros(self._uniforms.shape)  # of each character
        self._length = len(prime_ids)
        self._rows = np.arange(len(self._seeds))  # of the tweets that are being written
        self._batch = self._rows
        self._finished: dict[int, SampledTweet] = {}
        self._stepper = CharStepper(model, may_compile=may_compile)
        self._expected = self._read_prime(prime_ids)  # log-probabilities (B, V)

    @property
    def expected(self) -> Floats:
        """The log-probabilities of the next character of each tweet that has not ended, (B, V)."""
        return self._expected

    @property
    def is_done(self) -> bool:
        """Whether all tweets have ended."""
        return len(self._rows) == 0

    def set_draw(self, sampling: SamplingConfig) -> None:
        """Draw the next character as `sampling` says; the prime and the length stay as they began."""
        if (sampling.prime, sampling.max_length) != (self.sampling.prime, self.sampling.max_length):
            sampling = replace(sampling, prime=self.sampling.prime, max_length=self.sampling.max_length)
        self.sampling = sampling

    def results(self) -> list[SampledTweet]:
        """Return the tweets in the order of their seeds; all have ended."""
        return [self._finished[row] for row in range(len(self._seeds))]

    def advance(self) -> None:
        """Write one character of each tweet that has not ended. Raises `DivergedError` if the model is not finite."""
        if not np.isfinite(self._expected[:, EOS]).all():  # one that is not, in logits, spoils its row's probabilities
            raise DivergedError("What the model expects is not finite, so it can't write.", "Load a checkpoint.")
        temperatures = self._row_temperatures()
        weights = next_char_weights(self._expected, self.sampling, temperatures)
        chosen = draw(weights, self._uniforms[self._rows, self._length])  # (B,)
        self._nats[self._rows, self._length] = -self._expected[self._batch, chosen]
        self._ids[self._rows, self._length] = chosen
        self._length += 1
        has_ended = chosen == EOS
        if has_ended.any() or self._length == self.sampling.max_length:
            chosen = chosen[self._finish(has_ended, temperatures)]
        if len(chosen):
            self._expected = self._stepper.step(chosen)

    def _row_temperatures(self) -> Floats:
        """Return the temperature of each row that is being written, (B, 1)."""
        if self._temperatures is not None:
            return self._temperatures[self._rows, None]
        return np.full((len(self._rows), 1), self.sampling.temperature, dtype=np.float32)

    def _read_prime(self, prime_ids: list[int]) -> Floats:
        """Read `<BOS>` and the prime, once for all tweets. Returns what the model expects after them, (B, V)."""
        expected = self._stepper.step(np.array([BOS]))
        for place, token_id in enumerate(prime_ids):
            self._nats[:, place] = -expected[0, token_id]
            expected = self._stepper.step(np.array([token_id]))
        self._ids[:, : len(prime_ids)] = prime_ids
        if len(self._rows) > 1:
            self._stepper.select(np.zeros_like(self._rows))
        return expected.repeat(len(self._rows), axis=0)

    def _finish(self, has_ended: npt.NDArray[np.bool_], temperatures: Floats) -> Ids:
        """Let the rows that are over leave the batch: these, or all at full length. Returns the others' indices."""
        is_over = has_ended | (self._length == self.sampling.max_length)
        for index in np.flatnonzero(is_over).tolist():
            row = self._rows[index]
            bits = self._nats[row, : self._length] / math.log(2)
            self._finished[row] = SampledTweet(
                text=self._vocab.decode(self._ids[row, : self._length].tolist()),
                temperature=round(float(temperatures[index, 0]), 6),  # float32's tail is noise
                seed=self._seeds[row],
                reached_eos=bool(has_ended[index]),
                bits_per_char=float(bits.mean()),
                char_bits=tuple(bits.round(2).tolist()),
            )
        others = np.flatnonzero(~is_over)
        self._rows, self._batch = self._rows[others], self._batch[: len(others)]
        if len(others):
            self._stepper.select(others)
        return others


def _uniforms(seed: int, count: int) -> npt.NDArray[np.float64]:
    """Return `count` uniform numbers in [0, 1) that depend on `seed` alone."""
    return np.random.Generator(np.random.PCG64(seed)).random(count)


def sample_tweets(
    model: TextGenerator,
    vocab: Vocab,
    sampling: SamplingConfig,
    seeds: Sequence[int],
    temperatures: Sequence[float] | None = None,
    *,
    may_compile: bool = True,
) -> list[SampledTweet]:
    """Write one tweet per seed, in one batch. Arguments as of `TweetSampler`."""
    writer = TweetSampler(model, vocab, sampling, seeds, temperatures, may_compile=may_compile)
    while not writer.is_done:
        writer.advance()
    return writer.results()
