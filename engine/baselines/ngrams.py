"""Bits per character of uniform, unigram and Witten-Bell n-gram models, by the rule of `engine.training.evaluation`.

The models are nested: each order interpolates its counts with the order below, down to the unigram, which interpolates
with the uniform distribution. So every symbol always has a positive probability, and probabilities sum to one. A tweet
starts after n - 1 times `BOS`; its `EOS` is predicted like any character.

The tweets to predict are processed in large chunks, with one pass over the training tweets for each. Memory is bounded
by the n-grams that start with a context of the chunk, about 0.6 GB for 90 million training characters.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.baselines.contexts import Contexts, TokenStream, token_streams
from engine.baselines.counting import FloatArray, NgramCounts, ValueCounter
from engine.corpus.encoded_tweets import EncodedTweets
from engine.model.vocab import UNKNOWN_CHAR_BITS
from engine.progress import OnProgress, Pieces, no_progress, part_of, run_to_end

HIGHEST_ORDER = 7
NAMES = ("uniform", "unigram", *(f"witten_bell_{order}" for order in range(2, HIGHEST_ORDER + 1)))
_HELD_OUT_TARGETS = 1 << 23
_TRAIN_TARGETS = 1 << 20
PIECE_TARGETS = 1 << 13
"""Training targets to count in a few milliseconds."""


def baseline_bits(
    train: EncodedTweets, held_out: EncodedTweets, vocab_size: int, on_progress: OnProgress = no_progress
) -> dict[str, float]:
    """Return the bits per character of each baseline in `NAMES` on `held_out`, which must not be empty.

    Every target counts; a character outside the vocabulary costs its `<UNK>` plus 20 bits.
    """
    return run_to_end(baseline_pieces(train, held_out, vocab_size, on_progress, _TRAIN_TARGETS))


def baseline_pieces(
    train: EncodedTweets,
    held_out: EncodedTweets,
    vocab_size: int,
    on_progress: OnProgress = no_progress,
    piece_targets: int = PIECE_TARGETS,
    highest_order: int = HIGHEST_ORDER,
) -> Pieces[dict[str, float]]:
    """Do the work of `baseline_bits` in pieces, of about `piece_targets` training targets each.

    The baselines of the orders above `highest_order` are left out.
    """
    longest = highest_order - 1
    bits = dict.fromkeys(NAMES[: highest_order + 1], held_out.num_unknown_chars * UNKNOWN_CHAR_BITS)
    num_done = 0
    for chunk in token_streams(held_out, _HELD_OUT_TARGETS, longest):
        contexts = yield from Contexts.of(chunk, longest, vocab_size)
        counters = [ValueCounter(num_contexts * vocab_size) for num_contexts in contexts.num_contexts]
        begin, num_done = num_done, num_done + len(chunk.positions)
        on_count_progress = part_of(on_progress, begin / held_out.num_targets, num_done / held_out.num_targets)
        for num_counted in _count(token_streams(train, piece_targets, longest), contexts, counters, vocab_size):
            on_count_progress(num_counted / train.num_targets, "counting n-grams")
            yield
        for name, probabilities in zip(bits, _probabilities(chunk, contexts, counters, vocab_size), strict=True):
            bits[name] -= float(np.log2(probabilities).sum())
            yield
    return {name: total / held_out.num_targets for name, total in bits.items()}


def _count(
    train: Iterator[TokenStream], contexts: Contexts, counters: list[ValueCounter], vocab_size: int
) -> Iterator[int]:
    """Count the characters after the contexts of each length; yield the number of training targets done."""
    num_done = 0
    for piece in train:
        for counter, (targets, indices) in zip(counters, contexts.lookup(piece), strict=True):
            counter.add(indices * vocab_size + targets)
        num_done += len(piece.positions)
        yield num_done


def _probabilities(
    stream: TokenStream, contexts: Contexts, counters: list[ValueCounter], vocab_size: int
) -> Iterator[FloatArray]:
    """Yield the probability of each target of `stream`, (targets,), for each baseline in the order of `NAMES`."""
    probabilities = np.full(len(stream.positions), 1 / vocab_size)
    yield probabilities
    known = zip(counters, contexts.num_contexts, contexts.lookup(stream), strict=True)
    for counter, num_contexts, (targets, indices) in known:
        counts = NgramCounts.of(counter, num_contexts, vocab_size)
        probabilities = counts.interpolated(probabilities, indices, targets)
        yield probabilities
