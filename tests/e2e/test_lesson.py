"""The lesson in a terminal: on the real engine, from its command to its end."""

from __future__ import annotations

from pathlib import Path

from tests.cli.program import Cli
from tests.e2e.conftest import SCRIPTED, OpenTerminal
from tui.lesson.progress import read_progress

_SCRIPTED_LESSON = """import tui.lesson.runs
tui.lesson.runs.open_training_session = lambda config, on_stage: FakeSession()
"""


def test_a_stop_is_done_on_the_real_model_and_the_lesson_continues_there(
    open_terminal: OpenTerminal, home: Path
) -> None:
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


def test_a_second_lesson_is_refused_and_changes_nothing_while_the_first_is_open(
    open_terminal: OpenTerminal, home: Path
) -> None:
    interpreter, option, script = SCRIPTED
    script = script.replace("from tui.__main__", _SCRIPTED_LESSON + "from tui.__main__")
    first = open_terminal("lesson", "--stop", "3", program=(interpreter, option, script), columns=80, rows=24)
    first.wait_for("Paused|follows the training")
    second = open_terminal("lesson", "--stop", "4", columns=80, rows=24)
    second.wait_for("The lesson is open in another terminal")
    second.wait_for("Go on there, or leave it there with q and open it here again")
    code, _ = second.wait_for_exit()
    assert code == 1
    assert not second.has_opened_screen
    assert read_progress(home / "lesson" / "progress.json").stop == 3
    first.press("q")
    first.wait_for_exit()
    third = open_terminal("lesson", "--stop", "4", program=(interpreter, option, script), columns=80, rows=24)
    third.wait_for("Overfit one tweet")


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


def test_a_stop_that_does_not_exist_and_a_missing_terminal_are_reported(cli: Cli) -> None:
    assert cli("lesson", "--stop", "9").code == 2
    result = cli("lesson")
    assert result.code == 1
    assert "needs a terminal" in result.err
