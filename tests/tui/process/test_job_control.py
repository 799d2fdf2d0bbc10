"""The supervisor between shell and program: it ends as the program does, and releases the shell when asked."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
from pathlib import Path

import pexpect
import psutil
import pytest

from tests.cli.conftest import _signals_as_before  # noqa: F401 - a fixture
from tests.waiting import DEADLINE_SECONDS, wait_until

PROGRAM = """
import os, pathlib, signal, sys, time, tty
from tui.process.job_control import start_job_control

control = start_job_control()
pathlib.Path("child").write_text(f"{os.getpid()} {os.getppid()} {os.tcgetpgrp(0) == os.getpgrp()}")
print("ready", flush=True)
"""
COUNTING = """
got = {}
def count(number, frame):
    got[number] = got.get(number, 0) + 1
    print("got", signal.Signals(number).name, flush=True)
for number in ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGTSTP"):
    signal.signal(getattr(signal, number), count)
signal.signal(signal.SIGUSR2, lambda *_: sys.exit(40 + max(got.values())))
print("listening", flush=True)
while True:
    time.sleep(60)
"""
LET_GO = """
for number in range(3):
    os.dup2(os.open(os.devnull, os.O_RDWR), number)
"""
MODES = """
sys.stderr.write("\\x1b[?1049h\\x1b[?25l raw ")
sys.stderr.flush()
"""
RAW = f"\ntty.setraw(0){MODES}"


def start(folder: Path, then: str, first: str = "") -> pexpect.spawn:
    """Run a program in a pseudo-terminal that does `then` in the supervised child."""
    arguments = ["-c", first + PROGRAM + then]
    child = pexpect.spawn(sys.executable, arguments, cwd=folder, timeout=DEADLINE_SECONDS, encoding="utf-8", echo=False)
    child.expect("ready")
    return child


def start_shell(folder: Path, script: str | None = None) -> pexpect.spawn:
    """Start a shell for a script, or for what is typed."""
    return pexpect.spawn(
        "bash",
        ["--norc", "--noprofile", *(["-i"] if script is None else ["-c", script])],
        cwd=folder,
        timeout=DEADLINE_SECONDS,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        encoding="utf-8",
        echo=False,
    )


def exit_code_of(shell: pexpect.spawn) -> int | None:
    """Return what the program exits with, once it has."""
    shell.expect(pexpect.EOF)
    shell.close()
    code: int | None = shell.exitstatus
    return code


def child_of(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "child").read_text().split()[0]))


def kill_child(folder: Path) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        child_of(folder).kill()


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def assert_is_reset(shell: pexpect.spawn, settings: list[object]) -> None:
    """Check that the terminal is as it was, and that its main screen and its cursor are back."""
    shell.expect_exact("\x1b[?1049l\x1b[?25h")
    assert termios.tcgetattr(shell.child_fd) == settings


def test_the_exit_code_is_the_childs_also_if_the_caller_ignores_sigchld_and_the_child_is_in_the_foreground(
    tmp_path: Path,
) -> None:
    shell = start(tmp_path, "sys.exit(7)")
    assert exit_code_of(shell) == 7
    assert "\x1b" not in shell.before  # nothing to reset
    _, parent, has_terminal = (tmp_path / "child").read_text().split()
    assert (int(parent), has_terminal) == (shell.pid, "True")
    shell = start(tmp_path, "sys.exit(7)", first="import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n")
    assert exit_code_of(shell) == 7


def test_signals_are_forwarded_once_and_those_of_the_terminal_reach_only_the_child(tmp_path: Path) -> None:
    shell = start(tmp_path, COUNTING)
    shell.expect("listening")
    shell.send("\x03")
    shell.expect("got SIGINT")
    for name in ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGTSTP"):
        os.kill(shell.pid, signal.Signals[name])
        shell.expect(f"got {name}")
    os.kill(shell.pid, signal.SIGUSR2)
    assert exit_code_of(shell) == 41


@pytest.mark.parametrize(("code", "is_printed"), [(129, True), (0, False)])
def test_the_notice_after_a_hangup_is_printed_by_the_supervisor(tmp_path: Path, code: int, is_printed: bool) -> None:
    shell = start(tmp_path, LET_GO + f"control.release({code}, 'It continues: kill 1'); time.sleep(60)")
    assert exit_code_of(shell) == code
    assert ("It continues: kill 1" in shell.before) == is_printed
    kill_child(tmp_path)


def test_after_a_release_the_shell_continues_and_the_child_lives_in_its_own_session(tmp_path: Path) -> None:
    shell = start(
        tmp_path,
        LET_GO
        + """
control.release(5)
pathlib.Path("new").write_text(f"{os.getsid(0) == os.getpid()}")
os.rename("new", "session")
time.sleep(60)
""",
    )
    assert exit_code_of(shell) == 5
    child = child_of(tmp_path)
    wait_until((tmp_path / "session").exists)
    assert (tmp_path / "session").read_text() == "True"
    assert not is_gone(child)
    assert child.terminal() is None
    child.kill()


def test_a_child_that_ends_or_is_released_with_a_changed_terminal_leaves_it_reset(tmp_path: Path) -> None:
    for then, code in (
        ("os._exit(2)", 2),
        (LET_GO + "control.release(129); time.sleep(60)", 129),
        ("os.kill(os.getpid(), signal.SIGKILL)", 137),
    ):
        shell = start(tmp_path, "input()" + RAW + then)
        settings = termios.tcgetattr(shell.child_fd)
        shell.sendline()
        shell.expect_exact("raw")
        assert_is_reset(shell, settings)
        assert exit_code_of(shell) == code
        kill_child(tmp_path)


@pytest.mark.parametrize(
    ("then", "is_reset"),
    [
        (LET_GO + "os._exit(0)", True),
        (LET_GO + "control.release(129); time.sleep(60)", True),
        ("os._exit(0)", True),
        ("drawing.close(); os._exit(0)", False),
    ],
)
def test_a_child_that_loses_the_terminal_while_drawing_leaves_the_modes_reset(
    tmp_path: Path, then: str, is_reset: bool
) -> None:
    drawing = "import contextlib; drawing = contextlib.ExitStack(); drawing.enter_context(control.drawing())"
    shell = start(tmp_path, f"{drawing}{MODES}{then}")
    exit_code_of(shell)
    assert ("\x1b[?1049l\x1b[?25h" in shell.before) is is_reset
    kill_child(tmp_path)


def test_a_child_that_is_not_released_resets_the_terminal_and_ends_with_its_supervisor(tmp_path: Path) -> None:
    as_textual_does = "import io; sys.stderr = io.StringIO()\n"
    (tmp_path / "program.py").write_text(PROGRAM + "input()" + RAW + as_textual_does + "time.sleep(60)")
    # the end of a terminal's first process would end the terminal
    shell = start_shell(tmp_path, f"{sys.executable} program.py; sleep 60")
    shell.expect("ready")
    settings = termios.tcgetattr(shell.child_fd)
    shell.sendline()
    shell.expect_exact("raw")
    child = child_of(tmp_path)
    os.kill(child.ppid(), signal.SIGKILL)
    assert_is_reset(shell, settings)
    wait_until(lambda: is_gone(child))
    shell.close(force=True)


@pytest.mark.parametrize(("options", "command"), [("", '--resume "some run"'), (", is_remote=True", "attach")])
def test_a_killed_child_is_reported_with_the_command_that_returns_to_its_run(
    tmp_path: Path, options: str, command: str
) -> None:
    shell = start(tmp_path, f'control.set_active_run("some run"{options}); os.kill(os.getpid(), signal.SIGKILL)')
    assert exit_code_of(shell) == 128 + signal.SIGKILL
    assert "The program was ended by SIGKILL." in shell.before
    assert f"tweetgen-tui {command}" in shell.before


def test_a_stopped_child_is_continued_if_no_shell_could_do_it(tmp_path: Path) -> None:
    shell = start(tmp_path, 'os.kill(os.getpid(), signal.SIGSTOP); print("goes on", flush=True)')
    shell.expect("goes on")
    assert exit_code_of(shell) == 0


def test_a_script_around_the_program_stops_with_it_and_fg_continues_both(tmp_path: Path) -> None:
    then = 'os.kill(os.getpid(), signal.SIGSTOP); print("goes " + "on", flush=True)'
    (tmp_path / "program.py").write_text(PROGRAM + then)
    shell = start_shell(tmp_path)
    shell.sendline(f"sh -c '{sys.executable} program.py; echo after $((1 + 1))'")
    shell.expect("ready")
    shell.expect("Stopped")
    shell.sendline("fg")
    shell.expect("goes on")
    shell.expect("after 2")
    shell.close(force=True)
