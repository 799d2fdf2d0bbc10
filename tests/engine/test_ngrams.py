"""Baselines that count: equal to a naive dictionary of counts, and real probabilities.

Hypothesis tries 60 pairs of tiny corpora against the naive counts and 40 contexts for the sum of probabilities.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.baselines import ngrams
from engine.baselines.ngrams import NAMES, bits_of_baselines
from engine.baselines.stream import Stream, streams
from engine.corpus.encoded import EncodedTweets
from engine.vocab import BOS, EOS, SPECIALS, UNK, Vocab
from tests.engine.helpers import small_tweets

ORDERS = range(1, 8)
tiny_corpora = partial(st.lists, st.text("abcdé 寿", min_size=1, max_size=9), min_size=1, max_size=12)


class NaiveWittenBell:
    """The definition, one dictionary of followers for each context."""

    def __init__(self, tweets: Sequence[Sequence[int]], order: int, vocab_size: int) -> None:
        self.vocab_size = vocab_size
        self.order = order
        self.followers: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for tweet in tweets:
            padded = [*[BOS] * (order - 1), *tweet, EOS]
            for at in range(order - 1, len(padded)):
                for length in range(order):
                    self.followers[tuple(padded[at - length : at])][padded[at]] += 1

    def probability(self, context: tuple[int, ...], target: int) -> float:
        shorter = self.probability(context[1:], target) if context else 1 / self.vocab_size
        followers = self.followers.get(context, Counter())
        if not followers:
            return shorter
        return (followers[target] + len(followers) * shorter) / (followers.total() + len(followers))

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


def ids(tweets: Sequence[Sequence[int]]) -> EncodedTweets:
    """Return tweets that are given as token ids, any symbol among them."""
    flat = np.array([token_id for tweet in tweets for token_id in tweet], dtype=np.int64)
    return EncodedTweets(flat, np.cumsum([0, *map(len, tweets)]))


def name_of(order: int) -> str:
    return "unigram" if order == 1 else f"witten_bell_{order}"


def baselines(train: Sequence[str], held_out: Sequence[str], vocab: Vocab) -> dict[str, float]:
    learnt, read = EncodedTweets.from_tweets(train, vocab), EncodedTweets.from_tweets(held_out, vocab)
    return bits_of_baselines(learnt, read, len(vocab))


def assert_equals_naive(train: Sequence[str], held_out: Sequence[str], vocab: Vocab) -> None:
    found = baselines(train, held_out, vocab)
    for order in ORDERS:
        naive = NaiveWittenBell([vocab.encode(tweet) for tweet in train], order, len(vocab))
        expected = naive.bits_per_char([vocab.encode(tweet) for tweet in held_out])
        assert found[name_of(order)] == pytest.approx(expected, abs=1e-9)


@settings(max_examples=60)
@given(train=tiny_corpora(), held_out=tiny_corpora(), known=st.sampled_from(["abcdé 寿", "abc", "d"]))
def test_every_order_equals_the_naive_figure(train: list[str], held_out: list[str], known: str) -> None:
    assert_equals_naive(train, held_out, Vocab(known))


def test_every_order_equals_the_naive_figure_on_tweets() -> None:
    tweets = small_tweets(100)
    assert_equals_naive(tweets[:80], tweets[80:], Vocab.from_tweets(tweets[:80], min_count=20))


def test_a_vocabulary_too_large_to_pack_into_a_number_is_counted_exactly() -> None:
    tweets = ["".join(chr(0x4E00 + (17 * at * at + number) % 5000) for at in range(9)) for number in range(40)]
    vocab = Vocab(map(chr, range(0x4E00, 0x4E00 + 5000)))
    assert len(vocab) ** 7 > 2**64
    assert_equals_naive(tweets, tweets[5:15], vocab)


@settings(max_examples=40)
@given(train=tiny_corpora(), context=st.text("abcdéxy ", max_size=8))
def test_probabilities_sum_to_one_over_the_vocabulary_behind_any_context(train: list[str], context: str) -> None:
    vocab = Vocab("abcdé ")
    endings = ids([[*vocab.encode(context), target] for target in range(len(vocab))])
    stream = Stream.of(endings, 0, len(endings), len(ORDERS) - 1)
    last = (len(context) + 2) * np.arange(1, len(endings) + 1) - 2
    assert stream.targets[last].tolist() == list(range(len(vocab)))
    train_ids = EncodedTweets.from_tweets(train, vocab)
    for probabilities in ngrams._probabilities(train_ids, stream, len(vocab), lambda _: None):
        assert probabilities[last].sum() == pytest.approx(1, abs=1e-12)
        assert probabilities.min() > 0


def test_a_uniform_guess_costs_the_logarithm_of_the_vocabulary_size() -> None:
    vocab = Vocab.from_tweets(small_tweets())
    assert baselines(small_tweets(), ["a fox"], vocab)["uniform"] == pytest.approx(math.log2(len(vocab)))


def test_an_unknown_character_costs_its_unk_plus_twenty_bits() -> None:
    vocab = Vocab("ab")
    bits = baselines(["abab"], ["aZbZ"], vocab)
    assert bits["uniform"] == pytest.approx((5 * math.log2(6) + 2 * 20) / 5)
    per_unknown = -math.log2(1 / 8 * 3 / 6)  # 5 targets of 3 kinds, of which none is UNK
    per_known = -2 * math.log2((2 + 3 / 6) / 8) - math.log2((1 + 3 / 6) / 8)
    assert bits["unigram"] == pytest.approx((per_known + 2 * (per_unknown + 20)) / 5)


def test_a_context_that_never_came_leaves_the_shorter_ones_probability() -> None:
    vocab = Vocab("abcd")
    seen, unseen = vocab.encode("ab"), vocab.encode("cb")
    train = EncodedTweets.from_tweets(["ab", "ab", "ad"], vocab)
    stream = Stream.of(ids([seen, unseen]), 0, 2, len(ORDERS) - 1)
    by_name = dict(zip(NAMES, ngrams._probabilities(train, stream, len(vocab), lambda _: None), strict=True))
    behind_c = {name: probabilities[4] for name, probabilities in by_name.items()}
    assert behind_c["unigram"] == behind_c["witten_bell_2"] == behind_c["witten_bell_7"]
    behind_a = by_name["witten_bell_2"][1]
    assert behind_a == pytest.approx((2 + 2 * behind_c["unigram"]) / (3 + 2))


def test_one_training_tweet_is_enough_and_soon_known_by_heart() -> None:
    vocab = Vocab.from_tweets(["mum made a cake"])
    bits = baselines(["mum made a cake"], ["mum made a cake"], vocab)
    assert bits["witten_bell_7"] < 0.3 < bits["witten_bell_2"] < bits["unigram"] < bits["uniform"]
    assert_equals_naive(["mum made a cake"], ["mum made a cake"], vocab)


@given(tweets=st.lists(st.text("abc", max_size=7), min_size=1, max_size=9), num_targets=st.integers(1, 30))
def test_streams_hold_every_target_once_each_tweet_behind_its_own_bos(tweets: list[str], num_targets: int) -> None:
    vocab = Vocab("abc")
    parts = list(streams(EncodedTweets.from_tweets(tweets, vocab), num_targets, 2))
    assert [token_id for part in parts for token_id in part.token_ids] == [
        token_id for tweet in tweets for token_id in (BOS, BOS, *vocab.encode(tweet), EOS)
    ]
    assert [token_id for part in parts for token_id in part.targets] == [
        token_id for tweet in tweets for token_id in (*vocab.encode(tweet), EOS)
    ]
    assert all(len(part.positions) <= max(num_targets, max(map(len, tweets)) + 1) for part in parts)


def test_special_symbols_are_in_the_vocabulary_that_probability_is_shared_among() -> None:
    assert baselines(["a"], ["a"], Vocab("a"))["uniform"] == pytest.approx(math.log2(len(SPECIALS) + 1))
