"""The lesson in a terminal: on the real engine, from its command to its end."""

from __future__ import annotations

from pathlib import Path

from tests.cli.program import Cli
from tests.e2e.conftest import OpenTerminal


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


def test_a_stop_that_does_not_exist_and_a_missing_terminal_are_reported(cli: Cli) -> None:
    assert cli("lesson", "--stop", "9").code == 2
    result = cli("lesson")
    assert result.code == 1
    assert "needs a terminal" in result.err
