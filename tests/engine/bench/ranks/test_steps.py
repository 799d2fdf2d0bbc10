from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.bench.ranks import benchmark
from engine.bench.ranks.benchmark import ALONE, TOGETHER, RanksBenchmark, StepsReport, figures_of
from engine.bench.ranks.steps import PARTS, StepBench
from engine.bench.train_figures import Shape
from engine.compute.device import Runtime
from engine.config.corpus import CorpusConfig
from engine.corpus.training_data import TrainingData, load_training_data
from engine.parallel.ranks import Ranks
from tests.cli.program import write_tweets
from tests.engine.parallel.threads import on_ranks

RUNTIME = Runtime(device=torch.device("cpu"), precision="float32", num_threads=1)
SHAPE = Shape(4, 6, 8)


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusConfig:
    return CorpusConfig(files=(str(write_tweets(tmp_path / "tweets.txt")),))


@pytest.fixture
def data(corpus: CorpusConfig) -> TrainingData:
    return load_training_data(corpus, None, lambda _: None)


def test_all_ranks_together_train_on_the_batches_of_one_process(data: TrainingData) -> None:
    def trained(ranks: Ranks) -> tuple[int, int, int]:
        bench = StepBench(ranks, RUNTIME, SHAPE, data)
        return bench.train_together(0, 3), bench.train_alone(0, 3, 1), bench.train_together(1, 3)

    first, second = [each.result() for each in on_ranks(trained)]
    assert first == second
    together, alone, next_round = first
    assert together == alone
    assert next_round != together


def test_the_parts_of_a_step_add_up_to_it_and_warm_ups_do_not_count(data: TrainingData) -> None:
    ticks = iter(range(10_000))

    def clocked(ranks: Ranks) -> tuple[float, ...]:
        bench = StepBench(ranks, RUNTIME, SHAPE, data, clock=lambda: float(next(ticks)))
        bench.train_clocked(-1, 2)
        assert bench.clocks.num_steps == 0
        bench.train_clocked(0, 2)
        return bench.clocks.per_step()

    [parts] = [each.result() for each in on_ranks(clocked, world_size=1)]
    # the clock advances by one whenever it is read: before the step, at the gradient, the barrier, the sum, the end
    assert dict(zip(PARTS, parts, strict=True)) == {"compute": 2.0, "sum": 1.0, "wait": 1.0, "host": 1.5}


@pytest.fixture
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use no two threads: on busy cores they take long."""
    monkeypatch.setattr(benchmark, "compared_thread_counts", lambda _: [1])


@pytest.mark.usefixtures("_one_thread")
def test_the_others_follow_the_leader_through_all_shapes(corpus: CorpusConfig) -> None:
    def run(ranks: Ranks) -> StepsReport | None:
        shapes, ticks = (SHAPE, Shape(4, 8, 8)), itertools.count()
        clock = lambda: 0.01 * next(ticks)  # noqa: E731 - the same number of rounds on any machine
        return RanksBenchmark(ranks, RUNTIME, 1.5, lambda _share, _doing: None, corpus, shapes, clock).run()

    report, other = [each.result() for each in on_ranks(run)]
    assert other is None
    assert report is not None
    assert [figures.hidden_size for figures in report.train] == [6, 8]
    assert all(figures.chars_per_second > 0 for figures in report.train)
    assert report.machine["world_size"] == 2


@pytest.mark.usefixtures("_one_thread")
def test_a_shape_for_which_there_is_no_time_is_named(corpus: CorpusConfig) -> None:
    def run(ranks: Ranks) -> list[str]:
        whole = RanksBenchmark(ranks, RUNTIME, 1e-6, lambda _share, _doing: None, corpus, (SHAPE, SHAPE))
        whole.run()
        return whole.skipped_shapes

    assert [each.result() for each in on_ranks(run)] == [["(4, 6, 8)"], []]


def test_efficiency_is_the_speedup_per_rank_over_the_best_number_of_threads() -> None:
    rates = {TOGETHER: [300.0, 330.0, 360.0], f"{ALONE}, 1 thread": [200.0] * 3, f"{ALONE}, 2 threads": [220.0] * 3}
    parts = np.array([[0.01, 0.002, 0.004, 0.0], [0.014, 0.002, 0.0, 0.001]])
    figures = figures_of(SHAPE, rates, parts)
    assert (figures.ratio_to_one, figures.efficiency) == (1.5, 0.75)
    assert (figures.chars_per_second, figures.spread) == (330.0, 0.091)
    assert (figures.compute_seconds, figures.wait_seconds, figures.host_seconds) == (0.012, 0.002, 0.0005)
    assert figures.slowest_rank == 1
