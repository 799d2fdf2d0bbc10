"""The n-gram baselines equal a naive implementation with dictionaries."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.baselines import contexts, counting, ngrams
from engine.baselines.ngrams import baseline_bits
from engine.model.vocab import BOS, EOS, UNK, Vocab
from engine.protocol.stage import OnProgress, no_progress
from tests.engine.helpers import encoded_with, small_tweets, vocab_of

ORDERS = range(1, 8)
tiny_corpora = partial(st.lists, st.text("abcdé 寿", min_size=1, max_size=9), min_size=1, max_size=12)


class NaiveWittenBell:
    """The definition, with one dictionary of next characters per context."""

    def __init__(self, tweets: Sequence[Sequence[int]], order: int, vocab_size: int) -> None:
        self.vocab_size = vocab_size
        self.order = order
        self.next_counts: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for tweet in tweets:
            padded = [*[BOS] * (order - 1), *tweet, EOS]
            for at in range(order - 1, len(padded)):
                for length in range(order):
                    self.next_counts[tuple(padded[at - length : at])][padded[at]] += 1

    def probability(self, context: tuple[int, ...], target: int) -> float:
        shorter = self.probability(context[1:], target) if context else 1 / self.vocab_size
        next_counts = self.next_counts.get(context, Counter())
        if not next_counts:
            return shorter
        return (next_counts[target] + len(next_counts) * shorter) / (next_counts.total() + len(next_counts))

    def bits_per_char(self, tweets: Sequence[Sequence[int]]) -> float:
        bits, num_targets = 0.0, 0
        for tweet in tweets:
            padded = [*[BOS] * (self.order - 1), *tweet, EOS]
            for at in range(self.order - 1, len(padded)):
                context = tuple(padded[at - self.order + 1 : at])
                bits -= math.log2(self.probability(context, padded[at]))
                bits += 20 * (padded[at] == UNK)
                num_targets += 1
        return bits / num_targets


def name_of(order: int) -> str:
    return "unigram" if order == 1 else f"witten_bell_{order}"


def baselines(
    train: Sequence[str], held_out: Sequence[str], vocab: Vocab, on_progress: OnProgress = no_progress
) -> dict[str, float]:
    train_ids, held_out_ids = encoded_with(vocab, train), encoded_with(vocab, held_out)
    return baseline_bits(train_ids, held_out_ids, len(vocab), on_progress)


def assert_equals_naive(
    train: Sequence[str], held_out: Sequence[str], vocab: Vocab, on_progress: OnProgress = no_progress
) -> None:
    found = baselines(train, held_out, vocab, on_progress)
    for order in ORDERS:
        naive = NaiveWittenBell([vocab.encode(tweet) for tweet in train], order, len(vocab))
        expected = naive.bits_per_char([vocab.encode(tweet) for tweet in held_out])
        assert found[name_of(order)] == pytest.approx(expected, abs=1e-9)


@settings(max_examples=60)
@given(
    train=tiny_corpora(),
    held_out=tiny_corpora(),
    known=st.sampled_from(["abcdé 寿", "abc", "d"]),
    max_table_size=st.sampled_from([contexts.MAX_TABLE_SIZE, 20, 0]),
)
def test_every_order_equals_the_naive_implementation(
    train: list[str], held_out: list[str], known: str, max_table_size: int
) -> None:
    with (
        mock.patch.object(contexts, "MAX_TABLE_SIZE", max_table_size),
        mock.patch.object(counting, "MAX_TABLE_SIZE", max_table_size),
    ):
        assert_equals_naive(train, held_out, Vocab(known))


def test_many_chunks_give_the_naive_bits_and_progress_from_zero_to_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ngrams, "_HELD_OUT_TARGETS", 200)
    monkeypatch.setattr(ngrams, "_TRAIN_TARGETS", 300)
    monkeypatch.setattr(counting, "_SORTED_TOGETHER", 500)
    tweets, shares = small_tweets(100), list[float | None]()
    vocab = vocab_of(tweets[:80], min_count=20)
    assert_equals_naive(tweets[:80], tweets[80:], vocab, lambda share, _: shares.append(share))
    assert len(shares) > 4
    assert shares == sorted(filter(None, shares))
    assert shares[-1] == pytest.approx(1)


def test_a_vocabulary_too_large_to_pack_an_n_gram_into_64_bits_is_counted_exactly() -> None:
    tweets = ["".join(chr(0x4E00 + (17 * at * at + number) % 5000) for at in range(9)) for number in range(40)]
    vocab = Vocab(map(chr, range(0x4E00, 0x4E00 + 5000)))
    assert len(vocab) ** 7 > 2**64
    assert_equals_naive(tweets, tweets[5:15], vocab)
