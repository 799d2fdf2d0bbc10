"""The supervisor between shell and program: it ends as the program does, and releases the shell when asked."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from pathlib import Path

import pexpect
import psutil
import pytest

from tests.cli.conftest import _signals_as_before  # noqa: F401 - a fixture
from tests.waiting import DEADLINE_SECONDS, wait_until
from tui.process.job_control import TerminalState

PROGRAM = """
import os, pathlib, signal, sys, time, tty
from tui.process.job_control import start_job_control

control = start_job_control()
pathlib.Path("child").write_text(f"{os.getpid()} {os.getppid()} {os.tcgetpgrp(0) == os.getpgrp()}")
print("ready", flush=True)
"""
IGNORES_CHILDREN = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
EXECUTES_PYTHON = """
import os
from tui.process import job_control
job_control._EXECUTES_PYTHON = True
with open("starts", "a") as starts:
    print(os.getpid(), file=starts)
"""
OPEN = """
import contextlib, os
found = []
for number in range(3, 10):
    with contextlib.suppress(OSError):
        os.fstat(number)
        found.append(number)
print("open:", found)
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
MARKED = """
import termios
settings = termios.tcgetattr(0)
settings[3] |= termios.PENDIN
termios.tcsetattr(0, termios.TCSANOW, settings)
"""
MODES = """
sys.stderr.write("\\x1b[?1049h\\x1b[?25l raw ")
sys.stderr.flush()
"""
RAW = f"tty.setraw(0){MODES}"
RESET = "\x1b[?1049l\x1b[?25h"
DRAWING = f"""import contextlib
drawing = contextlib.ExitStack()
drawing.enter_context(control.drawing()){MODES}"""
STOP = "os.kill(os.getpid(), signal.SIGSTOP); "
KILL = "os.kill(os.getpid(), signal.SIGKILL)"
RELEASE = "control.release({}, 'It continues'); time.sleep(60)"
OF_A_RUN = "control.set_active_run('a run'); "
ATTACHED = "control.set_active_run('a run', is_remote=True); "


def start(folder: Path, then: str, first: str = "") -> pexpect.spawn:
    """Run a program in a pseudo-terminal that does `then` in the supervised child."""
    arguments = ["-c", first + PROGRAM + "input()\n" + then]
    child = pexpect.spawn(sys.executable, arguments, cwd=folder, timeout=DEADLINE_SECONDS, encoding="utf-8", echo=False)
    child.expect("ready")
    child.settings = TerminalState.now(child.child_fd)
    child.sendline()
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
    """Return what the program exits with, once it has; the settings of the terminal are as they were."""
    shell.expect(pexpect.EOF)
    assert TerminalState.now(shell.child_fd) == shell.settings
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


@pytest.mark.parametrize(
    ("then", "code", "printed", "is_reset"),
    [
        pytest.param("sys.exit(7)", 7, "", False, id="an exit code, under a caller that ignores SIGCHLD"),
        pytest.param(STOP + "print('goes on')", 0, "goes on", False, id="stopped where no shell could continue it"),
        pytest.param(MARKED + "sys.exit(3)", 3, "", False, id="ended where the terminal marks its pending input"),
        pytest.param(RAW + "os._exit(2)", 2, "", True, id="ended in raw mode"),
        pytest.param(RAW + KILL, 137, ".* by SIGKILL.*", True, id="killed in raw mode"),
        pytest.param(RAW + LET_GO + RELEASE.format(129), 129, "It continues", True, id="hung up in raw mode"),
        pytest.param(OF_A_RUN + KILL, 137, '.* by SIGKILL.*tweetgen-tui --resume "a run"', True, id="killed"),
        pytest.param(ATTACHED + KILL, 137, '.* by SIGKILL.*tweetgen-tui attach "a run"', True, id="killed, attached"),
        pytest.param(LET_GO + RELEASE.format(129), 129, "It continues", False, id="hung up"),
        pytest.param(LET_GO + RELEASE.format(0), 0, "", False, id="released without a hangup"),
        pytest.param(DRAWING + LET_GO + "os._exit(0)", 0, "", True, id="without its terminal while drawing"),
        pytest.param(DRAWING + LET_GO + RELEASE.format(129), 129, "It continues", True, id="hung up while drawing"),
        pytest.param(DRAWING + "os._exit(0)", 0, "", True, id="ended while drawing"),
        pytest.param(DRAWING + "drawing.close(); os._exit(0)", 0, "", False, id="ended after drawing"),
    ],
)
def test_the_program_ends_as_its_child_in_the_foreground_reports_its_end_and_resets_the_modes_that_it_left(
    tmp_path: Path, then: str, code: int, printed: str, is_reset: bool
) -> None:
    shell = start(tmp_path, then, IGNORES_CHILDREN if code == 7 else "")
    assert exit_code_of(shell) == code
    _, parent, has_terminal = (tmp_path / "child").read_text().split()
    assert (int(parent), has_terminal) == (shell.pid, "True")
    text = re.sub(r"raw |\x18|\x1b\[[<?\d]*\w", "", shell.before)
    assert re.fullmatch(printed, " ".join(text.split()))
    assert (RESET in shell.before) is is_reset
    kill_child(tmp_path)


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


def test_a_child_that_is_not_released_resets_the_terminal_and_ends_with_its_supervisor(tmp_path: Path) -> None:
    as_textual_does = "import io; sys.stderr = io.StringIO()\n"
    (tmp_path / "program.py").write_text(PROGRAM + "input()\n" + RAW + as_textual_does + "time.sleep(60)")
    # the end of a terminal's first process would end the terminal
    shell = start_shell(tmp_path, f"{sys.executable} program.py; sleep 60")
    shell.expect("ready")
    settings = TerminalState.now(shell.child_fd)
    shell.sendline()
    shell.expect_exact("raw")
    child = child_of(tmp_path)
    os.kill(child.ppid(), signal.SIGKILL)
    shell.expect_exact(RESET)
    assert TerminalState.now(shell.child_fd) == settings
    wait_until(lambda: is_gone(child))
    shell.close(force=True)


def test_a_script_around_the_program_stops_with_it_and_fg_continues_both(tmp_path: Path) -> None:
    then = STOP + 'print("goes " + "on", flush=True)'
    (tmp_path / "program.py").write_text(PROGRAM + then)
    shell = start_shell(tmp_path)
    shell.sendline(f"sh -c '{sys.executable} program.py; echo after $((1 + 1))'")
    shell.expect("ready")
    shell.expect("Stopped")
    shell.sendline("fg")
    shell.expect("goes on")
    shell.expect("after 2")
    shell.close(force=True)


def test_on_macos_the_child_executes_python_with_the_same_arguments_and_only_it_has_the_pipes(tmp_path: Path) -> None:
    """Metal does not work in a process that was only forked."""
    started = "import subprocess; subprocess.run([sys.executable, '-c', OPEN], close_fds=False)\n"
    shell = start(tmp_path, f"OPEN = {OPEN!r}\n{started}{DRAWING}{LET_GO}{RELEASE.format(129)}", EXECUTES_PYTHON)
    assert exit_code_of(shell) == 129
    assert "open: []" in shell.before
    assert "It continues" in shell.before
    assert RESET in shell.before
    child, parent, has_terminal = (tmp_path / "child").read_text().split()
    assert (int(parent), has_terminal) == (shell.pid, "True")
    assert (tmp_path / "starts").read_text().split() == [parent, child]
    kill_child(tmp_path)
