"""The n-gram baselines equal a naive implementation; an entry of their cache is exact, and a damaged one a miss."""

from __future__ import annotations

import math
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.baselines import cache, contexts, counting, ngrams
from engine.baselines.cache import MAX_ENTRIES
from engine.baselines.ngrams import baseline_bits
from engine.model.vocab import BOS, EOS, UNK, Vocab
from engine.protocol.stage import OnProgress, no_progress
from engine.storage import atomic_write
from engine.storage.folders import cache_folder
from tests.engine.helpers import encoded_with, small_tweets, vocab_of
from tests.fakes import BrokenDisk

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


# The cache ------------------------------------------------------------------------------------------------------------


BITS = {"uniform": 6.93, "unigram": 4.7738032751588, "witten_bell_2": 3.1}
NAMES = tuple(BITS)


def entries() -> list[Path]:
    return sorted((cache_folder() / "baselines").glob("*"))


def test_an_entry_is_loaded_as_it_was_stored_by_its_key_and_names() -> None:
    assert cache.load("key", NAMES) is None
    cache.store("key", BITS)
    assert cache.load("key", NAMES) == BITS
    assert cache.load("other", NAMES) is None
    assert cache.load("key", (*NAMES, "witten_bell_3")) is None


def test_a_changed_byte_is_a_miss_and_so_is_a_cut() -> None:
    cache.store("key", BITS)
    [path] = entries()
    content = path.read_bytes()
    for position in range(0, len(content), 3):
        changed = bytes([content[position] ^ 1])
        for damaged in (content[:position], content[:position] + changed + content[position + 1 :]):
            path.write_bytes(damaged)
            assert cache.load("key", NAMES) is None
    cache.store("key", BITS)
    assert cache.load("key", NAMES) == BITS


def test_the_least_recently_used_entries_are_deleted() -> None:
    for number in range(MAX_ENTRIES):
        cache.store(f"key{number}", BITS)
    for age, path in enumerate(entries()):
        os.utime(path, (age, age))
    oldest = entries()[0].stem
    assert cache.load(oldest, NAMES) == BITS

    cache.store("another", BITS)

    assert len(entries()) == MAX_ENTRIES
    assert cache.load(oldest, NAMES) == BITS


def test_a_full_disk_leaves_no_entry_and_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic_write, "os", BrokenDisk(breaks_at=0))
    cache.store("key", BITS)
    assert entries() == []
    assert cache.load("key", NAMES) is None
