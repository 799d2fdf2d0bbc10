"""Bits per character: every target counts, an unknown character costs 20 more. Baselines, and the learning rate."""

from __future__ import annotations

import math
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.compute.cpu.step import ForwardPass
from engine.compute.device import tensor_float_32
from engine.config.run import TrainingConfig
from engine.model.gru import TextGenerator
from engine.model.parameters import InferenceWeights
from engine.model.vocab import BOS, EOS, UNK, Vocab
from engine.protocol.progress import OnProgress, no_progress
from engine.storage import files
from engine.storage.folders import cache_folder
from engine.training import baselines, evaluation
from engine.training.evaluation import evaluate
from engine.training.schedule import COOLDOWN_SHARE, budget_used, exhausted_budget, learning_rate_at
from engine.training.trainer import AbandonedError
from tests.engine.compute.cpu.random_batches import Shape, random_batch, shapes
from tests.engine.helpers import encoded_with, small_tweets, vocab_of
from tests.fakes import BrokenDisk

MANY = [tweet * times for tweet in small_tweets(24) for times in (1, 2, 3)]
"""More tweets than one batch has, of different lengths."""
VOCAB = vocab_of(MANY)


def random_model(vocab: Vocab = VOCAB, dropout: float = 0.0) -> TextGenerator:
    torch.manual_seed(4)
    return TextGenerator(len(vocab), 6, 8, dropout=dropout)


def evaluated(model: TextGenerator, tweets: list[str], vocab: Vocab = VOCAB) -> evaluation.Evaluation:
    return evaluate(model, encoded_with(vocab, tweets))


def test_an_unknown_character_costs_its_unk_plus_twenty_bits() -> None:
    vocab = Vocab("ab")
    model = random_model(vocab)
    with torch.no_grad():  # a uniform distribution
        model.proj.weight.zero_()
        model.proj.bias.zero_()
    result = evaluated(model, ["aZbZ"], vocab)
    assert result.num_unknown_chars == 2
    assert result.total_nats / math.log(2) == pytest.approx(5 * math.log2(6) + 2 * 20, rel=1e-6)


def test_the_figure_is_the_same_to_the_bit_on_any_number_of_threads() -> None:
    model, found = random_model(), set()
    for num_threads in (3, 2, 1):
        torch.set_num_threads(num_threads)
        found.add(evaluated(model, MANY * 2).total_nats)
        assert torch.get_num_threads() == num_threads
    assert len(found) == 1


def test_an_interrupted_evaluation_is_abandoned_and_restores_the_training_mode() -> None:
    model = random_model().train()
    answers = iter([False, True])
    with pytest.raises(AbandonedError):
        evaluate(model, encoded_with(VOCAB, MANY * 2), should_stop=lambda: next(answers))
    assert model.training
    assert next(answers, "asked between two batches") == "asked between two batches"


def test_a_gpu_evaluates_without_tf32_and_allows_it_again_after(monkeypatch: pytest.MonkeyPatch) -> None:
    def allowed() -> tuple[bool, str]:
        return torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()

    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        with tensor_float_32(torch.device("cuda"), is_allowed=False):
            assert allowed() == (False, "highest")
        assert allowed() == (True, "high")
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_the_loss_of_a_batch_in_parts_and_of_an_evaluation_is_that_of_the_module_without_dropout_or_random_numbers(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`score_chars`, one character at a time, is compared in the tests of the sampler."""
    monkeypatch.setattr(TextGenerator, "device", torch.device(device))  # "meta" stands for a GPU, without one
    monkeypatch.setattr(torch.Tensor, "to", lambda tensor, *_: tensor)
    model, tweets = random_model(dropout=0.5).train(), encoded_with(VOCAB, MANY)
    assert len(tweets) > evaluation.EVAL_BATCH_SIZE
    batch, state = tweets.batch(np.arange(len(tweets))), torch.get_rng_state()
    expected = float(evaluation._sum_by_forward(model, batch))
    result, num_chars = evaluate(model, tweets), sum(map(len, MANY)) + len(MANY)
    assert result.total_nats == pytest.approx(expected, rel=1e-6)
    assert (result.num_tweets, result.num_chars, result.num_unknown_chars) == (len(MANY), num_chars, 0)
    assert result.nats_per_char == pytest.approx(expected / num_chars)
    assert result.bits_per_char == pytest.approx(result.nats_per_char / math.log(2))
    assert evaluation.batch_loss(model, batch, 7) == pytest.approx(expected / num_chars, rel=1e-6)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training


@given(shape=shapes())
def test_the_sum_of_the_forward_pass_equals_the_modules_own_whatever_batch_came_before(shape: Shape) -> None:
    model, batch = shape.model().float(), shape.batch()
    expected = float(evaluation._sum_by_forward(model, batch))
    reader = ForwardPass(InferenceWeights(model))
    found = float(reader.sum_of_losses(batch))
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-5)
    reader.sum_of_losses(random_batch([12, 12, 12, 12, 30], shape.vocab_size))
    assert float(reader.sum_of_losses(batch)) == found


# The learning rate ----------------------------------------------------------------------------------------------------


PEAK = 0.004


def test_the_warmup_rises_linearly_the_cosine_ends_at_a_twentieth_and_the_cooldown_at_zero() -> None:
    warmup = TrainingConfig(learning_rate=PEAK, warmup_steps=4)
    cosine = TrainingConfig(learning_rate=PEAK, schedule="cosine", max_steps=1000)
    cooldown = TrainingConfig(learning_rate=PEAK, schedule="cooldown", max_steps=1000)
    begin = 1 - COOLDOWN_SHARE

    def rates(config: TrainingConfig, *used: float) -> list[float]:
        return [learning_rate_at(config, round(1000 * share), share) / PEAK for share in used]

    rising = [learning_rate_at(warmup, step, None) / PEAK for step in range(6)]
    assert rising == pytest.approx([1 / 4, 1 / 2, 3 / 4, 1, 1, 1])
    assert rates(cosine, 0.0, 0.5, 1.0) == pytest.approx([1, (1 + 0.05) / 2, 0.05])
    assert rates(cooldown, 0.0, 0.5, begin, begin + COOLDOWN_SHARE / 4) == pytest.approx([1, 1, 1, 1 / 2])
    assert 1 / 500 > rates(cooldown, 0.999)[0] > 0 == rates(cooldown, 1.0)[0]
    for unlimited in (replace(cosine, max_steps=None), replace(cooldown, max_steps=None)):
        assert learning_rate_at(unlimited, 10_000, budget_used(unlimited, 10_000, 3.0, 60.0)) == PEAK


@given(step=st.integers(0, 10**6), progress=st.floats(0, 2) | st.none(), warmup_steps=st.integers(0, 1000))
def test_the_rate_is_always_positive_and_at_most_the_peak(step: int, progress: float | None, warmup_steps: int) -> None:
    config = TrainingConfig(learning_rate=PEAK, schedule="cosine", warmup_steps=warmup_steps)
    assert 0 < learning_rate_at(config, step, progress) <= PEAK * (1 + 1e-12)


def test_the_schedule_follows_the_budget_that_is_used_most() -> None:
    config = TrainingConfig(max_steps=100, epochs=2.0, max_seconds=50.0)
    assert (budget_used(config, 10, 1.0, 5.0), budget_used(config, 500, 1.0, 5.0)) == (0.5, 1.0)
    places = [(10, 1.0, 5.0), (10, 2.0, 5.0), (10, 1.0, 50.0), (100, 1.0, 5.0)]
    assert [exhausted_budget(config, *place) for place in places] == [None, "epochs", "max_seconds", "max_steps"]


# Baselines ------------------------------------------------------------------------------------------------------------


tiny_corpora = partial(st.lists, st.text("abcdé 寿", min_size=1, max_size=9), min_size=1, max_size=12)


class NaiveWittenBell:
    """The definition, with one dictionary of next characters per context of up to six."""

    def __init__(self, tweets: Sequence[Sequence[int]], vocab_size: int) -> None:
        self.vocab_size = vocab_size
        self.next_counts: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for context, target in places_of(tweets):
            for length in range(7):
                self.next_counts[context[6 - length :]][target] += 1

    def probability(self, context: tuple[int, ...], target: int) -> float:
        shorter = self.probability(context[1:], target) if context else 1 / self.vocab_size
        next_counts = self.next_counts.get(context, Counter())
        if not next_counts:
            return shorter
        return (next_counts[target] + len(next_counts) * shorter) / (next_counts.total() + len(next_counts))

    def bits_per_char(self, tweets: Sequence[Sequence[int]], order: int) -> float:
        bits = [
            20 * (target == UNK) - math.log2(self.probability(context[7 - order :], target))
            for context, target in places_of(tweets)
        ]
        return sum(bits) / len(bits)


def places_of(tweets: Sequence[Sequence[int]]) -> list[tuple[tuple[int, ...], int]]:
    """Return each target of some tweets, after the six characters before it."""
    padded = [(BOS,) * 6 + (*tweet, EOS) for tweet in tweets]
    return [(ids[at - 6 : at], ids[at]) for ids in padded for at in range(6, len(ids))]


def assert_equals_naive(
    train: Sequence[str], held_out: Sequence[str], vocab: Vocab, on_progress: OnProgress = no_progress
) -> None:
    """Assert that the baselines of all orders are those of the naive implementation."""
    found = baselines.baseline_bits(encoded_with(vocab, train), encoded_with(vocab, held_out), len(vocab), on_progress)
    naive = NaiveWittenBell([vocab.encode(tweet) for tweet in train], len(vocab))
    for order in range(1, 8):
        expected = naive.bits_per_char([vocab.encode(tweet) for tweet in held_out], order)
        assert found["unigram" if order == 1 else f"witten_bell_{order}"] == pytest.approx(expected, abs=1e-9)


@given(
    train=tiny_corpora(),
    held_out=tiny_corpora(),
    known=st.sampled_from(["abcdé 寿", "abc", "d"]),
    least_rows=st.sampled_from([baselines._LEAST_ROWS, 1]),
)
def test_every_order_equals_the_naive_bits(train: list[str], held_out: list[str], known: str, least_rows: int) -> None:
    with mock.patch.object(baselines, "_LEAST_ROWS", least_rows):
        assert_equals_naive(train, held_out, Vocab(known))


def test_many_chunks_give_the_naive_bits_and_progress_from_zero_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "_CHUNK_TARGETS", 200)
    monkeypatch.setattr(baselines, "_PIECE_TARGETS", 300)
    monkeypatch.setattr(baselines, "_PIECE_ROWS", 500)
    monkeypatch.setattr(baselines, "_LEAST_ROWS", 64)
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


def test_an_entry_is_loaded_as_it_was_stored_and_one_that_is_changed_or_cut_is_a_miss() -> None:
    assert baselines.load_baselines("key", NAMES) is None
    baselines.store_baselines("key", BITS)
    assert baselines.load_baselines("key", NAMES) == BITS
    assert baselines.load_baselines("other", NAMES) is None
    assert baselines.load_baselines("key", (*NAMES, "witten_bell_3")) is None
    [path] = entries()
    content = path.read_bytes()
    for position in range(0, len(content), 3):
        changed = bytes([content[position] ^ 1])
        for damaged in (content[:position], content[:position] + changed + content[position + 1 :]):
            path.write_bytes(damaged)
            assert baselines.load_baselines("key", NAMES) is None
    baselines.store_baselines("key", BITS)
    assert baselines.load_baselines("key", NAMES) == BITS


def test_least_recently_used_entries_are_deleted_and_a_full_disk_raises_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(baselines.MAX_CACHE_ENTRIES):
        baselines.store_baselines(f"key{number}", BITS)
    for age, path in enumerate(entries()):
        os.utime(path, (age, age))
    oldest = entries()[0].stem
    assert baselines.load_baselines(oldest, NAMES) == BITS
    baselines.store_baselines("another", BITS)
    assert len(entries()) == baselines.MAX_CACHE_ENTRIES
    assert baselines.load_baselines(oldest, NAMES) == BITS
    monkeypatch.setattr(files, "os", BrokenDisk(breaks_at=0))
    baselines.store_baselines("key", BITS)
    assert len(entries()) == baselines.MAX_CACHE_ENTRIES
    assert baselines.load_baselines("key", NAMES) is None
