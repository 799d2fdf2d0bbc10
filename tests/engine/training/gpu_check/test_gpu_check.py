"""Each fault of a GPU, which is a fake, fails the check that is about it, and no other.

That all checks pass without a fault is a test of `doctor --gpu`, in `tests/cli/test_gpu_check.py`.
"""

from __future__ import annotations

import gc
import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from syrupy.assertion import SnapshotAssertion
from torch import Tensor

from engine.compute import gpu_step, stepper
from engine.compute.cuda_graphs import CudaRecorder, GraphedSteps
from engine.compute.gpu_step import DeviceStep, ResidentTweets
from engine.compute.optimizer import OptimizerStep
from engine.model.gru import TextGenerator
from engine.model.vocab import EOS, PAD
from engine.training import evaluation
from engine.training.gpu_check.checks import CheckResult, checks_of, run_check
from engine.training.gpu_check.recorded import MAX_LEFT, MEBIBYTE
from engine.training.gpu_check.trial import Finding, GpuTrial, difference
from engine.training.trainer import Trainer
from tests.engine import helpers as h
from tests.engine.compute.gpu.device_steps import FailingRecorder, FakeRecorder
from tests.engine.training.gpu_check.fake_gpu import NOT_PERMITTED, SIZES, FakeGpu, some_tweets

HALF = SIZES.batch_size * SIZES.num_joined // 2
"""Tweets that are computed at once where memory is short."""
Patch = pytest.MonkeyPatch


def results_of(gpu: FakeGpu) -> dict[str, CheckResult]:
    """Run all checks but that of two ranks on a small model."""
    gc.freeze()  # each check collects garbage, and would visit all that is imported
    tweets, vocab = some_tweets()
    checks = checks_of(GpuTrial(gpu, tweets, len(vocab), SIZES), lambda: Finding("", is_right=True))
    return {name: run_check(name, check, gpu.device) for name, check in checks.items()}


# A device that computes wrongly ---------------------------------------------------------------------------------------


def lose_a_number(patch: Patch) -> None:
    """Sum whole numbers wrongly."""
    sound = torch.arange
    patch.setattr(torch, "arange", lambda end, **options: sound(end, **options).clamp(max=999_998))


def freeze_rate(patch: Patch) -> None:
    """Update with the learning rate of the first step."""
    sound = OptimizerStep.run

    def run(self: OptimizerStep, rate: float | Tensor) -> Tensor:
        if "frozen" not in vars(self):
            vars(self)["frozen"] = float(rate)
        return sound(self, vars(self)["frozen"])

    patch.setattr(OptimizerStep, "run", run)


def repeat_mask(patch: Patch) -> None:
    """Draw the same mask in each step."""
    sound = F.dropout

    def dropout(*args: Any, **options: Any) -> Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            return sound(*args, **options)

    patch.setattr(F, "dropout", dropout)


def shift_rows(patch: Patch) -> None:
    """Gather the tweets after those of the batch."""
    sound = ResidentTweets.gather
    patch.setattr(
        ResidentTweets,
        "gather",
        lambda own, rows, length: sound(own, (rows + 1) % (len(own._offsets) - 1), length),
    )


def shift_chars(patch: Patch) -> None:
    """Predict the character after the next one."""
    sound = ResidentTweets.gather

    def gather(own: ResidentTweets, rows: Tensor, length: int) -> Tensor:
        tokens = sound(own, rows, length + 1)
        return torch.cat([tokens[:1], tokens[2:]])

    patch.setattr(ResidentTweets, "gather", gather)


def keep_rounded_weights(patch: Patch) -> None:
    """Compute in bfloat16 with the first weights."""
    patch.setattr(DeviceStep, "_refreshed_network", lambda self: self._network)


def count_padding(patch: Patch) -> None:
    """Let each padded place cost what a further end of the tweet would."""
    sound = gpu_step.mean_loss
    patch.setattr(
        gpu_step, "mean_loss", lambda network, tokens, total: sound(network, tokens.where(tokens != PAD, EOS), total)
    )


class SharedAddresses(FakeRecorder):
    """A replay of any length computes the batch that was recorded last."""

    latest: Callable[[], None]

    def record(self, work: Callable[[], None]) -> torch.cuda.CUDAGraph:
        self.latest = work
        return super().record(lambda: self.latest())  # noqa: PLW0108 - that of the replay, not of the recording


def share_addresses(patch: Patch) -> None:
    patch.setattr(FakeGpu, "new_recorder", SharedAddresses)


class StaleReplays(FakeRecorder):
    """Knows whether a replay is in progress."""

    is_replaying = False

    def record(self, work: Callable[[], None]) -> torch.cuda.CUDAGraph:
        def replay() -> None:
            StaleReplays.is_replaying = True
            try:
                work()
            finally:
                StaleReplays.is_replaying = False

        return super().record(replay)


def round_no_weights_in_a_replay(patch: Patch) -> None:
    """Compute recorded steps in bfloat16 with the weights of the last eager step."""
    patch.setattr(FakeGpu, "new_recorder", StaleReplays)
    sound = DeviceStep._refreshed_network
    patch.setattr(
        DeviceStep,
        "_refreshed_network",
        lambda self: self._network if StaleReplays.is_replaying else sound(self),
    )


class HungryReplays(FakeRecorder):
    """A replay draws more random numbers than the step."""

    def record(self, work: Callable[[], None]) -> torch.cuda.CUDAGraph:
        def replay() -> None:
            torch.rand(5)
            work()

        return super().record(replay)


def draw_more_in_a_replay(patch: Patch) -> None:
    patch.setattr(FakeGpu, "new_recorder", HungryReplays)


def evaluate_wrongly(patch: Patch) -> None:
    sound = evaluation._sum_by_forward
    patch.setattr(evaluation, "_sum_by_forward", lambda model, batch: 1.001 * sound(model, batch))


def forget_characters(patch: Patch) -> None:
    """Sample each character of a tweet as if it were the first one."""
    sound = stepper.CharGraph._compute_and_copy

    def compute(self: stepper.CharGraph, token_ids: Tensor) -> None:
        for state in self._hidden:
            state.zero_()
        sound(self, token_ids)

    patch.setattr(stepper.CharGraph, "_compute_and_copy", compute)


def lose_moments(patch: Patch) -> None:
    """Continue without a part of the optimizer's state."""
    sound = Trainer.load_state

    def load(self: Trainer, tensors: dict[str, Tensor], step_count: int) -> None:
        sound(self, tensors, step_count)
        self._optimizer_step.adamw.exp_avg.zero_()

    patch.setattr(Trainer, "load_state", load)


def after_each_step(patch: Patch, do: Callable[[DeviceStep], object]) -> None:
    sound = DeviceStep.run

    def run(self: DeviceStep, *args: Any) -> None:
        sound(self, *args)
        do(self)

    patch.setattr(DeviceStep, "run", run)


def read_losses(patch: Patch) -> None:
    after_each_step(patch, lambda step: step._flat.loss.item())


def leak(patch: Patch) -> None:
    kept: list[Tensor] = []
    after_each_step(patch, lambda step: kept.append(step._flat.loss.clone()))


def omit_a_part(patch: Patch) -> None:
    """Leave out each second part of a batch."""
    sound, counts = gpu_step.mean_loss, itertools.count()

    def mean_loss(network: TextGenerator, tokens: Tensor, total_targets: Tensor) -> Tensor:
        is_left_out = tokens.shape[1] == HALF and next(counts) % 2
        return sound(network, tokens, total_targets) * (0.0 if is_left_out else 1.0)

    patch.setattr(gpu_step, "mean_loss", mean_loss)


def fail_with_the_recording(patch: Patch) -> None:
    def record(self: GraphedSteps, work: Callable[[], None], bucket: Any, recorder: CudaRecorder) -> None:
        bucket.recording = recorder.record(work)

    patch.setattr(GraphedSteps, "_record", record)


def keep_what_a_recording_has_allocated(patch: Patch) -> None:
    sound, kept = GraphedSteps._fail, list[Tensor]()

    def fail(self: GraphedSteps, failure: str) -> None:
        kept.append(torch.empty(MAX_LEFT + MEBIBYTE, dtype=torch.uint8))
        sound(self, failure)

    patch.setattr(GraphedSteps, "_fail", fail)


FAULTS: dict[Callable[[Patch], None], str] = {
    lose_a_number: "versions",
    freeze_rate: "learning rate",
    repeat_mask: "dropout",
    shift_rows: "float32",
    shift_chars: "float32",
    count_padding: "float32",
    keep_rounded_weights: "bfloat16",
    round_no_weights_in_a_replay: "bfloat16",
    share_addresses: "lengths",
    evaluate_wrongly: "evaluation",
    forget_characters: "evaluation",
    lose_moments: "resume",
    draw_more_in_a_replay: "resume",
    read_losses: "no waiting",
    leak: "memory",
    omit_a_part: "out of memory",
    fail_with_the_recording: "failed recording",
    keep_what_a_recording_has_allocated: "failed recording",
}
"""What a device may do wrongly, and the one check that finds it."""
GRAPHS = ("learning rate", "dropout", "lengths", "resume", "no waiting", "memory")
"""Checks of recorded steps; those of memory that runs out and of a failed recording need none that succeed."""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_one_check_fails_on_a_device_that_would(monkeypatch: Patch, fault: Callable[[Patch], None]) -> None:
    fault(monkeypatch)
    results = results_of(FakeGpu(monkeypatch))
    assert [name for name, each in results.items() if each.result != "PASS"] == [FAULTS[fault]]


def test_a_device_without_graphs_and_bfloat16_is_checked_without_them(
    monkeypatch: Patch, snapshot: SnapshotAssertion
) -> None:
    results = results_of(FakeGpu(monkeypatch, has_graphs=False, has_bfloat16=False))
    skipped = {name: each.figure for name, each in results.items() if each.result == "SKIP"}
    assert "\n".join(f"{name}: {figure}" for name, figure in skipped.items()) == snapshot
    assert {each.result for name, each in results.items() if name not in skipped} == {"PASS"}


def test_a_check_fails_where_nothing_is_recorded_and_names_the_reason(monkeypatch: Patch) -> None:
    monkeypatch.setattr(FakeGpu, "new_recorder", lambda: FailingRecorder(RuntimeError(NOT_PERMITTED), range(99)))
    results = results_of(FakeGpu(monkeypatch))
    failed = {name for name, each in results.items() if each.result == "FAIL"}
    assert failed == {"float32", "bfloat16", *GRAPHS}
    reason = (
        f"no step was recorded. The steps can't be recorded as CUDA graphs, so that they take longer: {NOT_PERMITTED}"
    )
    assert {results[name].figure for name in failed} == {reason}


def test_an_error_in_a_check_is_its_failure_with_the_first_line_and_the_traceback() -> None:
    def check() -> Finding:
        raise RuntimeError("CUDA error: an illegal memory access\nCompile with TORCH_USE_CUDA_DSA")

    found = run_check("memory", check, h.CPU.device)
    assert (found.result, found.figure) == ("FAIL", "RuntimeError: CUDA error: an illegal memory access")
    assert "TORCH_USE_CUDA_DSA" in found.traceback


@pytest.mark.parametrize(("found", "expected"), [([1.0, math.nan], [1.0, 2.0]), ([1.0, 2.0], [math.nan, 2.0])])
def test_a_loss_that_is_not_a_number_is_within_no_limit(found: list[float], expected: list[float]) -> None:
    assert not difference(found, expected) <= math.inf
    assert difference([1.0, 2.2], [1.0, 2.0]) == pytest.approx(0.1)
