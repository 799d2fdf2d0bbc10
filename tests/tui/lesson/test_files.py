"""What the lesson keeps in its folder: its progress, its lock, and its runs, of which it replaces no other."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig
from engine.errors import StorageError
from engine.storage.folders import create_run_folder, folder_of_run
from engine.storage.journal import Journal
from tests.engine.checkpoints.saved import write_checkpoint
from tests.fakes import FakeSession
from tui.lesson import runs
from tui.lesson.lock import is_lesson_open, lock_lesson
from tui.lesson.progress import Progress, invitation_to_lesson, progress_path, read_progress, write_progress
from tui.lesson.runs import main_config, open_lesson_session, overfit_config


@pytest.fixture(autouse=True)
def _no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "open_training_session", lambda _config, _on_stage: FakeSession())


def test_the_lesson_continues_at_its_stop(tmp_path: Path) -> None:
    path = tmp_path / "lesson" / "progress.json"
    assert read_progress(path) == Progress()
    progress = Progress(3, frozenset({1, 2, 8}))
    write_progress(path, progress)
    assert read_progress(path) == progress
    assert [Progress(1, frozenset(done)).is_complete for done in ({1, 2, 8}, range(1, 9))] == [False, True]


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\xff\xfe", b"[]", b"3", b"{}", b"[" * 100_000),
        *(b'{"stop": 3}', b'{"stop": 9, "done": []}', b'{"stop": 0, "done": []}', b'{"stop": true, "done": []}'),
        *(b'{"stop": "3", "done": []}', b'{"stop": 3, "done": 4}'),
    ],
    ids=lambda content: content.decode("latin-1")[:30],
)
def test_a_damaged_file_means_the_beginning(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "progress.json"
    path.write_bytes(content)
    assert read_progress(path) == Progress()


def test_stops_that_do_not_exist_are_not_done(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    path.write_text('{"stop": 2, "done": [1, 9, -1, "2", true, 2.0]}', encoding="utf-8")
    assert read_progress(path) == Progress(2, frozenset({1}))


def test_a_user_of_few_runs_who_has_not_opened_the_lesson_is_invited() -> None:
    assert "tweetgen-tui lesson" in invitation_to_lesson()
    write_progress(progress_path(), Progress())
    assert invitation_to_lesson() == ""
    progress_path().unlink()
    for number in range(3):
        assert invitation_to_lesson()
        (create_run_folder(f"run-{number}").path / "config.json").write_text("{}")
    assert invitation_to_lesson() == ""


def test_a_lesson_that_is_open_is_refused_until_it_is_closed() -> None:
    assert not is_lesson_open()
    descriptor = lock_lesson()
    assert is_lesson_open()
    with pytest.raises(StorageError, match="open in another terminal"):
        lock_lesson()
    os.close(descriptor)
    assert not is_lesson_open()
    os.close(lock_lesson())


def test_the_run_on_one_tweet_has_the_row_and_the_learning_rate_of_the_tutorial() -> None:
    config = overfit_config()
    assert config.corpus == CorpusConfig(overfit=200)
    assert config.settings["learning_rate"] == 0.001


@pytest.mark.parametrize("config", [main_config, overfit_config])
def test_a_new_run_replaces_the_one_of_its_name_and_no_other(config: Callable[[], RunConfig], home: Path) -> None:
    for name in ("lesson", "overfit", "mine"):
        (create_run_folder(name).path / "config.json").write_text("{}")
    open_lesson_session(config(), lambda _stage: None)
    left = {path.name for path in (home / "runs").iterdir()}
    assert left == {"lesson", "overfit", "mine"} - {config().run_name}


def test_a_saved_model_is_continued_and_not_removed_unless_a_new_one_is_wanted() -> None:
    assert main_config().run_name == "lesson"
    write_checkpoint(folder_of_run("lesson").checkpoint_path("latest"))
    assert main_config().resume == "lesson"
    assert main_config(is_new=True).run_name == "lesson"
    open_lesson_session(main_config(), lambda _stage: None)
    assert folder_of_run("lesson").checkpoint_path("latest").exists()


def test_a_run_that_is_trained_elsewhere_is_not_replaced() -> None:
    folder = create_run_folder("overfit")
    with contextlib.closing(Journal(folder.journal_path)), pytest.raises(StorageError, match="Another process trains"):
        open_lesson_session(overfit_config(), lambda _stage: None)
    assert folder.journal_path.exists()
