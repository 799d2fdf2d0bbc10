"""Detaching and attaching at awkward moments: dialogs open, nothing begun, paused, the last second, other tweets."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import psutil

from engine import events as e
from engine.folders import RunFolder
from engine.journal import is_in_use, read_journal
from tests.cli.program import processes_in, write_tweets
from tests.e2e.conftest import QUIET, Open
from tests.e2e.terminal import DEADLINE_SECONDS, Terminal
from tui.remote.places import socket_path


def told(home: Path, run: str = "watched") -> list[e.Event]:
    return list(read_journal(home / "runs" / run / "events.jsonl"))


def is_on(home: Path, run: str = "watched") -> bool:
    return is_in_use(home / "runs" / run / "events.jsonl")


def until(condition: object, what: str) -> None:
    """Wait for a condition; fail after the deadline."""
    assert callable(condition)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.02)


def test_a_hang_up_under_an_open_dialog_leaves_the_training(screen: Terminal, open_terminal: Open, home: Path) -> None:
    screen.press("?")
    screen.wait_for("esc close")
    screen.hang_up()
    attached = open_terminal("attach", "watched", columns=80, rows=24)
    attached.wait_for("▶ training")
    assert "esc close" not in attached.text


def test_d_before_the_run_has_begun_gives_the_shell_back_and_the_run_begins(
    open_terminal: Open, home: Path, tweets: Path
) -> None:
    terminal = open_terminal("--data", tweets, *QUIET, "--run-name", "watched")
    terminal.wait_until(lambda: terminal.has_opened_screen and terminal.text.strip(), "never opened")
    terminal.press("d", "d")
    assert terminal.wait_for_exit()[0] == 0
    assert "goes on in the background" in terminal.text
    until(lambda: is_on(home) and any(isinstance(event, e.StepsFinished) for event in told(home)), "steps")


def test_a_paused_run_stays_paused_without_a_screen_and_goes_on_from_another(
    screen: Terminal, open_terminal: Open, home: Path
) -> None:
    screen.press("space")
    screen.wait_for("‖ paused")
    screen.press("d")
    assert screen.wait_for_exit()[0] == 0
    attached = open_terminal("attach", columns=80, rows=24)
    attached.wait_for("‖ paused")
    attached.press("space")
    attached.wait_for("▶ training")
    attached.press("q")
    attached.wait_for("e end the run")
    attached.press("e")
    assert attached.wait_for_exit()[0] == 0
    until(lambda: not is_on(home), "the end")
    assert isinstance(told(home)[-1], e.RunFinished)


def test_a_killed_run_is_told_in_the_attached_screen_with_how_to_go_on(
    screen: Terminal, open_terminal: Open, home: Path
) -> None:
    screen.hang_up()
    attached = open_terminal("attach", "watched")
    attached.wait_for("▶ training")
    trainer = max(processes_in(home), key=lambda process: len(process.open_files()))
    holders = [each for each in processes_in(home) if holds_journal(each, home)]
    assert [trainer.pid in {each.pid for each in holders}, len(holders)] == [True, 1]
    trainer.send_signal(signal.SIGKILL)
    attached.wait_for("is not on")
    attached.press("q")
    attached.wait_until_gone("is not on")
    attached.press("q")
    assert attached.wait_for_exit()[0] != 0
    assert "--resume watched" in attached.text
    assert attached.modes_left_set == []


def holds_journal(process: psutil.Process, home: Path) -> bool:
    return str(home / "runs/watched/events.jsonl") in {each.path for each in process.open_files()}


def test_attaching_in_a_runs_last_second_shows_the_run_or_its_end(
    open_terminal: Open, screen: Terminal, home: Path
) -> None:
    screen.press("q")
    attached = open_terminal("attach", "watched")
    screen.wait_for_exit()
    attached.wait_until(
        lambda: any(word in attached.text for word in ("stopped by the user", "The run is over", "has ended")),
        "never told the end",
    )
    attached.press("q")
    attached.wait_for_exit()
    until(lambda: not is_on(home), "the end")
    assert not socket_path(RunFolder(home / "runs" / "watched")).exists()


def test_other_tweets_opened_from_an_attached_screen_are_trained_there_and_can_be_detached_again(
    screen: Terminal, open_terminal: Open, home: Path, tmp_path: Path
) -> None:
    others = write_tweets(tmp_path / "others.txt")
    screen.press("d")
    assert screen.wait_for_exit()[0] == 0
    attached = open_terminal("attach", "watched")
    attached.wait_for("▶ training")
    attached.press("o")
    attached.wait_for(r"\.\. +the folder above")
    attached.press(str(others))
    attached.wait_for(r"others\.txt +│")
    attached.press("enter")
    attached.wait_for("Enter saves the run watched")
    attached.press("enter")
    attached.wait_until(lambda: len(list((home / "runs").iterdir())) == 2, "no second run")
    [second] = [each.name for each in (home / "runs").iterdir() if each.name != "watched"]
    until(lambda: not is_on(home), "the end of the first run")
    assert isinstance(told(home)[-1], e.RunFinished)
    attached.wait_for("▶ training")
    attached.press("d")
    assert attached.wait_for_exit()[0] == 0
    assert f"tweetgen-tui attach {second}" in attached.text
    assert is_on(home, second)
