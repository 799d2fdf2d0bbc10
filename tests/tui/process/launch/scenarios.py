"""Launches with the dummy, one after the other in one process, which imports torch once; prints a JSON object."""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

from engine.errors import DistributedError
from tui.process.launch import launcher
from tui.process.launch.folder import LaunchFolder
from tui.process.launch.launcher import launch_processes


def launch(what: str, num_ranks: int = 2, max_restarts: int = 0, *, queues_signals: bool = True) -> dict[str, Any]:
    """Launch the dummy; return the exit code or the error, the attempts, and why the first one ended."""
    folder = LaunchFolder.create()
    result: dict[str, Any] = {}
    try:
        result["code"] = launch_processes(
            [what],
            num_ranks,
            threads=3,
            folder=folder,
            max_restarts=max_restarts,
            queues_signals=queues_signals,
            module="tests.tui.process.launch.dummy",
        )
    except DistributedError as error:
        result["error"] = f"{error.title}. {error.message}"
    result["why"] = folder.why_lost(0, num_ranks)
    result["attempts"] = len(list(folder.path.glob("attempt-*")))
    folder.remove()
    return result


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's background job has it ignored
    launcher.LOST_SECONDS = launcher.ENDED_SECONDS = 0.1
    results = {
        "three exit with 3": launch("exit-3", num_ranks=3),
        "a lost follower": launch("lose-follower", max_restarts=3),
        "a leader lost always": launch("lose-leader-always", max_restarts=1),
        "a follower that does not end": launch("outlive"),
        "a queued signal": launch("forward"),
        "a signal without a queue": launch("interrupt", queues_signals=False),
    }
    sys.stdout.write(json.dumps(results) + "\n")


if __name__ == "__main__":
    main()
