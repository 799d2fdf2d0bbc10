"""Several skipped steps in a row: the run reloads its last good state at half the rate, a bounded number of times."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion
from torch import Tensor

from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.checkpoints.format import CheckpointInfo
from engine.compute import gpu_step
from engine.compute.cpu.step import GruStep
from engine.compute.optimizer import FusedAdamW
from engine.corpus.arrays import EncodedTweets
from engine.errors import exit_code_for
from engine.model.gru import TextGenerator
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.session import restoring
from engine.session.restoring import MAX_RELOADS, SKIPPED_IN_A_ROW
from engine.storage.folders import find_run, folder_of_run, named_checkpoint_path
from engine.training import out_of_memory as oom
from engine.training import schedule
from engine.training.evaluation import Evaluation, evaluate
from tests.engine import helpers as h
from tests.engine.compute.gpu.device_steps import use_device_step
from tests.engine.session.recorded import lines_of
from tests.fakes import change

ALWAYS = 10**9


def poison(monkeypatch: pytest.MonkeyPatch, *bad: int, is_bad: Callable[[int], bool] | None = None) -> None:
    """Make the forward pass return NaN for these batches, counted from 1, or for each that `is_bad`."""
    sound, count = GruStep._forward, iter(range(1, ALWAYS))

    def forward(self: GruStep, *args: Any) -> list[Tensor]:
        outputs, number = sound(self, *args), next(count)
        return [output * math.nan for output in outputs] if number in bad or (is_bad and is_bad(number)) else outputs

    monkeypatch.setattr(GruStep, "_forward", forward)


SAVE_AT_FIVE: h.Script = {5: [c.SaveLatest()]}


def summaries(emitted: Iterable[e.Event]) -> list[e.Warned]:
    """Return the warnings of rollbacks, not those of single steps."""
    return [event for event in h.of_type(emitted, e.Warned) if "in a row" in event.message]


# Rollback -------------------------------------------------------------------------------------------------------------
def test_after_three_skipped_steps_latest_is_loaded_at_half_its_rate(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    poison(monkeypatch, 7, 8, 9)
    emitted = h.run_tiny(corpus, {**SAVE_AT_FIVE, 6: [change(learning_rate=0.4)]}, learning_rate=0.004)
    assert h.only(emitted, e.CheckpointLoaded).path == str(find_run("tiny").checkpoint_path("latest"))
    assert lines_of(emitted) == snapshot


def test_a_run_that_has_reloaded_resumes_bit_for_bit(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(name: str, script: h.Script) -> list[e.Event]:
        with monkeypatch.context() as patch:
            poison(patch, 7, 8, 9)
            return h.run_tiny(corpus, {**SAVE_AT_FIVE, **script}, run_name=name, dropout=0.3, average_lag=0.2)

    whole, first = run("whole", {}), run("tiny", h.stop_at(10))
    assert h.losses([*first, *h.run_session(h.resume_config("tiny"))]) == h.losses(whole)


# Giving up ------------------------------------------------------------------------------------------------------------
def test_after_ten_reloads_the_run_fails_its_good_state_saved(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        poison(patch, is_bad=lambda number: number > 6)
        emitted = h.run_tiny(corpus, SAVE_AT_FIVE, learning_rate=0.004, pauses_at_end=True)
    failed = emitted[-1]
    assert isinstance(failed, e.RunFailed)
    assert (failed.title, exit_code_for(failed.title)) == ("Training diverged", 1)
    assert "10 times" in failed.detail
    assert "--learning-rate" in failed.hint
    assert str(find_run("tiny").log_path) in failed.hint
    assert h.names(emitted).count("CheckpointLoaded") == MAX_RELOADS
    assert h.of_type(emitted, e.SettingsChanged)[-1].settings["learning_rate"] == pytest.approx(0.004 / 2**10)
    late = [event for event in h.of_type(emitted, e.Warned) if event.step > 5]
    assert len(late) == SKIPPED_IN_A_ROW * (MAX_RELOADS + 1)
    assert (h.latest().step, h.latest().training.learning_rate) == (5, 0.004)
    assert h.run_session(h.resume_config("tiny"))[-1].step == 12


def test_a_run_that_advances_between_reloads_does_not_fail(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six good steps and three bad ones, `latest` saved every second: each rollback is to a later step."""
    monkeypatch.setattr(restoring, "CLEAR_STEPS", 1)
    monkeypatch.setattr(restoring, "MAX_RELOADS", 3)
    poison(monkeypatch, is_bad=lambda number: number % 9 >= 6)
    emitted = h.run_tiny(corpus, {step: [c.SaveLatest()] for step in range(0, 32, 2)}, max_steps=32)
    assert h.only(emitted, e.RunFinished).step == 32
    assert h.names(emitted).count("CheckpointLoaded") > 3
    assert {event.message.rpartition("(")[2] for event in summaries(emitted)} == {"1 of 3 times)."}


def test_without_a_readable_latest_the_run_keeps_its_weights(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    poison(monkeypatch, 7, 8, 9)
    latest = folder_of_run("tiny").checkpoint_path("latest")
    emitted = h.run_tiny(corpus, {6: [lambda: latest.write_bytes(b"nothing")]}, learning_rate=0.004)
    assert lines_of(emitted) == snapshot


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bad=st.sets(st.integers(1, 70)) | st.integers(1, 20).map(lambda first: set(range(first, 1000))),
    saved=st.sets(st.integers(1, 15), max_size=4),
    is_on_device=st.booleans(),
)
@example(bad={7, 8, 9}, saved={5}, is_on_device=True)
def test_whichever_steps_are_refused_the_stream_keeps_its_rules_and_ends(
    corpus: Path, bad: set[int], saved: set[int], is_on_device: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setenv("TWEETGEN_HOME", folder)
        patch.setattr(restoring, "MAX_RELOADS", 3)
        if is_on_device:
            use_device_step(patch, None)
            sound, count = gpu_step.mean_loss, iter(range(1, ALWAYS))
            patch.setattr(gpu_step, "mean_loss", lambda *a: sound(*a) * (math.nan if next(count) in bad else 1.0))
        else:
            poison(patch, *bad)
        emitted = h.run_tiny(corpus, {step: [c.SaveLatest()] for step in saved}, max_steps=15, eval_every=6)
        assert isinstance(emitted[-1], e.RunFinished | e.RunFailed)
        reloads, changes = h.names(emitted).count("CheckpointLoaded"), h.names(emitted).count("SettingsChanged")
        assert reloads == changes == len(summaries(emitted)) <= 3
        has_failed = isinstance(emitted[-1], e.RunFailed)
        assert reloads == 3 if has_failed else emitted[-1].step == 15
        assert math.isfinite(h.latest().progress.train_loss or 0.0)


# What is never saved --------------------------------------------------------------------------------------------------
def test_autosave_waits_while_steps_are_skipped(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poison(monkeypatch, 4, 5)
    emitted = h.run_tiny(corpus, autosave_seconds=5.0, max_steps=8, seconds={e.StepsFinished: 7.0, e.Warned: 7.0})
    assert sorted({event.step for event in h.of_type(emitted, e.CheckpointSaved)}) == [0, 1, 2, 3, 6, 7, 8]


def test_weights_that_are_not_finite_are_never_saved(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    """Finite loss and gradient can still lead to non-finite weights: step 6. No disk is to blame."""
    sound, count = FusedAdamW.step, iter(range(1, ALWAYS))

    def overflow(self: FusedAdamW, learning_rate: float, is_skipped: Tensor) -> None:
        sound(self, learning_rate, is_skipped)
        if next(count) == 6:
            self.flat.weights[0] = math.inf

    monkeypatch.setattr(FusedAdamW, "step", overflow)
    emitted = h.run_tiny(
        corpus, {4: [c.SaveLatest()], 6: [c.SaveLatest(), c.SaveCheckpoint(name="bad"), c.Stop(unless_unsaved=True)]}
    )
    assert lines_of(emitted) == snapshot


# Evaluations that are not finite --------------------------------------------------------------------------------------
def test_a_not_finite_evaluation_is_not_repeated_at_the_end(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def infinite_on_all(model: TextGenerator, tweets: EncodedTweets, *options: Any) -> Evaluation:
        found = evaluate(model, tweets, *options)
        assert found is not None
        return found if len(tweets) <= 3 else replace(found, total_nats=math.inf)

    monkeypatch.setattr(schedule, "_FIRST_EARLY_EVALUATION", 4)
    monkeypatch.setattr(oom, "evaluate", infinite_on_all)
    emitted = h.run_tiny(corpus, eval_every=10, early_eval_tweets=3, max_steps=10)
    assert [(event.step, event.is_early) for event in h.of_type(emitted, e.EvalFinished)] == [(4, True), (8, True)]
    assert [event.step for event in h.of_type(emitted, e.Warned)] == [10]
    assert (h.latest().progress.last_eval_step, h.latest().progress.is_eval_early) == (10, False)


def test_a_model_that_is_not_finite_reports_only_finite_numbers_and_reloads_its_best(corpus: Path) -> None:
    h.run_tiny(corpus, {2: [c.SaveCheckpoint(name="sound"), c.Stop()]}, run_name="source")
    sound = load_checkpoint(named_checkpoint_path("sound"))
    poisoned = {name: tensor.clone() for name, tensor in sound.tensors.items()}
    poisoned["model.proj.weight"].fill_(3e38)  # near the largest float32: products with it overflow
    save_checkpoint(named_checkpoint_path("poison"), sound.info, poisoned)
    sent: h.Script = {5: [c.LoadCheckpoint(name="poison"), c.SampleNow(), c.SampleLadder(seed=1)]}
    emitted = h.run_tiny(corpus, sent, max_steps=15, sample_every=3, eval_every=3)
    assert isinstance(emitted[-1], e.RunFinished)
    assert "tiny/best" in [event.name for event in h.of_type(emitted, e.CheckpointLoaded)]
    assert {event.command for event in h.of_type(emitted, e.CommandRefused)} == {"SampleNow", "SampleLadder"}
    assert max(event.step for event in h.of_type(emitted, e.EvalFinished)) == 15


def test_a_checkpoint_is_on_disk_at_its_event_and_has_its_evaluation_unless_that_is_not_finite(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    infos: list[CheckpointInfo] = []
    look = h.whenever(e.CheckpointSaved, lambda saved: infos.append(load_checkpoint(Path(saved.path)).info))
    not_finite = Evaluation(total_nats=math.nan, num_tweets=1, num_chars=1, num_unknown_chars=0)
    save = c.SaveLatest()
    once: h.Once = {e.EvalFinished: [lambda: monkeypatch.setattr(oom, "evaluate", lambda *_: not_finite)]}
    script: h.Script = {5: [save, c.SaveCheckpoint(name="mine")], 8: [c.Pause(), save, c.Resume()]}
    h.run_tiny(corpus, script, look, eval_every=4, max_steps=9, once=once)
    figures = [(info.step, info.progress.bits_per_char is not None, info.is_evaluation_stale) for info in infos]
    at_five = [(5, True, True)] * 2
    assert figures == [(0, False, False), (4, True, False), *at_five, (8, True, True), (9, False, False)]
