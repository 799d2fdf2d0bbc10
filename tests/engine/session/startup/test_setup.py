"""The setup of a run: a failure leaves nothing behind, and a run is open in one program at a time."""

from __future__ import annotations

import queue
from pathlib import Path

import pytest

from engine.errors import StorageError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.stage import Stage
from engine.session.session import TrainingSession
from engine.session.startup import preflight
from engine.storage.folders import find_run
from engine.storage.journal import Journal
from tests.engine.helpers import (
    names,
    of_type,
    only,
    resume_config,
    run_session,
    small_tweets,
    stop_at,
    tiny_config,
    write_corpus,
)


def test_a_run_stopped_just_before_its_folder_is_created_leaves_its_name_free(
    corpus: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox: queue.SimpleQueue[c.Command] = queue.SimpleQueue()
    emitted: list[e.Event] = []
    with monkeypatch.context() as patch:
        patch.setattr(
            "engine.session.startup.setup.ThreadTuner.for_run", lambda *_: inbox.put(c.Stop(reason="in time"))
        )
        TrainingSession(tiny_config(corpus)).run(emitted.append, inbox)

    assert only(emitted, e.RunFinished).reason == "in time"
    assert not (home / "runs").exists()
    assert run_session(tiny_config(corpus))[-1].step == 12


def test_a_run_whose_setup_fails_in_its_last_step_leaves_its_name_free(
    corpus: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("an unexpected exception")

    monkeypatch.setattr("engine.corpus.training_data.TrainingData.some_validation_tweets", broken)
    emitted = run_session(tiny_config(corpus))

    assert "an unexpected exception" in only(emitted, e.RunFailed).detail
    assert not (home / "runs").exists()


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


def test_a_new_run_on_what_does_not_look_like_text_warns_once(home: Path, tmp_path: Path) -> None:
    page = write_corpus(tmp_path, [f"<li id='{n}'>a nice {word}</li>" for n, word in enumerate(small_tweets())])
    emitted = run_session(tiny_config(page, max_steps=2))
    (message,) = [event.message for event in of_type(emitted, e.Warned)]
    assert message == "small.txt does not look like text: 100 % of its rows are markup or code."
    assert not of_type(run_session(resume_config(max_steps=4)), e.Warned)
