"""Signals end the program in order: the session saves, the code is 128 + the signal, a lost terminal is let go."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

DEADLINE_SECONDS = 20
PROGRAM = """
import pathlib, sys
from engine.config import RunConfig
from tests.fakes import FakeSession, tweet
from tui.app import TweetgenApp
from tui.bridge import EngineBridge

bridge = EngineBridge(RunConfig(), lambda config, on_stage: FakeSession([tweet("hello there")]))
app = TweetgenApp(RunConfig(), bridge)
app.stops_on_hangup = "stop" in sys.argv
app.run()
pathlib.Path(sys.argv[1]).write_text(f"{app.return_code} {app.summary_view.phase} {bridge.is_alive}")
"""


@pytest.fixture(params=[""])
def child(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[pexpect.spawn]:
    """Run the screen in a pseudo-terminal until its first tweet."""
    arguments = ["-c", PROGRAM, str(tmp_path / "outcome"), request.param]
    child = pexpect.spawn(sys.executable, arguments, dimensions=(24, 80), timeout=DEADLINE_SECONDS, encoding="utf-8")
    child.expect("hello there")
    yield child
    child.close(force=True)


def outcome(folder: Path) -> str:
    """Wait for what the program leaves behind at its end."""
    end = time.monotonic() + DEADLINE_SECONDS
    path = folder / "outcome"
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < end, "the program did not end"
        time.sleep(0.02)
    return path.read_text()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_leaves_with_its_code(
    child: pexpect.spawn, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    child.kill(number)
    child.expect(pexpect.EOF)
    assert outcome(tmp_path) == f"{code} finished False"
    assert "\x1b[?1049l" in child.before


@pytest.mark.parametrize("child", ["stop"], indirect=True)
def test_a_terminal_that_hangs_up_is_let_go_and_the_session_saves(child: pexpect.spawn, tmp_path: Path) -> None:
    child.ptyproc.fileobj.close()
    assert outcome(tmp_path) == "129 finished False"


def test_a_terminal_that_hangs_up_is_let_go_and_the_session_goes_on(child: pexpect.spawn, tmp_path: Path) -> None:
    child.ptyproc.fileobj.close()
    assert outcome(tmp_path) == "129 training True"
