"""The benchmark, on fake clocks: variants do the same work, figures follow from the timings, and it ends in time."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
import torch

from engine.config.corpus import CorpusConfig
from engine.corpus.encoded_tweets import Batch
from engine.corpus.training_data import load_training_data
from engine.sampling import bench
from engine.sampling.bench import Benchmark, Shape, TrainingTrials, Variant, figures_of, run_rounds
from engine.sampling.tutorial_loop import TutorialLoop
from engine.training.trainer import Trainer
from tests.engine.helpers import CPU, TickingClock, write_corpus
from tests.fakes import FakeClock

TINY, OTHER = Shape(4, 8, 5), Shape(4, 18, 5)


@pytest.fixture
def corpus(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CorpusConfig:
    """A small corpus, on a machine with one core that has bfloat16."""
    monkeypatch.setattr(bench, "MANY", 9)
    monkeypatch.setattr(bench, "available_cores", lambda: 1)
    monkeypatch.setattr(bench, "may_train_in_bfloat16", lambda _: True)
    return CorpusConfig(files=(str(write_corpus(tmp_path)),))


def test_all_variants_train_on_the_same_batches(corpus: CorpusConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, seen = FakeClock(), list[Batch]()

    def step(_: object, batch: Batch, *_rate: float) -> None:
        seen.append(batch)
        clock.advance(bench.MAX_TRIAL_SECONDS / 2)

    monkeypatch.setattr(TutorialLoop, "step", step)
    monkeypatch.setattr(Trainer, "step", step)
    training = TrainingTrials(TINY, load_training_data(corpus, None, lambda _: None), CPU.device, clock)
    training.steps_per_trial = 2
    trials = training.trials()
    assert [variant.path for variant in trials] == ["tutorial", "ours", "ours, bfloat16"]
    rounds = [[(trial(number), seen[-2:]) for trial in trials.values()] for number in range(3)]
    for results in rounds:
        assert all(result == results[0] for result in results)
        assert results[0][0] == sum(batch.num_targets for batch in results[0][1])
    assert len({id(batch) for [(_, batches), *_] in rounds for batch in batches}) == 6
    training.steps_per_trial = 20
    seen.clear()
    assert trials[next(iter(trials))](3) == sum(batch.num_targets for batch in seen)
    assert len(seen) == 3, "a trial that takes long ends early"


def timed(clock: FakeClock, seconds: float) -> Callable[[int], int]:
    """Return a trial that takes that long for 60 characters."""

    def trial(_: int) -> int:
        clock.advance(seconds)
        return 60

    return trial


def test_each_round_starts_with_another_variant_the_last_ends_in_time_and_a_slow_variant_runs_once() -> None:
    clock, begun = FakeClock(), list[str]()
    trials = {Variant(name, 1, 1): timed(clock, seconds) for name, seconds in (("a", 1.0), ("b", 1.0), ("slow", 5.0))}
    rates = run_rounds(trials, 20.0, clock, lambda variant: begun.append(variant.path))
    assert begun == ["a", "b", "slow", "b", "a", "a", "b", "b", "a", "a", "b", "b", "a", "a", "b"]
    assert clock.now == 19.0
    assert {variant.path: each for variant, each in rates.items()} == {"a": [60.0] * 7, "b": [60.0] * 7, "slow": [12.0]}


def test_figures_are_medians_over_the_rounds_relative_to_the_tutorial_at_its_best_number_of_threads() -> None:
    rates = {
        Variant("tutorial", 5, 1): [100.0, 100.0, 50.0],
        Variant("tutorial", 5, 2): [10.0],
        Variant("ours", 5, 2): [200.0, 800.0, 100.0],
    }
    [_, slow, ours] = figures_of(TINY, rates)
    assert (ours.embedding_size, ours.hidden_size, ours.batch_size, ours.num_threads) == (4, 8, 5, 2)
    assert (ours.chars_per_second, ours.ratio_to_tutorial) == (200.0, 2.0)  # not the ratio of the medians
    assert ours.spread == pytest.approx((500.0 - 150.0) / 200.0)
    assert (slow.ratio_to_tutorial, slow.spread) == (0.1, 0.0)


@pytest.mark.parametrize(("seconds", "tick", "measured"), [(2.0, 0.02, [TINY, OTHER]), (0.01, 0.01, [TINY])])
def test_it_ends_in_about_the_requested_time_after_at_least_the_first_shape(
    corpus: CorpusConfig, seconds: float, tick: float, measured: list[Shape]
) -> None:
    clock, shares, threads = TickingClock(tick), list[float](), torch.get_num_threads()
    benchmark = Benchmark(
        CPU.device, seconds, lambda share, _: shares.append(share or 0.0), corpus, [TINY, OTHER], clock
    )
    report = benchmark.run()
    assert torch.get_num_threads() == threads
    assert benchmark.skipped_shapes == [shape for shape in (TINY, OTHER) if shape not in measured]
    paths = ("tutorial", "ours", "ours, bfloat16")
    kinds = ((1, "tutorial"), (1, "ours"), (9, "ours"))
    sizes = [shape.hidden_size for shape in measured]
    assert [(row.hidden_size, row.path) for row in report.train] == list(product(sizes, paths))
    sampled = [(row.hidden_size, (row.batch_size, row.path)) for row in report.sample]
    assert sampled == list(product(sizes, kinds))
    assert all(row.chars_per_second > 0 for row in (*report.train, *report.sample))
    assert shares[-1] == 1.0
    if OTHER in measured:
        assert 1.5 < clock.now < 2.5
        assert shares == sorted(shares)
        assert 0.0 <= shares[0] < 0.1
        assert shares[-2] > 0.8
