"""What one can ask a model about a text: how it would go on, and what it thinks of each character. Knows no run."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from engine.answers import CharChance, CharRead
from engine.char_reader import CharReader
from engine.config import SamplingConfig
from engine.evaluation import UNKNOWN_CHAR_BITS
from engine.gru import TextGenerator
from engine.next_char import NEVER_SAMPLED, Floats
from engine.sampler import TweetWriter
from engine.text import harmless_char
from engine.vocab import BOS, EOS, Vocab

NUM_LIKELIEST = 8
COMPLETION_CHARS = 40
"""How far a completion goes at most."""


@dataclass(frozen=True, kw_only=True)
class Completion:
    """How a text would go on."""

    text: str
    reached_eos: bool
    next_chars: tuple[CharChance, ...]


def complete(model: TextGenerator, vocab: Vocab, sampling: SamplingConfig, text: str, seed: int) -> Completion:
    """Return how the model goes on after `text`, drawn as `sampling` says but for its prime.

    Raises `VocabError` where the text holds an unknown character, `DivergedError` on a model that has gone wrong.
    """
    asked = replace(sampling, prime=text, max_length=len(text) + COMPLETION_CHARS)
    writer = TweetWriter(model, vocab, asked, [seed])
    next_chars = likeliest(vocab, writer.expected[0])
    while not writer.is_done:
        writer.advance()
    [tweet] = writer.results()
    written = "".join(map(harmless_char, tweet.text[len(text) :]))
    return Completion(text=written, reached_eos=tweet.reached_eos, next_chars=next_chars)


def read_chars(model: TextGenerator, vocab: Vocab, text: str) -> tuple[CharRead, ...]:
    """Return what the model thinks of each character of `text` and of its end."""
    reader = CharReader(model)
    expected = reader.read(np.array([BOS]))[0]  # (V,)
    read = []
    for char, token_id in zip([*text, ""], [*vocab.encode(text), EOS], strict=True):
        is_unknown = char not in vocab.stoi if char else False
        bits = -float(expected[token_id]) / math.log(2) + (UNKNOWN_CHAR_BITS if is_unknown else 0.0)
        read.append(CharRead(char=harmless_char(char), bits=round(bits, 3), likeliest=likeliest(vocab, expected)))
        expected = reader.read(np.array([token_id]))[0]
    return tuple(read)


def likeliest(vocab: Vocab, expected: Floats) -> tuple[CharChance, ...]:
    """Return the likeliest of what may come next, of log-probabilities (V,)."""
    probabilities = np.exp(expected)
    probabilities[list(NEVER_SAMPLED)] = 0.0
    order = np.argsort(-probabilities)[:NUM_LIKELIEST].tolist()
    return tuple(
        CharChance(
            char="" if index == EOS else harmless_char(vocab.itos[index]),
            probability=round(float(probabilities[index]), 4),
        )
        for index in order
    )
