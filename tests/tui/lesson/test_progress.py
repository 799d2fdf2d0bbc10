"""The progress of the lesson: what does a stop, and what is kept: the file, a lock, and runs that replace no other."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig
from engine.errors import StorageError
from engine.model.vocab import UNK
from engine.storage.folders import create_run_folder, folder_of_run
from engine.storage.journal import Journal
from tests.engine.checkpoints.saved import write_checkpoint
from tests.fakes import FakeSession
from tui.lesson import runs
from tui.lesson.checks import Facts, is_done
from tui.lesson.lock import is_lesson_open, lock_lesson
from tui.lesson.progress import Progress, invitation_to_lesson, progress_path, read_progress, write_progress
from tui.lesson.runs import main_config, open_lesson_session, overfit_config
from tui.lesson.stops import STOPS

DEEDS: dict[int, dict[str, Any]] = {
    1: {"typed_ids": (4, 9, UNK)},
    2: {"num_parts_seen": 4},
    3: {
        "stepped": frozenset({*range(12), 80}),
        "num_places": 81,
        "trace_difference": 4e-7,
        "has_seen_own_draw": True,
    },
    4: {"overfit_loss": 0.048, "overfit_target": "by heart", "overfit_written": "by heart"},
    5: {"ladder": frozenset({0.0, 0.1, 1.0, 5.0}), "bar_temperatures": frozenset({0.1, 1.0, 5.0})},
    6: {"measured_steps": ((1, 30), (32, 40))},
    7: {"has_restarted": True, "val_bits": 3.6, "bigram_bits": 3.7},
    8: {"views_seen": frozenset({"reach", "units", "map"}), "has_held_unit": True},
}
UNDONE: list[tuple[int, dict[str, Any]]] = [
    (1, {"typed_ids": (4, 9)}),
    (1, {"typed_ids": (UNK,)}),
    (2, {"num_parts_seen": 3}),
    (3, {"stepped": frozenset({0, 80})}),
    (3, {"stepped": frozenset(range(40))}),
    (3, {"trace_difference": 2e-5}),
    (3, {"has_seen_own_draw": False}),
    (4, {"overfit_loss": 0.049}),
    (4, {"overfit_written": "by hear"}),
    (4, {"overfit_target": "", "overfit_written": ""}),
    (5, {"ladder": frozenset({0.1, 1.0, 5.0})}),
    (5, {"bar_temperatures": frozenset({0.1, 1.0, 4.0})}),
    (5, {"bar_temperatures": frozenset({0.2, 1.0, 5.0})}),
    (6, {"measured_steps": ((32, 400),)}),
    (6, {"measured_steps": ((1, 30), (32, 29))}),
    (7, {"has_restarted": False}),
    (7, {"val_bits": 3.7}),
    (7, {"bigram_bits": 0.0}),
    (8, {"views_seen": frozenset({"reach", "units"})}),
    (8, {"has_held_unit": False}),
]


def test_a_deed_does_its_stop_and_no_other_and_each_part_of_it_is_needed() -> None:
    assert list(DEEDS) == list(range(1, len(STOPS) + 1))
    assert [stop for stop in DEEDS if is_done(stop, Facts())] == []
    for stop, deed in DEEDS.items():
        assert [each for each in DEEDS if is_done(each, Facts(**deed))] == [stop]
    assert [(stop, lack) for stop, lack in UNDONE if is_done(stop, replace(Facts(**DEEDS[stop]), **lack))] == []
    facts = replace(Facts(**DEEDS[3]), num_places=3)  # a tweet shorter than a dozen places
    assert is_done(3, replace(facts, stepped=frozenset({0, 1, 2})))
    assert not is_done(3, replace(facts, stepped=frozenset({1, 2})))


# What is kept ---------------------------------------------------------------------------------------------------------


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
def test_a_damaged_file_means_the_beginning_and_no_unknown_stop_is_done(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "progress.json"
    path.write_bytes(content)
    assert read_progress(path) == Progress()
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


@pytest.mark.parametrize("config", [main_config, overfit_config])
def test_a_new_run_replaces_the_one_of_its_name_and_no_other(config: Callable[[], RunConfig], home: Path) -> None:
    for name in ("lesson", "overfit", "mine"):
        (create_run_folder(name).path / "config.json").write_text("{}")
    open_lesson_session(config(), lambda _stage: None)
    left = {path.name for path in (home / "runs").iterdir()}
    assert left == {"lesson", "overfit", "mine"} - {config().run_name}


def test_a_saved_model_is_continued_unless_a_new_one_is_wanted_and_the_run_on_one_tweet_is_the_tutorials() -> None:
    assert overfit_config().corpus == CorpusConfig(overfit=200)
    assert overfit_config().settings["learning_rate"] == 0.001
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
