"""Two trainers that sum their gradients take the steps of one that has the whole batch, on both paths.

The ranks are two threads of this process, in float64.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from unittest import mock

import pytest
import torch
from torch import Tensor

from engine.compute.gpu.resident_tweets import ResidentTweets
from engine.compute.step_timer import PhaseTimer
from engine.config.run import TrainingConfig
from engine.corpus.encoded_tweets import Batch, CorpusBatch
from engine.training.trainer import Trainer
from tests.engine.compute.gpu.device_steps import FakeRecorder, use_device_step
from tests.engine.helpers import CPU, assert_same_tensors, copy_of_state, model_with_table, some_batches
from tests.fakes import FakeClock

RATE = 2.0**-7
CONFIG = TrainingConfig(batch_size=8, weight_decay=0.1, ngram_decay=0.5, max_grad_norm=0.3, average_lag=0.1)


DIVISIONS = ([[0, 2, 4, 6], [1, 3, 5, 7]], [[0, 1, 2, 3, 4, 5, 6], [7]], [list(range(8)), []], [[], list(range(8))])
"""The tweets of each rank: equal parts, unequal ones, and one without any."""


def new_trainer(sum_over_ranks: Callable[[Tensor], None] | None = None, config: TrainingConfig = CONFIG) -> Trainer:
    torch.manual_seed(0)
    model = model_with_table(6, 18, 2).double()
    return Trainer(model, config, CPU, sum_over_ranks=sum_over_ranks, world_size=1 if sum_over_ranks is None else 2)


def part_of(batch: CorpusBatch, places: list[int]) -> CorpusBatch:
    """Return some tweets of a batch, as a rank has them; the last batch of an epoch is smaller."""
    rows = batch.rows[[place for place in places if place < batch.num_tweets]]
    return CorpusBatch(batch.tweets, rows, batch.num_targets)


@pytest.fixture(params=["here", "eager", "graphs"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of a step: that of a CPU, or that of a device, without graphs and with fake ones."""
    if request.param != "here":
        use_device_step(monkeypatch, FakeRecorder() if request.param == "graphs" else None)
    return str(request.param)


class TwoRanks:
    """Two trainers, each on a thread of its own, whose gradients are summed once both have come."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.num_sums = 0
        self._pool = pool
        self._barrier = threading.Barrier(2, timeout=60)
        self._tensors: dict[int, Tensor] = {}
        self.trainers = [new_trainer(partial(self._sum_over_ranks, rank)) for rank in (0, 1)]

    def _sum_over_ranks(self, rank: int, tensor: Tensor) -> None:
        self._tensors[rank] = tensor.clone()
        self._barrier.wait()
        total = self._tensors[0] + self._tensors[1]
        self._barrier.wait()
        tensor.copy_(total)
        self.num_sums += rank == 0

    def run(self, work: Callable[[int, Trainer], None]) -> None:
        """Call `work` with each rank and its trainer; raises what it raises first."""
        jobs = [self._pool.submit(work, rank, trainer) for rank, trainer in enumerate(self.trainers)]
        for future in wait(jobs, return_when=FIRST_EXCEPTION).done:
            future.result()

    def step(self, batch: CorpusBatch, division: int = 0) -> None:
        """Run a step of each rank on its tweets of a batch."""
        self.run(lambda rank, trainer: trainer.step(part_of(batch, DIVISIONS[division][rank]), RATE))


@pytest.fixture
def ranks(way: str) -> Iterator[TwoRanks]:
    with ThreadPoolExecutor(2) as pool:
        yield TwoRanks(pool)


def assert_equal_to_rounding(found: Trainer, expected: Trainer) -> None:
    """Assert that two trainers have the same state in float64, and have reported the same in float32."""
    for name, tensor in expected.state().items():
        torch.testing.assert_close(found.state()[name], tensor, rtol=1e-9, atol=1e-12)
    report, wanted = found.drain_report(), expected.drain_report()
    assert report.train_losses == pytest.approx(wanted.train_losses, rel=1e-6, nan_ok=True)
    assert report.grad_norms == pytest.approx(wanted.grad_norms, rel=1e-6, nan_ok=True)


def test_two_ranks_take_the_steps_of_one_with_clipping_decay_average_and_empty_parts(ranks: TwoRanks) -> None:
    whole, batches = new_trainer(), some_batches(16, 8)
    for number, batch in enumerate(batches):
        ranks.step(batch, number % 4)
        whole.step(batch, RATE)
    first, second = ranks.trainers
    assert ranks.num_sums == len(batches)
    assert_same_tensors(second.state(), first.state())
    assert first.checksum() == second.checksum() != whole.checksum()
    assert max(second.drain_report().grad_norms) > CONFIG.max_grad_norm
    assert_equal_to_rounding(first, whole)


ON_THE_CPU = pytest.mark.parametrize("way", ["here"], indirect=True)


@ON_THE_CPU
def test_a_part_that_is_not_finite_is_skipped_on_all_ranks(ranks: TwoRanks) -> None:
    [batch] = some_batches(1, 8)
    ranks.step(batch)
    first, second = ranks.trainers
    before = copy_of_state(first)
    sound = second._on_cpu._compute_at_once

    def spoiled(part: Batch) -> None:
        sound(part)
        second._flat.dense_grads[3] = math.inf

    with mock.patch.object(second._on_cpu, "_compute_at_once", spoiled):
        ranks.step(batch)

    for trainer in ranks.trainers:
        assert all(torch.equal(trainer.state()[name], before[name]) for name in before if name[:7] != "average")
        assert trainer.skipped_in_a_row == 1
        assert [math.isnan(loss) for loss in trainer.drain_report().train_losses] == [False, True]
    ranks.step(batch)
    assert_same_tensors(second.state(), first.state())
    assert [trainer.skipped_in_a_row for trainer in ranks.trainers] == [0, 0]


@ON_THE_CPU
def test_a_rank_out_of_memory_repeats_its_part_while_the_others_wait(ranks: TwoRanks) -> None:
    whole, batches = new_trainer(), some_batches(4, 8)
    first, second = ranks.trainers
    sound = second._on_cpu._compute_at_once

    def tight(part: Batch) -> None:
        if len(part.targets) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        sound(part)

    def train(rank: int, trainer: Trainer) -> None:
        for batch in batches:
            part = part_of(batch, DIVISIONS[0][rank])
            try:
                trainer.step(part, RATE)
            except torch.OutOfMemoryError:
                assert trainer.is_consistent
                trainer.set_micro_batch_size(3)
                trainer.step(part, RATE)

    with mock.patch.object(second._on_cpu, "_compute_at_once", tight):
        ranks.run(train)
    for batch in batches:
        whole.step(batch, RATE)

    assert [trainer.micro_batch_size for trainer in ranks.trainers] == [None, 3]
    assert ranks.num_sums == len(batches)
    assert_same_tensors(second.state(), first.state())
    assert_equal_to_rounding(first, whole)


@pytest.mark.usefixtures("way")
def test_a_step_whose_sum_has_failed_can_not_be_repeated() -> None:
    def fail(_: Tensor) -> None:
        raise RuntimeError("connection closed")

    trainer = new_trainer(fail)
    [batch] = some_batches(1, 8)
    before = copy_of_state(trainer)

    with pytest.raises(RuntimeError, match="connection closed"):
        trainer.step(batch, RATE)

    assert not trainer.is_consistent
    assert_same_tensors(trainer.state(), before)


@pytest.mark.usefixtures("way")
def test_the_time_of_the_sum_is_waiting_time() -> None:
    clock = FakeClock()
    trainer = new_trainer(lambda _: clock.advance(3.0))
    timer = PhaseTimer(clock)
    trainer.use_timer(timer)
    trainer.step(some_batches(1, 8)[0], RATE)
    assert timer.drain()["waiting_seconds"] == 3.0


def test_with_graphs_gradient_and_update_are_recorded_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = FakeRecorder()
    use_device_step(monkeypatch, recorder)
    trainer, [batch] = new_trainer(lambda _: recorder.log.append("sum")), some_batches(1, 8)
    for _ in range(4):
        trainer.step(batch, RATE)
    recorded = ["record", "replay", "sum", "record", "replay"]
    assert recorder.log == [*["warm-up", "sum", "warm-up"] * 2, *recorded, "replay", "sum", "replay"]


def test_a_part_is_padded_to_its_share_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    use_device_step(monkeypatch, None)
    sizes: list[int] = []
    gather = ResidentTweets.gather

    def record(tweets: ResidentTweets, rows: Tensor, length: int) -> Tensor:
        sizes.append(len(rows))
        return gather(tweets, rows, length)

    monkeypatch.setattr(ResidentTweets, "gather", record)
    trainer = new_trainer(lambda _: None)
    [batch] = some_batches(1, 8)
    for places in ([], [1], [0, 2, 4, 6]):
        trainer.step(part_of(batch, places), RATE)
    trainer.set_batch_size(11)
    trainer.step(part_of(batch, [3]), RATE)
    assert sizes == [4, 4, 6]


def test_a_broadcast_gives_all_ranks_the_state_of_one() -> None:
    leader, follower = new_trainer(), new_trainer(config=replace(CONFIG, learning_rate=0.5))
    for batch in some_batches(3, 8):
        leader.step(batch, RATE)
        follower.step(batch, 2 * RATE)
    sent: list[Tensor] = []
    leader.broadcast_state(sent.append)
    buffers = iter(sent)

    def receive(tensor: Tensor) -> None:
        tensor.copy_(next(buffers))

    follower.broadcast_state(receive)
    assert_same_tensors(follower.state(), leader.state())
    assert follower.checksum() == leader.checksum()
