"""From what a model expects to a tweet: one streamed character by character, or many in a batch.

`TweetWriter` holds the tweets being written: `engine.char_reader` says what the model expects, `engine.next_char` what
comes of it. The draw is by inverse transform sampling, each tweet from its own stream of uniform numbers, so that

* a tweet depends on its seed alone, not on the others in the batch, and
* the same seed at two temperatures makes the same "choices" under two distributions, which is what a ladder shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from engine.char_reader import CharReader
from engine.config import SamplingConfig
from engine.errors import DivergedError
from engine.gru import TextGenerator
from engine.next_char import Floats, Ids, draw, next_char_probabilities, surprise
from engine.vocab import BOS, EOS, Vocab


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


class TweetWriter:
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
    ) -> None:
        """Read the prime. `temperatures`, one a tweet, win over `sampling`'s. Raises `VocabError` on the prime."""
        self.sampling = sampling
        self._vocab = vocab
        self._seeds = list(seeds)
        self._temperatures = None if temperatures is None else np.array(temperatures, dtype=np.float32)
        self._uniforms = np.stack([_uniforms(seed, sampling.max_length) for seed in seeds])  # (B, characters)
        self._ids = np.empty(self._uniforms.shape, dtype=np.int32)
        self._bits = np.zeros(len(self._seeds))
        self._rows = np.arange(len(self._seeds))  # those that are being written
        self._finished: dict[int, SampledTweet] = {}
        self._reader = CharReader(model)
        self._logits = self._read_prime(vocab.encode_known(sampling.prime))  # (B, V)

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
        temperatures = self._row_temperatures()
        with np.errstate(invalid="ignore"):
            probabilities = next_char_probabilities(self._logits, self.sampling, temperatures)
            chosen = draw(probabilities, self._uniforms[self._rows, self._length])  # (B,)
            bits = surprise(self._logits, chosen)
        if not np.isfinite(bits).all():
            raise DivergedError("What the model expects is not finite, so it can't write.", "Load a checkpoint.")
        still_writing = self._take(chosen, bits, temperatures)
        if len(still_writing) < len(chosen):
            self._rows, chosen = self._rows[still_writing], chosen[still_writing]
            self._reader.select(still_writing)
        if len(chosen):
            self._logits = self._reader.read(chosen)

    def _row_temperatures(self) -> Floats:
        """Return the temperature of each row that is being written, (B, 1)."""
        if self._temperatures is not None:
            return self._temperatures[self._rows, None]
        return np.full((len(self._rows), 1), self.sampling.temperature, dtype=np.float32)

    def _read_prime(self, prime_ids: list[int]) -> Floats:
        """Read `<BOS>` and the prime, once for all tweets. Returns what the model expects then, logits (B, V)."""
        logits = self._reader.read(np.array([BOS]))
        bits = 0.0
        for token_id in prime_ids:
            read = np.array([token_id])
            bits += float(surprise(logits, read)[0])
            logits = self._reader.read(read)
        self._ids[:, : len(prime_ids)] = prime_ids
        self._bits[:] = bits
        self._length = len(prime_ids)
        self._reader.select(np.zeros_like(self._rows))
        return logits.repeat(len(self._rows), axis=0)

    def _take(self, chosen: Ids, bits: Floats, temperatures: Floats) -> Ids:
        """Add each row's character and finish the rows that end with it. Returns the batch indices of the others."""
        self._bits[self._rows] += bits
        self._ids[self._rows, self._length] = chosen
        self._length += 1
        has_ended = chosen == EOS
        is_over = has_ended if self._length < self.sampling.max_length else np.ones_like(has_ended)
        for index in np.flatnonzero(is_over):
            self._finish(int(self._rows[index]), float(temperatures[index, 0]), reached_eos=bool(has_ended[index]))
        return np.flatnonzero(~is_over)

    def _finish(self, row: int, temperature: float, *, reached_eos: bool) -> None:
        """Put the tweet of `row` with the finished ones."""
        self._finished[row] = SampledTweet(
            text=self._vocab.decode(self._ids[row, : self._length].tolist()),
            temperature=round(temperature, 6),  # float32's tail is noise
            seed=self._seeds[row],
            reached_eos=reached_eos,
            bits_per_char=float(self._bits[row]) / self._length,
        )


def _uniforms(seed: int, count: int) -> npt.NDArray[np.float64]:
    """Return `count` uniform numbers in [0, 1) that depend on `seed` alone."""
    return np.random.Generator(np.random.PCG64(seed)).random(count)


def sample_tweets(
    model: TextGenerator,
    vocab: Vocab,
    sampling: SamplingConfig,
    seeds: Sequence[int],
    temperatures: Sequence[float] | None = None,
) -> list[SampledTweet]:
    """Write one tweet per seed, in one batch."""
    writer = TweetWriter(model, vocab, sampling, seeds, temperatures)
    while not writer.is_done:
        writer.advance()
    return writer.results()
