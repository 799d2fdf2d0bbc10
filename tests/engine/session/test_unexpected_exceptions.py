"""Any exception in the engine ends the run with one event, the last good weights are saved, and a resume works."""

from __future__ import annotations

import pkgutil
import queue
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.config.run import RunConfig, Setting
from engine.errors import exit_code_for
from engine.protocol import commands as c
from engine.protocol import events as e
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
from tests.engine.session.saved_runs import tensors_of
from tests.engine.session.stream_rules import assert_valid_stream

SETTINGS: dict[str, Setting] = {"dropout": 0.3, "num_layers": 2, "average_lag": 0.2, "sample_every": 4, "eval_every": 5}


def full_config(corpus: Path) -> RunConfig:
    """Return a run with dropout, weight averaging, samples and evaluations."""
    return tiny_config(corpus, run_name="tiny", **SETTINGS)


@dataclass
class InjectedFailure:
    """A function that raises on one of its calls, counted from 1, before or after its work."""

    target: str
    call: int
    is_after: bool = False
    raises: BaseException | None = None

    def inject(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sound = pkgutil.resolve_name(self.target)
        count = iter(range(1, 10**9))

        def failing(*args: Any, **fields: Any) -> Any:
            is_now = next(count) == self.call
            if is_now and not self.is_after:
                raise self.error
            result = sound(*args, **fields)
            if is_now:
                raise self.error
            return result

        monkeypatch.setattr(self.target, failing)

    @property
    def error(self) -> BaseException:
        return self.raises or ZeroDivisionError("an unexpected exception")


Plain = tuple[dict[int, float], dict[str, Tensor]]
"""The losses of an undisturbed run, and all tensors of its last checkpoint."""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Plain:
    """Run `full_config` undisturbed."""
    torch.set_num_threads(1)
    with home_at(tmp_path_factory.mktemp("plain")) as folder:
        return losses(run_session(full_config(write_corpus(folder)))), final_tensors()


def final_tensors() -> dict[str, Tensor]:
    """Return weights, optimizer and generator states of `latest`."""
    return tensors_of("tiny")


def run_with(
    failure: InjectedFailure, config: RunConfig, monkeypatch: pytest.MonkeyPatch, script: Script | None = None
) -> list[e.Event]:
    """Run with an injected failure, then remove it."""
    with monkeypatch.context() as patch:
        failure.inject(patch)
        return run_session(config, script)


def assert_one_failure(emitted: list[e.Event]) -> e.RunFailed:
    """Assert that the stream ends with one `RunFailed`, which locates the traceback in the log."""
    assert_valid_stream(emitted)
    failed = emitted[-1]
    assert isinstance(failed, e.RunFailed)
    assert exit_code_for(failed.title) == 3
    assert "an unexpected exception" in failed.detail
    assert str(find_run("tiny").log_path) in failed.hint
    log = find_run("tiny").log_path.read_text()
    assert "Traceback" in log
    assert "raise self.error" in log
    assert list(read_journal(find_run("tiny").journal_path))[-1] == failed
    return failed


FORWARD = "engine.compute.cpu.train_step.GruStep._forward"
UNTOUCHED = {
    "forward": InjectedFailure(FORWARD, 8),
    "evaluation, done": InjectedFailure("engine.session.memory_fallback.evaluate", 1, is_after=True),
    "sampling": InjectedFailure("engine.sampling.sampler.TweetSampler.advance", 30),
    "saving": InjectedFailure("engine.session.checkpoints.write_job.write_host_copy", 2),
    "journal": InjectedFailure("engine.storage.journal.Journal.append", 9),
}


@pytest.mark.parametrize("failure", UNTOUCHED.values(), ids=UNTOUCHED.keys())
def test_an_exception_outside_the_update_loses_no_step_and_the_resume_is_exact(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, plain: Plain, failure: InjectedFailure
) -> None:
    emitted = run_with(failure, full_config(corpus), monkeypatch)

    failed = assert_one_failure(emitted)
    assert 1 <= failed.step < 12
    assert latest().step == failed.step
    again = run_session(resume_config("tiny"))
    assert isinstance(again[-1], e.RunFinished)
    assert losses([*emitted, *again]) == plain[0]
    assert_same_tensors(final_tensors(), plain[1])


INTERRUPTED = {
    "update, done": InjectedFailure("engine.compute.adamw.FusedAdamW.step", 8, is_after=True),
    "average": InjectedFailure("engine.model.weight_average.WeightAverage.update", 8),
}


@pytest.mark.parametrize("failure", INTERRUPTED.values(), ids=INTERRUPTED.keys())
def test_an_interrupted_update_is_never_saved_and_the_run_resumes_from_before_it(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, plain: Plain, failure: InjectedFailure
) -> None:
    emitted = run_with(failure, full_config(corpus), monkeypatch, {3: [c.SaveLatest()]})

    assert_one_failure(emitted)
    warned = only(emitted, e.Warned)
    assert "step 8 was interrupted" in warned.message
    assert latest().step == 3
    again = run_session(resume_config("tiny"))
    assert {**losses(emitted), **losses(again)} == plain[0]


def test_exceptions_in_the_error_handling_too_still_end_in_one_event(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def from_step_5_on(event: e.Event) -> list[c.Command]:
        if event.step == 5:
            patch.setattr("engine.session.reporter.Reporter.emit", failing)
            patch.setattr("engine.session.checkpoints.saver.CheckpointSaver.save_own", failing)
        return []

    def failing(*_: object, **__: object) -> None:
        raise ZeroDivisionError("an unexpected exception")

    with monkeypatch.context() as patch:
        emitted = run_session(tiny_config(corpus, sample_every=6), on_event=from_step_5_on)

    assert names(emitted).count("RunFailed") == 1
    assert isinstance(emitted[-1], e.RunFailed)
    assert "an unexpected exception" in emitted[-1].detail
    log = find_run("tiny").log_path.read_text()
    assert "saving after the failure failed" in log
    assert "the reporter failed on the failure of the run" in log
    assert run_session(resume_config("tiny"))[-1].step == 12


def test_an_internal_error_in_a_command_ends_the_run_in_a_resumable_state(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint that fails to load halfway leaves the run unchanged."""
    plain = run_session(tiny_config(corpus, run_name="plain", dropout=0.3))
    for target in (
        "engine.corpus.training_data.TrainingData.batches",
        "engine.session.checkpoints.loader.load_into",
        "engine.session.checkpoints.loader.resolve_checkpoint",
    ):
        with monkeypatch.context() as patch:
            name = target.rpartition(".")[2].replace("_", "-")

            def load(event: e.Event, target: str = target) -> list[c.Command]:
                if isinstance(event, e.StepsFinished) and event.step == 6:
                    InjectedFailure(target, 1).inject(patch)
                    return [c.LoadCheckpoint(name="plain/latest")]
                return []

            emitted = run_session(tiny_config(corpus, dropout=0.3, run_name=name), on_event=load)
        assert isinstance(emitted[-1], e.RunFailed)
        assert losses([*emitted, *run_session(resume_config(name))]) == losses(plain), target


@pytest.mark.parametrize(
    ("error", "target"),
    [(KeyboardInterrupt(), FORWARD), (SystemExit(2), "engine.session.memory_fallback.evaluate")],
    ids=repr,
)
def test_keyboard_interrupt_and_system_exit_are_raised_after_the_last_event_and_a_save(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, target: str
) -> None:
    plain = run_session(tiny_config(corpus, run_name="plain", dropout=0.3, eval_every=5))
    emitted: list[e.Event] = []
    with monkeypatch.context() as patch:
        InjectedFailure(target, 7 if target == FORWARD else 1, raises=error).inject(patch)
        with pytest.raises(type(error)):
            TrainingSession(tiny_config(corpus, dropout=0.3, eval_every=5)).run(emitted.append, queue.SimpleQueue())

    assert_valid_stream(emitted)
    assert isinstance(emitted[-1], e.RunFailed)
    assert type(error).__name__ in emitted[-1].detail
    assert latest().step == emitted[-1].step == (6 if target == FORWARD else 5)
    assert losses([*emitted, *run_session(resume_config("tiny"))]) == losses(plain)
