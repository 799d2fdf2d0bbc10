"""`TweetSampler`: samples tweets from a model, one streamed character by character, or many in a batch.

`engine.compute.stepper` computes the log-probabilities, `engine.sampling.logits` the distribution to draw from. Each
tweet is drawn by inverse transform sampling from its own sequence of uniform numbers, so

* a tweet depends on its seed and not on the other tweets of its batch, up to rounding: one row is computed by Numba,
  several by BLAS, whose rounding depends on their number, so a draw close to a boundary can differ;
* one seed at two temperatures uses the same uniform numbers in two distributions, as a temperature ladder shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.compute.stepper import CharStepper, HeldUnit
from engine.config.sampling import SamplingConfig
from engine.errors import DivergedError
from engine.model.gru import TextGenerator
from engine.model.vocab import BOS, EOS, Vocab
from engine.sampling.logits import Floats, Ids, draw, next_char_weights, uniforms_of


@dataclass(frozen=True, kw_only=True)
class SampledTweet:
    """A finished tweet."""

    text: str
    temperature: float
    """At the last character."""
    seed: int
    reached_eos: bool
    bits_per_char: float
    """Mean surprisal at temperature 1, over the prime, the text and `<EOS>` if it was reached."""
    char_bits: tuple[float, ...] = ()
    """Surprisal of each of these characters, in bits."""


class TweetSampler:
    """Samples B tweets at once; `advance` adds a character to each. Finished tweets leave the batch. Not thread-safe.

    It uses the weights at its creation; the sampling settings may change between two characters.
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
        held: HeldUnit | None = None,
    ) -> None:
        """Process the prime. `temperatures`, one per tweet, override `sampling`'s.

        `may_compile` as in `CharStepper`: off where the process samples only few tweets; `held` is a hidden unit to
        hold at a value. Raises `VocabError` on unknown characters in the prime.
        """
        prime_ids = vocab.encode_strict(sampling.prime)
        self.sampling = sampling
        """Replaced between two characters, it changes how the next ones are drawn; prime and length stay."""
        self._max_length = sampling.max_length
        self._vocab = vocab
        self._seeds = list(seeds)
        self._temperatures = None if temperatures is None else np.array(temperatures, dtype=np.float32)
        self._uniforms = np.stack([uniforms_of(seed, sampling.max_length) for seed in seeds])  # (B, characters)
        self._ids = np.empty(self._uniforms.shape, dtype=np.int32)
        self._nats = np.zeros(self._uniforms.shape)  # surprisal of each character
        self._length = len(prime_ids)
        self._rows = np.arange(len(self._seeds))  # of the unfinished tweets
        self._results: dict[int, SampledTweet] = {}
        self._stepper = CharStepper(model, may_compile=may_compile, held=held)
        self.log_probs = self._process_prime(prime_ids)
        """Log-probabilities (B, V) of the next character of each unfinished tweet, in nats."""

    @property
    def is_done(self) -> bool:
        """Whether all tweets are finished."""
        return len(self._rows) == 0

    def results(self) -> list[SampledTweet]:
        """Finish all tweets, and return them in the order of their seeds. Raises as `advance`."""
        while not self.is_done:
            self.advance()
        return [self._results[row] for row in range(len(self._seeds))]

    def advance(self) -> None:
        """Sample one character of each unfinished tweet. Raises `DivergedError` if the model's output is not finite."""
        if not np.isfinite(self.log_probs[:, EOS]).all():  # one non-finite logit makes all of its row NaN
            raise DivergedError("The model's output is not finite, so it can't sample.", "Load a checkpoint.")
        if self._temperatures is None:
            temperatures = np.full((len(self._rows), 1), self.sampling.temperature, dtype=np.float32)
        else:
            temperatures = self._temperatures[self._rows, None]  # (B, 1)
        weights = next_char_weights(self.log_probs, self.sampling, temperatures)
        chosen = draw(weights, self._uniforms[self._rows, self._length])  # (B,)
        self._nats[self._rows, self._length] = -self.log_probs[np.arange(len(chosen)), chosen]
        self._ids[self._rows, self._length] = chosen
        self._length += 1
        has_ended = chosen == EOS
        if has_ended.any() or self._length == self._max_length:
            chosen = chosen[self._remove_finished(has_ended, temperatures)]
        if len(chosen):
            self.log_probs = self._stepper.step(chosen)

    def _process_prime(self, prime_ids: list[int]) -> Floats:
        """Process `<BOS>` and the prime, once for all tweets; return the log-probabilities after them, (B, V)."""
        log_probs = self._stepper.step(np.array([BOS]))
        for position, token_id in enumerate(prime_ids):
            self._nats[:, position] = -log_probs[0, token_id]
            log_probs = self._stepper.step(np.array([token_id]))
        self._ids[:, : len(prime_ids)] = prime_ids
        if len(self._rows) > 1:
            self._stepper.select(np.zeros_like(self._rows))
        return log_probs.repeat(len(self._rows), axis=0)

    def _remove_finished(self, has_ended: npt.NDArray[np.bool_], temperatures: Floats) -> Ids:
        """Store the finished tweets and remove them from the batch; return the indices of the others."""
        is_finished = has_ended | (self._length == self._max_length)
        for index in np.flatnonzero(is_finished).tolist():
            row = self._rows[index]
            bits = self._nats[row, : self._length] / math.log(2)
            self._results[row] = SampledTweet(
                text=self._vocab.decode(self._ids[row, : self._length].tolist()),
                temperature=round(float(temperatures[index, 0]), 6),  # without float32's rounding error
                seed=self._seeds[row],
                reached_eos=bool(has_ended[index]),
                bits_per_char=float(bits.mean()),
                char_bits=tuple(bits.round(2).tolist()),
            )
        others = np.flatnonzero(~is_finished)
        self._rows = self._rows[others]
        if len(others):
            self._stepper.select(others)
        return others
