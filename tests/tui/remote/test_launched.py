"""`LaunchedBridge`: a screen whose run is started by a launcher, here a fake one with a host in this process."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

import pytest

from engine.config.run import RunConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.stage import Stage
from engine.storage.file_lock import try_lock
from engine.storage.folders import folder_of_run
from engine.storage.journal import Journal
from tests.fakes import run_started
from tests.tui.remote.host_and_client import DEADLINE_SECONDS, FINISHED, PAUSED, RUN, hosted
from tests.waiting import wait_until
from tui.remote import client
from tui.remote.client import RemoteBridge
from tui.remote.launched import LaunchedBridge
from tui.remote.socket_path import launch_lock_path, make_private_folder
from tui.run.folding import fold
from tui.run.view import RunView

FAILED = e.RunFailed(step=0, elapsed_seconds=0.0, title="The device can't be used", detail="No GPU.", hint="Buy one.")
STAGE = Stage("starting 2 processes")

pytestmark = pytest.mark.usefixtures("home")


@dataclass
class FakeLaunch:
    """A launcher that does what the test does."""

    config: RunConfig
    run: str = RUN
    stage: Stage = STAGE
    is_alive: bool = False
    failure: e.RunFailed | None = None
    num_stops: int = 0
    has_started: bool = False

    def start(self) -> None:
        self.has_started = self.is_alive = True

    def stop(self) -> None:
        self.num_stops += 1
        self.is_alive = False


def launched() -> tuple[LaunchedBridge, FakeLaunch]:
    launch = FakeLaunch(RunConfig(run_name=RUN))
    return LaunchedBridge(launch.config, lambda _: launch), launch


def events_in(bridge: LaunchedBridge) -> list[e.Event]:
    """Wait for the end of the bridge; return its events."""
    assert bridge.join(DEADLINE_SECONDS)
    return list(bridge.drain().events)


def test_the_stage_is_the_launchers_until_the_run_listens() -> None:
    bridge, launch = launched()
    bridge.start()
    wait_until(lambda: launch.has_started)
    assert (bridge.stage, bridge.badge, bridge.is_alive) == (STAGE, "attached", True)
    with hosted(run_started(run=RUN), PAUSED) as made:
        wait_for_the_pause(bridge)
        bridge.send(c.Resume())
        wait_until(lambda: made.sent == [c.Resume()])
        made.emit(FINISHED)
        assert events_in(bridge) == [FINISHED]


def wait_for_the_pause(bridge: RemoteBridge) -> None:
    """Wait until the run is paused, in the snapshot or by an event after it."""
    view = RunView()

    def has_come() -> bool:
        nonlocal view
        update = bridge.drain()
        view = fold(update.view or view, update.events)
        return view.phase == "paused"

    wait_until(has_come, "the pause")


def test_a_failure_before_the_start_is_the_launchers() -> None:
    bridge, launch = launched()
    bridge.start()
    wait_until(lambda: launch.has_started)
    launch.failure, launch.is_alive = FAILED, False
    assert events_in(bridge) == [FAILED]


def test_a_run_that_is_stopped_before_its_start_ends_with_its_launcher() -> None:
    bridge, launch = launched()
    bridge.start()
    wait_until(lambda: launch.has_started)
    bridge.stop("stopped by the user")
    [ended] = events_in(bridge)
    assert isinstance(ended, e.RunFinished)
    assert (ended.reason, launch.num_stops) == ("stopped by the user", 1)


def test_another_run_is_launched_once_this_one_has_ended() -> None:
    bridge, launch = launched()
    bridge.start()
    wait_until(lambda: launch.has_started)
    launch.has_started = False
    following = bridge.successor(RunConfig())
    following.start()
    assert not launch.has_started
    bridge.stop("")
    wait_until(lambda: launch.has_started)
    assert bridge.is_over(DEADLINE_SECONDS)
    following.stop("")
    assert following.is_over(DEADLINE_SECONDS)


@contextmanager
def launcher_alive() -> Iterator[subprocess.Popen[bytes]]:
    """Lock the launch of the run, in the name of a process that waits for a signal."""
    path = launch_lock_path(folder_of_run(RUN))
    make_private_folder(path.parent)
    with subprocess.Popen(["sleep", "600"]) as process, path.open("w", encoding="ascii") as file:
        assert try_lock(file.fileno())
        file.write(f"{process.pid}\n")
        file.flush()
        try:
            yield process
        finally:
            process.kill()


def test_a_screen_waits_for_a_run_that_is_started_again_and_can_stop_it_meanwhile() -> None:
    with launcher_alive() as launcher:
        with hosted():
            bridge = RemoteBridge(folder_of_run(RUN))
            bridge.connect()
        wait_until(lambda: bridge.badge == "restarting")
        assert "starting again" in bridge.interruption
        with hosted(run_started(run=RUN), PAUSED):
            wait_for_the_pause(bridge)
            assert (bridge.badge, bridge.interruption) == ("attached", "")
        wait_until(lambda: bridge.badge == "restarting")
        bridge.stop("stopped by the user")
        assert launcher.wait(DEADLINE_SECONDS) == -signal.SIGTERM
        with mock.patch.object(client, "stop_launch") as stop_launch:
            bridge.stop("stopped by the user")  # as a screen does that has waited for long
        assert not stop_launch.called


def test_a_screen_shows_the_end_that_the_launcher_has_written() -> None:
    with launcher_alive():
        with hosted():
            bridge = RemoteBridge(folder_of_run(RUN))
            bridge.connect()
        wait_until(lambda: bridge.badge == "restarting")
        journal = Journal(folder_of_run(RUN).journal_path)
        journal.write(run_started(run=RUN))
        journal.write(FAILED)
        journal.close()
    assert bridge.join(DEADLINE_SECONDS)
    view = bridge.drain().view
    assert view is not None
    assert view.ended == FAILED
