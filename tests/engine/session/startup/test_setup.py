"""Failures of a run, above all of its setup: nothing is left behind, and a run is open in one program at a time."""

from __future__ import annotations

import queue
from pathlib import Path

import pytest

from engine.errors import StorageError, exit_code_for
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.stage import Stage
from engine.session.session import TrainingSession
from engine.session.startup import preflight
from engine.storage.folders import find_run
from engine.storage.journal import Journal
from engine.storage.journal_reader import read_journal
from tests.engine.helpers import losses, names, only, resume_config, run_session, stop_at, tiny_config
from tests.engine.session.stream_rules import assert_valid_stream


def raise_mistake(*_: object, **__: object) -> None:
    raise ZeroDivisionError("what was never thought of")


def test_a_run_stopped_just_before_its_folder_is_created_leaves_its_name_free(
    corpus: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox: queue.SimpleQueue[c.Command] = queue.SimpleQueue()
    emitted: list[e.Event] = []
    with monkeypatch.context() as patch:
        stop = c.Stop(reason="in time")
        patch.setattr("engine.session.startup.setup.ThreadTuner.for_run", lambda *_: inbox.put(stop))
        TrainingSession(tiny_config(corpus)).run(emitted.append, inbox)

    assert only(emitted, e.RunFinished).reason == "in time"
    assert not (home / "runs").exists()
    assert run_session(tiny_config(corpus))[-1].step == 12


@pytest.mark.parametrize(
    "target",
    ["engine.session.session.prepare", "engine.corpus.training_data.TrainingData.some_validation_tweets"],
    ids=["first step", "last step"],
)
def test_an_internal_error_in_the_setup_leaves_the_name_free_and_its_traceback_in_the_common_log(
    corpus: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], target: str
) -> None:
    monkeypatch.setattr(target, raise_mistake)

    emitted = run_session(tiny_config(corpus))

    assert_valid_stream(emitted)
    [failed] = emitted
    assert isinstance(failed, e.RunFailed)
    assert exit_code_for(failed.title) == 3
    assert "what was never thought of" in failed.detail
    assert 'raise ZeroDivisionError("what was never thought of")' in (home / "tweetgen.log").read_text()
    assert not (home / "runs").exists()
    assert capfd.readouterr() == ("", "")


def test_a_run_that_is_being_resumed_can_not_be_resumed_by_another_program(corpus: Path) -> None:
    run_session(tiny_config(corpus), stop_at(3))
    others: list[e.Event] = []

    def on_stage(stage: Stage) -> None:
        if stage.text == "building the model" and not others:  # `latest` has been read
            others.extend(run_session(resume_config(max_steps=12)))

    emitted: list[e.Event] = []
    TrainingSession(resume_config(max_steps=6), on_stage).run(emitted.append, queue.SimpleQueue())

    assert "is active already" in only(others, e.RunFailed).detail
    assert emitted[-1].step == 6


def test_an_open_run_can_not_be_resumed_and_its_files_are_unchanged(corpus: Path) -> None:
    run_session(tiny_config(corpus), stop_at(6))
    run = find_run("tiny")
    before = (run.journal_path.read_bytes(), run.config_path.read_bytes())
    holder = Journal(run.journal_path)

    with pytest.raises(StorageError, match="is active already"):
        preflight.check(resume_config())
    emitted = run_session(resume_config(max_steps=12))

    assert names(emitted) == ["RunFailed"]
    assert before == (run.journal_path.read_bytes(), run.config_path.read_bytes())
    holder.close()
    preflight.check(resume_config())


def test_resuming_from_a_damaged_checkpoint_fails_names_the_file_and_changes_none(corpus: Path) -> None:
    run_session(tiny_config(corpus), stop_at(3))
    path = find_run("tiny").checkpoint_path("latest")
    path.write_bytes(path.read_bytes()[:1000])
    journal = find_run("tiny").journal_path.read_bytes()

    assert "latest.safetensors is damaged" in only(run_session(resume_config("tiny")), e.RunFailed).detail
    assert find_run("tiny").journal_path.read_bytes() == journal
    assert path.stat().st_size == 1000


def test_a_subscriber_that_always_raises_stops_nothing(corpus: Path) -> None:
    TrainingSession(tiny_config(corpus)).run(raise_mistake, queue.SimpleQueue())

    journal = list(read_journal(find_run("tiny").journal_path))
    assert isinstance(journal[-1], e.RunFinished)
    assert list(losses(journal)) == list(range(1, 13))
    assert "what was never thought of" in find_run("tiny").log_path.read_text()


def test_a_named_checkpoint_that_cannot_be_saved_is_refused(corpus: Path, home: Path) -> None:
    (home / "checkpoints").write_text("in the way")

    emitted = run_session(tiny_config(corpus), {4: [c.SaveCheckpoint(name="mine")]})

    assert only(emitted, e.CommandRefused).title == "The file can't be written"
    assert isinstance(emitted[-1], e.RunFinished)
