"""The runs of the lesson: which one is continued, which replaced, and never one that another process trains."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from engine.config.corpus import CorpusConfig
from engine.errors import StorageError
from engine.storage.folders import create_run_folder, folder_of_run
from engine.storage.journal import Journal
from tests.engine.checkpoints.saved import write_checkpoint
from tests.fakes import FakeSession
from tui.lesson import runs
from tui.lesson.progress import Progress, invitation_to_lesson, progress_path, write_progress
from tui.lesson.runs import main_config, open_lesson_session, overfit_config


@pytest.fixture(autouse=True)
def _no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "open_training_session", lambda _config, _on_stage: FakeSession())


def test_a_saved_model_is_continued_unless_a_new_one_is_wanted() -> None:
    assert main_config().run_name == "lesson"
    write_checkpoint(folder_of_run("lesson").checkpoint_path("latest"))
    assert main_config().resume == "lesson"
    assert main_config(is_new=True).run_name == "lesson"


def test_the_run_on_one_tweet_has_the_row_and_the_learning_rate_of_the_tutorial() -> None:
    config = overfit_config()
    assert config.corpus == CorpusConfig(overfit=200)
    assert config.settings["learning_rate"] == 0.001


@pytest.mark.parametrize("config", [main_config, overfit_config])
def test_a_new_run_replaces_the_one_of_its_name_and_no_other(config: object, home: Path) -> None:
    assert callable(config)
    for name in ("lesson", "overfit", "mine"):
        (create_run_folder(name).path / "config.json").write_text("{}")
    open_lesson_session(config(), lambda _stage: None)
    left = {path.name for path in (home / "runs").iterdir()}
    assert left == {"lesson", "overfit", "mine"} - {config().run_name}


def test_a_run_that_is_continued_is_not_removed(home: Path) -> None:
    write_checkpoint(folder_of_run("lesson").checkpoint_path("latest"))
    open_lesson_session(main_config(), lambda _stage: None)
    assert folder_of_run("lesson").checkpoint_path("latest").exists()


def test_a_run_that_is_trained_elsewhere_is_not_replaced() -> None:
    folder = create_run_folder("overfit")
    with contextlib.closing(Journal(folder.journal_path)), pytest.raises(StorageError, match="Another process trains"):
        open_lesson_session(overfit_config(), lambda _stage: None)
    assert folder.journal_path.exists()


def test_a_user_of_few_runs_who_has_not_seen_the_lesson_is_invited() -> None:
    assert "tweetgen-tui lesson" in invitation_to_lesson()
    for number in range(3):
        assert invitation_to_lesson()
        (create_run_folder(f"run-{number}").path / "config.json").write_text("{}")
    assert invitation_to_lesson() == ""


def test_who_has_opened_the_lesson_is_not_invited() -> None:
    write_progress(progress_path(), Progress())
    assert invitation_to_lesson() == ""
