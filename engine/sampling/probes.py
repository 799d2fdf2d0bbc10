"""What one can ask a model about a text: how it would go on, and what it thinks of each character. Knows no run."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from engine.config.run import SamplingConfig
from engine.errors import DivergedError
from engine.model.gru import TextGenerator
from engine.model.vocab import BOS, EOS, UNK, Vocab
from engine.protocol.events import CharChance, CharRead
from engine.sampling.logits import NEVER_SAMPLED, Floats
from engine.sampling.sampler import TweetSampler
from engine.sampling.stepper import CharStepper
from engine.text import harmless_char
from engine.training.evaluation import UNKNOWN_CHAR_BITS

NUM_LIKELIEST = 8
COMPLETION_CHARS = 40
"""How far a completion goes at most."""


@dataclass(frozen=True, kw_only=True)
class Completion:
    """How a text would go on."""

    text: str = ""
    reached_eos: bool = False
    next_chars: tuple[CharChance, ...] = ()
    bits_per_char: float | None = None
    """Of the text that it goes on from; None where there is none."""


def unknown_chars(vocab: Vocab, text: str) -> tuple[str, ...]:
    """Return the characters of `text` that it can't be gone on from, each once, in their order, made harmless.

    They are those that the vocabulary lacks, and those that no tweet may begin with, whatever the vocabulary holds.
    """
    shown = {char: harmless_char(char) for char in text}
    return tuple(dict.fromkeys(shown[char] for char in shown if char not in vocab.stoi or shown[char] != char))


def complete(model: TextGenerator, vocab: Vocab, sampling: SamplingConfig, text: str, seed: int) -> Completion:
    """Return how the model goes on after `text`, drawn as `sampling` says but for its prime.

    With the same seed, a text that goes along with its completion is completed by the rest of it.
    Raises `VocabError` where the text holds an unknown character, `DivergedError` on a model that has gone wrong.
    """
    asked = replace(sampling, prime=text, max_length=len(text) + COMPLETION_CHARS)
    writer = TweetSampler(model, vocab, asked, [seed])
    next_chars = likeliest(vocab, writer.expected[0])
    while not writer.is_done:
        writer.advance()
    [tweet] = writer.results()
    written = "".join(map(harmless_char, tweet.text[len(text) :]))
    bits = tweet.char_bits[: len(text)]
    bits_per_char = round(sum(bits) / len(bits), 3) if bits else None
    return Completion(text=written, reached_eos=tweet.reached_eos, next_chars=next_chars, bits_per_char=bits_per_char)


def read_chars(model: TextGenerator, vocab: Vocab, text: str) -> tuple[CharRead, ...]:
    """Return what the model thinks of each character of `text` and of its end.

    Raises `DivergedError` on a model that has gone wrong.
    """
    stepper = CharStepper(model)
    token_ids = [*vocab.encode(text), EOS]
    read = []
    for char, before, token_id in zip([*text, ""], [BOS, *token_ids], token_ids, strict=False):
        expected = stepper.step(np.array([before]))[0]  # (V,)
        if not np.isfinite(expected).all():
            raise DivergedError("What the model expects is not finite, so it can't read.", "Load a checkpoint.")
        bits = -float(expected[token_id]) / math.log(2) + (UNKNOWN_CHAR_BITS if token_id == UNK else 0.0)
        read.append(CharRead(char=harmless_char(char), bits=round(bits, 3), likeliest=likeliest(vocab, expected)))
    return tuple(read)


def likeliest(vocab: Vocab, expected: Floats) -> tuple[CharChance, ...]:
    """Return the likeliest of what may come next, of log-probabilities (V,)."""
    order = np.argsort(-expected)[: NUM_LIKELIEST + len(NEVER_SAMPLED)].tolist()
    return tuple(
        CharChance(
            char="" if index == EOS else harmless_char(vocab.itos[index]),
            probability=round(math.exp(expected[index]), 4),
        )
        for index in [index for index in order if index not in NEVER_SAMPLED][:NUM_LIKELIEST]
    )
