"""The benchmark, on fake clocks: variants do the same work, figures follow from the timings, and it ends in time."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.bench import sampling, training
from engine.bench.benchmark import Benchmark, BenchReport
from engine.bench.interleaved import Variant, median_ratio, run_interleaved
from engine.bench.matrix_products import MatrixProducts
from engine.bench.peer_loops import PeerLoop, packed_loss, time_major_loss
from engine.bench.train_figures import Shape, train_figures
from engine.bench.training import TrainingBench
from engine.bench.tutorial_loop import TutorialLoop
from engine.compute.gpu.buckets import bucket_length
from engine.compute.gpu.cuda_graphs import WARM_UP_VISITS
from engine.compute.memory import CudaAllocator
from engine.config.corpus import CorpusConfig
from engine.corpus.batches import BatchStream
from engine.corpus.encoded_tweets import Batch
from engine.corpus.position import Position
from engine.training.trainer import Trainer
from tests.engine.compute.gpu.device_steps import FakeRecorder
from tests.engine.helpers import CPU, TickingClock, encoded, some_batches, write_corpus
from tests.fakes import FakeClock

TINY = Shape(embedding_size=4, hidden_size=6, batch_size=5)


def tiny_bench() -> TrainingBench:
    """Return the training variants of a tiny model."""
    tweets, vocab = encoded()
    batches = BatchStream(tweets, TINY.batch_size, 0, Position())
    return TrainingBench(TINY, len(vocab), CPU.device, batches)


def timed_variant(name: str, clock: FakeClock, seconds: list[float], amount: int = 60) -> Variant:
    """Return a variant whose trials take these seconds."""

    def run_trial(number: int) -> int:
        clock.advance(seconds[number])
        return amount

    return Variant(name, run_trial)


# --- the same work ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss_of", [time_major_loss, packed_loss])
def test_the_peers_have_the_tutorials_losses(loss_of: Callable[..., torch.Tensor]) -> None:
    bench = tiny_bench()
    tutorial, peer = TutorialLoop(bench.tutorial_model()), PeerLoop(bench.tutorial_model(), loss_of)
    for batch in some_batches(8):
        assert float(peer.step(batch)) == pytest.approx(tutorial.step(batch), rel=1e-4)


def test_all_variants_get_the_same_batches_in_a_round_and_new_ones_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[bytes]] = {}

    def record(name: str) -> Callable[[object, Batch], float]:
        def step(_: object, batch: Batch) -> float:
            seen.setdefault(name, []).append(batch.inputs.tobytes())
            return 0.0

        return step

    monkeypatch.setattr(TutorialLoop, "step", record("tutorial"))
    monkeypatch.setattr(PeerLoop, "step", record("peer"))
    monkeypatch.setattr(Trainer, "step", lambda self, batch, _: record("ours")(self, batch))
    monkeypatch.setattr(MatrixProducts, "step", record("limit"))
    bench = tiny_bench()
    bench.steps_per_trial = 2
    variants = bench.variants()
    amounts = [{variant.run_trial(number) for variant in variants} for number in range(3)]
    expected = list(islice(BatchStream(encoded()[0], TINY.batch_size, 0, Position()), 6))
    assert amounts == [{a.num_targets + b.num_targets} for a, b in zip(expected[::2], expected[1::2], strict=True)]
    in_order = [batch.inputs.tobytes() for batch in expected]
    assert set(seen) == {"tutorial", "peer", "ours", "limit"}
    assert all(list(dict.fromkeys(inputs)) == in_order for inputs in seen.values())


class CountingProducts(MatrixProducts):
    """Counts the products of each step."""

    num_products = 0

    def _multiply(self, *args: Any) -> None:
        self.num_products += 1
        super()._multiply(*args)


def test_on_a_gpu_the_matrix_products_are_recorded_once_per_bucket(allocator: CudaAllocator) -> None:
    recorder = FakeRecorder()
    products = CountingProducts(9, 4, 6, CPU.device, dtype=torch.bfloat16, recorder=recorder)
    [batch] = some_batches(1)
    counts = []
    for _ in range(WARM_UP_VISITS + 3):
        before = products.num_products
        products.step(batch)
        counts.append(products.num_products - before)
    assert recorder.log == ["warm-up"] * WARM_UP_VISITS + ["record"] + ["replay"] * 3
    assert set(counts) == {2 * bucket_length(batch.num_columns) + 2}
    assert allocator.is_sound


# --- figures from timings --------------------------------------------------------------------------------------------


def test_each_round_starts_with_another_variant_and_the_last_ends_in_time() -> None:
    clock, trials = FakeClock(), list[str]()
    variants = [timed_variant(name, clock, [1.0] * 99) for name in "abc"]
    rates = run_interleaved(variants, 12.0, clock, trials.append)
    assert trials[:5] == ["round 1, a", "round 1, b", "round 1, c", "round 2, b", "round 2, c"]
    assert "".join(trial[-1] for trial in trials) == "abcbcacababc"
    assert clock.now == 12.0
    assert rates == {name: [60.0] * 4 for name in "abc"}


def test_a_variant_whose_trial_takes_over_a_tenth_of_the_time_runs_no_other() -> None:
    clock = FakeClock()
    variants = [timed_variant("quick", clock, [1.0] * 99), timed_variant("slow", clock, [11.0])]
    rates = run_interleaved(variants, 100.0, clock, lambda _: None)
    assert (len(rates["quick"]), len(rates["slow"])) == (89, 1)


def test_training_figures_are_relative_to_the_fastest_tutorial_and_the_fastest_limit() -> None:
    rates = {
        "tutorial, 1 thread": [100.0, 100.0, 50.0],
        "tutorial, 2 threads": [10.0, 10.0, 10.0],
        "ours, 2 threads": [200.0, 210.0, 100.0],
        "matrix products, 1 thread": [400.0, 420.0, 200.0],
        "matrix products, 2 threads": [100.0, 100.0, 100.0],
    }
    ours = next(row for row in train_figures(TINY, rates) if row.path == "ours, 2 threads")
    assert (ours.embedding_size, ours.hidden_size, ours.batch_size) == (4, 6, 5)
    assert (ours.chars_per_second, ours.ratio_to_tutorial, ours.share_of_limit) == (200.0, 2.0, 0.5)
    assert ours.spread == pytest.approx((205.0 - 150.0) / 200.0)
    assert median_ratio([10.0, 400.0, 30.0], [10.0, 100.0, 15.0]) == 2.0  # not the ratio of the medians


# --- the whole -------------------------------------------------------------------------------------------------------


def test_a_shape_without_time_is_skipped_and_the_benchmark_ends_in_time(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second shape needs four trials of 2 s, and gets less than that of the 10 s."""
    clock, news = TickingClock(0.05), list[tuple[float, str]]()
    slow = Shape(embedding_size=4, hidden_size=7, batch_size=5)

    def variants(bench: TrainingBench) -> list[Variant]:
        seconds = 2.0 if bench.shape == slow else 0.01
        return [timed_variant(name, clock, [seconds] * 999) for name in ("tutorial", "ours", "matrix products")]

    monkeypatch.setattr(TrainingBench, "variants", variants)
    config = CorpusConfig(files=(str(corpus),))
    benchmark = Benchmark(CPU.device, 10.0, lambda *each: news.append(each), config, [TINY, slow], clock)

    report = benchmark.run()

    assert clock.now <= 10.0 + 2.5
    assert benchmark.skipped_shapes == ["(4, 7, 5)"]
    assert {row.hidden_size for row in report.train} == {6}
    assert [share for share, _ in news if share == 1.0] == [1.0]
    assert news[-1][0] == 1.0


def tiny_report(corpus: Path, clock: TickingClock, seconds: float, news: list[tuple[float, str]]) -> BenchReport:
    config = CorpusConfig(files=(str(corpus),))
    benchmark = Benchmark(torch.device("cpu"), seconds, lambda *each: news.append(each), config, [TINY, TINY], clock)
    return benchmark.run()


@pytest.fixture
def corpus(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sampling, "MANY", 9)
    monkeypatch.setattr(training, "available_cores", lambda: 1)
    return write_corpus(tmp_path)


def test_it_ends_in_about_the_requested_time_and_reports_progress(corpus: Path) -> None:
    clock, news = TickingClock(0.02), list[tuple[float, str]]()
    tiny_report(corpus, clock, 4.0, news)
    assert 3.0 < clock.now < 5.0
    shares = [share for share, _ in news]
    assert shares == sorted(shares)
    assert 0.0 <= shares[0] < 0.1
    assert 0.8 < shares[-2] < shares[-1] == 1.0


def test_on_a_gpu_the_limit_is_that_of_the_same_precision() -> None:
    rates = {
        "tutorial": [10.0],
        "ours": [50.0],
        "ours, bfloat16": [120.0],
        "matrix products": [100.0],
        "matrix products, bfloat16": [200.0],
    }
    shares = {figures.path: figures.share_of_limit for figures in train_figures(TINY, rates)}
    assert (shares["ours"], shares["ours, bfloat16"], shares["tutorial"]) == (0.5, 0.6, 0.1)


def test_every_variant_has_a_row_for_the_first_shape_however_short_the_time(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "may_train_in_bfloat16", lambda _: True)
    before = torch.get_num_threads()
    report = tiny_report(corpus, TickingClock(0.01), 0.01, [])
    found = [row.path for row in report.train]
    paths = ("tutorial", "time-major nn.GRU", "packed nn.GRU", "ours", "ours, bfloat16", "matrix products")
    assert found == [f"{path}, 1 thread" for path in paths]
    assert [(row.num_tweets, row.path) for row in report.sample] == [
        (1, "tutorial, 1 thread"),
        (1, "ours, 1 thread"),
        (9, "ours, 1 thread"),
    ]
    assert [row.path for row in report.read] == ["fresh", "cached"]
    assert all(np.isfinite([row.chars_per_second, row.ratio_to_tutorial, row.spread]).all() for row in report.train)
    assert report.machine["peak_bytes_before"] <= report.machine["peak_bytes_training"]  # type: ignore[operator] # numbers
    assert torch.get_num_threads() == before
