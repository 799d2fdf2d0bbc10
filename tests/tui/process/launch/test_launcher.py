from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import DEADLINE_SECONDS, wait_until
from tui.process.launch.folder import LaunchFolder


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    """What the scenarios printed; nothing else may be written."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.tui.process.launch.scenarios"],
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE_SECONDS,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    result: dict[str, Any] = json.loads(ran.stdout)
    return result


def test_the_exit_code_is_that_of_the_leader(results: dict[str, Any]) -> None:
    result = results["three exit with 3"]
    assert (result["code"], result["attempts"]) == (3, 1)


def test_all_ranks_start_again_after_one_was_killed_and_the_reason_is_known(results: dict[str, Any]) -> None:
    result = results["a lost follower"]
    assert (result["code"], result["attempts"], result["why"]) == (0, 2, "Rank 1 was killed.")


def test_the_launch_fails_once_the_restarts_are_used_up_and_ends_a_rank_that_hangs(results: dict[str, Any]) -> None:
    result = results["a leader lost always"]
    assert result["error"].startswith("The restarts are used up. A process of the run was lost 2 times. ")
    assert result["attempts"] == 2


def test_a_follower_that_does_not_end_after_the_leader_is_killed(results: dict[str, Any]) -> None:
    assert results["a follower that does not end"]["code"] == 0


def test_a_signal_reaches_the_leader_alone_once_it_is_ready(results: dict[str, Any]) -> None:
    result = results["a queued signal"]
    assert (result["code"], result["attempts"]) == (130, 1)


def test_a_signal_ends_ranks_that_have_nothing_to_save(results: dict[str, Any]) -> None:
    assert results["a signal without a queue"]["code"] == 130


def test_no_rank_outlives_a_killed_launcher(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from tui.process.launch.folder import LaunchFolder\n"
        "from tui.process.launch.launcher import launch_processes\n"
        f"launch_processes(['wait'], 2, threads=1, folder=LaunchFolder(Path({str(tmp_path)!r})),"
        " module='tests.tui.process.launch.dummy')"
    )
    folder = LaunchFolder(tmp_path)
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        wait_until(lambda: folder.pid_of(0, 0) and folder.pid_of(0, 1), "both ranks")
        os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not (folder.is_alive(0, 0) or folder.is_alive(0, 1)), "the end of both ranks")
