"""Uniform, unigram and Witten-Bell n-grams: what tweets cost predictors that count, by the rule of `evaluation`.

The n-grams nest: an order mixes what followed the last n - 1 characters with what the order below says, down to the
unigram, which mixes with the uniform one. So every symbol of the vocabulary always has some probability, and
probabilities sum to one. A tweet begins behind n - 1 times `BOS`; its `EOS` is predicted like any character.

The tweets to predict are taken in large chunks, the training tweets are read once for each of them. Memory is bounded
by what may follow the contexts of one chunk, about 0.6 GB for 90 million training characters.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.baselines.contexts import Contexts, Stream, streams
from engine.baselines.counting import Followers, Reals, Tally
from engine.corpus.encoded_tweets import EncodedTweets
from engine.protocol.stage import OnProgress, no_progress, part_of
from engine.training.evaluation import UNKNOWN_CHAR_BITS

HIGHEST_ORDER = 7
NAMES = ("uniform", "unigram", *(f"witten_bell_{order}" for order in range(2, HIGHEST_ORDER + 1)))
_LONGEST = HIGHEST_ORDER - 1
_HELD_OUT_TARGETS = 1 << 23
_TRAIN_TARGETS = 1 << 20


def baseline_bits(
    train: EncodedTweets, held_out: EncodedTweets, vocab_size: int, on_progress: OnProgress = no_progress
) -> dict[str, float]:
    """Return the bits per character of each baseline on `held_out`, by its name in `NAMES`.

    Every target counts; a character that the vocabulary lacks costs its `<UNK>` plus 20 bits. There must be a
    held-out tweet.
    """
    bits = dict.fromkeys(NAMES, held_out.num_unknown_chars * UNKNOWN_CHAR_BITS)
    num_done = 0
    for chunk in streams(held_out, _HELD_OUT_TARGETS, _LONGEST):
        begin, num_done = num_done, num_done + len(chunk.positions)
        while_counting = part_of(on_progress, begin / held_out.num_targets, num_done / held_out.num_targets)
        for name, probabilities in zip(NAMES, _probabilities(train, chunk, vocab_size, while_counting), strict=True):
            bits[name] -= float(np.log2(probabilities).sum())
    return {name: total / held_out.num_targets for name, total in bits.items()}


def _probabilities(train: EncodedTweets, stream: Stream, vocab_size: int, on_progress: OnProgress) -> Iterator[Reals]:
    """Yield the probability of each target of `stream`, (targets,), by each baseline in the order of `NAMES`."""
    contexts = Contexts(stream, _LONGEST, vocab_size)
    followers = _count(train, contexts, vocab_size, on_progress)
    probabilities = np.full(len(stream.positions), 1 / vocab_size)
    yield probabilities
    for of_length, (targets, numbers) in zip(followers, contexts.walk(stream), strict=True):
        probabilities = of_length.interpolated(probabilities, numbers, targets)
        yield probabilities


def _count(train: EncodedTweets, contexts: Contexts, vocab_size: int, on_progress: OnProgress) -> list[Followers]:
    """Return what follows the contexts of each length in the training tweets."""
    tallies = [Tally() for _ in contexts.how_many]
    num_done = 0
    for chunk in streams(train, _TRAIN_TARGETS, _LONGEST):
        for tally, (targets, numbers) in zip(tallies, contexts.walk(chunk), strict=True):
            tally.add(numbers * vocab_size + targets)
        num_done += len(chunk.positions)
        on_progress(num_done / train.num_targets, "counting n-grams")
    return [
        Followers.of(tally, num_contexts, vocab_size)
        for tally, num_contexts in zip(tallies, contexts.how_many, strict=True)
    ]
