"""The bench: that all do the same work, that its figures follow from the timings, and that it keeps to its time.

No figure that a clock gave is looked at: clocks are set by hand, or tick by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.bench import sampling, training
from engine.bench.benchmark import Benchmark, BenchReport
from engine.bench.matrix_products import MatrixProducts
from engine.bench.peer_loops import PeerLoop, packed_loss, time_major_loss
from engine.bench.training import Field, Shape, train_figures
from engine.bench.turns import Contender, alternate, median_ratio
from engine.bench.tutorial_loop import TutorialLoop
from engine.config.corpus import CorpusConfig
from engine.corpus.batches import BatchStream
from engine.corpus.encoded_tweets import Batch
from engine.corpus.position import Position
from engine.training.trainer import Trainer
from tests.engine.helpers import CPU, TickingClock, encoded, some_batches, write_corpus
from tests.fakes import FakeClock

TINY = Shape(embedding_size=4, hidden_size=6, batch_size=5)


def some_field() -> tuple[Field, int]:
    """Return everyone who trains a tiny model, and the size of the vocabulary."""
    tweets, vocab = encoded()
    batches = BatchStream(tweets, TINY.batch_size, 0, Position())
    return Field(TINY, len(vocab), CPU.device, batches), len(vocab)


def turn(name: str, clock: FakeClock, seconds: list[float], amount: int = 60) -> Contender:
    """Return who takes that long in each of its turns."""

    def take_turn(number: int) -> int:
        clock.advance(seconds[number])
        return amount

    return Contender(name, take_turn)


# --- the same work ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss_of", [time_major_loss, packed_loss])
def test_the_peers_see_the_tutorials_losses(loss_of: Callable[..., torch.Tensor]) -> None:
    field, _ = some_field()
    tutorial, peer = TutorialLoop(field.tutorial_model()), PeerLoop(field.tutorial_model(), loss_of)
    for batch in some_batches(8):
        assert float(peer.step(batch)) == pytest.approx(tutorial.step(batch), rel=1e-4)


def test_everyone_gets_the_same_batches_in_a_round_and_others_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[bytes]] = {}

    def note(who: str) -> Callable[[object, Batch], float]:
        def step(_: object, batch: Batch) -> float:
            seen.setdefault(who, []).append(batch.inputs.tobytes())
            return 0.0

        return step

    monkeypatch.setattr(TutorialLoop, "step", note("tutorial"))
    monkeypatch.setattr(PeerLoop, "step", note("peer"))
    monkeypatch.setattr(Trainer, "step", lambda self, batch, _: note("ours")(self, batch))
    monkeypatch.setattr(MatrixProducts, "step", note("limit"))
    field, _ = some_field()
    field.steps_per_turn = 2
    contenders = field.contenders()
    amounts = [{contender.take_turn(number) for contender in contenders} for number in range(3)]
    expected = list(islice(BatchStream(encoded()[0], TINY.batch_size, 0, Position()), 6))
    assert amounts == [{a.num_targets + b.num_targets} for a, b in zip(expected[::2], expected[1::2], strict=True)]
    in_order = [batch.inputs.tobytes() for batch in expected]
    assert set(seen) == {"tutorial", "peer", "ours", "limit"}
    assert all(list(dict.fromkeys(inputs)) == in_order for inputs in seen.values())


# --- figures from timings --------------------------------------------------------------------------------------------


def test_rounds_begin_with_another_contender_each_time_and_end_before_the_time_is_over() -> None:
    clock, told = FakeClock(), list[str]()
    contenders = [turn(name, clock, [1.0] * 99) for name in "abc"]
    rates = alternate(contenders, 12.0, clock, told.append)
    assert told[:5] == ["round 1, a", "round 1, b", "round 1, c", "round 2, b", "round 2, c"]
    assert "".join(turn[-1] for turn in told) == "abcbcacababc"
    assert clock.now == 12.0
    assert rates == {name: [60.0] * 4 for name in "abc"}


def test_who_takes_more_than_a_tenth_of_the_time_for_a_turn_does_not_come_to_another() -> None:
    clock = FakeClock()
    contenders = [turn("quick", clock, [1.0] * 99), turn("slow", clock, [11.0])]
    rates = alternate(contenders, 100.0, clock, lambda _: None)
    assert (len(rates["quick"]), len(rates["slow"])) == (89, 1)


def test_figures_of_training_compare_each_with_the_best_tutorial_and_the_best_limit() -> None:
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


def test_a_shape_that_there_is_no_time_for_is_left_out_and_the_bench_ends_in_time(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second shape takes 2 s a turn, of which it needs four: of 10 s, it gets less than that."""
    clock, told = TickingClock(0.05), list[tuple[float, str]]()
    slow = Shape(embedding_size=4, hidden_size=7, batch_size=5)

    def contenders(field: Field) -> list[Contender]:
        seconds = 2.0 if field.shape == slow else 0.01
        return [turn(name, clock, [seconds] * 999) for name in ("tutorial", "ours", "matrix products")]

    monkeypatch.setattr(Field, "contenders", contenders)
    config = CorpusConfig(files=(str(corpus),))
    benchmark = Benchmark(CPU.device, 10.0, lambda *news: told.append(news), config, [TINY, slow], clock)

    report = benchmark.run()

    assert clock.now <= 10.0 + 2.5
    assert benchmark.left_out == ["(4, 7, 5)"]
    assert {row.hidden_size for row in report.train} == {6}
    assert [share for share, _ in told if share == 1.0] == [1.0]
    assert told[-1][0] == 1.0


def tiny_report(corpus: Path, clock: TickingClock, seconds: float, told: list[tuple[float, str]]) -> BenchReport:
    config = CorpusConfig(files=(str(corpus),))
    benchmark = Benchmark(torch.device("cpu"), seconds, lambda *news: told.append(news), config, [TINY, TINY], clock)
    return benchmark.run()


@pytest.fixture
def corpus(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sampling, "MANY", 9)
    monkeypatch.setattr(training, "available_cores", lambda: 1)
    return write_corpus(tmp_path)


def test_it_ends_in_about_the_time_that_was_asked_for_and_tells_how_much_has_passed(corpus: Path) -> None:
    clock, told = TickingClock(0.02), list[tuple[float, str]]()
    tiny_report(corpus, clock, 4.0, told)
    assert 3.0 < clock.now < 5.0
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert 0.0 <= shares[0] < 0.1
    assert 0.8 < shares[-2] < shares[-1] == 1.0


def test_every_way_has_its_row_for_the_first_shape_however_short_it_is(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "has_bfloat16", lambda _: True)
    before = torch.get_num_threads()
    report = tiny_report(corpus, TickingClock(0.01), 0.01, [])
    paths = [row.path for row in report.train]
    ways = ("tutorial", "time-major nn.GRU", "packed nn.GRU", "ours", "ours, bfloat16", "matrix products")
    assert paths == [f"{way}, 1 thread" for way in ways]
    assert [(row.num_tweets, row.path) for row in report.sample] == [
        (1, "tutorial, 1 thread"),
        (1, "ours, 1 thread"),
        (9, "ours, 1 thread"),
    ]
    assert [row.path for row in report.read] == ["fresh", "cached"]
    assert all(np.isfinite([row.chars_per_second, row.ratio_to_tutorial, row.spread]).all() for row in report.train)
    assert report.machine["peak_bytes_before"] <= report.machine["peak_bytes_training"]  # type: ignore[operator] # numbers
    assert torch.get_num_threads() == before
