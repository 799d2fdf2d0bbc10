from __future__ import annotations

from pathlib import Path

from engine.protocol import events as e
from engine.protocol.stage import Stage
from tests.fakes import run_started
from tui.process.launch.folder import LaunchFolder
from tui.process.launch.notes import LaunchNotes

FAILED = e.RunFailed(step=1, elapsed_seconds=0.1, title="", detail="No.", hint="")


def test_a_screen_reads_the_latest_stage_of_the_leader(tmp_path: Path) -> None:
    leader, screen = LaunchNotes(LaunchFolder(tmp_path)), LaunchNotes(LaunchFolder(tmp_path))
    read = [screen.stage]
    stages = [Stage("loading torch"), Stage("reading the tweets", share=0.5, report=("28,897 of 30,000 rows",))]
    for stage in stages:
        leader.note(stage)
        read += [screen.stage, screen.stage]
    assert read == [None, *(stages[:1] * 2), *(stages[1:] * 2)]


def test_a_folder_that_is_gone_loses_only_the_notes(tmp_path: Path) -> None:
    notes = LaunchNotes(LaunchFolder(tmp_path / "gone"))
    for progress in (Stage("loading torch"), run_started()):
        notes.note(progress)
    assert (notes.stage, notes.has_started) == (None, False)


def test_notes_are_what_later_readers_need(tmp_path: Path) -> None:
    notes = LaunchNotes(LaunchFolder(tmp_path))
    saved = e.CheckpointSaved(step=0, elapsed_seconds=0.0, name="latest", path="", bits_per_char=None, weights_step=0)
    for progress in (run_started(), saved, FAILED):
        notes.note(progress)
    assert (notes.has_started, notes.has_saved, notes.ended) == (True, True, FAILED)
