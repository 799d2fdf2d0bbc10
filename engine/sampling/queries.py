"""Queries about a text: the model's continuation of it, and its probability of each character. Never needs a run."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from engine.config.sampling import SamplingConfig
from engine.errors import DivergedError
from engine.model.gru import TextGenerator
from engine.model.vocab import BOS, EOS, UNK, UNKNOWN_CHAR_BITS, Vocab
from engine.protocol.events import CharChance, CharRead
from engine.sampling.logits import NEVER_SAMPLED, Floats
from engine.sampling.sampler import TweetSampler
from engine.sampling.stepper import CharStepper
from engine.text import harmless_char

NUM_TOP_CHARS = 8
_LOG_PROB_DIGITS = 3
COMPLETION_CHARS = 40
"""Maximum length of a completion."""


@dataclass(frozen=True, kw_only=True)
class Completion:
    """The model's continuation of a text."""

    text: str = ""
    reached_eos: bool = False
    next_chars: tuple[CharChance, ...] = ()
    bits_per_char: float | None = None
    """Mean surprisal of the text before it; None if that is empty."""


def unknown_chars(vocab: Vocab, text: str) -> tuple[str, ...]:
    """Return the distinct characters of `text` that a prime can't contain, in order and made harmless.

    These are characters outside the vocabulary, and those not allowed in any prime even if the vocabulary has them.
    """
    shown = {char: harmless_char(char) for char in text}
    return tuple(dict.fromkeys(shown[char] for char in shown if char not in vocab.stoi or shown[char] != char))


def complete(model: TextGenerator, vocab: Vocab, sampling: SamplingConfig, text: str, seed: int) -> Completion:
    """Return the model's continuation of `text`, sampled with `sampling` except for its prime and filter.

    With the same seed, `text` plus the start of its completion is completed by the rest of it. Raises `VocabError` on
    unknown characters, `DivergedError` if the model's output is not finite.
    """
    prompted = replace(sampling.without_filter(), prime=text, max_length=len(text) + COMPLETION_CHARS)
    sampler = TweetSampler(model, vocab, prompted, [seed])
    next_chars = top_chars(vocab, sampler.log_probs[0])
    while not sampler.is_done:
        sampler.advance()
    [tweet] = sampler.results()
    continuation = "".join(map(harmless_char, tweet.text[len(text) :]))
    bits = tweet.char_bits[: len(text)]
    bits_per_char = round(sum(bits) / len(bits), 3) if bits else None
    return Completion(
        text=continuation, reached_eos=tweet.reached_eos, next_chars=next_chars, bits_per_char=bits_per_char
    )


def score_chars(model: TextGenerator, vocab: Vocab, text: str) -> tuple[CharRead, ...]:
    """Return the surprisal of each character of `text` and of its `<EOS>`, with the most likely alternatives.

    Raises `DivergedError` if the model's output is not finite.
    """
    stepper = CharStepper(model)
    token_ids = [*vocab.encode(text), EOS]
    read = []
    for char, before, token_id in zip([*text, ""], [BOS, *token_ids], token_ids, strict=False):
        log_probs = stepper.step(np.array([before]))[0]  # (V,)
        if not np.isfinite(log_probs).all():
            raise DivergedError("The model's output is not finite, so it can't score a text.", "Load a checkpoint.")
        read.append(char_read(vocab, char, token_id, log_probs))
    return tuple(read)


def char_read(vocab: Vocab, char: str, token_id: int, log_probs: Floats) -> CharRead:
    """Return the prediction (V,) of one target: `char`, or "" for `<EOS>`, encoded as `token_id`."""
    bits = -float(log_probs[token_id]) / math.log(2) + (UNKNOWN_CHAR_BITS if token_id == UNK else 0.0)
    return CharRead(char=harmless_char(char), bits=round(bits, 3), likeliest=top_chars(vocab, log_probs))


def next_log_probs(log_probs: Floats) -> tuple[float, ...]:
    """Return the log-probabilities of all that can be sampled, highest first, given those of all ids (V,)."""
    return tuple(np.sort(np.delete(log_probs, NEVER_SAMPLED))[::-1].astype(float).round(_LOG_PROB_DIGITS).tolist())


def top_chars(vocab: Vocab, log_probs: Floats) -> tuple[CharChance, ...]:
    """Return the most likely next characters, given log-probabilities (V,)."""
    order = np.argsort(-log_probs)[: NUM_TOP_CHARS + len(NEVER_SAMPLED)].tolist()
    return tuple(
        CharChance(
            char="" if index == EOS else harmless_char(vocab.itos[index]),
            probability=round(math.exp(log_probs[index]), 4),
        )
        for index in [index for index in order if index not in NEVER_SAMPLED][:NUM_TOP_CHARS]
    )
