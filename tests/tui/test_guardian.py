"""The guardian stands between shell and program: it ends as the program does, and lets the shell go when asked."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import psutil
import pytest

from tests.cli.program import ending_signals

DEADLINE_SECONDS = 20
PROGRAM = """
import os, pathlib, signal, sys, time
from tui.guardian import guarded

guard = guarded()
pathlib.Path("child").write_text(f"{os.getpid()} {os.getppid()} {os.tcgetpgrp(0) == os.getpgrp()}")
print("ready", flush=True)
"""


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """Let children hear the signals that whoever runs the tests ignores."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in ending_signals()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def start(folder: Path, then: str) -> pexpect.spawn:
    """Run a program in a pseudo-terminal that does `then` in the guardian's child."""
    child = pexpect.spawn(
        sys.executable, ["-c", PROGRAM + then], cwd=folder, timeout=DEADLINE_SECONDS, encoding="utf-8", echo=False
    )
    child.expect("ready")
    return child


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def child_of(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "child").read_text().split()[0]))


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_the_exit_code_is_the_childs_and_the_terminal_listens_to_it(tmp_path: Path) -> None:
    shell = start(tmp_path, "sys.exit(7)")
    shell.expect(pexpect.EOF)
    shell.close()
    assert shell.exitstatus == 7
    _, parent, has_terminal = (tmp_path / "child").read_text().split()
    assert (int(parent), has_terminal) == (shell.pid, "True")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGTSTP])
def test_a_signal_is_handed_on_once(tmp_path: Path, number: signal.Signals) -> None:
    shell = start(
        tmp_path,
        f"""
got = []
signal.signal({int(number)}, lambda *_: got.append(1))
print("listening", flush=True)
while not got:
    time.sleep(0.01)
time.sleep(0.2)
sys.exit(40 + len(got))
""",
    )
    shell.expect("listening")
    os.kill(shell.pid, number)
    shell.expect(pexpect.EOF)
    shell.close()
    assert shell.exitstatus == 41


def test_ctrl_c_of_the_terminal_reaches_the_child_alone(tmp_path: Path) -> None:
    shell = start(
        tmp_path,
        """
got = []
signal.signal(signal.SIGINT, lambda *_: got.append(1))
print("listening", flush=True)
while not got:
    time.sleep(0.01)
time.sleep(0.2)
sys.exit(40 + len(got))
""",
    )
    shell.expect("listening")
    shell.send("\x03")
    shell.expect(pexpect.EOF)
    shell.close()
    assert shell.exitstatus == 41


def test_released_the_shell_goes_on_and_the_child_lives_in_a_session_of_its_own(tmp_path: Path) -> None:
    shell = start(
        tmp_path,
        """
for number in range(3):
    os.dup2(os.open(os.devnull, os.O_RDWR), number)
guard.release(5)
pathlib.Path("session").write_text(f"{os.getsid(0) == os.getpid()}")
time.sleep(60)
""",
    )
    shell.expect(pexpect.EOF)
    shell.close()
    assert shell.exitstatus == 5
    child = child_of(tmp_path)
    wait_until(lambda: (tmp_path / "session").exists() and (tmp_path / "session").read_text())
    assert (tmp_path / "session").read_text() == "True"
    assert not is_gone(child)
    assert child.terminal() is None
    child.kill()


def test_a_child_that_is_not_released_ends_with_its_guardian(tmp_path: Path) -> None:
    shell = start(tmp_path, "time.sleep(60)")
    child = child_of(tmp_path)
    os.kill(shell.pid, signal.SIGKILL)
    wait_until(lambda: is_gone(child))
    shell.close(force=True)


def test_a_killed_child_leaves_the_terminal_as_it_was_and_a_word_with_the_run(tmp_path: Path) -> None:
    shell = start(
        tmp_path,
        """
import tty
guard.note_run("some run")
tty.setraw(0)
sys.stdout.write("\\x1b[?1049h\\x1b[?25l")
print("raw", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
""",
    )
    shell.expect("raw")
    shell.expect(pexpect.EOF)
    assert "\x1b[?1049l" in shell.before
    assert "The program was ended by SIGKILL." in shell.before
    assert 'tweetgen-tui --resume "some run"' in shell.before
    shell.close()
    assert shell.exitstatus == 128 + signal.SIGKILL


def test_a_killed_child_that_only_watched_a_run_leaves_the_way_back_to_it(tmp_path: Path) -> None:
    shell = start(tmp_path, 'guard.note_run("watched", is_elsewhere=True); os.kill(os.getpid(), signal.SIGKILL)')
    shell.expect(pexpect.EOF)
    assert "tweetgen-tui attach watched" in shell.before
    shell.close()


def test_the_exit_code_is_known_where_the_caller_ignores_the_ends_of_children(tmp_path: Path) -> None:
    ignoring = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    shell = pexpect.spawn(
        sys.executable, ["-c", ignoring + PROGRAM + "sys.exit(7)"], cwd=tmp_path, timeout=DEADLINE_SECONDS
    )
    shell.expect(pexpect.EOF)
    shell.close()
    assert shell.exitstatus == 7


def test_a_child_that_stops_goes_on_where_no_shell_could_wake_it(tmp_path: Path) -> None:
    shell = start(tmp_path, 'os.kill(os.getpid(), signal.SIGSTOP); print("goes on", flush=True)')
    shell.expect("goes on")
    shell.expect(pexpect.EOF)
    shell.close()


def test_a_script_that_waits_for_it_stops_with_it_and_fg_wakes_all(tmp_path: Path) -> None:
    then = 'os.kill(os.getpid(), signal.SIGSTOP); print("goes " + "on", flush=True)'
    (tmp_path / "program.py").write_text(PROGRAM + then)
    shell = pexpect.spawn(
        "bash",
        ["--norc", "--noprofile", "-i"],
        cwd=tmp_path,
        timeout=DEADLINE_SECONDS,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        encoding="utf-8",
        echo=False,
    )
    shell.sendline(f"sh -c '{sys.executable} program.py; echo after $((1 + 1))'")
    shell.expect("ready")
    shell.expect("Stopped")
    shell.sendline("fg")
    shell.expect("goes on")
    shell.expect("after 2")
    shell.close(force=True)


def test_what_the_parent_had_open_is_not_kept_open_by_it(tmp_path: Path) -> None:
    program = PROGRAM.replace("guard = guarded()", "kept = open('kept', 'w'); guard = guarded()")
    shell = pexpect.spawn(sys.executable, ["-c", program + "time.sleep(60)"], cwd=tmp_path, timeout=DEADLINE_SECONDS)
    shell.expect("ready")
    guardian = psutil.Process(shell.pid)
    wait_until(lambda: str(tmp_path / "kept") not in [file.path for file in guardian.open_files()])
    assert str(tmp_path / "kept") in [file.path for file in child_of(tmp_path).open_files()]
    shell.close(force=True)
