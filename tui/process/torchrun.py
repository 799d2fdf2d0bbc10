"""Several processes of this machine for one run: how many, and torchrun, which starts them.

`Torchrun` is a child in a session of its own: neither it nor its run ends with this process, which attaches to the run
like to any other (`AttachedRun`). Where one of its processes is lost, torchrun starts all of them again: the clients of
the run wait while this `Agent` lives, and in the run's folder the next leader finds that the run was begun before.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from engine.checkpoints.catalog import latest_of, resolve_checkpoint
from engine.checkpoints.format import read_info
from engine.config.presets import resolve_preset
from engine.config.run import RunConfig, RuntimeConfig
from engine.errors import DeviceError, DistributedError, InternalError, StorageError
from engine.protocol import codec, events
from engine.protocol.codec import Count, Number
from engine.protocol.events import RunFailed, RunFinished
from engine.protocol.progress import Stage
from engine.storage.files import is_locked, read_regular, write_atomically
from engine.storage.folders import RunFolder, find_run, folder_of_run, free_run_name, home, list_runs
from engine.storage.journal import last_event
from tui.process.sockets import is_active

AUTO = 0
"""Requests as many processes as there are GPUs, or fewer."""
MAX_PROCESSES = 256
MIN_ROWS = 64
"""Rows of a batch below which one more GPU gains little: the steps then wait for each other."""
_DRIVERS = ("nvidia[0-9]*", "kfd", "dxg")
"""Device files of NVIDIA's and AMD's drivers, and of both in WSL."""
_OPTIONS = ("--standalone", "--local-addr", "localhost", "--log-dir", os.devnull, "--max-restarts", "3")
_MAX_ARGUMENT_CHARS = 30_000
"""An argument may have 128 KiB."""
_MAX_OUTPUT_BYTES = 64 * 1024
"""How much of the end of an output is read."""
_SAME_START_SECONDS = 2.0
"""The start time depends on the system's clock, which may have been set since."""
_STAGE = re.compile(r"^(.+) \.\.\.(?: (\d+)%)?$", re.MULTILINE)
"""A stage as `cli.headless` writes it."""
LOG = logging.getLogger(__name__)


def own_module(name: str) -> list[str]:
    """Return the beginning of a command that runs a module of this program.

    `-m` alone searches the working directory first, where a folder called `tui` may be anybody's.
    """
    return [sys.executable, "-P", "-m", name]


@dataclass(frozen=True, kw_only=True)
class Agent:
    """The torchrun that has started the ranks of a run, and starts all again where one is lost.

    Stored in the folder of the run from the start of the run on.
    """

    pid: Count
    started: Number
    """Seconds since 1970."""
    host: str
    """The machine, or container, in which it has this process id."""
    job: str
    """The agent's own name of the run: agents of containers of one name may have equal ids and start times."""
    has_ended: bool = False
    """Whether the run has ended in order: with success, an error or a command."""

    @classmethod
    def of_process(cls, pid: int, job: str) -> Agent | None:
        """Return a process of this machine as an agent; None if it has ended."""
        import psutil  # costs start-up time

        with contextlib.suppress(psutil.Error, ValueError, OverflowError):  # no process may have that number
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE:
                return cls(pid=pid, started=process.create_time(), host=socket.gethostname(), job=job)
        return None

    @classmethod
    def of_run(cls, run: RunFolder) -> Agent | None:
        """Return the agent that the folder of a run names; None without one of this machine."""
        with contextlib.suppress(OSError, codec.DecodeError):
            agent = codec.decode(read_regular(run.agent_path, 4096), cls)
            return agent if agent.host == socket.gethostname() else None
        return None

    def write(self, run: RunFolder) -> None:
        """Store it in the folder of the run. A disk that fails is no error here: the run has warned of it."""
        with contextlib.suppress(StorageError):
            write_atomically(run.agent_path, codec.encode(self).encode())

    def is_same(self, other: Agent | None) -> bool:
        """Return whether both are one process of this machine."""
        return (
            other is not None
            and (self.pid, self.job) == (other.pid, other.job)
            and abs(self.started - other.started) < _SAME_START_SECONDS
        )

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        return self.is_same(self.of_process(self.pid, self.job))

    def terminate(self) -> None:
        """Send SIGTERM: it ends the ranks and itself, and after 30 seconds kills the ranks that are still alive."""
        with contextlib.suppress(OSError):
            if self.is_alive:
                os.kill(self.pid, signal.SIGTERM)


def run_started_by(agent: Agent) -> tuple[RunFolder, Agent] | None:
    """Return the run whose ranks an agent of this machine has started before, and the agent as its folder stores it."""
    for path in (home() / "runs").glob("*/agent.json"):
        found = Agent.of_run(run := RunFolder(path.parent))
        if found is not None and found.is_same(agent):
            return run, found
    return None


def restarting_agent(run: RunFolder) -> Agent | None:
    """Return the agent that starts the ranks of a run again; None for a run that is active, or is over."""
    agent = Agent.of_run(run)
    if agent is None or agent.has_ended or is_locked(run.journal_path) or not agent.is_alive:
        return None
    return None if isinstance(last_event(run.journal_path), RunFinished | RunFailed) else agent


def is_on(run: RunFolder) -> bool:
    """Return whether a run can be attached to: it is active, or its processes are starting again."""
    return is_active(run) or restarting_agent(run) is not None


def runs_that_are_on() -> list[RunFolder]:
    """Return the runs that can be attached to, the one that started last first."""
    found = [run for run in list_runs() if is_on(run)]
    return sorted(found, key=lambda run: run.config_path.stat().st_mtime, reverse=True)


@dataclass(frozen=True, kw_only=True)
class Processes:
    """How a run is divided among processes."""

    count: int
    runtime: RuntimeConfig
    note: str = ""
    """How many `AUTO` chose, and why."""

    @classmethod
    def choose(cls, wanted: int, config: RunConfig) -> Processes:
        """Choose for `wanted` processes, or `AUTO`. Raises `DeviceError` for what this machine lacks.

        Imports torch where a driver of GPUs is loaded.
        """
        runtime, device = config.runtime, config.runtime.device
        num_gpus = 0 if wanted == 1 or device in {"cpu", "mps"} else _num_gpus()
        count, why = _chosen_by(num_gpus, config) if wanted == AUTO else (wanted, "")
        note = f"--nproc-per-node auto: {why}." if why else ""
        if count == 1:
            return cls(count=1, runtime=runtime, note=note)
        if device == "mps":
            raise DeviceError("One process at a time can train on mps.", "Leave --nproc-per-node out.")
        if num_gpus or device == "cuda":
            if count <= num_gpus:
                return cls(count=count, runtime=replace(runtime, device="cuda"), note=note)
            available = "1 GPU" if num_gpus == 1 else f"{num_gpus} GPUs"
            cpu = "" if device == "cuda" else ", or --device cpu"
            fewer = f"Set --nproc-per-node to a smaller number or auto{cpu}."
            raise DeviceError(
                f"This machine has {available}; each of {count} processes needs one of its own.",
                fewer if num_gpus else "Set --device cpu, or leave --nproc-per-node out.",
            )
        cores = _num_cores()
        threads = runtime.threads or max(1, cores // count)
        if count * threads > cores:
            by_threads = f" with {threads} threads each" if threads > 1 else ""
            raise DeviceError(
                f"This program may use {cores} CPU cores; {count} processes{by_threads} would wait for each other.",
                f"Set --nproc-per-node to at most {max(1, cores // threads)}.",
            )
        return cls(count=count, runtime=replace(runtime, device="cpu", threads=threads), note=note)


def _num_cores() -> int:
    """Return the number of CPU cores that this process may use, without torch."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def may_have_gpu() -> bool:
    """Return whether a driver of GPUs is loaded, without torch."""
    return any(True for driver in _DRIVERS for _ in Path("/dev").glob(driver))


def _num_gpus() -> int:
    """Return the number of GPUs that torch can use."""
    if not may_have_gpu():
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _chosen_by(num_gpus: int, config: RunConfig) -> tuple[int, str]:
    """Return the number of processes that `AUTO` stands for, and why. Raises as `_batch_size_of` does."""
    if config.runtime.device in {"cpu", "mps"}:
        return 1, f"1 process on {config.runtime.device}"
    if not num_gpus:
        return 1, "1 process, since the machine has no GPU that torch can use"
    batch_size = _batch_size_of(config)
    count = max(1, min(num_gpus, batch_size // MIN_ROWS))
    why = f"of {num_gpus} GPUs all" if num_gpus > 1 else "the machine has 1 GPU"
    if count < num_gpus:
        why = (
            f"of {num_gpus} GPUs {count}, since more would have fewer than {MIN_ROWS} of the {batch_size} rows each; "
            f"--batch-size {num_gpus * MIN_ROWS} uses all"
        )
    return count, f"{count} process{'es' if count > 1 else ''} ({why})"


def _batch_size_of(config: RunConfig) -> int:
    """Return the batch size that a run on GPUs starts with. Raises `TweetgenError` for a checkpoint without one."""
    if "batch_size" not in config.settings and not (config.resume is None and config.checkpoint is None):
        path = resolve_checkpoint(config.checkpoint) if config.resume is None else latest_of(find_run(config.resume))
        return read_info(path)[0].training.batch_size
    any_length = 10_000_000  # characters of the corpus, on which no preset's batch size depends
    return resolve_preset(config.preset, config.settings, any_length, "cuda").training.batch_size


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the processes that `Torchrun` starts are to train: the hidden option --order of `train`."""

    config: RunConfig
    is_for_screen: bool = False
    """A screen shows the run, which pauses where its budget is used up."""
    notice: str = ""
    """A warning at its start."""

    def to_arguments(self) -> list[str]:
        """Return it as options, each short enough for an argument; torchrun would replace what begins with a $."""
        text = codec.encode(self).replace("$", "\\u0024")
        starts = range(0, len(text), _MAX_ARGUMENT_CHARS)
        return [f"--order={text[start : start + _MAX_ARGUMENT_CHARS]}" for start in starts]

    @classmethod
    def from_arguments(cls, values: Sequence[str]) -> Order:
        """Return the order in the values of these options. Raises `InternalError`."""
        try:
            return codec.decode("".join(values), cls)
        except codec.DecodeError as error:
            raise InternalError(f"--order is for the program itself: {error}.") from error


class Torchrun:
    """The processes of one run, in a session of their own. For any thread."""

    def __init__(self, config: RunConfig, wanted: int, *, is_for_screen: bool = False) -> None:
        """Prepare to start `wanted` processes, or `AUTO`. Raises `TweetgenError` for a run that can't be resumed."""
        if config.resume is not None:
            self.run = find_run(config.resume)
            self.config = replace(config, resume=self.run.name)
        else:
            self.run = folder_of_run(config.run_name or free_run_name())
            self.config = replace(config, run_name=self.run.name)
        self._wanted = wanted
        self._is_for_screen = is_for_screen
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopped = False
        self._lock = threading.Lock()
        # without names: the processes may outlive this one
        self._output, self._errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - they stay open

    def start(self) -> None:
        """Start torchrun, or the program itself where one process is enough. Raises `TweetgenError`."""
        import psutil  # noqa: F401 - it is loaded before `kill`, which a signal's handler may call, needs it

        processes = Processes.choose(self._wanted, self.config)
        config = replace(self.config, runtime=processes.runtime)
        order = Order(config=config, is_for_screen=self._is_for_screen, notice=processes.note)
        command, variables = [*own_module("tui"), "train", *order.to_arguments()], dict[str, str]()
        if processes.count > 1:
            options = [*_OPTIONS, "--nproc-per-node", str(processes.count), "-m", "tui", "train"]
            command = [*own_module("torch.distributed.run"), *options, *order.to_arguments()]
            # the workers run `python -m` without the option of `own_module`
            threads = processes.runtime.threads or max(1, _num_cores() // processes.count)
            variables = {"PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": str(threads)}
        with self._lock:
            if not self._is_stopped:
                self._process = subprocess.Popen(  # noqa: S603 - the program itself, without a shell
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=self._output,
                    stderr=self._errors,
                    env={**os.environ, "TORCH_CPP_LOG_LEVEL": "FATAL", **variables},
                    start_new_session=True,
                )

    def stop(self) -> None:
        """Have the run end before it has started, or not start."""
        with self._lock:
            self._is_stopped = True
            if self._process is not None:
                self._process.terminate()

    def kill(self) -> None:
        """Kill all processes at once, without saving. For a signal's handler, too."""
        import psutil

        with contextlib.suppress(psutil.Error):
            if self._process is not None and self.is_alive:
                torchrun = psutil.Process(self._process.pid)
                for process in (torchrun, *torchrun.children(recursive=True)):
                    with contextlib.suppress(psutil.Error):
                        process.kill()

    def wait(self, seconds: float) -> None:
        """Wait for the end of all processes."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self._process is not None:
                self._process.wait(seconds)

    @property
    def is_alive(self) -> bool:
        """Whether torchrun runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def stage(self) -> Stage:
        """What the leader does before the run has started."""
        for text, percent in reversed(_STAGE.findall(_end_of(self._errors))):
            return Stage(text, share=int(percent) / 100 if percent else None)
        return Stage(f"starting {'the' if self._wanted == AUTO else self._wanted} processes")

    @property
    def failure(self) -> RunFailed | None:
        """The error that the run has ended with; None while torchrun runs, and where it has ended without one."""
        with contextlib.suppress(codec.DecodeError, IndexError):
            event = events.from_json(_end_of(self._output).splitlines()[-1])
            if isinstance(event, RunFailed):  # before the run has started
                return event
        if self._process is None or self._process.poll() in (None, 0):
            return None
        from engine.storage.log import log_to  # these imports cost start-up time
        from tui.run.connection import failure_event

        written, path = _end_of(self._errors), home() / "tweetgen.log"
        with contextlib.suppress(StorageError), log_to(path, "tui"):
            LOG.error("the processes of the run %s ended; they have written:\n%s", self.run.name, written)
        lines = [line.strip() for line in written.splitlines() if any(map(str.isalpha, line))]
        last = lines[-1].removeprefix("traceback : ") if lines else ""  # torchrun's, of a process that was killed
        why = f"The processes of the run {self.run.name} ended unexpectedly. {last}".strip()
        return failure_event(DistributedError(why, f"What they have written is in {path}."), None)


def _end_of(file: BinaryIO) -> str:
    """Return the end of a file that other processes write to, who share its position with this one."""
    descriptor = file.fileno()
    start = max(0, os.fstat(descriptor).st_size - _MAX_OUTPUT_BYTES)
    return os.pread(descriptor, _MAX_OUTPUT_BYTES, start).decode(errors="replace")
