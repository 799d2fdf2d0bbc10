"""The launcher: runs torch's agent on a thread; the main thread forwards signals, and ends stragglers."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

from engine.errors import DistributedError, RestartsUsedUpError
from tui.process.launch.folder import VARIABLE, LaunchFolder
from tui.process.launch.lifeline import LauncherPipe
from tui.process.own_program import own_module
from tui.process.signals import HANGUP_CODE, handle_ending_signals, leave_at_once

_TICK_SECONDS = 0.1
_ATTEMPTS = "attempt-*"
LOST_SECONDS = 5.0
"""How long the other ranks may take to end once one is lost: one that hangs reacts to no signal but SIGKILL."""
ENDED_SECONDS = 10.0
"""The same once the leader has ended in order."""


def launch_processes(
    arguments: Sequence[str],
    num_ranks: int,
    *,
    threads: int,
    folder: LaunchFolder | None = None,
    max_restarts: int = 0,
    queues_signals: bool = False,
    module: str = "tui",
    on_tick: Callable[[], object] = lambda: None,
) -> int:
    """Run `python -m MODULE ARGUMENTS` as `num_ranks` processes of this machine; return the leader's exit code.

    The leader inherits standard output and error; the standard input of all is the launcher's pipe. Each rank gets
    OMP_NUM_THREADS=`threads`. SIGINT, SIGTERM and SIGHUP are forwarded to the leader, with `queues_signals` once it
    calls `Lifeline.forward_signals`; the second SIGINT or SIGTERM ends all at once. `on_tick` is called ten times a
    second. On the main thread of a process that does nothing else any more. Raises `DistributedError` where a rank was
    lost more than `max_restarts` times.
    """
    with contextlib.ExitStack() as opened:
        if folder is None:
            folder = LaunchFolder.create()
            opened.enter_context(folder.in_use())
        launcher = _Launcher(folder, num_ranks, max_restarts, queues_signals=queues_signals)
        return launcher.run((module, *arguments), threads, on_tick)


class _Launcher:
    """One launch."""

    def __init__(self, folder: LaunchFolder, num_ranks: int, max_restarts: int, *, queues_signals: bool) -> None:
        self._folder = folder
        self._num_ranks = num_ranks
        self._max_restarts = max_restarts
        self._queues_signals = queues_signals
        self._pipe = LauncherPipe()
        self._failed: dict[int, int] = {}
        self._error: BaseException | None = None
        self._unequal_since: float | None = None

    def run(self, arguments: Sequence[str], threads: int, on_tick: Callable[[], object]) -> int:
        """Run the agent; forward signals until it has ended. The first of the arguments is the module."""
        os.environ[VARIABLE] = str(self._folder.path)
        os.environ["OMP_NUM_THREADS"] = str(threads)
        handle_ending_signals(self._forward)
        if signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
            # the ranks are no jobs of the shell: they would run on, and fail once they are not monitored
            signal.signal(signal.SIGTSTP, signal.SIG_IGN)
        command = (*own_module("tui.process.launch.worker"), *arguments)
        agent = threading.Thread(target=self._run_agent, args=(command,), name="agent", daemon=True)
        agent.start()
        while agent.is_alive():
            agent.join(_TICK_SECONDS)
            self._end_stragglers()
            on_tick()
        return self._exit_code()

    def _run_agent(self, command: Sequence[str]) -> None:
        """Run torch's agent. The thread's body."""
        from tui.process.launch.agent import run_agent

        try:
            self._failed = run_agent(command, self._num_ranks, max_restarts=self._max_restarts, logs=self._folder.logs)
        except Exception as error:  # noqa: BLE001 - whatever it is, the main thread raises it
            self._error = error

    def _forward(self, exit_code: int) -> None:
        """Forward a signal to the leader. In the handler of that signal."""
        number = exit_code - 128
        leader = self._folder.pid_of(self._attempt, 0)
        if leader is None and not any(self._folder.path.glob(_ATTEMPTS)):  # nothing has started
            self._leave_at_once(number, None)
        if self._queues_signals:
            self._pipe.send(number)
        elif leader is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(leader, number)
        if exit_code != HANGUP_CODE:
            signal.signal(number, self._leave_at_once)

    def _leave_at_once(self, number: int, _frame: FrameType | None) -> NoReturn:
        """End all ranks and this process without saving."""
        self._kill_ranks("")
        self._folder.remove()
        leave_at_once(number, None)

    @property
    def _attempt(self) -> int:
        """How often the ranks were started again."""
        return max((int(path.name.partition("-")[2]) for path in self._folder.path.glob(_ATTEMPTS)), default=0)

    def _end_stragglers(self) -> None:
        """Kill the ranks that live on for long after another was lost, or after the leader has ended."""
        ranks = range(self._num_ranks)
        is_lost = any(self._folder.is_lost(self._attempt, rank) for rank in ranks)
        has_ended = self._folder.exit_code is not None
        is_unequal = (is_lost or has_ended) and any(self._folder.is_alive(self._attempt, rank) for rank in ranks)
        if not is_unequal:
            self._unequal_since = None
            return
        now = time.monotonic()
        self._unequal_since = self._unequal_since or now
        if now - self._unequal_since > (ENDED_SECONDS if has_ended else LOST_SECONDS):
            self._kill_ranks("It did not end with the other ranks.")

    def _kill_ranks(self, why: str) -> None:
        """Kill the ranks that are alive."""
        for rank in range(self._num_ranks):
            pid = self._folder.pid_of(self._attempt, rank)
            if pid is not None:
                self._folder.report(self._attempt, rank, why)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _exit_code(self) -> int:
        """Return the leader's exit code. Raises `DistributedError` if it has not ended in order."""
        code = self._folder.exit_code
        if code is not None:
            return code
        if self._error is not None:
            detail = f"{type(self._error).__name__}: {self._error}"
            raise DistributedError(f"The processes could not be started. {detail}") from self._error
        leaders = self._failed.get(0, 1)
        if self._max_restarts == 0 and leaders > 128:  # ended by a signal that was forwarded
            return leaders
        why = self._folder.why_lost(self._attempt, self._num_ranks)
        if self._max_restarts == 0:
            raise DistributedError(f"A process of the run was lost. {why}")
        raise RestartsUsedUpError(f"A process of the run was lost {self._attempt + 1} times. {why}")
