"""A step of either path, alone or of two ranks, equals the reference; a device and its graphs are fakes on the CPU."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from unittest import mock
from unittest.mock import Mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor

from engine.compute import optimizer
from engine.compute.clocks import PhaseTimer
from engine.compute.cuda_graphs import GraphedSteps
from engine.compute.gpu_step import ResidentTweets, bucket_length, resident_tweets
from engine.compute.memory import without_collection
from engine.compute.optimizer import OptimizerStep
from engine.config.run import TrainingConfig
from engine.corpus.arrays import CorpusBatch
from engine.model.gru import TextGenerator
from engine.model.vocab import PAD
from engine.training import evaluation
from engine.training.trainer import Trainer
from tests.engine import helpers as h
from tests.engine.compute.gpu import device_steps as fakes
from tests.engine.compute.gpu.device_steps import RATE, losses_of
from tests.fakes import FakeClock

CONFIG = TrainingConfig(batch_size=8, weight_decay=0.1, ngram_decay=0.5, max_grad_norm=0.3)
AVERAGING = replace(CONFIG, average_lag=0.1)


def new_model(num_layers: int = 2, dropout: float = 0.0) -> TextGenerator:
    torch.manual_seed(0)
    return h.model_with_table(6, 18, num_layers, dropout)


@pytest.fixture(params=["cpu", "graphs"])
def recorder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> fakes.FakeRecorder | None:
    """Use the device step unless on "cpu"; return the recorder of its graphs, if it has any."""
    recorder = fakes.FakeRecorder() if request.param == "graphs" else None
    if request.param != "cpu":
        fakes.use_device_step(monkeypatch, recorder)
    return recorder


@pytest.mark.parametrize(
    ("recorder", "num_layers", "micro_batch_size"),
    [("cpu", 1, None), ("cpu", 2, 3), ("graphs", 2, None), ("eager", 1, 7)],
    indirect=["recorder"],
)
def test_losses_norms_weights_and_squares_equal_those_of_the_readable_model_in_the_same_loop(
    recorder: fakes.FakeRecorder | None, num_layers: int, micro_batch_size: int | None
) -> None:
    """Also in parts, of which the last on a device is all padding. Each step has its own learning rate."""
    trainer, model = Trainer(new_model(num_layers).double(), CONFIG, h.CPU), new_model(num_layers).double()
    optimizer, device_step, backlog = fakes.ReferenceOptimizer(model, CONFIG), trainer._device_step, Mock()
    if micro_batch_size is not None:
        trainer.set_micro_batch_size(micro_batch_size)
    if device_step is not None:
        device_step._backlog = backlog
    losses, norms, batches = list[float](), list[float](), h.some_batches(18, 7)
    for number, batch in enumerate(batches):
        optimizer.adamw.param_groups[0]["lr"] = rate = RATE / (1 + number % 2)
        logits, _ = model(torch.from_numpy(batch.inputs))
        loss = F.cross_entropy(logits.flatten(0, 1), torch.from_numpy(batch.targets).flatten(), ignore_index=PAD)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        losses.append(loss.item())
        norms.append(optimizer.step())
        trainer.step(batch, rate)

    report = trainer.drain_report()
    assert report.train_losses == pytest.approx(losses, rel=1e-6)
    assert report.grad_norms == pytest.approx(norms, rel=1e-6)
    assert losses[-1] < losses[0] - 0.3
    assert min(norms) < CONFIG.max_grad_norm < max(norms)
    for weight, wanted in zip(trainer.model.parameters(), model.parameters(), strict=True):
        h.assert_close_tensors(weight, wanted, rtol=1e-9, atol=1e-12)
    row_square = trainer.state()["optimizer.row_square.ngram_input.weight"]
    h.assert_close_tensors(row_square, optimizer.row_square)
    assert (row_square > 0).tolist() == [False, *[True] * (len(row_square) - 1)]
    assert backlog.add_step.call_count == (0 if device_step is None else len(batches))
    assert recorder is None or recorder.log.count("replay") > 5


@pytest.mark.parametrize(
    ("recorder", "precision", "ignoring"),
    [
        ("cpu", "float32", "another device"),
        ("cpu", "bfloat16", "cpu"),
        ("graphs", "float32", "another device"),
        ("eager", "float32", "cpu"),
    ],
    indirect=["recorder"],
)
@pytest.mark.usefixtures("recorder")
def test_a_step_that_is_not_finite_changes_nothing_and_reports_nan(
    monkeypatch: pytest.MonkeyPatch, precision: str, ignoring: str
) -> None:
    monkeypatch.setattr(optimizer, "IGNORE_FOUND_INF", frozenset({ignoring}))
    plain, trainer = (Trainer(new_model(), CONFIG, replace(h.CPU, precision=precision)) for _ in range(2))
    batches, sound = h.some_batches(8, 7), OptimizerStep.run
    losses_of(plain, batches)
    losses_of(trainer, batches[:4])
    # what becomes of one number of the gradient, or of the loss, which is the last, by the steps before
    poisons = {4: (3, math.inf), 6: (-1, math.nan), 8: (-1, math.inf), 10: (-1, -math.inf)}

    def run(step: OptimizerStep, rate: float | Tensor) -> Tensor:
        if trainer.step_count in poisons:
            place, value = poisons[trainer.step_count]
            step._flat.grads_and_loss[place] = value
        return sound(step, rate)

    monkeypatch.setattr(OptimizerStep, "run", run)
    for batch in batches[4:]:
        before = h.copy_of_state(trainer)
        trainer.step(batch, RATE)
        h.assert_same_tensors(trainer.state(), before)
        trainer.step(batch, RATE)
    h.assert_same_tensors(trainer.state(), plain.state())
    report = trainer.drain_report()
    assert (trainer.step_count, report.first_step) == (12, 5)
    for numbers in (report.train_losses, report.grad_norms):
        assert [math.isnan(number) for number in numbers] == [True, False] * 4


def test_a_trainer_with_another_table_continues_from_a_state_bit_for_bit(recorder: fakes.FakeRecorder | None) -> None:
    batches = h.some_batches(12, 7)
    uninterrupted, resumed = (Trainer(new_model(dropout=0.3), AVERAGING, h.CPU) for _ in range(2))
    losses_of(uninterrupted, batches[:7])
    stopped, generator = h.copy_of_state(uninterrupted), torch.get_rng_state()
    expected = losses_of(uninterrupted, batches[7:])
    resumed.model.get_buffer("ngram_input.contexts").sub_(1)  # other contexts, as many
    losses_of(resumed, batches[:9])  # records graphs of a state that is replaced below
    resumed.load_state(stopped, step_count=7)
    torch.set_rng_state(generator)
    assert recorder is None or "discard" in recorder.log
    assert losses_of(resumed, batches[7:]) == expected
    h.assert_same_tensors(resumed.state(), uninterrupted.state())


@pytest.mark.parametrize("num_layers", [1, 2])
def test_dropout_masks_differ_between_steps_and_repeat_by_seed(
    monkeypatch: pytest.MonkeyPatch, num_layers: int
) -> None:
    fakes.use_device_step(monkeypatch, fakes.FakeRecorder())

    def run(seed: int) -> list[float]:
        trainer = Trainer(new_model(num_layers, dropout=0.5), CONFIG, h.CPU)
        torch.manual_seed(seed)
        return losses_of(trainer, h.some_batches(1, 7) * 6, rate=0.0)

    losses = run(5)
    assert losses == run(5) != run(6)
    assert len(set(losses)) == 6


def test_bfloat16_is_within_a_percent_of_float32_and_keeps_weights_and_table(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.use_device_step(monkeypatch, fakes.FakeRecorder())
    batches = h.some_batches(10, 7)
    exact = losses_of(Trainer(new_model(1), CONFIG, h.CPU), batches)
    trainer = Trainer(new_model(1), CONFIG, replace(h.CPU, precision="bfloat16"))
    rounded = losses_of(trainer, batches)
    assert rounded == pytest.approx(exact, rel=0.01)
    assert rounded != exact
    weights = [tensor for name, tensor in trainer.state().items() if name.startswith("model.")]
    assert {tensor.dtype for tensor in weights} == {torch.float32, torch.int64}  # of the table's contexts
    assert trainer._device_step is not None
    copied = trainer._device_step._network
    types = {name: weight.dtype for name, weight in copied.named_parameters()}
    assert [name for name, dtype in types.items() if dtype != torch.bfloat16] == ["ngram_input.weight"]
    assert trainer.flat.table is not None
    tables = [model.get_parameter("ngram_input.weight").data_ptr() for model in (copied, trainer.model)]
    assert set(tables) == {trainer.flat.table.weight.data_ptr()}


# requirements of a CUDA graph ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("precision", "dropout"), [("float32", 0.0), ("bfloat16", 0.5)])
def test_a_step_copies_no_value_to_or_from_the_host_and_has_a_thread_for_the_loss_of_each_target(
    monkeypatch: pytest.MonkeyPatch, precision: str, dropout: float
) -> None:
    """A reduced `nll_loss` is one warp of 32 threads on CUDA, whatever the number of targets (ATen's `Loss.cu`)."""
    fakes.use_device_step(monkeypatch, None)
    trainer, [batch] = Trainer(new_model(1, dropout), CONFIG, replace(h.CPU, precision=precision)), h.some_batches(1, 7)
    losses_of(trainer, [batch] * 2)
    assert trainer._device_step is not None
    rows, tweets = torch.from_numpy(batch.rows), resident_tweets(batch.tweets, h.CPU.device)
    with fakes.Operations() as recorded:
        trainer._device_step._step(tweets, rows, 16, None)
    names = {schema.name.removeprefix("aten::") for schema in recorded.schemas}
    assert {"_fused_adamw_", "nll_loss_backward", "where"} <= names
    assert not names & {"_local_scalar_dense", "is_nonzero", "nonzero", "masked_select", "lift_fresh"}
    with recorded:
        evaluation._sum_by_forward(trainer.model, batch)
    places = {"aten::nll_loss_forward": 3, "aten::nll_loss_backward": 4, "aten::cross_entropy_loss": 3}
    calls = zip(recorded.schemas, recorded.arguments, strict=True)
    assert [args[places[schema.name]] for schema, args in calls if schema.name in places] == [0, 0, 0]  # no reduction


# Ranks: two threads of this process, in float64 -----------------------------------------------------------------------


DIVISIONS = ([[0, 2, 4, 6], [1, 3, 5, 7]], [[0, 1, 2, 3, 4, 5, 6], [7]], [list(range(8)), []], [[], list(range(8))])
"""The tweets of each rank: equal parts, unequal ones, and one without any."""


def new_trainer(sum_over_ranks: Callable[[Tensor], None] | None = None) -> Trainer:
    world_size = 1 if sum_over_ranks is None else 2
    return Trainer(new_model().double(), AVERAGING, h.CPU, sum_over_ranks=sum_over_ranks, world_size=world_size)


def part_of(batch: CorpusBatch, places: list[int]) -> CorpusBatch:
    """Return some tweets of a batch, as a rank has them; the last batch of an epoch is smaller."""
    rows = batch.rows[[place for place in places if place < batch.num_tweets]]
    return CorpusBatch(batch.tweets, rows, batch.num_targets, batch.num_columns)


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

    def step(self, batch: CorpusBatch, division: int = 0) -> None:
        """Run a step of each rank on its tweets of a batch."""
        parts = [part_of(batch, places) for places in DIVISIONS[division]]
        steps = [self._pool.submit(each.step, part, RATE) for each, part in zip(self.trainers, parts, strict=True)]
        for future in wait(steps, return_when=FIRST_EXCEPTION).done:
            future.result()


@pytest.fixture
def ranks(recorder: fakes.FakeRecorder | None) -> Iterator[TwoRanks]:
    with ThreadPoolExecutor(2) as pool:
        yield TwoRanks(pool)


def test_two_ranks_take_the_steps_of_one_with_clipping_decay_average_and_empty_parts(ranks: TwoRanks) -> None:
    whole, batches = new_trainer(), h.some_batches(8, 8)
    for number, batch in enumerate(batches):
        ranks.step(batch, number % 4)
        whole.step(batch, RATE)
    first, second = ranks.trainers
    assert ranks.num_sums == len(batches)
    h.assert_same_tensors(second.state(), first.state())
    assert first.flat.checksum() == second.flat.checksum() != whole.flat.checksum()
    for name, tensor in whole.state().items():  # in float64, and reported in float32
        h.assert_close_tensors(first.state()[name], tensor, rtol=1e-9, atol=1e-12)
    report, expected = first.drain_report(), whole.drain_report()
    assert max(report.grad_norms) > CONFIG.max_grad_norm
    assert report.train_losses == pytest.approx(expected.train_losses, rel=1e-6)
    assert report.grad_norms == pytest.approx(expected.grad_norms, rel=1e-6)


@pytest.mark.parametrize("recorder", ["graphs"], indirect=True)
def test_ranks_record_the_lengths_of_whole_batches_at_the_same_steps(ranks: TwoRanks) -> None:
    tweets = h.encoded()[0]
    by_length = np.argsort(tweets.lengths)
    batches = [tweets.batch(by_length[[number, -1 - number]]) for number in range(6)]
    with mock.patch.object(GraphedSteps, "run", autospec=True, side_effect=GraphedSteps.run) as run:
        for batch in batches:
            ranks.step(batch)
    expected = [bucket_length(batch.num_columns) for batch in batches]
    for trainer in ranks.trainers:
        assert trainer._device_step is not None
        keys = [call.kwargs["key"] for call in run.call_args_list if call.args[0] is trainer._device_step.graphs]
        assert keys == [key for length in expected for key in (length, "update")]
    assert [bucket_length(part_of(batch, DIVISIONS[0][0]).num_columns) for batch in batches] != expected


@pytest.mark.usefixtures("recorder")
def test_a_step_whose_sum_has_failed_can_not_be_repeated_and_the_time_of_the_sum_is_waiting_time() -> None:
    clock, [batch] = FakeClock(), h.some_batches(1, 8)

    def fail(_: Tensor) -> None:
        clock.advance(3.0)
        raise RuntimeError("connection closed")

    trainer = new_trainer(fail)
    trainer.timer, before = PhaseTimer(clock), h.copy_of_state(trainer)
    with pytest.raises(RuntimeError, match="connection closed"):
        trainer.step(batch, RATE)
    assert not trainer.is_consistent
    h.assert_same_tensors(trainer.state(), before)
    assert trainer.timer.drain()["waiting_seconds"] == 3.0


@pytest.mark.usefixtures("recorder")
def test_a_trainer_of_several_ranks_is_freed_with_its_last_reference() -> None:
    trainer = new_trainer(lambda _: None)
    trainer.step(h.some_batches(1, 8)[0], RATE)
    reference = weakref.ref(trainer)
    with without_collection():
        del trainer
        assert reference() is None


def test_with_graphs_gradient_and_update_are_recorded_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = fakes.FakeRecorder()
    fakes.use_device_step(monkeypatch, recorder)
    losses_of(new_trainer(lambda _: recorder.log.append("sum")), h.some_batches(1, 8) * 4)
    recorded = ["record", "replay", "sum", "record", "replay"]
    assert recorder.log == [*["warm-up", "sum", "warm-up"] * 2, *recorded, "replay", "sum", "replay"]


def test_a_part_is_padded_to_its_share_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.use_device_step(monkeypatch, None)
    gather = mock.create_autospec(ResidentTweets.gather, side_effect=ResidentTweets.gather)
    monkeypatch.setattr(ResidentTweets, "gather", gather)
    trainer, [batch] = new_trainer(lambda _: None), h.some_batches(1, 8)
    losses_of(trainer, [part_of(batch, places) for places in ([], [1], [0, 2, 4, 6])])
    trainer.set_batch_size(11)
    trainer.step(part_of(batch, [3]), RATE)
    assert [len(rows) for (_, rows, _), _ in gather.call_args_list] == [4, 4, 6]


def test_a_broadcast_gives_all_ranks_the_state_of_one() -> None:
    leader, worker = new_trainer(), new_trainer()
    for batch in h.some_batches(3, 8):
        leader.step(batch, RATE)
        worker.step(batch, 2 * RATE)
    sent: list[Tensor] = []
    leader.broadcast_state(sent.append)
    buffers = iter(sent)
    worker.broadcast_state(Mock(side_effect=lambda tensor: tensor.copy_(next(buffers))))
    h.assert_same_tensors(worker.state(), leader.state())
    assert worker.flat.checksum() == leader.flat.checksum()
