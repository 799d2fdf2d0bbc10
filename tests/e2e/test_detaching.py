"""A run outlives its screen: detached by a key or a dropped connection, attached to from another terminal."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from engine.checkpoints.metadata import read_info
from engine.protocol import events as e
from engine.storage.file_lock import is_locked
from tests.cli.conftest import Launch
from tests.cli.program import Cli, write_tweets
from tests.e2e.conftest import QUIET, SLOWLY, OpenTerminal, quiet_config
from tests.e2e.journals import events_of, journal_of, trainer_of, wait_for_end, wait_for_steps
from tests.e2e.terminal import Terminal
from tests.engine.helpers import losses, run_session, stop_at
from tests.waiting import wait_until


def test_a_run_outlives_a_dropped_connection_attach_steers_and_ends_it_and_no_loss_differs(
    open_terminal: OpenTerminal, home: Path, tweets: Path
) -> None:
    screen = open_terminal("--data", tweets, *SLOWLY, "--run-name", "watched")
    screen.wait_for("▶ training")
    screen.press("?", shows="esc close")
    screen.hang_up()
    assert screen.wait_for_exit_unread() == 129
    wait_for_steps(home, 50)
    attached = open_terminal("attach", "watched")
    attached.wait_for("▶ training")
    assert "esc close" not in attached.text
    attached.press("+", "+", shows=r"temperature +0\.90")
    attached.press("g", shows=r"[●◐○] .*0\.90  \d\.\d\d")
    attached.press("space", shows="‖ paused")
    attached.press("space", shows="▶ training")
    attached.press("q", shows="y stop the run")
    attached.press("y")
    attached.assert_ends(0)
    assert "tweetgen-tui --resume watched" in attached.text
    ended = wait_for_end(home)
    assert ended.reason == "stopped by the user"
    assert read_info(home / "runs/watched/checkpoints/latest.safetensors")[0].step == ended.step
    alone = losses(run_session(quiet_config(tweets), stop_at(ended.step)))
    assert losses(events_of(home)) == alone


def test_a_terminal_that_is_not_read_does_not_block_the_training_which_d_leaves_without_a_terminal(
    screen: Terminal, home: Path
) -> None:
    screen.fill_unread()
    wait_for_steps(home, 30)
    screen.press("d", "q")  # the q was sent before d was handled, and does not end the run
    screen.assert_ends(0)
    assert screen.text.strip() == "The run watched continues in the background:  tweetgen-tui attach watched"
    trainer = trainer_of(home)
    assert all(os.readlink(f"/proc/{trainer.pid}/fd/{number}") == os.devnull for number in range(3))
    assert trainer.terminal() is None
    wait_for_steps(home, 10)
    trainer.send_signal(signal.SIGTERM)
    assert wait_for_end(home).reason == "terminated"


@pytest.mark.ci
def test_d_before_the_run_has_started_returns_to_the_shell_and_the_run_starts(
    open_terminal: OpenTerminal, home: Path, tweets: Path
) -> None:
    terminal = open_terminal("--data", tweets, *QUIET, "--run-name", "watched")
    terminal.wait_until(lambda: terminal.has_opened_screen and terminal.text.strip(), "never opened")
    terminal.press("d", "d")
    terminal.assert_ends(0)
    assert "continues in the background" in terminal.text
    wait_until(lambda: any(isinstance(event, e.StepsFinished) for event in events_of(home)), "steps")


@pytest.mark.ci
def test_several_screens_attach_to_one_run_and_show_what_another_changes(
    screen: Terminal, open_terminal: OpenTerminal, cli: Cli
) -> None:
    second = open_terminal("attach", columns=80, rows=24)
    second.wait_for("This is the run watched")
    second.wait_for("▶ training")
    third = open_terminal("attach", "watched", "--read-only", columns=80, rows=24)
    third.wait_for("▶ training")
    second.press("+")
    for terminal in (second, third, screen):
        terminal.wait_for(r"temp(erature)? +0\.85")
    third.send_signal(signal.SIGTERM)  # a signal to an attached screen does not affect the run
    third.assert_ends(143)
    assert "The run watched continues" in third.text
    refused = cli("train", "--resume", "watched")
    assert refused.code == 1
    assert "is active already" in refused.error_lines[-2]
    assert "attach watched" in refused.error_lines[-1]
    screen.press("space")
    for terminal in (second, screen):
        terminal.wait_for("‖ paused")
    second.press("space")
    screen.wait_for("▶ training")
    screen.press("q")
    screen.assert_ends(0)
    second.wait_for("■ stopped by the user")
    second.press("q")
    second.assert_ends(0)


def test_train_detach_returns_once_the_run_has_started_or_can_not_start_and_attach_reports_its_end(
    launch: Launch, cli: Cli, home: Path, tweets: Path
) -> None:
    assert cli("attach").error_lines[0] == "tweetgen-tui: No run is active."
    finished = launch("train", "--data", tweets, *QUIET, "--run-name", "watched", "--detach").wait()
    assert finished.code == 0, finished.err
    assert finished.error_lines[-1] == "The run watched continues in the background:  tweetgen-tui attach watched"
    [facts] = cli("runs", "list", "--json").objects
    assert (facts["run"], facts["state"]) == ("watched", "training")
    trainer_of(home).send_signal(signal.SIGTERM)
    assert wait_for_end(home).reason == "terminated"
    attached = cli("attach", "watched")
    assert attached.code == 0
    assert attached.error_lines[0] == "The run has ended: terminated."
    assert "--resume watched" in attached.error_lines[-1]
    [facts] = cli("runs", "list", "--json").objects
    assert (facts["state"], facts["reason"]) == ("finished", "terminated")
    refused = launch("train", "--data", home / "none.txt", "--detach").wait()
    assert refused.code == 1
    assert "none.txt" in refused.error_lines[-2]


@pytest.mark.ci
def test_other_tweets_opened_from_an_attached_screen_start_a_run_that_can_be_detached_again(
    launch: Launch, tweets: Path, open_terminal: OpenTerminal, home: Path, tmp_path: Path
) -> None:
    others = write_tweets(tmp_path / "other tweets.txt")
    assert launch("train", "--data", tweets, *QUIET, "--run-name", "watched", "--detach").wait().code == 0
    attached = open_terminal("attach", "watched")
    attached.wait_for("▶ training")
    attached.press("o", shows=r"\.\. +parent folder")
    attached.press(str(others), shows=r"other tweets\.txt +│")
    attached.press("enter", shows="enter saves the run watched")
    attached.press("enter")
    wait_until(lambda: len(list((home / "runs").glob("*/events.jsonl"))) == 2, "a second run")
    [second] = [each.name for each in (home / "runs").iterdir() if each.name != "watched"]
    wait_for_end(home)
    attached.wait_for(r"▶ training +other tweets +\d+")  # not the run before
    attached.press("d")
    attached.assert_ends(0)
    assert f"tweetgen-tui attach {second}" in attached.text
    assert is_locked(journal_of(home, second))
