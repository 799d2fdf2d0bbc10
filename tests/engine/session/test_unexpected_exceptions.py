"""Whatever is raised in the engine ends the run by one event, its last good weights are saved, a resume just works."""

from __future__ import annotations

import pkgutil
import queue
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.checkpoints.checkpoint import load_checkpoint
from engine.config.run import RunConfig, Setting
from engine.errors import exit_code_for
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.commands import Command
from engine.protocol.events import Event
from engine.session.session import TrainingSession
from engine.storage.folders import find_run
from engine.storage.journal_reader import read_journal
from tests.engine.helpers import (
    Script,
    assert_same_tensors,
    home_at,
    latest,
    losses,
    names,
    only,
    resume_config,
    run_session,
    tiny_config,
    write_corpus,
)
from tests.engine.session.stream_rules import assert_keeps_the_rules

SETTINGS: dict[str, Setting] = {"dropout": 0.3, "num_layers": 2, "average_lag": 0.2, "sample_every": 4, "eval_every": 5}


def demanding(corpus: Path) -> RunConfig:
    """Return a run that draws, averages, writes and evaluates."""
    return tiny_config(corpus, run_name="tiny", **SETTINGS)


@dataclass
class Mistake:
    """A function that raises on one of its calls, counted from 1; before its work is done, or after that."""

    target: str
    call: int
    is_after: bool = False
    raises: BaseException | None = None

    def put_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sound = pkgutil.resolve_name(self.target)
        count = iter(range(1, 10**9))

        def mistaken(*args: Any, **fields: Any) -> Any:
            is_now = next(count) == self.call
            if is_now and not self.is_after:
                raise self.error
            result = sound(*args, **fields)
            if is_now:
                raise self.error
            return result

        monkeypatch.setattr(self.target, mistaken)

    @property
    def error(self) -> BaseException:
        return self.raises or ZeroDivisionError("what was never thought of")


Plain = tuple[dict[int, float], dict[str, Tensor]]
"""The losses of an undisturbed run, and all tensors of its last checkpoint."""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Plain:
    """Run what `demanding` asks for without a mistake."""
    torch.set_num_threads(1)
    with home_at(tmp_path_factory.mktemp("plain")) as folder:
        return losses(run_session(demanding(write_corpus(folder)))), final_tensors()


def final_tensors() -> dict[str, Tensor]:
    """Return weights, optimizer and generators of the run's latest checkpoint."""
    return load_checkpoint(find_run("tiny").checkpoint_path("latest")).tensors


def run_with(
    mistake: Mistake, config: RunConfig, monkeypatch: pytest.MonkeyPatch, script: Script | None = None
) -> list[Event]:
    """Run with a mistake, and take it back."""
    with monkeypatch.context() as patch:
        mistake.put_in(patch)
        return run_session(config, script)


def assert_failed_well(told: list[Event]) -> e.RunFailed:
    """Check that the stream ends as it should, and says where the traceback is, and that it is there."""
    assert_keeps_the_rules(told)
    failed = told[-1]
    assert isinstance(failed, e.RunFailed)
    assert exit_code_for(failed.title) == 3
    assert "what was never thought of" in failed.detail
    assert str(find_run("tiny").log_path) in failed.hint
    log = find_run("tiny").log_path.read_text()
    assert "Traceback" in log
    assert "raise self.error" in log
    assert list(read_journal(find_run("tiny").journal_path))[-1] == failed
    return failed


FORWARD = "engine.compute.cpu.train_step.GruStep._forward"
UNTOUCHED = {
    "forward": Mistake(FORWARD, 8),
    "evaluation, done": Mistake("engine.session.memory_fallback.evaluate", 1, is_after=True),
    "sampling": Mistake("engine.sampling.sampler.TweetSampler.advance", 30),
    "saving": Mistake("engine.session.checkpointing.to_content", 2),
    "journal": Mistake("engine.storage.journal.Journal.append", 9),
}


@pytest.mark.parametrize("mistake", UNTOUCHED.values(), ids=UNTOUCHED.keys())
def test_an_exception_outside_the_update_loses_no_step_and_the_resume_is_exact(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, plain: Plain, mistake: Mistake
) -> None:
    told = run_with(mistake, demanding(corpus), monkeypatch)

    failed = assert_failed_well(told)
    assert 1 <= failed.step < 12
    assert latest().step == failed.step
    again = run_session(resume_config("tiny"))
    assert isinstance(again[-1], e.RunFinished)
    assert losses([*told, *again]) == plain[0]
    assert_same_tensors(final_tensors(), plain[1])


BROKEN_OFF = {
    "update, done": Mistake("engine.compute.cpu.adamw.FusedAdamW.step", 8, is_after=True),
    "average": Mistake("engine.model.weight_average.WeightAverage.update", 8),
}


@pytest.mark.parametrize("mistake", BROKEN_OFF.values(), ids=BROKEN_OFF.keys())
def test_an_interrupted_update_is_never_saved_and_the_run_resumes_from_before_it(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, plain: Plain, mistake: Mistake
) -> None:
    told = run_with(mistake, demanding(corpus), monkeypatch, {3: [c.SaveLatest()]})

    assert_failed_well(told)
    warned = only(told, e.Warned)
    assert "step 8 was interrupted" in warned.message
    assert latest().step == 3
    again = run_session(resume_config("tiny"))
    assert {**losses(told), **losses(again)} == plain[0]


def test_exceptions_in_the_error_handling_too_still_end_in_one_event(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def from_step_5_on(event: Event) -> list[Command]:
        if event.step == 5:
            patch.setattr("engine.session.reporter.Reporter.emit", mistaken)
            patch.setattr("engine.session.checkpointing.CheckpointSaver.save_own", mistaken)
        return []

    def mistaken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("what was never thought of")

    with monkeypatch.context() as patch:
        told = run_session(tiny_config(corpus, sample_every=6), on_event=from_step_5_on)

    assert names(told).count("RunFailed") == 1
    assert isinstance(told[-1], e.RunFailed)
    assert "what was never thought of" in told[-1].detail
    log = find_run("tiny").log_path.read_text()
    assert "saving after the failure failed" in log
    assert "the reporter failed on the failure of the run" in log
    assert run_session(resume_config("tiny"))[-1].step == 12


def test_an_internal_error_in_a_command_ends_the_run_in_a_resumable_state(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a checkpoint could be loaded in part, the run is still what it was."""
    plain = run_session(tiny_config(corpus, run_name="plain", dropout=0.3))
    for target in (
        "engine.corpus.training_data.TrainingData.batches",
        "engine.session.checkpoint_loading.load_into",
        "engine.session.checkpoint_loading.resolve_checkpoint",
    ):
        with monkeypatch.context() as patch:
            name = target.rpartition(".")[2].replace("_", "-")

            def load(event: Event, target: str = target) -> list[Command]:
                if isinstance(event, e.StepsFinished) and event.step == 6:
                    Mistake(target, 1).put_in(patch)
                    return [c.LoadCheckpoint(name="plain/latest")]
                return []

            told = run_session(tiny_config(corpus, dropout=0.3, run_name=name), on_event=load)
        assert isinstance(told[-1], e.RunFailed)
        assert losses([*told, *run_session(resume_config(name))]) == losses(plain), target


@pytest.mark.parametrize(
    ("error", "target"),
    [(KeyboardInterrupt(), FORWARD), (SystemExit(2), "engine.session.memory_fallback.evaluate")],
    ids=repr,
)
def test_keyboard_interrupt_and_system_exit_are_raised_after_the_last_event_and_a_save(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, target: str
) -> None:
    plain = run_session(tiny_config(corpus, run_name="plain", dropout=0.3, eval_every=5))
    told: list[Event] = []
    with monkeypatch.context() as patch:
        Mistake(target, 7 if target == FORWARD else 1, raises=error).put_in(patch)
        with pytest.raises(type(error)):
            TrainingSession(tiny_config(corpus, dropout=0.3, eval_every=5)).run(told.append, queue.SimpleQueue())

    assert_keeps_the_rules(told)
    assert isinstance(told[-1], e.RunFailed)
    assert type(error).__name__ in told[-1].detail
    assert latest().step == told[-1].step == (6 if target == FORWARD else 5)
    assert losses([*told, *run_session(resume_config("tiny"))]) == losses(plain)
