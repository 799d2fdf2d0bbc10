"""Errors become events: a failure that ends the run, or a refusal or warning and the run continues."""

from __future__ import annotations

import queue
from pathlib import Path

import pytest

from engine.config.run import RunConfig
from engine.errors import exit_code_for
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.events import Event
from engine.session.session import TrainingSession
from engine.storage.folders import find_run
from engine.storage.journal_reader import read_journal
from tests.engine.helpers import losses, only, resume_config, run_session, stop_at, tiny_config
from tests.engine.session.stream_rules import assert_valid_stream


def failure(config: RunConfig) -> e.RunFailed:
    """Run a config that can't start; return the only event."""
    [event] = run_session(config)
    assert isinstance(event, e.RunFailed)
    assert_valid_stream([event])
    return event


def test_resuming_from_a_damaged_checkpoint_fails_and_names_the_file(corpus: Path) -> None:
    run_session(tiny_config(corpus), stop_at(3))
    path = find_run("tiny").checkpoint_path("latest")
    path.write_bytes(path.read_bytes()[:1000])
    journal = find_run("tiny").journal_path.read_bytes()

    failed = failure(resume_config("tiny"))

    assert "latest.safetensors is damaged" in failed.detail
    assert find_run("tiny").journal_path.read_bytes() == journal
    assert path.stat().st_size == 1000


def raising(_: Event) -> None:
    raise ZeroDivisionError("a listener's own mistake")


def test_a_subscriber_that_always_raises_stops_nothing(corpus: Path) -> None:
    TrainingSession(tiny_config(corpus)).run(raising, queue.SimpleQueue())

    journal = list(read_journal(find_run("tiny").journal_path))
    assert isinstance(journal[-1], e.RunFinished)
    assert list(losses(journal)) == list(range(1, 13))
    assert "a listener's own mistake" in find_run("tiny").log_path.read_text()


def test_an_internal_error_before_the_start_writes_its_traceback_to_the_common_log(
    corpus: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def mistaken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("what was never thought of")

    monkeypatch.setattr("engine.session.session.prepare", mistaken)

    assert exit_code_for(failure(tiny_config(corpus)).title) == 3
    assert 'raise ZeroDivisionError("what was never thought of")' in (home / "tweetgen.log").read_text()
    assert capfd.readouterr() == ("", "")


def test_a_named_checkpoint_that_cannot_be_saved_is_refused(corpus: Path, home: Path) -> None:
    (home / "checkpoints").write_text("in the way")

    emitted = run_session(tiny_config(corpus), {4: [c.SaveCheckpoint(name="mine")]})

    assert only(emitted, e.CommandRefused).title == "The file can't be written"
    assert isinstance(emitted[-1], e.RunFinished)
