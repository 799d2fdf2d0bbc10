"""Several skipped steps in a row: the run reloads its last good state at half the rate, a bounded number of times."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.compute.adamw import FusedAdamW
from engine.compute.cpu.train_step import GruStep
from engine.compute.gpu import train_step as device_step
from engine.errors import exit_code_for
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.session import divergence
from engine.session.divergence import MAX_RELOADS
from engine.session.state import SKIPPED_IN_A_ROW
from engine.storage.folders import find_run
from tests.engine.compute.gpu.device_steps import use_device_step
from tests.engine.helpers import (
    Script,
    latest,
    losses,
    names,
    of_type,
    only,
    resume_config,
    run_session,
    stop_at,
    tiny_config,
)
from tests.engine.session.stream_rules import assert_valid_stream
from tests.fakes import FakeClock

ALWAYS = 10**9


def poison(monkeypatch: pytest.MonkeyPatch, is_bad: Callable[[int], bool]) -> None:
    """Make the forward pass return NaN for each batch, counted from 1, that `is_bad`."""
    sound, count = GruStep._forward, iter(range(1, ALWAYS))

    def forward(self: GruStep, *args: Any) -> list[Tensor]:
        outputs = sound(self, *args)
        return [output * math.nan for output in outputs] if is_bad(next(count)) else outputs

    monkeypatch.setattr(GruStep, "_forward", forward)


def among(*numbers: int) -> Callable[[int], bool]:
    return lambda number: number in numbers


def summaries(emitted: Iterable[e.Event]) -> list[e.Warned]:
    """Return the warnings of rollbacks, not those of single steps."""
    return [event for event in of_type(emitted, e.Warned) if "in a row" in event.message]


def save_at(step: int) -> dict[int, list[c.Command]]:
    return {step: [c.SaveLatest()]}


# Rollback -------------------------------------------------------------------------------------------------------------


def test_after_three_skipped_steps_in_a_row_the_run_reloads_latest_at_half_the_rate_and_reports_it(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, among(7, 8, 9))

    emitted = run_session(tiny_config(corpus, learning_rate=0.004), save_at(5))

    assert_valid_stream(emitted)
    loaded = only(emitted, e.CheckpointLoaded)
    assert (loaded.name, loaded.step) == ("tiny/latest", 5)
    assert loaded.path == str(find_run("tiny").checkpoint_path("latest"))
    place = emitted.index(loaded)
    assert [event.step for event in of_type(emitted[:place], e.Warned)] == [7, 8, 9]
    assert names(emitted)[place : place + 3] == ["CheckpointLoaded", "LearningRateChanged", "Warned"]
    assert only(emitted, e.LearningRateChanged).learning_rate == 0.002
    [summary] = summaries(emitted)
    assert summary.kind == "not-finite"
    assert "3 steps in a row" in summary.message
    assert "went back to latest, of step 5" in summary.message
    assert "half the learning rate (1 of 10 times)" in summary.message
    assert list(losses(emitted[place:])) == [6, 7, 8, 9, 10, 11, 12]
    assert {event.learning_rate for event in of_type(emitted[place:], e.StepsFinished)} == {0.002}
    assert isinstance(emitted[-1], e.RunFinished)


def test_half_the_rate_is_half_of_the_reloaded_checkpoints(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poison(monkeypatch, among(7, 8, 9, 12, 13, 14))
    raised = {6: [c.SetLearningRate(learning_rate=0.4)]}

    emitted = run_session(tiny_config(corpus, learning_rate=0.004), {**save_at(5), **raised})

    rates = [event.learning_rate for event in of_type(emitted, e.LearningRateChanged)]
    assert rates == [0.4, 0.002, 0.001]  # twice back to a checkpoint at 0.004


def test_a_run_that_has_reloaded_resumes_bit_for_bit(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(name: str, script: Script) -> list[e.Event]:
        with monkeypatch.context() as patch:
            poison(patch, among(7, 8, 9))
            return run_session(
                tiny_config(corpus, run_name=name, dropout=0.3, average_lag=0.2), {**save_at(5), **script}
            )

    whole, first = run("whole", {}), run("tiny", stop_at(10))

    assert losses([*first, *run_session(resume_config("tiny"))]) == losses(whole)


# Giving up ------------------------------------------------------------------------------------------------------------


def test_after_ten_reloads_the_run_fails_and_its_last_good_state_is_saved(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, lambda number: number > 6)

    emitted = run_session(tiny_config(corpus, learning_rate=0.004), save_at(5), pauses_at_end=True)

    assert_valid_stream(emitted)
    failed = emitted[-1]
    assert isinstance(failed, e.RunFailed)
    assert (failed.title, exit_code_for(failed.title)) == ("Training diverged", 1)
    assert "10 times" in failed.detail
    assert "--learning-rate" in failed.hint
    assert str(find_run("tiny").log_path) in failed.hint
    assert names(emitted).count("CheckpointLoaded") == MAX_RELOADS
    assert of_type(emitted, e.LearningRateChanged)[-1].learning_rate == pytest.approx(0.004 / 2**10)
    assert len([event for event in of_type(emitted, e.Warned) if event.step > 5]) == SKIPPED_IN_A_ROW * (
        MAX_RELOADS + 1
    )
    assert (latest().step, latest().training.learning_rate) == (5, 0.004)
    monkeypatch.undo()
    monkeypatch.setenv("TWEETGEN_HOME", str(corpus.parent))
    assert run_session(resume_config("tiny"))[-1].step == 12


def test_a_run_that_advances_between_reloads_does_not_fail(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """12 good steps and 3 bad ones, `latest` saved every 5: each rollback is to a later step."""
    monkeypatch.setattr(divergence, "CLEAR_STEPS", 5)
    poison(monkeypatch, lambda number: number % 15 >= 12)
    script: dict[int, list[c.Command]] = {step: [c.SaveLatest()] for step in range(0, 200, 5)}

    emitted = run_session(tiny_config(corpus, max_steps=180), script)

    assert_valid_stream(emitted)
    assert only(emitted, e.RunFinished).step == 180
    assert names(emitted).count("CheckpointLoaded") > MAX_RELOADS
    assert {event.message.rpartition("(")[2] for event in summaries(emitted)} == {"1 of 10 times)."}


def test_without_a_readable_latest_the_run_continues_with_its_weights(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, among(7, 8, 9))

    def damage(event: e.Event) -> Iterable[c.Command]:
        if isinstance(event, e.StepsFinished) and event.step == 6:
            find_run("tiny").checkpoint_path("latest").write_bytes(b"nothing")
        return ()

    emitted = run_session(tiny_config(corpus, learning_rate=0.004), on_event=damage)

    assert_valid_stream(emitted)
    assert "CheckpointLoaded" not in names(emitted)
    [summary] = summaries(emitted)
    assert "no checkpoint to go back to (" in summary.message
    assert "latest.safetensors is damaged" in summary.message
    assert only(emitted, e.LearningRateChanged).learning_rate == 0.002
    assert (emitted[-1].step, list(losses(emitted))) == (12, [1, 2, 3, 4, 5, 6, 10, 11, 12])


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bad=st.sets(st.integers(1, 70)) | st.integers(1, 20).map(lambda first: set(range(first, 1000))),
    saved=st.sets(st.integers(1, 15), max_size=4),
    is_on_device=st.booleans(),
)
def test_whichever_steps_are_refused_the_stream_keeps_its_rules_and_ends(
    corpus: Path, bad: set[int], saved: set[int], is_on_device: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setenv("TWEETGEN_HOME", folder)
        if is_on_device:
            use_device_step(patch, None)
            sound, count = device_step.mean_loss, iter(range(1, ALWAYS))
            patch.setattr(
                device_step, "mean_loss", lambda *args: sound(*args) * (math.nan if next(count) in bad else 1.0)
            )
        else:
            poison(patch, lambda number: number in bad)
        script: Script = {step: [c.SaveLatest()] for step in saved}

        emitted = run_session(tiny_config(corpus, max_steps=15, eval_every=6), script)

        assert_valid_stream(emitted)
        assert isinstance(emitted[-1], e.RunFinished | e.RunFailed)
        reloads, changes = names(emitted).count("CheckpointLoaded"), names(emitted).count("LearningRateChanged")
        assert reloads == changes == len(summaries(emitted)) <= MAX_RELOADS
        has_failed = isinstance(emitted[-1], e.RunFailed)
        assert reloads == MAX_RELOADS if has_failed else emitted[-1].step == 15
        assert math.isfinite(latest().train_loss or 0.0)


# What is never saved --------------------------------------------------------------------------------------------------


def test_autosave_waits_while_steps_are_skipped(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poison(monkeypatch, among(4, 5))
    clock = FakeClock()

    def seven_seconds_a_step(event: e.Event) -> Iterable[c.Command]:
        clock.advance(7.0 if isinstance(event, e.StepsFinished | e.Warned) else 0.0)
        return ()

    emitted = run_session(tiny_config(corpus, autosave_seconds=5.0, max_steps=8), None, seven_seconds_a_step, clock)

    assert sorted({event.step for event in of_type(emitted, e.CheckpointSaved)}) == [0, 1, 2, 3, 6, 7, 8]


def test_weights_that_are_not_finite_are_never_saved(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Finite loss and gradient can still lead to non-finite weights: step 6."""
    sound, count = FusedAdamW.step, iter(range(1, ALWAYS))

    def overflow(self: FusedAdamW, learning_rate: float, is_skipped: Tensor) -> None:
        sound(self, learning_rate, is_skipped)
        if next(count) == 6:
            self.flat.weights[0] = math.inf

    monkeypatch.setattr(FusedAdamW, "step", overflow)
    script: dict[int, list[c.Command]] = {6: [c.SaveLatest(), c.SaveCheckpoint(name="bad")]}

    emitted = run_session(tiny_config(corpus), {**save_at(4), **script})

    assert_valid_stream(emitted)
    assert [event.step for event in of_type(emitted, e.CheckpointSaved)] == [0, 4, 12]
    kept = next(event for event in of_type(emitted, e.Warned) if "latest was not saved" in event.message)
    assert (kept.step, kept.kind) == (6, "not-finite")
    assert only(emitted, e.CommandRefused).command == "SaveCheckpoint"
    assert only(emitted, e.CheckpointLoaded).step == 4
    assert isinstance(emitted[-1], e.RunFinished)
