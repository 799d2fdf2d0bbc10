"""Any exception in the engine ends the run with one event, the last good weights are saved, and a resume works."""

from __future__ import annotations

import functools
import pkgutil
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from torch import Tensor

from engine.config.run import Setting
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
    plain_losses,
    resume_config,
    run_session,
    tensors_of,
    tiny_config,
    write_corpus,
)
from tests.engine.session.stream_rules import assert_valid_stream

SETTINGS: dict[str, Setting] = {"dropout": 0.3, "num_layers": 2, "average_lag": 0.2, "sample_every": 4, "eval_every": 5}


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

    @contextmanager
    def injected(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Inject the failure within the block."""
        with monkeypatch.context() as patch:
            self.inject(patch)
            yield

    @property
    def error(self) -> BaseException:
        return self.raises or ZeroDivisionError("an unexpected exception")


Plain = tuple[dict[int, float], dict[str, Tensor]]
"""The losses of an undisturbed run, and all tensors of its last checkpoint."""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Plain:
    """Run with dropout, weight averaging, samples and evaluations, undisturbed."""
    torch.set_num_threads(1)
    with home_at(tmp_path_factory.mktemp("plain")) as folder:
        return losses(run_session(tiny_config(write_corpus(folder), **SETTINGS))), tensors_of("tiny")


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
    with failure.injected(monkeypatch):
        emitted = run_session(tiny_config(corpus, **SETTINGS))
    failed = assert_one_failure(emitted)
    assert 1 <= failed.step < 12
    assert latest().step == failed.step
    again = run_session(resume_config("tiny"))
    assert isinstance(again[-1], e.RunFinished)
    assert losses([*emitted, *again]) == plain[0]
    assert_same_tensors(tensors_of("tiny"), plain[1])


INTERRUPTED = {
    "update, done": InjectedFailure("engine.compute.adamw.FusedAdamW.step", 8, is_after=True),
    "average": InjectedFailure("engine.model.weight_average.WeightAverage.update", 8),
}


@pytest.mark.parametrize("failure", INTERRUPTED.values(), ids=INTERRUPTED.keys())
def test_an_interrupted_update_is_never_saved_and_the_run_resumes_from_before_it(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, plain: Plain, failure: InjectedFailure
) -> None:
    with failure.injected(monkeypatch):
        emitted = run_session(tiny_config(corpus, **SETTINGS), {3: [c.SaveLatest()]})
    assert_one_failure(emitted)
    assert "step 8 was interrupted" in only(emitted, e.Warned).message
    assert latest().step == 3
    assert {**losses(emitted), **losses(run_session(resume_config("tiny")))} == plain[0]


def test_exceptions_in_the_error_handling_end_in_one_event_too(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Mock(side_effect=ZeroDivisionError("an unexpected exception"))
    with monkeypatch.context() as patch:

        def break_both() -> None:
            patch.setattr("engine.session.reporter.Reporter.emit", failing)
            patch.setattr("engine.session.checkpoints.saver.CheckpointSaver.save_own", failing)

        emitted = run_session(tiny_config(corpus, sample_every=6), {5: [break_both]})

    assert names(emitted).count("RunFailed") == 1
    assert isinstance(emitted[-1], e.RunFailed)
    assert "an unexpected exception" in emitted[-1].detail
    log = find_run("tiny").log_path.read_text()
    assert "saving after the failure failed" in log
    assert "the reporter failed on the failure of the run" in log
    assert run_session(resume_config("tiny"))[-1].step == 12


def test_an_internal_error_in_a_command_leaves_a_run_to_resume(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint that fails to load halfway leaves the run unchanged."""
    plain = run_session(tiny_config(corpus, run_name="plain", dropout=0.3))
    for target in (
        "engine.corpus.training_data.TrainingData.batches",
        "engine.session.checkpoints.loader.load_into",
        "engine.session.checkpoints.loader.resolve_checkpoint",
    ):
        name = target.rpartition(".")[2].replace("_", "-")
        with monkeypatch.context() as patch:
            break_now = functools.partial(InjectedFailure(target, 1).inject, patch)
            script: Script = {6: [break_now, c.LoadCheckpoint(name="plain/latest")]}
            emitted = run_session(tiny_config(corpus, dropout=0.3, run_name=name), script)
        assert isinstance(emitted[-1], e.RunFailed)
        assert losses([*emitted, *run_session(resume_config(name))]) == losses(plain), target


@pytest.mark.parametrize(
    ("error", "target", "call", "step"),
    [(KeyboardInterrupt(), FORWARD, 7, 6), (SystemExit(2), "engine.session.memory_fallback.evaluate", 1, 5)],
    ids=["KeyboardInterrupt", "SystemExit"],
)
def test_keyboard_interrupt_and_system_exit_are_raised_after_the_last_event_and_a_save(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, target: str, call: int, step: int
) -> None:
    plain = plain_losses(dropout=0.3, eval_every=5)
    emitted: list[e.Event] = []
    with InjectedFailure(target, call, raises=error).injected(monkeypatch), pytest.raises(type(error)):
        TrainingSession(tiny_config(corpus, dropout=0.3, eval_every=5)).run(emitted.append, queue.SimpleQueue())
    assert_valid_stream(emitted)
    assert isinstance(emitted[-1], e.RunFailed)
    assert type(error).__name__ in emitted[-1].detail
    assert latest().step == emitted[-1].step == step
    assert losses([*emitted, *run_session(resume_config("tiny"))]) == plain
