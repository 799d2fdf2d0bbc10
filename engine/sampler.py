"""From what a model expects to a tweet: one streamed character by character, or many in a batch.

`next_char_probabilities` is the whole of the choice, as a pure function. `TweetWriter` holds the tweets being
written; the draw is by inverse transform sampling, each tweet from its own stream of uniform numbers, so that

* a tweet depends on its seed alone, not on the others in the batch, and
* the same seed at two temperatures makes the same "choices" under two distributions, which is what a ladder shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.config import SamplingConfig
from engine.errors import DivergedError
from engine.gru import TextGenerator
from engine.vocab import BOS, EOS, PAD, UNK, Vocab

NEVER_SAMPLED = (PAD, BOS, UNK)


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


def next_char_probabilities(logits: Tensor, sampling: SamplingConfig, temperatures: Tensor) -> Tensor:
    """Return the distribution (B, V) that the next character of each row is drawn from.

    `logits` (B, V), `temperatures` (B, 1). In this order: never a special symbol but `<EOS>`; temperature (0: all on
    the likeliest); top-k; top-p (Holtzman et al. 2020, arXiv:1904.09751: the smallest set that holds p); min-p
    (Nguyen et al. 2024, arXiv:2407.01082: at least that share of the likeliest).
    """
    logits = logits.float().clone()
    logits[:, NEVER_SAMPLED] = -math.inf
    is_greedy = temperatures == 0  # (B, 1)
    scaled = logits / temperatures.masked_fill(is_greedy, 1.0)
    probabilities = scaled.softmax(dim=-1)  # (B, V)
    if 0 < sampling.top_k < logits.shape[-1]:
        smallest_kept = probabilities.topk(sampling.top_k, dim=-1).values[:, -1:]
        probabilities = probabilities.masked_fill(probabilities < smallest_kept, 0.0)
    if sampling.top_p < 1:
        probabilities = _nucleus(probabilities / probabilities.sum(dim=-1, keepdim=True), sampling.top_p)
    if sampling.min_p > 0:
        floor = sampling.min_p * probabilities.amax(dim=-1, keepdim=True)
        probabilities = probabilities.masked_fill(probabilities < floor, 0.0)
    greedy = torch.zeros_like(probabilities).scatter_(-1, logits.argmax(dim=-1, keepdim=True), 1.0)
    probabilities = torch.where(is_greedy, greedy, probabilities)
    return probabilities / probabilities.sum(dim=-1, keepdim=True)


def _nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """Return `probabilities` (B, V) with zeros outside the smallest set of likeliest ids that holds `top_p`."""
    ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
    mass_before = ordered.cumsum(dim=-1) - ordered
    kept = ordered.masked_fill(mass_before >= top_p, 0.0)
    return torch.zeros_like(probabilities).scatter_(-1, order, kept)


def draw(probabilities: Tensor, uniforms: Tensor) -> Tensor:
    """Return the id (B,) at which each row's cumulated probability (B, V) passes its uniform number (B,) in [0, 1)."""
    cumulated = probabilities.double().cumsum(dim=-1)
    target = uniforms[:, None] * cumulated[:, -1:]  # (B, 1)
    token_ids = torch.searchsorted(cumulated, target, right=True).squeeze(-1)
    return token_ids.clamp(max=probabilities.shape[-1] - 1)  # where a probability is not a number, there is no such id


class TweetWriter:
    """B tweets being written at once; `advance` adds a character to each. Rows that have ended leave the batch.

    How they are drawn may be set anew between two characters. Not thread-safe.
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
        self._model = model
        self._vocab = vocab
        self._seeds = list(seeds)
        self._temperatures = None if temperatures is None else list(temperatures)
        self._uniforms = np.stack([_uniforms(seed, sampling.max_length) for seed in seeds])  # (B, characters)
        prime_ids = vocab.encode_known(sampling.prime)
        self._ids: list[list[int]] = [list(prime_ids) for _ in seeds]
        self._bits = [0.0] * len(self._seeds)
        self._rows = list(range(len(self._seeds)))
        self._finished: dict[int, SampledTweet] = {}
        self._logits, self._hidden = self._read_prime(prime_ids)

    @property
    def is_done(self) -> bool:
        """Whether all tweets have ended."""
        return not self._rows

    def set_draw(self, sampling: SamplingConfig) -> None:
        """Draw the next character as `sampling` says; the prime and the length stay as they began."""
        if (sampling.prime, sampling.max_length) != (self.sampling.prime, self.sampling.max_length):
            sampling = replace(sampling, prime=self.sampling.prime, max_length=self.sampling.max_length)
        self.sampling = sampling

    def results(self) -> list[SampledTweet]:
        """Return the tweets in the order of their seeds; all have ended."""
        return [self._finished[row] for row in range(len(self._seeds))]

    @torch.inference_mode()
    def advance(self) -> None:
        """Write one character of each tweet that has not ended. Raises `DivergedError` if the model is not finite."""
        temperatures = self._row_temperatures()
        probabilities = next_char_probabilities(self._logits, self.sampling, temperatures)
        uniforms = torch.from_numpy(self._uniforms[self._rows, len(self._ids[self._rows[0]])]).to(self._logits.device)
        chosen = draw(probabilities, uniforms)  # (B,)
        surprise = self._logits.float().log_softmax(dim=-1).gather(-1, chosen[:, None]).squeeze(-1) / -math.log(2)
        still_writing = self._take(chosen.tolist(), surprise.tolist(), temperatures[:, 0].tolist())
        if still_writing:
            self._feed(chosen, still_writing)

    def _row_temperatures(self) -> Tensor:
        """Return the temperature of each row that is being written, (B, 1)."""
        own = self._temperatures
        values = [self.sampling.temperature if own is None else own[row] for row in self._rows]
        return torch.tensor(values, device=self._logits.device)[:, None]

    @torch.inference_mode()
    def _read_prime(self, prime_ids: list[int]) -> tuple[Tensor, Tensor]:
        """Return what the model expects after `<BOS>` and the prime, logits (B, V), and its hidden state (L, B, H)."""
        self._model.eval()
        inputs = torch.tensor([[BOS, *prime_ids]], device=self._model.device)
        logits, hidden = self._model(inputs)  # (1, T, V), (L, 1, H)
        if prime_ids:
            log_probabilities = logits[0, :-1].float().log_softmax(dim=-1)  # (T - 1, V)
            nats = -log_probabilities.gather(-1, inputs[0, 1:, None]).sum()
            self._bits = [float(nats) / math.log(2)] * len(self._seeds)
        num_rows = len(self._seeds)
        return logits[:, -1].repeat(num_rows, 1), hidden.repeat(1, num_rows, 1)

    def _take(self, chosen: list[int], surprise: list[float], temperatures: list[float]) -> list[int]:
        """Add each row's character and finish the rows that end with it. Returns the batch indices of the others."""
        if not all(map(math.isfinite, surprise)):
            raise DivergedError("What the model expects is not finite, so it can't write.", "Load a checkpoint.")
        still_writing = []
        for index, (row, token_id) in enumerate(zip(self._rows, chosen, strict=True)):
            self._bits[row] += surprise[index]
            if token_id != EOS:
                self._ids[row].append(token_id)
            if token_id == EOS or len(self._ids[row]) >= self.sampling.max_length:
                self._finish(row, temperatures[index], reached_eos=token_id == EOS)
            else:
                still_writing.append(index)
        self._rows = [self._rows[index] for index in still_writing]
        return still_writing

    def _finish(self, row: int, temperature: float, *, reached_eos: bool) -> None:
        """Put the tweet of `row` with the finished ones."""
        num_targets = len(self._ids[row]) + reached_eos
        self._finished[row] = SampledTweet(
            text=self._vocab.decode(self._ids[row]),
            temperature=round(temperature, 6),  # float32's tail is noise
            seed=self._seeds[row],
            reached_eos=reached_eos,
            bits_per_char=self._bits[row] / max(num_targets, 1),
        )

    def _feed(self, chosen: Tensor, still_writing: list[int]) -> None:
        """Let the model read the character of each row that goes on."""
        self._model.eval()
        if len(still_writing) < len(chosen):
            kept = torch.tensor(still_writing, device=chosen.device)
            chosen, self._hidden = chosen[kept], self._hidden[:, kept].contiguous()
        logits, self._hidden = self._model(chosen[:, None], self._hidden)  # (B, 1, V)
        self._logits = logits[:, 0]


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
    """Write one tweet per seed, in one batch. Leaves the model's training mode as it was."""
    was_training = model.training
    writer = TweetWriter(model, vocab, sampling, seeds, temperatures)
    while not writer.is_done:
        writer.advance()
    model.train(was_training)
    return writer.results()
