"""What happens to the program from outside: stops, crashes, kills, and terminals that go or stand still."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.checkpoint import load_checkpoint
from engine.events import RunFinished
from engine.journal import read_journal
from tests.cli.conftest import Launch
from tests.cli.program import processes_in
from tests.e2e.conftest import QUIET, Open
from tests.e2e.terminal import DEADLINE_SECONDS, Terminal, environment
from tests.e2e.test_detaching import last_step, trainer_of, wait_for_end, wait_for_steps

SHELL = ("bash", "--norc", "--noprofile", "-i")
PASTE_OF_SHELL = {2004}
"""The mode in which a shell of today reads its line."""
FAILING_SCREEN = """
import sys
from tui.screens.run_screen import RunScreen
whole_tick = RunScreen.tick
def tick(self):
    whole_tick(self)
    if self.run_view.step > 5:
        raise RuntimeError("a mistake of ours")
RunScreen.tick = tick
from tui.__main__ import main
main()
"""

SIGNAL_WHILE_IT_LEAVES = """
import os, signal, sys
import tui.background
whole = tui.background.how_to_attach
def how_to_attach(view):
    for name in os.environ["SIGNALS"].split():
        os.kill(os.getpid(), getattr(signal, name))
    return whole(view)
tui.background.how_to_attach = how_to_attach
from tui.__main__ import main
main()
"""
STUCK_SESSION = """
import time
from tests.fakes import run_started
from tui.bridge import EngineBridge
class Stuck:
    def run(self, emit, commands):
        emit(run_started())
        time.sleep(60)
EngineBridge.__init__.__defaults__ = (lambda config, on_stage: Stuck(), *EngineBridge.__init__.__defaults__[1:])
from tui.__main__ import main
main()
"""


def wait_until_saved(home: Path) -> None:
    """Wait for a checkpoint of a step that has been taken."""
    path, deadline = home / "runs/watched/checkpoints/latest.safetensors", time.monotonic() + DEADLINE_SECONDS
    while load_checkpoint(path).info.step == 0:
        assert time.monotonic() < deadline, "nothing is saved"
        time.sleep(0.05)


def assert_can_be_resumed(launch: Launch, home: Path) -> None:
    """Go on with the run for a few steps."""
    step = load_checkpoint(home / "runs/watched/checkpoints/latest.safetensors").info.step
    resumed = launch("train", "--json", "--resume", "watched", "--max-steps", str(step + 3)).wait()
    assert resumed.code == 0, resumed.err
    assert resumed.objects[-1]["step"] == step + 3


def test_ctrl_z_gives_the_shell_back_stops_the_training_and_fg_paints_all_anew(
    open_terminal: Open, home: Path, tweets: Path
) -> None:
    terminal = open_terminal(program=SHELL, PS1="shell>")
    terminal.wait_for("shell>")
    terminal.press(f"{sys.executable} -m tui --data {tweets} {' '.join(QUIET)} --run-name watched", "enter")
    terminal.wait_for("▶ training")
    terminal.press("\x1a")
    terminal.wait_for("Stopped")
    assert set(terminal.modes_left_set) <= PASTE_OF_SHELL
    terminal.press("echo $((20 + 3))", "enter")
    terminal.wait_for("\n23\n")
    stopped_at, elapsed = last_step(home), list(read_journal(home / "runs/watched/events.jsonl"))[-1].elapsed_seconds
    began = time.monotonic()
    while time.monotonic() < began + 1.0:
        assert last_step(home) <= stopped_at + 1
    terminal.press("fg", "enter")
    terminal.wait_for("▶ training")
    wait_for_steps(home, 20)
    terminal.press("q")
    terminal.wait_for("--resume watched")
    terminal.wait_for(r"shell>\s*\Z")
    assert set(terminal.modes_left_set) <= PASTE_OF_SHELL
    told = [event for event in read_journal(home / "runs/watched/events.jsonl") if event.step > stopped_at]
    assert told[0].elapsed_seconds - elapsed < 0.9


@pytest.mark.parametrize(("number", "code"), [(signal.SIGSEGV, 139), (signal.SIGKILL, 137)])
def test_a_program_that_crashes_leaves_a_clean_terminal_and_a_run_to_go_on_with(
    open_terminal: Open, launch: Launch, home: Path, tweets: Path, number: signal.Signals, code: int
) -> None:
    screen = open_terminal("--data", tweets, *QUIET, "--run-name", "watched", "--autosave-seconds", "1")
    screen.wait_for("▶ training")
    wait_until_saved(home)
    trainer_of(home).send_signal(number)
    assert screen.wait_for_exit()[0] == code
    assert screen.modes_left_set == []
    what, how = screen.text.strip().splitlines()[-2:]
    assert what == f"tweetgen-tui: The program was ended by {number.name}."
    assert how.endswith("tweetgen-tui --resume watched")
    if number == signal.SIGSEGV:
        log = (home / "runs/watched/tweetgen.log").read_text(encoding="utf-8")
        assert "Fatal Python error: Segmentation fault" in log
        assert "most recent call first" in log
    assert_can_be_resumed(launch, home)


def test_who_kills_what_the_shell_has_started_kills_the_program(screen: Terminal, home: Path) -> None:
    screen.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while any(process.status() != "zombie" for process in processes_in(home)):
        assert time.monotonic() < deadline, "the training outlives its kill"


def test_a_terminal_that_takes_nothing_does_not_hold_up_the_end(screen: Terminal, home: Path) -> None:
    """Its buffer, which nobody reads, is full once a key has painted the screen anew a few times."""
    wait_for_steps(home, 10)
    screen.press(*["?", "escape"] * 20)
    wait_for_steps(home, 200)
    screen.send_signal(signal.SIGTERM)
    assert screen.wait_for_exit_unread() == 143
    wait_for_end(home)


def test_a_mistake_in_the_screen_leaves_the_training_and_two_lines(
    open_terminal: Open, home: Path, tweets: Path
) -> None:
    program = (sys.executable, "-c", FAILING_SCREEN)
    screen = open_terminal("--data", tweets, *QUIET, "--run-name", "watched", program=program)
    assert screen.wait_for_exit()[0] == 3
    assert screen.modes_left_set == []
    what, *_, how = screen.text.strip().splitlines()
    assert what == "tweetgen-tui: The screen has failed: RuntimeError: a mistake of ours"
    assert "tweetgen.log" in screen.text.replace("\n", "")
    assert how == "The run watched goes on in the background:  tweetgen-tui attach watched"
    assert "a mistake of ours" in (home / "tweetgen.log").read_text(encoding="utf-8")
    wait_for_steps(home, 20)
    attached = open_terminal("attach")
    attached.wait_for("▶ training")
    attached.press("q")
    attached.wait_for("e end the run")
    attached.press("e")
    assert attached.wait_for_exit()[0] == 0
    wait_for_end(home)


def test_a_mistake_in_an_attached_screen_leaves_the_run_alone(
    screen: Terminal, open_terminal: Open, home: Path
) -> None:
    attached = open_terminal("attach", program=(sys.executable, "-c", FAILING_SCREEN))
    assert attached.wait_for_exit()[0] == 3
    wait_for_steps(home, 20)
    screen.press("q")
    assert screen.wait_for_exit()[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_an_attached_screen_leaves_the_run_alone(
    screen: Terminal, open_terminal: Open, home: Path, number: signal.Signals
) -> None:
    attached = open_terminal("attach")
    attached.wait_for("▶ training")
    attached.send_signal(number)
    assert attached.wait_for_exit()[0] == 128 + number
    wait_for_steps(home, 20)
    screen.press("q")
    assert screen.wait_for_exit()[0] == 0


@pytest.mark.parametrize("signals", ["SIGHUP SIGCONT", "SIGTERM"])
def test_a_signal_while_a_detached_screen_goes_loses_nothing(
    open_terminal: Open, home: Path, tweets: Path, signals: str
) -> None:
    program = (sys.executable, "-c", SIGNAL_WHILE_IT_LEAVES)
    screen = open_terminal("--data", tweets, *QUIET, "--run-name", "watched", program=program, SIGNALS=signals)
    screen.wait_for("▶ training")
    screen.press("d")
    assert screen.wait_for_exit()[0] == 0
    if signals == "SIGTERM":
        ended = wait_for_end(home)
        assert isinstance(ended, RunFinished)
        assert ended.reason == "terminated"
    else:
        wait_for_steps(home, 20)


def test_a_second_ctrl_c_leaves_at_once_though_the_session_hangs(open_terminal: Open, home: Path) -> None:
    screen = open_terminal(program=(sys.executable, "-c", STUCK_SESSION))
    screen.wait_for("▶ training")
    screen.press("ctrl+c")
    screen.wait_for("ctrl\\+c leaves at once")
    screen.press("ctrl+c")
    status, seconds = screen.wait_for_exit()
    assert (status, seconds < 3.0) == (130, True)
    assert screen.modes_left_set == []


def test_ctrl_z_where_no_shell_could_wake_it_paints_anew_and_goes_on(screen: Terminal, home: Path) -> None:
    num_painted = len(screen.raw)
    screen.press("\x1a")
    screen.wait_until(lambda: screen.raw.count(b"\x1b[?1049h", num_painted), "never painted anew")
    screen.wait_for("▶ training")
    wait_for_steps(home, 20)
    screen.press("q")
    assert screen.wait_for_exit()[0] == 0


def test_a_replay_whose_terminal_hangs_up_ends(open_terminal: Open, trained: Path) -> None:
    replayed = open_terminal("runs", "replay", "first", "--speed", "0.01")
    replayed.wait_for("replay")
    replayed.hang_up()
    assert replayed.wait_for_exit_without_terminal() == 129


@pytest.mark.parametrize("closed", ["2>/dev/full", "<&- >&- 2>&-"])
def test_a_run_trains_whatever_its_standard_streams_are(home: Path, tweets: Path, closed: str) -> None:
    arguments = shlex.join(["train", "--data", str(tweets), *QUIET, "--run-name", "watched", "--max-steps", "5"])
    command = f"{sys.executable} -m tui {arguments} {closed}"
    ended = subprocess.run(["bash", "-c", command], env=environment(home), timeout=DEADLINE_SECONDS, check=False)
    assert ended.returncode == 0
    assert isinstance(wait_for_end(home), RunFinished)


def test_a_reader_that_goes_with_the_terminal_does_not_end_the_run(launch: Launch, home: Path, tweets: Path) -> None:
    process = launch("train", "--json", "--data", tweets, *QUIET, "--run-name", "watched")
    process.read_events("StepsFinished")
    process.send(signal.SIGHUP)
    process.read_events("StepsFinished", 2)
    process.stop_reading()
    wait_for_steps(home, 20)
    process.send(signal.SIGTERM)
    assert process.wait().code == 143
