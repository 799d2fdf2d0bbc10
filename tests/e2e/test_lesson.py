"""The lesson in a terminal: on the real engine, from its command to its end."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import pytest

from tests.cli.program import Cli, assert_two_line_error
from tests.e2e.conftest import SCRIPTED, OpenTerminal
from tui.lesson.lock import lock_lesson
from tui.lesson.progress import Progress, progress_path, read_progress, write_progress

_SCRIPTED_LESSON = """import tui.lesson.runs
tui.lesson.runs.open_training_session = lambda config, on_stage: FakeSession()
"""


def test_a_stop_is_done_on_the_real_model_and_the_lesson_goes_on_there(open_terminal: OpenTerminal, home: Path) -> None:
    terminal = open_terminal("lesson", "--stop", "2", columns=80, rows=24)
    terminal.wait_for(r"V = \d+")
    terminal.press(*["enter"] * 4)
    terminal.wait_for(r"\[2✓\]")
    terminal.wait_for(r"[\d,]+ parameters in all")
    terminal.press("q")
    code, _ = terminal.wait_for_exit()
    assert code == 0
    assert terminal.is_restored
    terminal.wait_for("The lesson continues at stop 2: tweetgen-tui lesson")
    assert [path.name for path in (home / "lesson" / "runs").iterdir()] == ["lesson"]
    assert not (home / "runs").exists()


@pytest.mark.ci
def test_the_palette_saves_and_stops_the_run_and_opens_the_lesson_in_its_place(open_terminal: OpenTerminal) -> None:
    interpreter, option, script = SCRIPTED
    script = script.replace("from tui.__main__", _SCRIPTED_LESSON + "from tui.__main__")
    terminal = open_terminal(program=(interpreter, option, script), columns=80, rows=24)
    terminal.wait_for("hello ñ there")
    terminal.press("ctrl+p")
    terminal.wait_for("Search")
    terminal.press("the lesson")
    terminal.wait_for("Save and stop this run, and open the guided lesson")
    terminal.press("enter")
    terminal.wait_for("Open the lesson")
    terminal.press("y")
    terminal.wait_for(r"\[1\] 2 3 4 5 6 7 8  Characters")
    terminal.wait_for("a matrix of 20 x 40")
    terminal.press("escape")
    terminal.wait_for("q quit")
    terminal.press("q")
    code, _ = terminal.wait_for_exit()
    assert code == 0
    assert terminal.is_restored
    terminal.wait_for("The lesson continues at stop 1")


def test_a_lesson_is_refused_without_a_terminal_at_a_stop_that_does_not_exist_and_while_another_is_open(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("lesson", "--stop", "9").code == 2
    assert_two_line_error(cli("lesson"), "needs a terminal")
    command = importlib.import_module("tui.cli.commands.lesson")
    monkeypatch.setattr(command, "require_terminal", lambda _hint: None)
    monkeypatch.setattr(command, "start_job_control", lambda: None)
    write_progress(progress_path(), Progress(3))
    descriptor = lock_lesson()
    refused = cli("lesson", "--stop", "4")
    os.close(descriptor)
    assert_two_line_error(refused, "The lesson is open in another terminal", "Go on there, or leave it there with q")
    assert read_progress(progress_path()) == Progress(3)
