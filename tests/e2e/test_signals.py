"""A run outlives its screen: detached by a key or a dropped connection; signals, crashes, and terminals not read."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from textual._compositor import LayoutUpdate
from textual.driver import Driver

from engine.checkpoints.format import read_info
from engine.protocol import events as e
from engine.storage.files import is_locked
from tests.cli.conftest import Launch
from tests.cli.program import Cli, assert_error_at_the_end, assert_two_line_error, processes_in, write_tweets
from tests.e2e.conftest import QUIET, SCRIPTED, SLOWLY, OpenTerminal, quiet_config
from tests.e2e.terminal import Terminal, environment, events_of, trainer_of, wait_for_end, wait_for_steps
from tests.engine.helpers import losses, run_session, stop_at
from tests.tui.conftest import wait_until as wait_in_app
from tests.waiting import DEADLINE_SECONDS, wait_until
from tui.process.screen_watch import PATIENCE_SECONDS, TAKEOVER_SECONDS
from tui.terminal.app import TerminalApp

SHELL = ("bash", "--norc", "--noprofile", "-i")
SHELL_MODES = {2004}
"""Bracketed paste, which shells set while they read a line."""
CONTINUES = "The run watched continues in the background:  tweetgen-tui attach watched"


def assert_trains_on_until_terminated(home: Path) -> None:
    wait_for_steps(home, 5)
    trainer_of(home).send_signal(signal.SIGTERM)
    assert wait_for_end(home).reason == "terminated"


def test_ctrl_z_returns_to_the_shell_and_stops_the_training_and_fg_repaints_and_continues(
    open_terminal: OpenTerminal, home: Path
) -> None:
    terminal = open_terminal(program=SHELL, PS1="shell>")
    terminal.wait_for("shell>")
    terminal.press(shlex.join(SCRIPTED), "enter", shows="▶ training")
    terminal.press("\x1a", shows="Stopped")
    assert set(terminal.modes_left_set) <= SHELL_MODES
    assert trainer_of(home).status() == psutil.STATUS_STOPPED
    terminal.press("echo $((20 + 3))", "enter", shows="\n23\n")
    terminal.press("fg", "enter", shows="▶ training")
    wait_for_steps(home, 5)
    terminal.press("q", shows="--resume watched")
    terminal.wait_for(r"shell>\s*\Z")
    assert set(terminal.modes_left_set) <= SHELL_MODES


async def test_a_resumed_screen_draws_every_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    app, drawn = TerminalApp[None](), list[object]()
    async with app.run_test() as pilot:
        await pilot.pause()
        monkeypatch.setattr(app, "_display", lambda _screen, update: drawn.append(update))
        app.post_message(Driver.SignalResume())
        await wait_in_app(lambda: any(isinstance(update, LayoutUpdate) for update in drawn), "a whole screen")


def test_a_crash_restores_the_terminal_and_its_traceback_is_in_the_log_of_the_run(screen: Terminal, home: Path) -> None:
    trainer_of(home).send_signal(signal.SIGSEGV)
    screen.assert_ends(128 + signal.SIGSEGV)
    what, how = screen.text.strip().splitlines()[-2:]
    assert what == "tweetgen-tui: The program was ended by SIGSEGV."
    assert how.endswith("tweetgen-tui --resume watched")
    log = (home / "runs/watched/tweetgen.log").read_text(encoding="utf-8")
    assert "Fatal Python error: Segmentation fault" in log
    assert "most recent call first" in log


@pytest.mark.ci
@pytest.mark.parametrize("breaks", ["tick", "keys"])
def test_an_exception_in_the_screen_is_reported_in_two_lines_and_the_training_continues(
    open_terminal: OpenTerminal, home: Path, breaks: str
) -> None:
    screen = open_terminal(program=SCRIPTED, BREAKS=breaks)
    if breaks == "keys":
        screen.wait_for("▶ training")
        screen.press("+")
    screen.assert_ends(3)
    what, *_, how = screen.text.strip().splitlines()
    assert what == "tweetgen-tui: The screen has failed: RuntimeError: a mistake of ours"
    assert "tweetgen.log" in screen.text.replace("\n", "")
    assert how == CONTINUES
    log = (home / "tweetgen.log").read_text(encoding="utf-8")
    assert re.search("Traceback(.|\n)*line \\d+, in fail_if\n(.|\n)*RuntimeError: a mistake of ours", log)
    assert_trains_on_until_terminated(home)


# A terminal that is not read ------------------------------------------------------------------------------------------


def test_a_terminal_that_is_not_read_delays_neither_the_training_nor_the_exit(
    open_terminal: OpenTerminal, home: Path
) -> None:
    screen = open_terminal(program=SCRIPTED, BREAKS="no reader")
    screen.wait_for("▶ training")
    screen.fill_unread()
    wait_for_steps(home, 20)
    screen.send_signal(signal.SIGTERM)
    assert screen.wait_for_exit_unread() == 143
    assert wait_for_end(home).reason == "terminated"


@pytest.mark.parametrize("breaks", ["", "late reader"])
def test_d_leaves_the_run_to_itself_and_restores_a_terminal_whenever_that_is_read(
    open_terminal: OpenTerminal, home: Path, breaks: str
) -> None:
    screen = open_terminal(program=SCRIPTED, BREAKS=breaks)
    screen.wait_for("▶ training")
    screen.fill_unread()
    screen.press("d", "q")  # the q was sent before d was handled, and does not end the run
    if breaks:
        wait_until((home / "broken").exists, "the end of the screen, whose last output is lost")
    screen.assert_ends(0)
    assert screen.text.strip() == CONTINUES
    trainer = trainer_of(home)
    if sys.platform == "linux":  # macOS does not show the descriptors of another process
        folder = f"{psutil.PROCFS_PATH}/{trainer.pid}/fd"
        assert all(os.readlink(f"{folder}/{number}") == os.devnull for number in range(3))
    assert trainer.terminal() is None
    assert_trains_on_until_terminated(home)


# A screen that does not answer ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("breaks", ["blocked screen", pytest.param("closed screen", marks=pytest.mark.ci)])
@pytest.mark.parametrize("code", [143, 3, pytest.param(129, marks=pytest.mark.ci)])
def test_sigterm_ends_a_screen_that_does_not_answer_and_its_run_ctrl_c_or_a_hangup_the_screen_alone(
    open_terminal: OpenTerminal, home: Path, breaks: str, code: int
) -> None:
    screen = open_terminal(program=SCRIPTED, BREAKS=breaks)
    screen.wait_until((home / "broken").exists, "never broken")
    if code == 143:
        screen.send_signal(signal.SIGTERM)
        screen.assert_ends(143)
        assert wait_for_end(home).reason == "terminated"
        assert screen.text.strip().endswith("tweetgen-tui --resume watched")
        wait_until(lambda: not processes_in(home), "the end of the process")
        assert PATIENCE_SECONDS + TAKEOVER_SECONDS < 5
        return
    if code == 129:
        screen.hang_up()
        assert screen.wait_for_exit_unread() == 129
    else:
        screen.press("ctrl+c")
        screen.assert_ends(3)
        assert "tweetgen-tui: The screen has failed: It does not answer." in screen.text
        assert re.search("File .*, line \\d+ in (block|select)\n", (home / "tweetgen.log").read_text(encoding="utf-8"))
        assert screen.text.strip().endswith("tweetgen-tui attach watched")
    assert_trains_on_until_terminated(home)


@pytest.mark.ci
@pytest.mark.parametrize("code", [130, 143])
def test_sigterm_and_ctrl_c_save_and_close_a_lesson_that_does_not_answer(
    open_terminal: OpenTerminal, home: Path, code: int
) -> None:
    lesson = open_terminal("lesson", program=SCRIPTED, BREAKS="blocked lesson")
    lesson.wait_until((home / "lesson" / "broken").exists, "never broken")
    if code == 130:
        lesson.press("ctrl+c")
    else:
        lesson.send_signal(signal.SIGTERM)
    lesson.assert_ends(code)
    assert "The lesson continues at stop 1" in lesson.text
    wait_until(lambda: not processes_in(home), "the end of the process")


# Signals and hangups --------------------------------------------------------------------------------------------------


@pytest.mark.ci
def test_repeated_ctrl_c_while_torch_loads_exits_at_once_restores_the_terminal_and_leaves_no_run(
    open_terminal: OpenTerminal, home: Path, tweets: Path
) -> None:
    terminal = open_terminal("train", "--data", tweets, *QUIET)
    terminal.wait_for("loading torch")
    while terminal.pump():
        terminal.send_signal(signal.SIGINT)
    terminal.assert_ends(130)
    assert "Traceback" not in terminal.text
    assert not list((home / "runs").iterdir())


@pytest.mark.parametrize("options", [(), pytest.param(("--on-hangup", "stop"), marks=pytest.mark.ci)])
def test_sighup_with_an_open_terminal_restores_it_and_the_run_continues_unless_it_is_to_stop(
    open_terminal: OpenTerminal, home: Path, options: tuple[str, ...]
) -> None:
    terminal = open_terminal(*options, program=SCRIPTED)
    terminal.wait_for("hello")
    terminal.send_signal(signal.SIGHUP)
    terminal.assert_ends(129)
    assert ("tweetgen-tui attach" in terminal.text) is (not options)
    if options:
        assert wait_for_end(home).reason == "hung up"
    else:
        assert_trains_on_until_terminated(home)


def test_a_dropped_connection_leaves_the_run_on(screen: Terminal, home: Path) -> None:
    screen.press("?", shows="esc close")
    screen.hang_up()
    assert screen.wait_for_exit_unread() == 129
    assert_trains_on_until_terminated(home)


@pytest.mark.ci
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs the disk that is always full, as Linux has it")
def test_a_run_trains_with_closed_stdin_and_stdout_and_a_full_stderr(home: Path, tweets: Path) -> None:
    arguments = shlex.join(["train", "--data", str(tweets), *QUIET, "--run-name", "watched", "--max-steps", "5"])
    command = f"{sys.executable} -m tui {arguments} <&- >&- 2>/dev/full"
    ended = subprocess.run(["bash", "-c", command], env=environment(home), timeout=DEADLINE_SECONDS, check=False)
    assert ended.returncode == 0
    wait_for_end(home)


@pytest.mark.ci
def test_a_closed_pipe_of_stdout_after_sighup_does_not_end_the_run(launch: Launch, home: Path, tweets: Path) -> None:
    process = launch("train", "--json", "--data", tweets, *QUIET, "--run-name", "watched")
    process.read_events("StepsFinished")
    process.send(signal.SIGHUP)
    process.read_events("StepsFinished", 2)
    process.stop_reading()
    wait_for_steps(home, 20)
    process.send(signal.SIGTERM)
    assert process.wait().code == 143


def test_a_deleted_working_directory_is_an_error_of_two_lines(cli: Cli, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    cli.monkeypatch.chdir(gone)
    gone.rmdir()
    assert_two_line_error(cli(), "The working directory has been deleted.")


# Detached -------------------------------------------------------------------------------------------------------------


def test_train_detach_returns_once_the_run_has_started_screens_come_steer_end_it_and_no_loss_differs(
    launch: Launch, open_terminal: OpenTerminal, cli: Cli, home: Path, tweets: Path
) -> None:
    assert cli("attach").error_lines[0] == "tweetgen-tui: No run is active."
    refused = launch("train", "--data", home / "none.txt", "--detach").wait()
    assert (refused.code, "none.txt" in refused.error_lines[-2]) == (1, True)
    train = ("train", "--data", tweets, *SLOWLY, "--seed", "0", "--run-name", "watched", "--detach")
    started = launch(*train).wait()
    assert (started.code, started.error_lines[-1]) == (0, CONTINUES)
    [facts] = cli("runs", "list", "--json").objects
    assert (facts["run"], facts["state"]) == ("watched", "training")
    assert_error_at_the_end(cli("train", "--resume", "watched"), "is active already", "attach watched")
    first = open_terminal("attach", "watched")
    first.wait_for("▶ training")
    first.hang_up()
    assert first.wait_for_exit_unread() == 129
    attached = open_terminal("attach", "watched")
    attached.wait_for("▶ training")
    attached.press("+", "+", shows=r"temperature +0\.90")
    attached.press("g", shows=r"[●◐○] .*0\.90  \d\.\d\d")
    attached.press("space", shows="‖ paused")
    attached.press("space", shows="▶ training")
    wait_for_steps(home, 5)
    attached.press("q", shows="y stop the run")
    attached.press("y")
    attached.assert_ends(0)
    assert "tweetgen-tui --resume watched" in attached.text
    ended = wait_for_end(home)
    assert ended.reason == "stopped by the user"
    assert read_info(home / "runs/watched/checkpoints/latest.safetensors")[0].step == ended.step
    late = cli("attach", "watched")
    assert (late.code, late.error_lines[0]) == (0, "The run has ended: stopped by the user.")
    assert "--resume watched" in late.error_lines[-1]
    [facts] = cli("runs", "list", "--json").objects
    assert (facts["state"], facts["reason"]) == ("finished", "stopped by the user")
    assert losses(events_of(home)) == losses(run_session(quiet_config(tweets, seed=0), stop_at(ended.step)))


AS_ON_MACOS = """
from tui.process import job_control
job_control._EXECUTES_PYTHON = True
from tui.__main__ import main
main()
"""


def test_a_detached_run_reads_standard_input_once_where_its_process_executes_python_anew(home: Path) -> None:
    command = [sys.executable, "-c", AS_ON_MACOS, "train", "--data", "-", *QUIET, "--max-steps", "3", "--detach"]
    lines = write_tweets(home / "tweets.txt").read_bytes()
    ended = subprocess.run(
        [*command, "--run-name", "watched"], input=lines, env=environment(home), capture_output=True, check=False
    )
    assert (ended.returncode, ended.stderr.decode().splitlines()[-1]) == (0, CONTINUES)
    wait_until(lambda: any(isinstance(event, e.RunFinished) for event in events_of(home)), "the end")
    assert wait_for_end(home).step == 3


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
    screen: Terminal, open_terminal: OpenTerminal
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
    assert is_locked(home / "runs" / second / "events.jsonl")
