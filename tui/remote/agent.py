"""`Agent`: the process that starts the ranks of a run, and starts all again where one is lost: torchrun.

It is known by its process id and start time: to the clients of the run, which wait for the run while it lives, and in
the run's folder, where the next leader finds out that the run was begun before.
"""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass

from engine.errors import StorageError
from engine.protocol import codec
from engine.protocol.codec import Count, Number
from engine.protocol.events import RunFailed, RunFinished
from engine.storage.files import is_locked, new_file, read_regular
from engine.storage.folders import RunFolder, home
from engine.storage.journal import last_event

_SAME_START_SECONDS = 2.0
"""The start time depends on the system's clock, which may have been set since."""
_MAX_BYTES = 4096


@dataclass(frozen=True)
class Agent:
    """One torchrun."""

    pid: Count
    started: Number
    """Seconds since 1970."""

    @classmethod
    def of_process(cls, pid: int) -> Agent | None:
        """Return a process as an agent; None if it has ended."""
        import psutil  # costs start-up time

        with contextlib.suppress(*_no_process_errors()):
            process = psutil.Process(pid)
            return None if process.status() == psutil.STATUS_ZOMBIE else cls(pid, process.create_time())
        return None

    def is_same(self, other: Agent | None) -> bool:
        """Return whether both are one process."""
        return other is not None and self.pid == other.pid and abs(self.started - other.started) < _SAME_START_SECONDS

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        return self.is_same(self.of_process(self.pid))

    def terminate(self) -> None:
        """Let it end the ranks, and itself; after 30 seconds it kills those that have not ended."""
        import psutil

        with contextlib.suppress(*_no_process_errors()):
            if self.is_alive:
                psutil.Process(self.pid).terminate()

    def kill(self) -> None:
        """Kill it and the ranks at once, without saving."""
        import psutil

        with contextlib.suppress(*_no_process_errors()):
            agent = psutil.Process(self.pid)
            for process in (agent, *agent.children(recursive=True)) if self.is_alive else ():
                with contextlib.suppress(*_no_process_errors()):
                    process.kill()


def _no_process_errors() -> tuple[type[Exception], ...]:
    """Return the errors of a process that has ended, or can't be one."""
    import psutil

    return psutil.Error, ValueError, OverflowError


@dataclass(frozen=True, kw_only=True)
class StartedRun:
    """What a run's folder says about the agent that has started its ranks, from the start of the run on."""

    agent: Agent
    host: str
    """The machine, or container, in which the agent has its process id."""
    job: str
    """The agent's own name of the run: agents of containers of one name may have equal ids and start times."""
    has_ended: bool = False
    """Whether the run has ended in order: with success, an error or a command."""

    def write(self, run: RunFolder) -> None:
        """Store it in the folder of the run. A disk that fails is no error here: the run has warned of it."""
        with contextlib.suppress(StorageError), new_file(run.agent_path) as file:
            file.write(codec.encode(self).encode())


def run_started_by(agent: Agent, job: str) -> tuple[RunFolder, StartedRun] | None:
    """Return the run whose ranks an agent of this machine has started before for a job; None where there is none."""
    for path in (home() / "runs").glob("*/agent.json"):
        run = RunFolder(path.parent)
        started = _started(run)
        if started is not None and started.job == job and started.agent.is_same(agent):
            return run, started
    return None


def restarting_agent(run: RunFolder) -> Agent | None:
    """Return the agent that starts the ranks of a run again; None for a run that is active, or is over."""
    started = _started(run)
    if started is None or started.has_ended or is_locked(run.journal_path) or not started.agent.is_alive:
        return None
    return None if isinstance(last_event(run.journal_path), RunFinished | RunFailed) else started.agent


def _started(run: RunFolder) -> StartedRun | None:
    """Return what the folder of a run says; None without an agent of this machine."""
    with contextlib.suppress(OSError, codec.DecodeError):
        started = codec.decode(read_regular(run.agent_path, _MAX_BYTES), StartedRun)
        return started if started.host == socket.gethostname() else None
    return None
